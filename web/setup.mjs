// Does what is missing or out of date, and nothing else; then starts what was
// asked for. Uses only Node's own modules: it runs before there are others.
//
//   node web/setup.mjs              everything, the default model included
//   node web/setup.mjs build        everything but the model
//   node web/setup.mjs start …      everything, then `pipit run …` or a chat
//   node web/setup.mjs demo|bench … everything, then the demo page or pipit bench
import { spawn } from "node:child_process";
import { createHash } from "node:crypto";
import * as fs from "node:fs";
import * as path from "node:path";
import { fileURLToPath } from "node:url";
import {
    buildPackage,
    buildWasm,
    builtModules,
    npm,
    root,
    storeModules,
    trainingModules,
} from "./build.mjs";
import { cacheFolder } from "./toolchain.mjs";

const CLI = "js-bindings/bin/pipit.js";
const modules = [...builtModules, ...trainingModules, ...storeModules];
const STAMPS = path.join(root, "build/stamps");

/** All files at or below the given places. @param {string[]} places */
function* filesBelow(places) {
    for (const place of places) {
        const full = path.join(root, place);
        const stat = fs.statSync(full, { throwIfNoEntry: false });
        if (!stat) continue;
        if (stat.isDirectory()) {
            const names = fs.readdirSync(full).sort();
            yield* filesBelow(names.map((name) => path.join(place, name)));
        } else {
            yield place;
        }
    }
}

/** @param {string} folder */
function cFilesIn(folder) {
    const names = fs.readdirSync(path.join(root, folder)).sort();
    const isC = (/** @type {string} */ name) => /\.[ch]$/.test(name);
    return names.filter(isC).map((name) => `${folder}/${name}`);
}

/** @param {string[]} inputs */
function fingerprint(inputs) {
    const hash = createHash("sha256");
    for (const file of filesBelow(inputs)) {
        const bytes = fs.readFileSync(path.join(root, file));
        hash.update(`${file}\0${bytes.length}\0`).update(bytes);
    }
    return hash.digest("hex");
}

/**
 * @typedef {object} Step
 * @property {string} name
 * @property {string[]} inputs    files and folders that decide what comes out
 * @property {string[]} outputs   what has to be there
 * @property {(log: (line: string) => void) => Promise<void>} run
 */

/** In this order: each stands on those before it. @type {Step[]} */
const steps = [
    {
        name: "dependencies",
        inputs: [
            "package-lock.json",
            "package.json",
            "js-bindings/package.json",
        ],
        outputs: ["node_modules/.package-lock.json"],
        run: async (log) => {
            log("npm: installing dependencies");
            await npm(["ci", "--no-audit", "--no-fund", "--loglevel=error"]);
        },
    },
    {
        name: "wasm",
        inputs: ["CMakeLists.txt", "src", "web/cmake", ...cFilesIn("web")],
        outputs: modules.map((name) => `build/wasm/${name}`),
        run: buildWasm,
    },
    {
        name: "package",
        inputs: [
            ...["src", "package.json", "tsconfig.json"].map(
                (name) => `js-bindings/${name}`,
            ),
            ...["build.mjs", "pack-modules.mjs"].map(
                (name) => `js-bindings/${name}`,
            ),
            ...["models/manifest.json", "package-lock.json", "web/build.mjs"],
            ...modules.map((name) => `build/wasm/${name}`),
        ],
        outputs: ["js-bindings/dist/cli.js", "js-bindings/dist/index.node.js"],
        run: async (log) => {
            log("package: building");
            await buildPackage();
        },
    },
];

/** @param {Step} step @param {(line: string) => void} log */
async function bringUpToDate(step, log) {
    const stamp = path.join(STAMPS, step.name);
    const wanted = fingerprint(step.inputs);
    const present = step.outputs.every((file) =>
        fs.existsSync(path.join(root, file)),
    );
    const done = fs.existsSync(stamp) && fs.readFileSync(stamp, "utf8");
    if (present && done === wanted) return;
    // Without a stamp a run that is killed half-way is done again.
    fs.rmSync(stamp, { force: true });
    await step.run(log);
    fs.mkdirSync(STAMPS, { recursive: true });
    fs.writeFileSync(stamp, wanted);
}

/**
 * Dependencies, modules and package.
 * @param {(line: string) => void} [log]
 */
export async function build(log = console.error) {
    for (const step of steps) await bringUpToDate(step, log);
}

/** The default model; the command checks it, here its size is enough. */
export async function fetchModel() {
    const text = fs.readFileSync(
        path.join(root, "models/manifest.json"),
        "utf8",
    );
    const manifest = JSON.parse(text);
    const model = manifest.models.find(
        (/** @type {{ name: string }} */ m) => m.name === manifest.default,
    );
    const file = path.join(cacheFolder(), "models", model.file);
    const stat = fs.statSync(file, { throwIfNoEntry: false });
    if (stat?.size === model.size) return;
    const code = await runNode([CLI, "pull", model.name], "to stderr");
    if (code !== 0) throw new Error(`could not fetch the model ${model.name}`);
}

/**
 * Hands the terminal to a program of ours until it ends. Ctrl-C is its business.
 * @param {string[]} words
 * @param {"to stderr"} [quiet] keep its output out of standard output
 * @returns {Promise<number>} its exit code
 */
function runNode(words, quiet) {
    const ignore = () => {};
    process.on("SIGINT", ignore);
    return new Promise((resolve, reject) => {
        const [script = "", ...rest] = words;
        const child = spawn(
            process.execPath,
            [path.join(root, script), ...rest],
            { stdio: ["inherit", quiet ? 2 : "inherit", "inherit"] },
        );
        const forward = () => child.kill("SIGTERM");
        process.on("SIGTERM", forward);
        child.on("error", reject);
        child.on("close", (code, signal) => {
            process.off("SIGINT", ignore);
            process.off("SIGTERM", forward);
            resolve(code ?? (signal === "SIGINT" ? 130 : 143));
        });
    });
}

/** Whether there are words that are neither options nor their values. */
function hasPrompt(/** @type {string[]} */ words) {
    return words.some((word, i) => {
        if (word.startsWith("-")) return false;
        const before = words[i - 1] ?? "";
        return !before.startsWith("--") || before.includes("=");
    });
}

/** @param {string[]} words what to start, with its arguments */
async function main([what = "setup", ...words]) {
    await build();
    if (what !== "build") await fetchModel();
    switch (what) {
        case "setup":
        case "build":
            console.error("ready");
            return 0;
        case "start":
            return runNode([CLI, hasPrompt(words) ? "run" : "chat", ...words]);
        case "demo":
            return runNode(["demo/serve.mjs", ...words]);
        case "bench":
            return runNode([CLI, "bench", ...words]);
        default:
            console.error("node web/setup.mjs [build | start | demo | bench]");
            return 2;
    }
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
    try {
        process.exitCode = await main(process.argv.slice(2));
    } catch (error) {
        console.error(error instanceof Error ? error.message : error);
        process.exitCode = 1;
    }
}
