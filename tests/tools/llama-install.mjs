// npm's node-llama-cpp in the cache, for tests that ask llama.cpp: the package
// and its library for this machine's processor, no graphics cards' (1 GB).
import { spawnSync } from "node:child_process";
import * as fs from "node:fs";
import * as os from "node:os";
import * as path from "node:path";

const VERSION = "3.22.1";
const libraries = /** @type {Record<string, string>} */ ({
    "linux-x64": "linux-x64",
    "linux-arm64": "linux-arm64",
    "darwin-arm64": "mac-arm64-metal",
    "darwin-x64": "mac-x64",
});

const { PIPIT_LLAMA, PIPIT_CACHE, XDG_CACHE_HOME } = process.env;

/** The folder that has it, for PIPIT_LLAMA of llama-adapter.mjs. */
export const llamaFolder =
    PIPIT_LLAMA ??
    path.join(
        PIPIT_CACHE ??
            path.join(
                XDG_CACHE_HOME ?? path.join(os.homedir(), ".cache"),
                "pipit",
            ),
        "llama-oracle",
    );

/** Puts it there, once. @returns {string | false} why it is not there */
export function installLlama() {
    const modules = path.join(llamaFolder, "node_modules");
    const library = libraries[`${process.platform}-${process.arch}`];
    if (!library) return "no library of llama.cpp for this machine";
    const has = (/** @type {string} */ name) =>
        fs.existsSync(path.join(modules, name, "package.json"));
    const names = ["node-llama-cpp", `@node-llama-cpp/${library}`];
    if (names.every(has)) return false;
    fs.mkdirSync(llamaFolder, { recursive: true });
    const { status, stderr } = spawnSync(
        "npm",
        [
            ...["install", "--ignore-scripts", "--omit=optional", "--no-audit"],
            ...["--no-fund", "--prefix", "."],
            ...names.map((name) => `${name}@${VERSION}`),
        ],
        { cwd: llamaFolder, encoding: "utf8", timeout: 240_000 },
    );
    return status === 0 && names.every(has)
        ? false
        : `node-llama-cpp could not be installed: ${stderr.trim().slice(-200)}`;
}
