/* index.ts — `pipit/train`: fits an adapter to examples, on the model's own
 * threads. Sessions of the model go on meanwhile, more slowly. */
import type { Connection } from "../host/connection.js";
import type { TrainingResult } from "../protocol.js";
import type { Model } from "../types.js";
import { readCheckpoint, writeCheckpoint } from "./checkpoint.js";
import { refuse, sequencesOf, type Sequence } from "./examples.js";
import { orderOf, rateAt } from "./plan.js";
import {
    targetNames,
    type TrainedAdapter,
    type TrainingExample,
    type TrainingOptions,
} from "./types.js";

export type * from "./types.js";

/** Rows that are evaluated together, where examples are shorter. */
const ROWS = 512;
const LOSS = 0;
const UPDATE = 2;

type Settings = ReturnType<typeof settingsOf>;

function positive(name: string, value: number, whole = false): number {
    if (value > 0 && Number.isFinite(value) && (!whole || value % 1 === 0))
        return value;
    return refuse(`${name} is a positive ${whole ? "integer" : "number"}`);
}

function atLeastZero(name: string, value: number): number {
    if (value >= 0 && Number.isFinite(value)) return value;
    return refuse(`${name} is a number from 0`);
}

function settingsOf(model: Model, options: TrainingOptions) {
    const rank = positive("rank", options.rank ?? 8, true);
    const targets = options.targets ?? targetNames;
    for (const target of targets)
        if (!targetNames.includes(target))
            refuse(`targets are of ${targetNames.join(", ")}`);
    const { schedule = "constant" } = options;
    if (!["constant", "linear", "cosine"].includes(schedule))
        refuse('schedule is "constant", "linear" or "cosine"');
    return {
        rank,
        alpha: positive("alpha", options.alpha ?? 2 * rank),
        targets: targetNames.filter((name) => targets.includes(name)),
        learningRate: positive("learningRate", options.learningRate ?? 1e-3),
        schedule,
        warmup: atLeastZero("warmup", options.warmup ?? 0),
        weightDecay: atLeastZero("weightDecay", options.weightDecay ?? 0),
        epochs: positive("epochs", options.epochs ?? 1, true),
        batchSize: positive("batchSize", options.batchSize ?? 4, true),
        maxLength: positive(
            "maxLength",
            options.maxLength ?? Math.min(512, model.contextLength),
            true,
        ),
        seed: atLeastZero("seed", options.seed ?? 0),
        shuffle: options.shuffle ?? true,
        clip: atLeastZero("clip", options.clip ?? 1),
        precise: options.precise ?? true,
    };
}

/** In the order of pipit_training_options. */
function engineOptions(settings: Settings, sequences: readonly Sequence[]) {
    const lengths = sequences
        .map(({ tokens }) => tokens.length)
        .sort((a, b) => b - a);
    const longest = lengths[0] ?? 2;
    const batch = lengths
        .slice(0, settings.batchSize)
        .reduce((a, b) => a + b, 0);
    const targets = settings.targets.reduce(
        (bits, name) => bits | (1 << targetNames.indexOf(name)),
        0,
    );
    return [
        settings.rank,
        settings.alpha,
        targets,
        longest,
        Math.max(longest, Math.min(batch, ROWS)),
        settings.precise ? 1 : 0,
        settings.seed,
        0.9,
        0.999,
        1e-8,
        settings.weightDecay,
        settings.clip,
    ];
}

function batchOf(sequences: readonly Sequence[]) {
    const n = sequences.reduce((sum, { tokens }) => sum + tokens.length, 0);
    const tokens = new Uint32Array(n);
    const isAnswer = new Uint8Array(n);
    let end = 0;
    for (const sequence of sequences) {
        tokens.set(sequence.tokens, end);
        isAnswer.set(sequence.isAnswer, end);
        end += sequence.tokens.length;
    }
    const lengths = Uint32Array.from(sequences, (s) => s.tokens.length);
    return { tokens, isAnswer, lengths };
}

/** The examples to learn, and those to watch. */
async function readExamples(
    model: Model,
    examples: readonly TrainingExample[],
    { validation, signal }: TrainingOptions,
    settings: Settings,
) {
    const read = (list: readonly TrainingExample[]) =>
        sequencesOf(model, list, settings.maxLength, signal);
    if (!Array.isArray(examples) || examples.length === 0)
        return refuse("no examples");
    const all = await read(examples);
    if (typeof validation !== "number")
        return { learned: all, watched: await read(validation ?? []) };
    if (!(validation >= 0 && validation < 1))
        refuse("validation is a share from 0 to below 1, or examples");
    const order = orderOf(all.length, settings.seed, -1, true);
    const n = Math.floor(all.length * validation);
    const pick = (some: number[]) =>
        some.sort((a, b) => a - b).map((i) => all[i]!);
    return { learned: pick(order.slice(n)), watched: pick(order.slice(0, n)) };
}

