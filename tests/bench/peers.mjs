// Pipit beside its peers: the same file, the same threads, one run.
//
//   npm run bench:peers [-- FILE.gguf] [--rounds 3] [--threads 1,2]
//
// The peers' harnesses are in the optional folder `shared/peers` beside the
// checkout: wllama 2.3.1 (the last with SIMD kernels) in Chromium and native
// llama.cpp through node-llama-cpp. They are copied to a cache folder and
// installed there. Rounds alternate between the engines; figures are medians of
// the rounds' medians in tokens per second, ratios are ours to theirs.
import { execFileSync } from "node:child_process";
import * as fs from "node:fs";
import * as os from "node:os";
import * as path from "node:path";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";

const root = fileURLToPath(new URL("../..", import.meta.url));
const { values, positionals } = parseArgs({
    options: {
        rounds: { type: "string", default: "3" },
        threads: { type: "string", default: "1,2" },
    },
    allowPositionals: true,
});
const cache =
    process.env.PIPIT_CACHE ??
    path.join(
        process.env.XDG_CACHE_HOME ?? path.join(os.homedir(), ".cache"),
        "pipit",
    );
const model = path.resolve(
    positionals[0] ??
        path.join(cache, "models/SmolLM2-135M-Instruct.Q4_1.gguf"),
);
const harness = process.env.PIPIT_SHARED ?? path.join(root, "..", "shared");
const peers = path.join(cache, "peers");

function prepare() {
    const source = path.join(harness, "peers");
    if (!fs.existsSync(source)) {
        console.log(`skipped: no harnesses in ${source}`);
        process.exit(0);
    }
    fs.cpSync(source, peers, { recursive: true, mode: 0 });
    execFileSync("chmod", ["-R", "u+w", peers]);
    if (!fs.existsSync(path.join(peers, "node_modules/@wllama/wllama")))
        execFileSync("npm", ["install", "--ignore-scripts"], {
            cwd: peers,
            stdio: "inherit",
        });
    fs.mkdirSync(path.join(peers, "models"), { recursive: true });
    const copy = path.join(peers, "models", path.basename(model));
    if (!fs.existsSync(copy)) fs.copyFileSync(model, copy);
    return copy;
}

/** @param {string} program @param {string[]} words @param {string} [cwd] */
function lines(program, words, cwd = root, env = {}) {
    const text = execFileSync(program, words, {
        cwd,
        encoding: "utf8",
        stdio: ["ignore", "pipe", "ignore"],
        env: { ...process.env, ...env },
        timeout: 600_000,
    });
    return text.trim();
}

/** @typedef {{ pp128: number, pp512: number, tg64: number, load: number }} Row */

/** A Node with relaxed SIMD switched on runs our command as users have it. */
function ours(/** @type {string} */ threads) {
    const json = JSON.parse(
        lines(process.execPath, [
            ...["js-bindings/bin/pipit.js", "bench", "--json", "--quiet"],
            ...["--model", model, "--threads", threads, "--reps", "3"],
        ]),
    );
    const [result] = json.results;
    return {
        pp128: result.prompt[128],
        pp512: result.prompt[512],
        tg64: result.decode[0],
        load: result.loadMs,
    };
}

/** @param {string} copy @param {string} threads */
function wllama(copy, threads) {
    const words = ["bench-wllama.mjs", copy, "--threads", threads, "--v2"];
    const row = JSON.parse(
        lines(process.execPath, [...words, "--reps", "2"], peers),
    );
    return { ...row, load: row.load_ms };
}

/** @param {string} copy @param {string} threads */
function native(copy, threads) {
    const words = ["bench-native.mjs", copy, threads, "3"];
    const row = JSON.parse(lines(process.execPath, words, peers, { FA: "1" }));
    return { ...row, load: row.load_ms };
}

const median = (/** @type {number[]} */ xs) =>
    xs.sort((a, b) => a - b)[xs.length >> 1];

const copy = prepare();
const figures = /** @type {const} */ (["pp128", "pp512", "tg64", "load"]);
console.log(
    `${path.basename(model)}, ${os.cpus()[0]?.model}, ${os.cpus().length} ` +
        `processors, Node ${process.version}, load ${os.loadavg()[0]?.toFixed(1)}`,
);
for (const threads of values.threads.split(",")) {
    /** @type {Record<string, Row[]>} */
    const rows = { pipit: [], "wllama 2.3.1": [], "llama.cpp native": [] };
    for (let round = 0; round < Number(values.rounds); round++) {
        rows.pipit?.push(ours(threads));
        rows["wllama 2.3.1"]?.push(wllama(copy, threads));
        rows["llama.cpp native"]?.push(native(copy, threads));
    }
    console.log(`\n${threads} thread(s)`.padEnd(22), figures.join("      "));
    const of = (/** @type {string} */ name) =>
        figures.map((figure) =>
            median((rows[name] ?? []).map((r) => r[figure])),
        );
    const mine = of("pipit");
    for (const name of Object.keys(rows)) {
        const theirs = of(name);
        const cells = theirs.map((value, i) => {
            const ratio = i === 3 ? value / mine[i] : mine[i] / value;
            const text = name === "pipit" ? "" : ` (${ratio.toFixed(2)})`;
            return `${value.toFixed(i === 3 ? 0 : 1)}${text}`.padEnd(14);
        });
        console.log(name.padEnd(20), cells.join(" "));
    }
}
console.log("\n(in brackets: how many times faster than that peer we are)");
