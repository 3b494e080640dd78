/* open.ts — a source as it was described becomes bytes, on either side. */
import { openPath, openStored } from "#platform";
import { openBlob, openUrl, type ByteSource } from "./engine/source.js";
import { PipitError } from "./errors.js";
import type { SourceSpec } from "./protocol.js";

const firstOf = /-00001-of-(\d{5})(?=\.gguf(?:$|[?#]))/i;

/** The name of another file of the same model. */
function nameOf(name: string, part: number, parts: number): string {
    if (part === 0) return name;
    const five = (n: number) => String(n).padStart(5, "0");
    if (firstOf.exec(name)?.[1] !== five(parts))
        throw new PipitError(
            "invalid-argument",
            `the model is in ${parts} files: begin with the one whose name ` +
                `ends in -00001-of-${five(parts)}.gguf, or list them all`,
        );
    return name.replace(firstOf, `-${five(part + 1)}-of-${five(parts)}`);
}

/** Files of a source that is a list. */
export function listedParts(spec: SourceSpec): number | undefined {
    return spec.kind === "list" ? spec.parts.length : undefined;
}

/** Opens one file, counted from 0, of a model in `parts`. What is pulled from
 * the caller is opened elsewhere. */
export async function openSpec(
    spec: SourceSpec,
    signal: AbortSignal,
    part = 0,
    parts = 1,
): Promise<ByteSource> {
    switch (spec.kind) {
        case "url":
            return openUrl(nameOf(spec.url, part, parts), spec.headers, signal);
        case "path":
            return openPath(nameOf(spec.path, part, parts));
        case "stored":
            return openStored(nameOf(spec.key, part, parts));
        case "list": {
            const listed = spec.parts[part];
            if (listed) return openSpec(listed, signal);
            break;
        }
        case "blob":
            if (part === 0) return openBlob(spec.blob);
            break;
        case "pull":
            break;
    }
    throw new PipitError(
        "invalid-argument",
        `the model is in ${parts} files: give a list of all of them`,
    );
}
