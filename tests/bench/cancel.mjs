// How long an abort takes inside a long prompt: a hundred tries at moments spread
// over it, the greatest told. Counted until the caller knows, and until the
// session has answered the next call.
//
//   node tests/bench/cancel.mjs [MODEL] [--threads 1] [--tries 100] [--prompt 2000]
//                              [--save FILE]
import assert from "node:assert/strict";
import { writeFileSync } from "node:fs";
import { allowRelaxedSimd } from "../tools/relaxed-simd.mjs";
import { parseArgs } from "node:util";
import { loadModel, PipitError } from "pipit";

allowRelaxedSimd();
const { values, positionals } = parseArgs({
    options: {
        threads: { type: "string", default: "1" },
        tries: { type: "string", default: "100" },
        prompt: { type: "string", default: "2000" },
        save: { type: "string" },
    },
    allowPositionals: true,
});
const model = await loadModel(positionals[0] ?? "smollm2-135m-instruct-q4_1", {
    threads: Number(values.threads),
});
const length = Number(values.prompt);
const tries = Number(values.tries);
const session = await model.createSession({ contextLength: length + 8 });
const tokens = Uint32Array.from(
    { length },
    (_, i) => 300 + ((i * 7919) % (model.vocabularySize - 600)),
);

// What compiles, compiles now.
const began = performance.now();
await session.eval(tokens.subarray(0, 256));
const perToken = (performance.now() - began) / 256;

/** @type {number[]} */
const told = [];
/** @type {number[]} */
const free = [];
let state = 1;
for (let i = 0; i < tries; i++) {
    await session.rewind(0);
    const ending = new AbortController();
    // At a random moment of the first half second of a prompt that takes many.
    state = (Math.imul(state, 1103515245) + 12345) >>> 0;
    const ms = 5 + ((state >>> 8) % 500);
    let at = NaN;
    setTimeout(() => {
        at = performance.now();
        ending.abort();
    }, ms);
    await assert.rejects(
        session.eval(tokens, { signal: ending.signal }),
        (error) => error instanceof PipitError && error.code === "aborted",
    );
    told.push(performance.now() - at);
    await session.tokens();
    free.push(performance.now() - at);
    assert.ok(session.length < length);
}
await model.close();

const row = (/** @type {string} */ name, /** @type {number[]} */ all) => {
    all.sort((a, b) => a - b);
    const [half, most] = [all[all.length >> 1], all.at(-1)];
    console.log(
        `${name}: median ${half?.toFixed(1)} ms, maximum ${most?.toFixed(1)} ms`,
    );
};
console.log(
    `${tries} aborts in a prompt of ${length} tokens ` +
        `(${((perToken * length) / 1000).toFixed(1)} s), ` +
        `${values.threads} thread(s), ${model.kernels}`,
);
row("the caller knows", told);
row("the session is free", free);
if (values.save)
    writeFileSync(
        values.save,
        JSON.stringify({ most: free.at(-1), half: free[free.length >> 1] }),
    );
if ((free.at(-1) ?? Infinity) > 100) process.exitCode = 1;
