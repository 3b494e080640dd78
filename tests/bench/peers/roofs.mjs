// roofs.mjs — what this machine allows: D, multiply-adds of int8 dots on registers
// per second, and B, bytes read from memory per second, with as many threads as
// asked. Small loops of tests/bench/kernels.c, each thread with a module and a
// memory of its own.
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { allowRelaxedSimd } from "../../tools/relaxed-simd.mjs";
import { isMainThread, parentPort, Worker } from "node:worker_threads";
import { root } from "./places.mjs";

/** More than any cache holds. */
const READ_BYTES = 256 << 20;
const PAGE = 65536;
/** Milliseconds: of one round, and of all. */
const ROUND_MS = 10;
const TIME_MS = 400;
const works = { plain: 64, dot16: 128, dot_add: 128 };

/** @param {string} kind */
const moduleOf = (kind) => join(root, `build/wasm/kernels-${kind}.wasm`);

/** @param {string} kind */
function load(kind) {
    const module = new WebAssembly.Module(readFileSync(moduleOf(kind)));
    const memory = new WebAssembly.Memory({ initial: 1024, maximum: 16384 });
    const { exports } = new WebAssembly.Instance(module, { env: { memory } });
    return { memory, x: /** @type {any} */ (exports) };
}

/** The best rate of some rounds, in 10^9 a second.
 * @param {(rounds: number) => void} run @param {number} work of one round */
function best(run, work) {
    let rounds = 1;
    let rate = 0;
    for (const end = performance.now() + TIME_MS; ;) {
        const start = performance.now();
        if (start > end) return rate;
        run(rounds);
        const ms = performance.now() - start;
        rate = Math.max(rate, (work * rounds) / ms / 1e6);
        if (ms < ROUND_MS) rounds *= 2;
    }
}

/** @param {string} what @returns {() => number} */
function measurer(what) {
    if (what === "read") {
        const { memory, x } = load("simd128");
        if (!x.bench_read) throw new Error("modules of before: npm run build");
        const from = memory.grow(READ_BYTES / PAGE) * PAGE;
        new Uint8Array(memory.buffer, from, READ_BYTES).fill(1);
        const read = (/** @type {number} */ rounds) => {
            for (; rounds > 0; rounds--) x.bench_read(from, from + READ_BYTES);
        };
        best(read, READ_BYTES); // until it is optimized
        return () => best(read, READ_BYTES);
    }
    const { x } = load(what === "plain" ? "simd128" : "relaxed");
    const work = works[/** @type {keyof typeof works} */ (what)];
    const run = x[`bench_roof_${what}`];
    best(run, work); // until it is optimized
    return () => best(run, work);
}

/** All threads at once, together. @param {string} what @param {number} threads */
async function together(what, threads) {
    const workers = Array.from(
        { length: threads },
        () => new Worker(fileURLToPath(import.meta.url), { execArgv: [] }),
    );
    const heard = (/** @type {Worker} */ worker) =>
        new Promise((resolve, reject) => {
            worker.once("message", resolve);
            worker.once("error", reject);
        });
    try {
        for (const message of [what, "go"]) {
            const all = workers.map(heard);
            for (const worker of workers) worker.postMessage(message);
            const rates = await Promise.all(all);
            if (message === "go")
                return rates.reduce((sum, rate) => sum + rate, 0);
        }
        return NaN;
    } finally {
        await Promise.all(workers.map((worker) => worker.terminate()));
    }
}

if (!isMainThread) {
    /** @type {() => number} */
    let measure;
    parentPort?.on("message", (what) => {
        if (what === "go") parentPort?.postMessage(measure());
        else {
            measure = measurer(what);
            parentPort?.postMessage("ready");
        }
    });
}

/**
 * 10^9 a second. `D` is the better of the two relaxed forms; `plain` of plain
 * SIMD. @typedef {{ D: number, plain: number, B: number }} Roofs
 */

/** @param {number} threads @returns {Promise<Roofs>} */
export async function roofs(threads) {
    if (!existsSync(moduleOf("relaxed")))
        throw new Error("no modules of kernels: npm run build");
    allowRelaxedSimd();
    const dot16 = await together("dot16", threads);
    const dotAdd = await together("dot_add", threads);
    return {
        D: Math.max(dot16, dotAdd),
        plain: await together("plain", threads),
        B: await together("read", threads),
    };
}
