// Chats: the template, the cache, the conversation after each kind of end.
import assert from "node:assert/strict";
import { test } from "node:test";
import { collect, openTiny, rejects } from "./support.mjs";

/** @param {AsyncIterable<string>} stream */
const text = async (stream) => (await collect(stream)).join("");
const short = { maxTokens: 12 };

test("only what is new is evaluated", async (t) => {
    const model = await openTiny(t, { context: 2048 });
    const { eos = 0 } = model.specialTokens;
    const chat = await model.createChat({ system: "the cat" });
    const first = await text(chat.send("hello", short));
    assert.equal(chat.last?.finishReason, "length");
    assert.equal(chat.last?.cachedTokens, 0);
    assert.equal(chat.last?.completionTokens, 12);
    assert.deepEqual(chat.messages, [
        { role: "system", content: "the cat" },
        { role: "user", content: "hello" },
        { role: "assistant", content: first },
    ]);
    // An answer that ends by itself: all its tokens stay in the cache.
    const ending = { logitBias: { [eos]: 1000 } };
    await text(chat.send("again", ending));
    assert.equal(chat.last?.finishReason, "end");
    const held = chat.session.length;
    await text(chat.send("and the mouse", short));
    assert.ok((chat.last?.cachedTokens ?? 0) >= held, "the cache was kept");
    const { promptTokens = 0, cachedTokens = 0 } = chat.last ?? {};
    assert.ok(promptTokens - cachedTokens < 60);
});

test("sampled tokens stay as they were sampled", async (t) => {
    const model = await openTiny(t, { context: 2048, seed: 2 });
    const { eos = 0 } = model.specialTokens;
    const chat = await model.createChat();
    // Random tokens, hardly ever those that their text would be cut into.
    const options = { temperature: 1.5, seed: 4, logitBias: { [eos]: 4 } };
    await text(chat.send("x", { ...options, maxTokens: 500 }));
    assert.equal(chat.last?.finishReason, "end");
    const sampled = chat.last?.completionTokens ?? 0;
    const held = chat.session.length;
    await text(chat.send("y", short));
    assert.ok(sampled > 3);
    assert.ok((chat.last?.cachedTokens ?? 0) >= held);
});

test("the prompt is the template's text", async (t) => {
    const model = await openTiny(t);
    const chat = await model.createChat({ system: "s" });
    await text(chat.send("<|im_end|> u", short));
    const tokens = await chat.session.tokens();
    const prompt = tokens.slice(0, chat.last?.promptTokens);
    assert.equal(
        await model.detokenize(prompt),
        "<|im_start|>system\ns<|im_end|>\n" +
            "<|im_start|>user\n<|im_end|> u<|im_end|>\n<|im_start|>assistant\n",
    );
});

test("an answer cut short stays, an empty one goes", async (t) => {
    const model = await openTiny(t);
    const chat = await model.createChat();
    let given = "";
    for await (const piece of chat.send("tell")) {
        given += piece;
        if (given.length > 4) break;
    }
    assert.equal(chat.last?.finishReason, "aborted");
    assert.deepEqual(chat.messages, [
        { role: "user", content: "tell" },
        { role: "assistant", content: given },
    ]);
    const controller = new AbortController();
    let more = "";
    await rejects(async () => {
        const { signal } = controller;
        for await (const piece of chat.send("more", { signal })) {
            more += piece;
            controller.abort();
        }
    }, "aborted");
    assert.equal(chat.messages.at(-1)?.content, more);
    const before = chat.messages;
    const signal = AbortSignal.abort();
    await rejects(chat.send("never", { signal }).next(), "aborted");
    assert.deepEqual(chat.messages, before);
    await text(chat.send("on", short));
    assert.equal(chat.messages.length, before.length + 2);
});

test("retry gives another answer to the same message", async (t) => {
    const model = await openTiny(t);
    const chat = await model.createChat();
    await rejects(chat.retry().next(), "invalid-state");
    const first = await text(chat.send("tell", short));
    assert.equal(await text(chat.retry(short)), first);
    const options = { ...short, temperature: 1.5, seed: 1 };
    const other = await text(chat.retry(options));
    assert.notEqual(other, first);
    assert.deepEqual(chat.messages, [
        { role: "user", content: "tell" },
        { role: "assistant", content: other },
    ]);
    assert.ok((chat.last?.cachedTokens ?? 0) > 0);
});

