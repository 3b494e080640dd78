/* chat.ts — a conversation: messages through the file's template to tokens, of
 * which the session's cache keeps all that it has seen before. */
import { PARSE_SPECIAL } from "../engine/tokenizer.js";
import { PipitError } from "../errors.js";
import type {
    Chat,
    ChatMessage,
    ChatOptions,
    ChatTurn,
    SendOptions,
    Session,
} from "../types.js";
import { throwIfAborted } from "./connection.js";
import type { LoadedModelObject } from "./model.js";
import { refuse } from "./options.js";
import { ReasoningSplitter, type Parts } from "./reasoning.js";
import type { LiveSession, Outcome } from "./session.js";
import { checkMessages, renderMessages, templateOf } from "./templates.js";

export async function openChat(
    model: LoadedModelObject,
    options: ChatOptions,
): Promise<Chat> {
    const tools = options.templateVariables?.["tools"];
    const hasTools = Array.isArray(tools) && tools.length > 0;
    const template = templateOf(model, options.template, hasTools);
    const messages = checkMessages(options.messages ?? []);
    const hasOwn = messages[0]?.role === "system";
    const system = options.system ?? (hasOwn ? undefined : model.system);
    if (options.system !== null && system !== undefined)
        messages.unshift(
            ...checkMessages([{ role: "system", content: system }]),
        );
    const session = await model.openSession(options);
    const variables = options.templateVariables ?? {};
    return new LiveChat(model, session, template, variables, messages);
}

/** Text that was evaluated, with the tokens that it was evaluated as: where an
 * answer was sampled, not those that its text would be cut into. */
interface Known {
    readonly text: string;
    readonly tokens: readonly number[];
}

class LiveChat implements Chat {
    readonly session: Session;
    readonly #model: LoadedModelObject;
    readonly #session: LiveSession;
    readonly #template: string;
    readonly #variables: Readonly<Record<string, unknown>>;
    #messages: ChatMessage[];
    #known: Known = { text: "", tokens: [] };
    #last: ChatTurn | undefined;
    #busy = false;

    constructor(
        model: LoadedModelObject,
        session: LiveSession,
        template: string,
        variables: Readonly<Record<string, unknown>>,
        messages: ChatMessage[],
    ) {
        this.session = session;
        this.#model = model;
        this.#session = session;
        this.#template = template;
        this.#variables = variables;
        this.#messages = messages;
    }

    get messages(): readonly ChatMessage[] {
        return this.#messages.map((message) => ({ ...message }));
    }

    get last(): ChatTurn | undefined {
        return this.#last;
    }

    get closed(): boolean {
        return this.#session.closed;
    }

    async *send(
        text: string,
        options: SendOptions = {},
    ): AsyncGenerator<string, void, void> {
        if (typeof text !== "string") refuse("a message is a string");
        const user = { role: "user", content: text };
        yield* this.#turn([...this.#messages, user], options);
    }

