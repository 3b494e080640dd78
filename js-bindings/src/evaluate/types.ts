/* types.ts — what can be asked of an evaluation, and what it says. */
import type { TrainingExample } from "../train/types.js";
import type { AdapterUse, GenerateOptions, Model } from "../types.js";

/** How an answer is judged against the example's own, both without white space
 * at their ends:
 * - "exact": the same text,
 * - "contains": the expected text stands in the answer,
 * - "json": the same value; keys in any order. The expected answers are JSON.
 * - a function: true or false, or a share from 0 to 1. */
export type Metric =
    | "exact"
    | "contains"
    | "json"
    | ((
          answer: string,
          expected: string,
          example: TrainingExample,
      ) => boolean | number | Promise<boolean | number>);

export interface Candidate {
    /** In the table. */
    readonly name: string;
    /** Default: the model that `evaluate` was given. */
    readonly model?: Model | undefined;
    /** Of that model; none: the base. */
    readonly adapters?: readonly AdapterUse[] | undefined;
}

export interface EvaluateProgress {
    /** Of the candidate that is at work. */
    readonly name: string;
    /** Examples answered, and in all, over all candidates. */
    readonly done: number;
    readonly total: number;
    /** Of this candidate so far. */
    readonly accuracy: number;
    readonly secondsLeft: number;
}

export interface EvaluateOptions {
    /** Of the only candidate, when none are named. */
    readonly adapters?: readonly AdapterUse[] | undefined;
    /** To be compared, one after the other. */
    readonly candidates?: readonly Candidate[] | undefined;
    /** "exact". */
    readonly metric?: Metric | undefined;
    /** How answers are sampled. Default: the best token each time, up to 8
     * tokens more than the longest expected answer has. false: no answers, only
     * loss and perplexity. */
    readonly generate?:
        | false
        | Omit<
              GenerateOptions,
              "tokens" | "prompt" | "signal" | "onProgress" | "logprobs"
          >
        | undefined;
    /** That work at the same time, 1 to 32, each with a context of its own;
     * answers being generated share their passes over the weights. 4, fewer
     * where their contexts are long. */
    readonly sessions?: number | undefined;
    readonly signal?: AbortSignal | undefined;
    /** After each example; awaited. */
    readonly onProgress?: ((progress: EvaluateProgress) => unknown) | undefined;
}

export interface JudgedExample {
    /** Counted from 0, as in the list that was given. */
    readonly index: number;
    readonly expected: string;
    /** "" where nothing was generated. With "exact" and "json", what can't be
     * right any more is not finished. */
    readonly answer: string;
    /** It ended by itself. */
    readonly finished: boolean;
    /** 1: right; 0: wrong; a function may give shares. NaN without answers. */
    readonly score: number;
    /** Mean of the expected answer's tokens, natural logarithm. */
    readonly loss: number;
    /** Of the metric "json": which fields of the expected answer are right. */
    readonly fields: Readonly<Record<string, boolean>> | undefined;
}

export interface CandidateResult {
    readonly name: string;
    /** Mean score, from 0 to 1; NaN without answers. */
    readonly accuracy: number;
    /** Of the metric "json", where answers are objects: by field. */
    readonly fields: Readonly<Record<string, number>> | undefined;
    /** Mean over all tokens of the expected answers. */
    readonly loss: number;
    readonly perplexity: number;
    readonly seconds: number;
    readonly examples: readonly JudgedExample[];
    /** Those with a score below 1. */
    readonly wrong: readonly JudgedExample[];
}

export interface Evaluation {
    /** "function" for one of the caller's. */
    readonly metric: "exact" | "contains" | "json" | "function";
    /** In the order given. */
    readonly candidates: readonly CandidateResult[];
}
