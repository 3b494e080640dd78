/* answer.ts — one choice: from tokens to an answer, piece by piece. */
import { ReasoningSplitter } from "../host/reasoning.js";
import type { GenerateOptions, Sampled } from "../types.js";
import { refuse } from "./errors.js";
import type { SessionPool } from "./pool.js";
import type { CompletionUsage, FinishReason, Timings } from "./types.js";

/** A prompt as text, where it was one, and as tokens. */
export interface Prompt {
    readonly text: string;
    readonly tokens: Uint32Array;
    /** Whether answers may begin with reasoning, and end a turn. */
    readonly chat: boolean;
}

export interface AnswerPiece {
    readonly content: string;
    readonly reasoning: string;
    readonly sampled: Sampled;
}

/** Counts over all choices of a request. */
export class Tally {
    #prompt = 0;
    #cached = 0;
    #evaluated = 0;
    #sampled = 0;
    #promptMs = 0;
    #sampledMs = 0;

    prompt(tokens: number, kept: number, first: boolean): void {
        this.#evaluated += tokens - kept;
        // The choices of one prompt have it in common.
        if (!first) return;
        this.#prompt += tokens;
        this.#cached += kept;
    }

    answer(tokens: number, promptMs: number, sampledMs: number): void {
        this.#sampled += tokens;
        this.#promptMs += promptMs;
        this.#sampledMs += sampledMs;
    }

    usage(): CompletionUsage {
        return {
            prompt_tokens: this.#prompt,
            completion_tokens: this.#sampled,
            total_tokens: this.#prompt + this.#sampled,
            prompt_tokens_details: { cached_tokens: this.#cached },
        };
    }

    timings(): Timings {
        const rate = (n: number, ms: number) => (ms > 0 ? (1000 * n) / ms : 0);
        return {
            prompt_n: this.#evaluated,
            prompt_ms: this.#promptMs,
            prompt_per_second: rate(this.#evaluated, this.#promptMs),
            predicted_n: this.#sampled,
            predicted_ms: this.#sampledMs,
            predicted_per_second: rate(this.#sampled, this.#sampledMs),
        };
    }
}

export function finishReason(reason: Sampled["finishReason"]): FinishReason {
    return reason === "end" || reason === "stop" ? "stop" : "length";
}

/** Refused before the first byte of a reply, so that it has its status. */
export async function checkLength(
    pool: SessionPool,
    { tokens, chat }: Prompt,
): Promise<void> {
    const most = await pool.contextLength();
    if (tokens.length === 0) refuse("prompt", "it has no token");
    if (tokens.length > most)
        refuse(
            chat ? "messages" : "prompt",
            `${tokens.length} tokens, the context has ${most}`,
            "context_length_exceeded",
        );
}

/** @param first whether this is the first answer to its prompt */
export async function* answer(
    pool: SessionPool,
    prompt: Prompt,
    options: GenerateOptions,
    tally: Tally,
    first: boolean,
    signal: AbortSignal,
): AsyncGenerator<AnswerPiece, void, void> {
    const lease = await pool.lease(prompt.tokens, signal);
    const splitter = prompt.chat && new ReasoningSplitter(prompt.text);
    const tokens: number[] = [];
    let raw = "";
    let ended = false;
    const startedAt = performance.now();
    let firstAt = startedAt;
    try {
        const { session } = lease;
        const { kept } = await session.sync(prompt.tokens, { signal });
        tally.prompt(prompt.tokens.length, kept, first);
        firstAt = performance.now();
        for await (const sampled of session.generate({ ...options, signal })) {
            const { token, text, finishReason } = sampled;
            tokens.push(token);
            raw += text;
            ended = finishReason === "end";
            let content = text;
            let reasoning = "";
            if (splitter) {
                const parts = splitter.add(text);
                const rest = finishReason && splitter.end();
                content = parts.answer + (rest ? rest.answer : "");
                reasoning = parts.reasoning + (rest ? rest.reasoning : "");
            }
            yield { content, reasoning, sampled };
        }
    } finally {
        const now = performance.now();
        tally.answer(tokens.length, firstAt - startedAt, now - firstAt);
        await lease.release(
            ended && prompt.chat
                ? {
                      text: prompt.text + raw,
                      tokens: [...prompt.tokens, ...tokens.slice(0, -1)],
                  }
                : undefined,
        );
    }
}
