// The Prompt API, clause by clause of its draft.
import assert from "node:assert/strict";
import { test } from "node:test";
import { install, LanguageModel } from "pipit/prompt-api";
import { tinyModel } from "../../tests/tools/tiny-model.mjs";
import { collect, openTiny } from "./support.mjs";

/** @typedef {import("pipit/prompt-api").CreateOptions} CreateOptions */

/**
 * @param {import("node:test").TestContext} t
 * @param {CreateOptions} [options]
 */
async function open(t, options = {}, context = 2048) {
    const model = await openTiny(t, { context });
    const session = await LanguageModel.create({ model, ...options });
    t.after(() => session.destroy());
    return session;
}

const few = { maxTokens: 6 };
/** @param {string} name */
const dom = (name) => (/** @type {unknown} */ error) =>
    error instanceof DOMException && error.name === name;
/** @type {any} */
const any = LanguageModel;

test("names are the draft's", async (t) => {
    const session = await open(t);
    for (const name of ["create", "availability", "params"])
        assert.equal(typeof any[name], "function");
    for (const name of [
        ...["prompt", "promptStreaming", "append", "measureContextUsage"],
        ...["measureInputUsage", "clone", "destroy", "addEventListener"],
    ])
        assert.equal(typeof (/** @type {any} */ (session)[name]), "function");
    assert.ok(session instanceof EventTarget);
    assert.equal(String(session), "[object LanguageModel]");
    assert.equal(session.oncontextoverflow, null);
    assert.equal(session.contextUsage, 0);
    assert.equal(session.contextWindow, 2048);
    assert.equal(session.samplingMode, "balanced");
    assert.throws(() => new LanguageModel(), TypeError);
});

test("availability and create: what is not offered, what is wrong", async () => {
    const model = tinyModel();
    const image = [{ type: "image" }];
    const tool = { name: "f", description: "", inputSchema: {}, execute() {} };
    for (const [options, expected] of /** @type {[any, string][]} */ ([
        [{ model }, "available"],
        [{ model, expectedInputs: [{ type: "text" }] }, "available"],
        [{ model, expectedInputs: image }, "unavailable"],
        [{ model, tools: [tool] }, "unavailable"],
    ])) {
        assert.equal(await LanguageModel.availability(options), expected);
        if (expected === "unavailable")
            await assert.rejects(
                LanguageModel.create(options),
                dom("NotSupportedError"),
            );
    }
    const system = { role: "system", content: "x" };
    const user = { role: "user", content: "x" };
    for (const [options, error] of /** @type {[any, any][]} */ ([
        [{ samplingMode: "wild" }, TypeError],
        [{ expectedInputs: [{ type: "smell" }] }, TypeError],
        [{ expectedInputs: [{}] }, TypeError],
        [{ expectedOutputs: [{ type: "text", languages: ["_"] }] }, RangeError],
        [{ tools: [{ name: "f" }] }, TypeError],
        [{ initialPrompts: [user, system] }, TypeError],
        [{ initialPrompts: [{ role: "tool", content: "" }] }, TypeError],
        [{ initialPrompts: [{ role: "user" }] }, TypeError],
        [{ monitor: 7 }, TypeError],
        [{ signal: 7 }, TypeError],
        [{ signal: AbortSignal.abort() }, dom("AbortError")],
    ]))
        await assert.rejects(
            LanguageModel.create({ model, ...options }),
            error,
        );
    const long = [{ role: "user", content: "x".repeat(5000) }];
    await assert.rejects(
        LanguageModel.create(
            /** @type {any} */ ({ model, initialPrompts: long }),
        ),
        (/** @type {any} */ error) =>
            error.name === "QuotaExceededError" &&
            error.requested > error.quota,
    );
});

test("the monitor hears at least 0 and 1", async (t) => {
    /** @type {number[]} */
    const heard = [];
    await open(t, {
        monitor(m) {
            m.addEventListener("downloadprogress", (event) => {
                const { loaded, total } = /** @type {any} */ (event);
                assert.equal(total, 1);
                heard.push(loaded);
            });
        },
    });
    assert.equal(heard[0], 0);
    assert.equal(heard.at(-1), 1);
});

test("a prompt, whole and as a stream; usage grows", async (t) => {
    const session = await open(t, { samplingMode: "most-predictable" });
    const twin = await session.clone();
    const measured = await session.measureContextUsage("hello");
    assert.ok(measured > 0);
    assert.equal(session.contextUsage, 0);
    const text = await session.prompt("hello", few);
    assert.ok(session.contextUsage > measured);
    const stream = twin.promptStreaming("hello", few);
    assert.ok(stream instanceof ReadableStream);
    assert.equal((await collect(stream)).join(""), text);
    assert.equal(twin.contextUsage, session.contextUsage);
    // Seeds, beyond the draft.
    const wild = await open(t, { samplingMode: "most-creative" });
    const same = await wild.clone();
    const seeded = { ...few, seed: 3 };
    assert.equal(
        await wild.prompt("a", seeded),
        await same.prompt("a", seeded),
    );
    twin.destroy();
    same.destroy();
});

