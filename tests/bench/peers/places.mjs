// places.mjs — where files are, and programs that run beside this one.
import { spawn } from "node:child_process";
import * as fs from "node:fs";
import * as os from "node:os";
import * as path from "node:path";
import { fileURLToPath } from "node:url";

export const root = fileURLToPath(new URL("../../..", import.meta.url));
const { PIPIT_CACHE, PIPIT_SHARED, XDG_CACHE_HOME } = process.env;
export const cache =
    PIPIT_CACHE ??
    path.join(XDG_CACHE_HOME ?? path.join(os.homedir(), ".cache"), "pipit");
/** Peers' harnesses, and their copy, which is installed into itself. */
export const harnesses = path.join(
    PIPIT_SHARED ?? path.join(root, "..", "shared"),
    "peers",
);
export const peers = path.join(cache, "peers");

/**
 * Runs a program to its end and gives what it wrote; its errors are shown only
 * where it fails.
 * @param {string} program @param {string[]} words
 * @param {{ cwd?: string, env?: Record<string, string>, minutes?: number,
 *     onLine?: (line: string, pid: number) => void }} [options]
 * @returns {Promise<string>}
 */
export function runs(program, words, options = {}) {
    const { cwd = root, env = {}, minutes = 10, onLine } = options;
    return new Promise((resolve, reject) => {
        const child = spawn(program, words, {
            cwd,
            env: { ...process.env, ...env },
            stdio: ["pipe", "pipe", "pipe"],
            timeout: minutes * 60_000,
        });
        let output = "";
        let errors = "";
        child.stdout.on("data", (text) => {
            output += text;
            if (onLine && /\n$/.test(output) && child.pid) {
                onLine(output.trim().split("\n").at(-1) ?? "", child.pid);
                child.stdin.end();
            }
        });
        if (!onLine) child.stdin.end();
        child.stderr.on("data", (text) => (errors += text));
        child.on("error", reject);
        child.on("close", (code, signal) => {
            if (code === 0) return resolve(output.trim());
            const what = `${path.basename(program)} ${words.join(" ")}`;
            reject(new Error(`${what}: ${signal ?? code}\n${errors.trim()}`));
        });
    });
}

export function hasPeers() {
    return fs.existsSync(harnesses);
}

/** Copies the harnesses and installs what they need. */
export async function preparePeers() {
    fs.cpSync(harnesses, peers, { recursive: true, mode: 0 });
    await runs("chmod", ["-R", "u+w", peers]);
    fs.mkdirSync(path.join(peers, "models"), { recursive: true });
    if (!fs.existsSync(path.join(peers, "node_modules/@wllama/wllama")))
        await runs("npm", ["install", "--ignore-scripts"], {
            ...{ cwd: peers, minutes: 20 },
        });
}
