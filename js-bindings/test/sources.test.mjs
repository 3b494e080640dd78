// Every way in gives the same model; every way in that fails says how.
import assert from "node:assert/strict";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { pathToFileURL } from "node:url";
import { inspect, loadModel, loadTokenizer } from "pipit";
import {
    collect,
    openTiny,
    peerdata,
    rejects,
    serve,
    someTokens,
    tinyModel,
    withoutPeerdata,
} from "./support.mjs";

const file = tinyModel({ type: "Q8_0" });
const one = { threads: 1 };

/** @param {import("pipit").ModelSource} source */
async function logitsOf(source) {
    const model = await loadModel(source, one);
    try {
        const session = await model.createSession();
        await session.eval(someTokens(20));
        return await session.logits();
    } finally {
        await model.close();
    }
}

/** Pieces of odd sizes. */
function pieces() {
    let at = 0;
    return new ReadableStream({
        pull(controller) {
            const size = 1 + ((at * 31) % 4093);
            if (at >= file.length) controller.close();
            else controller.enqueue(file.slice(at, at + size));
            at += size;
        },
    });
}

test("all kinds of sources give the same logits", async (t) => {
    const folder = await mkdtemp(join(tmpdir(), "pipit-"));
    t.after(() => rm(folder, { recursive: true }));
    const path = join(folder, "tiny.gguf");
    await writeFile(path, file);
    const base = await serve(t, (_, response) => response.end(file));
    const expected = await logitsOf(file);
    assert.equal(expected.length, 290);
    assert.ok(expected.every(Number.isFinite));
    /** @type {Record<string, import("pipit").ModelSource>} */
    const sources = {
        "a path": path,
        "a file: address": pathToFileURL(path).href,
        "a file: URL": pathToFileURL(path),
        "an http: address": `${base}/tiny.gguf`,
        "a URL": new URL(base),
        "a Blob": new Blob([file]),
        "a File": new File([file], "tiny.gguf"),
        "an ArrayBuffer": file.slice().buffer,
        "a typed array": new DataView(file.buffer),
        "a stream": pieces(),
    };
    for (const [kind, source] of Object.entries(sources))
        assert.deepEqual(await logitsOf(source), expected, kind);
    assert.equal(file.length, tinyModel({ type: "Q8_0" }).length);
});

test("progress goes from the header to the last byte", async () => {
    /** @type {import("pipit").Progress[]} */
    const seen = [];
    const model = await loadModel(new Blob([file]), {
        ...one,
        onProgress: (progress) => seen.push(progress),
    });
    await model.close();
    const last = seen.at(-1);
    assert.equal(last?.phase, "weights");
    assert.equal(last?.loaded, file.length);
    assert.equal(last?.total, file.length);
    assert.ok(seen.some(({ phase }) => phase === "header"));
});

test("inspect reads the header, and no more than that", async (t) => {
    let sent = 0;
    const big = tinyModel({ embedding: 512, layers: 4 });
    const base = await serve(t, async (_, response) => {
        response.writeHead(200, { "content-length": big.length });
        for (let at = 0; at < big.length && !response.destroyed; at += 65536) {
            response.write(big.subarray(at, at + 65536));
            sent = at;
            await new Promise((resolve) => setTimeout(resolve, 1));
        }
        response.end();
    });
    const info = await inspect(base);
    assert.ok(sent < big.length / 2, `${sent} of ${big.length} were fetched`);
    assert.equal(info.version, 3);
    assert.equal(info.architecture, "llama");
    assert.equal(info.fileBytes, big.length);
    assert.equal(info.metadata["general.name"], "tiny");
    assert.equal(info.metadata["llama.block_count"], 4);
    assert.equal(info.metadata["tokenizer.ggml.add_bos_token"], false);
    const tokens = info.metadata["tokenizer.ggml.tokens"];
    assert.ok(Array.isArray(tokens) && tokens.at(-1) === "<|im_end|>");
    const [embedding] = info.tensors;
    assert.deepEqual(
        { ...embedding, offset: 0 },
        {
            name: "token_embd.weight",
            type: "F32",
            shape: [512, 290],
            offset: 0,
            bytes: 4 * 512 * 290,
            part: 0,
        },
    );
    assert.equal(
        info.tensors.reduce(
            (sum, { shape }) => sum + shape.reduce((a, b) => a * b),
            0,
        ),
        info.parameters,
    );
});

test("the forecast is what the model then takes", async (t) => {
    const info = await inspect(file);
    const model = await openTiny(t, { type: "Q8_0" });
    const options = { contextLength: 256, threads: 1 };
    const forecast = info.forecast(options);
    const session = await model.createSession({ contextLength: 256 });
    const { weights, vocabulary, kvCache, scratch, total } = forecast;
    assert.equal(weights + vocabulary + kvCache + scratch, total);
    assert.ok(model.memory.weights <= weights, "weights");
    assert.ok(model.memory.sessions <= kvCache + scratch, "session");
    assert.ok(model.memory.total >= total, "the module holds it all");
    const more = info.forecast({ ...options, contextLength: 512 });
    assert.ok(more.kvCache >= 2 * kvCache - 4096);
    const wide = info.forecast({ ...options, kvType: "f32" });
    assert.ok(wide.kvCache > 1.9 * kvCache);
    await session.close();
});

