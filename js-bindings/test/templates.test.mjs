// applyChatTemplate, the choice of a template, and templates that mean harm.
import assert from "node:assert/strict";
import { test } from "node:test";
import { renderChatTemplate } from "pipit";
import { openTiny, rejects } from "./support.mjs";

const messages = [{ role: "user", content: "the cat" }];

test("text and tokens of messages", async (t) => {
    const model = await openTiny(t);
    const { text, tokens } = await model.applyChatTemplate(messages);
    const user = "<|im_start|>user\nthe cat<|im_end|>\n";
    assert.equal(text, `${user}<|im_start|>assistant\n`);
    assert.equal(await model.detokenize(tokens), text);
    assert.equal(tokens[0], model.specialTokens.bos, "control tokens parsed");
    const closed = { addGenerationPrompt: false };
    assert.equal((await model.applyChatTemplate(messages, closed)).text, user);
    await rejects(
        model.applyChatTemplate(/** @type {any} */ ("hello")),
        "invalid-argument",
    );
    const controller = new AbortController();
    controller.abort();
    const { signal } = controller;
    await rejects(model.applyChatTemplate(messages, { signal }), "aborted");
});

test("the last message goes on", async (t) => {
    const model = await openTiny(t);
    const started = [...messages, { role: "assistant", content: "Sure: " }];
    const options = { continueFinalMessage: true };
    const { text } = await model.applyChatTemplate(started, options);
    assert.ok(text.endsWith("<|im_start|>assistant\nSure: "), text);
    const parts = [
        { role: "user", content: [{ type: "text", text: " a b " }] },
    ];
    const template = "[{{ messages[0].content[0].text | trim }}]";
    const cut = await model.applyChatTemplate(parts, { ...options, template });
    assert.equal(cut.text, "[a b");
    const both = { ...options, addGenerationPrompt: true };
    await rejects(model.applyChatTemplate(started, both), "invalid-argument");
    const lost = { ...options, template: "nothing of it" };
    await rejects(
        model.applyChatTemplate(started, lost),
        "template",
        /leaves out/,
    );
});

test("tools, documents and variables reach the template", async (t) => {
    const model = await openTiny(t);
    const template =
        "{{ tools | tojson }} {{ documents[0].title }} {{ enable_thinking }} " +
        "{{ messages[0].tool_calls[0].id }} {{ messages[0].content is none }}";
    const { text } = await model.applyChatTemplate(
        [{ role: "assistant", content: null, tool_calls: [{ id: "x1" }] }],
        {
            template,
            tools: [{ type: "function", function: { name: "f" } }],
            documents: [{ title: "T" }],
            enable_thinking: false,
        },
    );
    assert.equal(
        text,
        '[{"type": "function", "function": {"name": "f"}}] T False x1 True',
    );
    const bare = { template: "{{ tools is none }}{{ documents is none }}" };
    assert.equal(
        (await model.applyChatTemplate(messages, bare)).text,
        "TrueTrue",
    );
});

test("named templates", async (t) => {
    const model = await openTiny(t, {
        metadata: {
            "tokenizer.chat_templates": ["tool_use", "rag"],
            "tokenizer.chat_template.tool_use": "USE {{ tools | length }}",
            "tokenizer.chat_template.rag": "RAG",
        },
    });
    assert.deepEqual(model.chatTemplateNames, ["tool_use", "rag"]);
    const text = async (/** @type {object} */ options) =>
        (await model.applyChatTemplate(messages, options)).text;
    assert.equal(await text({ template: "rag" }), "RAG");
    assert.equal(await text({ tools: [{}] }), "USE 1");
    assert.match(await text({ tools: [] }), /im_start/);
    assert.match(await text({ tools: [{}], template: "default" }), /im_start/);
    const wrong = text({ template: "rga" });
    await rejects(wrong, "template", /no template named "rga".*tool_use, rag/);
});

test("files without a template, or with none that is text", async (t) => {
    const base = await openTiny(t, { template: null });
    assert.equal(base.chatTemplate, undefined);
    await rejects(base.createChat(), "template", /base model.*`template`/);
    await rejects(base.applyChatTemplate(messages), "template", /no chat/);
    const template = "{{ messages[-1].content }}";
    const { text } = await base.applyChatTemplate(messages, { template });
    assert.equal(text, "the cat");
    const chat = await base.createChat({ template });
    for await (const _ of chat.send("a", { maxTokens: 2 }));
    assert.equal(chat.last?.completionTokens, 2);
    const session = await base.createSession();
    for await (const _ of session.generate({ prompt: "a", maxTokens: 2 }));

    for (const [value, key] of /** @type {[any, string][]} */ ([
        [7, "tokenizer.chat_template"],
        [["a"], "tokenizer.chat_template"],
        [true, "tokenizer.chat_template.tool_use"],
    ])) {
        const model = await openTiny(t, { metadata: { [key]: value } });
        const template = key.endsWith("tool_use") ? "tool_use" : undefined;
        await rejects(
            model.createChat({ template }),
            "template",
            new RegExp(`${key} is not a string`),
        );
    }
});

