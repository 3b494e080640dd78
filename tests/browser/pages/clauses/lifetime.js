// A full context; the queue, aborting, destroying, cloning.
import {
    ok,
    equal,
    js,
    dom,
    same,
    rejects,
    fails,
    collect,
    few,
    system,
    withModel,
} from "./clause.js";

// -- a full context

withModel("contextoverflow: the oldest pairs go", async ({ open }) => {
    const initialPrompts = [{ ...system, content: "keep me" }];
    const session = await open({ initialPrompts });
    const initial = session.contextUsage;
    const usages = /** @type {number[]} */ ([]);
    session.addEventListener("contextoverflow", (/** @type {any} */ event) => {
        ok(event.target === session, "target");
        usages.push(session.contextUsage);
    });
    for (let i = 0; i < 6; i++) await session.prompt("x".repeat(20), few);
    ok(usages.length > 0, "fired");
    ok(
        usages.every((usage) => usage >= initial),
        `initialPrompts stay: ${usages} of ${initial}`,
    );
    ok(session.contextUsage <= session.contextWindow, "within the window");
    const other = await open({ initialPrompts });
    const before = session.contextUsage;
    await rejects(
        () => session.prompt("x".repeat(1000)),
        dom("QuotaExceededError"),
        "too large",
    );
    equal(session.contextUsage, before, "nothing removed");
    await other.prompt("x".repeat(20), few);
    ok(other.contextUsage < session.contextUsage, "more than the last pair");
});
withModel("contextoverflow: one event each time, and append", async (at) => {
    const session = await at.open();
    let events = 0;
    session.oncontextoverflow = () => events++;
    await session.append("x".repeat(100));
    await session.append("y".repeat(80));
    equal(events, 0, "while there is room");
    await session.append("z".repeat(200));
    equal(events, 1, "when there is none");
});
withModel("contextoverflow: aborting brings nothing back", async ({ open }) => {
    const session = await open();
    await session.append("x".repeat(150));
    const ending = new AbortController();
    session.oncontextoverflow = () => ending.abort("mine");
    const { signal } = ending;
    await fails(
        session.prompt("y".repeat(150), { signal }),
        same("mine"),
        "the prompt",
    );
    equal(session.contextUsage, 0, "what was evicted stays away");
});
withModel("QuotaExceededError: requested and quota", async ({ open }) => {
    const session = await open();
    const long = "x".repeat(1000);
    const usage = await session.measureContextUsage(long);
    const kind = (/** @type {any} */ error) =>
        dom("QuotaExceededError")(error) &&
        error.requested === usage &&
        error.quota === session.contextWindow;
    await rejects(() => session.prompt(long), kind, "prompt");
    await rejects(() => session.append(long), kind, "append");
    const stream = session.promptStreaming(long);
    await fails(collect(stream), kind, "the stream");
    equal(session.contextUsage, 0, "contextUsage");
    equal(typeof (await session.prompt("x", few)), "string", "then");
});
withModel("an answer to the window's end", async ({ open }) => {
    const session = await open();
    const answer = await session.prompt("x");
    ok(answer.length > 100, `${answer.length} characters`);
    ok(session.contextUsage <= session.contextWindow, "contextUsage");
    let events = 0;
    session.oncontextoverflow = () => events++;
    await session.prompt("y", few);
    equal(events, 1, "the next needs room");
});
withModel("handlers: as event handler attributes are", async ({ open }) => {
    const session = await open();
    const order = /** @type {string[]} */ ([]);
    session.addEventListener("contextoverflow", () => order.push("first"));
    session.oncontextoverflow = () => order.push("handler, replaced");
    session.addEventListener("contextoverflow", () => order.push("last"));
    const handler = () => order.push("handler");
    session.oncontextoverflow = handler;
    ok(session.oncontextoverflow === handler, "what was set");
    session.dispatchEvent(new Event("contextoverflow"));
    equal(order, ["first", "handler", "last"], "the order");
    session.oncontextoverflow = 7;
    equal(session.oncontextoverflow, null, "a number is none");
    const object = {};
    session.oncontextoverflow = object;
    ok(session.oncontextoverflow === object, "an object stays");
    session.dispatchEvent(new Event("contextoverflow"));
    equal(order.length, 5, "and is not called");
});

// -- the queue, aborting, destroying, cloning

