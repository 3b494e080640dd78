/* load.ts — from a source to a model or a tokenizer in a worker of its own. */
import { canShareMemory } from "#platform";
import { isThreaded } from "./engine/instance.js";
import { PipitError } from "./errors.js";
import { aborted, Connection, throwIfAborted } from "./host/connection.js";
import { WorkerGroup, type GroupOptions } from "./host/group.js";
import { LoadedTokenizer } from "./host/codec.js";
import { LoadedModelObject } from "./host/model.js";
import { chooseModule, getModule, packageModule } from "./host/modules.js";
import { integer } from "./host/options.js";
import { describeSource, firstOf, type HostSource } from "./host/source.js";
import { threadCount } from "./inspect.js";
import type {
    LoadOptions,
    Model,
    ModelSource,
    SourceOptions,
    Tokenizer,
} from "./types.js";

const closing = new PipitError("closed", "it was closed");

interface Started {
    readonly connection: Connection;
    readonly threads: number;
}

/** The connection is there before the first message, for it may be a death.
 * Workers start while the module is fetched and compiled. */
async function open(
    module: Promise<WebAssembly.Module>,
    options: GroupOptions,
): Promise<Started> {
    const group = new WorkerGroup(options);
    const connection = new Connection(group);
    try {
        group.start(await module);
        return { connection, threads: options.threads };
    } catch (cause) {
        await group.end();
        throw cause;
    }
}

/** With threads where memory can be posted, else without. */
async function startWorkers(
    threads: number,
    options: SourceOptions,
): Promise<Started> {
    const { wasm, workerUrl, training = false } = options;
    const start = (module: Promise<WebAssembly.Module>, shared: boolean) =>
        open(module, { shared, threads: shared ? threads : 1, workerUrl });
    if (wasm) {
        const module = getModule(wasm);
        return start(module, isThreaded(await module));
    }
    const shared = canShareMemory();
    const module = packageModule(chooseModule(shared, training));
    module.catch(() => {}); // told when it is awaited
    try {
        return await start(module, shared);
    } catch (cause) {
        if (!shared) throw cause;
        await module; // without which the other would fail too
        return start(packageModule(chooseModule(false, training)), false);
    }
}

/** Runs `work` over a fresh connection; closes it when that fails. */
async function connect<R>(
    source: ModelSource,
    threads: number,
    options: SourceOptions,
    work: (
        connection: Connection,
        described: HostSource,
        threads: number,
    ) => Promise<R>,
): Promise<R> {
    const { signal } = options;
    throwIfAborted(signal);
    let connection: Connection | undefined;
    const abort = () => void connection?.close(aborted(signal as AbortSignal));
    signal?.addEventListener("abort", abort, { once: true });
    try {
        const describing = describeSource(source, options);
        describing.catch(() => {}); // awaited when the workers are there
        const started = await startWorkers(threads, options);
        connection = started.connection;
        const described = await describing;
        throwIfAborted(signal);
        const result = await work(connection, described, started.threads);
        throwIfAborted(signal);
        return result;
    } catch (failure) {
        await connection?.close(closing);
        if (signal?.aborted) throw aborted(signal);
        throw failure;
    } finally {
        signal?.removeEventListener("abort", abort);
    }
}

/**
 * Loads a model: the header first, then the weights as they arrive, straight
 * into the module's memory. The model lives in a worker of its own until
 * `close()`.
 */
export async function loadModel(
    source: ModelSource,
    options: LoadOptions = {},
): Promise<Model> {
    const startedAt = performance.now();
    const contextLength = integer(
        "contextLength",
        options.contextLength,
        0,
        0,
        2 ** 31,
    );
    const kernels = options.kernels ?? null;
    return connect(
        source,
        threadCount(options.threads),
        options,
        async (connection, described, threads) => {
            const startMs = performance.now() - startedAt;
            const loaded = await firstOf(described, options, (spec, call) =>
                connection.call(
                    "load",
                    { source: spec, contextLength, kernels },
                    call,
                ),
            );
            const { headerMs, weightsMs } = loaded;
            const totalMs = performance.now() - startedAt;
            return new LoadedModelObject(connection, loaded, {
                threads,
                contextLength,
                timings: { totalMs, startMs, headerMs, weightsMs },
                workerUrl: options.workerUrl,
            });
        },
    );
}

/** Loads a vocabulary alone; the file needs no tensors. */
export async function loadTokenizer(
    source: ModelSource,
    options: SourceOptions = {},
): Promise<Tokenizer> {
    return connect(source, 1, options, async (connection, described) => {
        const vocabulary = await firstOf(described, options, (spec, call) =>
            connection.call("loadTokenizer", { source: spec }, call),
        );
        return new LoadedTokenizer(connection, vocabulary);
    });
}
