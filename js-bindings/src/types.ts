/* types.ts — the public interface, and its manual.
 *
 * A *model* is a loaded file in a worker of its own. A *tokenizer* is a file's
 * vocabulary alone. A *session* is one timeline over a model: tokens and the
 * logits after the last of them. A *chat* drives a session through the file's
 * own template. Everything that takes time is a promise or an async iterator,
 * takes an AbortSignal, and fails with a `PipitError`.
 *
 * All options of a call are optional unless said otherwise. Bytes are counted
 * in plain numbers. */
/// <reference lib="esnext.disposable" preserve="true" />

import type { EvaluateOptions, Evaluation } from "./evaluate/types.js";
import type {
    TrainedAdapter,
    TrainingExample,
    TrainingOptions,
} from "./train/types.js";

export type { PipitErrorCode, PipitErrorDetails } from "./errors.js";

// ---- sources ---------------------------------------------------------------

/**
 * Where a GGUF file comes from:
 * - a name of the manifest, such as "smollm2-135m-instruct" (in Node it is
 *   downloaded once and kept; in a page it comes from the store of
 *   `pipit/models`, else from `modelBase` or the manifest's addresses),
 * - an address: a `URL`, or a string that begins with http:, https:, file:,
 *   blob: or data:, or in a page any string with a slash or ending in ".gguf",
 * - `hf:owner/repo/file.gguf`: an address of the hub,
 * - `local:NAME`: a file that was imported into the store,
 * - a path (Node): any other string,
 * - bytes: `File`, `Blob`, `ArrayBuffer`, a typed array, or a stream of chunks.
 *
 * A model in several files (`…-00001-of-00003.gguf`) is named by the address or
 * path of the first, or is a list of all in order: addresses, paths, `File`s.
 */
export type ModelSource =
    | string
    | URL
    | Blob
    | ArrayBuffer
    | ArrayBufferView
    | ReadableStream<Uint8Array>
    | readonly (string | URL | Blob)[];

/** How far a long operation is. */
export interface Progress {
    /** "download": into the store (Node); "header" and "weights": loading;
     * "evaluate": prompt tokens. */
    readonly phase: "download" | "header" | "weights" | "evaluate";
    /** Bytes, or tokens when phase is "evaluate". */
    readonly loaded: number;
    /** As `loaded`; 0 when unknown. */
    readonly total: number;
    /** `loaded` per second over the last moments; 0 when unknown. */
    readonly rate: number;
}

export type OnProgress = (progress: Progress) => void;

export interface CancelOptions {
    /** Ends the operation within 100 ms with code "aborted". */
    readonly signal?: AbortSignal | undefined;
}

export interface SourceOptions extends CancelOptions {
    readonly onProgress?: OnProgress | undefined;
    /** Headers of the request when the source is an address. */
    readonly headers?: Readonly<Record<string, string>> | undefined;
    /** Address of a folder that holds the manifest's files by file name; tried
     * first when the source is a name. */
    readonly modelBase?: string | URL | undefined;
    /** The module instead of the package's own file: its address (in Node also
     * its path), a response, its bytes, or compiled. One without threads runs
     * everywhere; a `Response` serves one call. */
    readonly wasm?: WasmSource | undefined;
    /** Takes the module that can train too (`pipit/train`): some 15 kB more to
     * fetch. */
    readonly training?: boolean | undefined;
    /** Address of the package's worker.js where a bundler moved it. */
    readonly workerUrl?: string | URL | undefined;
}

export type WasmSource =
    | string
    | URL
    | Response
    | ArrayBuffer
    | Uint8Array
    | WebAssembly.Module;

export interface LoadOptions extends SourceOptions {
    /** Threads of the engine. Default: the machine's logical processors, at
     * most 8, and at least 1; 1 where shared memory can't be had (a page
     * without the isolation headers). Results do not depend on it. */
    readonly threads?: number | undefined;
    /** Default of `createSession`: positions of a session. Default: the
     * model's own context length, at most 4096. */
    readonly contextLength?: number | undefined;
    /** Which implementation of the arithmetic, as `model.kernels` names it.
     * Default: the fastest here. Results do not depend on it. */
    readonly kernels?: string | undefined;
}

