/* types.ts — OpenAI's requests and replies, as far as they are offered here. */

/** What a request that names no value for a key may say too. */
type Optional<T> = T | null | undefined;

export interface TextPart {
    readonly type: "text";
    readonly text: string;
}

export interface ChatMessageParam {
    /** "developer" is "system" to the template. */
    readonly role: "system" | "developer" | "user" | "assistant";
    /** Parts are joined by line ends. */
    readonly content: string | readonly TextPart[];
    readonly name?: string | undefined;
    /** What the assistant thought, for templates that want it back. */
    readonly reasoning_content?: string | undefined;
}

/** Keys of both kinds of request. What is left out is the model's own default
 * (`general.sampling.*`), else the best token is taken. */
export interface CommonParams {
    /** The name given to `createOpenAI`; left out, that model. */
    readonly model?: Optional<string>;
    readonly stream?: Optional<boolean>;
    readonly stream_options?: Optional<{
        readonly include_usage?: boolean | undefined;
    }>;
    readonly temperature?: Optional<number>;
    readonly top_p?: Optional<number>;
    readonly presence_penalty?: Optional<number>;
    readonly frequency_penalty?: Optional<number>;
    /** By token id, from -100 to 100; -100 bans. */
    readonly logit_bias?: Optional<Readonly<Record<string, number>>>;
    /** Choice i of n is sampled with seed + i. */
    readonly seed?: Optional<number>;
    /** At most 16 texts. */
    readonly stop?: Optional<string | readonly string[]>;
    /** From 1 to 16, one after the other. */
    readonly n?: Optional<number>;
    readonly user?: Optional<string>;
    /** Beyond OpenAI, as other servers name them. */
    readonly top_k?: Optional<number>;
    readonly min_p?: Optional<number>;
    readonly repetition_penalty?: Optional<number>;
}

export interface ChatParams extends CommonParams {
    readonly messages: readonly ChatMessageParam[];
    readonly max_tokens?: Optional<number>;
    readonly max_completion_tokens?: Optional<number>;
    readonly logprobs?: Optional<boolean>;
    /** From 0 to 20; needs `logprobs`. */
    readonly top_logprobs?: Optional<number>;
    readonly response_format?: Optional<{ readonly type: "text" }>;
    /** Variables of the template, such as `enable_thinking`. */
    readonly chat_template_kwargs?: Optional<Readonly<Record<string, unknown>>>;
}

export interface CompletionParams extends CommonParams {
    /** A text or tokens, or several of either. */
    readonly prompt:
        | string
        | readonly string[]
        | readonly number[]
        | readonly (readonly number[])[];
    /** Default 16. */
    readonly max_tokens?: Optional<number>;
    /** As many of the best at every token, from 0 to 20. */
    readonly logprobs?: Optional<number>;
}

export interface CompletionUsage {
    readonly prompt_tokens: number;
    readonly completion_tokens: number;
    readonly total_tokens: number;
    /** Tokens of the prompt that were not evaluated again. */
    readonly prompt_tokens_details: { readonly cached_tokens: number };
}

/** As llama.cpp tells them; of all choices together. */
export interface Timings {
    readonly prompt_n: number;
    readonly prompt_ms: number;
    readonly prompt_per_second: number;
    readonly predicted_n: number;
    readonly predicted_ms: number;
    readonly predicted_per_second: number;
}

export type FinishReason = "stop" | "length";

export interface TopLogprob {
    readonly token: string;
    readonly logprob: number;
    readonly bytes: readonly number[];
}

export interface TokenLogprob extends TopLogprob {
    readonly top_logprobs: readonly TopLogprob[];
}

export interface ChatLogprobs {
    readonly content: readonly TokenLogprob[];
    readonly refusal: null;
}

/** The older form: columns. */
export interface TextLogprobs {
    readonly tokens: readonly string[];
    readonly token_logprobs: readonly number[];
    readonly top_logprobs: readonly Readonly<Record<string, number>>[];
    readonly text_offset: readonly number[];
}

interface Reply<Kind extends string, Choice> {
    readonly id: string;
    readonly object: Kind;
    /** Seconds since 1970. */
    readonly created: number;
    readonly model: string;
    /** Changes when the same seed may give another text. */
    readonly system_fingerprint: string;
    readonly choices: readonly Choice[];
}

interface Whole {
    readonly usage: CompletionUsage;
    readonly timings: Timings;
}

/** `usage` is null but in the last chunk, and there only when it was asked for
 * (`stream_options.include_usage`). */
interface Piece {
    readonly usage?: CompletionUsage | null;
    readonly timings?: Timings;
}

export interface ChatChoice {
    readonly index: number;
    readonly message: {
        readonly role: "assistant";
        readonly content: string;
        readonly refusal: null;
        readonly reasoning_content?: string;
    };
    readonly logprobs: ChatLogprobs | null;
    readonly finish_reason: FinishReason;
}

export interface ChatDelta {
    readonly index: number;
    readonly delta: {
        readonly role?: "assistant";
        readonly content?: string;
        readonly reasoning_content?: string;
    };
    readonly logprobs: ChatLogprobs | null;
    readonly finish_reason: FinishReason | null;
}

export interface TextChoice {
    readonly index: number;
    readonly text: string;
    readonly logprobs: TextLogprobs | null;
    readonly finish_reason: FinishReason;
}

export interface TextDelta extends Omit<TextChoice, "finish_reason"> {
    readonly finish_reason: FinishReason | null;
}

export type ChatCompletion = Reply<"chat.completion", ChatChoice> & Whole;
export type ChatCompletionChunk = Reply<"chat.completion.chunk", ChatDelta> &
    Piece;
export type Completion = Reply<"text_completion", TextChoice> & Whole;
export type CompletionChunk = Reply<"text_completion", TextDelta> & Piece;
