// The package as its users get it: packed, and installed in a folder of theirs.
import { execFile } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { mkdir, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after } from "node:test";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";

const root = fileURLToPath(new URL("../..", import.meta.url));
const execute = promisify(execFile);

/**
 * npm, without the settings that the npm above us hands down.
 * @param {string[]} words
 * @param {string} cwd
 */
export async function npm(words, cwd) {
    const env = Object.fromEntries(
        Object.entries(process.env).filter(([name]) => !/^npm_/i.test(name)),
    );
    const { stdout } = await execute("npm", words, {
        cwd,
        env: { ...env, npm_config_cache: join(tmpdir(), "pipit-npm") },
        maxBuffer: 2 ** 24,
    });
    return stdout;
}

/**
 * Packs the package.
 * @param {string} folder where the file goes
 * @returns {Promise<{ file: string, names: string[] }>} and what is in it
 */
export async function pack(folder) {
    const text = await npm(
        ["pack", "--json", "--ignore-scripts", "--pack-destination", folder],
        join(root, "js-bindings"),
    );
    const told = JSON.parse(text);
    // A list, or by name since npm 11.
    const [facts] = Array.isArray(told) ? told : Object.values(told);
    return {
        file: join(folder, facts.filename),
        names: facts.files.map((/** @type {{ path: string }} */ f) => f.path),
    };
}

/**
 * An empty project with nothing but the package, installed without a network:
 * it has no dependencies.
 * @param {string} folder made if it is not there
 * @param {string} [file] the package; packed anew when not given
 */
export async function installPacked(folder, file) {
    await mkdir(folder, { recursive: true });
    const manifest = { name: "empty", private: true, type: "module" };
    await writeFile(join(folder, "package.json"), JSON.stringify(manifest));
    const packed = file ?? (await pack(folder)).file;
    const words = ["--offline", "--no-audit", "--no-fund", "--ignore-scripts"];
    await npm(["install", ...words, packed], folder);
    return folder;
}

/** A folder for the tests of a file or a suite; to be called where they are
 * described. @returns {string} */
export function useFolder() {
    const folder = mkdtempSync(join(tmpdir(), "pipit-package-"));
    after(() => rmSync(folder, { recursive: true, force: true }));
    return folder;
}