// ---- files -----------------------------------------------------------------

export type MetadataValue =
    string | number | bigint | boolean | readonly MetadataValue[] | LongArray;

/** Stands for an array of more than 1024 elements, which stays in the file's
 * header until it is asked for. */
export interface LongArray {
    readonly type: "array";
    readonly elementType: string;
    readonly length: number;
    /** All elements, read anew each time. "unsupported" for arrays of arrays;
     * "closed" after the model was. */
    values(): Promise<readonly MetadataValue[]>;
}

/** The file's keys in file order. Integers beyond 2^53 are bigints. */
export type Metadata = Readonly<Record<string, MetadataValue>>;

export interface TensorInfo {
    readonly name: string;
    /** "F32", "Q4_1", … */
    readonly type: string;
    /** The contiguous dimension first. */
    readonly shape: readonly number[];
    /** Byte in the file, and bytes there. */
    readonly offset: number;
    readonly bytes: number;
    /** Which file of a model in several, counted from 0. */
    readonly part: number;
}

export interface ForecastOptions {
    readonly contextLength?: number | undefined;
    readonly kvType?: KvType | undefined;
    readonly threads?: number | undefined;
}

/**
 * Number type of cached keys and values. "q8", 8-bit integers with scales, takes
 * half the memory of "f16", a quarter of "f32", and is several times faster over
 * long contexts; it needs heads of a multiple of 32 elements. "auto": "q8" where
 * the model has such, else "f16".
 */
export type KvType = "auto" | "q8" | "f16" | "f32";

/** What a model and one session of it need, in bytes. */
export interface Forecast {
    readonly weights: number;
    /** Header and tokenizer tables. */
    readonly vocabulary: number;
    /** Keys and values of one session. */
    readonly kvCache: number;
    /** Activations, logits, staging. */
    readonly scratch: number;
    readonly total: number;
}

/** A file's header, read without its weights. */
export interface FileInfo {
    /** GGUF version, 2 or 3. */
    readonly version: number;
    /** Of the first file, where there are several. */
    readonly headerBytes: number;
    /** Files that the model is in, mostly 1. */
    readonly parts: number;
    /** Bytes of all files; undefined when the source does not say. */
    readonly fileBytes: number | undefined;
    readonly metadata: Metadata;
    readonly tensors: readonly TensorInfo[];
    /** `general.architecture`, "" when absent. */
    readonly architecture: string;
    /** Numbers in all tensors. */
    readonly parameters: number;
    /** Memory needed; throws like `loadModel` where the file can't become a
     * model. At once, nothing is loaded. */
    forecast(options?: ForecastOptions): Forecast;
}

// ---- tokenizer -------------------------------------------------------------

export interface TokenizeOptions extends CancelOptions {
    /** BOS and EOS as the vocabulary asks. Default true. */
    readonly addSpecial?: boolean | undefined;
    /** Control tokens written out in the text become those tokens. Default
     * false: text of a user stays text. */
    readonly parseSpecial?: boolean | undefined;
}

export interface DetokenizeOptions extends CancelOptions {
    /** Control tokens as their text, instead of nothing. Default true: the
     * inverse of tokenize. */
    readonly keepControl?: boolean | undefined;
    /** Without the space that an SPM vocabulary put in front. Default false. */
    readonly dropLeadingSpace?: boolean | undefined;
}

/** Token ids given by the caller. */
export type Tokens = Uint32Array | readonly number[];

export interface SpecialTokens {
    readonly bos: number | undefined;
    readonly eos: number | undefined;
    readonly eot: number | undefined;
    readonly unknown: number | undefined;
    readonly padding: number | undefined;
}