test("a vocabulary needs no tensors", { skip: withoutPeerdata }, async () => {
    const path = join(peerdata, "tokenizer/ggml-vocab-gpt-2.gguf");
    const tokenizer = await loadTokenizer(path);
    const text = "Hello, wörld! \u{1F600}";
    const tokens = await tokenizer.tokenize(text);
    assert.equal(await tokenizer.detokenize(tokens), text);
    assert.equal(tokenizer.vocabularySize, 50257);
    await tokenizer.close();
    await rejects(loadModel(path, one), "unsupported", /gpt2/);
});

test("a server that fails says how", async (t) => {
    const base = await serve(t, (request, response) => {
        const half = file.subarray(0, file.length / 2);
        switch (request.url) {
            case "/404":
            case "/500":
                response.writeHead(Number(request.url.slice(1))).end("sorry");
                break;
            case "/page":
                response.setHeader("content-type", "text/html");
                response.end("<!doctype html><title>Please log in</title>");
                break;
            case "/half":
                response.end(half);
                break;
            case "/lost":
                response.writeHead(200, { "content-length": file.length });
                response.write(half, () => response.destroy());
                break;
            case "/private":
                response.writeHead(
                    request.headers.authorization === "Bearer x" ? 200 : 403,
                );
                response.end(file);
                break;
        }
    });
    const at = (/** @type {string} */ path) => loadModel(base + path, one);
    const missing = await rejects(at("/404"), "not-found");
    assert.equal(missing.details.status, 404);
    const broken = await rejects(at("/500"), "network");
    assert.equal(broken.details.status, 500);
    await rejects(at("/page"), "invalid-file");
    await rejects(at("/half"), "truncated-file", /weight/);
    await rejects(at("/lost"), "network");
    await rejects(at("/private"), "network");
    const headers = { authorization: "Bearer x" };
    const model = await loadModel(`${base}/private`, { ...one, headers });
    await model.close();
    await rejects(loadModel("http://127.0.0.1:1/x.gguf", one), "network");
});

test("what is no source is refused", async () => {
    const wrong = /** @type {any} */ (42);
    await rejects(loadModel(wrong), "invalid-argument");
    await rejects(loadModel(""), "invalid-argument");
    await rejects(loadModel("no-such-model"), "not-found", /smollm2/);
    await rejects(loadModel("./no/such/file.gguf"), "not-found");
    await rejects(loadModel("/"), "io");
    const stream = new ReadableStream({
        start: (controller) => controller.error(new Error("gone")),
    });
    await rejects(loadModel(stream, one), "io", /stream/);
    const words = new ReadableStream({
        start: (controller) => controller.enqueue(/** @type {any} */ ("text")),
    });
    await rejects(loadModel(words, one), "invalid-argument");
});

test("text and tokens", async (t) => {
    const model = await openTiny(t);
    const { eos } = model.specialTokens;
    const text = "the cat <|im_end|> \u{1F600}";
    const plain = await model.tokenize(text, { addSpecial: false });
    const parsed = await model.tokenize(text, { parseSpecial: true });
    assert.ok(!plain.includes(eos ?? -1));
    assert.ok(parsed.includes(eos ?? -1));
    assert.equal(await model.detokenize(plain), text);
    assert.equal(await model.detokenize(parsed), text);
    assert.equal(
        await model.detokenize(parsed, { keepControl: false }),
        text.replace("<|im_end|>", ""),
    );
    // Bytes that are no UTF-8 become U+FFFD, one each.
    const odd = await model.tokenize(Uint8Array.of(0xff, 0x20, 0xc3, 0x28, 0));
    assert.equal(await model.detokenize(odd), "\ufffd \ufffd(\0");
    // Half a character among tokens is kept as it is in the bytes.
    const half = (await model.tokenize("\u{1F600}")).slice(0, 2);
    const halfBytes = await model.detokenizeBytes(half);
    assert.deepEqual(halfBytes, Uint8Array.of(0xf0, 0x9f));
    assert.equal(await model.detokenize(half), "\ufffd");
    assert.equal((await model.tokenize("")).length, 0);
    await rejects(model.detokenize([290]), "invalid-token", /290/);
    await rejects(model.tokenize(/** @type {any} */ (7)), "invalid-argument");
    await rejects(model.detokenize([-1]), "invalid-token");
    const [session] = [await model.createSession()];
    const answer = await collect(
        session.generate({ prompt: "the cat", maxTokens: 3 }),
    );
    assert.equal(answer.length, 3);
});
