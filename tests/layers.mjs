// Reads the #include lines of src/ and fails on an arrow that points up, on a
// circle of headers, and on a system header the library may not use.
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
    { files: ["pipit.h", "base", "arena", "reader", "mathf"] },
    { files: ["gguf", "quant"] },
    { files: ["threads*"], only: ["pipit.h", "base", "arena"] },
    {
        files: ["kernels/*"],
        only: ["pipit.h", "base", "arena", "mathf", "quant"],
    },
    { files: ["engine"] },
    {
        files: ["unicode*", "pretokenize", "tokenizer", "bpe", "spm"],
        only: ["pipit.h", "base", "arena", "reader", "gguf"],
    },
    { files: ["arch", "model", "bind", "loader"] },
    { files: ["kvcache", "rope", "pass", "attention", "forward"] },
    { files: ["session", "sampler", "rng", "text", "generation"] },
    { files: ["pipit.c"] },
    { files: ["cli*"], only: ["pipit.h"] },
];

/** What the library may use of the system: nothing that prints or allocates. */
const freestanding = [
    ...["stdarg", "stdatomic", "stdbool", "stddef", "stdint", "string"],
    ...["float", "limits"],
].map((name) => `${name}.h`);
/** Where more is needed, and what for. */
const exceptions = [
    { files: "threads_native.c", headers: /./ }, // the system's threads
    { files: "engine.c", headers: /^time\.h$/ }, // natively, to choose kernels
    { files: "cli*", headers: /./ }, // a program, not the library
    {
        files: "kernels/*", // vector instructions, natively through SIMDe
        headers: /^(wasm_simd128\.h|simde\/wasm\/.*)$/,
    },
];

/** @param {string} pattern @param {string} file */
function matches(pattern, file) {
    const name = /\.[ch]$/.test(pattern) ? file : file.replace(/\.[ch]$/, "");
    const escaped = pattern.replaceAll(".", "\\.").replaceAll("*", "[^/]*");
    return new RegExp(`^${escaped}$`).test(name);
}

/** @param {string} file */
const layerOf = (file) =>
    layers.findIndex(({ files }) => files.some((p) => matches(p, file)));

/** @param {string} file @returns {{ ours: string[], system: string[] }} */
function includesOf(file) {
    const text = fs.readFileSync(path.join(source, file), "utf8");
    const ours = [];
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
    const { ours, system } = includesOf(file);
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
console.log(`${names.length} files, ${problems.length} arrows that point up`);
process.exitCode = problems.length === 0 && names.length > 0 ? 0 : 1;
