/* source.ts — where the bytes of a model come from, for either side: a page's
 * own thread reads headers, the worker of a model reads files. */
import { locate } from "#platform";
import { openBytes, openStream, type ByteSource } from "../engine/source.js";
import { PipitError } from "../errors.js";
import { openSpec } from "../open.js";
import { registry } from "../store/registry.js";
import type { SourceSpec } from "../protocol.js";
import type { ModelSource, SourceOptions } from "../types.js";
import type { CallOptions } from "./connection.js";
import { refuse } from "./options.js";

/** What the worker opens, and what it gets piece by piece from here. */
export interface HostSource {
    readonly specs: readonly SourceSpec[];
    readonly bytes: ByteSource | undefined;
}

type BytesLike = Exclude<
    ModelSource,
    string | URL | Blob | readonly (string | URL | Blob)[]
>;

function bytesOf(source: BytesLike): ByteSource {
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

/** The files of a model in several. */
async function describeList(
    list: readonly (string | URL | Blob)[],
    options: SourceOptions,
): Promise<HostSource> {
    if (list.length === 0) refuse("the model source is an empty list");
    const parts = await Promise.all(
        list.map(async (part): Promise<SourceSpec> => {
            if (part instanceof Blob) return { kind: "blob", blob: part };
            if (typeof part !== "string" && !(part instanceof URL))
                refuse("a list of files holds addresses, paths and Files");
            const { specs } = await describeSource(part, options);
            return specs[0] as SourceSpec;
        }),
    );
    return { specs: [{ kind: "list", parts }], bytes: undefined };
}

/** Names may have several addresses, tried in this order. */
export async function describeSource(
    source: ModelSource,
    options: SourceOptions,
): Promise<HostSource> {
    if (Array.isArray(source)) return describeList(source, options);
    if (source instanceof Blob)
        return { specs: [{ kind: "blob", blob: source }], bytes: undefined };
    if (typeof source !== "string" && !(source instanceof URL)) {
        const bytes = bytesOf(source as BytesLike);
        return { specs: [{ kind: "pull", total: bytes.total }], bytes };
    }
    if (String(source) === "") refuse("the model source is an empty string");
    const { signal, onProgress, modelBase, headers = {} } = options;
    const located = await locate(String(source), {
        signal,
        onProgress,
        modelBase,
    });
    if (located.kind === "path") return { specs: [located], bytes: undefined };
    const { key, urls } = located;
    const specs: SourceSpec[] = urls.map((url) => ({
        kind: "url",
        url,
        headers,
    }));
    if (key !== undefined) {
        const blob = registry().get(key);
        specs.unshift(blob ? { kind: "blob", blob } : { kind: "stored", key });
    }
    return { specs, bytes: undefined };
}

/** Whether the next address of a name may be tried. */
function isMissing(failure: unknown): boolean {
    return (
        failure instanceof PipitError &&
        (failure.code === "not-found" || failure.code === "network")
    );
}

/** The first address that is there; a load that began is not begun again. */
export async function firstOf<R>(
    { specs, bytes }: HostSource,
    options: SourceOptions,
    attempt: (spec: SourceSpec, call: CallOptions) => Promise<R>,
): Promise<R> {
    let begun = false;
    const onProgress: SourceOptions["onProgress"] = (progress) => {
        begun = true;
        options.onProgress?.(progress);
    };
    const call: CallOptions = { onProgress, source: bytes };
    try {
        for (const spec of specs.slice(0, -1)) {
            try {
                return await attempt(spec, call);
            } catch (failure) {
                if (begun || !isMissing(failure)) throw failure;
            }
        }
        return await attempt(specs.at(-1) as SourceSpec, call);
    } finally {
        await bytes?.close();
    }
}

/** Opens it here. */
export async function openHere(
    { specs, bytes }: HostSource,
    signal: AbortSignal,
    part = 0,
    parts = 1,
): Promise<ByteSource> {
    if (bytes && part === 0) return bytes;
    for (const [i, spec] of specs.entries()) {
        try {
            return await openSpec(spec, signal, part, parts);
        } catch (failure) {
            if (i + 1 === specs.length || !isMissing(failure)) throw failure;
        }
    }
    return refuse("a source without bytes");
}
