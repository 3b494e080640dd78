/* server.ts — the worker of a model: takes calls, works on them in slices, and
 * answers each exactly once. */
import { yieldToEvents } from "#platform";
import type { AdapterHandle } from "../engine/adapter.js";
import { Ensemble } from "../engine/ensemble.js";
import { generate } from "../engine/generation.js";
import { createMemory, Instance, instantiate } from "../engine/instance.js";
import { kvTypes } from "../engine/kv-types.js";
import { ModelHandle } from "../engine/model.js";
import { Pace } from "../engine/pace.js";
import { SessionHandle } from "../engine/session.js";
import { Task } from "../engine/task.js";
import { TrainerHandle } from "../engine/trainer.js";
import { PipitError } from "../errors.js";
import type {
    Args,
    CallMessage,
    ErrorData,
    FromWorker,
    Method,
    OpenedSession,
    Result,
    ThreadStart,
    ToWorker,
} from "../protocol.js";
import type { ModelMemory } from "../types.js";
import { listedParts, openSpec } from "../open.js";
import { openSource } from "./source.js";

export function errorData(error: PipitError): ErrorData {
    const { code, message, details } = error;
    return { code, message, details };
}

export interface Host {
    post(message: FromWorker, transfer?: ArrayBuffer[]): void;
    fatal(cause: unknown): void;
}

type Start = Extract<ToWorker, { type: "start" }>;
type Later = Exclude<ToWorker, { type: "start" | "thread" }>;
type Handlers = {
    readonly [M in Method]: (
        args: Args<M>,
        task: Task,
    ) => Promise<Result<M>> | Result<M>;
};
type Piece = Extract<ToWorker, { type: "piece" }>["piece"];

/** What a result holds that should move instead of being copied. */
function transferable(result: unknown): ArrayBuffer[] {
    return ArrayBuffer.isView(result) && result.buffer instanceof ArrayBuffer
        ? [result.buffer]
        : [];
}

export class Server {
    readonly #host: Host;
    readonly #model: ModelHandle;
    readonly #instance: Instance;
    readonly #ensemble: Ensemble;
    readonly #pace = new Pace(yieldToEvents);
    readonly #tasks = new Map<number, Task>();
    readonly #pulls = new Map<number, (piece: Piece) => void>();
    readonly #sessions = new Map<number, SessionHandle>();
    readonly #adapters = new Map<number, AdapterHandle>();
    #lastAdapter = 0;
    #lastSession = 0;
    #trainer: TrainerHandle | undefined;
    #threadsReady: (() => void) | undefined;

    static async start(start: Start, host: Host): Promise<Server> {
        const memory = start.memory ?? createMemory(false);
        const exports = await instantiate(start.module, memory);
        const instance = new Instance(memory, exports);
        return new Server(instance, exports, start.threads, host);
    }