/** Text to tokens and back; a model has these methods too. */
export interface TextCodec {
    /** Text as a string or as UTF-8 bytes (any bytes do). */
    tokenize(
        text: string | Uint8Array,
        options?: TokenizeOptions,
    ): Promise<Uint32Array>;
    /** Bytes that are no UTF-8 become U+FFFD; detokenizeBytes is lossless. */
    detokenize(tokens: Tokens, options?: DetokenizeOptions): Promise<string>;
    detokenizeBytes(
        tokens: Tokens,
        options?: DetokenizeOptions,
    ): Promise<Uint8Array>;
    /** Number of tokens in the vocabulary. */
    readonly vocabularySize: number;
    readonly specialTokens: SpecialTokens;
    readonly metadata: Metadata;
    /** Frees everything. May be called again; pending calls fail as "closed". */
    close(): Promise<void>;
    readonly closed: boolean;
    [Symbol.asyncDispose](): Promise<void>;
}

export type Tokenizer = TextCodec;

// ---- model -----------------------------------------------------------------

export interface ModelMemory {
    /** Weights and tables in kernel layout. */
    readonly weights: number;
    /** All open sessions. */
    readonly sessions: number;
    /** The module's linear memory: everything. It never shrinks before
     * `close()`. */
    readonly total: number;
}

export interface LoadTimings {
    /** Milliseconds of the whole `loadModel`. */
    readonly totalMs: number;
    /** Of starting the worker, the module and the threads. */
    readonly startMs: number;
    /** Of the header and the vocabulary. */
    readonly headerMs: number;
    /** Of reading and repacking the weights. */
    readonly weightsMs: number;
}

export interface SessionOptions extends CancelOptions {
    /** Positions. Default: that of `loadModel`. */
    readonly contextLength?: number | undefined;
    /** Default "auto". */
    readonly kvType?: KvType | undefined;
    /** See `Session.setAdapters`. */
    readonly adapters?: readonly AdapterUse[] | undefined;
}

export interface ChatOptions extends SessionOptions {
    /** A first message of the role "system"; null: none, which leaves it to the
     * template to put in its own. Default: the manifest's for its own models
     * (SmolLM2's template has one that makes it answer in French), else none. */
    readonly system?: string | null | undefined;
    /** Messages so far, after `system`. */
    readonly messages?: readonly ChatMessage[] | undefined;
    /** A Jinja template instead of the file's own, or the name of one of the
     * file's named templates. */
    readonly template?: string | undefined;
    /** Further variables for the template, such as `enable_thinking`, `tools`
     * or `documents`. */
    readonly templateVariables?: Readonly<Record<string, unknown>> | undefined;
}

/** A message as templates know it. What else is in it is passed through, such as
 * `tool_calls` or `name`. */
export interface ChatMessage {
    /** "system", "user", "assistant", or what else the template knows. */
    readonly role: string;
    /** Text, parts (`{ type: "text", text }`), or nothing. */
    readonly content?:
        | string
        | readonly Readonly<Record<string, unknown>>[]
        | null
        | undefined;
    /** What the model thought before it said so: templates that want it back
     * read it here. */
    readonly reasoning_content?: string | undefined;
    readonly [key: string]: unknown;
}

export interface ApplyTemplateOptions extends CancelOptions {
    /** Descriptions of functions, as JSON schema; passed through. */
    readonly tools?: readonly unknown[] | null | undefined;
    /** Texts to answer from; passed through. */
    readonly documents?: readonly unknown[] | null | undefined;
    /** Open the assistant's turn at the end. Default true. */
    readonly addGenerationPrompt?: boolean | undefined;
    /** Leave the last message open, so that the model goes on writing it
     * (transformers: `continue_final_message`). Then no other turn is opened.
     * Default false. */
    readonly continueFinalMessage?: boolean | undefined;
    /** Jinja, or the name of one of the file's templates. Default: its main
     * one, or with tools its `tool_use` where it has that. */
    readonly template?: string | undefined;
    /** Every other option is a variable of the template. */
    readonly [variable: string]: unknown;
}

export interface AppliedTemplate {
    readonly text: string;
    /** Control tokens parsed; BOS is there if the template writes it. */
    readonly tokens: Uint32Array;
}

export interface RenderTemplateOptions extends CancelOptions {
    /** The time that `strftime_now` tells, in the local zone. Default: now. */
    readonly now?: Date | number | undefined;
    /** Address of the package's worker.js where a bundler moved it. */
    readonly workerUrl?: string | URL | undefined;
}

