/* protocol.ts — every message between a caller and the worker of a model. */
import type { PipitErrorCode, PipitErrorDetails } from "./errors.js";
import type {
    FinishReason,
    KvType,
    Logprob,
    Metadata,
    MetadataValue,
    ModelMemory,
    Progress,
    SpecialTokens,
} from "./types.js";

/** A PipitError without what can't be posted. */
export interface ErrorData {
    readonly code: PipitErrorCode;
    readonly message: string;
    readonly details: PipitErrorDetails;
}

/** Where the worker gets the bytes: it fetches, it reads, or it asks. */
export type SourceSpec =
    | {
          readonly kind: "url";
          readonly url: string;
          readonly headers: Readonly<Record<string, string>>;
      }
    | { readonly kind: "path"; readonly path: string }
    /** In the store, under this key (browsers). */
    | { readonly kind: "stored"; readonly key: string }
    | { readonly kind: "blob"; readonly blob: Blob }
    | { readonly kind: "list"; readonly parts: readonly SourceSpec[] }
    | { readonly kind: "pull"; readonly total: number };

export interface Vocabulary {
    readonly metadata: Metadata;
    readonly size: number;
    readonly special: SpecialTokens;
    /** Texts of BOS, EOS, …, as the file writes them. */
    readonly texts: { readonly [K in keyof SpecialTokens]: string };
}

export interface LoadedModel {
    readonly vocabulary: Vocabulary;
    readonly kernels: string;
    readonly parameters: number;
    readonly contextLength: number;
    /** Bytes of the file; 0 when unknown. */
    readonly fileBytes: number;
    readonly memory: ModelMemory;
    readonly headerMs: number;
    readonly weightsMs: number;
}

export interface OpenedSession {
    readonly session: number;
    readonly contextLength: number;
    readonly memory: ModelMemory;
}

export interface AdapterSpec {
    readonly adapter: number;
    readonly scale: number;
}

export type EvalMode = "append" | "sync";

/** Sampling with every default filled in. */
export interface SamplingSpec {
    readonly temperature: number;
    readonly topK: number;
    readonly topP: number;
    readonly minP: number;
    readonly repetitionPenalty: number;
    readonly presencePenalty: number;
    readonly frequencyPenalty: number;
    readonly penaltyWindow: number;
    readonly bias: readonly (readonly [number, number])[];
    readonly seed: bigint;
}

export interface GenerateSpec {
    readonly session: number;
    readonly mode: EvalMode;
    /** Evaluated before the answer; none: go on from the logits. */
    readonly tokens: Uint32Array | undefined;
    readonly sampling: SamplingSpec;
    /** 0: until the context is full. */
    readonly maxTokens: number;
    readonly stop: readonly string[];
    readonly ignoreEnd: boolean;
    readonly promptLookup: boolean;
    /** -1: none; 0: of the chosen token; n: of the n best too. */
    readonly logprobs: number;
}

export interface SampledItem {
    readonly token: number;
    readonly text: string;
    readonly finishReason: FinishReason | undefined;
    readonly logprob: number | undefined;
    readonly logprobs: readonly Logprob[] | undefined;
}

export interface Generated {
    /** Tokens in the session before the answer; of them from the cache. */
    readonly promptTokens: number;
    readonly keptTokens: number;
    readonly length: number;
    /** Until the first token, and from it to the last, without pauses in which
     * the caller took no tokens. */
    readonly promptMs: number;
    readonly completionMs: number;
}

export interface Scored {
    readonly logprobs: Float32Array;
    readonly best: Logprob[][] | undefined;
    readonly length: number;
}

export interface TrainingResult {
    readonly loss: number;
    /** Of all gradients, before clipping. */
    readonly norm: number;
    /** Updates made so far. */
    readonly updates: number;
}

