/* sampling.ts — the draft's words, and the older two numbers. */
import type { SamplingOptions } from "../types.js";
import { oneOf } from "./input.js";

const modes = {
    "most-predictable": { temperature: 0, topK: 1 },
    predictable: { temperature: 0.3, topK: 20 },
    "slightly-predictable": { temperature: 0.5, topK: 30 },
    balanced: { temperature: 0.7, topK: 40 },
    "slightly-creative": { temperature: 0.85, topK: 60 },
    creative: { temperature: 1, topK: 80 },
    "most-creative": { temperature: 1.3, topK: 200 },
} as const;

export type SamplingMode = keyof typeof modes;

export const params = {
    ...{ defaultTopK: modes.balanced.topK, maxTopK: 1000 },
    ...{ defaultTemperature: modes.balanced.temperature, maxTemperature: 2 },
} as const;

/** As it was given. */
export interface GivenSampling {
    readonly mode: SamplingMode | undefined;
    readonly temperature: number | undefined;
    readonly topK: number | undefined;
}

export interface Sampling {
    /** null: the numbers were given. */
    readonly mode: SamplingMode | null;
    readonly temperature: number;
    readonly topK: number;
    readonly options: SamplingOptions;
}

type Options = Readonly<Record<string, unknown>>;

/** Kinds only, as IDL has them.
 * @throws TypeError */
export function convertSampling(given: Options): GivenSampling {
    const { samplingMode: mode, temperature, topK } = given;
    const hasNumbers = temperature !== undefined || topK !== undefined;
    if (mode !== undefined && hasNumbers)
        throw new TypeError("samplingMode and numbers exclude each other");
    const real = (value: unknown) =>
        value === undefined ? undefined : Number(value);
    return {
        mode:
            mode === undefined
                ? undefined
                : (oneOf(
                      mode,
                      Object.keys(modes),
                      "samplingMode",
                  ) as SamplingMode),
        temperature: real(temperature),
        topK: real(topK),
    };
}

/** What is too large is as much as there is.
 * @throws RangeError */
export function samplingOf(given: GivenSampling): Sampling {
    const { temperature, topK } = given;
    const isGiven = temperature !== undefined || topK !== undefined;
    const mode = given.mode ?? "balanced";
    if (temperature !== undefined && !(temperature >= 0))
        throw new RangeError(`temperature ${temperature} is below 0`);
    if (topK !== undefined && !(topK >= 1))
        throw new RangeError(`topK ${topK} is below 1`);
    const numbers = {
        temperature: Math.min(
            temperature ?? modes[mode].temperature,
            params.maxTemperature,
        ),
        topK: Math.floor(Math.min(topK ?? modes[mode].topK, params.maxTopK)),
    };
    return { mode: isGiven ? null : mode, ...numbers, options: numbers };
}