    private constructor(
        instance: Instance,
        exports: ConstructorParameters<typeof ModelHandle>[1],
        threads: number,
        host: Host,
    ) {
        this.#host = host;
        this.#instance = instance;
        this.#ensemble = new Ensemble(instance, (cause) => host.fatal(cause));
        this.#model = new ModelHandle(instance, exports, threads, (starts) =>
            this.#startThreads(starts),
        );
    }

    receive(message: Later): void {
        switch (message.type) {
            case "call":
                void this.#answer(message);
                break;
            case "abort":
                this.#tasks
                    .get(message.id)
                    ?.abort(new PipitError("aborted", "aborted"));
                break;
            case "taken": {
                const task = this.#tasks.get(message.id);
                if (task) task.taken = message.n;
                task?.wake();
                break;
            }
            case "stop":
                this.#tasks.get(message.id)?.stop();
                break;
            case "piece":
                this.#pulls.get(message.id)?.(message.piece);
                break;
            case "threads-ready":
                this.#threadsReady?.();
                break;
        }
    }

    async #answer({ id, method, args }: CallMessage): Promise<void> {
        const task = this.#newTask(id);
        this.#tasks.set(id, task);
        try {
            const handler = this.#handlers[method] as (
                args: unknown,
                task: Task,
            ) => unknown;
            const result = await handler(args, task);
            const message = { type: "result", id, result } as const;
            this.#host.post(message, transferable(result));
        } catch (failure) {
            // What is no PipitError is a trap: the instance is not to be used.
            if (!(failure instanceof PipitError)) this.#host.fatal(failure);
            else {
                const error = this.#withLength(errorData(failure), args);
                this.#host.post({ type: "error", id, error });
            }
        } finally {
            this.#tasks.delete(id);
            this.#pulls.delete(id);
        }
    }

    /** What failed half way tells what the session holds now. */
    #withLength(error: ErrorData, args: CallMessage["args"]): ErrorData {
        if (!("session" in args)) return error;
        const session = this.#sessions.get(args.session);
        if (!session) return error;
        const { length } = session;
        return { ...error, details: { ...error.details, length } };
    }

    #newTask(id: number): Task {
        const { post } = this.#host;
        const events = {
            progress: (progress: Parameters<Task["events"]["progress"]>[0]) =>
                post({ type: "progress", id, progress }),
            tokens: (items: Parameters<Task["events"]["tokens"]>[0]) =>
                post({ type: "tokens", id, items }),
            pull: () => this.#pull(id),
        };
        return new Task(events, this.#pace);
    }

    async #pull(id: number): Promise<Uint8Array | null> {
        const piece = await new Promise<Piece>((resolve) => {
            this.#pulls.set(id, resolve);
            this.#host.post({ type: "pull", id });
        });
        if (piece === null || piece instanceof Uint8Array) return piece;
        throw new PipitError(piece.code, piece.message, {
            details: piece.details,
        });
    }

    #startThreads(starts: readonly ThreadStart[]): Promise<void> {
        return new Promise((resolve) => {
            this.#threadsReady = resolve;
            this.#host.post({ type: "threads", starts });
        });
    }

    #session(id: number): SessionHandle {
        const session = this.#sessions.get(id);
        if (session) return session;
        throw new PipitError("closed", "the session is closed");
    }

    #adapter(id: number): AdapterHandle {
        const adapter = this.#adapters.get(id);
        if (adapter) return adapter;
        throw new PipitError("closed", "the adapter is closed");
    }

    /** Sessions that use it go on without it, after what they are at. */
    async #closeAdapter(id: number, task: Task): Promise<ModelMemory> {
        const adapter = this.#adapters.get(id);
        this.#adapters.delete(id);
        for (const session of adapter ? [...this.#sessions.values()] : [])
            await session.queue.run(task, async () => {
                const others = session.adapters.filter(
                    (one) => one.adapter !== adapter,
                );
                if (!session.closed && others.length < session.adapters.length)
                    session.setAdapters(others);
            });
        adapter?.close();
        return this.#memory();
    }

    #memory(): ModelMemory {
        let sessions = 0;
        for (const session of this.#sessions.values())
            sessions += session.bytes;
        return {
            weights: this.#model.bytes,
            sessions,
            total: this.#instance.heap.bytes,
        };
    }

    readonly #handlers: Handlers = {
        load: async (args, task) => {
            const source = await openSource(args.source, task);
            const loaded = await this.#model.load(
                source,
                {
                    open: (part, parts) =>
                        openSpec(args.source, task.signal, part, parts),
                    listed: listedParts(args.source),
                },
                args,
                task,
            );
            return { ...loaded, memory: this.#memory() };
        },
        loadTokenizer: async ({ source }, task) =>
            this.#model.loadTokenizer(await openSource(source, task), task),
        metadataArray: ({ key }, task) =>
            this.#model.file.elements(key, () =>
                task.pace.due ? task.turn() : undefined,
            ),
        tokenize: ({ text, flags }) =>
            this.#model.tokenizer.tokenize(text, flags),
        detokenize: ({ tokens, flags }) =>
            this.#model.tokenizer.detokenize(tokens, flags),
        loadAdapter: async ({ source, anyBase }, task) => {
            const bytes = await openSource(source, task);
            const adapter = await this.#model.loadAdapter(bytes, anyBase, task);
            this.#adapters.set(++this.#lastAdapter, adapter);
            return {
                adapter: this.#lastAdapter,
                bytes: adapter.bytes,
                memory: this.#memory(),
            };
        },
        closeAdapter: ({ adapter }, task) => this.#closeAdapter(adapter, task),
        writeAdapter: ({ adapter, notes }) =>
            this.#adapter(adapter).write(notes),
        setAdapters: ({ session: id, adapters }, task) => {
            const session = this.#session(id);
            return session.run(task, async () => {
                session.setAdapters(
                    adapters.map(({ adapter, scale }) => ({
                        adapter: this.#adapter(adapter),
                        scale,
                    })),
                );
                return { length: session.length };
            });
        },
        createSession: (args) => this.#createSession(args),
        closeSession: ({ session }, task) => this.#closeSession(session, task),
        eval: ({ session: id, mode, tokens, allLogits }, task) => {
            const session = this.#session(id);
            return session.run(task, async () => ({
                kept: await session.evaluate(task, mode, tokens, allLogits),
                length: session.length,
            }));
        },
        score: (args, task) => {
            const session = this.#session(args.session);
            return session.run(task, () => session.score(task, args));
        },
        rewind: ({ session: id, n }, task) => {
            const session = this.#session(id);
            return session.run(task, async () => {
                session.rewind(n);
                return { length: session.length };
            });
        },
        logits: (args, task) => {
            const session = this.#session(args.session);
            return session.run(task, async () => session.logits(args));
        },
        tokens: ({ session: id }, task) => {
            const session = this.#session(id);
            return session.run(task, async () => session.tokens());
        },
        generate: (spec, task) => {
            const session = this.#session(spec.session);
            const { pointer } = this.#model.tokenizer;
            return session.run(task, () =>
                generate(
                    this.#instance,
                    this.#ensemble,
                    session,
                    pointer,
                    spec,
                    task,
                ),
            );
        },
        trainOpen: (args) => this.#openTrainer(args),
        trainStep: (args, task) => this.#training().step(args, task),
        trainState: () => this.#training().state(),
        trainRestore: ({ state, updates }) =>
            this.#training().restore(state, updates),
        trainWrite: ({ notes }) => this.#training().write(notes),
        trainClose: () => {
            this.#trainer?.close();
            this.#trainer = undefined;
        },
    };

    #openTrainer(args: Args<"trainOpen">): Result<"trainOpen"> {
        if (!("pipit_trainer_open" in this.#instance.x))
            throw new PipitError(
                "unsupported",
                "this model's module can't train: load the model with " +
                    "{ training: true }",
            );
        const { pointer } = this.#model;
        const bytes = TrainerHandle.measure(
            this.#instance,
            pointer,
            args.options,
        );
        if (args.measureOnly) return { bytes };
        if (this.#trainer)
            throw new PipitError(
                "invalid-state",
                "the model is training already",
            );
        this.#trainer = new TrainerHandle(
            this.#instance,
            pointer,
            args.options,
        );
        return { bytes };
    }

    #training(): TrainerHandle {
        if (this.#trainer) return this.#trainer;
        throw new PipitError("closed", "the training has ended");
    }

    #createSession(args: Args<"createSession">): OpenedSession {
        const session = this.#model.openSession(
            args.contextLength,
            kvTypes[args.kvType],
        );
        this.#sessions.set(++this.#lastSession, session);
        return {
            session: this.#lastSession,
            contextLength: session.contextLength,
            memory: this.#memory(),
        };
    }

    async #closeSession(id: number, task: Task): Promise<ModelMemory> {
        const session = this.#sessions.get(id);
        if (session) {
            this.#sessions.delete(id);
            session.closed = true;
            session.running?.abort(
                new PipitError("closed", "the session was closed"),
            );
            await session.queue.run(task, async () => session.close());
        }
        return this.#memory();
    }
}
