/* cache.ts — the Cache API, where there is no OPFS.
 *
 * An entry can't grow, so data is a row of blocks of the same size, the last one
 * smaller: `NAME/0`, `NAME/1`, … A block is put whole or not at all. */
import { addressOf, BLOCK, ORIGIN } from "./cache-names.js";
import type { DataFile, Folder } from "./folder.js";
import { FOLDER } from "./record.js";

class CachedData implements DataFile {
    readonly #cache: Cache;
    readonly #name: string;
    /** Of the block that is not put yet, or is to be put again. */
    readonly #held = new Uint8Array(BLOCK);
    length = 0;
    /** Bytes that are in the cache. */
    #kept = 0;

    private constructor(cache: Cache, name: string) {
        this.#cache = cache;
        this.#name = name;
    }

    static async open(cache: Cache, name: string): Promise<CachedData> {
        const file = new CachedData(cache, name);
        for (;;) {
            const block = await file.#block(file.length / BLOCK);
            if (!block) break;
            file.#held.set(block);
            file.length += block.length;
            file.#kept = file.length;
            if (block.length < BLOCK) break;
        }
        return file;
    }

    async #block(index: number): Promise<Uint8Array | undefined> {
        const found = await this.#cache.match(addressOf(this.#name, index));
        return found && new Uint8Array(await found.arrayBuffer());
    }

    async read(at: number, target: Uint8Array): Promise<number> {
        const index = Math.floor(at / BLOCK);
        const whole = index * BLOCK + BLOCK <= this.#kept;
        const block = whole ? await this.#block(index) : this.#held;
        const within = Math.min(BLOCK, this.length - index * BLOCK);
        const rest = block?.subarray(at % BLOCK, within) ?? new Uint8Array();
        const bytes = rest.subarray(0, target.length);
        target.set(bytes);
        return bytes.length;
    }

    async append(bytes: Uint8Array): Promise<void> {
        for (let done = 0; done < bytes.length;) {
            const start = this.length % BLOCK;
            const piece = bytes.subarray(done, done + BLOCK - start);
            this.#held.set(piece, start);
            this.length += piece.length;
            done += piece.length;
            if (this.length % BLOCK === 0) await this.#put();
        }
    }

    async #put(): Promise<void> {
        const index = Math.ceil(this.length / BLOCK) - 1;
        const bytes = this.#held.slice(0, this.length - index * BLOCK);
        const headers = { "content-length": String(bytes.length) };
        await this.#cache.put(
            addressOf(this.#name, index),
            new Response(bytes, { headers }),
        );
        this.#kept = this.length;
    }

    async clear(): Promise<void> {
        await removeBlocks(this.#cache, this.#name);
        this.length = this.#kept = 0;
    }

    async close(): Promise<void> {
        if (this.length > this.#kept) await this.#put();
    }
}

async function removeBlocks(cache: Cache, name: string): Promise<void> {
    for (let i = 0; await cache.delete(addressOf(name, i)); i++);
}

export class CacheFolder implements Folder {
    readonly kind = "cache";
    readonly #cache: Cache;

    private constructor(cache: Cache) {
        this.#cache = cache;
    }

    /** Undefined where there is none. */
    static async open(): Promise<CacheFolder | undefined> {
        const cache = await globalThis.caches
            ?.open(FOLDER)
            .catch(() => undefined);
        return cache && new CacheFolder(cache);
    }

    async names(): Promise<string[]> {
        const requests = await this.#cache.keys();
        const names = requests.map(
            ({ url }) => url.slice(ORIGIN.length).split("/")[0] ?? "",
        );
        return [...new Set(names)];
    }

    async readText(name: string): Promise<string | undefined> {
        return (await this.#cache.match(addressOf(name)))?.text();
    }

    async writeText(name: string, text: string): Promise<void> {
        await this.#cache.put(addressOf(name), new Response(text));
    }

    async remove(name: string): Promise<void> {
        await this.#cache.delete(addressOf(name));
        await removeBlocks(this.#cache, name);
    }

    async size(name: string): Promise<number | undefined> {
        let bytes: number | undefined;
        for (let i = 0; ; i++) {
            const block = await this.#cache.match(addressOf(name, i));
            if (!block) return bytes;
            bytes = (bytes ?? 0) + Number(block.headers.get("content-length"));
        }
    }

    open(name: string): Promise<DataFile> {
        return CachedData.open(this.#cache, name);
    }
}
