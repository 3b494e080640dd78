/* check.ts — what is wrong with examples, or looks like a mistake. */
import { PipitError } from "../errors.js";
import type { Model } from "../types.js";
import { encode, knownRoles } from "./examples.js";
import type {
    DataProblem,
    ExampleLengths,
    ExampleList,
    TrainingExample,
} from "./types.js";

type Fault = Pick<DataProblem, "code" | "message">;

const isBlank = (value: unknown) =>
    value === undefined ||
    value === null ||
    (typeof value === "string" && value.trim() === "") ||
    (Array.isArray(value) && value.length === 0);

function messageFault(message: unknown, i: number): Fault | undefined {
    if (typeof message !== "object" || message === null)
        return { code: "malformed", message: `message ${i + 1} is no object` };
    const { role, content, tool_calls } = message as Record<string, unknown>;
    if (typeof role !== "string" || !knownRoles.includes(role))
        return {
            code: "unknown-role",
            message:
                `message ${i + 1} has the role ${JSON.stringify(role)}; ` +
                `known are ${knownRoles.join(", ")}`,
        };
    if (!isBlank(content) || tool_calls) return undefined;
    return role === "assistant"
        ? { code: "no-answer", message: "the assistant's message is empty" }
        : { code: "empty", message: `message ${i + 1} (${role}) is empty` };
}

function chatFault(messages: unknown): Fault | undefined {
    if (!Array.isArray(messages))
        return { code: "malformed", message: "messages is no list" };
    if (messages.length === 0)
        return { code: "empty", message: "there are no messages" };
    for (const [i, message] of messages.entries()) {
        const fault = messageFault(message, i);
        if (fault) return fault;
    }
    return messages.at(-1).role === "assistant"
        ? undefined
        : { code: "no-answer", message: "the last message is no assistant's" };
}

function faultOf(value: unknown): Fault | undefined {
    if (typeof value !== "object" || value === null || Array.isArray(value))
        return { code: "malformed", message: "no object" };
    if ("messages" in value) return chatFault(value.messages);
    if (!("prompt" in value) || !("completion" in value))
        return {
            code: "malformed",
            message: "neither messages nor prompt and completion",
        };
    const { prompt, completion } = value;
    if (isBlank(completion))
        return { code: "no-answer", message: "the completion is empty" };
    if (isBlank(prompt))
        return { code: "empty", message: "the prompt is empty" };
    return [prompt, completion].every((text) => typeof text === "string")
        ? undefined
        : { code: "malformed", message: "prompt and completion are texts" };
}

/** Why an object of a file is no example. */
export function problemsOf(value: unknown, line: number): DataProblem[] {
    const fault = faultOf(value);
    return fault ? [{ line, severity: "error", ...fault }] : [];
}

const squeezed = (value: unknown): string =>
    JSON.stringify(value, (_, inner: unknown) =>
        typeof inner === "string" ? inner.trim().replace(/\s+/g, " ") : inner,
    );

/** Question and answer, without what makes no difference. */
function keys(example: TrainingExample): { question: string; answer: string } {
    const list = (text: unknown) =>
        ArrayBuffer.isView(text) ? Array.from(text as Uint32Array) : text;
    if ("messages" in example) {
        const { messages } = example;
        return {
            question: squeezed(messages.slice(0, -1)),
            answer: squeezed(messages.slice(-1)),
        };
    }
    return {
        question: squeezed(list(example.prompt)),
        answer: squeezed(list(example.completion)),
    };
}

const lineOf = ({ lines }: ExampleList, i: number) => lines?.[i] ?? i + 1;

/** Examples that are there twice, alike or with different answers. */
export function findTwins(list: ExampleList): DataProblem[] {
    const seen = new Map<string, { line: number; answer: string }>();
    const problems: DataProblem[] = [];
    for (const [i, example] of list.examples.entries()) {
        const line = lineOf(list, i);
        const { question, answer } = keys(example);
        const first = seen.get(question);
        if (!first) seen.set(question, { line, answer });
        else if (first.answer === answer)
            problems.push({
                ...{ line, severity: "warning", code: "duplicate" },
                message: `the same example as in line ${first.line}`,
                other: first.line,
            });
        else
            problems.push({
                ...{ line, severity: "warning", code: "contradictory" },
                message: `another answer to the question of line ${first.line}`,
                other: first.line,
            });
    }
    return problems;
}

/** Examples of a test that are also learned: their results say nothing. Lines
 * are the test's, `other` is where the example is learned. */
export function compareExamples(
    learned: ExampleList,
    test: ExampleList,
): DataProblem[] {
    const seen = new Map(
        learned.examples.map((example, i) => [
            keys(example).question,
            lineOf(learned, i),
        ]),
    );
    return test.examples.flatMap((example, i): DataProblem[] => {
        const other = seen.get(keys(example).question);
        if (other === undefined) return [];
        return [
            {
                ...{ line: lineOf(test, i), severity: "warning" },
                ...{ code: "also-in-training", other },
                message: `also learned, from line ${other} of the training data`,
            },
        ];
    });
}

/** Tokens of each example, and what the model can't take: too long, refused by
 * its template. */
export async function checkExamples(
    model: Model,
    list: ExampleList,
    options: {
        /** As in `trainAdapter`. */
        readonly maxLength?: number | undefined;
        readonly signal?: AbortSignal | undefined;
    } = {},
): Promise<ExampleLengths> {
    const { maxLength = Math.min(512, model.contextLength), signal } = options;
    const tokens: number[] = [];
    const answerTokens: number[] = [];
    const problems: DataProblem[] = [];
    for (const [i, example] of list.examples.entries()) {
        const line = lineOf(list, i);
        try {
            const sequence = await encode(model, example, signal);
            const { length } = sequence.tokens;
            tokens.push(length);
            answerTokens.push(sequence.isAnswer.reduce((a, b) => a + b, 0));
            if (length > maxLength)
                problems.push({
                    ...{ line, severity: "error", code: "too-long" },
                    message: `${length} tokens, more than ${maxLength}`,
                });
        } catch (failure) {
            if (!(failure instanceof PipitError)) throw failure;
            const { code, message } = failure;
            if (code === "aborted" || code === "closed") throw failure;
            tokens.push(0);
            answerTokens.push(0);
            problems.push({
                ...{ line, severity: "error", code: "malformed" },
                message,
            });
        }
    }
    return { tokens, answerTokens, problems };
}
