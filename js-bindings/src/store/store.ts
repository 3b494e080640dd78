/* store.ts — the models of an origin: what is there, and what comes in.
 *
 * All that changes something about an id holds its lock, over all tabs. */
import { PipitError } from "../errors.js";
import type { Progress } from "../types.js";
import { defaultLimits, download, type DownloadLimits } from "./download.js";
import { folderError, type Folder } from "./folder.js";
import {
    Incoming,
    orphans,
    readPartial,
    readRecord,
    removeAll,
} from "./incoming.js";
import { progressMeter } from "./meter.js";
import type { StoreRecord } from "./record.js";
import { Sha256 } from "./sha256.js";
import type { Wanted } from "./source.js";
import type { StoreUsage } from "./types.js";

export interface PullRequest {
    readonly wanted: Wanted;
    readonly headers: Readonly<Record<string, string>> | undefined;
    readonly limits: Partial<DownloadLimits> | undefined;
}

export interface ImportRequest {
    readonly file: Blob;
    readonly name: string;
    /** Names of the manifest by sha256. */
    readonly known: Readonly<Record<string, string>>;
}

type Told = (progress: Progress) => void;

/** As `idOf` of read.ts, which may wait. */
const idOf = (key: string) =>
    new Sha256().update(new TextEncoder().encode(key)).hex().slice(0, 32);

const IMPORT_PIECE = 4 << 20;

export class ModelStore {
    readonly #folder: Folder;
    readonly #locks: LockManager | undefined = navigator.locks;
    /** Where there are no locks there are no tabs to share with either. */
    readonly #turns = new Map<string, Promise<unknown>>();
    readonly #news =
        typeof BroadcastChannel === "function"
            ? new BroadcastChannel("pipit-models")
            : undefined;
    readonly #waiting = new Map<string, Set<Told>>();

