// How much a long context costs: prefill of 512 and of 4096 tokens, decoding with
// nothing before it and after 8000 tokens. One pass over the context, with the
// medians of short pieces.
//
//   node tests/bench/context.mjs [MODEL] [--threads 1] [--length 8000] [--cpu]
//                               [--save FILE]
//
// --cpu counts the time of the processor instead of the clock's, for a machine
// with other work; with one thread only.
import { writeFileSync } from "node:fs";
import { allowRelaxedSimd } from "../tools/relaxed-simd.mjs";
import { parseArgs } from "node:util";
import { loadModel } from "pipit";

allowRelaxedSimd();
const { values, positionals } = parseArgs({
    options: {
        threads: { type: "string", default: "1" },
        length: { type: "string", default: "8000" },
        cpu: { type: "boolean", default: false },
        save: { type: "string" },
    },
    allowPositionals: true,
});
const length = Number(values.length);
const model = await loadModel(positionals[0] ?? "smollm2-135m-instruct-q4_1", {
    threads: Number(values.threads),
    contextLength: length + 100,
});
const session = await model.createSession();
const tokens = Uint32Array.from(
    { length },
    (_, i) => 300 + ((i * 7919) % (model.vocabularySize - 600)),
);
const now = () =>
    values.cpu ? process.cpuUsage().user / 1000 : performance.now();
const seconds = (/** @type {number} */ since) => (now() - since) / 1000;

/** Tokens per second of evaluating up to n. @param {number} n */
async function prefill(n) {
    const from = session.length;
    const since = now();
    await session.eval(tokens.subarray(from, n));
    return { tokens: n - from, seconds: seconds(since) };
}

/** Tokens per second, median of three pieces of 24. */
async function decode() {
    const rates = [];
    const before = session.length;
    for (let i = 0; i < 3; i++) {
        await session.rewind(before - 1);
        await session.eval(tokens.subarray(before - 1, before));
        const since = now();
        const options = { maxTokens: 24, temperature: 0 };
        for await (const _ of session.generate({
            ...{ ...options, ignoreEndOfGeneration: true, promptLookup: false },
        }));
        rates.push(24 / seconds(since));
    }
    await session.rewind(before);
    return rates.sort((a, b) => a - b)[1] ?? NaN;
}

await prefill(256);
await session.rewind(0);
await prefill(1);
await decode();
const empty = await decode();
await session.rewind(0);
const short = await prefill(512);
await session.rewind(0);
const long = await prefill(Math.min(4096, length));
const rest = length > session.length ? await prefill(length) : long;
const full = await decode();
const rate = (/** @type {typeof short} */ part) => part.tokens / part.seconds;
const line = (
    /** @type {string} */ what,
    /** @type {number} */ value,
    /** @type {number} */ other,
) =>
    console.log(
        `${what.padEnd(28)} ${value.toFixed(1).padStart(7)} tokens/s` +
            (other ? `  ${(value / other).toFixed(2)} x` : ""),
    );
console.log(`${values.threads} thread(s), ${model.kernels}`);
line("prefill of 512", rate(short), 0);
line("prefill of 4096", rate(long), rate(short));
line(`prefill from 4096 to ${length}`, rate(rest), rate(short));
line("decode, empty context", empty, 0);
line(`decode after ${length}`, full, empty);
if (values.save)
    writeFileSync(
        values.save,
        JSON.stringify({
            ...{ prefill512: rate(short), prefill4096: rate(long) },
            ...{ decodeEmpty: empty, decodeAfter: full, length },
        }),
    );
await model.close();
