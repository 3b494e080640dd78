/* examples.ts — the examples that the command's words name, with what is wrong
 * with them on standard error. */
import { readFile } from "node:fs/promises";
import { PipitError } from "../index.js";
import type { Metric } from "../evaluate/types.js";
import type {
    DataProblem,
    ExampleFile,
    ExampleList,
    TrainingExample,
} from "../train/types.js";
import type { Model } from "../types.js";
import { UsageError, type Args } from "./args.js";
import { note } from "./terminal.js";

/** Problems that are printed; the others are counted. */
const SHOWN = 20;

export const training = () => import("../train/index.js");
export const evaluation = () => import("../evaluate/index.js");

export function dataFile({ words, command }: Args): string {
    const [file, more] = words;
    if (file === undefined)
        throw new UsageError("the file of examples is missing");
    if (more !== undefined)
        throw new UsageError(`${command} takes one file, not also ${more}`);
    return file;
}

export function showProblems(
    file: string,
    problems: readonly DataProblem[],
    quiet: boolean,
): void {
    if (quiet) return;
    for (const { line, severity, message } of problems.slice(0, SHOWN))
        note(`${file}:${line}: ${severity}: ${message}`);
    const more = problems.length - SHOWN;
    if (more > 0) note(`${file}: and ${more} more`);
}

/** Stops for what can't be used, unless the user wants it left out. */
function refuseErrors(
    args: Args,
    file: string,
    problems: readonly DataProblem[],
): void {
    const errors = problems.filter(({ severity }) => severity === "error");
    const [first] = errors;
    if (!first || args.values["skip-bad"]) return;
    throw new PipitError(
        "invalid-file",
        `${file}: ${errors.length} of its lines can't be used, the first is ` +
            `line ${first.line}: ${first.message}; --skip-bad leaves them out`,
        { details: { line: first.line } },
    );
}

export async function readFileOf(
    args: Args,
    file: string,
    model: Model,
): Promise<ExampleFile> {
    let bytes;
    try {
        bytes = await readFile(file);
    } catch (cause) {
        throw new PipitError("not-found", `can't read ${file}`, { cause });
    }
    const { readExamples } = await training();
    const { values } = args;
    const chats = model.chatTemplate !== undefined && !values.raw;
    const isTable = /\.(csv|tsv)$/i.test(file);
    const found = await readExamples(bytes, {
        format: isTable ? "csv" : undefined,
        promptColumn: values["prompt-column"],
        completionColumn: values["completion-column"],
        system: values.system,
        chat: chats && (isTable || values.system !== undefined),
    });
    showProblems(file, found.problems, values.quiet === true);
    refuseErrors(args, file, found.problems);
    return found;
}

/** Without those that the model can't take. */
export async function fitting(
    args: Args,
    file: string,
    model: Model,
    list: ExampleList,
    maxLength: number,
    signal: AbortSignal,
): Promise<ExampleList & { readonly lines: readonly number[] }> {
    const { checkExamples } = await training();
    const { problems } = await checkExamples(model, list, {
        maxLength,
        signal,
    });
    showProblems(file, problems, args.values.quiet === true);
    refuseErrors(args, file, problems);
    const bad = new Set(problems.map(({ line }) => line));
    const lines = list.lines ?? list.examples.map((_, i) => i + 1);
    const good = lines.flatMap((line, i) => (bad.has(line) ? [] : [i]));
    return {
        examples: good.map((i) => list.examples[i] as TrainingExample),
        lines: good.map((i) => lines[i] as number),
    };
}

function isJson(example: TrainingExample): boolean {
    const answer =
        "messages" in example
            ? example.messages.at(-1)?.content
            : example.completion;
    if (typeof answer !== "string" || !/^\s*[{[]/.test(answer)) return false;
    try {
        JSON.parse(answer);
        return true;
    } catch {
        return false;
    }
}

/** What --metric says, else by what the answers are. */
export function metricOf(
    { values }: Args,
    examples: readonly TrainingExample[],
): Metric & string {
    const { metric } = values;
    if (metric === undefined) return examples.every(isJson) ? "json" : "exact";
    if (metric === "exact" || metric === "contains" || metric === "json")
        return metric;
    throw new UsageError(`--metric ${metric}: exact, contains or json`);
}
