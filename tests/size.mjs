// What a page fetches: one wasm module and the JavaScript that `import "pipit"`
// and a chat load, compressed as a server would. Fails above the limit.
import * as fs from "node:fs";
import * as path from "node:path";
import { fileURLToPath } from "node:url";
import { gzipSync } from "node:zlib";

/* What the first weight waits for. The program of chat templates comes when one
 * is rendered, beside or after the weights. */
const LIMIT_BEFORE = 135_000;
const LIMIT = 156_000;
const LATER = "template.js";

const dist = fileURLToPath(new URL("../js-bindings/dist", import.meta.url));
const modules = [
    "pipit-simd128.wasm",
    "pipit-simd128-mt.wasm",
    "pipit-relaxed.wasm",
    "pipit-relaxed-mt.wasm",
];
/** The entry, its worker, and everything that they import or load on demand. */
const entries = ["index.js", "worker.js"];
/** But for what only training, evaluation and adapters of another kind want. */
const rare = ["peft.js", "train.js", "evaluate.js", "csv.js"];

/** @param {string} name @returns {number} bytes */
const zipped = (name) =>
    gzipSync(fs.readFileSync(path.join(dist, name)), { level: 9 }).length;

/** @param {string[]} from @returns {string[]} */
function reachable(from) {
    const found = new Set(from);
    for (const name of found) {
        const text = fs.readFileSync(path.join(dist, name), "utf8");
        for (const [, next] of text.matchAll(/["'`]\.\/([\w.-]+\.js)["'`]/g))
            if (fs.existsSync(path.join(dist, next))) found.add(next);
    }
    return [...found];
}

/** @param {string} name @param {number} bytes */
const row = (name, bytes) =>
    console.log(`${String(bytes).padStart(8)}  ${name}`);

console.log("   bytes  gzip -9");
let scripts = 0;
for (const name of reachable(entries)) {
    if (!rare.includes(name)) scripts += zipped(name);
    row(name, zipped(name));
}
const largest = Math.max(...modules.map(zipped));
for (const name of modules) row(name, zipped(name));
const total = scripts + largest;
const before = total - zipped(LATER);
row("before the weights (JavaScript and the largest module)", before);
row("a page in all, with the program of chat templates", total);
for (const [bytes, limit] of [
    [before, LIMIT_BEFORE],
    [total, LIMIT],
])
    if (bytes > limit) {
        console.log(`${bytes} is more than ${limit}`);
        process.exitCode = 1;
    }
