/* data.ts — examples from a file: JSONL of chats or of prompt and completion, or
 * CSV with two columns. Every problem is named by its line. */
import { PipitError } from "../errors.js";
import type { ChatMessage } from "../types.js";
import { findTwins, problemsOf } from "./check.js";
import { refuse } from "./examples.js";
import type {
    DataProblem,
    ExampleFile,
    ReadExamplesOptions,
    TrainingExample,
} from "./types.js";

/** What a line of a file says, before it is looked at. */
export interface Row {
    readonly line: number;
    readonly value: unknown;
}

export interface Rows {
    readonly rows: readonly Row[];
    readonly problems: readonly DataProblem[];
    readonly columns: readonly string[] | undefined;
}

export const malformed = (line: number, message: string): DataProblem => ({
    line,
    severity: "error",
    code: "malformed",
    message,
});

/** The text, without a byte order mark; what is no text is named by its line. */
function decode(bytes: Uint8Array): string {
    const isWide = bytes[0] === 0xff && bytes[1] === 0xfe;
    if (isWide) return new TextDecoder("utf-16le").decode(bytes);
    const decoder = new TextDecoder("utf-8", { fatal: true });
    try {
        return decoder.decode(bytes);
    } catch (cause) {
        let line = 1;
        for (let at = 0; ; line++) {
            const end = bytes.indexOf(10, at);
            try {
                const stop = end < 0 ? bytes.length : end;
                decoder.decode(bytes.subarray(at, stop));
            } catch {
                break;
            }
            if (end < 0) break;
            at = end + 1;
        }
        throw new PipitError(
            "invalid-file",
            `line ${line}: no UTF-8; save the file as UTF-8`,
            { cause, details: { line } },
        );
    }
}

function readJsonl(text: string): Rows {
    const rows: Row[] = [];
    const problems: DataProblem[] = [];
    for (const [i, words] of text.split("\n").entries()) {
        if (words.trim() === "") continue;
        const line = i + 1;
        try {
            rows.push({ line, value: JSON.parse(words) });
        } catch (cause) {
            const array = line === 1 && /^\s*\[/.test(words);
            const hint = array
                ? "one object per line is wanted, no list: "
                : "";
            const { message } = cause as Error;
            problems.push(malformed(line, `no JSON: ${hint}${message}`));
        }
    }
    return { rows, problems, columns: undefined };
}

/** A prompt and its completion as a chat. */
function chatOf(
    { prompt, completion }: { prompt: string; completion: string },
    system: string | undefined,
): { messages: ChatMessage[] } {
    const before =
        system === undefined ? [] : [{ role: "system", content: system }];
    return {
        messages: [
            ...before,
            { role: "user", content: prompt },
            { role: "assistant", content: completion },
        ],
    };
}

function exampleOf(
    value: Record<string, unknown>,
    { chat, system }: ReadExamplesOptions,
): TrainingExample {
    if ("messages" in value) {
        const messages = value["messages"] as ChatMessage[];
        const lacksSystem = messages[0]?.role !== "system";
        return {
            messages:
                system !== undefined && lacksSystem
                    ? [{ role: "system", content: system }, ...messages]
                    : messages,
        };
    }
    const pair = {
        prompt: String(value["prompt"]),
        completion: String(value["completion"]),
    };
    return (chat ?? system !== undefined) ? chatOf(pair, system) : pair;
}

async function bytesOf(
    source: string | Blob | ArrayBuffer | Uint8Array,
): Promise<string> {
    if (typeof source === "string") return source.replace(/^\ufeff/, "");
    if (source instanceof Blob) source = await source.arrayBuffer();
    return decode(new Uint8Array(source as ArrayBuffer));
}

/** Examples of a file, or of its text. What can't be used is left out and named
 * in `problems`, as is what looks like a mistake: examples that are there twice,
 * or twice with different answers. Throws "invalid-file" where the file is no
 * text, and, with `strict`, for the first problem that is an error. */
export async function readExamples(
    source: string | Blob | ArrayBuffer | Uint8Array,
    options: ReadExamplesOptions = {},
): Promise<ExampleFile> {
    const text = await bytesOf(source);
    const format = options.format ?? guess(text);
    if (format !== "csv" && format !== "jsonl")
        refuse('format is "jsonl" or "csv"');
    const { rows, problems, columns } =
        format === "csv"
            ? (await import("./csv.js")).readCsv(text, options)
            : readJsonl(text);
    const all = [...problems];
    const examples: TrainingExample[] = [];
    const lines: number[] = [];
    for (const { line, value } of rows) {
        const wrong = problemsOf(value, line);
        all.push(...wrong);
        if (wrong.length > 0) continue;
        examples.push(exampleOf(value as Record<string, unknown>, options));
        lines.push(line);
    }
    if (rows.length + problems.length === 0)
        all.push({
            line: 1,
            severity: "error",
            code: "empty",
            message: "there is no example in the file",
        });
    all.push(...findTwins({ examples, lines }));
    all.sort((a, b) => a.line - b.line);
    const error = all.find(({ severity }) => severity === "error");
    if (options.strict && error) throw problemError(error);
    return { format, examples, lines, problems: all, columns };
}

/** A problem as the error that it would be. */
export function problemError({ line, code, message }: DataProblem): PipitError {
    return new PipitError(
        code === "too-long" ? "context-overflow" : "invalid-file",
        `line ${line}: ${message}`,
        { details: { line } },
    );
}

/** JSONL begins with a brace. */
const guess = (text: string): "csv" | "jsonl" =>
    /^\s*[{[]/.test(text) || text.trim() === "" ? "jsonl" : "csv";
