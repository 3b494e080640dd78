// What is closed is closed, what dies takes nothing else with it, and nothing
// waits for ever.
import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { test } from "node:test";
import { promisify } from "node:util";
import { fileURLToPath } from "node:url";
import { loadModel, loadTokenizer } from "pipit";
import {
    collect,
    openTiny,
    program,
    rejects,
    someTokens,
    tinyModel,
} from "./support.mjs";

test("closing twice, and using what is closed", async () => {
    const model = await loadModel(tinyModel(), { threads: 2 });
    const session = await model.createSession();
    const other = await model.createSession();
    const chat = await model.createChat();
    await Promise.all([session.close(), session.close()]);
    assert.equal(session.closed, true);
    await rejects(session.eval([1]), "closed");
    await rejects(session.logits(), "closed");
    await rejects(session.generate({ tokens: [1] }).next(), "closed");
    await other.eval([1]);
    const running = rejects(other.eval(someTokens(400)), "closed");
    const waiting = rejects(model.tokenize("x"), "closed");
    await Promise.all([model.close(), model.close()]);
    await Promise.all([running, waiting]);
    assert.equal(model.closed && other.closed && chat.closed, true);
    await rejects(other.eval([1]), "closed");
    await rejects(model.tokenize("x"), "closed");
    await rejects(model.createSession(), "closed");
    await rejects(chat.send("x").next(), "closed");
    await other.close();
    await chat.close();
    await model.close();
});

test("a session closed while it answers", async (t) => {
    const model = await openTiny(t);
    const session = await model.createSession();
    const answer = session.generate({
        tokens: [1],
        ignoreEndOfGeneration: true,
    });
    await answer.next();
    await session.close();
    await rejects(collect(answer), "closed");
    const next = await model.createSession();
    await next.eval([1]);
});

test("disposal", async () => {
    const model = await loadModel(tinyModel(), { threads: 1 });
    const session = await model.createSession();
    await session[Symbol.asyncDispose]();
    await model[Symbol.asyncDispose]();
    assert.equal(session.closed && model.closed, true);
    const tokenizer = await loadTokenizer(tinyModel());
    await tokenizer[Symbol.asyncDispose]();
    await rejects(tokenizer.tokenize("x"), "closed");
});

test("closed sessions give their memory back", async (t) => {
    const model = await openTiny(t);
    const round = async () => {
        const session = await model.createSession();
        await session.eval(someTokens(100), { allLogits: true });
        await collect(session.generate({ maxTokens: 5 }));
        await session.close();
        return model.memory;
    };
    const first = await round();
    assert.equal(first.sessions, 0);
    for (let i = 0; i < 50; i++) assert.deepEqual(await round(), first);
});

test("a worker that dies", async (t) => {
    const healthy = await openTiny(t);
    const session = await healthy.createSession();
    const model = await loadModel(tinyModel(), {
        threads: 1,
        workerUrl: program("dying-worker.mjs"),
    });
    const doomed = await model.createSession({ contextLength: 512 });
    const calls = [doomed.eval(someTokens(500)), doomed.logits()];
    for (const call of calls) await rejects(call, "worker-died");
    await rejects(doomed.eval([1]), "worker-died");
    await rejects(model.tokenize("x"), "worker-died");
    assert.equal(model.closed, true);
    await model.close();
    await session.eval(someTokens(10));
    assert.equal(session.length, 10);
});

test("a thread that dies", async () => {
    const loading = loadModel(tinyModel(), {
        threads: 2,
        workerUrl: program("dying-thread.mjs"),
    });
    await rejects(loading, "worker-died", /on purpose/);
});

test("a worker that is not there", async () => {
    const workerUrl = program("no-such-program.mjs");
    await rejects(loadModel(tinyModel(), { workerUrl }), "worker-died");
});

/** @param {string} name */
async function run(name) {
    const path = fileURLToPath(program(name));
    const options = { timeout: 120_000 };
    return (await promisify(execFile)(process.execPath, [path], options))
        .stdout;
}

test("a process that forgets to close ends", async () => {
    assert.equal(await run("forgetful.mjs"), "done\n");
});

test("a process that closes does not end before", async () => {
    assert.equal(await run("ending.mjs"), "done\n");
});
