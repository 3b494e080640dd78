/* session.ts — a timeline in the module: evaluated in steps, between which
 * messages are served. */
import { PipitError } from "../errors.js";
import type { Args, EvalMode, Scored } from "../protocol.js";
import type { Logprob } from "../types.js";
import type { AdapterHandle } from "./adapter.js";
import type { FloatArray, Model, Pairs, Session } from "./exports.js";
import { PENDING, type Instance } from "./instance.js";
import { Queue, type Task } from "./task.js";

const ALL_LOGITS = 1;
/** Positions whose logits are held at once while scoring. */
const SCORE_TOKENS = 64;

export class SessionHandle {
    readonly #instance: Instance;
    readonly pointer: Session;
    readonly vocabularySize: number;
    readonly queue = new Queue();
    /** The task that works on it now, for close. */
    running: Task | undefined;
    closed = false;
    adapters: readonly { adapter: AdapterHandle; scale: number }[] = [];

    constructor(
        instance: Instance,
        model: Model,
        contextLength: number,
        kvType: number,
    ) {
        this.#instance = instance;
        const { x, heap, out, error } = instance;
        const status = x.pipit_session_open(
            model,
            contextLength,
            kvType,
            out,
            error,
        );
        instance.check(status);
        this.pointer = heap.slot(out) as Session;
        this.vocabularySize = x.pipit_model_n_vocab(model);
    }

    /** In its turn, one task at a time. */
    run<R>(task: Task, work: () => Promise<R>): Promise<R> {
        return this.queue.run(task, async () => {
            if (this.closed)
                throw new PipitError("closed", "the session is closed");
            this.running = task;
            try {
                return await work();
            } finally {
                this.running = undefined;
            }
        });
    }

    get length(): number {
        return this.#instance.x.pipit_session_length(this.pointer);
    }

    get contextLength(): number {
        return this.#instance.x.pipit_session_capacity(this.pointer);
    }

    get bytes(): number {
        return this.#instance.x.pipit_session_bytes(this.pointer);
    }

    /** Says how many tokens were kept. */
    async evaluate(
        task: Task,
        mode: EvalMode,
        tokens: Uint32Array,
        allLogits = false,
    ): Promise<number> {
        const kept = this.#begin(mode, tokens, allLogits);
        const { x } = this.#instance;
        for (;;) {
            const status = x.pipit_session_step(this.pointer);
            if (status !== PENDING) {
                this.#instance.checkThat(status, "evaluating failed");
                return kept;
            }
            if (!task.pace.due) continue;
            this.#reportProgress(task);
            try {
                await task.turn();
                if (task.stopped) return this.#drop(kept);
            } catch (error) {
                this.#drop(kept);
                throw error;
            }
        }
    }

