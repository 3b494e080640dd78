// browser.mjs — Chromium as the benches start it.
import { spawnSync } from "node:child_process";

const which = (/** @type {string} */ name) =>
    String(spawnSync("sh", ["-c", `command -v ${name}`]).stdout).trim();

/** For playwright's launch. @param {string} [v8] flags of V8 */
export function browserOptions(v8 = "") {
    return {
        executablePath:
            process.env.CHROMIUM ??
            (which("chromium") || which("google-chrome")),
        args: [
            ...["--no-sandbox", "--disable-gpu", "--no-first-run"],
            ...["--disable-background-networking", "--disable-quic"],
            ...["--disable-component-update", "--disable-sync"],
            ...(v8 ? [`--js-flags=${v8}`] : []),
        ],
    };
}
