/* session.ts — a timeline, as its owner holds it. */
import { ADD_SPECIAL, PARSE_SPECIAL } from "../engine/tokenizer.js";
import { PipitError } from "../errors.js";
import type {
    EvalMode,
    Generated,
    GenerateSpec,
    OpenedSession,
    SampledItem,
} from "../protocol.js";
import type {
    AdapterUse,
    EvalOptions,
    GenerateOptions,
    Sampled,
    ScoreOptions,
    Scores,
    Session,
    Tokens,
} from "../types.js";
import { adapterSpec } from "./adapter.js";
import { aborted, throwIfAborted } from "./connection.js";
import type { LoadedModelObject } from "./model.js";
import {
    integer,
    logprobCount,
    refuse,
    samplingSpec,
    stopStrings,
    tokenArray,
} from "./options.js";

/* The worker frees a session whose handle nobody holds. */
const abandoned = new FinalizationRegistry<() => void>((free) => free());

/** Tells the worker how far its caller is, once in so many tokens. */
const TAKEN_EVERY = 4;

/** How generate went, for chats. */
export interface Outcome {
    generated?: Generated;
}

export class LiveSession implements Session {
    readonly contextLength: number;
    /** Held: an adapter that nobody holds is taken off and freed. */
    adapters: readonly AdapterUse[] = [];
    readonly #model: LoadedModelObject;
    readonly #id: number;
    #length = 0;
    #generating = false;
    #closed: Promise<void> | undefined;

    constructor(model: LoadedModelObject, opened: OpenedSession) {
        this.#model = model;
        this.#id = opened.session;
        this.contextLength = opened.contextLength;
        const { connection } = model;
        const args = { session: opened.session };
        abandoned.register(
            this,
            () => void connection.call("closeSession", args).catch(() => {}),
            this,
        );
    }

    get length(): number {
        return this.#length;
    }

    get closed(): boolean {
        return this.#closed !== undefined || this.#model.closed;
    }

    async eval(tokens: Tokens, options: EvalOptions = {}): Promise<void> {
        await this.#evaluate("append", tokens, options);
    }

    async sync(
        tokens: Tokens,
        options: EvalOptions = {},
    ): Promise<{ kept: number }> {
        if (options.allLogits) refuse("sync keeps the last logits only");
        const kept = await this.#evaluate("sync", tokens, options);
        return { kept };
    }

