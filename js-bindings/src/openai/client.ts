/* client.ts — requests to replies: checked, rendered, answered choice by choice,
 * as a whole or as chunks. */
import type { Model } from "../types.js";
import { answer, checkLength, finishReason, Tally } from "./answer.js";
import type { AnswerPiece, Prompt } from "./answer.js";
import { OpenAIError, translated } from "./errors.js";
import { asColumns, TokenTexts } from "./logprobs.js";
import { SessionPool, type PoolOptions } from "./pool.js";
import { wantedChat, wantedCompletion, type Wanted } from "./request.js";
import { ChunkStream } from "./stream.js";
import type * as api from "./types.js";

/** A piece of choice `index`, ready for either form. */
interface Piece extends AnswerPiece {
    readonly index: number;
    readonly logprobs: readonly api.TokenLogprob[] | null;
}

interface Head {
    readonly id: string;
    readonly created: number;
    readonly model: string;
    readonly system_fingerprint: string;
}

const randomId = () =>
    [...crypto.getRandomValues(new Uint8Array(12))]
        .map((byte) => byte.toString(16).padStart(2, "0"))
        .join("");

export class Client {
    readonly name: string;
    readonly pool: SessionPool;
    readonly #model: Model;
    readonly #texts: TokenTexts;
    readonly #fingerprint: string;
    #ends: Promise<string[]> | undefined;

    constructor(
        model: Model,
        name: string,
        options: PoolOptions,
        fingerprint: string,
    ) {
        this.name = name;
        this.pool = new SessionPool(model, options);
        this.#model = model;
        this.#texts = new TokenTexts(model);
        this.#fingerprint = fingerprint;
    }

