/* memory.ts — where a browser keeps nothing: until the page is left. */
import type { DataFile, Folder } from "./folder.js";

class MemoryData implements DataFile {
    /** Chunks, as they came. */
    pieces: Uint8Array<ArrayBuffer>[] = [];
    length = 0;

    async read(at: number, target: Uint8Array): Promise<number> {
        let start = 0;
        let done = 0;
        for (const piece of this.pieces) {
            const from = Math.max(0, at + done - start);
            if (from < piece.length) {
                const part = piece.subarray(from, from + target.length - done);
                target.set(part, done);
                done += part.length;
            }
            start += piece.length;
        }
        return done;
    }

    async append(bytes: Uint8Array): Promise<void> {
        this.pieces.push(bytes.slice());
        this.length += bytes.length;
    }

    async clear(): Promise<void> {
        this.pieces = [];
        this.length = 0;
    }

    async close(): Promise<void> {}
}

export class MemoryFolder implements Folder {
    readonly kind = "memory";
    readonly #texts = new Map<string, string>();
    readonly #data = new Map<string, MemoryData>();

    async names(): Promise<string[]> {
        return [...this.#texts.keys(), ...this.#data.keys()];
    }

    async readText(name: string): Promise<string | undefined> {
        return this.#texts.get(name);
    }

    async writeText(name: string, text: string): Promise<void> {
        this.#texts.set(name, text);
    }

    async remove(name: string): Promise<void> {
        this.#texts.delete(name);
        this.#data.delete(name);
    }

    async size(name: string): Promise<number | undefined> {
        return this.#data.get(name)?.length;
    }

    async open(name: string): Promise<DataFile> {
        const data = this.#data.get(name) ?? new MemoryData();
        this.#data.set(name, data);
        return data;
    }

    blob(name: string): Blob | undefined {
        const data = this.#data.get(name);
        return data && new Blob(data.pieces);
    }
}
