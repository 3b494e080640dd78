/* storage.ts — what training keeps, in a page: files in OPFS; entries of the
 * Cache API where OPFS can't be written without a worker; else memory. */
import { PipitError } from "../errors.js";
import type { Storage, StoredFile } from "../train/storage.js";
import { ORIGIN } from "./cache-names.js";
import { folderError } from "./folder.js";

const FOLDER = "pipit-training";

type Place = Omit<Storage, "kind" | "checkRoom"> & {
    readonly kind: "opfs" | "cache" | "memory";
};

const isAbsent = (cause: unknown) =>
    (cause as DOMException).name === "NotFoundError";

async function opfs(): Promise<Place | undefined> {
    const root = await navigator.storage?.getDirectory?.();
    const folder = await root?.getDirectoryHandle(FOLDER, { create: true });
    if (!folder || !("createWritable" in FileSystemFileHandle.prototype))
        return undefined;
    return {
        kind: "opfs",
        async list() {
            const found: StoredFile[] = [];
            for await (const handle of folder.values()) {
                if (!(handle instanceof FileSystemFileHandle)) continue;
                const { name, size, lastModified } = await handle.getFile();
                found.push({ name, bytes: size, storedAt: lastModified });
            }
            return found;
        },
        async get(name) {
            try {
                const handle = await folder.getFileHandle(name);
                const file = await handle.getFile();
                return new Uint8Array(await file.arrayBuffer());
            } catch (cause) {
                if (isAbsent(cause)) return undefined;
                throw cause;
            }
        },
        async put(name, bytes) {
            const isNew = await folder.getFileHandle(name).then(
                () => false,
                () => true,
            );
            const handle = await folder.getFileHandle(name, { create: true });
            const writable = await handle.createWritable();
            try {
                await writable.write(bytes);
                await writable.close();
            } catch (cause) {
                await writable.abort().catch(() => undefined);
                if (isNew) await folder.removeEntry(name).catch(() => {});
                throw cause;
            }
        },
        async remove(name) {
            try {
                await folder.removeEntry(name);
                return true;
            } catch (cause) {
                if (isAbsent(cause)) return false;
                throw cause;
            }
        },
    };
}

async function cached(): Promise<Place | undefined> {
    const cache = await globalThis.caches?.open(FOLDER);
    if (!cache) return undefined;
    return {
        kind: "cache",
        async list() {
            const found: StoredFile[] = [];
            for (const { url } of await cache.keys()) {
                const { headers } = (await cache.match(url)) ?? new Response();
                found.push({
                    name: url.slice(ORIGIN.length),
                    bytes: Number(headers.get("content-length")),
                    storedAt: Date.parse(headers.get("date") ?? ""),
                });
            }
            return found;
        },
        async get(name) {
            const found = await cache.match(ORIGIN + name);
            return found && new Uint8Array(await found.arrayBuffer());
        },
        async put(name, bytes) {
            const headers = {
                "content-length": String(bytes.length),
                date: new Date().toUTCString(),
            };
            await cache.put(ORIGIN + name, new Response(bytes, { headers }));
        },
        remove: (name) => cache.delete(ORIGIN + name),
    };
}

function memory(): Place {
    const files = new Map<string, { bytes: Uint8Array; storedAt: number }>();
    return {
        kind: "memory",
        list: async () =>
            [...files].map(([name, { bytes, storedAt }]) => ({
                name,
                bytes: bytes.length,
                storedAt,
            })),
        get: async (name) => files.get(name)?.bytes.slice(),
        async put(name, bytes) {
            files.set(name, { bytes: bytes.slice(), storedAt: Date.now() });
        },
        remove: async (name) => files.delete(name),
    };
}

let found: Promise<Place> | undefined;

function place(): Promise<Place> {
    const orNone = (work: Promise<Place | undefined>) =>
        work.catch(() => undefined);
    found ??= (async () =>
        (await orNone(opfs())) ?? (await orNone(cached())) ?? memory())();
    return found;
}

function check(name: string): void {
    if (!/^[\w-][\w.-]{0,99}$/.test(name))
        throw new PipitError(
            "invalid-argument",
            `${name}: a name has letters, digits, dots, dashes, underscores`,
        );
}

async function tried<R>(
    doing: string,
    work: (place: Place) => Promise<R>,
): Promise<R> {
    try {
        return await work(await place());
    } catch (cause) {
        throw folderError(cause, doing);
    }
}

export const platformStorage: Storage = {
    kind: async () => (await place()).kind,
    list: () => tried("listing", (at) => at.list()),
    async get(name) {
        check(name);
        return tried(`reading ${name}`, (at) => at.get(name));
    },
    async put(name, bytes) {
        check(name);
        return tried(`keeping ${name}`, (at) => at.put(name, bytes));
    },
    async remove(name) {
        check(name);
        return tried(`removing ${name}`, (at) => at.remove(name));
    },
    async checkRoom(name, bytes) {
        check(name);
        const { kind } = await place();
        if (kind === "memory") return;
        const estimate = await navigator.storage?.estimate?.();
        const { quota = Infinity, usage = 0 } = estimate ?? {};
        if (quota - usage >= bytes) return;
        throw new PipitError(
            "disk-full",
            `${name} needs ${bytes} bytes, this site may keep ${quota - usage} more`,
        );
    },
};
