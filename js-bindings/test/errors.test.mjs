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
    await rejects(loadModel(new ArrayBuffer(0), one), "invalid-file");
    await rejects(loadModel(new Blob(["<!doctype html>"]), one), "invalid-file");
    const magic = file.slice();
    magic[4] = 9;
    const error = await rejects(loadModel(magic, one), "unsupported", /version/);
    assert.match(error.details.engineStatus ?? "", /^PIPIT_E_/);
    for (const n of [4, 30, 5000])
        await rejects(loadModel(file.subarray(0, n), one), "truncated-file");
    await rejects(
        loadModel(file.subarray(0, file.length - 1), one),
        "truncated-file",
        /output_norm|blk\.1/,
    );
    await rejects(inspect(file.subarray(0, 5000)), "truncated-file");
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

test("more than there is", async (t) => {
    const model = await openTiny(t);
    const before = model.memory.total;
    const huge = model.createSession({ contextLength: 2 ** 24 });
    const error = await rejects(huge, "out-of-memory");
    assert.ok((error.details.forecast?.kvCache ?? 0) > 2 ** 31);
    assert.ok((error.details.available ?? Infinity) < 2 ** 32);
    assert.equal(model.memory.total, before);
    const session = await model.createSession();
    await session.eval([1]);
    await rejects(
        model.createSession({ contextLength: 2 ** 31 }),
        "too-large",
    );
});

test("a model beyond 4 GiB is refused by its header", async () => {
    // The header of a model of 40,000 layers' width, without its weights.
    const tiny = tinyModel();
    const info = await inspect(tiny);
    const header = tiny.slice(0, info.headerBytes);
    const view = new DataView(header.buffer);
    const name = new TextEncoder().encode("token_embd.weight");
    let at = 0;
    while (!name.every((byte, i) => header[at + i] === byte)) at++;
    at += name.length + 4;
    assert.equal(view.getBigUint64(at + 8, true), 290n);
    view.setBigUint64(at + 8, 2n ** 31n, true);
    await rejects(
        loadModel(new Blob([header]).stream(), one),
        "invalid-model",
    );
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
            assert.ok(performance.now() - startedAt < 5000);
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
