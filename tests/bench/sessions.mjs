// Several sessions that answer at the same time, on one model: tokens per second
// of all together, and how many times those of one; medians of rounds in turns.
// Each answer must be the one that its session gives alone.
//
//   node tests/bench/sessions.mjs [MODEL] [--rounds 3] [--threads 1]
//       [--tokens 64] [--sessions 1,2,4,8] [--context 0] [--save FILE]
import assert from "node:assert/strict";
import { writeFileSync } from "node:fs";
import { allowRelaxedSimd } from "../tools/relaxed-simd.mjs";
import { parseArgs } from "node:util";
import { loadModel } from "pipit";
import { median } from "./median.mjs";

allowRelaxedSimd();
const { values, positionals } = parseArgs({
    options: {
        rounds: { type: "string", default: "3" },
        threads: { type: "string", default: "1" },
        tokens: { type: "string", default: "64" },
        sessions: { type: "string", default: "1,2,4,8" },
        context: { type: "string", default: "0" },
        save: { type: "string" },
    },
    allowPositionals: true,
});
const rounds = Number(values.rounds);
const context = Number(values.context);
const maxTokens = Number(values.tokens);
const counts = values.sessions.split(",").map(Number);
const topics = [
    "the sea",
    "a bridge",
    "winter",
    "a violin",
    "bread",
    "a train",
];

const model = await loadModel(positionals[0] ?? "smollm2-135m-instruct-q4_1", {
    threads: Number(values.threads),
});

/** A session after so many tokens of its own. @param {number} i */
async function open(i) {
    const text = `Write a story about ${topics[i % 6]}, number ${i}.\n`;
    const own = await model.tokenize(text);
    const session = await model.createSession({
        contextLength: context + maxTokens + 64,
    });
    const prompt = [...own];
    while (prompt.length < context) prompt.push(...own);
    await session.eval(prompt);
    return { session, prompt };
}

const all = await Promise.all(
    Array.from({ length: Math.max(...counts) }, (_, i) => open(i)),
);

/** Back to the end of the prompt. @param {typeof all[number]} one */
async function reset({ session, prompt }) {
    await session.rewind(prompt.length - 1);
    await session.eval(prompt.slice(-1));
}

/** @param {typeof all[number]} one @param {number} i */
async function answer({ session }, i) {
    const tokens = [];
    for await (const { token } of session.generate({
        ...{ maxTokens, promptLookup: false, ignoreEndOfGeneration: true },
        ...{ temperature: i % 2, seed: i },
    }))
        tokens.push(token);
    return tokens;
}

/** @type {number[][]} */
const alone = [];
for (const [i, one] of all.entries()) {
    await reset(one);
    alone.push(await answer(one, i));
}

/** @type {Map<number, number[]>} */
const rates = new Map(counts.map((n) => [n, []]));
for (let round = 0; round < rounds; round++)
    for (const n of counts) {
        const some = all.slice(0, n);
        for (const one of some) await reset(one);
        const startedAt = performance.now();
        const answers = await Promise.all(some.map(answer));
        const seconds = (performance.now() - startedAt) / 1000;
        assert.deepEqual(answers, alone.slice(0, n));
        rates.get(n)?.push((n * maxTokens) / seconds);
    }
await model.close();

const one = median(rates.get(counts[0] ?? 1) ?? []) / (counts[0] ?? 1);
console.log(
    `tokens/s after ${context} tokens, ${values.threads} thread(s), ` +
        `${rounds} rounds`,
);
for (const n of counts) {
    const rate = median(rates.get(n) ?? []);
    console.log(
        `${String(n).padStart(2)} sessions ${rate.toFixed(1).padStart(7)}  ` +
            `${(rate / one).toFixed(2)} x`,
    );
}
if (values.save) {
    const middles = counts.map((n) => [n, median(rates.get(n) ?? [])]);
    writeFileSync(values.save, JSON.stringify(Object.fromEntries(middles)));
}
