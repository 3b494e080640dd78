/* store.ts — `pipit/models` in Node: the cache folder. */
import * as fs from "node:fs/promises";
import * as path from "node:path";
import { PipitError } from "../errors.js";
import {
    isAddress,
    expandHub,
    mirrorsOfFile,
    wantedByAddress,
    type Wanted,
} from "../store/source.js";
import type { StoreRecord } from "../store/record.js";
import { described, sumProgress, whole } from "../store/stored.js";
import type {
    ImportOptions,
    Models,
    PullModelOptions,
    StoredModel,
    StoreUsage,
} from "../store/types.js";
import {
    cacheDir,
    findModel,
    listModels,
    lock,
    modelPath,
    pullModel,
    readStamp,
    resolveModel,
    verifyModel,
    writeStamp,
    type WantedModel,
} from "./models.js";
import { checkRoom, PartialFile, storeError } from "./partial-file.js";
import { fileOfKey, modelFiles } from "./stored-path.js";

export type * from "../store/types.js";
export type { DownloadLimits } from "../store/download.js";
export type { OnProgress, Progress } from "../types.js";

interface NodeWanted extends WantedModel {
    readonly key: string;
}

const folder = () => path.join(cacheDir(), "models");

function fromAddress({ key, urls, size, sha256 }: Wanted): NodeWanted {
    const sources = [{ kind: "https" as const, urls }];
    return { key, name: key, file: fileOfKey(key), size, sha256, sources };
}

/** The files that a source means. */
async function wantedOf(
    given: string | URL,
    { mirrors, sha256 }: PullModelOptions = {},
): Promise<NodeWanted[]> {
    const source = expandHub(String(given));
    const entry = findModel(source);
    if (entry) {
        const urls = mirrorsOfFile(mirrors, entry.file);
        const extra = urls.length > 0 ? [{ kind: "https" as const, urls }] : [];
        const sources = [...extra, ...entry.sources];
        return [{ ...entry, key: entry.name, sources }];
    }
    if (source.startsWith("local:")) {
        const file = fileOfKey(source);
        const unknown = { size: undefined, sha256: undefined, sources: [] };
        return [{ key: source, name: source, file, ...unknown }];
    }
    if (isAddress(source))
        return wantedByAddress(source, mirrors, sha256).map(fromAddress);
    await resolveModel(source); // says which there are
    return [];
}

async function recordOf(
    key: string,
    file: string,
): Promise<StoreRecord | undefined> {
    const where = modelPath({ file });
    const { sha256 = "", url } = await readStamp(where);
    try {
        const { size, mtimeMs } = await fs.stat(where);
        return { key, file, url, size, sha256, storedAt: mtimeMs, data: file };
    } catch {
        return undefined; // removed meanwhile
    }
}

/** The file is whole and as it was stored. */
async function find(wanted: NodeWanted): Promise<StoreRecord | undefined> {
    return (await verifyModel(wanted)) === "ok"
        ? recordOf(wanted.key, wanted.file)
        : undefined;
}

async function filesIn(): Promise<string[]> {
    try {
        return await fs.readdir(folder());
    } catch (cause) {
        const { code } = cause as NodeJS.ErrnoException;
        if (code === "ENOENT") return [];
        throw storeError(cause, `can't read ${folder()}`);
    }
}

/** By address, if that is what the file's name says; else as a local file. */
async function keyOf(file: string): Promise<string> {
    const { url } = await readStamp(modelPath({ file }));
    return url !== undefined && fileOfKey(url) === file ? url : `local:${file}`;
}

class NodeModels implements Models {
    async list(): Promise<StoredModel[]> {
        const records: (StoreRecord | undefined)[] = [];
        const entries = new Map(
            listModels().map((entry) => [entry.file, entry]),
        );
        for (const file of modelFiles(await filesIn())) {
            const entry = entries.get(file);
            const key = entry?.name ?? (await keyOf(file));
            const unknown = { size: undefined, sha256: undefined, sources: [] };
            const wanted = {
                ...(entry ?? { file, name: key, ...unknown }),
                key,
            };
            records.push(await find(wanted));
        }
        const found = records.filter((record) => record !== undefined);
        return whole(found.sort((a, b) => a.storedAt - b.storedAt));
    }

    async has(source: string | URL): Promise<boolean> {
        for (const wanted of await wantedOf(source))
            if (!(await find(wanted))) return false;
        return true;
    }

    async pull(
        source: string | URL,
        options: PullModelOptions = {},
    ): Promise<StoredModel> {
        const { signal, headers, limits } = options;
        const records: StoreRecord[] = [];
        const files = await wantedOf(source, options);
        for (const wanted of files) {
            const onProgress = sumProgress(records, files, options.onProgress);
            await pullModel(wanted, { signal, headers, limits, onProgress });
            const record = await recordOf(wanted.key, wanted.file);
            if (record) records.push(record);
        }
        return described(records);
    }

