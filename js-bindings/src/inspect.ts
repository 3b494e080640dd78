/* inspect.ts — a file's header without its weights.
 *
 * It is read by a small instance of the module on the caller's own thread, in
 * slices, so that `forecast` can answer at once. Nothing needs closing. */
import { canShareMemory, logicalProcessors, yieldToEvents } from "#platform";
import {
    createMemory,
    Instance,
    instantiate,
    isThreaded,
} from "./engine/instance.js";
import { HeaderFile, STAGING_BYTES, textOf } from "./engine/file.js";
import { kvTypes } from "./engine/kv-types.js";
import { Pace } from "./engine/pace.js";
import { PipitError } from "./errors.js";
import { aborted, throwIfAborted } from "./host/connection.js";
import { readable } from "./host/metadata.js";
import { getModule } from "./host/modules.js";
import { integer } from "./host/options.js";
import { describeSource, openHere } from "./host/source.js";
import { listedParts } from "./open.js";
import type {
    FileInfo,
    ForecastOptions,
    ModelSource,
    SourceOptions,
} from "./types.js";

const HEADER_MEMORY = 2 ** 30;
const MOST_POSITIONS = 2 ** 31;

/** As `loadModel` would choose. */
export function threadCount(threads: number | undefined): number {
    if (!canShareMemory()) {
        integer("threads", threads, 1, 1, 1024);
        return 1;
    }
    const fallback = Math.max(1, Math.min(8, logicalProcessors()));
    return integer("threads", threads, fallback, 1, 64);
}

async function readHeader(
    source: ModelSource,
    options: SourceOptions,
): Promise<HeaderFile> {
    const { signal, onProgress } = options;
    const [module, described] = await Promise.all([
        getModule(options.wasm),
        describeSource(source, options),
    ]);
    const memory = createMemory(isThreaded(module), HEADER_MEMORY);
    const exports = await instantiate(module, memory);
    const stop = new AbortController();
    const either = signal
        ? AbortSignal.any([signal, stop.signal])
        : stop.signal;
    const bytes = await openHere(described, either);
    try {
        const instance = new Instance(memory, exports);
        const file = new HeaderFile(instance, bytes.total);
        const pace = new Pace(yieldToEvents);
        const { total } = bytes;
        const staging = instance.heap.alloc<never>(STAGING_BYTES);
        const between = async (loaded: number) => {
            onProgress?.({ phase: "header", loaded, total, rate: 0 });
            if (pace.due) await pace.turn();
            throwIfAborted(signal);
        };
        await file.read(bytes, staging, pace, between);
        instance.heap.release(staging, STAGING_BYTES);
        const [spec] = described.specs;
        await file.readParts(
            (part, parts) => openHere(described, either, part, parts),
            spec && listedParts(spec),
            pace,
            between,
        );
        return file;
    } finally {
        stop.abort();
        await bytes.close();
    }
}

/** Reads a file's metadata and tensor directory: the header only. */
export async function inspect(
    source: ModelSource,
    options: SourceOptions = {},
): Promise<FileInfo> {
    throwIfAborted(options.signal);
    const file = await readHeader(source, options).catch((failure) => {
        if (options.signal?.aborted) throw aborted(options.signal);
        if (failure instanceof PipitError) throw failure;
        throw new PipitError("internal", String(failure), {
            cause: failure,
        });
    });
    const pace = new Pace(yieldToEvents);
    const metadata = readable(file.metadata(), (key) =>
        file.elements(key, () => (pace.due ? pace.turn() : undefined)),
    );
    const tensors = file.tensors();
    return {
        version: file.version,
        headerBytes: file.headerBytes,
        parts: file.parts.length,
        fileBytes: file.bytes || undefined,
        metadata,
        tensors,
        architecture: textOf(metadata, "general.architecture") ?? "",
        parameters: tensors.reduce(
            (sum, { shape }) => sum + shape.reduce((n, d) => n * d, 1),
            0,
        ),
        forecast: ({ contextLength, kvType, threads }: ForecastOptions = {}) =>
            file.forecast(
                integer("contextLength", contextLength, 0, 0, MOST_POSITIONS),
                kvTypes[kvType ?? "auto"],
                threadCount(threads),
            ),
    };
}