/** What a file's `general.sampling.*` say. */
export type SamplingDefaults = Readonly<
    Partial<
        Record<
            | "temperature"
            | "topK"
            | "topP"
            | "minP"
            | "repetitionPenalty"
            | "presencePenalty"
            | "frequencyPenalty"
            | "penaltyWindow",
            number
        >
    >
>;

export interface Model extends TextCodec {
    /** "simd128", "relaxed-dot16", …: what the arithmetic runs on. */
    readonly kernels: string;
    readonly threads: number;
    /** The file's name for itself, or "". */
    readonly name: string;
    readonly architecture: string;
    readonly parameters: number;
    /** The longest context the model was trained for. */
    readonly contextLength: number;
    /** Bytes held, as of the last reply of the worker. */
    readonly memory: ModelMemory;
    readonly loadTimings: LoadTimings;
    /** The file's template, undefined when it has none. */
    readonly chatTemplate: string | undefined;
    /** The manifest's system message for this very file: chats that name none
     * have it. Undefined for files that are not in the manifest. */
    readonly system: string | undefined;
    /** Names of further templates in the file, such as "tool_use". */
    readonly chatTemplateNames: readonly string[];
    /** How the file wants to be sampled; used where the caller of `generate` or
     * `send` says nothing. Throws "invalid-model" when a key is no number. */
    readonly samplingDefaults: SamplingDefaults;
    /** Messages as the text and the tokens that the model was trained on. */
    applyChatTemplate(
        messages: readonly ChatMessage[],
        options?: ApplyTemplateOptions,
    ): Promise<AppliedTemplate>;
    createSession(options?: SessionOptions): Promise<Session>;
    createChat(options?: ChatOptions): Promise<Chat>;
    /** A LoRA for this model: a GGUF as llama.cpp has it, from any source that
     * `loadModel` takes, or PEFT's files. A path or an address that does not
     * end in .gguf is a folder of the latter. */
    loadAdapter(
        source: ModelSource | PeftSource,
        options?: AdapterOptions,
    ): Promise<Adapter>;
    /** `trainAdapter` of `pipit/train`, fetched with the first call. The model
     * was loaded with `training: true`. */
    trainAdapter(
        examples: readonly TrainingExample[],
        options?: TrainingOptions,
    ): Promise<TrainedAdapter>;
    /** `evaluate` of `pipit/evaluate`, fetched with the first call. */
    evaluate(
        examples: readonly TrainingExample[],
        options?: EvaluateOptions,
    ): Promise<Evaluation>;
}

// ---- adapters --------------------------------------------------------------

/** A LoRA as PEFT saves it. */
export interface PeftSource {
    /** adapter_model.safetensors */
    readonly weights: Exclude<ModelSource, readonly unknown[]>;
    /** adapter_config.json: the object, or where it is. */
    readonly config:
        Readonly<Record<string, unknown>> | string | URL | Blob | ArrayBuffer;
}

export interface AdapterOptions extends CancelOptions {
    readonly onProgress?: OnProgress | undefined;
    /** Headers of the request when the source is an address. */
    readonly headers?: Readonly<Record<string, string>> | undefined;
    /** Load it also when the file names another base model. Default false. */
    readonly anyBase?: boolean | undefined;
}

/** Low-rank additions (LoRA) to the matrices of one model, for any of its
 * sessions. */
export interface Adapter {
    /** Bytes of memory it holds. */
    readonly bytes: number;
    /** The file that llama.cpp and `loadAdapter` load. `notes` are further texts
     * for its metadata. */
    toGGUF(
        notes?: Readonly<Record<string, string>>,
    ): Promise<Uint8Array<ArrayBuffer>>;
    /** Sessions that use it go on without it. */
    close(): Promise<void>;
    readonly closed: boolean;
    [Symbol.asyncDispose](): Promise<void>;
}

export interface AdapterUse {
    readonly adapter: Adapter;
    /** Times what its file says. Default 1. */
    readonly scale?: number | undefined;
}

// ---- session ---------------------------------------------------------------

