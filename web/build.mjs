// The steps from sources to what runs: wasm modules, then the npm package.
// setup.mjs decides which of them are due.
import { spawn } from "node:child_process";
import * as fs from "node:fs";
import * as path from "node:path";
import { fileURLToPath } from "node:url";
import { ensureToolchain } from "./toolchain.mjs";

export const root = fileURLToPath(new URL("..", import.meta.url));
export const wasmFolder = path.join(root, "build/wasm");
const distFolder = path.join(root, "js-bindings/dist");

const variants = ["simd128", "simd128-mt", "relaxed", "relaxed-mt"];
const plainModules = variants.map((variant) => `pipit-${variant}.wasm`);
/** The same with what trains. */
export const trainingModules = variants.map(
    (variant) => `pipit-train-${variant}.wasm`,
);
/** What is shipped; a page fetches one of them. */
export const shippedModules = [...plainModules, ...trainingModules];
/** Put into the program of the store. */
export const storeModules = ["pipit-sha256.wasm"];
/** What is built to compute; tests compare the others with the first. */
export const builtModules = ["pipit-scalar.wasm", ...plainModules];

export class BuildError extends Error {}

/**
 * Runs a command in the repository; its output is shown only if it fails, or
 * on the way when PIPIT_VERBOSE is set.
 * @param {string} program
 * @param {string[]} words
 * @param {{ env?: NodeJS.ProcessEnv }} [options]
 * @returns {Promise<void>}
 */
export function run(program, words, options = {}) {
    const verbose = Boolean(process.env.PIPIT_VERBOSE);
    return new Promise((resolve, reject) => {
        const child = spawn(program, words, {
            cwd: root,
            env: options.env ?? process.env,
            stdio: ["ignore", "pipe", "pipe"],
        });
        let output = "";
        for (const stream of [child.stdout, child.stderr]) {
            stream.on("data", (/** @type {Buffer} */ text) => {
                output = (output + text).slice(-20_000);
                if (verbose) process.stderr.write(text);
            });
        }
        child.on("error", (/** @type {NodeJS.ErrnoException} */ error) => {
            const missing = error.code === "ENOENT";
            reject(
                new BuildError(
                    missing
                        ? `${program} is needed and was not found; install it`
                        : `${program}: ${error.message}`,
                ),
            );
        });
        child.on("close", (code, signal) => {
            if (code === 0) return resolve();
            const what = [program, ...words].join(" ");
            const shown = verbose ? "" : `\n${output.trim()}`;
            return reject(
                new BuildError(`${what}\nfailed (${signal ?? code}):${shown}`),
            );
        });
    });
}

/** npm without a shell's help on every system. @param {string[]} words */
export function npm(words) {
    const cli = process.env.npm_execpath;
    if (cli && /npm-cli\.[cm]?js$/.test(cli))
        return run(process.execPath, [cli, ...words]);
    return run(process.platform === "win32" ? "npm.cmd" : "npm", words);
}

/** Builds the modules. @param {(line: string) => void} log */
export async function buildWasm(log) {
    const { folder, version } = await ensureToolchain(log);
    log(`wasm: building with Emscripten ${version}`);
    const env = {
        ...process.env,
        PATH: `${folder}${path.delimiter}${process.env.PATH ?? ""}`,
    };
    // A folder that another Emscripten configured can't be configured again.
    const cache = path.join(wasmFolder, "CMakeCache.txt");
    const known = fs.existsSync(cache) ? fs.readFileSync(cache, "utf8") : "";
    if (known && !known.includes(`${folder}/`))
        fs.rmSync(wasmFolder, { recursive: true, force: true });
    await run(
        path.join(folder, "emcmake"),
        ["cmake", "-S", ".", "-B", "build/wasm"],
        { env },
    );
    await run("cmake", ["--build", "build/wasm", "--parallel", "2"], { env });
}

/** Puts the modules into the package and builds it, of nothing older. */
export async function buildPackage() {
    fs.rmSync(distFolder, { recursive: true, force: true });
    fs.mkdirSync(distFolder, { recursive: true });
    for (const name of shippedModules)
        fs.copyFileSync(
            path.join(wasmFolder, name),
            path.join(distFolder, name),
        );
    await npm(["run", "build", "--silent", "-w", "pipit"]);
}
