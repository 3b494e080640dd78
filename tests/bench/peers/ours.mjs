// ours.mjs — Pipit in a process of its own: measures as `pipit bench` does and
// prints one line of JSON, then stays until its input ends, so that whoever
// started it can read from outside how much memory it took.
//
//   node ours.mjs MODEL --threads 2 [--plain] [--prompts 128,512] [--reps 3]
//                       [--contextLength 1024]
import { parseArgs } from "node:util";
import { allowRelaxedSimd } from "../../tools/relaxed-simd.mjs";
import { loadModel } from "pipit";
import { measure } from "pipit/bench";

const { values, positionals } = parseArgs({
    options: {
        threads: { type: "string", default: "1" },
        plain: { type: "boolean", default: false },
        prompts: { type: "string", default: "128,512" },
        decode: { type: "string", default: "64" },
        reps: { type: "string", default: "3" },
    },
    allowPositionals: true,
});
const [file = ""] = positionals;
if (!values.plain) allowRelaxedSimd();
const report = await measure(
    (threads) =>
        loadModel(file, {
            threads,
            // What a browser without relaxed SIMD runs.
            ...(values.plain && {
                wasm: new URL(
                    import.meta.resolve("pipit/pipit-simd128-mt.wasm"),
                ),
            }),
        }),
    {
        threads: values.threads.split(",").map(Number),
        prompts: values.prompts.split(",").filter(Boolean).map(Number),
        contexts: [0],
        decode: Number(values.decode),
        repetitions: Number(values.reps),
    },
    { model: file, machine: "", runtime: process.version },
);
console.log(JSON.stringify(report));
process.stdin.resume();
