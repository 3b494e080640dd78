/* worker.ts — the program of the store's worker: files of OPFS can be written
 * piece by piece in a worker only. */
import type { PipitError } from "../errors.js";
import type { ErrorData } from "../protocol.js";
import type { Progress } from "../types.js";
import { CacheFolder } from "./cache.js";
import type { Folder } from "./folder.js";
import { MemoryFolder } from "./memory.js";
import { OpfsFolder } from "./opfs.js";
import {
    ModelStore,
    storeFailure,
    type ImportRequest,
    type PullRequest,
} from "./store.js";
import type { StoreRecord } from "./record.js";
import type { StoreUsage } from "./types.js";

/** A record, and the bytes where they are in memory. */
export interface Kept {
    readonly record: StoreRecord;
    readonly blob: Blob | undefined;
}

/** What can be asked: [argument, result]. */
export interface StoreCalls {
    list: [undefined, StoreRecord[]];
    find: [string, StoreRecord | undefined];
    pull: [PullRequest, Kept];
    import: [ImportRequest, Kept];
    remove: [string, boolean];
    usage: [undefined, Omit<StoreUsage, "persisted">];
}

export type StoreMethod = keyof StoreCalls;

export type ToStore =
    | {
          readonly type: "call";
          readonly id: number;
          readonly method: StoreMethod;
          readonly argument: unknown;
      }
    | { readonly type: "abort"; readonly id: number };

export type FromStore =
    | { readonly type: "result"; readonly id: number; readonly result: unknown }
    | { readonly type: "error"; readonly id: number; readonly error: ErrorData }
    | {
          readonly type: "progress";
          readonly id: number;
          readonly progress: Progress;
      };

/** The first kind that there is; a kind that is there and fails is an error,
 * for what it holds must not seem to be lost. */
async function openStore(): Promise<ModelStore> {
    const folder: Folder =
        (await OpfsFolder.open()) ??
        (await CacheFolder.open()) ??
        new MemoryFolder();
    return new ModelStore(folder);
}

let opening: Promise<ModelStore> | undefined;

function openOnce(): Promise<ModelStore> {
    opening ??= openStore().catch((cause) => {
        opening = undefined; // the next call tries again
        throw cause;
    });
    return opening;
}

const scope = globalThis as unknown as Worker;
const post = (message: FromStore) => scope.postMessage(message);
const running = new Map<number, AbortController>();

async function answer(
    method: StoreMethod,
    argument: unknown,
    signal: AbortSignal,
    told: (progress: Progress) => void,
): Promise<unknown> {
    const store = await openOnce();
    const kept = (record: StoreRecord): Kept => ({
        record,
        blob: store.blob(record),
    });
    switch (method) {
        case "list":
            return store.list();
        case "find":
            return store.find(argument as string);
        case "remove":
            return store.remove(argument as string);
        case "usage":
            return store.usage();
        case "pull":
            return kept(
                await store.pull(argument as PullRequest, signal, told),
            );
        case "import":
            return kept(
                await store.import(argument as ImportRequest, signal, told),
            );
    }
}

scope.onmessage = async ({ data }: MessageEvent<ToStore>) => {
    const { id } = data;
    if (data.type === "abort") {
        running.get(id)?.abort();
        return;
    }
    const controller = new AbortController();
    running.set(id, controller);
    const { signal } = controller;
    try {
        const result = await answer(
            data.method,
            data.argument,
            signal,
            (progress) => post({ type: "progress", id, progress }),
        );
        post({ type: "result", id, result });
    } catch (cause) {
        const failure: PipitError = storeFailure(cause, signal);
        const { code, message, details } = failure;
        post({ type: "error", id, error: { code, message, details } });
    } finally {
        running.delete(id);
    }
};