export interface EvalOptions extends CancelOptions {
    /** Keep the logits of every position of this evaluation, see `logits`. */
    readonly allLogits?: boolean | undefined;
    /** Called with phase "evaluate", at most about 60 times a second. */
    readonly onProgress?: OnProgress | undefined;
}

export interface SamplingOptions {
    /** 0 takes the best token. Default, as of all that follow: what the file
     * says (`model.samplingDefaults`), else 0. */
    readonly temperature?: number | undefined;
    /** Default 0: off. */
    readonly topK?: number | undefined;
    /** Default 1: off. */
    readonly topP?: number | undefined;
    /** Default 0: off. */
    readonly minP?: number | undefined;
    /** Default 1: off. */
    readonly repetitionPenalty?: number | undefined;
    /** Default 0. */
    readonly presencePenalty?: number | undefined;
    /** Default 0. */
    readonly frequencyPenalty?: number | undefined;
    /** Last tokens that the penalties look at. Default 0: all. */
    readonly penaltyWindow?: number | undefined;
    /** Added to logits, by token id; -Infinity bans a token. */
    readonly logitBias?:
        | ReadonlyMap<number, number>
        | Readonly<Record<number, number>>
        | undefined;
    /** The same seed gives the same text everywhere. Default: a random one
     * each time. */
    readonly seed?: number | bigint | undefined;
}

export interface GenerateOptions extends SamplingOptions, CancelOptions {
    /** Tokens to append before the answer. */
    readonly tokens?: Tokens | undefined;
    /** Text to append before the answer, instead of `tokens`: tokenized with
     * parseSpecial, and addSpecial when the session is empty. */
    readonly prompt?: string | undefined;
    /** Default: until the context is full. */
    readonly maxTokens?: number | undefined;
    /** The answer ends before any of these; they are not part of the text. */
    readonly stop?: string | readonly string[] | undefined;
    /** Go on past end-of-generation tokens. */
    readonly ignoreEndOfGeneration?: boolean | undefined;
    /** Drafts what followed the same tokens earlier in the context and evaluates
     * it in one pass; the answer is the same. It pays where long stretches are
     * copied and a pass over the weights costs more than its arithmetic.
     * Default: false. */
    readonly promptLookup?: boolean | undefined;
    /** Report the chosen token's log-probability and those of the n best, at
     * most 64; true is 1, and 0 reports the chosen token's only. */
    readonly logprobs?: number | boolean | undefined;
    /** Called while the prompt is evaluated. */
    readonly onProgress?: OnProgress | undefined;
}

/** "end": an end-of-generation token; "stop": a stop string; "length":
 * maxTokens; "context": the context is full. */
export type FinishReason = "end" | "stop" | "length" | "context";

export interface Logprob {
    readonly token: number;
    /** Natural logarithm, of the model's own distribution: before bias,
     * penalties and temperature. */
    readonly logprob: number;
}

/** One sampled token. */
export interface Sampled {
    readonly token: number;
    /** Whole characters only: may be empty, and may hold what earlier tokens
     * left behind. All texts joined are the answer. */
    readonly text: string;
    /** Set on the last token of the answer, else undefined. */
    readonly finishReason: FinishReason | undefined;
    /** When logprobs were asked for. */
    readonly logprob: number | undefined;
    /** The n best, in falling order, when asked for. */
    readonly logprobs: readonly Logprob[] | undefined;
}

export interface ScoreOptions extends CancelOptions {
    /** Report this many of the likeliest tokens too, at most 64. Default 0. */
    readonly best?: number | undefined;
    readonly onProgress?: OnProgress | undefined;
}

export interface Scores {
    /** Of each token, given all before it; NaN for the first of a session that
     * had no logits. */
    readonly logprobs: Float32Array;
    /** What was likeliest there instead, in falling order. */
    readonly best: readonly (readonly Logprob[])[] | undefined;
}

/** One timeline. A session does one thing at a time: a call while it is busy
 * waits for its turn, except that while an answer is being generated other
 * calls fail as "invalid-state". Sessions of a model share the engine fairly. */
