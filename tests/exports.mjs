// The functions of a module are written down three times: web/exports.c
// defines them, web/exports.txt gives the reason of each, and
// js-bindings/src/engine/exports.ts declares them. All three and the built
// modules must agree, names and numbers of parameters alike; and a module
// imports nothing but its memory.
import { readFile } from "node:fs/promises";
import { allowRelaxedSimd } from "./tools/relaxed-simd.mjs";
import { builtModules, trainingModules, wasmFolder } from "../web/build.mjs";

allowRelaxedSimd();

const read = (/** @type {string} */ path) =>
    readFile(new URL(`../${path}`, import.meta.url), "utf8");

const failures = /** @type {string[]} */ ([]);

/** @param {string} what @param {Iterable<string>} a @param {Iterable<string>} b */
function same(what, a, b) {
    const left = new Set(a);
    const right = new Set(b);
    for (const name of left)
        if (!right.has(name)) failures.push(`${what}: only the first: ${name}`);
    for (const name of right)
        if (!left.has(name)) failures.push(`${what}: only the second: ${name}`);
}

/** Name → number of parameters. @returns {Map<string, number>} */
function definitions(/** @type {string} */ c) {
    const found = new Map();
    for (const [, name, list] of c.matchAll(
        /^EXPORT\([^,]+?,\s*(\w+),\s*([^)]*)\)\s*\{/gm,
    ))
        found.set(
            `pipit_${name}`,
            list.trim() === "void" ? 0 : list.split(",").length,
        );
    return found;
}

/** @returns {Map<string, number>} */
function declarations(/** @type {string} */ ts) {
    const found = new Map();
    for (const [, name, list] of ts.matchAll(
        /^ {4}(\w+)\(([^)]*)\): [\w"<>]+;/gm,
    ))
        found.set(name, list.split(",").filter((part) => part.trim()).length);
    for (const [, name] of ts.matchAll(/readonly (__\w+): WebAssembly/g))
        found.set(name, -1);
    return found;
}

const reasons = new Map();
for (const line of (await read("web/exports.txt")).split("\n")) {
    if (line === "" || line.startsWith("#")) continue;
    const [, name, reason] = /^(\S+)\s+(\S.*)$/.exec(line) ?? [];
    if (!name) failures.push(`exports.txt: no reason: ${line}`);
    else reasons.set(name, reason);
}
const ours = [...reasons.keys()].filter((name) => name.startsWith("pipit_"));
const linkers = [...reasons.keys()].filter((name) => name.startsWith("__"));

/** Of all modules, and of those that train. */
const plain = definitions(await read("web/exports.c"));
const training = definitions(await read("web/exports_train.c"));
const defined = new Map([...plain, ...training]);
const declared = declarations(await read("js-bindings/src/engine/exports.ts"));
same("exports*.c, exports.txt", defined.keys(), ours);
same(
    "exports.ts, exports.txt",
    [...declared.keys(), "__heap_base"],
    reasons.keys(),
);

for (const name of [...builtModules, ...trainingModules]) {
    const here = trainingModules.includes(name) ? defined : plain;
    const bytes = await readFile(`${wasmFolder}/${name}`);
    const module = new WebAssembly.Module(bytes);
    const threaded = name.includes("-mt");
    const exports = WebAssembly.Module.exports(module);
    same(
        `${name}, exports.txt`,
        exports.map((entry) => entry.name),
        [...here.keys(), ...(threaded ? linkers : ["__heap_base"])],
    );
    const imports = WebAssembly.Module.imports(module);
    same(
        `${name}, its imports`,
        imports.map((entry) => `${entry.module}.${entry.name} ${entry.kind}`),
        ["env.memory memory"],
    );
    const shared = threaded;
    const memory = new WebAssembly.Memory({
        initial: 64,
        maximum: 256,
        shared,
    });
    const instance = new WebAssembly.Instance(module, { env: { memory } });
    for (const [method, count] of here) {
        const { length } = /** @type {Function} */ (instance.exports[method]);
        if (length !== count)
            failures.push(`${name}: ${method} takes ${length}, not ${count}`);
        if (declared.get(method) !== count)
            failures.push(`exports.ts: ${method} takes ${count} parameters`);
    }
}

for (const failure of failures) console.log(failure);
console.log(
    `${defined.size} functions in ` +
        `${builtModules.length + trainingModules.length} modules, ` +
        `${failures.length} disagreements`,
);
process.exitCode = failures.length === 0 ? 0 : 1;
