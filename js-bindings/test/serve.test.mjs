// `pipit serve`: the real program on a free port, asked by the openai client.
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import * as fs from "node:fs";
import * as http from "node:http";
import * as os from "node:os";
import * as path from "node:path";
import { after, test } from "node:test";
import { fileURLToPath } from "node:url";
import OpenAI from "openai";
import { collect, later, tinyModel } from "./support.mjs";

const bin = fileURLToPath(new URL("../bin/pipit.js", import.meta.url));
const folder = fs.mkdtempSync(path.join(os.tmpdir(), "pipit-serve-"));
after(() => fs.rmSync(folder, { recursive: true }));
const tiny = path.join(folder, "tiny.gguf");
fs.writeFileSync(tiny, tinyModel({ context: 2048 }));

/**
 * @param {import("node:test").TestContext} t
 * @param {string[]} words
 */
async function start(t, ...words) {
    const child = spawn(process.execPath, [
        ...[bin, "serve", "--model", tiny, "--name", "tiny"],
        ...["--port", "0", "--threads", "1", "--quiet", ...words],
    ]);
    t.after(() => child.kill("SIGKILL"));
    const exited = new Promise((resolve) => child.once("exit", resolve));
    let errors = "";
    child.stderr.on("data", (part) => (errors += part));
    const baseURL = await new Promise((resolve, reject) => {
        child.stdout.once("data", (part) => resolve(String(part).trim()));
        void exited.then(() => reject(new Error(errors)));
    });
    const client = new OpenAI({ apiKey: "secret", baseURL, maxRetries: 0 });
    return { child, exited, baseURL, client };
}

/** @type {{ model: string, messages: any[] }} */
const body = { model: "tiny", messages: [{ role: "user", content: "hello" }] };
/** A letter without end: without it an answer may end by itself. */
const endless = { ...body, temperature: 0, logit_bias: { 72: 100 } };
const json = { "content-type": "application/json" };

/** @param {string} url @param {object} headers @returns {Promise<number>} */
const statusOf = (url, headers, method = "GET", text = "") =>
    new Promise((resolve, reject) => {
        const options = { method, headers: { ...headers } };
        const request = http.request(url, options, (response) => {
            response.resume();
            resolve(response.statusCode ?? 0);
        });
        request.once("error", reject).end(text);
    });

test("chat, completions and models; SIGTERM lets an answer end", async (t) => {
    const { child, exited, client, baseURL } = await start(t);
    assert.match(baseURL, /^http:\/\/127\.0\.0\.1:\d+\/v1$/);
    const models = await client.models.list();
    assert.equal(models.data[0]?.id, "tiny");
    const few = { ...body, max_tokens: 6, temperature: 0 };
    const whole = await client.chat.completions.create(few);
    const text = whole.choices[0]?.message.content;
    const stream = await client.chat.completions.create({
        ...{ ...few, stream: true },
    });
    const chunks = await collect(stream);
    const parts = chunks.map(({ choices }) => choices[0]?.delta.content ?? "");
    assert.equal(parts.join(""), text);
    const completion = await client.completions.create({
        ...{ model: "tiny", prompt: "the", max_tokens: 3 },
    });
    assert.equal(completion.usage?.completion_tokens, 3);
    await assert.rejects(
        client.chat.completions.create({
            ...few,
            tools: [{ type: "function", function: { name: "f" } }],
        }),
        { status: 400, param: "tools" },
    );

    const long = await client.chat.completions.create({
        ...{ ...endless, max_tokens: 300, stream: true },
    });
    const iterator = long[Symbol.asyncIterator]();
    await iterator.next();
    child.kill("SIGTERM");
    /** @type {string | null | undefined} */
    let reason;
    for (;;) {
        const { done, value } = await iterator.next();
        if (done) break;
        reason = value.choices[0]?.finish_reason ?? reason;
    }
    assert.equal(reason, "length");
    assert.equal(await exited, 0);
});

test("a closed connection ends its answer", async (t) => {
    const { client } = await start(t, "--sessions", "1", "--queue", "0");
    const stream = await client.chat.completions.create({
        ...{ ...endless, max_tokens: 1900, stream: true },
    });
    const iterator = stream[Symbol.asyncIterator]();
    await iterator.next();
    const few = { ...body, max_tokens: 1 };
    await assert.rejects(client.chat.completions.create(few), { status: 429 });
    stream.controller.abort();
    const started = performance.now();
    for (;;) {
        try {
            await client.chat.completions.create(few);
            break;
        } catch (error) {
            assert.equal(/** @type {any} */ (error).status, 429);
            assert.ok(performance.now() - started < 2000, "still running");
            await later(20);
        }
    }
});

test("who may ask: key, name, type, size, origin", async (t) => {
    const { client, baseURL } = await start(
        ...[t, "--api-key", "secret", "--max-request", "1000"],
    );
    await client.models.list();
    const stranger = new OpenAI({ apiKey: "x", baseURL, maxRetries: 0 });
    await assert.rejects(stranger.models.list(), {
        ...{ status: 401, code: "invalid_api_key" },
    });
    const key = { authorization: "Bearer secret" };
    const models = `${baseURL}/models`;
    const chat = `${baseURL}/chat/completions`;
    assert.equal(await statusOf(models, {}), 401);
    assert.equal(await statusOf(models, { ...key, host: "evil.example" }), 403);
    assert.equal(await statusOf(chat, key, "POST", "{}"), 415);
    assert.equal(await statusOf(chat, { ...key, ...json }, "POST", "{"), 400);
    const large = JSON.stringify({ prompt: "x".repeat(2000) });
    assert.equal(await statusOf(chat, { ...key, ...json }, "POST", large), 413);
    const preflight = await fetch(chat, { method: "OPTIONS", headers: key });
    assert.equal(preflight.headers.get("access-control-allow-origin"), null);
    assert.equal(preflight.status, 405);
});

test("CORS for the origin that is asked for", async (t) => {
    const origin = "https://app.example";
    const { baseURL } = await start(t, "--cors", origin);
    const preflight = await fetch(`${baseURL}/models`, { method: "OPTIONS" });
    assert.equal(preflight.status, 204);
    const reply = await fetch(`${baseURL}/models`);
    assert.equal(reply.headers.get("access-control-allow-origin"), origin);
});
