/* types.ts — what can be said of training, and what comes of it. */
import type { Adapter, ChatMessage } from "../types.js";

/** Text, or tokens as they are. */
export type TrainingText = string | Uint32Array | readonly number[];

export type TrainingExample =
    /** Rendered with the model's template; the assistant's words are learned. */
    | { readonly messages: readonly ChatMessage[] }
    /** The completion is learned, and that the answer ends after it. */
    | { readonly prompt: TrainingText; readonly completion: TrainingText };

export const targetNames = [
    "attn_q",
    "attn_k",
    "attn_v",
    "attn_output",
    "ffn_gate",
    "ffn_up",
    "ffn_down",
] as const;
export type TrainingTarget = (typeof targetNames)[number];

export interface TrainingProgress {
    /** Updates made, and in all. */
    readonly step: number;
    readonly steps: number;
    readonly epoch: number;
    /** Of this step's batch, before the update. */
    readonly loss: number;
    /** Of the validation examples, where an epoch has just ended. */
    readonly validationLoss: number | undefined;
    /** Of the gradients, before clipping. */
    readonly norm: number;
    readonly learningRate: number;
    readonly tokensPerSecond: number;
    readonly secondsLeft: number;
    /** Bytes beyond the model. */
    readonly memory: number;
}

export interface TrainingOptions {
    /** 8. */
    readonly rank?: number | undefined;
    /** Twice the rank. */
    readonly alpha?: number | undefined;
    /** All seven. */
    readonly targets?: readonly TrainingTarget[] | undefined;
    /** 0.001. */
    readonly learningRate?: number | undefined;
    /** What becomes of it: "constant" (default), "linear" or "cosine" to 0. */
    readonly schedule?: "constant" | "linear" | "cosine" | undefined;
    /** Steps in which it rises from 0; 0. */
    readonly warmup?: number | undefined;
    /** AdamW's; 0. */
    readonly weightDecay?: number | undefined;
    /** 1. */
    readonly epochs?: number | undefined;
    /** Examples per update; 4. */
    readonly batchSize?: number | undefined;
    /** Tokens; a longer example is refused. 512, or the model's context. */
    readonly maxLength?: number | undefined;
    /** Of the adapter's first values and the order of examples; 0. */
    readonly seed?: number | undefined;
    /** Anew in each epoch; true. */
    readonly shuffle?: boolean | undefined;
    /** Examples to watch the loss of, or a share of all to set aside for it. The
     * best adapter is kept, and training stops when an epoch made it worse. */
    readonly validation?: readonly TrainingExample[] | number | undefined;
    /** Largest norm of the gradients; 1. 0: never clipped. */
    readonly clip?: number | undefined;
    /** Floats throughout; true. false: 8-bit activations forward, as sessions
     * have them, for half the time and a loss that differs by some percent. */
    readonly precise?: boolean | undefined;
    readonly signal?: AbortSignal | undefined;
    /** After each step. The next waits for what it returns: to pause, return a
     * promise and resolve it later. */
    readonly onProgress?: ((progress: TrainingProgress) => unknown) | undefined;
    /** Keeps checkpoints on this device under this name (`storage`), also when
     * `signal` ends it. If there is one of the same model, examples and options,
     * training goes on from it; one of others is replaced. Removed at the end.
     * "disk-full" where there is no room; the last one that was kept stays. */
    readonly checkpoint?: string | undefined;
    /** Given a checkpoint every `checkpointEvery` steps. Awaited. */
    readonly onCheckpoint?: ((bytes: Uint8Array) => unknown) | undefined;
    /** 10 with `checkpoint`, else 50. */
    readonly checkpointEvery?: number | undefined;
    /** A checkpoint of the same model, examples and options: goes on from it,
     * with the same bits as if there had been no break. */
    readonly resume?: Uint8Array | undefined;
    /** Into the file's metadata; keys get the prefix "pipit.training.". */
    readonly notes?: Readonly<Record<string, string>> | undefined;
    /** Of the model's file, for the adapter's metadata (`pipit.base.sha256`). */
    readonly baseSha256?: string | undefined;
}

export interface TrainingEnd {
    /** A GGUF file that llama.cpp loads too. */
    readonly bytes: Uint8Array<ArrayBuffer>;
    /** Of each step. */
    readonly losses: readonly number[];
    /** Of each epoch. */
    readonly validationLosses: readonly number[];
    /** "early": validation became worse, and the adapter is that of the best
     * epoch; "diverged": the loss rose far above its beginning or was no number
     * any more, and the adapter is that of the last good step. */
    readonly finishReason: "done" | "early" | "diverged";
    /** Why it ended before its time, in words. */
    readonly message: string | undefined;
    /** Steps that were taken from a checkpoint. */
    readonly resumedAt: number;
    /** Bytes beyond the model. */
    readonly memory: number;
    readonly tokensPerSecond: number;
}

export interface TrainedAdapter extends TrainingEnd {
    /** The adapter, for sessions and chats of the same model. */
    load(): Promise<Adapter>;
}

// ---- examples from files ---------------------------------------------------

export type DataProblemCode =
    /** No JSON, no CSV, neither messages nor prompt and completion. */
    | "malformed"
    | "unknown-role"
    /** There is nothing that could be learned. */
    | "no-answer"
    | "empty"
    | "too-long"
    | "duplicate"
    /** The same question with another answer. */
    | "contradictory"
    /** An example of a test that is also learned. */
    | "also-in-training";

export interface DataProblem {
    /** Counted from 1. */
    readonly line: number;
    /** "error": the example can't be used, and is left out. */
    readonly severity: "error" | "warning";
    readonly code: DataProblemCode;
    readonly message: string;
    /** The line that it is about too. */
    readonly other?: number;
}

export interface ReadExamplesOptions {
    /** Default: JSONL where the text begins with a brace. */
    readonly format?: "jsonl" | "csv" | undefined;
    /** Of CSV: default prompt, input, question, message, text or mail. */
    readonly promptColumn?: string | undefined;
    /** Of CSV: default completion, output, answer, label or response. */
    readonly completionColumn?: string | undefined;
    /** Prompts and completions become chats of one question, for models that
     * chat. Default: if `system` is given. */
    readonly chat?: boolean | undefined;
    /** A first message for chats that have none of the role "system". */
    readonly system?: string | undefined;
    /** Throw for what can't be used, instead of leaving it out. */
    readonly strict?: boolean | undefined;
}

/** Examples, and where they stood; without lines they are counted from 1. */
export interface ExampleList {
    readonly examples: readonly TrainingExample[];
    readonly lines?: readonly number[] | undefined;
}

export interface ExampleFile extends ExampleList {
    readonly format: "jsonl" | "csv";
    readonly lines: readonly number[];
    /** In the order of lines. */
    readonly problems: readonly DataProblem[];
    /** Names of a CSV's columns. */
    readonly columns: readonly string[] | undefined;
}

export interface ExampleLengths {
    /** Of each example; 0 where it can't be read. */
    readonly tokens: readonly number[];
    /** Those that are learned. */
    readonly answerTokens: readonly number[];
    readonly problems: readonly DataProblem[];
}
