// Prompts, messages, streams.
import {
    shown,
    ok,
    equal,
    js,
    dom,
    same,
    rejects,
    fails,
    throws,
    collect,
    few,
    user,
    assistant,
    system,
    text,
    tool,
    withModel,
} from "./clause.js";

withModel("prompt: text, which joins the context", async ({ open }) => {
    const session = await open();
    const measured = await session.measureContextUsage("hello");
    equal(session.contextUsage, 0, "measuring adds nothing");
    const answer = await session.prompt("hello", few);
    equal(typeof answer, "string", "the answer");
    ok(answer !== "", "some answer");
    ok(session.contextUsage > measured, "more than the prompt");
});
withModel("prompt: strings are messages of the user", async ({ open }) => {
    const answers = [];
    for (const input of [
        "hello",
        [user("hello")],
        [user([text("hello")])],
        [user([text("he"), text("llo")])],
        new Set([user("hello")]),
        { toString: () => "hello" },
    ]) {
        const session = await open();
        const answer = await session.prompt(input, few);
        answers.push([answer, session.contextUsage]);
    }
    const [first] = answers;
    for (const other of answers) equal(other, first, "an answer");
});
withModel("prompt: what is no string is made one", async ({ open }) => {
    for (const [input, string] of [
        [null, "null"],
        [undefined, "undefined"],
        [7, "7"],
        [{}, "[object Object]"],
        [[], ""],
        [[user([])], ""],
        [[user([text("")])], ""],
        [[user(null)], "null"],
        [[user([text(7)])], "7"],
    ]) {
        const session = await open();
        const usage = await session.measureContextUsage(input);
        const asString = await session.measureContextUsage(string);
        equal(usage, asString, `usage of ${shown(input)}`);
        equal(typeof (await session.prompt(input, few)), "string", "answer");
    }
    const session = await open();
    const symbol = () => session.prompt(Symbol("x"));
    await rejects(symbol, js(TypeError), "a symbol");
});
withModel("prompt: TypeError for what is no message", async ({ open }) => {
    const session = await open();
    for (const input of [
        ...[[null], [7], ["x"], [{}], [{ role: "user" }], [[user()]]],
        [{ role: "tool", content: "" }],
        [user([text(undefined)])],
        [user([text(new Uint8Array(1))])],
        [user([text(new ArrayBuffer(1))])],
        [user([text(new Blob(["x"]))])],
    ]) {
        const prompt = () => session.prompt(input);
        await rejects(prompt, js(TypeError), `prompt ${shown(input)}`);
        const append = () => session.append(input);
        await rejects(append, js(TypeError), `append ${shown(input)}`);
        const measure = () => session.measureContextUsage(input);
        await rejects(measure, js(TypeError), `measure ${shown(input)}`);
    }
    equal(session.contextUsage, 0, "nothing came of it");
});
withModel("prompt: TypeError for wrong options", async ({ open }) => {
    const session = await open();
    for (const options of [
        ...[7, "x", { signal: 7 }, { signal: null }],
        ...[{ responseConstraint: 7 }, { responseConstraint: null }],
        { omitResponseConstraintInput: true },
    ]) {
        const prompt = () => session.prompt("x", options);
        await rejects(prompt, js(TypeError), shown(options));
        const streaming = () => session.promptStreaming("x", options);
        throws(streaming, js(TypeError), `streaming ${shown(options)}`);
        const measure = () => session.measureContextUsage("x", options);
        await rejects(measure, js(TypeError), `measure ${shown(options)}`);
    }
});
withModel("prompt: a constraint is not ignored", async ({ open }) => {
    const session = await open();
    for (const responseConstraint of [{ type: "object" }, /x/]) {
        const options = { responseConstraint };
        const kind = dom("NotSupportedError");
        await rejects(() => session.prompt("x", options), kind, "prompt");
        await rejects(
            () => session.measureContextUsage("x", options),
            kind,
            "measureContextUsage",
        );
        const stream = session.promptStreaming("x", options);
        await fails(collect(stream), kind, "the stream");
    }
});
withModel("prompt: pictures and sounds", async ({ open }) => {
    const session = await open();
    const kind = dom("NotSupportedError");
    for (const role of ["user", "assistant"])
        for (const type of ["image", "audio", "tool-call", "tool-response"]) {
            const content = [{ type, value: new Uint8Array(4) }];
            const prompt = () => session.prompt([{ role, content }]);
            await rejects(prompt, kind, `${type} of the ${role}`);
        }
});
withModel("prompt: system only as the very first", async ({ open }) => {
    const fresh = await open();
    for (const wrong of [
        [user(), system],
        [system, system],
    ]) {
        await rejects(() => fresh.prompt(wrong), js(TypeError), "prompt");
        await rejects(() => fresh.append(wrong), js(TypeError), "append");
    }
    await fresh.append([system, user()]);
    await rejects(() => fresh.prompt([system]), js(TypeError), "after append");
    // Its turn comes after the first has been answered.
    const session = await open();
    const first = session.prompt("hello", few);
    await rejects(() => session.prompt([system]), js(TypeError), "queued");
    await first;
});
withModel("prefix: the answer goes on from it", async ({ open }) => {
    const start = "one two";
    for (const prefix of [true, false]) {
        const session = await open();
        const last = { ...assistant(start), prefix };
        const more = await session.prompt([user("count"), last], few);
        const other = await open();
        // Without it, another message of the assistant.
        const said = prefix
            ? [assistant(start + more)]
            : [assistant(start), assistant(more)];
        await other.append([user("count"), ...said]);
        equal(
            session.contextUsage,
            other.contextUsage,
            `contextUsage, prefix ${prefix}`,
        );
    }
});
withModel("prefix: SyntaxError elsewhere", async ({ open }) => {
    const session = await open();
    const prefix = true;
    for (const wrong of [
        [{ ...user(), prefix }],
        [{ ...system, prefix }],
        [{ ...assistant(), prefix }, user()],
        [{ ...assistant(), prefix }, assistant()],
    ]) {
        const kind = dom("SyntaxError");
        await rejects(() => session.prompt(wrong), kind, "prompt");
        await rejects(() => session.append(wrong), kind, "append");
        await rejects(
            () => session.measureContextUsage(wrong),
            kind,
            "measureContextUsage",
        );
        const stream = session.promptStreaming(wrong);
        await fails(collect(stream), kind, "the stream");
    }
});
withModel("promptStreaming: the same in pieces", async ({ open }) => {
    const [whole, streamed] = [await open(), await open()];
    const text = await whole.prompt("hello", { maxTokens: 40 });
    const stream = streamed.promptStreaming("hello", { maxTokens: 40 });
    ok(stream instanceof ReadableStream, "a ReadableStream");
    const parts = await collect(stream);
    equal(parts.join(""), text, "the text");
    ok(parts.length > 1, "in more than one piece");
    ok(
        parts.every((part) => typeof part === "string" && part !== ""),
        "strings",
    );
    equal(streamed.contextUsage, whole.contextUsage, "contextUsage");
});
withModel("promptStreaming: conversion errors are thrown", async (place) => {
    const session = await place.open();
    for (const input of [[7], [{ role: "x", content: "" }], Symbol("x")])
        throws(
            () => session.promptStreaming(input),
            js(TypeError),
            `an input of type ${typeof input}`,
        );
});
withModel("promptStreaming: cancelled, its pair is gone", async (place) => {
    const session = await place.open();
    const stream = session.promptStreaming("hello");
    const reader = stream.getReader();
    await reader.read();
    await reader.cancel();
    const other = await place.open();
    await session.prompt("again", few);
    await other.prompt("again", few);
    equal(session.contextUsage, other.contextUsage, "as if never asked");
});
withModel("promptStreaming: unread, it does not block", async ({ open }) => {
    const session = await open();
    const unread = session.promptStreaming("hello", { maxTokens: 100 });
    equal(typeof (await session.prompt("x", few)), "string", "the next");
    ok((await collect(unread)).length > 0, "still there");
});
withModel("append: adds, and answers nothing", async ({ open }) => {
    const session = await open();
    const measured = await session.measureContextUsage("some context");
    equal(await session.append("some context"), undefined, "its value");
    equal(session.contextUsage, measured, "contextUsage");
    const aborted = { signal: AbortSignal.abort("mine") };
    await rejects(() => session.append("x", aborted), same("mine"), "aborted");
    equal(session.contextUsage, measured, "contextUsage after the abort");
    // It counts in what follows.
    const [asked, whole] = [await open(), await open()];
    await asked.append([user("a"), assistant("b")]);
    equal(
        await asked.prompt("c", few),
        await whole.prompt([user("a"), assistant("b"), user("c")], few),
        "the answer",
    );
});
withModel("measureContextUsage: nonnegative, rising", async ({ open }) => {
    const session = await open();
    const few = await session.measureContextUsage("x");
    const many = await session.measureContextUsage("x".repeat(100));
    ok(few > 0 && many >= few + 99, `${few}, ${many}`);
    ok(Number.isFinite(many), "finite");
    const signal = AbortSignal.abort("mine");
    const measure = () => session.measureContextUsage("x", { signal });
    await rejects(measure, same("mine"), "aborted");
    equal(await session.measureInputUsage("x"), few, "the older name's result");
});
