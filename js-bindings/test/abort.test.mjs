// Everything that takes time ends within 100 ms of its signal, and what remains
// can be used.
import assert from "node:assert/strict";
import { test } from "node:test";
import { inspect, loadModel } from "pipit";
import {
    collect,
    later,
    openTiny,
    rejects,
    serve,
    someTokens,
    tinyModel,
} from "./support.mjs";
import { stopLimit } from "../../tests/tools/patience.mjs";

/**
 * Aborts after some time; the error must come soon after and bear the reason.
 * @param {number} afterMs
 * @param {(signal: AbortSignal) => Promise<unknown>} work
 */
async function abortAfter(afterMs, work) {
    const controller = new AbortController();
    const reason = new Error("enough");
    const running = rejects(work(controller.signal), "aborted");
    await later(afterMs);
    const abortedAt = performance.now();
    controller.abort(reason);
    const error = await running;
    const ms = performance.now() - abortedAt;
    assert.equal(error.cause, reason);
    assert.ok(ms < stopLimit(), `ended after ${ms.toFixed()} ms`);
}

const never = () => new Promise(() => {});
const slow = { layers: 8, embedding: 256, context: 8192 };

test("before anything began", async () => {
    const signal = AbortSignal.abort();
    await rejects(loadModel(tinyModel(), { signal }), "aborted");
    await rejects(inspect(tinyModel(), { signal }), "aborted");
});

test("while loading: a stream, a server, the weights", async (t) => {
    const file = tinyModel();
    const stuck = (/** @type {number} */ n) =>
        new ReadableStream({
            start: (controller) => controller.enqueue(file.slice(0, n)),
            pull: never,
        });
    for (const n of [10, 3000, file.length - 5])
        await abortAfter(50, (signal) => loadModel(stuck(n), { signal }));
    const base = await serve(t, (request, response) => {
        if (request.url === "/half") response.write(file.subarray(0, 20_000));
    });
    await abortAfter(50, (signal) => loadModel(base, { signal }));
    await abortAfter(50, (signal) => loadModel(`${base}/half`, { signal }));
    await abortAfter(50, (signal) => inspect(base, { signal }));
});

test("while evaluating a prompt; the session works on", async (t) => {
    const model = await openTiny(t, slow);
    const session = await model.createSession({ contextLength: 8192 });
    const tokens = someTokens(8000);
    await session.eval(tokens.subarray(0, 10));
    await abortAfter(200, (signal) =>
        session.eval(tokens.subarray(10), { signal }),
    );
    assert.ok(session.length >= 10 && session.length < 8000);
    assert.equal((await session.tokens()).length, session.length);
    await rejects(session.logits(), "invalid-state");
    const short = tokens.subarray(0, 300);
    await session.sync(short);
    const other = await model.createSession();
    await other.eval(short);
    assert.deepEqual(await session.logits(), await other.logits());
});

test("while waiting for another call of the session", async (t) => {
    const model = await openTiny(t, slow);
    const session = await model.createSession({ contextLength: 8192 });
    const controller = new AbortController();
    const { signal } = controller;
    const first = rejects(
        session.eval(someTokens(8000), { signal }),
        "aborted",
    );
    await abortAfter(50, (signal) => session.eval([1], { signal }));
    controller.abort();
    await first;
    await session.sync([1, 2, 3]);
});

test("while generating: in the prompt and in the answer", async (t) => {
    const model = await openTiny(t, slow);
    const session = await model.createSession({ contextLength: 8192 });
    const tokens = someTokens(8000);
    await abortAfter(100, (signal) =>
        collect(session.generate({ tokens, signal })),
    );
    await session.rewind(0);
    let given = 0;
    await abortAfter(300, async (signal) => {
        const options = { tokens: tokens.subarray(0, 20), signal };
        for await (const _ of session.generate(options)) given++;
    });
    assert.ok(given > 0);
    assert.equal(session.length, 20 + given - 1);
    // In the loop's body: the next token is not given out.
    const controller = new AbortController();
    const last = (await session.tokens()).slice(-1);
    let after = 0;
    await rejects(async () => {
        const options = { tokens: last, signal: controller.signal };
        for await (const _ of session.generate(options))
            if (++after === 3) controller.abort();
    }, "aborted");
    assert.equal(after, 3);
});

test("while a template is rendered", async (t) => {
    const model = await openTiny(t);
    const twice = "{% for i in range(99999) %}".repeat(2);
    const template = `${twice}{% endfor %}{% endfor %}`;
    const chat = await model.createChat({ template });
    await abortAfter(200, (signal) => collect(chat.send("x", { signal })));
    assert.deepEqual(chat.messages, []);
});
