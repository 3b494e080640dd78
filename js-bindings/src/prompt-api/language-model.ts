/* language-model.ts — `LanguageModel`, name by name as the draft has it, over a
 * session of this package.
 *
 * Invariant: `#turns` holds what was asked and answered whole; a prompt that
 * fails or is aborted leaves no trace in it. */
/// <reference lib="esnext.disposable" preserve="true" />
import { PipitError } from "../index.js";
import type { Model, ModelSource, Sampled, Session } from "../types.js";
import { CreateMonitor, HandlerSlot, quotaExceeded } from "./events.js";
import {
    checkConstraint,
    dictionary,
    failure,
    messagesOf,
    notSupported,
    signalOf,
    supported,
    type PlainMessage,
    type PromptInput,
} from "./input.js";
import { samplingOf, type Sampling, type SamplingMode } from "./sampling.js";
import { asDOMException, availabilityOf, hold } from "./source.js";
import type { Availability, Held } from "./source.js";

export interface CreateCoreOptions {
    readonly expectedInputs?: readonly object[] | undefined;
    readonly expectedOutputs?: readonly object[] | undefined;
    /** Not offered yet: "unavailable". */
    readonly tools?: readonly object[] | undefined;
    readonly samplingMode?: SamplingMode | undefined;
    readonly topK?: number | undefined;
    readonly temperature?: number | undefined;
    /** Beyond the draft: which model, or one that is loaded. */
    readonly model?: ModelSource | Model | undefined;
}

export interface CreateOptions extends CreateCoreOptions {
    readonly initialPrompts?: readonly PlainInput[] | undefined;
    readonly signal?: AbortSignal | undefined;
    readonly monitor?: ((monitor: CreateMonitor) => void) | undefined;
    /** Beyond the draft. Default: that of `loadModel`. */
    readonly contextLength?: number | undefined;
}

type PlainInput = Exclude<PromptInput, string>[number];

export interface PromptOptions {
    /** Not offered yet: "NotSupportedError". */
    readonly responseConstraint?: object | undefined;
    readonly omitResponseConstraintInput?: boolean | undefined;
    readonly signal?: AbortSignal | undefined;
    /** Beyond the draft, as in `session.generate`. */
    readonly seed?: number | bigint | undefined;
    readonly stop?: string | readonly string[] | undefined;
    readonly maxTokens?: number | undefined;
    readonly logprobs?: number | undefined;
    /** Every token, with its log-probability where asked for. */
    readonly onToken?: ((sampled: Sampled) => void) | undefined;
}

interface Turn {
    readonly messages: readonly PlainMessage[];
}

interface State {
    readonly source: ModelSource | Model;
    readonly held: Held;
    readonly session: Session;
    readonly contextLength: number | undefined;
    readonly sampling: Sampling;
    readonly initial: readonly PlainMessage[];
    readonly turns: readonly Turn[];
    readonly usage: number;
}

const secret = Symbol("made by create");
const defaults: { source: ModelSource | Model } = {
    source: "smollm2-135m-instruct",
};

/** The model of sessions whose `create` names none. */
export function setDefaultModel(source: ModelSource | Model): void {
    defaults.source = source;
}

const sourceOf = (options: Readonly<Record<string, unknown>>) =>
    (options["model"] as ModelSource | Model | undefined) ?? defaults.source;

export class LanguageModel extends EventTarget {
    readonly #model: Model;
    readonly #state: State;
    readonly #initial: readonly PlainMessage[];
    #turns: readonly Turn[];
    #usage: number;
    /** The prompt before; they run one after the other. */
    #queue: Promise<unknown> = Promise.resolve();
    readonly #destruction = new AbortController();
    readonly #overflow = new HandlerSlot(this, "contextoverflow");
    readonly #oldOverflow = new HandlerSlot(this, "quotaoverflow");

    /** Not for callers: `create` makes sessions. */
    constructor(key?: unknown, state?: unknown) {
        if (key !== secret) throw new TypeError("Illegal constructor");
        super();
        this.#state = state as State;
        this.#model = this.#state.held.model;
        this.#initial = this.#state.initial;
        this.#turns = this.#state.turns;
        this.#usage = this.#state.usage;
    }

