/* partial-file.ts — a file on its way into the store.
 *
 * Bytes go to FILE.partial, which a broken download leaves behind to be resumed.
 * It becomes FILE only when its length and sha256 are the manifest's: what is in
 * the store under its own name is whole. FILE.partial.json remembers of which
 * version on the server the bytes are. */
import { createHash, type Hash } from "node:crypto";
import * as fs from "node:fs/promises";
import * as path from "node:path";
import { PipitError } from "../errors.js";
import type { Origin, Sink } from "../store/download.js";

/** What is not known beforehand is undefined. */
export interface WantedFile {
    readonly file: string;
    readonly size: number | undefined;
    readonly sha256: string | undefined;
}

/** A failed system call, as the error of this package. */
export function storeError(cause: unknown, doing: string): PipitError {
    if (cause instanceof PipitError) return cause;
    const code = (cause as NodeJS.ErrnoException | null)?.code;
    const reason = cause instanceof Error ? cause.message : String(cause);
    const full = code === "ENOSPC" || code === "EDQUOT" || code === "EFBIG";
    return new PipitError(
        full ? "disk-full" : "io",
        full ? `${doing}: the disk is full` : `${doing}: ${reason}`,
        { cause },
    );
}

/** Whether the folder's disk holds the rest of a file on its way there. */
export async function checkRoom(
    folder: string,
    file: string,
    size: number,
): Promise<void> {
    const { bavail, bsize } = await fs.statfs(folder);
    const room = bavail * bsize;
    const have = await fs.stat(path.join(folder, `${file}.partial`)).then(
        (stat) => stat.size,
        () => 0,
    );
    if (room >= size - have) return;
    throw new PipitError(
        "disk-full",
        `${file} needs ${size - have} bytes, ${folder} has ${room}`,
        { details: { available: room } },
    );
}

const CHUNK = 1 << 20;

/** Feeds the first `length` bytes of a file to a hash. */
export async function hashFile(
    handle: fs.FileHandle,
    length: number,
    hash: Hash,
    signal?: AbortSignal,
): Promise<number> {
    const buffer = Buffer.allocUnsafe(CHUNK);
    let at = 0;
    while (at < length) {
        signal?.throwIfAborted();
        const want = Math.min(CHUNK, length - at);
        const { bytesRead } = await handle.read(buffer, 0, want, at);
        if (bytesRead === 0) break;
        hash.update(buffer.subarray(0, bytesRead));
        at += bytesRead;
    }
    return at;
}

export class PartialFile implements Sink {
    /** Bytes written so far, all of them in the hash. */
    length = 0;
    size: number | undefined;
    #hash = createHash("sha256");
    readonly #handle: fs.FileHandle;
    readonly #target: string;
    readonly #wanted: WantedFile;

    private constructor(
        handle: fs.FileHandle,
        target: string,
        wanted: WantedFile,
    ) {
        this.#handle = handle;
        this.#target = target;
        this.#wanted = wanted;
        this.size = wanted.size;
    }

    get isChecked(): boolean {
        return this.#wanted.sha256 !== undefined;
    }

    /** Opens target.partial and goes on after what is there. */
    static async open(
        target: string,
        wanted: WantedFile,
        signal?: AbortSignal,
    ): Promise<PartialFile> {
        const name = `${target}.partial`;
        let handle: fs.FileHandle | undefined;
        try {
            // "a+" would ignore positions, "r+" needs the file to exist.
            await (await fs.open(name, "a")).close();
            handle = await fs.open(name, "r+");
            const file = new PartialFile(handle, target, wanted);
            const { size } = await handle.stat();
            file.length = size;
            file.size ??= (await file.#readOrigin()).size;
            if (size > (file.size ?? Infinity)) await file.restart();
            else file.length = await hashFile(handle, size, file.#hash, signal);
            return file;
        } catch (cause) {
            await handle?.close();
            signal?.throwIfAborted();
            throw storeError(cause, `can't write ${name}`);
        }
    }

    async #readOrigin(): Promise<Partial<Origin> & { size?: number }> {
        try {
            const text = await fs.readFile(this.#originFile, "utf8");
            return (JSON.parse(text) ?? {}) as Partial<Origin>;
        } catch {
            return {}; // absent or torn: nothing to resume
        }
    }

    async origin(): Promise<Origin | undefined> {
        const { url, validator } = await this.#readOrigin();
        return typeof url === "string" && typeof validator === "string"
            ? { url, validator }
            : undefined;
    }

    /** Forgets what is there. */
    async restart(origin?: Origin): Promise<void> {
        try {
            if (this.length > 0) await this.#handle.truncate(0);
            this.#hash = createHash("sha256");
            this.length = 0;
            if (origin) {
                const text = JSON.stringify({ ...origin, size: this.size });
                await fs.writeFile(this.#originFile, text);
            } else await fs.rm(this.#originFile, { force: true });
        } catch (cause) {
            throw storeError(cause, `can't write ${this.#target}.partial`);
        }
    }

    async expect(given: number | undefined): Promise<void> {
        const size = given ?? this.#wanted.size;
        this.size = size;
        if (size === undefined) return;
        await checkRoom(path.dirname(this.#target), this.#wanted.file, size);
    }

    async write(bytes: Uint8Array): Promise<void> {
        const { file } = this.#wanted;
        const { size = Infinity } = this;
        if (bytes.length > size - this.length) {
            await this.restart();
            throw new PipitError(
                "checksum",
                `${file}: refused: more than the promised ${size} bytes came`,
            );
        }
        try {
            for (let at = 0; at < bytes.length;) {
                const rest = bytes.subarray(at);
                const { bytesWritten } = await this.#handle.write(
                    rest,
                    0,
                    rest.length,
                    this.length,
                );
                this.#hash.update(rest.subarray(0, bytesWritten));
                this.length += bytesWritten;
                at += bytesWritten;
            }
        } catch (cause) {
            throw storeError(cause, `can't write ${this.#target}.partial`);
        }
    }

    /** Checks the whole and gives it its name. A wrong file is deleted.
     * @returns its sha256 */
    async commit(): Promise<string> {
        const { file, size, sha256 } = this.#wanted;
        const found = this.#hash.copy().digest("hex");
        const wrong = sha256 === undefined ? !(await this.#isModel()) : false;
        if (wrong) {
            await this.restart();
            throw new PipitError("invalid-file", `${file}: refused: no GGUF`);
        }
        if (
            this.length !== (size ?? this.length) ||
            found !== (sha256 ?? found)
        ) {
            await this.restart();
            throw new PipitError(
                "checksum",
                `${file}: refused: ${this.length} bytes with sha256 ${found}` +
                    ` arrived, the manifest has ${size} with ${sha256}`,
            );
        }
        try {
            await this.#handle.sync();
            await fs.rename(`${this.#target}.partial`, this.#target);
            await fs.rm(this.#originFile, { force: true });
            return found;
        } catch (cause) {
            throw storeError(cause, `can't write ${this.#target}`);
        }
    }

    async #isModel(): Promise<boolean> {
        const head = Buffer.alloc(4);
        await this.#handle.read(head, 0, 4, 0);
        return head.toString("latin1") === "GGUF";
    }

    /** Keeps what is worth resuming; idempotent. */
    async close(): Promise<void> {
        const resumable = (await this.origin()) !== undefined;
        await this.#handle.close().catch(() => undefined);
        if (!resumable || this.length === 0) {
            await fs.rm(`${this.#target}.partial`, { force: true });
            await fs.rm(this.#originFile, { force: true });
        }
    }

    get #originFile(): string {
        return `${this.#target}.partial.json`;
    }
}
