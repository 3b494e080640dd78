// Reads the #include lines of src/ and fails on an arrow that points up, on a
// circle of headers, and on what the library may not use of the system.
import * as fs from "node:fs";
import * as path from "node:path";
import { fileURLToPath } from "node:url";

const source = fileURLToPath(new URL("../src", import.meta.url));

/**
 * From the bottom up; a file may include its own layer and all below. Names are
 * without .c and .h, "*" stands for any letters. `only`: of what is below, no
 * more than these.
 */
const layers = [
    { files: ["pipit.h", "base", "arena", "reader", "mathf", "alloc_native"] },
    { files: ["gguf*", "quant*"] },
    { files: ["threads*"], only: ["pipit.h", "base", "arena"] },
    {
        files: ["kernels/*"],
        only: ["pipit.h", "base", "arena", "mathf", "quant"],
    },
    { files: ["engine"] },
    {
        files: [
            ...["unicode*", "nfc", "pretokenize", "scratch", "sink"],
            ...["vocabulary", "specials", "merge", "bpe", "spm", "wpm"],
            "tokenizer",
        ],
        only: ["pipit.h", "base", "arena", "reader", "gguf"],
    },
    { files: ["arch", "model", "bind", "loader"] },
    { files: ["adapter*", "fingerprint"] },
    {
        files: [
            ...["kvcache", "rope", "pass", "stage"],
            ...["attention", "shortconv", "mixture", "forward"],
        ],
    },
    { files: ["rng"] },
    { files: ["adamw", "train*"] },
    { files: ["session", "logits", "sampler", "text", "lookup", "generation"] },
    { files: ["pipit.c"] },
    { files: ["cli*"], only: ["pipit.h"] },
];

/** What the library may use of the system: nothing that prints or allocates. */
const freestanding = [
    ...["stdarg", "stdatomic", "stdbool", "stddef", "stdint", "string"],
    ...["float", "limits", "math"],
].map((name) => `${name}.h`);
/** Where more is needed, and what for. */
const exceptions = [
    { files: "threads_native.c", headers: /./ }, // the system's threads
    { files: "alloc_native.c", headers: /^stdlib\.h$/ }, // the allocator
    { files: "engine.c", headers: /^time\.h$/ }, // natively, to choose kernels
    { files: "cli*", headers: /./ }, // a program, not the library
    {
        files: "kernels/*", // vector instructions, natively through SIMDe
        headers: /^(wasm_simd128\.h|simde\/wasm\/.*)$/,
    },
];
/** Each libm rounds these in its own way; src/mathf.h has ours. */
const foreignMath = new RegExp(
    "\\b(?:exp|exp2|expm1|log|log2|log10|log1p|pow|sin|cos|tan|sinh|cosh|" +
        "tanh|asin|acos|atan|atan2|erf|fma|cbrt|hypot)[fl]?\\(",
);

/** @param {string} pattern @param {string} file */
function matches(pattern, file) {
    const name = /\.[ch]$/.test(pattern) ? file : file.replace(/\.[ch]$/, "");
    const escaped = pattern.replaceAll(".", "\\.").replaceAll("*", "[^/]*");
    return new RegExp(`^${escaped}$`).test(name);
}

/** @param {string} file */
const layerOf = (file) =>
    layers.findIndex(({ files }) => files.some((p) => matches(p, file)));

/** @param {string} text @param {string} file */
function includesOf(text, file) {
    /** @type {string[]} */
    const ours = [];
    /** @type {string[]} */
    const system = [];
    for (const [, open, name] of text.matchAll(
        /^[ \t]*#[ \t]*include[ \t]*(["<])([^">]+)[">]/gm,
    )) {
        const beside = path.posix.join(path.posix.dirname(file), name);
        if (open === "<") system.push(name);
        else if (fs.existsSync(path.join(source, beside))) ours.push(beside);
        else ours.push(path.posix.normalize(name));
    }
    return { ours, system };
}

/** @param {string} file @param {Map<string, string[]>} graph */
function circleThrough(file, graph) {
    const seen = new Set();
    const open = [...(graph.get(file) ?? [])];
    for (let next = open.pop(); next !== undefined; next = open.pop()) {
        if (next === file) return true;
        if (seen.has(next)) continue;
        seen.add(next);
        open.push(...(graph.get(next) ?? []));
    }
    return false;
}

const names = fs
    .readdirSync(source, { recursive: true })
    .map((name) => String(name).replaceAll(path.sep, "/"))
    .filter((name) => /\.[ch]$/.test(name))
    .sort();
/** @type {Map<string, string[]>} */
const graph = new Map();
/** @type {string[]} */
const problems = [];

for (const file of names) {
    const layer = layerOf(file);
    const text = fs.readFileSync(path.join(source, file), "utf8");
    const { ours, system } = includesOf(text, file);
    graph.set(file, ours);
    if (layer < 0) {
        problems.push(`${file} has no layer: give it one in tests/layers.mjs`);
        continue;
    }
    for (const name of ours) {
        const other = layerOf(name);
        const { only } = layers[layer];
        if (!names.includes(name))
            problems.push(`${file} includes ${name}, which is not in src/`);
        else if (other > layer)
            problems.push(`${file} includes ${name}, which is above it`);
        else if (other < layer && only && !only.some((p) => matches(p, name)))
            problems.push(`${file} includes ${name}, which its layer may not`);
    }
    const code = text.replace(/\/\*[^]*?\*\/|"[^"\n]*"/g, "");
    const call = layer < layers.length - 1 && foreignMath.exec(code);
    if (call) problems.push(`${file} calls libm: ${call[0]})`);
    for (const name of system) {
        const allowed =
            freestanding.includes(name) ||
            exceptions.some(
                ({ files, headers }) =>
                    matches(files, file) && headers.test(name),
            );
        if (!allowed) problems.push(`${file} includes <${name}>`);
    }
}
for (const file of names)
    if (circleThrough(file, graph)) problems.push(`${file} includes itself`);

for (const problem of problems) console.log(problem);
console.log(`${names.length} files, ${problems.length} problems`);
process.exitCode = problems.length === 0 && names.length > 0 ? 0 : 1;
