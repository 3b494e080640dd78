// A step of training in Node and in Chromium, in turns: seconds of each, and how
// many times Node's time Chromium takes.
//
//   node tests/bench/training.mjs [--rounds 3] [--steps 4] [--threads 2]
//       [--batch 4] [--8-bit]
import * as fs from "node:fs";
import { parseArgs } from "node:util";
import { allowRelaxedSimd } from "../tools/relaxed-simd.mjs";
import { loadModel } from "pipit";
import { readExamples } from "pipit/train";
import { startServer } from "../../demo/serve.mjs";
import { launch } from "../browser/support.mjs";

allowRelaxedSimd();
const { values } = parseArgs({
    options: {
        rounds: { type: "string", default: "3" },
        steps: { type: "string", default: "4" },
        threads: { type: "string", default: "2" },
        batch: { type: "string", default: "4" },
        "8-bit": { type: "boolean", default: false },
    },
});
const file = "SmolLM2-135M-Instruct.Q4_1.gguf";
const steps = Number(values.steps);
const threads = Number(values.threads);
const batchSize = Number(values.batch);
const data = new URL("../../demo/examples-data/tickets.jsonl", import.meta.url);
const { examples } = await readExamples(fs.readFileSync(data));
const options = {
    ...{ batchSize, rank: 8, seed: 1, shuffle: false },
    precise: !values["8-bit"],
};
const some = examples.slice(0, batchSize * (steps + 1));

/** @typedef {{ seconds: number[], losses: number[] }} Round the first step warms up */

/** Also evaluated in the page. @param {any} model @param {any} of */
async function round(model, { some, options }) {
    /** @type {number[]} */
    const at = [];
    const { losses } = await model.trainAdapter(some, {
        ...options,
        onProgress: () => at.push(performance.now()),
    });
    const seconds = at.slice(1).map((end, i) => (end - (at[i] ?? 0)) / 1000);
    return { seconds, losses };
}

const server = await startServer({});
const browser = await launch();
const page = await browser.newPage();
await page.goto(new URL("teach.html", server.url).href);
await page.evaluate(`void (globalThis.round = ${round})`);
await page.evaluate(
    async ({ source, threads }) => {
        const { loadModel } = await import(
            new URL("pipit/index.js", document.baseURI).href
        );
        const model = await loadModel(new URL(source, document.baseURI), {
            ...{ threads, training: true },
        });
        const here = /** @type {any} */ (globalThis);
        here.train = (/** @type {any} */ of) => here.round(model, of);
    },
    { source: `models/${file}`, threads },
);
const model = await loadModel("smollm2-135m-instruct-q4_1", {
    ...{ threads, training: true },
});

/** @type {Record<string, () => Promise<Round>>} */
const places = {
    Node: () => round(model, { some, options }),
    Chromium: () =>
        page.evaluate((of) => /** @type {any} */ (globalThis).train(of), {
            ...{ some, options },
        }),
};
/** @type {Record<string, number[]>} */
const all = { Node: [], Chromium: [] };
const losses = new Set();
for (let i = 0; i < Number(values.rounds); i++)
    for (const [name, run] of Object.entries(places)) {
        const one = await run();
        all[name]?.push(...one.seconds);
        losses.add(one.losses.join());
        console.log(name, one.seconds.map((s) => s.toFixed(2)).join(" "));
    }
await browser.close();
await server.close();
await model.close();

const at = (/** @type {number[]} */ list, /** @type {number} */ share) =>
    [...list].sort((a, b) => a - b)[Math.floor(share * list.length)] ?? NaN;
for (const [name, list] of Object.entries(all))
    console.log(
        `${name}: median ${at(list, 0.5).toFixed(2)} s, tenth ${at(list, 0.1).toFixed(2)} s`,
    );
const ratio = (/** @type {number} */ share) =>
    (at(all.Chromium ?? [], share) / at(all.Node ?? [], share)).toFixed(2);
console.log(`Chromium takes ${ratio(0.5)} (tenth ${ratio(0.1)}) × Node's time`);
console.log(losses.size === 1 ? "the same losses" : "losses differ");
process.exit(losses.size === 1 ? 0 : 1);
