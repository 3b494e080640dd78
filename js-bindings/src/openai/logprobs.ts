/* logprobs.ts — how likely tokens were, in both of OpenAI's forms. */
import type { Model, Sampled } from "../types.js";
import type { TextLogprobs, TokenLogprob, TopLogprob } from "./types.js";

/** What OpenAI sends for a probability of zero; JSON has no infinity. */
const NEVER = -9999;

export class TokenTexts {
    readonly #model: Model;
    readonly #bytes = new Map<number, Promise<Uint8Array>>();
    readonly #decoder = new TextDecoder();

    constructor(model: Model) {
        this.#model = model;
    }

    async #describe(token: number, logprob: number): Promise<TopLogprob> {
        let bytes = this.#bytes.get(token);
        if (!bytes) {
            bytes = this.#model.detokenizeBytes([token]);
            bytes.catch(() => this.#bytes.delete(token));
            this.#bytes.set(token, bytes);
        }
        const found = await bytes;
        return {
            token: this.#decoder.decode(found),
            logprob: Math.max(logprob, NEVER),
            bytes: [...found],
        };
    }

    /** Of one token; of none when it only ended the answer. */
    async of(sampled: Sampled): Promise<TokenLogprob[]> {
        const { token, logprob, logprobs, finishReason } = sampled;
        if (logprob === undefined || finishReason === "end") return [];
        const [own, ...best] = await Promise.all([
            this.#describe(token, logprob),
            ...(logprobs ?? []).map((one) =>
                this.#describe(one.token, one.logprob),
            ),
        ]);
        return [{ ...own, top_logprobs: best }];
    }
}

/** @param offset characters before the first of these tokens */
export function asColumns(
    tokens: readonly TokenLogprob[],
    offset: number,
): TextLogprobs {
    let at = offset;
    return {
        tokens: tokens.map(({ token }) => token),
        token_logprobs: tokens.map(({ logprob }) => logprob),
        top_logprobs: tokens.map(({ top_logprobs }) =>
            Object.fromEntries(
                top_logprobs.map(({ token, logprob }) => [token, logprob]),
            ),
        ),
        text_offset: tokens.map(({ token }) => {
            at += token.length;
            return at - token.length;
        }),
    };
}
