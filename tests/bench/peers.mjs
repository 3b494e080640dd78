// Pipit beside its peers, and every goal: the same files, the same threads, one
// run of about twenty minutes.
//
//   npm run bench:peers [-- FILE.gguf …] [--threads 1,2] [--rounds 1] [--short]
//                       [--parts files,load,…] [--files NAME,…] [--save FILE]
//   npm run bench:peers -- --from FILE [--from FILE]
//
// The peers' harnesses are in the optional folder `shared/peers` beside the
// checkout: wllama 2.3.1 (the last with SIMD kernels) in Chromium and native
// llama.cpp through node-llama-cpp. They are copied to a cache folder and
// installed there. Rounds alternate between the engines; figures are medians of
// the rounds' medians. --short only tries whether everything runs: its figures
// say nothing. Ours runs in Node 24, which is fetched where another Node was
// started. --from prints the goals of saved runs: of several, of each figure
// the median.
import { spawnSync } from "node:child_process";
import * as fs from "node:fs";
import * as os from "node:os";
import * as path from "node:path";
import { parseArgs } from "node:util";
import { inspect } from "pipit";
import { node24 } from "../tools/node24.mjs";
import { tinyModel } from "../tools/tiny-model.mjs";
import { median, medianOfEach } from "./median.mjs";
import { native, ours, wllama } from "./peers/contenders.mjs";
import { fileOf, subjects } from "./peers/files.mjs";
import { goals, goalTable } from "./peers/goals.mjs";
import { hasPeers, harnesses, preparePeers } from "./peers/places.mjs";
import { root, runs } from "./peers/places.mjs";
import { roofs } from "./peers/roofs.mjs";

/** @typedef {import("./peers/goals.mjs").Run} Run */
/** @typedef {import("./peers/contenders.mjs").Figures} Figures */
/** @typedef {import("./peers/contenders.mjs").Plan} Plan */

const every = [
    ...["files", "load", "context", "cancel", "first-token", "growth"],
    ...["sessions", "lookup", "size"],
];
const { values, positionals } = parseArgs({
    options: {
        rounds: { type: "string", default: "1" },
        threads: { type: "string", default: "1,2" },
        parts: { type: "string" },
        files: { type: "string" },
        short: { type: "boolean", default: false },
        save: { type: "string", default: "build/bench/peers.json" },
        from: { type: "string", multiple: true },
    },
    allowPositionals: true,
});

if (values.from) {
    const all = values.from.map((file) =>
        JSON.parse(fs.readFileSync(file, "utf8")),
    );
    console.log(goalTable(goals(medianOfEach(all))));
    process.exit(0);
}

// Of an age with the Chromium in which wllama runs: what compiles Node 20's
// modules is years older.
const newer = await node24();
if ("program" in newer && newer.program !== process.execPath) {
    const words = process.argv.slice(1);
    process.exit(
        spawnSync(newer.program, words, { stdio: "inherit" }).status ?? 1,
    );
}

const parts =
    values.parts?.split(",") ?? (positionals.length ? ["files"] : every);
for (const part of parts)
    if (!every.includes(part))
        throw new Error(`no part ${part}; there are ${every.join(", ")}`);
const threads = values.threads.split(",").map(Number);
const most = Math.max(...threads);
const { short } = values;
/** @type {Plan} */
const plan = short
    ? { reps: 1, prompts: [16, 32], decode: 8 }
    : { reps: 1, prompts: [128, 512], decode: 64 };
const saved = path.resolve(root, values.save);
fs.mkdirSync(path.dirname(saved), { recursive: true });
const scratch = fs.mkdtempSync(path.join(os.tmpdir(), "pipit-peers-"));

/** @type {Run} */
const run = {
    machine: `${os.cpus()[0]?.model.trim()}, ${os.cpus().length} processors`,
    runtime: `Node ${process.version}`,
    date: new Date().toISOString(),
    short,
    loadAverage: {},
};
const since = performance.now();

/** @param {string} what */
function note(what) {
    const average = os.loadavg()[0] ?? NaN;
    const at = ((performance.now() - since) / 60_000).toFixed(1);
    console.error(`${at} min, load ${average.toFixed(1)}: ${what}`);
    Object.assign(run.loadAverage ?? {}, { [what]: average });
    fs.writeFileSync(saved, `${JSON.stringify(run, null, 2)}\n`);
}