/** Harmful templates, and what stops them. @type {[string, RegExp][]} */
const hostile = [
    // For ever.
    [
        "{% for a in range(99999) %}{% for b in range(99999) %}{% endfor %}{% endfor %}",
        /1000 ms/,
    ],
    ["{% macro m() %}{{ m() }}{% endmacro %}{{ m() }}", /recursion|deeply/],
    // Too much.
    ["{% for a in range(99999) %}{{ 'x' * 9999 }}{% endfor %}", /16 MB/],
    [
        "{% set ns = namespace(s='x') %}{% for i in range(99) %}{% set ns.s = ns.s ~ ns.s %}{% endfor %}",
        /16 MB/,
    ],
    [
        "{% set ns = namespace(l=[1]) %}{% for i in range(99) %}{% set ns.l = ns.l + ns.l %}{% endfor %}",
        /elements|memory/,
    ],
    [
        "{% set ns = namespace(l=[]) %}{% for i in range(99) %}{% set ns.l = [ns.l, ns.l] %}{% endfor %}{{ ns.l }}",
        /16 MB|1000 ms|memory/,
    ],
    ["{{ 'x' * 16000000 | replace('x', 'yy') }}", /16 MB|unsupported|multiply/],
    ["{{ ('x' * 16000000) | replace('', 'yy') }}", /16 MB|memory|1000 ms/],
    ["{{ 'a' | center(1000000000) }}", /16 MB/],
    ["{{ '%1000000000d' % 1 }}", /16 MB/],
    ["{{ '{:1000000000}'.format(1) }}", /16 MB/],
    ["{{ [1] | tojson(indent=1000000000) }}", /16 MB/],
    ["{{ 'a\nb' | indent(1000000000) }}", /16 MB/],
    ["{{ range(1000000000) }}", /Range too big/],
    ["{{ 10 ** 1000000 }}", /too large/],
    ["{{ [1] * 1000000000 }}", /elements/],
    ["{{ [1] | batch(1000000000, 0) | list }}", /elements/],
    ["{{ [1] | slice(1000000000) | list }}", /elements/],
    // Too deep.
    [`${"(".repeat(50_000)}`.replace(/^/, "{{ "), /deep/],
    [`{{ ${"not ".repeat(50_000)} 1 }}`, /deep/],
    [`{{ ${"-".repeat(50_000)} 1 }}`, /deep/],
    ["{% if 1 %}".repeat(5000), /deep/],
    [`{% if 1 %}${"{% elif 1 %}".repeat(20_000)}{% endif %}`, /deep|text of 0/],
    // Slow to match.
    [`{{ '${"<!--".repeat(100_000)}' | striptags }}`, /./],
    [
        `{{ '${" ".repeat(400_000)}x'.rstrip().split() }}${"{{ ' ' * 99999 ~ 'x' }}".repeat(99)}`,
        /./,
    ],
];

test("templates that mean harm are stopped", async () => {
    for (const [template, why] of hostile) {
        const startedAt = performance.now();
        let beats = 0;
        const heart = setInterval(() => beats++, 20);
        const outcome = await renderChatTemplate(template).then(
            (text) => `text of ${text.length}`,
            (error) => `${error.code}: ${error.message}`,
        );
        clearInterval(heart);
        const ms = performance.now() - startedAt;
        const what = `${template.slice(0, 60)} → ${outcome.slice(0, 100)}`;
        // On a busy machine the clock may come first.
        assert.match(outcome, new RegExp(`${why.source}|1000 ms`), what);
        // The limit is a second; the rest is the start of another worker, and
        // what else the machine does.
        assert.ok(ms < 30_000, `${what} after ${ms} ms`);
        assert.ok(beats >= Math.floor(ms / 500), `${what}: ${beats} in ${ms}`);
    }
    assert.equal(await renderChatTemplate("{{ 1 }}"), "1", "still there");
});

test("renderChatTemplate by itself", async () => {
    const now = new Date(2026, 0, 15);
    assert.equal(
        await renderChatTemplate(
            "{{ strftime_now('%d %b %Y') }} {{ messages[0].content }}",
            { messages },
            { now },
        ),
        "15 Jan 2026 the cat",
    );
    await rejects(
        renderChatTemplate("{{ raise_exception('Only user turns') }}"),
        "template",
        /^Only user turns$/,
    );
    // Much honest work: a text appended to twenty thousand times.
    const long =
        "{% set ns = namespace(s='') %}{% for i in range(20000) %}" +
        "{% set ns.s = ns.s ~ 'abc' %}{% endfor %}{{ ns.s | length }}";
    assert.equal(await renderChatTemplate(long), "60000");
    const f = { f: () => {} };
    await rejects(renderChatTemplate("", f), "invalid-argument");
    await rejects(
        renderChatTemplate(/** @type {any} */ (7)),
        "invalid-argument",
    );
    const cycle = { a: /** @type {unknown} */ (null) };
    cycle.a = cycle;
    await rejects(renderChatTemplate("", { cycle }), "template");
    const both = await Promise.all([
        renderChatTemplate("{{ a }}", { a: 1 }),
        renderChatTemplate("{{ a }}", { a: 2 }),
    ]);
    assert.deepEqual(both, ["1", "2"]);
});
