/* sampling.ts — the draft's five words, and the older two numbers. */
import type { SamplingOptions } from "../types.js";
import { oneOf } from "./input.js";

const modes = {
    "most-predictable": { temperature: 0, topK: 1 },
    predictable: { temperature: 0.3, topK: 20 },
    balanced: { temperature: 0.7, topK: 40 },
    creative: { temperature: 1, topK: 80 },
    "most-creative": { temperature: 1.3, topK: 200 },
} as const;

export type SamplingMode = keyof typeof modes;

export interface Sampling {
    /** null: the numbers were given. */
    readonly mode: SamplingMode | null;
    readonly temperature: number;
    readonly topK: number;
    readonly options: SamplingOptions;
}

function real(given: Readonly<Record<string, unknown>>, key: string) {
    if (given[key] === undefined) return undefined;
    const value = Number(given[key]);
    if (Number.isNaN(value)) throw new TypeError(`${key} is not a number`);
    if (value < 0) throw new RangeError(`${key} is negative`);
    return value;
}

export function samplingOf(given: Readonly<Record<string, unknown>>): Sampling {
    const mode = oneOf(
        given["samplingMode"] ?? "balanced",
        Object.keys(modes),
        "samplingMode",
    ) as SamplingMode;
    const temperature = real(given, "temperature");
    const topK = real(given, "topK");
    const numbers = {
        temperature: Math.min(temperature ?? modes[mode].temperature, 2),
        topK: Math.max(1, Math.min(Math.floor(topK ?? modes[mode].topK), 1000)),
    };
    const isGiven = temperature !== undefined || topK !== undefined;
    return { mode: isGiven ? null : mode, ...numbers, options: numbers };
}
