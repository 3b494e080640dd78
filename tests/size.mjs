// What a page fetches: for every entry of the package the JavaScript that it
// loads, and each module, compressed as a server would. Fails above what
// size-budget.json allows.
//
//   node tests/size.mjs            prints and compares
//   node tests/size.mjs --accept   writes the budget anew: what is there, and 2 %
import * as fs from "node:fs";
import * as path from "node:path";
import { fileURLToPath } from "node:url";
import { brotliCompressSync, constants, gzipSync } from "node:zlib";

/* What the first weight waits for. The program of chat templates comes when one
 * is rendered, beside or after the weights. */
const LIMIT_BEFORE = 143_000;
const LIMIT = 165_500;
const LATER = "template.js";
/** But for what only training, evaluation and adapters of another kind want. */
const RARE = ["peft.js", "train.js", "evaluate.js", "csv.js"];

const folder = fileURLToPath(new URL("../js-bindings", import.meta.url));
const dist = path.join(folder, "dist");
const budgetFile = fileURLToPath(new URL("size-budget.json", import.meta.url));

/** @typedef {{ gzip: number, brotli: number }} Sizes */
/** @typedef {Record<string, Sizes>} Budget */

/** @type {Map<string, Sizes>} */
const known = new Map();

/** @param {string} name of a file in dist @returns {Sizes} */
function sizes(name) {
    const bytes = fs.readFileSync(path.join(dist, name));
    const found = known.get(name) ?? {
        gzip: gzipSync(bytes, { level: 9 }).length,
        brotli: brotliCompressSync(bytes, {
            params: { [constants.BROTLI_PARAM_SIZE_HINT]: bytes.length },
        }).length,
    };
    known.set(name, found);
    return found;
}

/** @param {string[]} names @returns {Sizes} */
const total = (names) => ({
    gzip: names.reduce((sum, name) => sum + sizes(name).gzip, 0),
    brotli: names.reduce((sum, name) => sum + sizes(name).brotli, 0),
});

/** The files and all that they import or load on demand. @param {string[]} from */
function reachable(from) {
    const found = new Set(from);
    for (const name of found) {
        const text = fs.readFileSync(path.join(dist, name), "utf8");
        for (const [, next] of text.matchAll(/["'`]\.\/([\w.-]+\.js)["'`]/g))
            if (next && fs.existsSync(path.join(dist, next))) found.add(next);
    }
    return [...found];
}

/** Entry → its file for pages, or its module. @returns {[string, string][]} */
function entries() {
    const text = fs.readFileSync(path.join(folder, "package.json"), "utf8");
    /** @type {Record<string, string | { default: string }>} */
    const { exports } = JSON.parse(text);
    return Object.entries(exports)
        .map(([entry, at]) => {
            const file = typeof at === "string" ? at : at.default;
            const name = entry.replace(/^\./, "pipit");
            return /** @type {[string, string]} */ ([
                name,
                path.basename(file),
            ]);
        })
        .filter(([, file]) => file !== "package.json");
}

/** @param {string} name @param {Sizes} found @param {string} [note] */
const row = (name, { gzip, brotli }, note = "") =>
    console.log(
        `${String(gzip).padStart(8)} ${String(brotli).padStart(8)}  ${name}${note}`,
    );

/** @type {string[]} */
const failures = [];

/** @type {Budget} */
const found = {};
console.log("    gzip   brotli  entry (what else it loads)");
const front = reachable(["index.js", "worker.js"]);
for (const [name, file] of entries()) {
    const wasm = file.endsWith(".wasm");
    const files = wasm || name === "pipit" ? [file] : reachable([file]);
    // An entry beside the front door shares it.
    const own =
        name === "pipit"
            ? front.filter((one) => !RARE.includes(one))
            : files.filter((one) => one === file || !front.includes(one));
    found[name] = total(own);
    const others = own.filter((one) => one !== file);
    row(name, found[name], others.length > 0 ? ` (${others.join(" ")})` : "");
}
for (const name of RARE) {
    found[name] ??= sizes(name);
    row(name, found[name]);
}

if (process.argv.includes("--accept")) {
    const more = (/** @type {number} */ n) => Math.ceil((n * 1.02) / 100) * 100;
    const budget = Object.fromEntries(
        Object.entries(found).map(([name, { gzip, brotli }]) => [
            name,
            { gzip: more(gzip), brotli: more(brotli) },
        ]),
    );
    fs.writeFileSync(budgetFile, `${JSON.stringify(budget, null, 4)}\n`);
}

/** @type {Budget} */
const budget = JSON.parse(fs.readFileSync(budgetFile, "utf8"));
for (const name of new Set([...Object.keys(found), ...Object.keys(budget)]))
    for (const kind of /** @type {const} */ (["gzip", "brotli"])) {
        const bytes = found[name]?.[kind];
        const allowed = budget[name]?.[kind];
        if (bytes === undefined) failures.push(`${name} is not there`);
        else if (allowed === undefined) failures.push(`${name} has no budget`);
        else if (bytes > allowed)
            failures.push(`${name}: ${bytes} bytes ${kind}, budget ${allowed}`);
    }

/* The front door with the largest module of those that only compute. */
const largest = entries()
    .map(([, file]) => file)
    .filter((file) => /^pipit-(simd128|relaxed)/.test(file))
    .reduce((a, b) => (sizes(a).gzip > sizes(b).gzip ? a : b));
const all = total([...front.filter((name) => !RARE.includes(name)), largest]);
const later = sizes(LATER);
const before = {
    gzip: all.gzip - later.gzip,
    brotli: all.brotli - later.brotli,
};
row("before the weights (JavaScript and the largest module)", before);
row("a page in all, with the program of chat templates", all);
for (const [{ gzip }, limit] of /** @type {const} */ ([
    [before, LIMIT_BEFORE],
    [all, LIMIT],
]))
    if (gzip > limit) failures.push(`${gzip} is more than ${limit}`);

for (const failure of [...new Set(failures)]) console.log(failure);
if (failures.length > 0) {
    console.log("a deliberate change: node tests/size.mjs --accept");
    process.exitCode = 1;
}