    async score(tokens: Tokens, options: ScoreOptions = {}): Promise<Scores> {
        this.#throwIfBusy();
        const { signal, onProgress } = options;
        const best = integer("best", options.best, 0, 0, 64);
        const scored = await this.#tracked(() =>
            this.#model.connection.call(
                "score",
                { session: this.#id, tokens: tokenArray(tokens), best },
                { signal, onProgress },
            ),
        );
        return { logprobs: scored.logprobs, best: scored.best };
    }

    async rewind(n: number): Promise<void> {
        this.#throwIfBusy();
        await this.#rewind(integer("n", n, 0, 0, this.contextLength));
    }

    async logits(i?: number): Promise<Float32Array> {
        this.#throwIfBusy();
        const last = this.contextLength - 1;
        const position = i === undefined ? "last" : integer("i", i, 0, 0, last);
        return this.#logits(position);
    }

    async allLogits(): Promise<Float32Array> {
        this.#throwIfBusy();
        return this.#logits("all");
    }

    async setAdapters(adapters: readonly AdapterUse[]): Promise<void> {
        this.#throwIfBusy();
        const args = {
            session: this.#id,
            adapters: adapters.map((use) => adapterSpec(this.#model, use)),
        };
        const { connection } = this.#model;
        await this.#tracked(() => connection.call("setAdapters", args));
        this.adapters = [...adapters];
    }

    async tokens(): Promise<Uint32Array> {
        this.#throwIfBusy();
        return this.#model.connection.call("tokens", { session: this.#id });
    }

    generate(
        options: GenerateOptions = {},
    ): AsyncGenerator<Sampled, void, void> {
        return this.stream(options, "append", {});
    }

    /** generate, over tokens appended or made equal to; says how it went. */
    async *stream(
        options: GenerateOptions,
        mode: EvalMode,
        outcome: Outcome,
    ): AsyncGenerator<Sampled, void, void> {
        throwIfAborted(options.signal);
        this.#throwIfBusy();
        this.#generating = true;
        try {
            const tokens = await this.#promptTokens(options);
            yield* this.#sample(
                {
                    session: this.#id,
                    mode,
                    tokens,
                    sampling: samplingSpec(
                        options,
                        this.#model.samplingDefaults,
                    ),
                    maxTokens: integer(
                        "maxTokens",
                        options.maxTokens ?? undefined,
                        0,
                        options.maxTokens === undefined ? 0 : 1,
                        0xffffffff,
                    ),
                    stop: stopStrings(options.stop),
                    ignoreEnd: options.ignoreEndOfGeneration ?? false,
                    promptLookup: options.promptLookup ?? false,
                    logprobs: logprobCount(options.logprobs),
                },
                options,
                outcome,
            );
        } finally {
            this.#generating = false;
        }
    }

    close(): Promise<void> {
        this.#closed ??= this.#close();
        return this.#closed;
    }

    [Symbol.asyncDispose](): Promise<void> {
        return this.close();
    }

    async #close(): Promise<void> {
        abandoned.unregister(this);
        const { connection } = this.#model;
        if (connection.closed) return;
        try {
            this.#model.memory = await connection.call("closeSession", {
                session: this.#id,
            });
        } catch (failure) {
            // Whoever closed the model meanwhile freed the session too.
            if (!connection.closed) throw failure;
        }
    }

    #throwIfBusy(): void {
        this.#model.connection.throwIfClosed();
        if (this.#closed)
            throw new PipitError("closed", "the session is closed");
        if (this.#generating)
            throw new PipitError(
                "invalid-state",
                "an answer is being generated: finish or leave its loop first",
            );
    }

    async #evaluate(
        mode: EvalMode,
        tokens: Tokens,
        { signal, onProgress, allLogits = false }: EvalOptions,
    ): Promise<number> {
        this.#throwIfBusy();
        const ids = tokenArray(tokens);
        const { kept } = await this.#tracked(() =>
            this.#model.connection.call(
                "eval",
                { session: this.#id, mode, tokens: ids, allLogits },
                { signal, onProgress },
            ),
        );
        return kept;
    }

    /** Keeps `length` true, also after a failure half way. */
    async #tracked<R extends { readonly length: number }>(
        work: () => Promise<R>,
    ): Promise<R> {
        try {
            const result = await work();
            this.#length = result.length;
            return result;
        } catch (failure) {
            this.#noteLength(failure);
            throw failure;
        }
    }

    #noteLength(failure: unknown): void {
        if (failure instanceof PipitError)
            this.#length = failure.details.length ?? this.#length;
    }

    async #rewind(n: number): Promise<void> {
        const { connection } = this.#model;
        const args = { session: this.#id, n };
        this.#length = (await connection.call("rewind", args)).length;
    }

    #logits(position: number | "last" | "all"): Promise<Float32Array> {
        const args = { session: this.#id, position };
        return this.#model.connection.call("logits", args);
    }

    async #promptTokens(
        options: GenerateOptions,
    ): Promise<Uint32Array | undefined> {
        const { tokens, prompt, signal } = options;
        if (prompt === undefined) return tokens && tokenArray(tokens);
        if (tokens) refuse("generate takes tokens or a prompt, not both");
        const flags = PARSE_SPECIAL | (this.#length === 0 ? ADD_SPECIAL : 0);
        const args = { text: prompt, flags };
        const { connection } = this.#model;
        const ids = await connection.call("tokenize", args, { signal });
        if (ids.length > 0) return ids;
        if (this.#length > 0) return undefined;
        return refuse("the prompt is empty: there is nothing to go on from");
    }

    async *#sample(
        spec: GenerateSpec,
        options: GenerateOptions,
        outcome: Outcome,
    ): AsyncGenerator<Sampled, void, void> {
        const { signal, onProgress } = options;
        const { connection } = this.#model;
        const arrived: SampledItem[] = [];
        let wake = () => {};
        let settled = false;
        const { id, result } = connection.start("generate", spec, {
            onProgress,
            onTokens(items) {
                arrived.push(...items);
                wake();
            },
        });
        const end = result.finally(() => {
            settled = true;
            wake();
        });
        end.catch(() => {}); // awaited below, perhaps later
        const stop = () => {
            connection.stop(id);
            wake();
        };
        signal?.addEventListener("abort", stop, { once: true });
        let taken = 0;
        try {
            while (!signal?.aborted) {
                const item = arrived.shift();
                if (item) {
                    if (++taken % TAKEN_EVERY === 0)
                        connection.taken(id, taken);
                    yield item;
                } else if (settled) {
                    return; // the reason for an early end comes in finally
                } else {
                    await new Promise<void>((resolve) => {
                        wake = resolve;
                    });
                }
            }
        } finally {
            signal?.removeEventListener("abort", stop);
            if (!settled) connection.stop(id);
            await this.#settle(end, taken, signal, outcome);
        }
        throwIfAborted(signal);
    }

    /** Waits for the worker's end of an answer and drops what ran ahead. */
    async #settle(
        end: Promise<Generated>,
        taken: number,
        signal: AbortSignal | undefined,
        outcome: Outcome,
    ): Promise<void> {
        let generated: Generated;
        try {
            generated = await end;
        } catch (failure) {
            this.#noteLength(failure);
            if (signal?.aborted) throw aborted(signal);
            throw failure;
        }
        outcome.generated = generated;
        this.#length = generated.length;
        const wanted = generated.promptTokens + Math.max(0, taken - 1);
        if (generated.length > wanted) await this.#rewind(wanted);
    }
}