/** Figure by figure. @param {Figures[]} rounds @returns {Figures | undefined} */
function middle(rounds) {
    const [first] = rounds;
    if (!first) return undefined;
    return /** @type {Figures} */ (
        Object.fromEntries(
            Object.entries(first).map(([name, value]) => [
                name,
                typeof value === "number"
                    ? median(
                          rounds.map(
                              (round) => /** @type {any} */ (round)[name],
                          ),
                      )
                    : value,
            ]),
        )
    );
}

/** @type {string[]} */
const failures = [];

/** The others are measured all the same. @param {string} what
 * @param {unknown} cause */
function failed(what, cause) {
    failures.push(`${what}: ${/** @type {Error} */ (cause).message}`);
    console.error(failures.at(-1));
}

/** What a token costs. @param {string} file */
async function costs(file) {
    const info = await inspect(file);
    const matrices = info.tensors.filter(({ shape }) => shape.length > 1);
    const is = (/** @type {string} */ name) =>
        matrices.filter((tensor) => tensor.name === `${name}.weight`);
    const output = is("output").length ? is("output") : is("token_embd");
    const body = matrices.filter(
        ({ name }) => !/^(output|token_embd)\./.test(name),
    );
    const weights = (/** @type {typeof matrices} */ of) =>
        of.reduce(
            (sum, { shape }) => sum + shape.reduce((n, d) => n * d, 1),
            0,
        );
    const bytes = (/** @type {typeof matrices} */ of) =>
        of.reduce((sum, tensor) => sum + tensor.bytes, 0);
    const contextLength = Math.max(...plan.prompts, plan.decode + 1);
    return {
        bytes: fs.statSync(file).size,
        body: weights(body),
        decoded: weights(body) + weights(output),
        decodedBytes: bytes(body) + bytes(output),
        kvBytes: info.forecast({ contextLength }).kvCache,
    };
}

/** @param {string} name @param {Run["files"] & {}} files
 * @param {"Q4_1" | "Q4_0" | "Q8_0" | "K"} kind @param {string} file */
async function measureFile(name, kind, file, files) {
    const result = { kind, ...(await costs(file)), threads: {} };
    files[name] = result;
    const beside = hasPeers() && file.includes(`${path.sep}peers${path.sep}`);
    for (const n of threads) {
        /** @type {Record<string, (() => Promise<Figures>)>} */
        const engines = {
            ours: () => ours(file, n, { ...plan, reps: short ? 1 : 3 }),
            ...(kind === "Q4_1" && {
                plain: () => ours(file, n, plan, ["--plain"]),
            }),
            ...(beside && {
                wllama: () => wllama(file, n, plan),
                native: () => native(file, n, { ...plan, reps: short ? 1 : 3 }),
            }),
        };
        /** @type {Record<string, Figures[]>} */
        const rounds = {};
        for (let round = 0; round < Number(values.rounds); round++)
            for (const [engine, measured] of Object.entries(engines)) {
                const what = `${name}, ${n} thread(s), ${engine}`;
                note(what);
                try {
                    (rounds[engine] ??= []).push(await measured());
                } catch (cause) {
                    failed(what, cause);
                }
            }
        if (!rounds.ours?.length) continue;
        Object.assign(result.threads, {
            [n]: Object.fromEntries(
                Object.entries(rounds).map(([engine, all]) => [
                    engine,
                    middle(all),
                ]),
            ),
        });
    }
}

async function measureFiles() {
    const chosen = values.files?.split(",").map((name) => name.toLowerCase());
    const files = (run.files = {});
    const tiny = path.join(scratch, "tiny.gguf");
    fs.writeFileSync(tiny, tinyModel({ context: 1024 }));
    note("roofs");
    run.roofs = {};
    try {
        for (const n of threads) run.roofs[n] = await roofs(n);
    } catch (cause) {
        failed("roofs", cause);
    }
    run.bareBytes = (await ours(tiny, most, { ...plan, reps: 1 })).peak;
    for (const file of positionals) {
        const types = (await inspect(file)).tensors.map(({ type }) => type);
        const kind = /** @type {const} */ (["Q4_1", "Q4_0", "Q8_0"]).find(
            (type) => 2 * types.filter((t) => t === type).length > types.length,
        );
        const full = path.resolve(file);
        await measureFile(path.basename(file), kind ?? "K", full, files);
    }
    if (positionals.length) return;
    for (const subject of subjects) {
        const { name, kind } = subject;
        if (chosen && !chosen.some((part) => name.toLowerCase().includes(part)))
            continue;
        note(`${name}, the file`);
        const { path: file, real } = await fileOf(subject);
        const title = real ? name : `${name} (random weights)`;
        await measureFile(title, kind, file, files);
    }
}

