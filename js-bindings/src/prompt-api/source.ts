/* source.ts — the models behind the sessions: downloaded once, loaded once, and
 * closed when the last session is destroyed. */
import { loadModel, PipitError } from "../index.js";
import { models } from "../store/models.js";
import type { Model, ModelSource } from "../types.js";
import { failure, notSupported } from "./input.js";

export type Availability =
    "unavailable" | "downloadable" | "downloading" | "available";

interface Loaded {
    readonly model: Promise<Model>;
    /** What has to be told of the download. */
    readonly listeners: Set<OnShare>;
    users: number;
}

/** Told from 0 to 1. */
export type OnShare = (share: number) => void;

const loaded = new Map<unknown, Loaded>();
const downloading = new Set<string>();

const isModel = (source: unknown): source is Model =>
    typeof source === "object" && source !== null && "createSession" in source;

const storable = (source: unknown): source is string | URL =>
    typeof source === "string" || source instanceof URL;

export async function availabilityOf(
    source: ModelSource | Model,
): Promise<Availability> {
    if (typeof WebAssembly !== "object") return "unavailable";
    if (!storable(source)) return "available";
    if (downloading.has(String(source))) return "downloading";
    if (loaded.has(String(source))) return "available";
    try {
        return (await models.has(source)) ? "available" : "downloadable";
    } catch (cause) {
        const code = cause instanceof PipitError ? cause.code : "";
        // A path, perhaps (Node): loadModel says whether it is one.
        const isNone =
            code === "invalid-argument" ||
            (code === "not-found" && typeof process === "undefined");
        return isNone ? "unavailable" : "available";
    }
}

async function pull(
    source: string | URL,
    onShare: OnShare,
    signal: AbortSignal | undefined,
): Promise<void> {
    const key = String(source);
    downloading.add(key);
    try {
        await models.pull(source, {
            signal,
            onProgress: ({ loaded: n, total }) =>
                onShare(total > 0 ? n / total : 0),
        });
    } catch (cause) {
        if (signal?.aborted || !(cause instanceof Error)) throw cause;
        throw failure("NetworkError", cause.message, cause);
    } finally {
        downloading.delete(key);
    }
}

async function open(
    source: ModelSource,
    onShare: OnShare,
    signal: AbortSignal | undefined,
): Promise<Model> {
    if (storable(source)) {
        const found = await availabilityOf(source);
        if (found === "unavailable") throw notSupported(`no model ${source}`);
        if (found !== "available") await pull(source, onShare, signal);
    }
    return loadModel(source, { signal });
}

/** A model, and what gives it back. */
export interface Held {
    readonly model: Model;
    release(): void;
}

export async function hold(
    source: ModelSource | Model,
    onShare: OnShare,
    signal: AbortSignal | undefined,
): Promise<Held> {
    onShare(0);
    if (isModel(source)) {
        onShare(1);
        return { model: source, release() {} };
    }
    const key = storable(source) ? String(source) : source;
    // A load that its first caller aborts must not fail the others.
    for (;;) {
        const shared = loaded.get(key);
        const entry = shared ?? load(key, source, signal);
        entry.listeners.add(onShare);
        entry.users++;
        try {
            const model = await entry.model;
            if (model.closed) throw new PipitError("closed", "it was closed");
            onShare(1);
            return { model, release: () => drop(key, entry) };
        } catch (cause) {
            drop(key, entry);
            if (loaded.get(key) === entry) loaded.delete(key);
            if (!shared || signal?.aborted) throw cause;
        } finally {
            entry.listeners.delete(onShare);
        }
    }
}

function load(
    key: unknown,
    source: ModelSource,
    signal: AbortSignal | undefined,
): Loaded {
    const listeners = new Set<OnShare>();
    const tell = (share: number) => {
        for (const one of listeners) one(share);
    };
    const entry = { model: open(source, tell, signal), listeners, users: 0 };
    loaded.set(key, entry);
    return entry;
}

function drop(key: unknown, entry: Loaded): void {
    if (--entry.users > 0) return;
    if (loaded.get(key) === entry) loaded.delete(key);
    entry.model.then((model) => model.close()).catch(() => {});
}

/** The draft's names for what went wrong; what callers gave is a TypeError. */
export function asDOMException(cause: unknown, otherwise: string): unknown {
    if (!(cause instanceof PipitError)) return cause;
    const { code, message } = cause;
    if (code === "invalid-argument") return new TypeError(message, { cause });
    const name =
        code === "network"
            ? "NetworkError"
            : code === "closed"
              ? "InvalidStateError"
              : otherwise;
    return failure(name, message, cause);
}
