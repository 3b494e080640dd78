/* source.ts — the models behind the sessions: downloaded once, loaded once, and
 * closed when the last session is destroyed. */
import { loadModel, PipitError } from "../index.js";
import { models } from "../store/models.js";
import type { Model, ModelSource } from "../types.js";
import { failure } from "./input.js";

export type Availability =
    "unavailable" | "downloadable" | "downloading" | "available";

interface Loaded {
    readonly model: Promise<Model>;
    users: number;
}

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
    } catch {
        // A path (Node): loadModel says whether it is one.
        return "available";
    }
}

async function pull(
    source: string | URL,
    onProgress: (share: number) => void,
    signal: AbortSignal | undefined,
): Promise<void> {
    const key = String(source);
    downloading.add(key);
    try {
        await models.pull(source, {
            signal,
            onProgress: ({ loaded: n, total }) =>
                onProgress(total > 0 ? n / total : 0),
        });
    } finally {
        downloading.delete(key);
    }
}

async function open(
    source: ModelSource,
    onProgress: (share: number) => void,
    signal: AbortSignal | undefined,
): Promise<Model> {
    if (storable(source) && (await availabilityOf(source)) !== "available")
        await pull(source, onProgress, signal);
    return loadModel(source, { signal });
}

/** A model, and what gives it back. */
export interface Held {
    readonly model: Model;
    release(): void;
}

/** @param onProgress told from 0 to 1 */
export async function hold(
    source: ModelSource | Model,
    onProgress: (share: number) => void,
    signal: AbortSignal | undefined,
): Promise<Held> {
    onProgress(0);
    if (isModel(source)) {
        onProgress(1);
        return { model: source, release() {} };
    }
    const key = storable(source) ? String(source) : source;
    // A load that its first caller aborts must not fail the others.
    for (;;) {
        const shared = loaded.get(key);
        const entry = shared ?? {
            model: open(source, onProgress, signal),
            users: 0,
        };
        if (!shared) loaded.set(key, entry);
        entry.users++;
        try {
            const model = await entry.model;
            if (model.closed) throw new PipitError("closed", "it was closed");
            onProgress(1);
            return { model, release: () => drop(key, entry) };
        } catch (cause) {
            drop(key, entry);
            if (loaded.get(key) === entry) loaded.delete(key);
            if (!shared || signal?.aborted) throw cause;
        }
    }
}

function drop(key: unknown, entry: Loaded): void {
    if (--entry.users > 0) return;
    if (loaded.get(key) === entry) loaded.delete(key);
    entry.model.then((model) => model.close()).catch(() => {});
}

/** The draft's names for what went wrong. */
export function asDOMException(cause: unknown, otherwise: string): unknown {
    const code =
        cause instanceof Error && cause.name === "PipitError" && "code" in cause
            ? cause.code
            : undefined;
    if (!(cause instanceof Error) || code === undefined) return cause;
    const name =
        code === "network"
            ? "NetworkError"
            : code === "closed"
              ? "InvalidStateError"
              : otherwise;
    return failure(name, cause.message, cause);
}
