/* source.ts — where the bytes of a model come from, for either side: a page's
 * own thread reads headers, the worker of a model reads files. */
import { locate, openPath } from "#platform";
import {
    openBlob,
    openBytes,
    openStream,
    openUrl,
    type ByteSource,
} from "../engine/source.js";
import { PipitError } from "../errors.js";
import type { SourceSpec } from "../protocol.js";
import type { ModelSource, SourceOptions } from "../types.js";
import { refuse } from "./options.js";

/** What the worker opens, and what it gets piece by piece from here. */
export interface HostSource {
    readonly specs: readonly SourceSpec[];
    readonly bytes: ByteSource | undefined;
}

function bytesOf(source: Exclude<ModelSource, string | URL>): ByteSource {
    if (source instanceof Blob) return openBlob(source);
    if (source instanceof ReadableStream) return openStream(source);
    if (source instanceof ArrayBuffer) return openBytes(new Uint8Array(source));
    if (ArrayBuffer.isView(source))
        return openBytes(
            new Uint8Array(source.buffer, source.byteOffset, source.byteLength),
        );
    return refuse(
        "a model source is a name, an address, a path, a File, a Blob, an " +
            "ArrayBuffer or a ReadableStream",
    );
}

/** Names may have several addresses, tried in this order. */
export async function describeSource(
    source: ModelSource,
    options: SourceOptions,
): Promise<HostSource> {
    if (typeof source !== "string" && !(source instanceof URL)) {
        const bytes = bytesOf(source);
        return { specs: [{ kind: "pull", total: bytes.total }], bytes };
    }
    if (String(source) === "") refuse("the model source is an empty string");
    const { signal, onProgress, modelBase, headers = {} } = options;
    const located = await locate(String(source), {
        signal,
        onProgress,
        modelBase,
    });
    const specs: SourceSpec[] =
        located.kind === "path"
            ? [located]
            : located.urls.map((url) => ({ kind: "url", url, headers }));
    return { specs, bytes: undefined };
}

/** Whether the next address of a name may be tried. */
export function isMissing(failure: unknown): boolean {
    return (
        failure instanceof PipitError &&
        (failure.code === "not-found" || failure.code === "network")
    );
}

/** Opens it here. */
export async function openHere(
    { specs, bytes }: HostSource,
    signal: AbortSignal,
): Promise<ByteSource> {
    if (bytes) return bytes;
    for (const [i, spec] of specs.entries()) {
        try {
            if (spec.kind === "path") return openPath(spec.path);
            if (spec.kind === "url")
                return await openUrl(spec.url, spec.headers, signal);
        } catch (failure) {
            if (i + 1 === specs.length || !isMissing(failure)) throw failure;
        }
    }
    return refuse("a source without bytes");
}