/** What can be asked: [arguments, result]. */
export interface CallTable {
    load: [
        { source: SourceSpec; contextLength: number; kernels: string | null },
        LoadedModel,
    ];
    loadTokenizer: [{ source: SourceSpec }, Vocabulary];
    metadataArray: [{ key: string }, readonly MetadataValue[]];
    tokenize: [{ text: string | Uint8Array; flags: number }, Uint32Array];
    detokenize: [{ tokens: Uint32Array; flags: number }, Uint8Array];
    loadAdapter: [
        { source: SourceSpec; anyBase: boolean },
        { adapter: number; bytes: number; memory: ModelMemory },
    ];
    closeAdapter: [{ adapter: number }, ModelMemory];
    writeAdapter: [
        { adapter: number; notes: readonly (readonly [string, string])[] },
        Uint8Array<ArrayBuffer>,
    ];
    setAdapters: [
        { session: number; adapters: readonly AdapterSpec[] },
        { length: number },
    ];
    createSession: [{ contextLength: number; kvType: KvType }, OpenedSession];
    closeSession: [{ session: number }, ModelMemory];
    eval: [
        {
            session: number;
            mode: EvalMode;
            tokens: Uint32Array;
            allLogits: boolean;
        },
        { kept: number; length: number },
    ];
    score: [{ session: number; tokens: Uint32Array; best: number }, Scored];
    rewind: [{ session: number; n: number }, { length: number }];
    logits: [
        { session: number; position: number | "last" | "all" },
        Float32Array,
    ];
    tokens: [{ session: number }, Uint32Array];
    generate: [GenerateSpec, Generated];
    /** Numbers of pipit_training_options; only measured, or begun. */
    trainOpen: [
        { options: readonly number[]; measureOnly: boolean },
        { bytes: number },
    ];
    trainStep: [
        {
            tokens: Uint32Array;
            isAnswer: Uint8Array;
            lengths: Uint32Array;
            /** Of pipit_training_kind. */
            kind: number;
            rate: number;
        },
        TrainingResult,
    ];
    trainState: [Record<string, never>, Float32Array];
    trainRestore: [{ state: Float32Array; updates: number }, void];
    trainWrite: [{ notes: readonly (readonly [string, string])[] }, Uint8Array<ArrayBuffer>];
    trainClose: [Record<string, never>, void];
}

export type Method = keyof CallTable;
export type Args<M extends Method> = CallTable[M][0];
export type Result<M extends Method> = CallTable[M][1];

export type CallMessage = {
    readonly [M in Method]: {
        readonly type: "call";
        readonly id: number;
        readonly method: M;
        readonly args: Args<M>;
    };
}[Method];

export interface ThreadStart {
    readonly engine: number;
    readonly index: number;
    readonly stackTop: number;
    readonly tls: number;
}

export type ToWorker =
    /** To the engine's worker. No memory: it makes its own, not shared. */
    | {
          readonly type: "start";
          readonly module: WebAssembly.Module;
          readonly memory: WebAssembly.Memory | undefined;
          readonly threads: number;
      }
    /** To a further thread of the engine. */
    | ({
          readonly type: "thread";
          readonly module: WebAssembly.Module;
          readonly memory: WebAssembly.Memory;
      } & ThreadStart)
    /** The threads asked for are about to enter the module. */
    | { readonly type: "threads-ready" }
    | CallMessage
    | { readonly type: "abort"; readonly id: number }
    /** The caller of generate has taken this many tokens … */
    | { readonly type: "taken"; readonly id: number; readonly n: number }
    /** … and wants no more. */
    | { readonly type: "stop"; readonly id: number }
    /** The next piece of a source; null at its end. */
    | {
          readonly type: "piece";
          readonly id: number;
          readonly piece: Uint8Array | ErrorData | null;
      };

export type FromWorker =
    | { readonly type: "threads"; readonly starts: readonly ThreadStart[] }
    | { readonly type: "thread-ready" }
    | { readonly type: "result"; readonly id: number; readonly result: unknown }
    | { readonly type: "error"; readonly id: number; readonly error: ErrorData }
    | {
          readonly type: "progress";
          readonly id: number;
          readonly progress: Progress;
      }
    | {
          readonly type: "tokens";
          readonly id: number;
          readonly items: readonly SampledItem[];
      }
    | { readonly type: "pull"; readonly id: number }
    /** The module trapped or could not start: the worker is of no use. */
    | { readonly type: "fatal"; readonly error: ErrorData };

/** To and from the worker that renders templates. */
export interface RenderRequest {
    readonly id: number;
    readonly template: string;
    readonly variables: Readonly<Record<string, unknown>>;
    /** Milliseconds since 1970 that strftime_now tells; undefined: the clock. */
    readonly now: number | undefined;
}
export type RenderReply =
    | { readonly type: "ready" }
    | { readonly type: "rendered"; readonly id: number; readonly text: string }
    | {
          readonly type: "failed";
          readonly id: number;
          readonly message: string;
      };