    static async availability(
        options?: CreateCoreOptions,
    ): Promise<Availability> {
        const given = dictionary(options);
        samplingOf(given);
        return supported(given)
            ? availabilityOf(sourceOf(given))
            : "unavailable";
    }

    static async params() {
        return {
            ...{ defaultTopK: 40, maxTopK: 1000 },
            ...{ defaultTemperature: 0.7, maxTemperature: 2 },
        };
    }

    static async create(options?: CreateOptions): Promise<LanguageModel> {
        const given = dictionary(options);
        const signal = signalOf(given);
        const sampling = samplingOf(given);
        const { initialPrompts, monitor } = given;
        const initial =
            initialPrompts === undefined
                ? []
                : messagesOf(initialPrompts as PromptInput, false);
        if (initial.some(({ prefix }) => prefix))
            throw failure("SyntaxError", "initialPrompts have no prefix");
        if (monitor !== undefined && typeof monitor !== "function")
            throw new TypeError("monitor is not a function");
        const fine = supported(given);
        signal?.throwIfAborted();
        const told = new CreateMonitor();
        (monitor as ((m: CreateMonitor) => void) | undefined)?.(told);
        if (!fine) throw notSupported("only text is offered, and no tools yet");
        const source = sourceOf(given);
        const contextLength = given["contextLength"] as number | undefined;
        return open(
            { source, sampling, contextLength, initial, turns: [] },
            (share) => CreateMonitor.tell(told, share),
            signal,
        );
    }

    async prompt(input: PromptInput, options?: PromptOptions): Promise<string> {
        if (arguments.length === 0) throw new TypeError("prompt what?");
        let text = "";
        await this.#perform(input, options, true, (piece) => (text += piece));
        return text;
    }