/** What another bench saves. @param {string} bench @param {string[]} words */
async function savedBy(bench, words) {
    note(bench);
    const file = path.join(scratch, `${bench}.json`);
    await runs(process.execPath, [
        ...[path.join("tests/bench", `${bench}.mjs`), ...words],
        ...["--save", file],
    ]);
    return JSON.parse(fs.readFileSync(file, "utf8"));
}

const all = ["--threads", `${most}`];
/** @type {Record<string, () => Promise<void>>} */
const measures = {
    files: measureFiles,
    async load() {
        note("load");
        const words = ["tests/bench/load.mjs", "--json"];
        words.push("--threads", threads.join(), "--rounds", short ? "1" : "5");
        run.load = JSON.parse(await runs(process.execPath, words));
    },
    async context() {
        const words = short ? ["--length", "600"] : [];
        run.context = await savedBy("context", [...all, ...words]);
    },
    async cancel() {
        const words = short ? ["--tries", "3"] : [];
        run.cancel = await savedBy("cancel", [...all, ...words]);
    },
    async "first-token"() {
        const words = short ? ["--rounds", "1", "--repetitions", "4"] : [];
        run.firstToken = await savedBy("first-token", [...all, ...words]);
    },
    async growth() {
        const words = short ? ["--sizes", "15M,42M"] : [];
        run.growth = await savedBy("growth", words);
    },
    async sessions() {
        const words = short ? ["--rounds", "1", "--tokens", "8"] : [];
        const counts = ["--sessions", "1,4"];
        run.sessions = await savedBy("sessions", [...counts, ...words]);
    },
    async lookup() {
        const words = ["--rounds", "1", ...(short ? ["--tokens", "8"] : [])];
        run.lookup = await savedBy("lookup", [...all, ...words]);
    },
    async size() {
        const text = await runs(process.execPath, ["tests/size.mjs"]);
        run.pageBytes = Number(
            /^ *(\d+) +\d+ +before the weights/m.exec(text)?.[1],
        );
    },
};

if (hasPeers()) await preparePeers();
else console.error(`without the peers: no harnesses in ${harnesses}`);
try {
    for (const part of parts)
        try {
            await measures[part]?.();
        } catch (cause) {
            failed(part, cause);
        }
} finally {
    fs.rmSync(scratch, { recursive: true, force: true });
    note("done");
}

console.log(
    `${run.machine}, ${run.runtime}, ${run.date}` +
        (short ? "; SHORT: these figures say nothing" : ""),
);
for (const [n, { D, plain, B }] of Object.entries(run.roofs ?? {}))
    console.log(
        `${n} thread(s): D ${D.toFixed(0)} GMAC/s, plain ${plain.toFixed(0)}, ` +
            `B ${B.toFixed(1)} GB/s`,
    );
for (const [name, { threads }] of Object.entries(run.files ?? {}))
    for (const [n, engines] of Object.entries(threads))
        for (const [engine, figures] of Object.entries(engines))
            console.log(
                `${name}, ${n} thread(s), ${engine.padEnd(6)} ` +
                    `pp${plan.prompts[0]} ${figures.pp128?.toFixed(1)}  ` +
                    `pp${plan.prompts[1]} ${figures.pp512?.toFixed(1)}  ` +
                    `tg64 ${figures.tg64?.toFixed(1)}  load ${figures.load.toFixed(0)} ms`,
            );
console.log(`\n${goalTable(goals(run))}\n\nsaved: ${values.save}`);
if (failures.length) {
    console.log(failures.join("\n"));
    process.exitCode = 1;
}
