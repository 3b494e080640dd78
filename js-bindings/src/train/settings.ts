/* settings.ts — options of training, checked, and as the engine takes them. */
import type { Model } from "../types.js";
import { refuse, type Sequence } from "./examples.js";
import { targetNames, type TrainingOptions } from "./types.js";

/** Rows that are evaluated together, where examples are shorter. */
const ROWS = 512;

export type Settings = ReturnType<typeof settingsOf>;

function positive(name: string, value: number, whole = false): number {
    if (value > 0 && Number.isFinite(value) && (!whole || value % 1 === 0))
        return value;
    return refuse(`${name} is a positive ${whole ? "integer" : "number"}`);
}

function atLeastZero(name: string, value: number): number {
    if (value >= 0 && Number.isFinite(value)) return value;
    return refuse(`${name} is a number from 0`);
}

export function settingsOf(model: Model, options: TrainingOptions) {
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
export function engineOptions(
    settings: Settings,
    sequences: readonly Sequence[],
): number[] {
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

/** What makes two sets of examples the same: tokens and what is learned. */
export function hashOf(sequences: readonly Sequence[]): string {
    // FNV-1a, twice 32 bits: it tells sets of one user apart, no more.
    let a = 0x811c9dc5;
    let b = 0x01000193;
    const add = (value: number) => {
        a = Math.imul(a ^ value, 0x01000193);
        b = Math.imul(b ^ value, 0x85ebca6b);
        b ^= b >>> 15;
    };
    for (const { tokens, isAnswer } of sequences) {
        add(tokens.length);
        for (const [i, token] of tokens.entries())
            add(2 * token + (isAnswer[i] ?? 0));
    }
    return [a, b]
        .map((half) => (half >>> 0).toString(16).padStart(8, "0"))
        .join("");
}