    promptStreaming(
        input: PromptInput,
        options?: PromptOptions,
    ): ReadableStream<string> {
        if (arguments.length === 0) throw new TypeError("prompt what?");
        const left = new AbortController();
        let wanted = () => {};
        return new ReadableStream<string>({
            start: (controller) => {
                void this.#perform(
                    ...([input, options, true] as const),
                    async (piece) => {
                        controller.enqueue(piece);
                        if ((controller.desiredSize ?? 1) > 0) return;
                        await new Promise<void>((go) => (wanted = go));
                    },
                    left.signal,
                ).then(
                    () => controller.close(),
                    (cause: unknown) => {
                        if (!left.signal.aborted) controller.error(cause);
                    },
                );
                const free = () => wanted();
                this.#destruction.signal.addEventListener("abort", free);
                const { signal } = options ?? {};
                signal?.addEventListener?.("abort", free, { once: true });
            },
            pull: () => wanted(),
            cancel: () => {
                left.abort();
                wanted();
            },
        });
    }

    async append(
        input: PromptInput,
        options?: { readonly signal?: AbortSignal | undefined },
    ): Promise<void> {
        if (arguments.length === 0) throw new TypeError("append what?");
        const { signal } = dictionary(options);
        const only = { signal: signal as AbortSignal | undefined };
        await this.#perform(input, only, false, () => {});
    }

    async measureContextUsage(
        input: PromptInput,
        options?: PromptOptions,
    ): Promise<number> {
        if (arguments.length === 0) throw new TypeError("measure what?");
        const given = dictionary(options);
        const signal = signalOf(given);
        checkConstraint(given);
        const messages = messagesOf(input, false);
        return this.#guarded(signal, undefined, async (own) => {
            const before = this.#all(this.#turns);
            const [less, more] = [before, [...before, ...messages]];
            const usage = await this.#count(more, own);
            return Math.max(0, usage - (await this.#count(less, own)));
        });
    }

    measureInputUsage(input: PromptInput, options?: PromptOptions) {
        return this.measureContextUsage(input, options);
    }

    /** Tokens of all that the session holds. */
    get contextUsage(): number {
        return this.#usage;
    }
    get inputUsage(): number {
        return this.#usage;
    }
    get contextWindow(): number {
        return this.#state.session.contextLength;
    }
    get inputQuota(): number {
        return this.contextWindow;
    }
    get samplingMode(): SamplingMode | null {
        return this.#state.sampling.mode;
    }
    get topK(): number {
        return this.#state.sampling.topK;
    }
    get temperature(): number {
        return this.#state.sampling.temperature;
    }
    get oncontextoverflow() {
        return this.#overflow.handler;
    }
    set oncontextoverflow(handler) {
        this.#overflow.handler = handler;
    }
    get onquotaoverflow() {
        return this.#oldOverflow.handler;
    }
    set onquotaoverflow(handler) {
        this.#oldOverflow.handler = handler;
    }

    async clone(options?: {
        readonly signal?: AbortSignal | undefined;
    }): Promise<LanguageModel> {
        const signal = signalOf(dictionary(options));
        const { source, sampling, contextLength } = this.#state;
        const initial = this.#initial;
        return this.#guarded(signal, undefined, (own) =>
            open(
                ...([
                    {
                        source,
                        sampling,
                        contextLength,
                        initial,
                        turns: this.#turns,
                    },
                    () => {},
                    own,
                ] as const),
            ),
        );
    }

    /** Ends what runs and waits, as "AbortError". */
    destroy(): void {
        if (this.#destruction.signal.aborted) return;
        this.#destruction.abort(failure("AbortError", "it was destroyed"));
        const { held, session } = this.#state;
        void session
            .close()
            .catch(() => {})
            .then(() => held.release());
    }

    [Symbol.dispose](): void {
        this.destroy();
    }

    #all(turns: readonly Turn[]): PlainMessage[] {
        return [...this.#initial, ...turns.flatMap(({ messages }) => messages)];
    }

    async #count(
        messages: readonly PlainMessage[],
        signal: AbortSignal,
    ): Promise<number> {
        return (await tokensOf(this.#model, messages, false, signal)).length;
    }

    /** Runs work until it ends or one of the signals does: an abort is told at
     * once, with its own reason. */
    async #guarded<R>(
        first: AbortSignal | undefined,
        second: AbortSignal | undefined,
        work: (signal: AbortSignal) => Promise<R>,
    ): Promise<R> {
        const signals = [this.#destruction.signal, first, second];
        for (const signal of signals) signal?.throwIfAborted();
        const own = new AbortController();
        let stop: (reason: unknown) => void = () => {};
        const stopped = new Promise<never>((_, reject) => (stop = reject));
        stopped.catch(() => {});
        const listeners = signals.map((signal) => () => {
            own.abort(signal?.reason);
            stop(signal?.reason);
        });
        for (const [i, signal] of signals.entries())
            signal?.addEventListener("abort", listeners[i] as () => void);
        try {
            return await Promise.race([work(own.signal), stopped]);
        } catch (cause) {
            if (own.signal.aborted) throw own.signal.reason;
            throw asDOMException(cause, "UnknownError");
        } finally {
            for (const [i, signal] of signals.entries())
                signal?.removeEventListener(
                    "abort",
                    listeners[i] as () => void,
                );
        }
    }

    /** One prompt or append, after those before it. */
    async #perform(
        input: PromptInput,
        options: PromptOptions | undefined,
        answers: boolean,
        told: (piece: string) => unknown,
        left?: AbortSignal,
    ): Promise<void> {
        const given = dictionary(options) as PromptOptions;
        const signal = signalOf(given as Readonly<Record<string, unknown>>);
        checkConstraint(given as Readonly<Record<string, unknown>>);
        const messages = messagesOf(input, false);
        await this.#guarded(signal, left, (own) => {
            const before = this.#queue;
            const run = before.then(() => {
                // Aborted while it waited: as if it had never come.
                own.throwIfAborted();
                if (this.#usage > 0) messagesOf(input, true);
                return this.#turn(messages, given, answers, told, own);
            });
            this.#queue = run.catch(() => {});
            return run;
        });
    }

    async #turn(
        messages: readonly PlainMessage[],
        options: PromptOptions,
        answers: boolean,
        told: (piece: string) => unknown,
        signal: AbortSignal,
    ): Promise<void> {
        const { session, sampling } = this.#state;
        const { turns, tokens } = await this.#fit(messages, answers, signal);
        await session.sync(tokens, { signal });
        let text = "";
        if (answers) {
            const { seed, stop, maxTokens, logprobs, onToken } = options;
            for await (const sampled of session.generate({
                ...sampling.options,
                ...{ seed, stop, maxTokens, logprobs, signal },
            })) {
                onToken?.(sampled);
                text += sampled.text;
                if (sampled.text) await told(sampled.text);
                signal.throwIfAborted();
            }
        }
        signal.throwIfAborted();
        const whole = answers ? answered(messages, text) : messages;
        const after = [...turns, { messages: whole }];
        const usage = await this.#count(this.#all(after), signal);
        this.#turns = after;
        this.#usage = Math.min(usage, this.contextWindow);
    }

    /** The turns that leave room for what comes, without the oldest if need
     * be; never without the initial prompts. */
    async #fit(
        messages: readonly PlainMessage[],
        answers: boolean,
        signal: AbortSignal,
    ): Promise<{ turns: readonly Turn[]; tokens: Uint32Array }> {
        const window = this.contextWindow;
        let turns = this.#turns;
        for (;;) {
            const all = [...this.#all(turns), ...messages];
            const tokens = await tokensOf(this.#model, all, answers, signal);
            if (tokens.length <= window) {
                if (turns !== this.#turns) this.#evict(turns);
                return { turns, tokens };
            }
            if (turns.length === 0) throw quotaExceeded(tokens.length, window);
            turns = turns.slice(1);
        }
    }

    #evict(turns: readonly Turn[]): void {
        this.#turns = turns;
        this.dispatchEvent(new Event("contextoverflow"));
        this.dispatchEvent(new Event("quotaoverflow"));
    }
}

Object.defineProperty(LanguageModel.prototype, Symbol.toStringTag, {
    ...{ value: "LanguageModel", configurable: true },
});

/** The input with its answer, which a prefix is the beginning of. */
function answered(
    messages: readonly PlainMessage[],
    text: string,
): PlainMessage[] {
    const last = messages.at(-1);
    const begun = last?.prefix ? last.content : "";
    const before = last?.prefix ? messages.slice(0, -1) : messages;
    const role = "assistant";
    return [...before, { role, content: begun + text, prefix: false }];
}

/** Many templates want the roles to alternate: what follows in the same role is
 * one message. */
function joined(messages: readonly PlainMessage[]): PlainMessage[] {
    const out: PlainMessage[] = [];
    for (const message of messages) {
        const last = out.at(-1);
        if (last?.role !== message.role) out.push(message);
        else
            out[out.length - 1] = {
                ...message,
                content: `${last.content}\n\n${message.content}`,
            };
    }
    return out;
}

async function tokensOf(
    model: Model,
    messages: readonly PlainMessage[],
    answers: boolean,
    signal: AbortSignal | undefined,
): Promise<Uint32Array> {
    if (messages.length === 0) return new Uint32Array();
    const { system } = model;
    const all = joined(
        system === undefined || messages[0]?.role === "system"
            ? messages
            : [{ role: "system", content: system, prefix: false }, ...messages],
    );
    const goesOn = answers && all.at(-1)?.prefix === true;
    const plain = all.map(({ role, content }) => ({ role, content }));
    const { tokens } = await model.applyChatTemplate(plain, {
        addGenerationPrompt: answers && !goesOn,
        continueFinalMessage: goesOn,
        signal,
    });
    return tokens;
}

async function open(
    state: Omit<State, "held" | "session" | "usage">,
    onProgress: (share: number) => void,
    signal: AbortSignal | undefined,
): Promise<LanguageModel> {
    let held: Held | undefined;
    let session: Session | undefined;
    try {
        held = await hold(state.source, onProgress, signal);
        const { model } = held;
        const { contextLength } = state;
        session = await model.createSession({ contextLength, signal });
        const messages = [
            ...state.initial,
            ...state.turns.flatMap((turn) => turn.messages),
        ];
        const tokens = await tokensOf(model, messages, false, signal);
        if (tokens.length > session.contextLength)
            throw quotaExceeded(tokens.length, session.contextLength);
        if (tokens.length > 0) await session.sync(tokens, { signal });
        const usage = tokens.length;
        return new LanguageModel(secret, { ...state, held, session, usage });
    } catch (cause) {
        await session?.close().catch(() => {});
        held?.release();
        if (signal?.aborted) throw signal.reason;
        const isArgument =
            cause instanceof PipitError && cause.code === "invalid-argument";
        throw isArgument
            ? new TypeError(cause.message, { cause })
            : asDOMException(cause, "OperationError");
    }
}
