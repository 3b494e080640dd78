// How long an evaluation takes with so many sessions at work: seconds of rounds
// in turns, with and without an adapter. Every round must judge the same.
//
//   node tests/bench/evaluate.mjs [MODEL] [--adapter FILE] [--data FILE.jsonl]
//       [--limit 100] [--sessions 1,4,8] [--rounds 3] [--threads 2]
import assert from "node:assert/strict";
import * as fs from "node:fs";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { allowRelaxedSimd } from "../tools/relaxed-simd.mjs";
import { loadModel } from "pipit";
import { evaluate } from "pipit/evaluate";
import { readExamples } from "pipit/train";

allowRelaxedSimd();
const { values, positionals } = parseArgs({
    options: {
        adapter: { type: "string" },
        data: {
            type: "string",
            default: fileURLToPath(
                new URL(
                    "../../demo/examples-data/tickets-unseen.jsonl",
                    import.meta.url,
                ),
            ),
        },
        limit: { type: "string", default: "100" },
        sessions: { type: "string", default: "1,4,8" },
        rounds: { type: "string", default: "3" },
        threads: { type: "string", default: "2" },
    },
    allowPositionals: true,
});
const counts = values.sessions.split(",").map(Number);
const read = await readExamples(fs.readFileSync(values.data));
const examples = read.examples.slice(0, Number(values.limit));
const model = await loadModel(positionals[0] ?? "smollm2-135m-instruct-q4_1", {
    threads: Number(values.threads),
});
const candidates = [{ name: "none", /** @type {any} */ adapters: [] }];
if (values.adapter !== undefined) {
    const adapter = await model.loadAdapter(values.adapter);
    candidates.push({ name: "adapter", adapters: [{ adapter }] });
}

for (const { name, adapters } of candidates) {
    const seconds = counts.map(() => /** @type {number[]} */ ([]));
    /** @type {unknown} */
    let judged;
    for (let round = 0; round < Number(values.rounds); round++)
        for (const [i, sessions] of counts.entries()) {
            const { candidates } = await evaluate(model, examples, {
                adapters,
                sessions,
            });
            const [{ seconds: taken, accuracy, loss }] =
                /** @type {[import("pipit/evaluate").CandidateResult]} */ (
                    candidates
                );
            seconds[i]?.push(taken);
            judged ??= { accuracy, loss };
            assert.deepEqual({ accuracy, loss }, judged);
        }
    const table = seconds.map((list, i) => {
        list.sort((a, b) => a - b);
        const median = list[list.length >> 1] ?? NaN;
        return `${counts[i]}: ${median.toFixed(2)} s (least ${list[0]?.toFixed(2)})`;
    });
    console.log(`${name}: ${table.join(", ")}; ${JSON.stringify(judged)}`);
}
await model.close();