export interface Session {
    /** Tokens held, as of the last reply of the worker. */
    readonly length: number;
    /** Positions. */
    readonly contextLength: number;
    /** Appends tokens. When aborted, the session holds those whose part of the
     * evaluation was complete. */
    eval(tokens: Tokens, options?: EvalOptions): Promise<void>;
    /** Makes the timeline equal to `tokens`: keeps the common beginning and
     * evaluates the rest, at least the last token. */
    sync(tokens: Tokens, options?: EvalOptions): Promise<{ kept: number }>;
    /** Appends tokens as `eval` does and says how likely each was. */
    score(tokens: Tokens, options?: ScoreOptions): Promise<Scores>;
    /** Keeps the first n tokens. There are no logits until the next eval. */
    rewind(n: number): Promise<void>;
    /** A copy of the logits of the last token, or after eval with `allLogits`
     * of position i of that evaluation. */
    logits(i?: number): Promise<Float32Array>;
    /** After eval with `allLogits`: all positions, n × vocabularySize. */
    allLogits(): Promise<Float32Array>;
    /** The adapters that what follows is computed with, instead of those
     * before; [] takes all off. The tokens stay, but what was computed for them
     * is dropped, unless the set is the same: the next evaluation does it anew,
     * and there are no logits until then. A millisecond at most. */
    setAdapters(adapters: readonly AdapterUse[]): Promise<void>;
    /** The tokens held. */
    tokens(): Promise<Uint32Array>;
    /** Samples an answer token by token, after `tokens` or `prompt` or, without
     * either, after what the session holds. Afterwards, however it ended (last
     * token, `break`, abort), the session holds the prompt and all the tokens
     * given out but the last one: append that one to go on. */
    generate(options?: GenerateOptions): AsyncGenerator<Sampled, void, void>;
    close(): Promise<void>;
    readonly closed: boolean;
    [Symbol.asyncDispose](): Promise<void>;
}

// ---- chat ------------------------------------------------------------------

export interface SendOptions extends SamplingOptions, CancelOptions {
    /** Called with the reasoning, in pieces as it comes. */
    readonly onReasoning?: ((text: string) => void) | undefined;
    readonly maxTokens?: number | undefined;
    readonly stop?: string | readonly string[] | undefined;
    readonly onProgress?: OnProgress | undefined;
}

export interface ChatTimings {
    /** Milliseconds of evaluating the prompt, the first token included. */
    readonly promptMs: number;
    /** Milliseconds of the tokens after the first. */
    readonly completionMs: number;
    /** From send to the first token. */
    readonly firstTokenMs: number;
    readonly promptTokensPerSecond: number;
    readonly completionTokensPerSecond: number;
}

export interface ChatTurn {
    /** "aborted": by the signal, or the caller left the loop. */
    readonly finishReason: FinishReason | "aborted";
    /** Tokens of the whole conversation before the answer … */
    readonly promptTokens: number;
    /** … of which the cache already held this many. */
    readonly cachedTokens: number;
    /** Of reasoning and answer. */
    readonly completionTokens: number;
    /** What stood between `<think>` and `</think>` before the answer; "" where
     * there was nothing. */
    readonly reasoning: string;
    readonly timings: ChatTimings;
}

/**
 * A conversation. One answer at a time.
 *
 * When an answer is aborted (signal or `break`), the part that was given out
 * stays in `messages` as the assistant's; if there was none, the user's message
 * is taken back. When a turn fails, the conversation is as it was before it.
 */
export interface Chat {
    readonly messages: readonly ChatMessage[];
    /** Facts of the last answer; undefined before the first. */
    readonly last: ChatTurn | undefined;
    readonly session: Session;
    /** Streams the answer in pieces of text, without the reasoning before it:
     * that comes through `onReasoning` and stays in `last`. */
    send(
        text: string,
        options?: SendOptions,
    ): AsyncGenerator<string, void, void>;
    /** Drops the last answer and streams another (give a temperature). */
    retry(options?: SendOptions): AsyncGenerator<string, void, void>;
    close(): Promise<void>;
    readonly closed: boolean;
    [Symbol.asyncDispose](): Promise<void>;
}
