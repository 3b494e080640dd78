/* answer.ts — one example put to one session: how likely the expected answer
 * was, and what the model says instead.
 *
 * The expected answer is read in one pass. As far as the likeliest token at each
 * position is the expected one, that is what would have been generated; only
 * from where they part tokens are generated one by one. The bits, and so the
 * answer, are the same. */
import type { Sequence } from "../train/examples.js";
import type { GenerateOptions, Model, Session } from "../types.js";

export interface Answered {
    /** Sum over the learned tokens, natural logarithm, and how many. */
    readonly loss: number;
    readonly count: number;
    readonly expected: string;
    /** undefined: none was asked for. */
    readonly answer: Answer | undefined;
}

interface Answer {
    readonly text: string;
    readonly finished: boolean;
}

/** Tokens of an answer that are shown after it can't be right any more. */
const SHOWN = 8;

/** Where the last answer begins and ends. */
export function lastAnswer({ isAnswer }: Sequence): {
    start: number;
    end: number;
} {
    const end = isAnswer.lastIndexOf(1) + 1;
    const start = Math.max(1, isAnswer.lastIndexOf(0, end - 1) + 1);
    return { start, end };
}

const greedy = {
    temperature: 0,
    repetitionPenalty: 1,
    presencePenalty: 0,
    frequencyPenalty: 0,
} as const;

export class Examinee {
    readonly #model: Model;
    readonly #session: Session;
    readonly #options: GenerateOptions | undefined;
    readonly #isGreedy: boolean;
    readonly #isHopeless: (answer: string, expected: string) => boolean;
    readonly #signal: AbortSignal | undefined;

    constructor(
        model: Model,
        session: Session,
        options: GenerateOptions | undefined,
        maxTokens: number,
        isHopeless: (answer: string, expected: string) => boolean,
        signal: AbortSignal | undefined,
    ) {
        this.#isHopeless = isHopeless;
        this.#model = model;
        this.#session = session;
        this.#signal = signal;
        this.#options = options && { ...greedy, maxTokens, ...options };
        const known = ["maxTokens", "temperature", "seed"];
        this.#isGreedy =
            (options?.temperature ?? 0) === 0 &&
            Object.keys(options ?? {}).every((key) => known.includes(key));
    }

    async ask(sequence: Sequence): Promise<Answered> {
        const { tokens, isAnswer } = sequence;
        const signal = this.#signal;
        const first = Math.max(1, isAnswer.indexOf(1));
        await this.#session.sync(tokens.subarray(0, first), { signal });
        const scores = await this.#session.score(tokens.subarray(first), {
            best: 1,
            signal,
        });
        let loss = 0;
        let count = 0;
        for (const [i, logprob] of scores.logprobs.entries()) {
            if (!isAnswer[first + i]) continue;
            loss -= logprob;
            count++;
        }
        const { start, end } = lastAnswer(sequence);
        const best = scores.best?.map(([one]) => one?.token) ?? [];
        let same = start;
        while (same < end && best[same - first] === tokens[same]) same++;
        const expected = await this.#text(tokens.subarray(start, end));
        const from = this.#isGreedy ? same : start;
        const answer = await this.#answer(sequence, from, expected);
        return { loss, count, expected, answer };
    }

    /** What is said, where the tokens before `from` are said in any case. */
    async #answer(
        sequence: Sequence,
        from: number,
        expected: string,
    ): Promise<Answer | undefined> {
        if (!this.#options) return undefined;
        const { tokens } = sequence;
        const { start, end } = lastAnswer(sequence);
        const max = this.#options.maxTokens ?? Infinity;
        const { eos, eot } = this.#model.specialTokens;
        const last = tokens[end - 1];
        const ends = last === eos || last === eot;
        if (from - start >= max) from = start + max;
        if ((from === end && ends) || from === start + max)
            return {
                text: await this.#text(tokens.subarray(start, from)),
                finished: from === end && ends,
            };
        await this.#session.rewind(from - 1);
        const more: number[] = [];
        const before = await this.#text(tokens.subarray(start, from));
        let text = "";
        let finished = false;
        let shown = 0;
        for await (const sampled of this.#session.generate({
            ...this.#options,
            tokens: tokens.subarray(from - 1, from),
            maxTokens: Math.min(max - (from - start), 2 ** 31 - 1),
            signal: this.#signal,
        })) {
            const { finishReason } = sampled;
            more.push(sampled.token);
            text += sampled.text;
            finished = finishReason === "end" || finishReason === "stop";
            if (this.#isHopeless(before + text, expected) && ++shown >= SHOWN)
                break;
        }
        // A stop string is no part of the text, but of the tokens.
        return {
            finished,
            text:
                from === start
                    ? text
                    : await this.#text([
                          ...tokens.subarray(start, from),
                          ...more,
                      ]),
        };
    }

    #text(tokens: ArrayLike<number>): Promise<string> {
        return this.#model.detokenize(Uint32Array.from(tokens), {
            keepControl: false,
            signal: this.#signal,
        });
    }
}
