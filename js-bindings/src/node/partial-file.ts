/* partial-file.ts — a file on its way into the store.
 *
 * Bytes go to FILE.partial, which a broken download leaves behind to be resumed.
 * It becomes FILE only when its length and sha256 are the manifest's: what is in
 * the store under its own name is whole. FILE.partial.json remembers of which
 * version on the server the bytes are. */
import { createHash, type Hash } from "node:crypto";
import * as fs from "node:fs/promises";
import { PipitError } from "../errors.js";

export interface WantedFile {
    readonly file: string;
    readonly size: number;
    readonly sha256: string;
}

/** What a resumed request must match. */
export interface Origin {
    readonly url: string;
    /** ETag or Last-Modified, for If-Range. */
    readonly validator: string;
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

export class PartialFile {
    /** Bytes written so far, all of them in the hash. */
    length = 0;
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
            if (size > wanted.size) await file.restart();
            else file.length = await hashFile(handle, size, file.#hash, signal);
            return file;
        } catch (cause) {
            await handle?.close();
            signal?.throwIfAborted();
            throw storeError(cause, `can't write ${name}`);
        }
    }

    async origin(): Promise<Origin | undefined> {
        try {
            const text = await fs.readFile(this.#originFile, "utf8");
            const { url, validator } = JSON.parse(text) as Partial<Origin>;
            if (typeof url === "string" && typeof validator === "string")
                return { url, validator };
        } catch {
            // absent or torn: nothing to resume
        }
        return undefined;
    }

    /** Forgets what is there. */
    async restart(origin?: Origin): Promise<void> {
        try {
            if (this.length > 0) await this.#handle.truncate(0);
            this.#hash = createHash("sha256");
            this.length = 0;
            if (origin)
                await fs.writeFile(this.#originFile, JSON.stringify(origin));
            else await fs.rm(this.#originFile, { force: true });
        } catch (cause) {
            throw storeError(cause, `can't write ${this.#target}.partial`);
        }
    }

    async write(bytes: Uint8Array): Promise<void> {
        const { file, size } = this.#wanted;
        if (bytes.length > size - this.length) {
            await this.restart();
            throw new PipitError(
                "checksum",
                `${file}: refused: more than the manifest's ${size} bytes came`,
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

    /** Checks the whole and gives it its name. A wrong file is deleted. */
    async commit(): Promise<void> {
        const { file, size, sha256 } = this.#wanted;
        const found = this.#hash.copy().digest("hex");
        if (this.length !== size || found !== sha256) {
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
        } catch (cause) {
            throw storeError(cause, `can't write ${this.#target}`);
        }
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