    #begin(mode: EvalMode, tokens: Uint32Array, allLogits: boolean): number {
        const { x, heap, out, error } = this.#instance;
        const before = this.length;
        try {
            return heap.lendTokens(tokens, (lent) => {
                const { pointer } = this;
                const n = tokens.length;
                if (mode === "sync") {
                    const status = x.pipit_session_sync(
                        pointer,
                        lent,
                        n,
                        out,
                        error,
                    );
                    this.#instance.check(status);
                    return heap.slot(out);
                }
                const flags = allLogits ? ALL_LOGITS : 0;
                this.#instance.check(
                    x.pipit_session_begin(pointer, lent, n, flags, error),
                );
                return before;
            });
        } catch (failure) {
            throw this.#explain(failure, tokens.length);
        }
    }

    /** A context overflow says in numbers what did not fit. */
    #explain(failure: unknown, tokens: number): unknown {
        if (!(failure instanceof PipitError)) return failure;
        if (failure.code !== "context-overflow") return failure;
        return new PipitError(failure.code, failure.message, {
            details: {
                ...failure.details,
                tokens,
                contextLength: this.contextLength,
            },
        });
    }

    #reportProgress(task: Task): void {
        const { x, heap, out } = this.#instance;
        x.pipit_session_progress(this.pointer, out);
        task.report("evaluate", heap.slot(out, 0), heap.slot(out, 1));
    }

    /** Ends a pending evaluation; complete batches stay. */
    #drop(kept: number): number {
        const { x } = this.#instance;
        x.pipit_session_rewind(this.pointer, this.length);
        return kept;
    }

    /** Keys and values of another set are dropped; the tokens stay. */
    setAdapters(
        adapters: readonly { adapter: AdapterHandle; scale: number }[],
    ): void {
        const { x, heap, error } = this.#instance;
        const scales = Float32Array.from(adapters, ({ scale }) => scale);
        const pointers = Uint32Array.from(
            adapters,
            ({ adapter }) => adapter.pointer,
        );
        const status = heap.lendTokens(pointers, (lent) =>
            heap.lend(new Uint8Array(scales.buffer), (factors) =>
                x.pipit_session_set_adapters(
                    this.pointer,
                    lent,
                    factors,
                    pointers.length,
                    error,
                ),
            ),
        );
        this.#instance.check(status);
        this.adapters = adapters.map(({ adapter, scale }) => ({
            adapter,
            scale,
        }));
    }

    rewind(n: number): void {
        const { x } = this.#instance;
        this.#instance.checkThat(
            x.pipit_session_rewind(this.pointer, n),
            `can't rewind to ${n}: the session holds ${this.length} tokens`,
        );
    }

    logits({ position }: Args<"logits">): Float32Array {
        const { x } = this.#instance;
        const rows = x.pipit_session_n_logits(this.pointer);
        if (rows === 0)
            throw new PipitError(
                "invalid-state",
                "the session has no logits: nothing was evaluated since it " +
                    "was created, rewound or aborted",
            );
        if (position === "all") return this.#allRows(rows);
        const i = position === "last" ? rows - 1 : position;
        if (i < rows) return this.#row(i);
        throw new PipitError(
            "invalid-argument",
            `no logits of position ${i}: there are ${rows}`,
        );
    }

    #row(i: number): Float32Array {
        const { x, heap } = this.#instance;
        const row = x.pipit_session_logits(this.pointer, i);
        return heap.floats(row, this.vocabularySize);
    }

    #allRows(rows: number): Float32Array {
        const all = new Float32Array(rows * this.vocabularySize);
        for (let i = 0; i < rows; i++)
            all.set(this.#row(i), i * this.vocabularySize);
        return all;
    }

    tokens(): Uint32Array {
        const { x, heap } = this.#instance;
        return heap.tokens(x.pipit_session_tokens(this.pointer), this.length);
    }

    /** Appends tokens and says how likely each was. */
    async score(task: Task, { tokens, best }: Args<"score">): Promise<Scored> {
        const { x } = this.#instance;
        const logprobs = new Float32Array(tokens.length).fill(NaN);
        const lists: Logprob[][] = [];
        const note = (row: FloatArray, i: number) => {
            const token = tokens[i];
            if (row === 0 || token === undefined) return;
            const list = best > 0 ? this.#best(row, best) : [];
            if (best > 0) lists[i] = list;
            // The likeliest are often those that came: one sum less.
            logprobs[i] =
                list.find((one) => one.token === token)?.logprob ??
                this.#logprobOf(row, token);
        };
        const rows = x.pipit_session_n_logits(this.pointer);
        if (rows > 0) note(x.pipit_session_logits(this.pointer, rows - 1), 0);
        for (let at = 0; at < tokens.length; at += SCORE_TOKENS) {
            const piece = tokens.slice(at, at + SCORE_TOKENS);
            await this.evaluate(task, "append", piece, true);
            for (let i = 0; i < piece.length; i++)
                note(x.pipit_session_logits(this.pointer, i), at + i + 1);
            task.report("evaluate", at + piece.length, tokens.length);
        }
        return {
            logprobs,
            best:
                best > 0 ? Array.from(lists, (list) => list ?? []) : undefined,
            length: this.length,
        };
    }

    #logprobOf(row: FloatArray, token: number): number {
        const { x } = this.#instance;
        if (token >= this.vocabularySize) return NaN; // evaluating it will fail
        return x.pipit_logprob_of(row, this.vocabularySize, token);
    }

    #best(row: FloatArray, n: number): Logprob[] {
        const { x, heap } = this.#instance;
        return heap.scratch<Pairs, Logprob[]>(8 * n, (pairs) => {
            x.pipit_logprob_best(row, this.vocabularySize, n, pairs);
            return heap.pairs(pairs, n);
        });
    }

    close(): void {
        this.#instance.x.pipit_session_close(this.pointer);
    }
}
