/* bench.ts — measures on this machine: progress on standard error, the table (or
 * JSON) on standard output. */
import { readFile, writeFile } from "node:fs/promises";
import * as os from "node:os";
import { defaultPlan, measure, type BenchReport } from "../bench/measure.js";
import { benchPlot, benchTable, parseReport } from "../bench/report.js";
import { listOf, numberOf, UsageError, type Args } from "./args.js";
import { adaptersOf, modelName, openModel } from "./model.js";
import { isTerminal, note } from "./terminal.js";

async function earlierReport(file: string): Promise<BenchReport> {
    try {
        return parseReport(await readFile(file, "utf8"));
    } catch (error) {
        throw new UsageError(`${file}: ${(error as Error).message}`);
    }
}

export async function bench(args: Args, signal: AbortSignal): Promise<void> {
    const { values } = args;
    if (values.adapter) throw new UsageError("bench takes no --adapter");
    const earlier = values.compare
        ? await earlierReport(values.compare)
        : undefined;
    const quiet = values.quiet === true || values.json === true;
    const all = os.availableParallelism();
    const one = { ...args, values: { ...values, quiet: true } };
    delete one.values.threads;
    const report = await measure(
        (threads) => openModel(one, signal, { threads }),
        {
            threads:
                listOf(values, "threads", 1, 64) ?? (all > 1 ? [1, all] : [1]),
            prompts: listOf(values, "prompt", 1, 100000) ?? defaultPlan.prompts,
            contexts:
                listOf(values, "contexts", 0, 100000) ?? defaultPlan.contexts,
            decode: numberOf(values, "decode", 1, 100000) ?? defaultPlan.decode,
            repetitions:
                numberOf(values, "reps", 1, 1000) ?? defaultPlan.repetitions,
            signal,
            adapters: async (model) =>
                (await adaptersOf(args, model, signal)).adapters,
            onProgress: ({ done, total, what }) => {
                if (quiet) return;
                if (isTerminal)
                    process.stderr.write(
                        `\r\x1b[K${done < total ? `${done + 1} of ${total}: ${what}` : ""}`,
                    );
                else if (done < total) note(`${done + 1} of ${total}: ${what}`);
            },
        },
        {
            model: modelName(args),
            machine: `${os.cpus()[0]?.model.trim() ?? os.arch()}, ${os.cpus().length} processors`,
            runtime: `Node ${process.version}`,
        },
    );
    if (values.save)
        await writeFile(values.save, `${JSON.stringify(report, null, 2)}\n`);
    if (values.plot) await writeFile(values.plot, benchPlot(report));
    console.log(
        values.json
            ? JSON.stringify(report, null, 2)
            : benchTable(report, earlier),
    );
}
