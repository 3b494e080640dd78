// contenders.mjs — Pipit and its peers, each in a process of its own.
import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { peers, runs } from "./places.mjs";

/**
 * Tokens per second, milliseconds, bytes.
 * @typedef {object} Figures
 * @property {number} pp128
 * @property {number} pp512
 * @property {number} tg64
 * @property {number} load
 * @property {number} [memory] as the engine reports it
 * @property {number} [peak] of the process, as the system reports it
 * @property {number} [parameters]
 * @property {string} [kernels]
 */

/** @typedef {{ reps: number, prompts: number[], decode: number }} Plan */

const script = fileURLToPath(new URL("ours.mjs", import.meta.url));

/** The most that a process has had in memory. @param {number} pid */
function peakOf(pid) {
    try {
        const text = readFileSync(`/proc/${pid}/status`, "utf8");
        return 1024 * Number(/VmHWM:\s+(\d+)/.exec(text)?.[1] ?? NaN);
    } catch {
        return NaN; // no such place on this system
    }
}

/**
 * @param {string} file @param {number} threads @param {Plan} plan
 * @param {string[]} [more]
 * @returns {Promise<Figures>}
 */
export async function ours(file, threads, plan, more = []) {
    let peak = NaN;
    const { reps, prompts, decode } = plan;
    const text = await runs(
        process.execPath,
        [
            ...[script, file, "--threads", `${threads}`, "--reps", `${reps}`],
            ...["--prompts", prompts.join(), "--decode", `${decode}`, ...more],
        ],
        { onLine: (_, pid) => (peak = peakOf(pid)) },
    );
    const report = JSON.parse(text);
    const [result] = report.results;
    return {
        pp128: result.prompt[prompts[0] ?? 0],
        pp512: result.prompt[prompts[1] ?? 0],
        tg64: result.decode[0],
        load: result.loadMs,
        memory: result.memoryBytes,
        peak,
        parameters: report.parameters,
        kernels: result.kernels,
    };
}

/** @param {any} row of a harness @param {number[]} prompts @returns {Figures} */
const figuresOf = (row, prompts) => ({
    pp128: row[`pp${prompts[0]}`],
    pp512: row[`pp${prompts[1]}`],
    tg64: row.tg64,
    load: row.load_ms,
    ...(row.peak_rss_mb && { peak: row.peak_rss_mb * 1024 * 1024 }),
});

/** In Chromium. @param {string} file @param {number} threads @param {Plan} plan */
export async function wllama(file, threads, { reps, prompts }) {
    const words = ["bench-wllama.mjs", file, "--v2", "--threads", `${threads}`];
    words.push("--reps", `${reps}`, "--pp", prompts.join());
    const text = await runs(process.execPath, words, { cwd: peers });
    return figuresOf(JSON.parse(text), prompts);
}

/** llama.cpp. @param {string} file @param {number} threads @param {Plan} plan */
export async function native(file, threads, { reps, prompts }) {
    const words = ["bench-native.mjs", file, `${threads}`, `${reps}`];
    const env = { FA: "1", PP: prompts.join() };
    const text = await runs(process.execPath, words, { cwd: peers, env });
    return figuresOf(JSON.parse(text), prompts);
}
