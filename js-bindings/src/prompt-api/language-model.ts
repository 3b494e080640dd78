/* language-model.ts — `LanguageModel`, name by name as the draft has it, over a
 * session of this package.
 *
 * Invariant: `#turns` holds what was asked and answered whole; a prompt that
 * fails or is aborted leaves no trace in it. */
/// <reference lib="esnext.disposable" preserve="true" />
import type { Model, ModelSource, Sampled, Session } from "../types.js";
import { CreateMonitor, HandlerSlot, quotaExceeded } from "./events.js";
import { untilAborted } from "./guard.js";
import {
    convertConstraint,
    convertCore,
    convertMessages,
    convertPrompt,
    dictionary,
    failure,
    isOffered,
    notSupported,
    signalOf,
    validated,
    validateLanguages,
    type Converted,
    type Dictionary,
    type PlainMessage,
    type PromptInput,
} from "./input.js";
import { asInterface } from "./interface.js";
import { convertSampling, params, samplingOf } from "./sampling.js";
import type { Sampling, SamplingMode } from "./sampling.js";
import { asDOMException, availabilityOf, hold } from "./source.js";
import type { Availability, Held, OnShare } from "./source.js";
import { answered, tokensOf } from "./transcript.js";

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

type PromptArguments = [input: PromptInput, options?: PromptOptions];
type AppendArguments = [
    input: PromptInput,
    options?: { readonly signal?: AbortSignal | undefined },
];

export interface LanguageModelParams {
    readonly defaultTopK: number;
    readonly maxTopK: number;
    readonly defaultTemperature: number;
    readonly maxTemperature: number;
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

/** A call of a prompting method, after its conversion. */
interface Asked {
    readonly input: Converted;
    readonly signal: AbortSignal | undefined;
    readonly constrained: boolean;
    readonly options: PromptOptions;
}

const secret = Symbol("made by create");
const defaults: { source: ModelSource | Model } = {
    source: "smollm2-135m-instruct",
};

/** The model of sessions whose `create` names none. */
export function setDefaultModel(source: ModelSource | Model): void {
    defaults.source = source;
}

const sourceOf = (options: Dictionary) =>
    (options["model"] as ModelSource | Model | undefined) ?? defaults.source;

/** @throws TypeError for what Web IDL would not take */
function convertAsked(given: readonly unknown[]): Asked {
    if (given.length === 0) throw new TypeError("1 argument required: input");
    const options = dictionary(given[1]);
    return {
        input: convertPrompt(given[0]),
        constrained: convertConstraint(options),
        signal: signalOf(options),
        options: options as PromptOptions,
    };
}

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
    constructor(...given: unknown[]) {
        if (given[0] !== secret) throw new TypeError("Illegal constructor");
        super();
        this.#state = given[1] as State;
        this.#model = this.#state.held.model;
        this.#initial = this.#state.initial;
        this.#turns = this.#state.turns;
        this.#usage = this.#state.usage;
    }

    static async availability(
        options?: CreateCoreOptions,
    ): Promise<Availability> {
        const given = dictionary(options);
        const core = convertCore(given);
        convertSampling(given);
        validateLanguages(core);
        return isOffered(core)
            ? availabilityOf(sourceOf(given))
            : "unavailable";
    }

    /** Of extensions; null where there is no model. */
    static async params(): Promise<LanguageModelParams | null> {
        const found = await availabilityOf(defaults.source);
        return found === "unavailable" ? null : { ...params };
    }

    static async create(options?: CreateOptions): Promise<LanguageModel> {
        const given = dictionary(options);
        const core = convertCore(given);
        const named = convertSampling(given);
        const { initialPrompts, monitor } = given;
        const messages =
            initialPrompts === undefined
                ? undefined
                : convertMessages(initialPrompts, "initialPrompts");
        if (monitor !== undefined && typeof monitor !== "function")
            throw new TypeError("monitor is not a function");
        const signal = signalOf(given);
        const contextLength = given["contextLength"] as number | undefined;

        const sampling = samplingOf(named);
        validateLanguages(core);
        const initial = messages ? validated(messages, false) : [];
        signal?.throwIfAborted();
        const told = new CreateMonitor();
        monitor?.(told);
        if (!isOffered(core))
            throw notSupported("only text is offered, and no tools yet");
        const session = await open(
            {
                ...{ source: sourceOf(given), sampling, contextLength },
                ...{ initial, turns: [] },
            },
            (share) => {
                if (!signal?.aborted) CreateMonitor.tell(told, share);
            },
            [signal],
        );
        signal?.addEventListener(
            "abort",
            () => session.#destroy(signal.reason),
            { once: true, signal: session.#destruction.signal },
        );
        return session;
    }

    async prompt(...given: PromptArguments): Promise<string> {
        const asked = convertAsked(given);
        let text = "";
        await this.#perform(asked, true, (piece) => (text += piece));
        return text;
    }

    promptStreaming(...given: PromptArguments): ReadableStream<string> {
        const asked = convertAsked(given);
        const left = new AbortController();
        const { signal } = left;
        const perform = (told: (piece: string) => void) =>
            this.#perform(asked, true, told, signal);
        // Pieces are kept for a reader who comes late: the next prompt must not
        // wait for them to be read.
        return new ReadableStream<string>({
            start: (controller) => {
                void perform((piece) => controller.enqueue(piece)).then(
                    () => controller.close(),
                    (cause: unknown) => {
                        if (!signal.aborted) controller.error(cause);
                    },
                );
            },
            cancel: () => left.abort(),
        });
    }

    async append(...given: AppendArguments): Promise<void> {
        const { signal } = dictionary(given[1]);
        const some: unknown[] = given;
        const asked = convertAsked(
            some.length === 0 ? [] : [some[0], { signal }],
        );
        await this.#perform(asked, false, () => {});
    }

    async measureContextUsage(...given: PromptArguments): Promise<number> {
        const asked = convertAsked(given);
        if (asked.constrained) throw constraintRefused();
        const messages = validated(asked.input, false);
        return this.#guarded([asked.signal], (own) =>
            this.#measure(messages, own),
        );
    }

