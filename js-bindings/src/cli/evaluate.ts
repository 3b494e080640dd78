/* evaluate.ts — how good a model is at a file of examples, with each of the
 * adapters that the words name. */
import type { Candidate, CandidateResult } from "../evaluate/types.js";
import type { Model } from "../types.js";
import { numberOf, UsageError, type Args } from "./args.js";
import {
    dataFile,
    evaluation,
    metricOf,
    readFileOf,
    showProblems,
    training,
} from "./examples.js";
import { adapterWord, openModel } from "./model.js";
import { dim, note, StepLine } from "./terminal.js";

/** Wrong answers of a candidate that are printed. */
const SHOWN = 5;

async function candidatesOf(
    args: Args,
    model: Model,
    signal: AbortSignal,
): Promise<Candidate[]> {
    const words = args.values.adapter ?? ["none"];
    const candidates: Candidate[] = [];
    for (const word of words) {
        if (word === "none") {
            candidates.push({ name: "none" });
            continue;
        }
        const { file, scale } = adapterWord(word);
        const adapter = await model.loadAdapter(file, { signal });
        const [name = word] = word.split(/[\\/]/).slice(-1);
        candidates.push({ name, adapters: [{ adapter, scale }] });
    }
    return candidates;
}

export function showWrong(
    { name, wrong }: CandidateResult,
    lines: readonly number[],
): void {
    if (wrong.length === 0) return;
    note(`\nwrong with ${name}:`);
    for (const { index, expected, answer, finished } of wrong.slice(0, SHOWN)) {
        const more = finished ? "" : " …";
        note(`  line ${lines[index]}: ${JSON.stringify(answer)}${more}`);
        note(dim(`    expected ${JSON.stringify(expected)}`));
    }
    if (wrong.length > SHOWN)
        note(dim(`  and ${wrong.length - SHOWN} more: --json lists all`));
}

export async function evaluate(args: Args, signal: AbortSignal): Promise<void> {
    const { values } = args;
    const file = dataFile(args);
    const quiet = values.quiet === true;
    const maxTokens = numberOf(values, "max-tokens", 1, 1e6);
    const limit = numberOf(values, "limit", 1, 1e9);
    if (values.metric !== undefined) metricOf(args, []);
    const model = await openModel(args, signal);
    const data = await readFileOf(args, file, model);
    if (data.examples.length === 0)
        throw new UsageError(`${file} has no example that can be used`);
    if (values.learned !== undefined) {
        const { compareExamples } = await training();
        const learned = await readFileOf(args, values.learned, model);
        showProblems(file, compareExamples(learned, data), quiet);
    }
    const candidates = await candidatesOf(args, model, signal);
    const examples = data.examples.slice(0, limit);
    const { evaluationTable } = await evaluation();
    const line = new StepLine("evaluating", quiet);
    const found = await model
        .evaluate(examples, {
            candidates,
            metric: metricOf(args, examples),
            generate: maxTokens === undefined ? {} : { maxTokens },
            signal,
            onProgress: ({ name, done, total, accuracy, secondsLeft }) =>
                line.show(done, total, secondsLeft, [
                    name,
                    `${(100 * accuracy).toFixed(0)} % right`,
                ]),
        })
        .finally(() => line.clear());
    if (values.json) {
        const named = found.candidates.map((result) => ({
            ...result,
            examples: result.examples.map((one) => ({
                line: data.lines[one.index],
                ...one,
            })),
            wrong: result.wrong.map(({ index }) => data.lines[index]),
        }));
        console.log(JSON.stringify({ ...found, candidates: named }, null, 2));
    } else {
        console.log(evaluationTable(found));
        if (!quiet)
            for (const result of found.candidates)
                showWrong(result, data.lines);
    }
    await model.close();
}