/** Bytes that training would take beyond the model. */
export async function measureTraining(
    model: Model,
    examples: readonly TrainingExample[],
    options: TrainingOptions = {},
): Promise<number> {
    const settings = settingsOf(model, options);
    const { learned, watched } = await readExamples(
        model,
        examples,
        options,
        settings,
    );
    const { bytes } = await connectionOf(model).call("trainOpen", {
        options: engineOptions(settings, [...learned, ...watched]),
        measureOnly: true,
    });
    return bytes;
}

function connectionOf(model: Model): Connection {
    const { connection } = model as unknown as { connection?: Connection };
    return connection ?? refuse("no model of loadModel");
}

/** Fits an adapter to the examples. One at a time per model; errors of examples
 * name their line (`details.line`, from 1). Aborting leaves the model as it
 * was; what was learned is in the last checkpoint. */
export async function trainAdapter(
    model: Model,
    examples: readonly TrainingExample[],
    options: TrainingOptions = {},
): Promise<TrainedAdapter> {
    const connection = connectionOf(model);
    const settings = settingsOf(model, options);
    const { learned, watched } = await readExamples(
        model,
        examples,
        options,
        settings,
    );
    if (learned.length === 0) refuse("no examples are left to learn");
    const { bytes } = await connection.call(
        "trainOpen",
        {
            options: engineOptions(settings, [...learned, ...watched]),
            measureOnly: false,
        },
        { signal: options.signal },
    );
    const training = new Training(
        connection,
        settings,
        options,
        learned,
        watched,
        bytes,
    );
    try {
        return await training.run();
    } finally {
        if (!connection.closed) await connection.call("trainClose", {});
    }
}

class Training {
    readonly #connection: Connection;
    readonly #settings: Settings;
    readonly #options: TrainingOptions;
    readonly #learned: readonly Sequence[];
    readonly #watched: readonly Sequence[];
    readonly #memory: number;
    readonly #stepsPerEpoch: number;
    readonly #losses: number[] = [];
    readonly #validationLosses: number[] = [];
    #best: Float32Array | undefined;
    #seconds = 0;
    #tokens = 0;

    constructor(
        connection: Connection,
        settings: Settings,
        options: TrainingOptions,
        learned: readonly Sequence[],
        watched: readonly Sequence[],
        memory: number,
    ) {
        this.#connection = connection;
        this.#settings = settings;
        this.#options = options;
        this.#learned = learned;
        this.#watched = watched;
        this.#memory = memory;
        this.#stepsPerEpoch = Math.ceil(learned.length / settings.batchSize);
    }

