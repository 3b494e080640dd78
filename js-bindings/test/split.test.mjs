// A model in several files: by its first part or as a list, and nothing but
// all of them in order.
import assert from "node:assert/strict";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { inspect, loadModel, loadTokenizer } from "pipit";
import { tinyParts } from "../../tests/tools/tiny-model.mjs";
import { rejects, serve, someTokens, tinyModel } from "./support.mjs";

const tiny = { type: "Q4_1", layers: 4 };
const whole = tinyModel(tiny);
const parts = tinyParts(tiny, 3);
const blobs = parts.map((part) => new Blob([part]));
const names = parts.map((_, i) => `tiny-0000${i + 1}-of-00003.gguf`);
const one = { threads: 1 };

/** @param {import("pipit").ModelSource} source @param {object} [options] */
async function logitsOf(source, options) {
    const model = await loadModel(source, { ...one, ...options });
    try {
        const session = await model.createSession();
        await session.eval(someTokens(20));
        return await session.logits();
    } finally {
        await model.close();
    }
}

/** @param {import("node:test").TestContext} t */
async function written(t, files = parts) {
    const folder = await mkdtemp(join(tmpdir(), "pipit-"));
    t.after(() => rm(folder, { recursive: true }));
    for (const [i, part] of files.entries())
        await writeFile(join(folder, names[i] ?? ""), part);
    return join(folder, names[0] ?? "");
}

/** @param {import("node:test").TestContext} t */
async function served(t, files = parts) {
    const base = await serve(t, (request, response) => {
        const path = (request.url ?? "").replace(/\?.*/, "");
        const i = names.indexOf(path.slice(1));
        if (!files[i]) response.writeHead(404);
        response.end(files[i]);
    });
    return `${base}/${names[0]}?download=true`;
}

test("the first part, or a list of all, is the model", async (t) => {
    const expected = await logitsOf(whole);
    const path = await written(t);
    /** @type {Record<string, import("pipit").ModelSource>} */
    const sources = {
        "a path": path,
        "an address": await served(t),
        "a list of Blobs": blobs,
        "a list of paths": names.map((name) => join(path, "..", name)),
        "a list of several kinds": [
            path,
            new URL(`file://${path}`.replace("00001", "00002")),
            blobs[2],
        ],
    };
    for (const [kind, source] of Object.entries(sources))
        assert.deepEqual(await logitsOf(source), expected, kind);
});

test("progress counts the bytes of all parts", async () => {
    /** @type {import("pipit").Progress[]} */
    const seen = [];
    await logitsOf(blobs, {
        onProgress: (/** @type {import("pipit").Progress} */ progress) =>
            seen.push(progress),
    });
    const bytes = parts.reduce((sum, { length }) => sum + length, 0);
    assert.deepEqual(
        { loaded: seen.at(-1)?.loaded, total: seen.at(-1)?.total },
        { loaded: bytes, total: bytes },
    );
    const weights = seen.filter(({ phase }) => phase === "weights");
    for (const [i, { loaded }] of weights.entries())
        assert.ok(i === 0 || loaded >= (weights[i - 1]?.loaded ?? 0));
});

test("the headers of all parts make one description", async (t) => {
    const split = await inspect(await served(t));
    const single = await inspect(whole);
    assert.equal(split.parts, 3);
    assert.deepEqual(
        split.tensors.map(({ name, shape, type }) => ({ name, shape, type })),
        single.tensors.map(({ name, shape, type }) => ({ name, shape, type })),
    );
    assert.equal(split.forecast(one).weights, single.forecast(one).weights);
    assert.equal(
        split.fileBytes,
        parts.reduce((sum, { length }) => sum + length, 0),
    );
    const last = split.tensors.at(-1);
    assert.equal(last?.part, 2);
    const end = Number(last?.offset) + Number(last?.bytes);
    assert.equal(Math.ceil(end / 32) * 32, parts[2]?.length);
});

test("the vocabulary is in the first part", async (t) => {
    const tokenizer = await loadTokenizer(await written(t, [parts[0]]));
    t.after(() => tokenizer.close());
    assert.deepEqual(
        await tokenizer.detokenize(await tokenizer.tokenize("the cat")),
        "the cat",
    );
});

test("another order, a part too few or too many is refused", async (t) => {
    const [a, b, c] = blobs;
    const refused = (
        /** @type {any} */ source,
        /** @type {RegExp} */ message,
        /** @type {import("pipit").PipitErrorCode} */ code = "invalid-model",
    ) => rejects(loadModel(source, one), code, message);
    await refused([a, c, b], /part 3 of 3 .* where part 2 of 3 belongs/);
    await refused([b, a, c], /part 2 of a model in 3 files/);
    await refused([a, b], /in 3 files, the list has 2/);
    await refused([a, b, c, c], /in 3 files, the list has 4/);
    await refused([a, b, b], /part 2 of 3 .* where part 3 of 3 belongs/);
    await refused([new Blob([whole]), b], /in 1 files?, the list has 2/);
    await refused([], /list/, "invalid-argument");
    await refused([a, 7, c], /a list of files/, "invalid-argument");
    await refused(a, /list of all/, "invalid-argument");
    await refused(parts[0], /list of all/, "invalid-argument");
    const path = await written(t, parts.slice(0, 2));
    await refused(path, /00003-of-00003/, "not-found");
    await refused(await served(t, parts.slice(0, 2)), /404/, "not-found");
});

test("a torn part names the tensor it was torn in", async () => {
    const torn = parts[1]?.slice(0, -100) ?? "";
    await rejects(
        loadModel([blobs[0], new Blob([torn]), blobs[2]], one),
        "truncated-file",
        /tensor blk\.2\.ffn_gate\.weight ends at byte/,
    );
});
