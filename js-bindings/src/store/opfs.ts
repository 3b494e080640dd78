/* opfs.ts — the origin private file system, by sync access handles (workers). */
import type { DataFile, Folder } from "./folder.js";
import { FOLDER } from "./record.js";
import type { SyncFile, SyncHandle } from "./sync-handle.js";

export const isAbsent = (cause: unknown) =>
    (cause as Error | null)?.name === "NotFoundError";

/** A page that was killed a moment ago may still hold the file. */
const BUSY_MS = 2_000;

async function openSync(file: SyncFile): Promise<SyncHandle> {
    const until = performance.now() + BUSY_MS;
    for (;;) {
        try {
            return (await file.createSyncAccessHandle?.()) as SyncHandle;
        } catch (cause) {
            const { name } = cause as Error;
            const isBusy = name === "NoModificationAllowedError";
            if (!isBusy || performance.now() > until) throw cause;
        }
        await new Promise((resolve) => setTimeout(resolve, 50));
    }
}

/** Chromium returns a negative error as an unsigned number where others throw:
 * 2^32 - 8 when the quota is used up. */
function checkWritten(n: number, bytes: Uint8Array): void {
    if (n === 0 || n > bytes.length)
        throw new DOMException("", "QuotaExceededError");
}

class OpfsData implements DataFile {
    readonly #handle: SyncHandle;
    length: number;
    #open = true;

    constructor(handle: SyncHandle) {
        this.#handle = handle;
        this.length = handle.getSize();
    }

    async read(at: number, target: Uint8Array): Promise<number> {
        return this.#handle.read(target, { at });
    }

    async append(bytes: Uint8Array): Promise<void> {
        for (let done = 0; done < bytes.length;) {
            const rest = bytes.subarray(done);
            const n = this.#handle.write(rest, { at: this.length });
            checkWritten(n, rest);
            this.length += n;
            done += n;
        }
    }

    async clear(): Promise<void> {
        this.#handle.truncate(0);
        this.length = 0;
    }

    async close(): Promise<void> {
        if (!this.#open) return;
        this.#open = false;
        try {
            this.#handle.flush();
        } finally {
            this.#handle.close();
        }
    }
}

export class OpfsFolder implements Folder {
    readonly kind = "opfs";
    readonly #folder: FileSystemDirectoryHandle;

    private constructor(folder: FileSystemDirectoryHandle) {
        this.#folder = folder;
    }

    /** Undefined where there is none: also in some private windows. */
    static async open(): Promise<OpfsFolder | undefined> {
        const file = globalThis.FileSystemFileHandle?.prototype;
        if (!file || !("createSyncAccessHandle" in file)) return undefined;
        const root = await navigator.storage
            ?.getDirectory?.()
            .catch(() => undefined);
        const options = { create: true };
        const folder = await root?.getDirectoryHandle(FOLDER, options);
        return folder && new OpfsFolder(folder);
    }

    async names(): Promise<string[]> {
        const names: string[] = [];
        for await (const name of this.#folder.keys()) names.push(name);
        return names;
    }

    async readText(name: string): Promise<string | undefined> {
        try {
            const handle = await this.#folder.getFileHandle(name);
            return await (await handle.getFile()).text();
        } catch (cause) {
            if (isAbsent(cause)) return undefined;
            throw cause;
        }
    }

    async writeText(name: string, text: string): Promise<void> {
        const options = { create: true };
        const file = await this.#folder.getFileHandle(name, options);
        const handle = await openSync(file);
        try {
            const bytes = new TextEncoder().encode(text);
            // What a kill leaves in between does not parse: it counts as absent.
            handle.truncate(0);
            const n = handle.write(bytes, { at: 0 });
            checkWritten(n === bytes.length ? n : 0, bytes);
            handle.flush();
        } finally {
            handle.close();
        }
    }

    async remove(name: string): Promise<void> {
        try {
            await this.#folder.removeEntry(name);
        } catch (cause) {
            if (!isAbsent(cause)) throw cause;
        }
    }

    async size(name: string): Promise<number | undefined> {
        try {
            const handle = await this.#folder.getFileHandle(name);
            return (await handle.getFile()).size;
        } catch (cause) {
            if (isAbsent(cause)) return undefined;
            throw cause;
        }
    }

    async open(name: string): Promise<DataFile> {
        const options = { create: true };
        const file = await this.#folder.getFileHandle(name, options);
        return new OpfsData(await openSync(file));
    }
}
