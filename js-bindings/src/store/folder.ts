/* folder.ts — where a browser keeps bytes: files by name, in one folder.
 *
 * Small texts (records) are read and written whole; data grows at its end. A
 * name without a dot is data, `NAME.json` a record. */
import { PipitError } from "../errors.js";

/** Of one writer at a time; the store's lock sees to that. */
export interface DataFile {
    readonly length: number;
    /** Fills the target, but for the end of the file; says how much. */
    read(at: number, target: Uint8Array): Promise<number>;
    append(bytes: Uint8Array): Promise<void>;
    /** Forgets all. */
    clear(): Promise<void>;
    /** What was appended is kept; idempotent. */
    close(): Promise<void>;
}

export interface Folder {
    readonly kind: "opfs" | "cache" | "memory";
    names(): Promise<string[]>;
    readText(name: string): Promise<string | undefined>;
    writeText(name: string, text: string): Promise<void>;
    /** Nothing happens when there is none. */
    remove(name: string): Promise<void>;
    /** Bytes of data; undefined when there is none. */
    size(name: string): Promise<number | undefined>;
    /** For writing; made when there is none. */
    open(name: string): Promise<DataFile>;
    /** Memory only: what a page hands to the engine. */
    blob?(name: string): Blob | undefined;
}

/** A failed call of the browser, as the error of this package. */
export function folderError(cause: unknown, doing: string): PipitError {
    if (cause instanceof PipitError) return cause;
    const { name = "", message = String(cause) } = (cause ?? {}) as Error;
    if (name === "QuotaExceededError")
        return new PipitError("disk-full", `${doing}: the disk is full`, {
            cause,
        });
    if (name === "NoModificationAllowedError")
        return new PipitError("invalid-state", `${doing}: it is in use`, {
            cause,
        });
    return new PipitError("io", `${doing}: ${message}`, { cause });
}
