/* source.ts — what a caller calls a model, as a key of the store and addresses. */
import { PipitError } from "../errors.js";

const HUB = "https://huggingface.co/";

/** The name of one file of a model in several, counted from 0. */
export interface Wanted {
    /** What it is stored under. */
    readonly key: string;
    readonly file: string;
    /** Tried in this order. */
    readonly urls: readonly string[];
    readonly size: number | undefined;
    readonly sha256: string | undefined;
}

/** `hf:owner/repo@revision/path` as an address; other sources as they are. */
export function expandHub(source: string): string {
    if (!/^hf:/i.test(source)) return source;
    const [, owner, repo, revision = "main", path] =
        /^hf:([\w.-]+)\/([\w.-]+)(?:@([\w.-]+))?\/([^?#]+)$/i.exec(source) ??
        [];
    if (!path)
        throw new PipitError(
            "invalid-argument",
            `${source}: an address of the hub is hf:owner/repo/file.gguf`,
        );
    return `${HUB}${owner}/${repo}/resolve/${revision}/${path}`;
}

export const isAddress = (source: string) =>
    /^(?!hf:|local:)[a-z][a-z+.-]+:/i.test(source);

/** The last part of an address, readable. */
export function fileOf(url: string): string {
    const last = new URL(url).pathname.split("/").at(-1) ?? "";
    let name = last;
    try {
        name = decodeURIComponent(last);
    } catch {
        // as it is written
    }
    return name.replace(/[\0-\x1f/\\:*?"<>|]/g, "_") || "model.gguf";
}

const asFolder = (base: string | URL) => String(base).replace(/\/?$/, "/");

/** Where a mirror has what the address names. */
function mirrored(base: string | URL, url: string): string {
    const folder = asFolder(base);
    if (url.startsWith(HUB)) return folder + url.slice(HUB.length);
    return folder + encodeURIComponent(fileOf(url));
}

export function mirrorsOfFile(
    mirrors: readonly (string | URL)[] = [],
    file: string,
): string[] {
    return mirrors.map((base) => asFolder(base) + encodeURIComponent(file));
}

const firstPart = /-00001-of-(\d{5})(?=\.gguf(?:$|[?#]))/i;

/** The files of an address: one, or all of a model in several. */
export function wantedByAddress(
    url: string,
    mirrors: readonly (string | URL)[] = [],
    sha256?: string,
): Wanted[] {
    const parts = Math.max(1, Number(firstPart.exec(url)?.[1] ?? 1));
    if (parts > 1000)
        throw new PipitError("invalid-argument", `${url}: ${parts} files`);
    return Array.from({ length: parts }, (_, i) => {
        const part = String(i + 1).padStart(5, "0");
        const key = url.replace(firstPart, `-${part}-of-$1`);
        return {
            key,
            file: fileOf(key),
            urls: [...mirrors.map((base) => mirrored(base, key)), key],
            size: undefined,
            sha256: i === 0 ? sha256?.toLowerCase() : undefined,
        };
    });
}