    async measureInputUsage(...given: PromptArguments): Promise<number> {
        return this.measureContextUsage(...given);
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
        const [initial, turns] = [this.#initial, this.#turns];
        return open(
            { source, sampling, contextLength, initial, turns },
            () => {},
            [this.#destruction.signal, signal],
        );
    }

    /** Ends what runs and waits, as "AbortError". */
    destroy(): void {
        this.#destroy(failure("AbortError", "the session was destroyed"));
    }

    [Symbol.dispose](): void {
        this.destroy();
    }

    #destroy(reason: unknown): void {
        if (this.#destruction.signal.aborted) return;
        this.#destruction.abort(reason);
        const { held, session } = this.#state;
        void session
            .close()
            .catch(() => {})
            .then(() => held.release());
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

    /** What the messages would add. */
    async #measure(
        messages: readonly PlainMessage[],
        signal: AbortSignal,
    ): Promise<number> {
        // Could only be the first message: by itself, then.
        const held =
            messages[0]?.role === "system" ? [] : this.#all(this.#turns);
        const all = await this.#count([...held, ...messages], signal);
        return Math.max(0, all - (await this.#count(held, signal)));
    }

    async #guarded<R>(
        signals: readonly (AbortSignal | undefined)[],
        work: (signal: AbortSignal) => Promise<R>,
    ): Promise<R> {
        const all = [this.#destruction.signal, ...signals];
        return untilAborted(all, async (own) => {
            try {
                return await work(own);
            } catch (cause) {
                throw asDOMException(cause, "UnknownError");
            }
        });
    }

    /** One prompt or append, after those before it. */
    async #perform(
        asked: Asked,
        answers: boolean,
        told: (piece: string) => void,
        left?: AbortSignal,
    ): Promise<void> {
        await this.#guarded([asked.signal, left], (own) => {
            if (asked.constrained) throw constraintRefused();
            validated(asked.input, false);
            const run = this.#queue.then(() => {
                // Aborted while it waited: as if it had never come.
                own.throwIfAborted();
                const messages = validated(asked.input, this.#usage > 0);
                return this.#turn(messages, asked.options, answers, told, own);
            });
            this.#queue = run.catch(() => {});
            return run;
        });
    }

    async #turn(
        messages: readonly PlainMessage[],
        options: PromptOptions,
        answers: boolean,
        told: (piece: string) => void,
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
                signal.throwIfAborted();
                onToken?.(sampled);
                text += sampled.text;
                if (sampled.text) told(sampled.text);
            }
        }
        signal.throwIfAborted();
        const whole = answers ? answered(messages, text) : messages;
        const after = [...turns, { messages: whole }];
        const usage = await this.#count(this.#all(after), signal);
        signal.throwIfAborted();
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
                if (turns !== this.#turns) await this.#evict(turns, signal);
                return { turns, tokens };
            }
            if (turns.length === 0) {
                const wanted =
                    this.#usage + (await this.#measure(messages, signal));
                throw quotaExceeded(
                    wanted > window ? wanted : tokens.length,
                    window,
                );
            }
            turns = turns.slice(1);
        }
    }

    async #evict(turns: readonly Turn[], signal: AbortSignal): Promise<void> {
        const usage = await this.#count(this.#all(turns), signal);
        signal.throwIfAborted();
        this.#turns = turns;
        this.#usage = usage;
        this.dispatchEvent(new Event("contextoverflow"));
        this.dispatchEvent(new Event("quotaoverflow"));
    }
}

asInterface(
    LanguageModel,
    "LanguageModel",
    {
        ...{ prompt: 1, promptStreaming: 1, append: 1 },
        ...{ measureContextUsage: 1, measureInputUsage: 1 },
        ...{ clone: 0, destroy: 0, samplingMode: 0, topK: 0, temperature: 0 },
        ...{ contextUsage: 0, contextWindow: 0, oncontextoverflow: 0 },
        ...{ inputUsage: 0, inputQuota: 0, onquotaoverflow: 0 },
    },
    { create: 0, availability: 0, params: 0 },
);

const constraintRefused = () =>
    notSupported("responseConstraint is not offered yet");

/** @param signals any of which ends it, with its own reason */
function open(
    state: Omit<State, "held" | "session" | "usage">,
    onShare: OnShare,
    signals: readonly (AbortSignal | undefined)[],
): Promise<LanguageModel> {
    return untilAborted(
        signals,
        async (signal) => {
            try {
                return await opened(state, onShare, signal);
            } catch (cause) {
                throw asDOMException(cause, "OperationError");
            }
        },
        (late) => late.destroy(),
    );
}

async function opened(
    state: Omit<State, "held" | "session" | "usage">,
    onShare: OnShare,
    signal: AbortSignal,
): Promise<LanguageModel> {
    let held: Held | undefined;
    let session: Session | undefined;
    try {
        held = await hold(state.source, onShare, signal);
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
        throw cause;
    }
}
