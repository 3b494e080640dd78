// `pipit serve`: the real program on a free port, asked by the openai client.
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import * as fs from "node:fs";
import * as http from "node:http";
import { connect } from "node:net";
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
fs.writeFileSync(tiny, tinyModel({ context: 32_768 }));

/**
 * @param {import("node:test").TestContext} t
 * @param {(string | import("node:child_process").SpawnOptions)[]} words the last
 *     may be options of the process
 */
async function start(t, ...words) {
    const texts = words.filter((word) => typeof word === "string");
    const options = words.find((word) => typeof word === "object");
    const child = spawn(
        process.execPath,
        [
            ...[bin, "serve", "--model", tiny, "--name", "tiny"],
            ...["--port", "0", "--threads", "1", "--quiet", ...texts],
        ],
        { ...options, stdio: "pipe" },
    );
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
/** Longer than any test. */
const forever = { ...endless, max_tokens: 30_000 };
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

/** Until it succeeds: it must not take for ever.
 * @param {() => Promise<unknown>} work @param {number} status meanwhile */
async function soon(work, status) {
    const started = performance.now();
    for (;;) {
        try {
            return await work();
        } catch (error) {
            assert.equal(/** @type {any} */ (error).status, status);
            assert.ok(performance.now() - started < 60_000, "still running");
            await later(20);
        }
    }
}

/** Until it is refused: what refuses it may not have begun.
 * @param {() => Promise<unknown>} work @returns {Promise<any>} why */
async function refused(work) {
    const started = performance.now();
    for (;;) {
        try {
            await work();
        } catch (error) {
            return error;
        }
        assert.ok(performance.now() - started < 60_000, "never refused");
        await later(20);
    }
}

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
        ...{ ...forever, stream: true },
    });
    const iterator = stream[Symbol.asyncIterator]();
    await iterator.next();
    const few = { ...body, max_tokens: 1 };
    await assert.rejects(client.chat.completions.create(few), { status: 429 });
    stream.controller.abort();
    await soon(() => client.chat.completions.create(few), 429);
});

test("who may ask: key, name, type, origin", async (t) => {
    const { client, baseURL } = await start(t, "--api-key", "secret");
    await client.models.list();
    for (const apiKey of [
        "x",
        "secre",
        "secrets",
        "Secret",
        "s".repeat(9999),
    ]) {
        const stranger = new OpenAI({ apiKey, baseURL, maxRetries: 0 });
        await assert.rejects(stranger.models.list(), {
            ...{ status: 401, code: "invalid_api_key" },
        });
    }
    const key = { authorization: "Bearer secret" };
    const models = `${baseURL}/models`;
    const chat = `${baseURL}/chat/completions`;
    assert.equal(await statusOf(models, {}), 401);
    assert.equal(await statusOf(`${models}?api_key=secret`, {}), 401);
    for (const authorization of ["secret", "Basic secret", "Bearer", ""])
        assert.equal(await statusOf(models, { authorization }), 401);
    for (const host of ["evil.example", "localhost.evil.example", "10.0.0.1"])
        assert.equal(await statusOf(models, { ...key, host }), 403, host);
    for (const host of ["localhost:1", "127.0.0.1", "[::1]:80", "LOCALHOST"])
        assert.equal(await statusOf(models, { ...key, host }), 200, host);
    assert.equal(await statusOf(chat, key, "POST", "{}"), 415);
    const form = { ...key, "content-type": "text/plain" };
    assert.equal(await statusOf(chat, form, "POST", "{}"), 415);
    const preflight = await fetch(chat, { method: "OPTIONS", headers: key });
    assert.equal(preflight.headers.get("access-control-allow-origin"), null);
    assert.equal(preflight.status, 405);
});

test("the key from the environment", async (t) => {
    const { baseURL, client } = await start(t, {
        env: { ...process.env, PIPIT_API_KEY: "secret" },
    });
    await client.models.list();
    assert.equal(await statusOf(`${baseURL}/models`, {}), 401);
});

test("too large is 413, also in pieces; what is no request", async (t) => {
    const { client, baseURL } = await start(t, "--max-request", "1000");
    const content = "x".repeat(300_000);
    const large = { ...body, messages: [{ role: "user", content }] };
    await assert.rejects(client.chat.completions.create(large), {
        ...{ status: 413, code: "request_too_large" },
    });
    const chat = `${baseURL}/chat/completions`;
    const pieces = new ReadableStream({
        start(controller) {
            for (let i = 0; i < 500; i++)
                controller.enqueue(new Uint8Array(10_000));
            controller.close();
        },
    });
    const reply = await fetch(chat, {
        ...{ method: "POST", headers: json, body: pieces, duplex: "half" },
    });
    assert.equal(reply.status, 413);
    assert.equal((await reply.json()).error.code, "request_too_large");
    for (const text of ["{", "", "[]", "null", '{"__proto__": 1}', "\0"])
        assert.equal(await statusOf(chat, json, "POST", text), 400, text);
    for (const [method, path, status] of /** @type {const} */ ([
        ["GET", "/chat/completions", 405],
        ["DELETE", "/models", 405],
        ["TRACE", "/models", 405],
        ["GET", "/nothing", 404],
        ["GET", "/models/other", 404],
    ]))
        assert.equal(
            await statusOf(`${baseURL}${path}`, json, method),
            status,
            `${method} ${path}`,
        );
    const few = { ...body, max_tokens: 1 };
    const after = await client.chat.completions.create(few);
    assert.equal(after.usage?.completion_tokens, 1);
});

/** Sends bytes over a plain connection; what came back until it closed.
 * @param {string} baseURL @param {string} text @returns {Promise<string>} */
