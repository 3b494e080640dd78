/* model.ts — a file becoming a model: header, vocabulary, threads, weights. */
import { PipitError } from "../errors.js";
import type {
    Args,
    LoadedModel,
    ThreadStart,
    Vocabulary,
} from "../protocol.js";
import { readAdapter, type AdapterHandle } from "./adapter.js";
import { chooseKernels } from "./arithmetic.js";
import type {
    Bytes,
    Engine,
    Model,
    Pointer,
    ThreadExports,
} from "./exports.js";
import { checkFits, HeaderFile, STAGING_BYTES, type OpenPart } from "./file.js";
import { PENDING, type Instance } from "./instance.js";
import { SessionHandle } from "./session.js";
import type { ByteSource } from "./source.js";
import type { Task } from "./task.js";
import { TokenizerHandle } from "./tokenizer.js";

const STACK_BYTES = 1 << 18;
/** What linear memory can hold beside a model: stack, tables, staging. */
const RESERVE_BYTES = 1 << 23;

export class ModelHandle {
    readonly #instance: Instance;
    readonly #exports: ThreadExports;
    readonly #threads: number;
    readonly #startThreads: (starts: ThreadStart[]) => Promise<void>;
    #tokenizer: TokenizerHandle | undefined;
    #model: Model | undefined;
    #file: HeaderFile | undefined;

    constructor(
        instance: Instance,
        exports: ThreadExports,
        threads: number,
        startThreads: (starts: ThreadStart[]) => Promise<void>,
    ) {
        this.#instance = instance;
        this.#exports = exports;
        this.#threads = threads;
        this.#startThreads = startThreads;
    }

