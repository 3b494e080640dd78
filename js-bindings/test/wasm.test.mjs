// The module given by the caller, in every form.
import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { before, describe, test } from "node:test";
import { fileURLToPath } from "node:url";
import { inspect, loadModel, loadTokenizer } from "pipit";
import { rejects, serve, tinyModel } from "./support.mjs";

const file = new URL(import.meta.resolve("pipit/pipit-simd128.wasm"));
const threaded = new URL(import.meta.resolve("pipit/pipit-simd128-mt.wasm"));
const tiny = tinyModel();
const type = "application/wasm";

/** @param {import("pipit").WasmSource} wasm @param {number} [threads] */
async function logitsWith(wasm, threads = 1) {
    const model = await loadModel(tiny, { wasm, threads });
    try {
        assert.equal(model.threads, threads);
        const session = await model.createSession();
        await session.eval([33, 34, 35]);
        return await session.logits();
    } finally {
        await model.close();
    }
}

/** @type {Buffer<ArrayBuffer>} */
let bytes;
/** @type {Float32Array} */
let expected;

before(async () => {
    bytes = await readFile(file);
    const model = await loadModel(tiny, { threads: 1 });
    const session = await model.createSession();
    await session.eval([33, 34, 35]);
    expected = await session.logits();
    await model.close();
});

describe("the module as", () => {
    /** @type {[string, () => import("pipit").WasmSource | Promise<import("pipit").WasmSource>][]} */
    const forms = [
        ["a file: URL", () => file],
        ["its address as text", () => file.href],
        ["a path", () => fileURLToPath(file)],
        [
            "a data: address",
            () => `data:${type};base64,${bytes.toString("base64")}`,
        ],
        ["an ArrayBuffer", () => Uint8Array.from(bytes).buffer],
        ["a typed array", () => Uint8Array.from(bytes)],
        ["a Module", () => WebAssembly.compile(bytes)],
        [
            "a Response",
            () => new Response(bytes, { headers: { "content-type": type } }),
        ],
        ["a Response of another type", () => new Response(bytes)],
    ];
    for (const [name, make] of forms)
        test(name, async () => {
            assert.deepEqual(await logitsWith(await make()), expected);
        });

    test("an address over HTTP, and a Response from there", async (t) => {
        const url = await serve(t, (_request, response) => {
            response.setHeader("content-type", type).end(bytes);
        });
        assert.deepEqual(await logitsWith(url), expected);
        assert.deepEqual(await logitsWith(new URL(url)), expected);
        assert.deepEqual(await logitsWith(await fetch(url)), expected);
    });
});

test("threads are for the module that has them", async () => {
    assert.deepEqual(await logitsWith(threaded, 2), expected);
    const model = await loadModel(tiny, { wasm: file, threads: 2 });
    assert.equal(model.threads, 1);
    await model.close();
});

test("inspect and loadTokenizer take it too", async () => {
    const wasm = await WebAssembly.compile(bytes);
    assert.equal((await inspect(tiny, { wasm })).architecture, "llama");
    const tokenizer = await loadTokenizer(tiny, { wasm });
    assert.equal((await tokenizer.tokenize("the")).length > 0, true);
    await tokenizer.close();
});

describe("refused", () => {
    test("another module", async () => {
        const other = Uint8Array.of(0, 97, 115, 109, 1, 0, 0, 0);
        await rejects(loadModel(tiny, { wasm: other }), "environment");
        await rejects(inspect(tiny, { wasm: other }), "environment");
    });

    test("no module: HTML, an error, a file that is not there", async (t) => {
        const url = await serve(t, ({ url: path }, response) => {
            response.statusCode = path === "/404" ? 404 : 200;
            response.setHeader("content-type", "text/html").end("<p>Hello</p>");
        });
        await rejects(loadModel(tiny, { wasm: url }), "environment");
        const error = await rejects(
            loadModel(tiny, { wasm: `${url}/404` }),
            "environment",
            /HTTP 404/,
        );
        assert.equal(error.details.status, 404);
        await rejects(loadModel(tiny, { wasm: "no-such.wasm" }), "environment");
    });

    test("a Response that was read", async () => {
        const wasm = new Response(bytes, { headers: { "content-type": type } });
        await logitsWith(wasm);
        await rejects(loadModel(tiny, { wasm }), "environment");
    });

    test("something else", async () => {
        for (const wasm of [7, {}, [], true])
            await rejects(
                loadModel(tiny, { wasm: /** @type {any} */ (wasm) }),
                "environment",
            );
    });
});

test("kernels are chosen alike each time", async () => {
    /** @type {Set<string>} */
    const chosen = new Set();
    for (let i = 0; i < 8; i++) {
        const model = await loadModel(tiny, { threads: 1 + (i % 2) });
        chosen.add(model.kernels);
        await model.close();
    }
    assert.equal(chosen.size, 1);
});
