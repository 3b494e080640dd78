/* train.ts — an adapter from a file of examples: what is wrong with them, the
 * loss as it falls, how good it is before and after on examples it has not
 * seen. A process that was stopped or killed goes on where it was. */
import { createHash } from "node:crypto";
import { createReadStream } from "node:fs";
import * as fs from "node:fs/promises";
import * as path from "node:path";
import type { Evaluation } from "../evaluate/types.js";
import { PipitError } from "../index.js";
import { findModel } from "../node/models.js";
import { writeWhole } from "../node/whole-file.js";
import type {
    ExampleList,
    TrainedAdapter,
    TrainingExample,
    TrainingOptions,
    TrainingTarget,
} from "../train/types.js";
import type { Adapter, Model } from "../types.js";
import { numberOf, UsageError, type Args } from "./args.js";
import { showWrong } from "./evaluate.js";
import {
    dataFile,
    evaluation,
    fitting,
    metricOf,
    readFileOf,
    showProblems,
    training,
} from "./examples.js";
import { modelName, openModel } from "./model.js";
import { bytes, dim, note, StepLine } from "./terminal.js";

function optionsOf({ values }: Args): TrainingOptions {
    const { schedule } = values;
    const known = ["constant", "linear", "cosine"];
    if (schedule !== undefined && !known.includes(schedule))
        throw new UsageError(`--schedule ${schedule}: ${known.join(", ")}`);
    return {
        rank: numberOf(values, "rank", 1, 1024),
        alpha: numberOf(values, "alpha", 1e-6, 1e6, false),
        targets: values.targets?.split(",") as TrainingTarget[] | undefined,
        learningRate: numberOf(values, "rate", 1e-9, 1e3, false),
        schedule: schedule as TrainingOptions["schedule"],
        warmup: numberOf(values, "warmup", 0, 1e9),
        weightDecay: numberOf(values, "weight-decay", 0, 1e3, false),
        clip: numberOf(values, "clip", 0, 1e9, false),
        epochs: numberOf(values, "epochs", 1, 1e6),
        batchSize: numberOf(values, "batch", 1, 1e4),
        maxLength: numberOf(values, "max-length", 2, 1e6),
        seed: numberOf(values, "seed", 0, 2 ** 32 - 1),
        validation: numberOf(values, "validation", 0, 0.9, false),
        precise: values.fast ? false : undefined,
    };
}

/** Before an hour of work, not after it. */
async function checkTarget(file: string): Promise<void> {
    try {
        await fs.access(path.dirname(path.resolve(file)), fs.constants.W_OK);
    } catch (cause) {
        throw new PipitError("not-found", `can't write ${file}`, { cause });
    }
}

/** Of the model's file, where there is one. */
async function sha256Of(args: Args): Promise<string | undefined> {
    const name = modelName(args);
    const entry = findModel(name);
    if (entry) return entry.sha256;
    const hash = createHash("sha256");
    try {
        for await (const piece of createReadStream(name)) hash.update(piece);
    } catch {
        return undefined; // an address
    }
    return hash.digest("hex");
}

interface Split {
    readonly learned: ExampleList & { readonly lines: readonly number[] };
    readonly unseen: ExampleList & { readonly lines: readonly number[] };
    readonly unseenFile: string;
}

/** Every so many-th example is set aside. */
function setAside(
    list: ExampleList & { readonly lines: readonly number[] },
    share: number,
): Pick<Split, "learned" | "unseen"> {
    const n = list.examples.length;
    const isUnseen = (i: number) =>
        Math.floor((i + 1) * share + 1e-9) > Math.floor(i * share + 1e-9);
    const pick = (wanted: boolean) => {
        const some = [...Array(n).keys()].filter((i) => isUnseen(i) === wanted);
        return {
            examples: some.map((i) => list.examples[i] as TrainingExample),
            lines: some.map((i) => list.lines[i] as number),
        };
    };
    return { learned: pick(false), unseen: pick(true) };
}

async function split(
    args: Args,
    file: string,
    model: Model,
    maxLength: number,
    signal: AbortSignal,
): Promise<Split> {
    const { values } = args;
    const share = numberOf(values, "hold-out", 0, 0.9, false) ?? 0.1;
    const data = await readFileOf(args, file, model);
    const all = await fitting(args, file, model, data, maxLength, signal);
    if (all.examples.length === 0)
        throw new UsageError(`${file} has no example that can be used`);
    if (values.test === undefined)
        return { ...setAside(all, share), unseenFile: file };
    const test = await readFileOf(args, values.test, model);
    return { learned: all, unseen: test, unseenFile: values.test };
}

class Job {
    readonly #args: Args;
    readonly #model: Model;
    readonly #signal: AbortSignal;
    readonly #quiet: boolean;

    constructor(args: Args, model: Model, signal: AbortSignal) {
        this.#args = args;
        this.#model = model;
        this.#signal = signal;
        this.#quiet = args.values.quiet === true;
    }

