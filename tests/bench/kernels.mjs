// Times the kernels alone in WebAssembly: node tests/bench/kernels.mjs MODULE
// [ROWSxCOLS] where MODULE was linked from kernels.c and the engine's kernels
// (the target bench-kernels of the wasm build).
import * as fs from "node:fs";

const [file, shape = "1536x576"] = process.argv.slice(2);
const [rows, cols] = shape.split("x").map(Number);
const memory = new WebAssembly.Memory({ initial: 1024, maximum: 65536 });
const module = new WebAssembly.Module(fs.readFileSync(file));
const { exports } = /** @type {any} */ (
    new WebAssembly.Instance(module, { env: { memory } })
);

const text = (/** @type {number} */ at) => {
    const bytes = new Uint8Array(memory.buffer);
    return new TextDecoder().decode(bytes.slice(at, bytes.indexOf(0, at)));
};

/** Best and median of some timings, in 10^9 per second. */
function rate(/** @type {(n: number) => void} */ run, /** @type {number} */ work) {
    let rounds = 1;
    const time = () => {
        const start = performance.now();
        run(rounds);
        return performance.now() - start;
    };
    while (time() < 20) rounds *= 2;
    const rates = Array.from({ length: 9 }, () => (work * rounds) / time() / 1e6);
    rates.sort((a, b) => b - a);
    return { best: rates[0], median: rates[4] };
}

const types = { Q4_0: 2, Q4_1: 3, Q5_0: 6, Q8_0: 8, Q4_K: 12, Q5_K: 13, Q6_K: 14, F16: 1, F32: 0 };
const show = (/** @type {{best: number, median: number}} */ r) =>
    `${r.best.toFixed(1).padStart(6)} ${r.median.toFixed(1).padStart(6)}`;
for (const roof of ["bench_roof_dot_add", "bench_roof_dot16"])
    if (exports[roof]) console.log(roof.padEnd(34), show(rate(exports[roof], 128)));
console.log("GMAC/s: best median, one token | 64 tokens");
for (let i = 0; exports.bench_name(i) !== 0; i++)
    for (const [type, id] of Object.entries(types)) {
        if (process.env.ONLY && !process.env.ONLY.split(",").includes(type)) continue;
        const results = [1, 64].map((tokens) => {
            const c = id >= 12 ? Math.ceil(cols / 256) * 256 : cols;
            if (!exports.bench_setup(i, id, rows, c, tokens)) return "does not fit";
            return show(rate(exports.bench_run, rows * c * tokens));
        });
        console.log(`${text(exports.bench_name(i)).padEnd(16)} ${type.padEnd(6)} ${results.join(" | ")}`);
    }