    async chat(
        body: unknown,
        stream: boolean,
        signal: AbortSignal | undefined,
    ): Promise<api.ChatCompletion | ChunkStream<api.ChatCompletionChunk>> {
        const wanted = wantedChat(body);
        this.checkModel(body);
        const given = wanted.messages;
        const { system } = this.#model;
        const messages =
            system === undefined || given[0]?.role === "system"
                ? given
                : [{ role: "system", content: system }, ...given];
        const prompt = await this.#render(messages, wanted.variables, signal);
        const head = this.#head("chatcmpl-");
        if (stream)
            return this.#stream(wanted, [prompt], signal, (pieces, tally) =>
                this.#chatChunks(head, wanted, pieces, tally),
            );
        return this.#whole(wanted, [prompt], signal, (choices) => ({
            ...{ ...head, object: "chat.completion" as const },
            choices: choices.map((pieces, index) => chatChoice(index, pieces)),
        }));
    }

    async complete(
        body: unknown,
        stream: boolean,
        signal: AbortSignal | undefined,
    ): Promise<api.Completion | ChunkStream<api.CompletionChunk>> {
        const wanted = wantedCompletion(body);
        this.checkModel(body);
        const prompts: Prompt[] = [];
        for (const given of wanted.prompts) {
            const tokens =
                typeof given === "string"
                    ? await this.#model.tokenize(given, {
                          ...{ parseSpecial: true, signal },
                      })
                    : Uint32Array.from(given);
            const prompt = { text: "", tokens, chat: false };
            await checkLength(this.pool, prompt);
            prompts.push(prompt);
        }
        const head = this.#head("cmpl-");
        if (stream)
            return this.#stream(wanted, prompts, signal, (pieces, tally) =>
                this.#textChunks(head, wanted, pieces, tally),
            );
        return this.#whole(wanted, prompts, signal, (choices) => ({
            ...{ ...head, object: "text_completion" as const },
            choices: choices.map((pieces, index) => textChoice(index, pieces)),
        }));
    }

    checkModel(body: unknown): void {
        const { model } = body as { readonly model?: unknown };
        if (model === undefined || model === null || model === this.name)
            return;
        throw new OpenAIError(404, {
            message: `no model ${JSON.stringify(model)} here; there is "${this.name}"`,
            ...{ param: "model", code: "model_not_found" },
        });
    }

    #head(prefix: string): Head {
        return {
            id: prefix + randomId(),
            created: Math.floor(Date.now() / 1000),
            model: this.name,
            system_fingerprint: this.#fingerprint,
        };
    }

    /** Turns that were answered here keep the tokens that were sampled, which
     * may be others than their text is cut into: what follows a known text is
     * cut alone if it begins with a token that ends a turn. */
    async #render(
        messages: readonly { readonly role: string }[],
        variables: Readonly<Record<string, unknown>>,
        signal: AbortSignal | undefined,
    ): Promise<Prompt> {
        const { text, tokens } = await this.#model.applyChatTemplate(messages, {
            ...{ ...variables, addGenerationPrompt: true, signal },
        });
        const { eos, eot } = this.#model.specialTokens;
        this.#ends ??= Promise.all(
            [eos, eot]
                .filter((end) => end !== undefined)
                .map((end) => this.#model.detokenize([end])),
        );
        const known = this.pool.known(text);
        const rest = text.slice(known.text.length);
        const follows =
            known.text !== "" &&
            (await this.#ends).some((end) => end && rest.startsWith(end));
        const prompt = { text, tokens, chat: true };
        if (follows) {
            const cut = await this.#model.tokenize(rest, {
                ...{ parseSpecial: true, addSpecial: false, signal },
            });
            prompt.tokens = Uint32Array.from([...known.tokens, ...cut]);
        }
        await checkLength(this.pool, prompt);
        return prompt;
    }

    async *#pieces(
        wanted: Wanted,
        prompts: readonly Prompt[],
        tally: Tally,
        signal: AbortSignal,
    ): AsyncGenerator<Piece, void, void> {
        const { n, sampling } = wanted;
        const hasLogprobs = sampling.logprobs !== undefined;
        for (const [which, prompt] of prompts.entries())
            for (let i = 0; i < n; i++) {
                const seed =
                    sampling.seed === undefined
                        ? undefined
                        : BigInt(sampling.seed) + BigInt(i);
                const options = { ...sampling, seed };
                for await (const piece of answer(
                    ...([this.pool, prompt, options] as const),
                    ...([tally, i === 0, signal] as const),
                ))
                    yield {
                        ...piece,
                        index: which * n + i,
                        logprobs: hasLogprobs
                            ? await this.#texts.of(piece.sampled)
                            : null,
                    };
            }
    }

    async #whole<R>(
        wanted: Wanted,
        prompts: readonly Prompt[],
        signal: AbortSignal | undefined,
        make: (choices: readonly (readonly Piece[])[]) => R,
    ): Promise<R & { usage: api.CompletionUsage; timings: api.Timings }> {
        const tally = new Tally();
        const choices: Piece[][] = prompts.flatMap(() =>
            Array.from({ length: wanted.n }, () => []),
        );
        const never = new AbortController().signal;
        const pieces = this.#pieces(wanted, prompts, tally, signal ?? never);
        for await (const piece of pieces) choices[piece.index]?.push(piece);
        const [usage, timings] = [tally.usage(), tally.timings()];
        return { ...make(choices), usage, timings };
    }

    #stream<C>(
        wanted: Wanted,
        prompts: readonly Prompt[],
        signal: AbortSignal | undefined,
        make: (
            pieces: AsyncGenerator<Piece, void, void>,
            tally: Tally,
        ) => AsyncGenerator<C, void, void>,
    ): ChunkStream<C> {
        return new ChunkStream(
            signal,
            async function* (this: Client, own: AbortSignal) {
                const tally = new Tally();
                try {
                    const pieces = this.#pieces(wanted, prompts, tally, own);
                    yield* make(pieces, tally);
                } catch (cause) {
                    throw translated(cause);
                }
            }.bind(this),
        );
    }

    async *#chatChunks(
        head: Head,
        wanted: Wanted,
        pieces: AsyncIterable<Piece>,
        tally: Tally,
    ): AsyncGenerator<api.ChatCompletionChunk, void, void> {
        const object = "chat.completion.chunk" as const;
        const chunk = (choice: api.ChatDelta): api.ChatCompletionChunk => ({
            ...{ ...head, object, choices: [choice] },
            ...(wanted.includeUsage && { usage: null }),
        });
        const plain = { logprobs: null, finish_reason: null };
        let last = -1;
        for await (const piece of pieces) {
            const { index, content, reasoning, logprobs } = piece;
            if (index !== last)
                yield chunk({
                    ...{ ...plain, index },
                    delta: { role: "assistant", content: "" },
                });
            last = index;
            if (reasoning)
                yield chunk({
                    ...{ ...plain, index },
                    delta: { reasoning_content: reasoning },
                });
            if (content || logprobs?.length)
                yield chunk({
                    ...{ index, delta: { content }, finish_reason: null },
                    logprobs: logprobs && { content: logprobs, refusal: null },
                });
            const { finishReason: reason } = piece.sampled;
            if (reason)
                yield chunk({
                    ...{ ...plain, index, delta: {} },
                    finish_reason: finishReason(reason),
                });
        }
        if (wanted.includeUsage)
            yield {
                ...{ ...head, object, choices: [] },
                ...{ usage: tally.usage(), timings: tally.timings() },
            };
    }

    async *#textChunks(
        head: Head,
        wanted: Wanted,
        pieces: AsyncIterable<Piece>,
        tally: Tally,
    ): AsyncGenerator<api.CompletionChunk, void, void> {
        const object = "text_completion" as const;
        const offsets = new Map<number, number>();
        for await (const { index, content, logprobs, sampled } of pieces) {
            const reason = sampled.finishReason;
            if (!content && !logprobs?.length && !reason) continue;
            const offset = offsets.get(index) ?? 0;
            const choice = {
                ...{ index, text: content },
                logprobs: logprobs && asColumns(logprobs, offset),
                finish_reason: reason ? finishReason(reason) : null,
            };
            offsets.set(index, offset + lengthOf(logprobs ?? []));
            yield {
                ...{ ...head, object, choices: [choice] },
                ...(wanted.includeUsage && { usage: null }),
            };
        }
        if (wanted.includeUsage)
            yield {
                ...{ ...head, object, choices: [] },
                ...{ usage: tally.usage(), timings: tally.timings() },
            };
    }
}

