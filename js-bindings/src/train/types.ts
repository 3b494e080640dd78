/* types.ts — what can be said of training, and what comes of it. */
import type { ChatMessage } from "../types.js";

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
    /** Given a checkpoint every `checkpointEvery` steps (50). Awaited. */
    readonly onCheckpoint?: ((bytes: Uint8Array) => unknown) | undefined;
    readonly checkpointEvery?: number | undefined;
    /** A checkpoint of the same model, examples and options: goes on from it,
     * with the same bits as if there had been no break. */
    readonly resume?: Uint8Array | undefined;
    /** Into the file's metadata; keys get the prefix "pipit.training.". */
    readonly notes?: Readonly<Record<string, string>> | undefined;
}

export interface TrainedAdapter {
    /** A GGUF file that llama.cpp loads too. */
    readonly bytes: Uint8Array;
    /** Of each step. */
    readonly losses: readonly number[];
    /** Of each epoch. */
    readonly validationLosses: readonly number[];
    /** "early": validation became worse; "diverged": the loss was no number any
     * more, the adapter is that of the step before. */
    readonly finishReason: "done" | "early" | "diverged";
    /** Bytes beyond the model. */
    readonly memory: number;
    readonly tokensPerSecond: number;
}
