/* sampling.ts — how a file's maker wants it to be sampled. */
import { PipitError } from "../errors.js";
import type { Metadata, SamplingDefaults } from "../types.js";

const keys = {
    temp: "temperature",
    top_k: "topK",
    top_p: "topP",
    min_p: "minP",
    penalty_repeat: "repetitionPenalty",
    penalty_present: "presencePenalty",
    penalty_freq: "frequencyPenalty",
    penalty_last_n: "penaltyWindow",
} as const;

/** Negative means: the best token, none, the whole context. */
const clampable = ["temp", "top_k", "penalty_last_n"];

/** What the keys `general.sampling.*` say, in the words of SamplingOptions.
 * A value that no sampler takes is kept: it fails when it is to be used. */
export function samplingDefaults(metadata: Metadata): SamplingDefaults {
    const found: Record<string, number> = {};
    for (const [key, option] of Object.entries(keys)) {
        const name = `general.sampling.${key}`;
        const value = metadata[name];
        if (value === undefined) continue;
        if (typeof value !== "number")
            throw new PipitError("invalid-model", `${name} is not a number`);
        found[option] = clampable.includes(key) ? Math.max(0, value) : value;
    }
    // A window of no tokens; to our sampler 0 is the whole context.
    if (metadata["general.sampling.penalty_last_n"] === 0)
        for (const option of [
            "repetitionPenalty",
            "presencePenalty",
            "frequencyPenalty",
        ])
            delete found[option];
    return found;
}
