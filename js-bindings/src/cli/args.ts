/* args.ts — the words of the command line: commands, options, and the manual
 * that --help prints. */
import { parseArgs } from "node:util";

/** A mistake in the words; exit code 2. */
export class UsageError extends Error {}

export const commands = {
    chat: "chat in the terminal",
    run: "answer one prompt (argument or standard input)",
    pull: "download a model: a name, an address or hf:owner/repo/file.gguf",
    list: "the models of the manifest, and which are here",
    info: "metadata, tensors and memory forecast of a file",
    tokenize: "text to token ids",
    score: "log-probabilities and perplexity of a text file",
    train: "an adapter from a file of examples (JSONL or CSV)",
    evaluate: "how good a model is at such a file, adapters side by side",
    serve: "OpenAI's interface over HTTP, for programs on this machine",
    bench: "tokens per second, load time, memory",
} as const;
export type Command = keyof typeof commands;

const options = {
    model: { type: "string", short: "m", help: "name, path or address" },
    adapter: {
        type: "string",
        multiple: true,
        help: "FILE[:SCALE], a LoRA; several may be given (evaluate: also none)",
    },
    threads: {
        type: "string",
        short: "t",
        help: "threads (bench: a list, 1,2)",
    },
    context: { type: "string", short: "c", help: "positions of the session" },
    "max-tokens": { type: "string", short: "n", help: "longest answer" },
    temperature: { type: "string", help: "0 takes the best token" },
    "top-k": { type: "string", help: "of the k likeliest tokens" },
    "top-p": { type: "string", help: "of the likeliest with this probability" },
    "min-p": { type: "string", help: "at least this times the likeliest" },
    seed: { type: "string", help: "the same seed, the same text" },
    system: { type: "string", help: "system message" },
    stop: { type: "string", multiple: true, help: "end before this text" },
    raw: { type: "boolean", help: "complete the prompt, without the template" },
    special: { type: "boolean", help: "tokenize: parse control tokens" },
    prompt: { type: "string", help: "bench: prompt lengths, 128,512" },
    decode: { type: "string", help: "bench: tokens to generate, 64" },
    contexts: { type: "string", help: "bench: decode after, 0,2048" },
    reps: { type: "string", help: "bench: repetitions, 3" },
    save: { type: "string", help: "bench: the report as JSON" },
    compare: { type: "string", help: "bench: with an earlier report" },
    plot: { type: "string", help: "bench, train: a plot as SVG" },
    out: { type: "string", short: "o", help: "train: the adapter, a GGUF" },
    test: { type: "string", help: "train: examples to test before and after" },
    "hold-out": { type: "string", help: "train: without --test, share; 0.1" },
    validation: { type: "string", help: "train: share to stop early by, 0" },
    rank: { type: "string", help: "train: of the adapter, 8" },
    alpha: { type: "string", help: "train: twice the rank" },
    targets: { type: "string", help: "train: matrices, attn_q,attn_v,…; all" },
    epochs: { type: "string", help: "train: times through the examples, 1" },
    batch: { type: "string", help: "train: examples per step, 4" },
    rate: { type: "string", help: "train: learning rate, 0.001" },
    schedule: { type: "string", help: "train: constant, linear, cosine" },
    warmup: { type: "string", help: "train: steps, 0" },
    "weight-decay": { type: "string", help: "train: 0" },
    clip: { type: "string", help: "train: largest norm of gradients, 1" },
    "max-length": { type: "string", help: "train: tokens of an example, 512" },
    fast: { type: "boolean", help: "train: 8-bit activations forward" },
    fresh: { type: "boolean", help: "train: not from where it was stopped" },
    "skip-bad": { type: "boolean", help: "leave out examples with errors" },
    metric: { type: "string", help: "exact, contains, json; by the answers" },
    limit: { type: "string", help: "evaluate: the first so many examples" },
    learned: { type: "string", help: "evaluate: training data, to compare" },
    "prompt-column": { type: "string", help: "CSV: what is asked" },
    "completion-column": { type: "string", help: "CSV: what is answered" },
    host: { type: "string", help: "serve: the address, 127.0.0.1" },
    port: { type: "string", help: "serve: 8080; 0 takes a free one" },
    "api-key": { type: "string", help: "serve: asked for; or PIPIT_API_KEY" },
    cors: { type: "string", help: "serve: the origin of pages that may ask" },
    name: { type: "string", help: "serve: the model's name in requests" },
    sessions: { type: "string", help: "serve: answers at a time, 2" },
    queue: { type: "string", help: "serve: requests that may wait, 64" },
    "max-request": { type: "string", help: "serve: bytes of one, 4194304" },
    patience: { type: "string", help: "serve: seconds for slow clients, 60" },
    json: { type: "boolean", help: "machine-readable output" },
    quiet: { type: "boolean", short: "q", help: "no progress, no notes" },
    help: { type: "boolean", short: "h", help: "this text" },
    version: { type: "boolean", help: "the version" },
} as const;

