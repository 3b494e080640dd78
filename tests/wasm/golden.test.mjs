// One hash of the logits per model: the same from every module, with any number
// of threads, and however the tokens are cut into evaluations. The hashes in
// golden.json are the engine's promise from release to release: after a change
// of the arithmetic, PIPIT_UPDATE=1 writes them anew.
import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { after, describe, test } from "node:test";
import { setFlagsFromString } from "node:v8";
import { loadModel } from "pipit";
import { builtModules, wasmFolder } from "../../web/build.mjs";
import { pulledModel } from "../golden/reference.mjs";
import { familyModel } from "../tools/family-models.mjs";
import { tensorTypes, tinyModel } from "../tools/tiny-model.mjs";

setFlagsFromString("--experimental-wasm-relaxed-simd");

const file = new URL("golden.json", import.meta.url);
/** @type {Record<string, string>} */
const golden = existsSync(file) ? JSON.parse(readFileSync(file, "utf8")) : {};
/** @type {Record<string, string>} */
const found = {};
const update = Boolean(process.env.PIPIT_UPDATE);

/** Four once; the other threaded module has the same pool. */
function threadsOf(/** @type {string} */ name) {
    if (name.includes("relaxed-mt")) return [1, 2, 3, 4];
    return name.includes("-mt") ? [1, 3] : [1];
}

/** Of each module, the numbers of threads to try. */
const modules = new Map(
    builtModules.map((name) => [
        name,
        {
            module: new WebAssembly.Module(
                readFileSync(`${wasmFolder}/${name}`),
            ),
            threads: threadsOf(name),
        },
    ]),
);

/** V8 11.3 (Node 20) computes relaxed-dot-add wrongly, so it is not chosen. */
const collected = WebAssembly.validate(
    Uint8Array.of(0, 97, 115, 109, 1, 0, 0, 0, 1, 5, 1, 95, 1, 120, 0),
);
/** Each implementation with a module that has it. */
const kernels = [
    ["scalar", "pipit-scalar.wasm"],
    ["simd128", "pipit-simd128.wasm"],
    ["relaxed-dot16", "pipit-relaxed.wasm"],
    ...(collected ? [["relaxed-dot-add", "pipit-relaxed.wasm"]] : []),
];

const tokensOf = (/** @type {number} */ n, /** @type {number} */ range) =>
    Uint32Array.from({ length: n }, (_, i) => (i * 7919) % range);

/**
 * The hash of all logits of these tokens, evaluated in pieces.
 * @param {import("pipit").Model} model
 * @param {Uint32Array} tokens
 * @param {number} piece
 */
async function hashOf(model, tokens, piece) {
    const hash = createHash("sha256");
    const session = await model.createSession({ contextLength: 256 });
    for (let at = 0; at < tokens.length; at += piece) {
        const part = tokens.subarray(at, at + piece);
        await session.eval(part, { allLogits: true });
        hash.update(new Uint8Array((await session.allLogits()).buffer));
    }
    await session.close();
    return hash.digest("hex");
}

/**
 * @param {string} name
 * @param {import("pipit").ModelSource} source
 * @param {number} n number of tokens
 * @param {number} range they are below it
 * @param {number[]} pieces
 */
function sameEverywhere(name, source, n, range, pieces) {
    for (const [kind, wasmName] of kernels)
        test(`${name}: kernels ${kind}`, async () => {
            const wasm = modules.get(wasmName)?.module;
            const options = { wasm, kernels: kind, threads: 1 };
            const model = await loadModel(source, options);
            const hash = await hashOf(model, tokensOf(n, range), 7);
            await model.close();
            assert.equal(hash, golden[name]);
        });
    const tokens = Uint32Array.from(
        { length: n },
        (_, i) => (i * 7919) % range,
    );
    let expected = golden[name];
    for (const [wasmName, { module, threads }] of modules)
        for (const count of threads)
            test(`${name}: ${wasmName}, ${count} threads`, async () => {
                const options = { wasm: module, threads: count };
                const model = await loadModel(source, options);
                try {
                    for (const piece of [n, ...pieces]) {
                        const hash = await hashOf(model, tokens, piece);
                        expected ??= hash;
                        if (update) found[name] ??= hash;
                        const wanted = update ? found[name] : expected;
                        assert.equal(hash, wanted, `in pieces of ${piece}`);
                    }
                } finally {
                    await model.close();
                }
            });
}

describe("logits", () => {
    after(() => {
        if (update) writeFileSync(file, `${JSON.stringify(found, null, 4)}\n`);
    });
    for (const type of tensorTypes)
        sameEverywhere(
            type,
            tinyModel({ type, seed: 3 }),
            100,
            290,
            [1, 7, 64],
        );
    sameEverywhere(
        "mixed",
        tinyModel({
            type: "Q4_0",
            types: { ffn_down: "Q8_0", attn_v: "Q5_1", output: "Q4_1" },
            embedding: 96,
            heads: 3,
            kvHeads: 1,
            feedForward: 160,
            tied: true,
        }),
        100,
        290,
        [1, 7, 64],
    );
    for (const name of ["lfm2-Q4_0", "qwen3moe-Q8_0", "olmo2-windows"])
        sameEverywhere(name, familyModel(name), 100, 260, [1, 7, 64]);
    const real = pulledModel("smollm2-135m-instruct-q4_1");
    if (real) sameEverywhere("smollm2", real, 40, 49152, [1, 7]);
    else test("smollm2", { skip: "the default model is not pulled" }, () => {});
});