    async remove(source: string | URL): Promise<boolean> {
        let found = false;
        for (const { file } of await wantedOf(source)) {
            const target = modelPath({ file });
            const names = await filesIn();
            if (!names.some((name) => name.startsWith(file))) continue;
            found = true;
            const unlock = await lock(target, AbortSignal.timeout(200)).catch(
                () => {
                    throw new PipitError(
                        "invalid-state",
                        `${String(source)} is being downloaded`,
                    );
                },
            );
            try {
                for (const end of [
                    "",
                    ".verified",
                    ".partial",
                    ".partial.json",
                ])
                    await fs.rm(target + end, { force: true });
            } catch (cause) {
                throw storeError(cause, `can't remove ${target}`);
            } finally {
                await unlock();
            }
        }
        return found;
    }

    async import(
        file: Blob | string,
        { name, signal, onProgress }: ImportOptions = {},
    ): Promise<StoredModel> {
        const own =
            typeof file === "string"
                ? path.basename(file)
                : (file as Partial<File>).name;
        const local = fileOfKey(`local:${name ?? own ?? "model.gguf"}`);
        // A name of the manifest's is its file's alone.
        const named = listModels().find((known) => known.file === local);
        const passing = named ? `${local}.importing` : local;
        const target = modelPath({ file: passing });
        await fs.mkdir(folder(), { recursive: true });
        const bytes = await openBytes(file);
        const unlock = await lock(target, signal);
        try {
            const sha256 = await copy(bytes, passing, signal, onProgress);
            const entry = listModels().find((known) => known.sha256 === sha256);
            if (named && !entry) {
                await fs.rm(target, { force: true });
                throw new PipitError(
                    "invalid-argument",
                    `${local} is not ${named.name} (its sha256 is ${sha256}): ` +
                        `import it by another name`,
                );
            }
            if (entry) await fs.rename(target, modelPath(entry));
            const stored = entry?.file ?? local;
            await writeStamp(modelPath({ file: stored }), sha256);
            const key = entry?.name ?? `local:${local}`;
            return described([(await recordOf(key, stored)) as StoreRecord]);
        } catch (cause) {
            if (signal?.aborted)
                throw new PipitError("aborted", `${local}: import stopped`, {
                    cause: signal.reason,
                });
            throw storeError(cause, `can't store ${local}`);
        } finally {
            await bytes.close();
            await unlock();
        }
    }

    async usage(): Promise<StoreUsage> {
        let models = 0;
        let partial = 0;
        const files = await filesIn();
        const sizeOf = (file: string) =>
            fs.stat(modelPath({ file })).then(
                ({ size }) => size,
                () => 0, // removed meanwhile
            );
        for (const file of modelFiles(files)) models += await sizeOf(file);
        for (const file of files)
            if (file.endsWith(".partial")) partial += await sizeOf(file);
        const disk = await fs.statfs(folder()).catch(() => undefined);
        const available = disk && disk.bavail * disk.bsize;
        return { kind: "folder", models, partial, available, persisted: true };
    }

    async persist(): Promise<boolean> {
        return true;
    }
}

/** What is copied, piece by piece. */
interface Bytes {
    readonly size: number;
    read(start: number, end: number): Promise<Uint8Array>;
    close(): Promise<void>;
}

async function openBytes(file: Blob | string): Promise<Bytes> {
    if (typeof file !== "string")
        return {
            size: file.size,
            read: async (start, end) =>
                new Uint8Array(await file.slice(start, end).arrayBuffer()),
            close: async () => {},
        };
    try {
        const handle = await fs.open(file, "r");
        const { size } = await handle.stat();
        return {
            size,
            read: async (start, end) => {
                const bytes = Buffer.alloc(Math.min(end, size) - start);
                const { bytesRead } = await handle.read(bytes, 0, null, start);
                return bytes.subarray(0, bytesRead);
            },
            close: () => handle.close(),
        };
    } catch (cause) {
        const { code } = cause as NodeJS.ErrnoException;
        if (code !== "ENOENT") throw storeError(cause, `can't read ${file}`);
        throw new PipitError("not-found", `no file ${file}`, { cause });
    }
}

const PIECE = 4 << 20;

/** Into the store, under a name of its own. @returns its sha256 */
async function copy(
    bytes: Bytes,
    file: string,
    signal: AbortSignal | undefined,
    onProgress: ImportOptions["onProgress"],
): Promise<string> {
    const { size: total } = bytes;
    await checkRoom(folder(), file, total);
    const wanted = { file, size: total, sha256: undefined };
    const target = await PartialFile.open(modelPath({ file }), wanted, signal);
    try {
        await target.restart();
        for (let at = 0; at < total; at += PIECE) {
            signal?.throwIfAborted();
            await target.write(await bytes.read(at, at + PIECE));
            const { length: loaded } = target;
            onProgress?.({ phase: "download", loaded, total, rate: 0 });
        }
        return await target.commit();
    } finally {
        await target.close();
    }
}

/** The store of this machine's user. */
export const models: Models = new NodeModels();

/** As in a page, where it takes the address of the worker; here nothing. */
export function openModels(): Models {
    return models;
}
