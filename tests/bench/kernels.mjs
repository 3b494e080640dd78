// Times the kernels alone, beside the roofs of the same run:
//   node tests/bench/kernels.mjs [build/wasm/kernels-relaxed.wasm [TYPE,…]]
// Best of some rounds, in 10^9 multiply-adds a second, and as a part of the best
// roof. Node.js before 24 wants --experimental-wasm-relaxed-simd; --no-liftoff
// spares it the time until functions are optimized.
import * as fs from "node:fs";

const [file = "build/wasm/kernels-relaxed.wasm", only] = process.argv.slice(2);
const ROWS = 1536;
const COLS = 768; // a multiple of every type's block
const TOKENS = [1, 2, 4, 8, 64];
const ROUNDS = 12;
const memory = new WebAssembly.Memory({ initial: 1024, maximum: 1024 });
const module = new WebAssembly.Module(fs.readFileSync(file));
const { exports } = /** @type {any} */ (
    new WebAssembly.Instance(module, { env: { memory } })
);

const text = (/** @type {number} */ at) => {
    const bytes = new Uint8Array(memory.buffer);
    return new TextDecoder().decode(bytes.slice(at, bytes.indexOf(0, at)));
};

/** @param {(rounds: number) => void} run @param {number} work of one round */
function best(run, work) {
    let rounds = 1;
    let rate = 0;
    for (let i = 0; i < ROUNDS; i++) {
        const start = performance.now();
        run(rounds);
        const ms = performance.now() - start;
        rate = Math.max(rate, (work * rounds) / ms / 1e6);
        if (ms < 5) rounds *= 2;
    }
    return rate;
}

/** GGUF's numbers. */
const types = {
    ...{ Q4_0: 2, Q4_1: 3, Q5_0: 6, Q5_1: 7, Q8_0: 8 },
    ...{ Q2_K: 10, Q3_K: 11, Q4_K: 12, Q5_K: 13, Q6_K: 14 },
    ...{ IQ4_NL: 20, IQ4_XS: 23, TQ1_0: 34, TQ2_0: 35 },
    ...{ MXFP4: 39, NVFP4: 40, Q1_0: 41, Q2_0: 42 },
    ...{ F16: 1, BF16: 30, F32: 0 },
};

let roof = 0;
const macs = { plain: 64, dot16: 128, dot_add: 128 };
for (const [name, work] of Object.entries(macs)) {
    const run = exports[`bench_roof_${name}`];
    if (!run) continue;
    best(run, work); // until it is optimized
    const rate = best(run, work);
    console.log(`roof ${name.padEnd(18)} ${rate.toFixed(1).padStart(6)}`);
    roof = Math.max(roof, rate);
}
const head = TOKENS.map((n) => `${n} tok`.padStart(12));
console.log(`${" ".repeat(24)}${head.join("")}`);
for (let i = 0; exports.bench_name(i) !== 0; i++)
    for (const [type, id] of Object.entries(types)) {
        if (only && !only.split(",").includes(type)) continue;
        if (text(exports.bench_name(i)) === "scalar") continue;
        const rates = TOKENS.map((tokens) =>
            best(
                exports.bench_run,
                exports.bench_setup(i, id, ROWS, COLS, tokens),
            ),
        );
        const shown = rates.map((rate) =>
            `${rate.toFixed(1)} ${(rate / roof).toFixed(2)}`.padStart(12),
        );
        const name = text(exports.bench_name(i)).padEnd(16);
        console.log(`${name} ${type.padEnd(6)} ${shown.join("")}`);
    }
