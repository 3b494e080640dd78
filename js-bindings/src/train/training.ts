/* training.ts — the steps of one training, from the first or from a checkpoint
 * to the adapter. What happens at a step depends on nothing but the step and the
 * examples, so that a break changes no bit. */
import { PipitError } from "../errors.js";
import type { Connection } from "../host/connection.js";
import type { TrainingResult } from "../protocol.js";
import {
    checkpointBytes,
    readCheckpoint,
    writeCheckpoint,
} from "./checkpoint.js";
import { isDiverging, isGood } from "./divergence.js";
import { refuse, type Sequence } from "./examples.js";
import { orderOf, rateAt } from "./plan.js";
import { hashOf, type Settings } from "./settings.js";
import { storage } from "./storage.js";
import type { TrainingEnd, TrainingOptions } from "./types.js";

const LOSS = 0;
const UPDATE = 2;

export interface Course {
    readonly settings: Settings;
    readonly learned: readonly Sequence[];
    readonly watched: readonly Sequence[];
    /** Bytes beyond the model. */
    readonly memory: number;
    /** Of the model, as far as it is known here. */
    readonly base: string;
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

export class Training {
    readonly #connection: Connection;
    readonly #course: Course;
    readonly #options: TrainingOptions;
    readonly #stepsPerEpoch: number;
    readonly #losses: number[] = [];
    readonly #validationLosses: number[] = [];
    /** Parameters of the epoch with the lowest validation loss. */
    #best: Float32Array | undefined;
    /** Parameters of the first step, or after the best ten since. */
    #good: Float32Array | undefined;
    #seconds = 0;
    #tokens = 0;
    #resumed = 0;

    constructor(
        connection: Connection,
        course: Course,
        options: TrainingOptions,
    ) {
        this.#connection = connection;
        this.#course = course;
        this.#options = options;
        const { batchSize } = course.settings;
        this.#stepsPerEpoch = Math.ceil(course.learned.length / batchSize);
    }

    get #steps(): number {
        return this.#course.settings.epochs * this.#stepsPerEpoch;
    }