    constructor(folder: Folder) {
        this.#folder = folder;
        this.#news?.addEventListener("message", ({ data }) => {
            for (const tell of this.#waiting.get(data.id) ?? [])
                tell(data.progress);
        });
        void this.#sweep().catch(() => undefined);
    }

    async list(): Promise<StoreRecord[]> {
        const found: StoreRecord[] = [];
        for (const name of await this.#folder.names()) {
            const [, id] = /^([0-9a-f]{32})\.json$/.exec(name) ?? [];
            const record = id && (await readRecord(this.#folder, id));
            if (record) found.push(record);
        }
        return found.sort((a, b) => a.storedAt - b.storedAt);
    }

    find(key: string): Promise<StoreRecord | undefined> {
        return readRecord(this.#folder, idOf(key));
    }

    /** For the page, where the bytes are in memory. */
    blob(record: StoreRecord): Blob | undefined {
        return this.#folder.blob?.(record.data);
    }

    async pull(
        { wanted, headers, limits }: PullRequest,
        signal: AbortSignal,
        told: Told,
    ): Promise<StoreRecord> {
        const id = idOf(wanted.key);
        const stored = () => this.#stored(wanted, id);
        return (
            (await stored()) ??
            this.#alone(id, signal, told, async () => {
                const record = await stored(); // another tab just did it
                if (record) return record;
                const file = await Incoming.open(
                    this.#folder,
                    id,
                    wanted,
                    () => this.#available(),
                    signal,
                );
                let done = false;
                try {
                    if (wanted.size !== undefined)
                        await file.expect(wanted.size);
                    const url = await this.#fetch(wanted.urls, file, {
                        headers,
                        limits: { ...defaultLimits, ...limits },
                        signal,
                        told: this.#shared(id, told),
                    });
                    const record = await file.publish(url);
                    done = true;
                    return record;
                } finally {
                    await file.close(done);
                }
            })
        );
    }

    /** What is stored, if it is what the caller means by the key. */
    async #stored(
        wanted: Wanted,
        id: string,
    ): Promise<StoreRecord | undefined> {
        const record = await readRecord(this.#folder, id);
        const { sha256 = record?.sha256 } = wanted;
        return record?.sha256 === sha256 ? record : undefined;
    }

    /** The address that gave it. */
    async #fetch(
        urls: readonly string[],
        file: Incoming,
        options: {
            readonly headers: Readonly<Record<string, string>> | undefined;
            readonly limits: DownloadLimits;
            readonly signal: AbortSignal;
            readonly told: Told;
        },
    ): Promise<string> {
        const { signal, told } = options;
        const meter = progressMeter(file.size, told);
        const onBytes = (loaded: number) => meter(loaded, file.size);
        let failure: PipitError | undefined;
        for (const url of urls) {
            try {
                await download(url, file, { ...options, onBytes });
                return url;
            } catch (error) {
                signal.throwIfAborted();
                if (!(error instanceof PipitError)) throw error;
                // Another address would meet the same disk.
                if (error.code === "disk-full" || error.code === "io")
                    throw error;
                failure = error;
            }
        }
        throw (
            failure ??
            new PipitError(
                "not-found",
                "the model has no address: name mirrors",
            )
        );
    }

    async import(
        { file: blob, name, known }: ImportRequest,
        signal: AbortSignal,
        told: Told,
    ): Promise<StoreRecord> {
        const id = idOf(`import ${crypto.getRandomValues(new Uint32Array(4))}`);
        const wanted: Wanted = {
            key: `local:${name}`,
            file: name,
            urls: [],
            size: blob.size,
            sha256: undefined,
        };
        return this.#alone(id, signal, told, async () => {
            const file = await Incoming.open(this.#folder, id, wanted, () =>
                this.#available(),
            );
            let done = false;
            try {
                await file.expect(blob.size);
                const meter = progressMeter(blob.size, told);
                for (let at = 0; at < blob.size; at += IMPORT_PIECE) {
                    signal.throwIfAborted();
                    await file.write(await readPiece(blob, at));
                    meter(file.length);
                }
                const record = await file.publish(undefined, (sha256) => {
                    const key = known[sha256] ?? wanted.key;
                    return { key, id: idOf(key) };
                });
                done = true;
                return record;
            } finally {
                await file.close(done);
            }
        });
    }

    async remove(key: string): Promise<boolean> {
        const id = idOf(key);
        const removed = await this.#ifFree(id, async () =>
            removeAll(this.#folder, id),
        );
        if (removed !== undefined) return removed;
        throw new PipitError("invalid-state", `${key} is being downloaded`);
    }

    async usage(): Promise<Omit<StoreUsage, "persisted">> {
        let models = 0;
        let partial = 0;
        for (const { size } of await this.list()) models += size;
        for (const name of await this.#folder.names()) {
            const [, id] = /^([0-9a-f]{32})\.partial\.json$/.exec(name) ?? [];
            const begun = id && (await readPartial(this.#folder, id));
            if (begun) partial += (await this.#folder.size(begun.data)) ?? 0;
        }
        const available = await this.#available();
        return { kind: this.#folder.kind, models, partial, available };
    }

    async #available(): Promise<number | undefined> {
        if (this.#folder.kind === "memory") return undefined;
        const estimate = await navigator.storage?.estimate?.();
        const { quota, usage = 0 } = estimate ?? {};
        return quota === undefined ? undefined : Math.max(0, quota - usage);
    }

    /** Data that a killed tab left behind, unless someone is at it. */
    async #sweep(): Promise<void> {
        for (const name of await orphans(this.#folder))
            await this.#ifFree(name.slice(0, 32), async () => {
                const still = await orphans(this.#folder);
                if (still.includes(name)) await this.#folder.remove(name);
            });
    }

    /** Tells the tabs that wait for this one too. */
    #shared(id: string, told: Told): Told {
        return (progress) => {
            told(progress);
            this.#news?.postMessage({ id, progress });
        };
    }

    async #alone<R>(
        id: string,
        signal: AbortSignal,
        told: Told,
        work: () => Promise<R>,
    ): Promise<R> {
        const waiting = this.#waiting.get(id) ?? new Set();
        this.#waiting.set(id, waiting.add(told));
        const begin = () => {
            waiting.delete(told);
            signal.throwIfAborted();
            return work();
        };
        try {
            if (this.#locks)
                return await this.#locks.request(
                    `pipit-model ${id}`,
                    { signal },
                    begin,
                );
            const turn = (this.#turns.get(id) ?? Promise.resolve()).then(begin);
            this.#turns.set(
                id,
                turn.catch(() => undefined),
            );
            return await turn;
        } finally {
            waiting.delete(told);
        }
    }

    /** Undefined when someone else has it. */
    async #ifFree<R>(
        id: string,
        work: () => Promise<R>,
    ): Promise<R | undefined> {
        if (!this.#locks) return work();
        return this.#locks.request(
            `pipit-model ${id}`,
            { ifAvailable: true },
            async (lock) => (lock ? work() : undefined),
        );
    }
}

async function readPiece(blob: Blob, at: number): Promise<Uint8Array> {
    try {
        const piece = blob.slice(at, at + IMPORT_PIECE);
        return new Uint8Array(await piece.arrayBuffer());
    } catch (cause) {
        throw new PipitError("io", "the file can no longer be read", { cause });
    }
}

/** Every failure of the store, as the error of this package. */
export function storeFailure(cause: unknown, signal: AbortSignal): PipitError {
    if (signal.aborted)
        return new PipitError("aborted", "the download was stopped");
    return folderError(cause, "the store of models failed");
}