test("messages: shorthands, parts, prefix, the place of system", async (t) => {
    const session = await open(t, { samplingMode: "most-predictable" });
    /** @param {any} input */
    const usage = (input) => session.measureContextUsage(input);
    const parts = ["he", "llo"].map((value) => ({ type: "text", value }));
    assert.equal(
        await usage([{ role: "user", content: parts }]),
        await usage("hello"),
    );
    assert.equal(await usage([]), await usage(""));
    const prompt = (/** @type {any} */ input) => session.prompt(input, few);
    await assert.rejects(any.prototype.prompt.call(session), TypeError);
    const prefix = true;
    for (const wrong of [
        [{ role: "user", content: "x", prefix }],
        [
            { role: "assistant", content: "x", prefix },
            { role: "user", content: "x" },
        ],
    ])
        await assert.rejects(prompt(wrong), dom("SyntaxError"));
    const picture = [{ type: "image", value: new Uint8Array(1) }];
    await assert.rejects(
        prompt([{ role: "user", content: picture }]),
        dom("NotSupportedError"),
    );
    await assert.rejects(
        prompt([{ role: "user", content: [{ type: "text", value: 7 }] }]),
        TypeError,
    );
    assert.equal(session.contextUsage, 0);
    await prompt([
        { role: "user", content: "count" },
        { role: "assistant", content: "one two", prefix },
    ]);
    await assert.rejects(prompt([{ role: "system", content: "x" }]), TypeError);
});

test("responseConstraint is refused, of a wrong kind as TypeError", async (t) => {
    const session = await open(t);
    /** @param {any} options */
    const prompt = (options) => session.prompt("x", options);
    const omitted = { omitResponseConstraintInput: true };
    await assert.rejects(prompt(omitted), TypeError);
    await assert.rejects(prompt({ responseConstraint: 7 }), TypeError);
    const refused = dom("NotSupportedError");
    await assert.rejects(prompt({ responseConstraint: {} }), refused);
    await assert.rejects(prompt({ responseConstraint: /x/ }), refused);
});

test("append adds without an answer", async (t) => {
    const session = await open(t);
    assert.equal(await session.append("some context"), undefined);
    const { contextUsage } = session;
    assert.ok(contextUsage > 0);
    await session.prompt("and now?", few);
    assert.ok(session.contextUsage > contextUsage);
});

test("overflow evicts the oldest pairs, never the initial prompts", async (t) => {
    /** @type {any[]} */
    const initialPrompts = [{ role: "system", content: "keep me" }];
    const session = await open(t, { initialPrompts }, 256);
    const initial = session.contextUsage;
    assert.ok(initial > 0);
    let overflows = 0;
    session.oncontextoverflow = () => overflows++;
    session.addEventListener("contextoverflow", () => overflows++);
    for (let i = 0; i < 6; i++) await session.prompt("x".repeat(60), few);
    assert.ok(overflows > 0 && overflows % 2 === 0);
    assert.ok(session.contextUsage > initial);
    assert.ok(session.contextUsage <= session.contextWindow);
    const before = session.contextUsage;
    await assert.rejects(
        session.prompt("x".repeat(500)),
        (/** @type {any} */ error) =>
            error instanceof DOMException &&
            error.name === "QuotaExceededError" &&
            /** @type {any} */ (error).quota === 256 &&
            /** @type {any} */ (error).requested > 500,
    );
    assert.equal(session.contextUsage, before);
});

test("aborting: a queued prompt leaves, a running one takes its pair", async (t) => {
    const session = await open(t);
    const running = new AbortController();
    const queued = new AbortController();
    let tokens = 0;
    const first = session.prompt("hello", {
        signal: running.signal,
        onToken: () => tokens++,
    });
    const reason = new Error("enough");
    const second = session.prompt("other", { signal: queued.signal });
    queued.abort(reason);
    await assert.rejects(second, (error) => error === reason);
    running.abort();
    await assert.rejects(first, dom("AbortError"));
    assert.equal(session.contextUsage, 0);
    const stream = session.promptStreaming("hello");
    const reader = stream.getReader();
    await reader.read();
    await reader.cancel();
    await session.prompt("again", few);
    const usage = session.contextUsage;
    const other = await open(t);
    await other.prompt("again", few);
    assert.ok(Math.abs(usage - other.contextUsage) <= 12);
});

test("destroy ends what runs, and all that comes", async (t) => {
    const session = await open(t);
    const running = session.prompt("hello");
    session.destroy();
    session.destroy();
    await assert.rejects(running, dom("AbortError"));
    await assert.rejects(session.prompt("x"), dom("AbortError"));
    await assert.rejects(session.append("x"), dom("AbortError"));
    await assert.rejects(session.clone(), dom("AbortError"));
    await assert.rejects(session.measureContextUsage("x"), dom("AbortError"));
    const stream = session.promptStreaming("x");
    await assert.rejects(stream.getReader().read(), dom("AbortError"));
});

test("install leaves what is there, unless forced", () => {
    /** @type {any} */
    const place = globalThis;
    assert.equal(install(), true);
    assert.equal(place.LanguageModel, LanguageModel);
    const other = (place.LanguageModel = class {});
    assert.equal(install(), false);
    assert.equal(place.LanguageModel, other);
    assert.equal(install({ force: true }), true);
    assert.equal(place.LanguageModel, LanguageModel);
    delete place.LanguageModel;
});