    /** How good it is at what it has not seen. */
    async judge(
        { unseen }: Split,
        name: string,
        adapter?: Adapter,
    ): Promise<Evaluation | undefined> {
        if (unseen.examples.length === 0) return undefined;
        const line = new StepLine(`testing ${name}`, this.#quiet);
        const adapters = adapter ? [{ adapter }] : [];
        try {
            return await this.#model.evaluate(unseen.examples, {
                candidates: [{ name, adapters }],
                metric: metricOf(this.#args, unseen.examples),
                signal: this.#signal,
                onProgress: ({ done, total, accuracy, secondsLeft }) =>
                    line.show(done, total, secondsLeft, [
                        `${(100 * accuracy).toFixed(0)} % right`,
                    ]),
            });
        } finally {
            line.clear();
        }
    }

    async train(
        { learned }: Split,
        options: TrainingOptions,
        checkpoint: string,
    ): Promise<TrainedAdapter> {
        const line = new StepLine("training", this.#quiet);
        let first = true;
        let at = 0;
        try {
            return await this.#model.trainAdapter(learned.examples, {
                ...options,
                checkpoint,
                checkpointEvery: 5,
                baseSha256: await sha256Of(this.#args),
                signal: this.#signal,
                onProgress: (progress) => {
                    const { step, steps, loss, validationLoss } = progress;
                    if (first && step > 1 && !this.#quiet)
                        note(`goes on after step ${step - 1}`);
                    first = false;
                    at = step;
                    const words = [
                        `loss ${loss.toFixed(4)}`,
                        `${progress.tokensPerSecond.toFixed(0)} tokens/s`,
                    ];
                    line.show(step, steps, progress.secondsLeft, words);
                    if (validationLoss === undefined || this.#quiet) return;
                    line.clear();
                    const epoch = progress.epoch + 1;
                    note(
                        `epoch ${epoch}: validation ${validationLoss.toFixed(4)}`,
                    );
                },
            });
        } catch (failure) {
            const { code } = failure as PipitError;
            line.clear();
            if (code === "aborted" && at > 0 && !this.#quiet)
                note(`kept after step ${at}: the same command goes on`);
            throw failure;
        } finally {
            line.clear();
        }
    }
}

/** The same for the same data, model and result, wherever it is started. */
function checkpointName(args: Args, data: string, out: string): string {
    const words = [path.resolve(data), path.resolve(out), modelName(args)];
    const hash = createHash("sha256").update(words.join("\n")).digest("hex");
    return `train-${hash.slice(0, 16)}`;
}

export async function train(args: Args, signal: AbortSignal): Promise<void> {
    const { values } = args;
    const file = dataFile(args);
    const { out, plot } = values;
    if (out === undefined) throw new UsageError("where to? --out FILE.gguf");
    if (values.adapter) throw new UsageError("train takes no --adapter");
    const options = optionsOf(args);
    const quiet = values.quiet === true;
    await checkTarget(out);
    if (plot !== undefined) await checkTarget(plot);
    if (values.metric !== undefined) metricOf(args, []);

    const model = await openModel(args, signal, { training: true });
    const { compareExamples, lossPlot, measureTraining, storage } =
        await training();
    const maxLength = options.maxLength ?? Math.min(512, model.contextLength);
    const parts = await split(args, file, model, maxLength, signal);
    const { learned, unseen, unseenFile } = parts;
    showProblems(unseenFile, compareExamples(learned, unseen), quiet);
    const memory = await measureTraining(model, learned.examples, options);
    if (!quiet)
        note(
            `${learned.examples.length} examples to learn, ` +
                `${unseen.examples.length} to test; ${bytes(memory)} of memory ` +
                "beyond the model",
        );
    const checkpoint = checkpointName(args, file, out);
    if (values.fresh) await storage.remove(checkpoint);

    const job = new Job(args, model, signal);
    const before = await job.judge(parts, "before");
    const trained = await job.train(parts, options, checkpoint);
    await writeWhole(out, trained.bytes);
    const { losses, validationLosses, finishReason, message } = trained;
    if (plot !== undefined) {
        const batch = options.batchSize ?? 4;
        const stepsPerEpoch = Math.ceil(
            (learned.examples.length *
                (1 - (Number(options.validation) || 0))) /
                batch,
        );
        const title = `${path.basename(out)}: loss`;
        const more = { title, validationLosses, stepsPerEpoch };
        await fs.writeFile(plot, lossPlot(losses, more));
    }
    if (message !== undefined && !quiet) note(message);
    const adapter = await trained.load();
    const after = await job.judge(parts, "after", adapter);
    const candidates = [before, after].flatMap((one) => one?.candidates ?? []);
    if (values.json)
        console.log(
            JSON.stringify(
                {
                    ...{ out, bytes: trained.bytes.length, finishReason },
                    ...{ message, memory, losses, validationLosses },
                    tokensPerSecond: trained.tokensPerSecond,
                    metric: after?.metric,
                    candidates,
                },
                null,
                2,
            ),
        );
    else {
        const { evaluationTable } = await evaluation();
        if (after) {
            console.log(evaluationTable({ metric: after.metric, candidates }));
            const [last] = after.candidates;
            if (last && !quiet) showWrong(last, unseen.lines);
        }
        console.log(`${out} (${bytes(trained.bytes.length)})`);
        if (!quiet)
            note(
                dim(
                    `try it: pipit chat --model ${modelName(args)} --adapter ${out}`,
                ),
            );
    }
    await model.close();
    if (finishReason === "diverged") process.exitCode = 1;
}
