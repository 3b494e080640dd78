// What an adapter costs: decoding and prefill with one of rank 8 on every matrix
// as a share of the rate without, in turns, and how long a swap takes.
//
//   node tests/bench/adapters.mjs ADAPTER [--rounds 9] [--threads 1]
//       [--prompt 128] [--tokens 24]
import { parseArgs } from "node:util";
import { allowRelaxedSimd } from "../tools/relaxed-simd.mjs";
import { loadModel } from "pipit";

allowRelaxedSimd();
const { values, positionals } = parseArgs({
    options: {
        rounds: { type: "string", default: "9" },
        threads: { type: "string", default: "1" },
        prompt: { type: "string", default: "128" },
        tokens: { type: "string", default: "24" },
    },
    allowPositionals: true,
});
const [file] = positionals;
if (file === undefined) throw new Error("which adapter?");
const model = await loadModel("smollm2-135m-instruct-q4_1", {
    threads: Number(values.threads),
});
const adapter = await model.loadAdapter(file);
const text = "The river rises in the hills and flows to the sea. ".repeat(99);
const tokens = (await model.tokenize(text)).slice(0, Number(values.prompt));
const n = Number(values.tokens);
const contextLength = tokens.length + n + 1;
const sessions = {
    without: await model.createSession({ contextLength }),
    with: await model.createSession({ contextLength, adapters: [{ adapter }] }),
};
/** @type {Record<"prefill" | "decode", Record<string, number[]>>} */
const times = { prefill: {}, decode: {} };
for (let i = 0; i < Number(values.rounds); i++)
    for (const [name, session] of Object.entries(sessions)) {
        await session.rewind(0);
        const start = performance.now();
        await session.eval(tokens);
        const read = performance.now();
        // One at a time: no drafts.
        for (let j = 0; j < n; j++) await session.eval(tokens.slice(j, j + 1));
        const end = performance.now();
        (times.prefill[name] ??= []).push((read - start) / tokens.length);
        (times.decode[name] ??= []).push((end - read) / n);
    }
/** @type {number[]} */
const swaps = [];
for (let i = 0; i < 21; i++) {
    const start = performance.now();
    await sessions.without.setAdapters(i % 2 ? [] : [{ adapter }]);
    swaps.push(performance.now() - start);
}
await model.close();

const at = (/** @type {number[]} */ list, /** @type {number} */ share) =>
    [...list].sort((a, b) => a - b)[Math.floor(share * list.length)] ?? NaN;
for (const [what, { without = [], with: adapted = [] }] of Object.entries(
    times,
))
    console.log(
        `${what}: ${at(without, 0.5).toFixed(2)} ms a token, adapted ` +
            `${at(adapted, 0.5).toFixed(2)}: ` +
            `${(at(without, 0.5) / at(adapted, 0.5)).toFixed(2)} of the rate ` +
            `(best rounds ${(at(without, 0) / at(adapted, 0)).toFixed(2)})`,
    );
console.log(`swap: ${at(swaps, 0.5).toFixed(2)} ms`);
