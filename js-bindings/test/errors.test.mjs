// Files and places that can't work, each by its code; and that no code is only
// a promise.
import assert from "node:assert/strict";
import { readdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import { test } from "node:test";
import {
    errorCodes,
    inspect,
    loadModel,
    loadTokenizer,
    PipitError,
    version,
} from "pipit";
import {
    openTiny,
    peerdata,
    rejects,
    tinyModel,
    withoutPeerdata,
} from "./support.mjs";

const one = { threads: 1 };
/** @param {import("../../tests/tools/tiny-model.mjs").TinyOptions} options */
const load = (options) => loadModel(tinyModel(options), one);
/** @param {Record<string, unknown>} metadata */
const withKeys = (metadata) => load({ metadata });

test("files that are none", async () => {
    const file = tinyModel();
    await rejects(loadModel(new ArrayBuffer(0), one), "truncated-file");
    await rejects(
        loadModel(new Blob(["<!doctype html>"]), one),
        "invalid-file",
    );
    const magic = file.slice();
    magic[4] = 9;
    const error = await rejects(
        loadModel(magic, one),
        "unsupported",
        /version/,
    );
    assert.match(error.details.engineStatus ?? "", /^PIPIT_E_/);
    for (const n of [4, 30, 5000]) {
        const cut = new Blob([file.subarray(0, n)]).stream();
        await rejects(loadModel(cut, one), "truncated-file");
    }
    // Of a known length, the header claims what can't be there.
    await rejects(loadModel(file.subarray(0, 30), one), "invalid-file");
    await rejects(
        loadModel(file.subarray(0, file.length - 1), one),
        "truncated-file",
        /output\.weight/,
    );
    await rejects(inspect(file.subarray(0, 5000)), "invalid-file");
    const twisted = file.slice();
    twisted.fill(0xff, 24, 32);
    const at = await rejects(inspect(twisted), "invalid-file");
    assert.equal(typeof at.details.offset, "number");
});

test("models that can't be", async () => {
    const architecture = { "general.architecture": "nonesuch" };
    await rejects(withKeys(architecture), "unsupported", /nonesuch/);
    await rejects(
        withKeys({ "llama.block_count": undefined }),
        "invalid-model",
        /llama\.block_count/,
    );
    await rejects(withKeys({ "llama.embedding_length": 128 }), "invalid-model");
    await rejects(
        load({ without: ["blk.1.ffn_up.weight"] }),
        "invalid-model",
        /blk\.1\.ffn_up\.weight/,
    );
    const pre = { "tokenizer.ggml.pre": "nonesuch" };
    await rejects(withKeys(pre), "unsupported", /nonesuch/);
    const empty = { "tokenizer.ggml.tokens": undefined };
    await rejects(withKeys(empty), "invalid-vocabulary", /tokenizer\.ggml/);
    const tokenizer = loadTokenizer(tinyModel({ metadata: empty }));
    await rejects(tokenizer, "invalid-vocabulary");
});

test("sessions larger than the memory", async (t) => {
    // Two layers' keys and values: 256 bytes a position.
    const context = 2 ** 24;
    const model = await openTiny(t, { context });
    const session = await model.createSession();
    const contextLength = 10_000_000;
    const large = await model.createSession({ contextLength });
    const before = model.memory.total;
    const error = await rejects(
        model.createSession({ contextLength }),
        "out-of-memory",
        /left/,
    );
    assert.ok((error.details.forecast?.kvCache ?? 0) > 2 ** 31);
    assert.ok((error.details.available ?? Infinity) < 2 ** 31);
    const larger = await rejects(
        model.createSession({ contextLength: context }),
        "out-of-memory",
    );
    assert.ok((larger.details.forecast?.kvCache ?? 0) > 2 ** 32);
    await rejects(
        model.createSession({ contextLength: context + 1 }),
        "context-overflow",
    );
    assert.equal(model.memory.total, before);
    await large.close();
    await session.eval([1]);
});

test("a model beyond 4 GiB is refused by its header", async () => {
    const large = (/** @type {number} */ layers) =>
        new Blob([
            tinyModel({ embedding: 6144, layers, headerOnly: true }),
        ]).stream();
    const error = await rejects(
        loadModel(large(32), one),
        "out-of-memory",
        /the model needs 43\.\d\d GB, a module here holds at most 4\.\d\d GB/,
    );
    assert.ok((error.details.forecast?.weights ?? 0) > 2 ** 34);
    assert.deepEqual(
        (await inspect(large(32))).forecast(one),
        error.details.forecast,
    );
    const info = await inspect(large(2));
    const { weights } = info.forecast();
    assert.ok(weights > 2 ** 31 && weights < 2 ** 32);
    // What fits is taken, and given back when the weights don't come.
    await rejects(loadModel(large(2), one), "truncated-file", /token_embd/);
});

test("a header beyond 256 MiB is refused where it says so", async () => {
    const bytes = new DataView(new ArrayBuffer(56));
    const key = "general.name";
    bytes.setUint32(0, 0x46554747, true); // GGUF
    bytes.setUint32(4, 3, true);
    bytes.setBigUint64(16, 1n, true);
    bytes.setBigUint64(24, BigInt(key.length), true);
    new Uint8Array(bytes.buffer).set(new TextEncoder().encode(key), 32);
    bytes.setUint32(44, 8, true); // a string
    bytes.setBigUint64(48, 300_000_000n, true);
    const endless = new ReadableStream({
        start: (controller) => controller.enqueue(new Uint8Array(bytes.buffer)),
    });
    await rejects(loadModel(endless, one), "too-large", /256 MiB/);
});

test("places that can't run it", async () => {
    const wasm = Uint8Array.of(0, 97, 115, 109, 9, 9, 9, 9);
    await rejects(loadModel(tinyModel(), { wasm }), "environment");
    await rejects(
        loadModel(tinyModel(), { wasm: "http://127.0.0.1:1/pipit.wasm" }),
        "environment",
    );
    const kernels = "abacus";
    await rejects(
        loadModel(tinyModel(), { ...one, kernels }),
        "unsupported",
        /abacus/,
    );
    for (const threads of [0, -1, 1.5, 65])
        await rejects(loadModel(tinyModel(), { threads }), "invalid-argument");
});

test("malformed files", { skip: withoutPeerdata }, async (t) => {
    const folder = join(peerdata, "gguf-malformed");
    const names = (await readdir(folder)).filter((n) => n.endsWith(".gguf"));
    assert.ok(names.length > 30);
    for (const name of names)
        await t.test(name, async () => {
            // Whatever it says: a model or a PipitError, and soon.
            const startedAt = performance.now();
            const path = join(folder, name);
            for (const open of [inspect, loadTokenizer, loadModel])
                try {
                    const opened = await open(path, one);
                    if ("close" in opened) await opened.close();
                } catch (error) {
                    assert.ok(error instanceof PipitError, String(error));
                    assert.notEqual(error.code, "internal", error.message);
                    assert.notEqual(error.code, "worker-died", error.message);
                }
            assert.ok(performance.now() - startedAt < 30_000);
        });
});

test("every code is provoked by some test", async () => {
    const folder = new URL(".", import.meta.url);
    const names = (await readdir(folder)).filter((n) => n.endsWith(".mjs"));
    const texts = await Promise.all(
        names.map((name) => readFile(new URL(name, folder), "utf8")),
    );
    const tests = texts.join("\n");
    for (const code of Object.keys(errorCodes))
        if (code !== "internal")
            assert.ok(tests.includes(`"${code}"`), `${code} is not`);
});

test("the documents have every code", async () => {
    const readme = await readFile(
        new URL("../README.md", import.meta.url),
        "utf8",
    );
    for (const [code, meaning] of Object.entries(errorCodes))
        assert.ok(readme.includes(`| \`${code}\` | ${meaning} |`), code);
});

test("the package's version", async () => {
    const { default: manifest } = await import("../package.json", {
        with: { type: "json" },
    });
    assert.equal(version, manifest.version);
});