    get tokenizer(): TokenizerHandle {
        if (this.#tokenizer) return this.#tokenizer;
        throw new PipitError("invalid-state", "nothing is loaded");
    }

    get file(): HeaderFile {
        if (this.#file) return this.#file;
        throw new PipitError("invalid-state", "nothing is loaded");
    }

    get pointer(): Model {
        if (this.#model) return this.#model;
        throw new PipitError("invalid-state", "no model is loaded");
    }

    get bytes(): number {
        return this.#model
            ? this.#instance.x.pipit_model_bytes(this.#model)
            : 0;
    }

    async loadTokenizer(source: ByteSource, task: Task): Promise<Vocabulary> {
        return this.#withStaging(source, async (staging) => {
            const file = await this.#readHeader(source, staging, task);
            return this.tokenizer.describe(file);
        });
    }

    /** @param others the other files, where a model is in several */
    async load(
        source: ByteSource,
        others: { open: OpenPart; listed: number | undefined },
        { kernels }: Args<"load">,
        task: Task,
    ): Promise<Omit<LoadedModel, "memory">> {
        return this.#withStaging(source, async (staging) => {
            const startedAt = performance.now();
            const file = await this.#readHeader(source, staging, task);
            await file.readParts(others.open, others.listed, task.pace, () =>
                task.turn(),
            );
            const vocabulary = this.tokenizer.describe(file);
            const headerAt = performance.now();
            const forecast = file.forecast(0, 0, this.#threads);
            checkFits(forecast, 2 ** 32 - RESERVE_BYTES);
            const engine = this.#openEngine(kernels);
            await this.#addThreads(engine);
            const model = this.#openModel(file, engine);
            await this.#readWeights(
                model,
                source,
                others.open,
                staging,
                file,
                task,
            );
            this.#model = model;
            const { x, heap } = this.#instance;
            return {
                vocabulary,
                kernels: heap.name(x.pipit_engine_kernels(engine)),
                parameters: x.pipit_model_n_parameters(model),
                contextLength: x.pipit_model_context_length(model),
                fileBytes: file.bytes,
                headerMs: headerAt - startedAt,
                weightsMs: performance.now() - headerAt,
            };
        });
    }

    async loadAdapter(
        source: ByteSource,
        anyBase: boolean,
        task: Task,
    ): Promise<AdapterHandle> {
        const model = this.#model;
        if (!model) throw new PipitError("invalid-state", "no model is loaded");
        return this.#withStaging(source, (staging) =>
            readAdapter(this.#instance, model, source, staging, anyBase, task),
        );
    }

    openSession(contextLength: number, kvType: number): SessionHandle {
        if (!this.#model || !this.#file)
            throw new PipitError("invalid-state", "no model is loaded");
        try {
            return new SessionHandle(
                this.#instance,
                this.#model,
                contextLength,
                kvType,
            );
        } catch (failure) {
            throw this.#withForecast(failure, contextLength, kvType);
        }
    }

    /** An out-of-memory error says how much was needed. */
    #withForecast(
        failure: unknown,
        contextLength: number,
        kvType: number,
    ): unknown {
        const file = this.#file;
        if (!(failure instanceof PipitError) || !file) return failure;
        if (failure.code !== "out-of-memory") return failure;
        const forecast = file.forecast(contextLength, kvType, this.#threads);
        const available = 2 ** 32 - this.#instance.heap.bytes;
        const mb = (bytes: number) => `${Math.round(bytes / 1e6)} MB`;
        return new PipitError(
            failure.code,
            `${failure.message} (weights ${mb(forecast.weights)}, a session ` +
                `${mb(forecast.kvCache + forecast.scratch)}, left ` +
                `${mb(available)})`,
            { details: { ...failure.details, forecast, available } },
        );
    }

    async #withStaging<R>(
        source: ByteSource,
        work: (staging: Bytes) => Promise<R>,
    ): Promise<R> {
        const { heap } = this.#instance;
        const staging = heap.alloc<Bytes>(STAGING_BYTES);
        try {
            return await work(staging);
        } finally {
            heap.release(staging, STAGING_BYTES);
            await source.close();
        }
    }

    async #readHeader(
        source: ByteSource,
        staging: Bytes,
        task: Task,
    ): Promise<HeaderFile> {
        const file = new HeaderFile(this.#instance, source.total);
        await file.read(source, staging, task.pace, (loaded) => {
            task.report("header", loaded, source.total);
            return task.turn();
        });
        task.report("header", file.headerBytes, source.total);
        this.#file = file;
        this.#tokenizer = new TokenizerHandle(this.#instance, file);
        return file;
    }

    #openEngine(kernels: string | null): Engine {
        const { x, heap, out } = this.#instance;
        const name = kernels ?? chooseKernels(this.#kernelNames());
        const status = heap.lendName(name, (lent) =>
            x.pipit_engine_open(this.#threads, lent, out),
        );
        this.#instance.checkThat(
            status,
            `no engine with ${this.#threads} threads and kernels ${name}`,
        );
        return heap.slot(out) as Engine;
    }

    #kernelNames(): string[] {
        const { x, heap } = this.#instance;
        const names: string[] = [];
        for (;;) {
            const name = heap.name(x.pipit_kernels_list(names.length));
            if (!name) return names;
            names.push(name);
        }
    }

    /** Each thread needs a stack and a block for its own variables. */
    async #addThreads(engine: Engine): Promise<void> {
        if (this.#threads === 1) return;
        const { heap } = this.#instance;
        const tlsBytes = Math.max(this.#exports.__tls_size.value, 64);
        const starts = Array.from({ length: this.#threads - 1 }, (_, i) => ({
            engine,
            index: i + 1,
            stackTop: heap.alloc<Pointer<"stack">>(STACK_BYTES) + STACK_BYTES,
            tls: heap.alloc<Pointer<"tls">>(tlsBytes),
        }));
        await this.#startThreads(starts);
    }

    #openModel(file: HeaderFile, engine: Engine): Model {
        const { x, heap, out, error } = this.#instance;
        try {
            this.#instance.check(
                x.pipit_model_open(file.pointer, engine, out, error),
            );
        } catch (failure) {
            throw this.#withForecast(failure, 0, 0);
        }
        return heap.slot(out) as Model;
    }

    async #readWeights(
        model: Model,
        first: ByteSource,
        open: OpenPart,
        staging: Bytes,
        file: HeaderFile,
        task: Task,
    ): Promise<void> {
        const { x, error } = this.#instance;
        const { length } = file.parts;
        let loaded = 0;
        const report = (n: number) => {
            loaded += n;
            task.report("weights", loaded, file.bytes);
        };
        for (const [i, { headerBytes }] of file.parts.entries()) {
            const source = i === 0 ? first : await open(i, length);
            report(headerBytes);
            try {
                const rest =
                    i === 0
                        ? file.rest
                        : await this.#skip(source, staging, headerBytes);
                if (
                    await this.#feed(model, source, staging, rest, report, task)
                )
                    return;
            } finally {
                if (i > 0) await source.close();
            }
            this.#instance.check(x.pipit_model_end(model, error));
        }
    }

    /** Reads over a header; what follows it in the last piece is `staging` from
     * start to end. */
    async #skip(
        source: ByteSource,
        staging: Bytes,
        bytes: number,
    ): Promise<{ start: number; end: number }> {
        const { heap } = this.#instance;
        let left = bytes;
        while (await source.pull()) {
            const end = heap.fill(staging, STAGING_BYTES, (view) =>
                source.take(view),
            );
            if (end >= left) return { start: left, end };
            left -= end;
        }
        return { start: 0, end: 0 };
    }

    /** Weights of one file; true when the model is complete. */
    async #feed(
        model: Model,
        source: ByteSource,
        staging: Bytes,
        rest: { start: number; end: number },
        report: (n: number) => void,
        task: Task,
    ): Promise<boolean> {
        const { x, heap, error } = this.#instance;
        let { start, end } = rest;
        for (;;) {
            const piece = (staging + start) as Bytes;
            const n = end - start;
            const status = x.pipit_model_feed(model, piece, n, error);
            this.#instance.check(status);
            report(n);
            if (status !== PENDING) return true;
            if (task.pace.due) await task.turn();
            if (!(await source.pull())) return false;
            start = 0;
            end = heap.fill(staging, STAGING_BYTES, (view) =>
                source.take(view),
            );
        }
    }
}
