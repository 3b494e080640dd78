/* examples.ts — examples as tokens, with what is learned marked. */
import { PipitError } from "../errors.js";
import type { Model } from "../types.js";
import type { TrainingExample, TrainingText } from "./types.js";

export interface Sequence {
    readonly tokens: Uint32Array;
    readonly isAnswer: Uint8Array;
}

/** Roles that templates know; others are a slip of the pen. */
export const knownRoles: readonly string[] = [
    "system",
    "developer",
    "user",
    "assistant",
    "tool",
    "function",
    "ipython",
];

interface Segment {
    readonly tokens: ArrayLike<number>;
    readonly learned: boolean;
}

function joined(segments: readonly Segment[]): Sequence {
    const n = segments.reduce((sum, { tokens }) => sum + tokens.length, 0);
    const sequence = {
        tokens: new Uint32Array(n),
        isAnswer: new Uint8Array(n),
    };
    let end = 0;
    for (const { tokens, learned } of segments) {
        sequence.tokens.set(tokens, end);
        if (learned) sequence.isAnswer.fill(1, end, end + tokens.length);
        end += tokens.length;
    }
    return sequence;
}

/** Tokens of the segment until the end of the turn, and the rest. */
function throughEnd(model: Model, tokens: Uint32Array): Segment[] {
    const { eos, eot } = model.specialTokens;
    let n = tokens.length;
    while (n > 0 && tokens[n - 1] !== eos && tokens[n - 1] !== eot) n--;
    if (n === 0) n = tokens.length;
    return [
        { tokens: tokens.subarray(0, n), learned: true },
        { tokens: tokens.subarray(n), learned: false },
    ];
}

async function chat(
    model: Model,
    { messages }: Extract<TrainingExample, { messages: unknown }>,
    signal: AbortSignal | undefined,
): Promise<Sequence> {
    if (!Array.isArray(messages)) refuse("messages is an array");
    for (const { role } of messages)
        if (!knownRoles.includes(role))
            refuse(`unknown role "${role}": ${knownRoles.join(", ")}`);
    const answers = messages.flatMap(({ role }, i) =>
        role === "assistant" ? [i] : [],
    );
    if (answers.length === 0) refuse("no message of the assistant");
    const render = async (n: number, addGenerationPrompt: boolean) => {
        const options = { addGenerationPrompt, signal };
        const some = messages.slice(0, n).map((message) => ({ ...message }));
        return (await model.applyChatTemplate(some, options)).text;
    };
    const tokenize = (text: string) =>
        model.tokenize(text, { addSpecial: false, parseSpecial: true, signal });
    const turns: { before: string; after: string }[] = [];
    for (const i of answers) {
        const before = await render(i, true);
        const after = await render(i + 1, false);
        if (!after.startsWith(before))
            refuse("the template does not go on from its own prompt");
        turns.push({ before, after });
    }
    // A template that rewrites earlier turns lets only the last be learned.
    const goesOn = turns.every(
        ({ before }, i) => i === 0 || before.startsWith(turns[i - 1]!.after),
    );
    const segments: Segment[] = [];
    let done = 0;
    for (const { before, after } of goesOn ? turns : turns.slice(-1)) {
        segments.push({
            tokens: await tokenize(before.slice(done)),
            learned: false,
        });
        const answer = await tokenize(after.slice(before.length));
        segments.push(...throughEnd(model, answer));
        done = after.length;
    }
    if (segments.at(-1)?.learned === false) segments.pop();
    return joined(segments);
}

async function textTokens(
    model: Model,
    text: TrainingText,
    addSpecial: boolean,
): Promise<ArrayLike<number>> {
    if (typeof text === "string")
        return model.tokenize(text, { addSpecial, parseSpecial: false });
    if (!ArrayBuffer.isView(text) && !Array.isArray(text))
        return refuse("prompt and completion are texts or tokens");
    const tokens = Array.from(text as ArrayLike<number>);
    const { vocabularySize } = model;
    for (const token of tokens)
        if (!Number.isInteger(token) || token < 0 || token >= vocabularySize)
            throw new PipitError(
                "invalid-token",
                `token ${token} is outside the vocabulary`,
            );
    return tokens;
}

async function completion(
    model: Model,
    example: Extract<TrainingExample, { prompt: unknown }>,
): Promise<Sequence> {
    const prompt = await textTokens(model, example.prompt, true);
    const answer = await textTokens(model, example.completion, false);
    const { eos } = model.specialTokens;
    const end =
        typeof example.completion === "string" && eos !== undefined
            ? [eos]
            : [];
    if (answer.length === 0) refuse("an empty completion");
    return joined([
        { tokens: prompt, learned: false },
        { tokens: answer, learned: true },
        { tokens: end, learned: true },
    ]);
}

export function refuse(what: string): never {
    throw new PipitError("invalid-argument", what);
}

export async function encode(
    model: Model,
    example: TrainingExample,
    signal: AbortSignal | undefined,
): Promise<Sequence> {
    if (typeof example !== "object" || example === null)
        return refuse("no object with messages, or prompt and completion");
    if ("messages" in example) return chat(model, example, signal);
    if ("prompt" in example && "completion" in example)
        return completion(model, example);
    return refuse("neither messages nor prompt and completion");
}

/** All of them; an error names its line, counted from 1. */
export async function sequencesOf(
    model: Model,
    examples: readonly TrainingExample[],
    maxLength: number,
    signal: AbortSignal | undefined,
): Promise<Sequence[]> {
    const sequences: Sequence[] = [];
    for (const [i, example] of examples.entries()) {
        try {
            const sequence = await encode(model, example, signal);
            const { length } = sequence.tokens;
            if (length > maxLength)
                throw new PipitError(
                    "context-overflow",
                    `${length} tokens, more than maxLength ${maxLength}`,
                    { details: { tokens: length } },
                );
            if (!sequence.isAnswer.includes(1, 1)) refuse("nothing to learn");
            sequences.push(sequence);
        } catch (failure) {
            if (!(failure instanceof PipitError)) throw failure;
            const { code, message, details, cause } = failure;
            if (code === "aborted" || code === "closed") throw failure;
            throw new PipitError(code, `line ${i + 1}: ${message}`, {
                cause,
                details: { ...details, line: i + 1 },
            });
        }
    }
    return sequences;
}