const raw = (baseURL, text) =>
    new Promise((resolve) => {
        const { hostname, port } = new URL(baseURL);
        const socket = connect(Number(port), hostname);
        let came = "";
        socket.on("data", (part) => (came += part));
        socket.on("error", () => {});
        socket.on("close", () => resolve(came));
        socket.write(text);
    });

test("clients that are slow, or no clients at all", async (t) => {
    const { client, baseURL } = await start(
        ...[t, "--patience", "2", "--sessions", "1", "--queue", "0"],
    );
    const few = { ...body, max_tokens: 1 };
    assert.match(
        await raw(baseURL, "\u0016\u0003\u0001 no HTTP\r\n\r\n"),
        /400/,
    );
    const head = "POST /v1/chat/completions HTTP/1.1\r\nHost: localhost\r\n";
    const type = "Content-Type: application/json\r\n";
    // Neither the headers nor the body ever end; each is let go.
    await Promise.all([
        raw(baseURL, head),
        raw(baseURL, `${head}${type}Content-Length: 500\r\n\r\n{"mess`),
    ]);
    // One that asks for much and stops reading holds the session for a while.
    const asked = JSON.stringify({
        ...{ ...forever, stream: true },
        ...{ logprobs: true, top_logprobs: 20 },
    });
    const { hostname, port } = new URL(baseURL);
    const socket = connect(Number(port), hostname);
    t.after(() => socket.destroy());
    const length = `Content-Length: ${asked.length}\r\n\r\n`;
    socket.write(head + type + length + asked);
    await once(socket, "data");
    socket.pause();
    await assert.rejects(client.chat.completions.create(few), { status: 429 });
    await soon(() => client.chat.completions.create(few), 429);
});

test("loopback only, unless asked", async (t) => {
    const address = Object.values(os.networkInterfaces())
        .flat()
        .find((one) => one?.family === "IPv4" && !one.internal)?.address;
    if (address === undefined) return t.skip("no other address here");
    const { baseURL } = await start(t);
    const { port } = new URL(baseURL);
    await assert.rejects(fetch(`http://${address}:${port}/v1/models`));
    const open = await start(t, "--host", "0.0.0.0");
    const at = `http://${address}:${new URL(open.baseURL).port}/v1/models`;
    assert.equal((await fetch(at)).status, 200);
});

test("a port that is taken, and words that are wrong", async (t) => {
    const { baseURL } = await start(t);
    const { port } = new URL(baseURL);
    for (const [words, code] of /** @type {const} */ ([
        [["--port", port], 1],
        [["--port", "x"], 2],
        [["--sessions", "0"], 2],
        [["--max-request", "-1"], 2],
    ])) {
        const all = ["serve", "--model", tiny, "--threads", "1", ...words];
        const child = spawn(process.execPath, [bin, ...all]);
        t.after(() => child.kill("SIGKILL"));
        const [ended] = await once(child, "exit");
        assert.equal(ended, code, words.join(" "));
    }
});

test("it stops: no more requests, and a second signal at once", async (t) => {
    const { child, exited, client } = await start(t, "--sessions", "1");
    const stream = await client.chat.completions.create({
        ...{ ...forever, stream: true },
    });
    const iterator = stream[Symbol.asyncIterator]();
    await iterator.next();
    child.kill("SIGINT");
    const reason = await refused(() => client.models.list());
    // Nobody listens; or it says so on a connection that was open.
    assert.ok([undefined, 503].includes(reason.status), String(reason));
    child.kill("SIGINT");
    assert.notEqual(await exited, 0);
});

test("CORS for the origin that is asked for", async (t) => {
    const origin = "https://app.example";
    const { baseURL } = await start(t, "--cors", origin, "--api-key", "secret");
    const models = `${baseURL}/models`;
    const preflight = await fetch(models, {
        method: "OPTIONS",
        headers: { "access-control-request-private-network": "true" },
    });
    assert.equal(preflight.status, 204);
    const allowed = (/** @type {string} */ what) =>
        preflight.headers.get(`access-control-allow-${what}`);
    assert.equal(allowed("origin"), origin);
    assert.match(allowed("headers") ?? "", /authorization/);
    assert.match(allowed("methods") ?? "", /POST/);
    assert.equal(allowed("private-network"), "true");
    assert.equal(preflight.headers.get("vary"), "origin");
    // Refusals too: a page could not read why.
    for (const headers of [{}, { authorization: "Bearer secret" }]) {
        const reply = await fetch(models, { headers });
        const { length } = Object.keys(headers);
        assert.equal(reply.status, length > 0 ? 200 : 401);
        const given = reply.headers.get("access-control-allow-origin");
        assert.equal(given, origin);
    }
});

test("several at a time: each has its own answer", async (t) => {
    const { client } = await start(t, "--sessions", "2", "--queue", "8");
    const ask = (
        /** @type {string} */ content,
        /** @type {boolean} */ stream,
    ) =>
        client.chat.completions.create({
            ...{ ...body, temperature: 0, max_tokens: 20, stream },
            messages: [{ role: "user", content }],
        });
    const questions = ["one", "two words", "three", "four", "five", "six"];
    const together = await Promise.all(questions.map((q) => ask(q, false)));
    for (const [i, question] of questions.entries()) {
        const alone = /** @type {any} */ (await ask(question, true));
        const parts = (await collect(alone)).map(
            (/** @type {any} */ { choices }) => choices[0]?.delta.content ?? "",
        );
        const reply = /** @type {any} */ (together[i]);
        assert.equal(reply.choices[0].message.content, parts.join(""));
    }
});
