/* read.ts — a stored model becomes bytes, for the engine.
 *
 * It is in what every page loads, so it only reads; what writes is elsewhere.
 * What is missing, torn or evicted is "not-found": the next address is tried. */
import { PieceSource, openBlob, type ByteSource } from "../engine/source.js";
import { PipitError } from "../errors.js";
import { addressOf, BLOCK } from "./cache-names.js";
import { FOLDER, parseRecord, type StoreRecord } from "./record.js";
import type { SyncFile, SyncHandle } from "./sync-handle.js";

/** The name of a key's record; undefined where nothing can be stored. */
async function idOf(key: string): Promise<string | undefined> {
    const bytes = new TextEncoder().encode(key);
    const digest = await globalThis.crypto?.subtle?.digest("SHA-256", bytes);
    if (!digest) return undefined;
    return Array.from(new Uint8Array(digest, 0, 16), (byte) =>
        byte.toString(16).padStart(2, "0"),
    ).join("");
}

/** Reads straight into the target, which is the module's memory. */
function handleSource(handle: SyncHandle, total: number): ByteSource {
    let at = 0;
    return {
        total,
        pull: async () => at < total,
        take(target) {
            const n = handle.read(target, { at });
            at = n > 0 ? at + n : total;
            return n;
        },
        close: async () => handle.close(),
    };
}

async function openOpfs(id: string): Promise<ByteSource | undefined> {
    const root = await navigator.storage.getDirectory();
    const folder = await root.getDirectoryHandle(FOLDER);
    const text = await (await folder.getFileHandle(`${id}.json`)).getFile();
    const record = parseRecord(await text.text());
    if (!record) return undefined;
    const handle: SyncFile = await folder.getFileHandle(record.data);
    const file = await handle.getFile();
    if (file.size !== record.size) return undefined;
    try {
        // Several tabs may read at once, where the browser knows the mode.
        const sync = await handle.createSyncAccessHandle?.({
            mode: "read-only",
        });
        if (sync) return handleSource(sync, record.size);
    } catch {
        // another tab has it, or this is a page
    }
    return openBlob(file);
}

/** The blocks follow each other; a missing one ends the load. */
function blockSource(cache: Cache, { data, size }: StoreRecord): ByteSource {
    let next = 0;
    return new PieceSource(size, async () => {
        if (next * BLOCK >= size) return null;
        const block = await cache.match(addressOf(data, next++));
        if (block) return new Uint8Array(await block.arrayBuffer());
        throw new PipitError("io", "the stored model was cleared meanwhile");
    });
}

async function openCached(id: string): Promise<ByteSource | undefined> {
    if (!(await caches.has(FOLDER))) return undefined;
    const cache = await caches.open(FOLDER);
    const text = await cache.match(addressOf(`${id}.json`));
    const record = parseRecord(await text?.text());
    if (!record) return undefined;
    // A browser may have cleared some of the blocks.
    const there = new Set((await cache.keys()).map(({ url }) => url));
    for (let i = 0; i * BLOCK < record.size; i++)
        if (!there.has(addressOf(record.data, i))) return undefined;
    return blockSource(cache, record);
}

export async function openStored(key: string): Promise<ByteSource> {
    const id = await idOf(key);
    for (const open of id ? [openOpfs, openCached] : []) {
        const source = await open(id as string).catch(() => undefined);
        if (source) return source;
    }
    throw new PipitError("not-found", `${key} is not stored here`);
}
