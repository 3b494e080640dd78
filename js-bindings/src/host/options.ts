/* options.ts — what callers pass, checked and filled in before it is posted. */
import { PipitError } from "../errors.js";
import type { SamplingSpec } from "../protocol.js";
import type { SamplingDefaults, SamplingOptions, Tokens } from "../types.js";

export function refuse(what: string): never {
    throw new PipitError("invalid-argument", what);
}

export function integer(
    name: string,
    value: number | undefined,
    fallback: number,
    least: number,
    most: number,
): number {
    const n = value ?? fallback;
    if (Number.isInteger(n) && n >= least && n <= most) return n;
    return refuse(`${name} must be a whole number from ${least} to ${most}`);
}

function real(
    name: string,
    value: number | undefined,
    fallback: number,
    least: number,
    most: number,
): number {
    const n = value ?? fallback;
    if (typeof n === "number" && n >= least && n <= most) return n;
    return refuse(`${name} must be a number from ${least} to ${most}`);
}

const U32 = 0xffffffff;

/** A copy, as 32-bit numbers. */
export function tokenArray(tokens: Tokens): Uint32Array {
    if (tokens instanceof Uint32Array) return tokens.slice();
    if (!Array.isArray(tokens))
        return refuse("tokens must be a Uint32Array or an array of numbers");
    const bad = tokens.findIndex(
        (token) => !(Number.isInteger(token) && token >= 0 && token <= U32),
    );
    if (bad < 0) return Uint32Array.from(tokens);
    throw new PipitError(
        "invalid-token",
        `token ${String(tokens[bad])} at position ${bad} is no token id`,
    );
}

function biasPairs(
    bias: SamplingOptions["logitBias"],
): (readonly [number, number])[] {
    if (!bias) return [];
    const pairs =
        bias instanceof Map
            ? [...(bias as ReadonlyMap<number, number>)]
            : Object.entries(bias).map(
                  ([token, value]) => [Number(token), Number(value)] as const,
              );
    for (const [token, value] of pairs)
        if (!Number.isInteger(token) || token < 0 || Number.isNaN(value))
            refuse(`logitBias: ${token}: ${value} is no bias of a token`);
    return pairs;
}

function randomSeed(): bigint {
    const words = crypto.getRandomValues(new BigUint64Array(1));
    return words[0] ?? 0n;
}

function seedOf(seed: number | bigint | undefined): bigint {
    if (seed === undefined) return randomSeed();
    if (typeof seed === "bigint") return BigInt.asUintN(64, seed);
    if (!Number.isSafeInteger(seed)) refuse("seed must be a whole number");
    return BigInt.asUintN(64, BigInt(seed));
}

const MOST = Number.MAX_VALUE;

/** @param defaults the file's, which the caller's own win over */
export function samplingSpec(
    options: SamplingOptions,
    defaults: SamplingDefaults,
): SamplingSpec {
    const own = Object.fromEntries(
        Object.entries(defaults).filter(
            ([name]) => options[name as keyof SamplingOptions] === undefined,
        ),
    );
    try {
        checkedSpec(own);
    } catch (cause) {
        const what = cause instanceof Error ? cause.message : String(cause);
        throw new PipitError(
            "invalid-model",
            `the file's general.sampling.*: ${what}`,
            { cause },
        );
    }
    return checkedSpec({ ...options, ...own });
}

function checkedSpec(options: SamplingOptions): SamplingSpec {
    const { repetitionPenalty, presencePenalty, frequencyPenalty } = options;
    return {
        temperature: real("temperature", options.temperature, 0, 0, 1e6),
        topK: integer("topK", options.topK, 0, 0, U32),
        topP: real("topP", options.topP, 1, 0, 1),
        minP: real("minP", options.minP, 0, 0, 1),
        repetitionPenalty: real(
            "repetitionPenalty",
            repetitionPenalty,
            1,
            Number.MIN_VALUE,
            MOST,
        ),
        presencePenalty: real(
            "presencePenalty",
            presencePenalty,
            0,
            -MOST,
            MOST,
        ),
        frequencyPenalty: real(
            "frequencyPenalty",
            frequencyPenalty,
            0,
            -MOST,
            MOST,
        ),
        penaltyWindow: integer(
            "penaltyWindow",
            options.penaltyWindow,
            0,
            0,
            U32,
        ),
        bias: biasPairs(options.logitBias),
        seed: seedOf(options.seed),
    };
}

/** None, or as many of the best. */
export function logprobCount(logprobs: number | boolean | undefined): number {
    if (logprobs === undefined || logprobs === false) return -1;
    return integer("logprobs", Number(logprobs), 0, 0, 64);
}

export function stopStrings(
    stop: string | readonly string[] | undefined,
): readonly string[] {
    const strings = typeof stop === "string" ? [stop] : (stop ?? []);
    if (strings.some((text) => typeof text !== "string" || text === ""))
        refuse("stop strings must not be empty");
    if (strings.length > 64) refuse("at most 64 stop strings");
    return strings;
}