const lengthOf = (tokens: readonly api.TokenLogprob[]) =>
    tokens.reduce((sum, { token }) => sum + token.length, 0);

const joined = (pieces: readonly Piece[], key: "content" | "reasoning") =>
    pieces.map((piece) => piece[key]).join("");

/** Of all pieces, where they were asked for. */
function logprobsOf(pieces: readonly Piece[]): api.TokenLogprob[] | undefined {
    if (!pieces[0]?.logprobs) return undefined;
    return pieces.flatMap(({ logprobs }) => logprobs ?? []);
}

function chatChoice(index: number, pieces: readonly Piece[]): api.ChatChoice {
    const reasoning = joined(pieces, "reasoning");
    const logprobs = logprobsOf(pieces);
    return {
        index,
        message: {
            role: "assistant",
            content: joined(pieces, "content"),
            refusal: null,
            ...(reasoning && { reasoning_content: reasoning }),
        },
        logprobs: logprobs ? { content: logprobs, refusal: null } : null,
        finish_reason: finishReason(pieces.at(-1)?.sampled.finishReason),
    };
}

function textChoice(index: number, pieces: readonly Piece[]): api.TextChoice {
    const logprobs = logprobsOf(pieces);
    return {
        index,
        text: joined(pieces, "content"),
        logprobs: logprobs ? asColumns(logprobs, 0) : null,
        finish_reason: finishReason(pieces.at(-1)?.sampled.finishReason),
    };
}
