/* model.ts — the model that the options name, loaded. */
import { loadModel } from "../index.js";
import { defaultModel } from "../node/models.js";
import type { AdapterUse, LoadOptions, Model } from "../types.js";
import { numberOf, type Args } from "./args.js";
import { ProgressLine } from "./terminal.js";

export const modelName = (args: Args) => args.values.model ?? defaultModel;

export async function openModel(
    args: Args,
    signal: AbortSignal,
    options: LoadOptions = {},
): Promise<Model> {
    const progress = new ProgressLine(args.values.quiet === true);
    try {
        return await loadModel(modelName(args), {
            threads: numberOf(args.values, "threads", 1, 64),
            contextLength: numberOf(args.values, "context", 1, 1e9),
            signal,
            onProgress: progress.show,
            ...options,
        });
    } finally {
        progress.clear();
    }
}

/** "FILE:SCALE"; a file's name may hold colons. */
export function adapterWord(word: string): { file: string; scale: number } {
    const [, file, number] = /^(.+):([^:]*)$/.exec(word) ?? [];
    const scale = Number(number);
    return file === undefined || number?.trim() === "" || isNaN(scale)
        ? { file: word, scale: 1 }
        : { file, scale };
}

/** What --adapter names, loaded, for createSession and createChat. */
export async function adaptersOf(
    args: Args,
    model: Model,
    signal: AbortSignal,
): Promise<{ adapters: AdapterUse[] }> {
    const adapters = [];
    for (const word of args.values.adapter ?? []) {
        const { file, scale } = adapterWord(word);
        const adapter = await model.loadAdapter(file, { signal });
        adapters.push({ adapter, scale });
    }
    return { adapters };
}

/** The words of the command, or what comes on standard input. */
export async function inputText(args: Args, what: string): Promise<string> {
    if (args.words.length > 0 && args.words[0] !== "-")
        return args.words.join(" ");
    if (process.stdin.isTTY && args.words.length === 0) {
        const { UsageError } = await import("./args.js");
        throw new UsageError(`${what} is missing`);
    }
    const parts: Buffer[] = [];
    for await (const part of process.stdin) parts.push(part as Buffer);
    return Buffer.concat(parts).toString("utf8");
}
