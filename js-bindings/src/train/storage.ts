/* storage.ts — what training keeps on this device: checkpoints, adapters. */
import { platformStorage } from "#storage";

export interface StoredFile {
    readonly name: string;
    readonly bytes: number;
    /** Milliseconds since 1970. */
    readonly storedAt: number;
}

/** Files by name: letters, digits, dots, dashes and underscores. Every method
 * fails with a `PipitError`. */
export interface Storage {
    /** "opfs": the origin's private files; "cache": the Cache API; "memory":
     * until the page is left; "folder": `training` in Node's cache folder. */
    kind(): Promise<"opfs" | "cache" | "memory" | "folder">;
    list(): Promise<StoredFile[]>;
    /** undefined: there is none. */
    get(name: string): Promise<Uint8Array<ArrayBuffer> | undefined>;
    /** Whole or not at all: what had the name before stays until then.
     * "disk-full" where there is no room. */
    put(name: string, bytes: Uint8Array<ArrayBuffer>): Promise<void>;
    /** False: there was none. */
    remove(name: string): Promise<boolean>;
    /** "disk-full" where so many bytes would not fit. */
    checkRoom(name: string, bytes: number): Promise<void>;
}

export const storage: Storage = platformStorage;