    async *retry(
        options: SendOptions = {},
    ): AsyncGenerator<string, void, void> {
        if (this.#messages.at(-1)?.role !== "assistant")
            throw new PipitError(
                "invalid-state",
                "there is no answer to retry",
            );
        yield* this.#turn(this.#messages.slice(0, -1), options);
    }

    close(): Promise<void> {
        return this.#session.close();
    }

    [Symbol.asyncDispose](): Promise<void> {
        return this.close();
    }

    async *#turn(
        messages: ChatMessage[],
        options: SendOptions,
    ): AsyncGenerator<string, void, void> {
        if (this.#busy)
            throw new PipitError("invalid-state", "an answer is being given");
        this.#busy = true;
        try {
            throwIfAborted(options.signal);
            if (this.closed)
                throw new PipitError("closed", "the chat is closed");
            yield* this.#answer(messages, options);
        } finally {
            this.#busy = false;
        }
    }

    async *#answer(
        messages: ChatMessage[],
        options: SendOptions,
    ): AsyncGenerator<string, void, void> {
        const startedAt = performance.now();
        const text = await this.#render(messages, options.signal);
        const tokens = await this.#tokenize(text, options.signal);
        const answer = new Answer(startedAt, text);
        const outcome: Outcome = {};
        const stream = this.#session.stream(
            { ...options, tokens },
            "sync",
            outcome,
        );
        let failed = false;
        try {
            for await (const sampled of stream) {
                const parts = answer.add(
                    sampled.token,
                    sampled.text,
                    sampled.finishReason,
                );
                if (parts.reasoning) options.onReasoning?.(parts.reasoning);
                if (parts.answer) yield parts.answer;
            }
        } catch (failure) {
            failed = !options.signal?.aborted;
            throw failure;
        } finally {
            await stream.return();
            if (!failed) this.#commit(messages, answer, text, tokens, outcome);
        }
    }

    /** The conversation as it is after an answer, whole or cut short. */
    #commit(
        messages: ChatMessage[],
        answer: Answer,
        text: string,
        tokens: readonly number[],
        outcome: Outcome,
    ): void {
        this.#last = answer.describe(outcome);
        if (answer.text === "" && !answer.finishReason) return;
        const { text: content, reasoning } = answer;
        this.#messages = [
            ...messages,
            {
                role: "assistant",
                content,
                ...(reasoning && { reasoning_content: reasoning }),
            },
        ];
        this.#known =
            answer.finishReason === "end"
                ? {
                      text: text + answer.raw,
                      tokens: [...tokens, ...answer.tokens.slice(0, -1)],
                  }
                : { text, tokens };
    }

    async #render(
        messages: readonly ChatMessage[],
        signal: AbortSignal | undefined,
    ): Promise<string> {
        const text = await renderMessages(
            this.#model,
            this.#template,
            { add_generation_prompt: true, ...this.#variables, messages },
            { signal },
        );
        if (text !== "") return text;
        throw new PipitError("template", "the template rendered to nothing");
    }

    /** Templates write BOS themselves, so it is not added. What follows a known
     * text is cut alone if it begins with a token that ends a turn: no token
     * reaches over such a border. */
    async #tokenize(
        text: string,
        signal: AbortSignal | undefined,
    ): Promise<number[]> {
        const known = this.#known;
        const { texts } = this.#model.vocabulary;
        const rest = text.slice(known.text.length);
        const follows =
            text.startsWith(known.text) &&
            [texts.eos, texts.eot].some((end) => end && rest.startsWith(end));
        const args = { text: follows ? rest : text, flags: PARSE_SPECIAL };
        const { connection } = this.#model;
        const tokens = await connection.call("tokenize", args, { signal });
        return follows ? [...known.tokens, ...tokens] : [...tokens];
    }
}

/** An answer as it comes. */
class Answer {
    readonly #startedAt: number;
    readonly #splitter: ReasoningSplitter;
    #firstAt = 0;
    /** All that was sampled, reasoning and its marks included. */
    raw = "";
    text = "";
    reasoning = "";
    readonly tokens: number[] = [];
    finishReason: ChatTurn["finishReason"] | undefined;

    constructor(startedAt: number, prompt: string) {
        this.#startedAt = startedAt;
        this.#splitter = new ReasoningSplitter(prompt);
    }

    add(
        token: number,
        text: string,
        finishReason: ChatTurn["finishReason"] | undefined,
    ): Parts {
        if (this.tokens.length === 0) this.#firstAt = performance.now();
        this.tokens.push(token);
        this.raw += text;
        this.finishReason = finishReason;
        const parts = this.#splitter.add(text);
        const rest = finishReason ? this.#splitter.end() : undefined;
        const all = {
            reasoning: parts.reasoning + (rest?.reasoning ?? ""),
            answer: parts.answer + (rest?.answer ?? ""),
        };
        this.text += all.answer;
        this.reasoning += all.reasoning;
        return all;
    }

    describe({ generated }: Outcome): ChatTurn {
        const { promptTokens = 0, keptTokens = 0 } = generated ?? {};
        const { promptMs = 0, completionMs = 0 } = generated ?? {};
        const perSecond = (n: number, ms: number) =>
            n > 0 && ms > 0 ? (1000 * n) / ms : 0;
        const completionTokens = this.tokens.length;
        return {
            finishReason: this.finishReason ?? "aborted",
            promptTokens,
            cachedTokens: keptTokens,
            completionTokens,
            reasoning: this.reasoning,
            timings: {
                promptMs,
                completionMs,
                firstTokenMs:
                    completionTokens > 0 ? this.#firstAt - this.#startedAt : 0,
                promptTokensPerSecond: perSecond(
                    promptTokens - keptTokens,
                    promptMs,
                ),
                completionTokensPerSecond: perSecond(
                    completionTokens - 1,
                    completionMs,
                ),
            },
        };
    }
}
