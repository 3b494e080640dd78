// What choosing a token costs: the time of a token with each way of sampling, as
// a multiple of greedy's; medians of rounds in turns.
//
//   node tests/bench/sampling.mjs [MODEL] [--rounds 5] [--threads 1] [--tokens 48]
//       [--wasm FILE]
import { parseArgs } from "node:util";
import { loadModel } from "pipit";
import { allowRelaxedSimd } from "../tools/relaxed-simd.mjs";
import { median } from "./median.mjs";

allowRelaxedSimd();
const { values, positionals } = parseArgs({
    options: {
        rounds: { type: "string", default: "5" },
        threads: { type: "string", default: "1" },
        tokens: { type: "string", default: "48" },
        wasm: { type: "string" },
    },
    allowPositionals: true,
});
const ways = {
    greedy: { temperature: 0 },
    "temperature 1": { temperature: 1 },
    "top-k 40": { temperature: 0.7, topK: 40 },
    "top-p 0.9": { temperature: 0.7, topP: 0.9 },
    "min-p 0.05": { temperature: 0.7, minP: 0.05 },
    "repetition penalty": { temperature: 0, repetitionPenalty: 1.1 },
};

const model = await loadModel(positionals[0] ?? "smollm2-135m-instruct-q4_1", {
    threads: Number(values.threads),
    ...(values.wasm && { wasm: values.wasm }),
});
const session = await model.createSession({ contextLength: 512 });
const prompt = await model.tokenize("Write a story about the sea.\n");
const maxTokens = Number(values.tokens);
const times = new Map(
    Object.keys(ways).map((name) => [name, /** @type {number[]} */ ([])]),
);
for (let round = 0; round <= Number(values.rounds); round++)
    for (const [name, way] of Object.entries(ways)) {
        await session.rewind(0);
        await session.eval(prompt);
        const started = performance.now();
        for await (const _ of session.generate({
            ...{ maxTokens, seed: round, ignoreEndOfGeneration: true },
            ...way,
        }));
        const time = (performance.now() - started) / maxTokens;
        if (round > 0) times.get(name)?.push(time);
    }
await model.close();

const greedy = median(times.get("greedy") ?? []);
console.log(`a token, ${values.threads} thread(s), ${values.rounds} rounds`);
for (const [name, all] of times) {
    const ms = median(all);
    const ratio = (ms / greedy).toFixed(2);
    console.log(
        `${name.padEnd(20)} ${ms.toFixed(2).padStart(6)} ms  ${ratio} x`,
    );
}