type Values = {
    [K in keyof typeof options]?: (typeof options)[K] extends { multiple: true }
        ? string[]
        : (typeof options)[K]["type"] extends "boolean"
          ? boolean
          : string;
};

export interface Args {
    readonly command: Command | undefined;
    readonly words: readonly string[];
    readonly values: Values;
}

/** Letters to change to make one word the other. */
function distance(a: string, b: string): number {
    let row = Array.from({ length: b.length + 1 }, (_, i) => i);
    for (let i = 1; i <= a.length; i++) {
        const next = [i];
        for (let j = 1; j <= b.length; j++)
            next.push(
                Math.min(
                    (row[j] ?? 0) + 1,
                    (next[j - 1] ?? 0) + 1,
                    (row[j - 1] ?? 0) + (a[i - 1] === b[j - 1] ? 0 : 1),
                ),
            );
        row = next;
    }
    return row[b.length] ?? 0;
}

export function suggestion(word: string, known: readonly string[]): string {
    const near = known
        .map((name) => ({ name, far: distance(word, name) }))
        .sort((a, b) => a.far - b.far)[0];
    return near && near.far <= 3 ? ` (did you mean ${near.name}?)` : "";
}

export function readArgs(argv: readonly string[]): Args {
    let parsed;
    try {
        parsed = parseArgs({
            args: [...argv],
            options,
            allowPositionals: true,
        });
    } catch (cause) {
        const message = cause instanceof Error ? cause.message : String(cause);
        const name = /'--([\w-]+)/.exec(message)?.[1] ?? "";
        const text = message.split(". To specify")[0] ?? message;
        throw new UsageError(
            text + (name ? suggestion(name, Object.keys(options)) : ""),
        );
    }
    const [first, ...words] = parsed.positionals;
    if (first !== undefined && !(first in commands))
        throw new UsageError(
            `no command "${first}"${suggestion(first, Object.keys(commands))}`,
        );
    return {
        command: first as Command | undefined,
        words,
        values: parsed.values as Values,
    };
}

/** A number option, checked; undefined when it was not given. */
export function numberOf(
    values: Values,
    name: keyof Values & string,
    low: number,
    high: number,
    whole = true,
): number | undefined {
    const text = values[name];
    if (typeof text !== "string") return undefined;
    const value = Number(text);
    if (
        text.trim() === "" ||
        !(value >= low && value <= high) ||
        (whole && !Number.isInteger(value))
    )
        throw new UsageError(
            `--${name} ${text}: expected a ${whole ? "whole " : ""}number ` +
                `from ${low} to ${high}`,
        );
    return value;
}

/** A list of whole numbers, such as 1,2. */
export function listOf(
    values: Values,
    name: keyof Values & string,
    low: number,
    high: number,
): number[] | undefined {
    const text = values[name];
    if (typeof text !== "string") return undefined;
    return text.split(",").map((part) => {
        const one = numberOf({ [name]: part }, name, low, high);
        return one as number;
    });
}

/** What both `run` and `chat` give to the sampler. */
export function samplingOf(values: Values) {
    return {
        temperature: numberOf(values, "temperature", 0, 100, false),
        topK: numberOf(values, "top-k", 0, 1e6),
        topP: numberOf(values, "top-p", 0, 1, false),
        minP: numberOf(values, "min-p", 0, 1, false),
        seed: numberOf(values, "seed", 0, Number.MAX_SAFE_INTEGER),
        maxTokens: numberOf(values, "max-tokens", 1, 1e9),
        stop: values.stop,
    };
}

export function manual(): string {
    const lines = ["usage: pipit COMMAND [options] [words]", ""];
    for (const [name, help] of Object.entries(commands))
        lines.push(`  ${name.padEnd(20)}${help}`);
    lines.push("");
    for (const [name, option] of Object.entries(options)) {
        const short = "short" in option ? `-${option.short}, ` : "    ";
        lines.push(`  ${short}--${name.padEnd(14)}${option.help}`);
    }
    lines.push(
        "",
        "exit codes: 0 done, 1 another failure, 2 wrong words, 3 the file or the",
        "model is not usable, 4 network, 5 not enough memory or disk, 130 stopped",
    );
    return lines.join("\n");
}