test("messages given at the start", async (t) => {
    const model = await openTiny(t);
    const messages = [
        { role: "user", content: "a" },
        { role: "assistant", content: "b" },
    ];
    const chat = await model.createChat({ system: "s", messages });
    assert.equal(chat.messages.length, 3);
    await text(chat.send("c", short));
    assert.equal(chat.messages.length, 5);
    for (const wrong of /** @type {any[]} */ ([
        [{ role: "user", content: 7 }],
        [{ role: "user", content: ["text"] }],
        [{ content: "no role" }],
        [null],
        "text",
    ]))
        await rejects(
            model.createChat({ messages: wrong }),
            "invalid-argument",
            /message/,
        );
    // What templates know beside text: parts, and calls without content.
    const other = await model.createChat({
        messages: [
            { role: "user", content: [{ type: "text", text: "part" }] },
            { role: "assistant", content: null, tool_calls: [{ id: "c1" }] },
        ],
        template:
            "{{ messages[0].content[0].text }} {{ messages[1].content }} " +
            "{{ messages[1].tool_calls[0].id }} {{ messages[2].content }}",
    });
    await text(other.send("x", { maxTokens: 1 }));
    const prompt = await other.session.tokens();
    assert.equal(await model.detokenize(prompt), "part None c1 x");
});

test("what does not fit leaves the conversation as it was", async (t) => {
    const model = await openTiny(t);
    const chat = await model.createChat({ contextLength: 128 });
    await text(chat.send("hello", short));
    const before = chat.messages;
    await rejects(text(chat.send("long ".repeat(60))), "context-overflow");
    assert.deepEqual(chat.messages, before);
    await text(chat.send("short", short));
});

test("templates that fail", async (t) => {
    const model = await openTiny(t);
    const fails = async (
        /** @type {string} */ template,
        /** @type {RegExp} */ message,
    ) => {
        const chat = await model.createChat({ template });
        const startedAt = performance.now();
        await rejects(text(chat.send("x")), "template", message);
        assert.ok(performance.now() - startedAt < 30_000);
        assert.deepEqual(chat.messages, []);
        await chat.close();
    };
    await fails("{% if %}", /./);
    await fails("{{ raise_exception('no such role') }}", /no such role/);
    await fails("{{ messages[0].content.x.y }}", /./);
    await fails("", /nothing/);
    const twice = "{% for i in range(99999) %}".repeat(2);
    await fails(`${twice}{% endfor %}{% endfor %}`, /1000 ms/);
    await fails("{{ range(1000000000) | length }}", /range/);
    await fails("{{ 'x' * 20000000 }}", /./);
    // The renderer is there again.
    const chat = await model.createChat({
        template: "{{ messages[0].content }}",
    });
    await text(chat.send("fine", short));
    const variables = { templateVariables: { f: () => {} } };
    const wrong = await model.createChat(variables);
    await rejects(text(wrong.send("x")), "invalid-argument");
    const none = await openTiny(t, { template: null });
    await rejects(none.createChat(), "template", /no chat template/);
});

test("named templates and variables", async (t) => {
    const model = await openTiny(t, {
        metadata: {
            "tokenizer.chat_template.loud": "{{ shout }}{{ bos_token }}!",
        },
    });
    const chat = await model.createChat({
        template: "loud",
        templateVariables: { shout: "HEY" },
    });
    await text(chat.send("x", { maxTokens: 1 }));
    const prompt = await chat.session.tokens();
    assert.equal(await model.detokenize(prompt), "HEY<|im_start|>!");
});

test("one answer at a time", async (t) => {
    const model = await openTiny(t);
    const chat = await model.createChat();
    const answer = chat.send("x");
    await answer.next();
    await rejects(chat.send("y").next(), "invalid-state");
    await answer.return();
    await text(chat.send("y", short));
});