    async run(): Promise<TrainingEnd> {
        await this.#resume();
        this.#good ??= await this.#parameters();
        const { finishReason, message } = await this.#learnOrKeep();
        const kept = finishReason === "diverged" ? this.#good : undefined;
        const parameters = this.#best ?? kept;
        if (parameters) await this.#put(parameters);
        const bytes = await this.#connection.call("trainWrite", {
            notes: this.#notes(),
        });
        const { checkpoint } = this.#options;
        if (checkpoint !== undefined) await storage.remove(checkpoint);
        return {
            bytes,
            losses: this.#losses,
            validationLosses: this.#validationLosses,
            finishReason,
            message,
            resumedAt: this.#resumed,
            memory: this.#course.memory,
            tokensPerSecond: this.#tokens / (this.#seconds || 1),
        };
    }

    async #learnOrKeep(): Promise<
        Pick<TrainingEnd, "finishReason" | "message">
    > {
        try {
            return await this.#learn();
        } catch (failure) {
            // A step that was aborted has changed nothing.
            const { code } = failure as PipitError;
            if (code === "aborted" && this.#losses.length > this.#resumed)
                await this.#keepCheckpoint();
            throw failure;
        }
    }

    async #learn(): Promise<Pick<TrainingEnd, "finishReason" | "message">> {
        const { checkpoint } = this.#options;
        const { checkpointEvery = checkpoint === undefined ? 50 : 10 } =
            this.#options;
        while (this.#losses.length < this.#steps) {
            const step = this.#losses.length;
            const result = await this.#step(step);
            if (!result) return this.#diverged("the loss was no number");
            const epochEnds = (step + 1) % this.#stepsPerEpoch === 0;
            const validationLoss = epochEnds ? await this.#watch() : undefined;
            await this.#report(step, result, validationLoss);
            const diverging = isDiverging(this.#losses);
            if (diverging) return this.#diverged(diverging);
            if (validationLoss !== undefined && this.#isWorse())
                return { finishReason: "early", message: this.#whyEarly() };
            if (isGood(this.#losses)) this.#good = await this.#parameters();
            if ((step + 1) % checkpointEvery === 0 && step + 1 < this.#steps)
                await this.#keepCheckpoint();
        }
        return { finishReason: "done", message: undefined };
    }

    #whyEarly(): string {
        const [best, last] = [this.#validationLosses.at(-2), this.#lastWatched];
        return (
            `the loss of the validation examples rose from ` +
            `${best?.toFixed(4)} to ${last.toFixed(4)}: ` +
            "the adapter is that of the epoch before"
        );
    }

    #diverged(why: string): Pick<TrainingEnd, "finishReason" | "message"> {
        const { learningRate } = this.#course.settings;
        const message =
            `${why} at step ${this.#losses.length} with the learning rate ` +
            `${learningRate}: the adapter is that of the last good step; ` +
            "try a third of that rate";
        return { finishReason: "diverged", message };
    }

    /** undefined: the loss is no number. */
    async #step(step: number): Promise<TrainingResult | undefined> {
        const { learned, settings } = this.#course;
        const { batchSize, seed, shuffle } = settings;
        const epoch = Math.floor(step / this.#stepsPerEpoch);
        const order = orderOf(learned.length, seed, epoch, shuffle);
        const at = (step % this.#stepsPerEpoch) * batchSize;
        const some = order.slice(at, at + batchSize);
        const batch = batchOf(some.map((i) => learned[i]!));
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
            if ((failure as PipitError).code === "invalid-state")
                return undefined;
            throw failure;
        }
    }

    #rate(step: number): number {
        const { learningRate, schedule, warmup } = this.#course.settings;
        return rateAt(step, this.#steps, learningRate, schedule, warmup);
    }

    /** Mean loss of the answer tokens of what is watched. */
    async #watch(): Promise<number | undefined> {
        const { settings, watched } = this.#course;
        const { batchSize } = settings;
        let sum = 0;
        let count = 0;
        for (let i = 0; i < watched.length; i += batchSize) {
            const batch = batchOf(watched.slice(i, i + batchSize));
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
        if (!this.#isWorse()) this.#best = await this.#parameters();
        return sum / count;
    }

    get #lastWatched(): number {
        return this.#validationLosses.at(-1) ?? 0;
    }

    #isWorse(): boolean {
        return this.#lastWatched > Math.min(...this.#validationLosses);
    }

    async #report(
        step: number,
        { loss, norm }: TrainingResult,
        validationLoss: number | undefined,
    ): Promise<void> {
        const ran = Math.max(this.#losses.length - this.#resumed, 1);
        const left = this.#steps - step - 1;
        await this.#options.onProgress?.({
            step: step + 1,
            steps: this.#steps,
            epoch: Math.floor(step / this.#stepsPerEpoch),
            loss,
            validationLoss,
            norm,
            learningRate: this.#rate(step),
            tokensPerSecond: this.#tokens / this.#seconds,
            secondsLeft: (left * this.#seconds) / ran,
            memory: this.#course.memory,
        });
    }

    // ---- parameters and checkpoints ----------------------------------------

    /** The first third of the state; the rest are moments. */
    async #parameters(): Promise<Float32Array> {
        const state = await this.#connection.call("trainState", {});
        return state.slice(0, state.length / 3);
    }

    async #put(parameters: Float32Array): Promise<void> {
        const state = new Float32Array(3 * parameters.length);
        state.set(parameters);
        await this.#restore(state, this.#losses.length);
    }

    get #checkpointSettings(): string {
        const { settings, learned, watched, base } = this.#course;
        return JSON.stringify([
            settings,
            base,
            hashOf(learned),
            hashOf(watched),
        ]);
    }

    async #keepCheckpoint(): Promise<void> {
        const { onCheckpoint, checkpoint: name } = this.#options;
        if (!onCheckpoint && name === undefined) return;
        const state = await this.#connection.call("trainState", {});
        const checkpoint = {
            settings: this.#checkpointSettings,
            updates: this.#losses.length,
            losses: this.#losses,
            validationLosses: this.#validationLosses,
        };
        const bytes = writeCheckpoint(checkpoint, {
            state,
            best: this.#best,
            good: this.#good,
        });
        if (name !== undefined) await storage.put(name, bytes);
        await onCheckpoint?.(bytes);
    }

    async #resume(): Promise<void> {
        const { resume, checkpoint: name } = this.#options;
        if (resume) {
            if (!(await this.#resumeFrom(resume)))
                refuse("the checkpoint is of other examples or options");
            return;
        }
        if (name === undefined) return;
        const stored = await storage.get(name);
        // What is of another training, or torn, gives way to this one.
        const goesOn = stored
            ? await this.#resumeFrom(stored).catch((failure: unknown) => {
                  if ((failure as PipitError).code === "invalid-file")
                      return false;
                  throw failure;
              })
            : false;
        if (goesOn) return;
        const { length } = await this.#connection.call("trainState", {});
        await storage.checkRoom(name, checkpointBytes(length / 3));
    }

    async #resumeFrom(bytes: Uint8Array): Promise<boolean> {
        const checkpoint = readCheckpoint(bytes);
        if (checkpoint.settings !== this.#checkpointSettings) return false;
        await this.#restore(checkpoint.state, checkpoint.updates);
        this.#losses.push(...checkpoint.losses);
        this.#validationLosses.push(...checkpoint.validationLosses);
        this.#best = checkpoint.best;
        this.#good = checkpoint.good;
        this.#resumed = this.#losses.length;
        return true;
    }

    #restore(state: Float32Array, updates: number): Promise<void> {
        return this.#connection.call("trainRestore", { state, updates });
    }

    #notes(): (readonly [string, string])[] {
        const { settings, learned, watched } = this.#course;
        const { notes, baseSha256 } = this.#options;
        const facts = {
            examples: learned.length,
            validation: watched.length,
            data: hashOf(learned),
            steps: this.#losses.length,
            options: JSON.stringify(settings),
            ...notes,
        };
        const written: (readonly [string, string])[] = Object.entries(
            facts,
        ).map(([key, value]) => [`pipit.training.${key}`, String(value)]);
        if (baseSha256 !== undefined)
            written.push(["pipit.base.sha256", baseSha256]);
        return written;
    }
}