    get #steps(): number {
        return this.#settings.epochs * this.#stepsPerEpoch;
    }

    async run(): Promise<TrainedAdapter> {
        await this.#resume();
        const finishReason = await this.#learn();
        if (this.#best) await this.#restore(this.#best, this.#losses.length);
        return {
            bytes: await this.#connection.call("trainWrite", {
                notes: this.#notes(),
            }),
            losses: this.#losses,
            validationLosses: this.#validationLosses,
            finishReason,
            memory: this.#memory,
            tokensPerSecond: this.#tokens / (this.#seconds || 1),
        };
    }

    async #learn(): Promise<TrainedAdapter["finishReason"]> {
        const { checkpointEvery = 50 } = this.#options;
        while (this.#losses.length < this.#steps) {
            const step = this.#losses.length;
            const result = await this.#step(step);
            if (!result) return "diverged";
            const epochEnds = (step + 1) % this.#stepsPerEpoch === 0;
            const validationLoss = epochEnds ? await this.#watch() : undefined;
            await this.#report(step, result, validationLoss);
            if (validationLoss !== undefined && this.#isWorse()) return "early";
            if ((step + 1) % checkpointEvery === 0 && step + 1 < this.#steps)
                await this.#keepCheckpoint();
        }
        return "done";
    }

    /** undefined: the loss is no number. */
    async #step(step: number): Promise<TrainingResult | undefined> {
        const { batchSize, seed, shuffle } = this.#settings;
        const epoch = Math.floor(step / this.#stepsPerEpoch);
        const order = orderOf(this.#learned.length, seed, epoch, shuffle);
        const at = (step % this.#stepsPerEpoch) * batchSize;
        const some = order.slice(at, at + batchSize);
        const batch = batchOf(some.map((i) => this.#learned[i]!));
        const startedAt = performance.now();
        try {
            const result = await this.#connection.call(
                "trainStep",
                { ...batch, kind: UPDATE, rate: this.#rate(step) },
                { signal: this.#options.signal },
            );
            this.#seconds += (performance.now() - startedAt) / 1000;
            this.#tokens += batch.tokens.length;
            this.#losses.push(result.loss);
            return result;
        } catch (failure) {
            if ((failure as { code?: string }).code === "invalid-state")
                return undefined;
            throw failure;
        }
    }

    #rate(step: number): number {
        const { learningRate, schedule, warmup } = this.#settings;
        return rateAt(step, this.#steps, learningRate, schedule, warmup);
    }

    /** Mean loss of the answer tokens of what is watched. */
    async #watch(): Promise<number | undefined> {
        const { batchSize } = this.#settings;
        let sum = 0;
        let count = 0;
        for (let i = 0; i < this.#watched.length; i += batchSize) {
            const batch = batchOf(this.#watched.slice(i, i + batchSize));
            const n = batch.isAnswer.reduce((a, b) => a + b, 0);
            const { loss } = await this.#connection.call(
                "trainStep",
                { ...batch, kind: LOSS, rate: 0 },
                { signal: this.#options.signal },
            );
            sum += loss * n;
            count += n;
        }
        if (count === 0) return undefined;
        this.#validationLosses.push(sum / count);
        if (!this.#isWorse())
            this.#best = await this.#connection.call("trainState", {});
        return sum / count;
    }

    #isWorse(): boolean {
        const last = this.#validationLosses.at(-1) ?? 0;
        return last > Math.min(...this.#validationLosses);
    }

    async #report(
        step: number,
        { loss, norm }: TrainingResult,
        validationLoss: number | undefined,
    ): Promise<void> {
        const tokensPerSecond = this.#tokens / this.#seconds;
        const left = this.#steps - step - 1;
        const perStep = this.#tokens / Math.max(this.#ran, 1);
        await this.#options.onProgress?.({
            step: step + 1,
            steps: this.#steps,
            epoch: Math.floor(step / this.#stepsPerEpoch),
            loss,
            validationLoss,
            norm,
            learningRate: this.#rate(step),
            tokensPerSecond,
            secondsLeft: (left * perStep) / tokensPerSecond,
            memory: this.#memory,
        });
    }

    // ---- checkpoints -------------------------------------------------------

    #resumed = 0;
    get #ran(): number {
        return this.#losses.length - this.#resumed;
    }

    get #checkpointSettings(): string {
        const { length } = this.#learned;
        const tokens = this.#learned.reduce((n, s) => n + s.tokens.length, 0);
        return JSON.stringify([this.#settings, length, tokens]);
    }

    async #keepCheckpoint(): Promise<void> {
        const { onCheckpoint } = this.#options;
        if (!onCheckpoint) return;
        const state = await this.#connection.call("trainState", {});
        const checkpoint = {
            settings: this.#checkpointSettings,
            updates: this.#losses.length,
            losses: this.#losses,
            validationLosses: this.#validationLosses,
        };
        await onCheckpoint(writeCheckpoint(checkpoint, state, this.#best));
    }

    async #resume(): Promise<void> {
        const { resume } = this.#options;
        if (!resume) return;
        const checkpoint = readCheckpoint(resume);
        if (checkpoint.settings !== this.#checkpointSettings)
            refuse("the checkpoint is of other examples or options");
        await this.#restore(checkpoint.state, checkpoint.updates);
        this.#losses.push(...checkpoint.losses);
        this.#validationLosses.push(...checkpoint.validationLosses);
        this.#best = checkpoint.best;
        this.#resumed = this.#losses.length;
    }

    #restore(state: Float32Array, updates: number): Promise<void> {
        return this.#connection.call("trainRestore", { state, updates });
    }

    #notes(): (readonly [string, string])[] {
        const { rank, alpha, learningRate, epochs, batchSize } = this.#settings;
        const notes = {
            examples: this.#learned.length,
            steps: this.#losses.length,
            options: JSON.stringify({
                rank,
                alpha,
                learningRate,
                epochs,
                batchSize,
            }),
            ...this.#options.notes,
        };
        return Object.entries(notes).map(([key, value]) => [
            `pipit.training.${key}`,
            String(value),
        ]);
    }
}