withModel("queue: one after the other", async ({ open }) => {
    const session = await open();
    const order = /** @type {string[]} */ ([]);
    const run = (/** @type {string} */ name) =>
        session.prompt(name, { ...few, onToken: () => order.push(name) });
    await Promise.all([run("a"), run("b"), session.append("c"), run("d")]);
    const changes = order.filter((name, i) => name !== order[i - 1]);
    equal(changes, ["a", "b", "d"], "the order of tokens");
});
withModel("abort: before it is asked", async ({ open }) => {
    const session = await open();
    const signal = AbortSignal.abort();
    const kind = dom("AbortError");
    for (const name of ["prompt", "append", "measureContextUsage"])
        await rejects(() => session[name]("x", { signal }), kind, name);
    await rejects(() => session.clone({ signal }), kind, "clone");
    const stream = session.promptStreaming("x", { signal });
    await fails(collect(stream), kind, "the stream");
    equal(session.contextUsage, 0, "contextUsage");
});
withModel("abort: a queued prompt leaves the queue", async ({ open }) => {
    const session = await open();
    const ending = new AbortController();
    let came = false;
    const first = session.prompt("hello", { maxTokens: 100 });
    const second = session.prompt("other", {
        ...{ signal: ending.signal, onToken: () => (came = true) },
    });
    const third = session.prompt("third", few);
    const reason = new Error("enough");
    ending.abort(reason);
    await fails(second, same(reason), "the queued one");
    await Promise.all([first, third]);
    ok(!came, "it never ran");
    const other = await open();
    await other.prompt("hello", { maxTokens: 100 });
    await other.prompt("third", few);
    equal(session.contextUsage, other.contextUsage, "as if never asked");
});
withModel("abort: a running prompt takes its pair along", async ({ open }) => {
    const session = await open();
    await session.prompt("kept", few);
    const { contextUsage } = session;
    const ending = new AbortController();
    let tokens = 0;
    const { signal } = ending;
    const onToken = () => {
        if (++tokens === 3) ending.abort();
    };
    await fails(
        session.prompt("hello", { signal, onToken }),
        dom("AbortError"),
        "the running one",
    );
    equal(session.contextUsage, contextUsage, "contextUsage");
    ok(tokens < 20, `${tokens} tokens`);
    const other = await open();
    await other.prompt("kept", few);
    equal(
        await session.prompt("again", few),
        await other.prompt("again", few),
        "the next answer",
    );
});
withModel("abort: a stream errs with the reason", async ({ open }) => {
    const session = await open();
    const ending = new AbortController();
    const stream = session.promptStreaming("hello", {
        signal: ending.signal,
    });
    const reader = stream.getReader();
    await reader.read();
    ending.abort("mine");
    const rest = async () => {
        while (!(await reader.read()).done);
    };
    await fails(rest(), same("mine"), "the reader");
    equal(session.contextUsage, 0, "contextUsage");
});
withModel("abort: after the answer it does nothing", async ({ open }) => {
    const session = await open();
    const ending = new AbortController();
    const { signal } = ending;
    await session.prompt("hello", { ...few, signal });
    const { contextUsage } = session;
    ending.abort();
    equal(session.contextUsage, contextUsage, "contextUsage");
    equal(typeof (await session.prompt("x", few)), "string", "the next");
});
withModel("destroy: what runs, waits and comes", async ({ open }) => {
    const session = await open();
    const running = session.prompt("hello");
    const waiting = session.prompt("other");
    const stream = session.promptStreaming("third");
    const kind = dom("AbortError");
    const reading = fails(collect(stream), kind, "the stream");
    equal(session.destroy(), undefined, "its value");
    session.destroy();
    await fails(running, kind, "running");
    await fails(waiting, kind, "waiting");
    await reading;
    for (const name of ["prompt", "append", "measureContextUsage"])
        await rejects(() => session[name]("x"), kind, name);
    await rejects(() => session.clone(), kind, "clone");
    await fails(collect(session.promptStreaming("x")), kind, "streaming");
    equal(session.contextWindow, 256, "contextWindow is still told");
    equal(session.contextUsage, 0, "contextUsage is still told");
});
withModel("clone: the same conversation, and its own", async ({ open }) => {
    const initialPrompts = [system];
    const session = await open({ initialPrompts });
    await session.prompt("hello", few);
    const clone = await session.clone();
    ok(clone !== session, "another object");
    for (const name of [
        ...["contextUsage", "contextWindow", "samplingMode", "topK"],
        "temperature",
    ])
        equal(clone[name], session[name], name);
    const { contextUsage } = session;
    const answer = await clone.prompt("and?", few);
    equal(session.contextUsage, contextUsage, "the first is as it was");
    ok(clone.contextUsage > contextUsage, "the clone grew");
    equal(await session.prompt("and?", few), answer, "the same answer");
    session.destroy();
    equal(typeof (await clone.prompt("x", few)), "string", "goes on");
    clone.destroy();
    await rejects(() => session.clone(7), js(TypeError), "options");
});
withModel("clone: aborted meanwhile", async ({ open }) => {
    const session = await open();
    const ending = new AbortController();
    const cloning = session.clone({ signal: ending.signal });
    ending.abort("mine");
    await fails(cloning, same("mine"), "the clone");
    const other = session.clone();
    session.destroy();
    await fails(other, dom("AbortError"), "destroyed meanwhile");
});
