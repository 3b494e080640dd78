// OpenAI's interface: streams against whole replies, what is refused, and what
// nobody should send.
import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import OpenAI from "openai";
import { loadModel } from "pipit";
import { createOpenAI } from "pipit/openai";
import { collect, tinyModel } from "./support.mjs";

/** @type {import("pipit").Model} */
let model;
/** @type {import("pipit/openai").OpenAILike} */
let local;
/** @type {OpenAI} */
let client;

before(async () => {
    model = await loadModel(tinyModel({ context: 2048 }), { threads: 1 });
    local = createOpenAI(model, { name: "tiny", sessions: 1 });
    client = new OpenAI({
        ...{ apiKey: "x", baseURL: "http://nowhere.invalid/v1" },
        ...{ fetch: local.fetch, maxRetries: 0 },
    });
});
after(async () => {
    await local.close();
    await model.close();
});

/** @type {{ model: string, messages: any[] }} */
const body = { model: "tiny", messages: [{ role: "user", content: "hello" }] };
const greedy = { ...body, temperature: 0 };
const chat = "http://x/v1/chat/completions";

/** @param {string | Uint8Array<ArrayBuffer>} text @param {string} [url] */
async function post(text, url = chat) {
    const reply = await local.fetch(url, { method: "POST", body: text });
    const { status } = reply;
    return { status, body: JSON.parse(await reply.text()) };
}

/** @param {any} error */
function isShape(error) {
    assert.deepEqual(Object.keys(error).sort(), [
        ...["code", "message", "param", "type"],
    ]);
    assert.equal(typeof error.message, "string");
    assert.equal(typeof error.type, "string");
}

/** It still answers. */
async function works() {
    const reply = await client.chat.completions.create({
        ...{ ...greedy, max_tokens: 2 },
    });
    assert.equal(reply.usage?.completion_tokens, 2);
}

test("a stream carries what a whole reply carries", async () => {
    for (const more of [
        { n: 3, seed: 5, temperature: 0.9, max_tokens: 12 },
        { n: 2, seed: 1, temperature: 1, logprobs: true, top_logprobs: 3 },
        { temperature: 0, logprobs: true, max_tokens: 5 },
        { temperature: 0.8, seed: 9, presence_penalty: 1, max_tokens: 20 },
    ]) {
        const asked = { ...body, max_tokens: 12, ...more };
        const whole = await client.chat.completions.create(asked);
        const stream = await client.chat.completions.create({
            ...{ ...asked, stream: true },
            stream_options: { include_usage: true },
        });
        const chunks = await collect(stream);
        assert.equal(whole.choices.length, more.n ?? 1);
        for (const {
            index,
            message,
            logprobs,
            finish_reason,
        } of whole.choices) {
            const own = chunks
                .flatMap(({ choices }) => choices)
                .filter((choice) => choice.index === index);
            const text = own.map(({ delta }) => delta.content ?? "").join("");
            assert.equal(text, message.content);
            const listed = own.flatMap((one) => one.logprobs?.content ?? []);
            assert.deepEqual(listed, logprobs?.content ?? []);
            assert.equal(own[0]?.delta.role, "assistant");
            assert.equal(own.at(-1)?.finish_reason, finish_reason);
            const ends = own.filter((one) => one.finish_reason !== null);
            assert.equal(ends.length, 1);
        }
        const last = chunks.at(-1);
        assert.deepEqual(last?.choices, []);
        const counts = (/** @type {any} */ usage) => [
            ...[usage.prompt_tokens, usage.completion_tokens],
            usage.total_tokens,
        ];
        assert.deepEqual(counts(last?.usage), counts(whole.usage));
    }
});

test("choices of a seed differ, and come back", async () => {
    const asked = { ...body, n: 4, seed: 11, temperature: 1, max_tokens: 16 };
    const texts = async () =>
        (await client.chat.completions.create(asked)).choices.map(
            ({ message }) => message.content,
        );
    const first = await texts();
    assert.ok(new Set(first).size > 1);
    assert.deepEqual(await texts(), first);
});

test("logit_bias: 100 forces, -100 bans, no token is refused", async () => {
    const { tokens } = await model.applyChatTemplate(body.messages);
    const session = await model.createSession();
    const sampling = { temperature: 0, maxTokens: 1, logprobs: 2 };
    const [first] = await collect(session.generate({ tokens, ...sampling }));
    await session.close();
    const [best, next] = first?.logprobs ?? [];
    const banned = await client.chat.completions.create({
        ...{ ...greedy, max_tokens: 1, logprobs: true },
        logit_bias: { [String(best?.token)]: -100 },
    });
    const [instead] = banned.choices[0]?.logprobs?.content ?? [];
    assert.equal(instead?.logprob, next?.logprob);
    const forced = await client.chat.completions.create({
        ...{ ...greedy, max_tokens: 4, logit_bias: { 72: 100 } },
    });
    const letter = await model.detokenize([72]);
    assert.equal(forced.choices[0]?.message.content, letter.repeat(4));
    for (const logit_bias of [
        ...[{ 99999999: 1 }, { "-1": 1 }, { 1.5: 1 }, { 72: 101 }],
        ...[{ 72: "x" }, [], "x", { 72: null }],
    ])
        await assert.rejects(
            client.chat.completions.create(
                /** @type {any} */ ({ ...greedy, max_tokens: 1, logit_bias }),
            ),
            { status: 400 },
        );
});

test("stop: the earliest of several, over tokens, never in the text", async () => {
    const content = async (/** @type {any} */ more) => {
        const { choices } = await client.chat.completions.create({
            ...{ ...greedy, max_tokens: 40, logit_bias: { 75: 30, 72: 29 } },
            ...{ frequency_penalty: 2, ...more },
        });
        return choices[0];
    };
    const plain = (await content({}))?.message.content ?? "";
    const [early, late] = [plain.slice(3, 6), plain.slice(8, 10)];
    const at = Math.min(plain.indexOf(early), plain.indexOf(late));
    const cut = await content({ stop: ["not there", late, early] });
    assert.equal(cut?.message.content, plain.slice(0, at));
    assert.equal(cut?.finish_reason, "stop");
    const stream = await client.chat.completions.create({
        ...{ ...greedy, max_tokens: 40, logit_bias: { 75: 30, 72: 29 } },
        ...{ frequency_penalty: 2, stop: [late, early], stream: true },
    });
    let text = "";
    for await (const { choices } of stream) {
        text += choices[0]?.delta.content ?? "";
        assert.ok(plain.slice(0, at).startsWith(text), text);
    }
});

test("cached_tokens: of a stream, and of every choice's prompt once", async () => {
    const messages = [...body.messages];
    const first = await client.chat.completions.create({
        ...{ ...greedy, messages, max_tokens: 5 },
    });
    const { content } = first.choices[0]?.message ?? {};
    messages.push({ role: "assistant", content });
    messages.push({ role: "user", content: "and then?" });
    const stream = await client.chat.completions.create({
        ...{ ...greedy, messages, max_tokens: 5, n: 2, stream: true },
        stream_options: { include_usage: true },
    });
    const usage = (await collect(stream)).at(-1)?.usage;
    const cached = usage?.prompt_tokens_details?.cached_tokens ?? 0;
    assert.ok(cached >= (first.usage?.prompt_tokens ?? Infinity));
    assert.ok(cached < (usage?.prompt_tokens ?? 0));
    assert.equal(usage?.completion_tokens, 10);
    assert.equal(usage?.total_tokens, 10 + (usage?.prompt_tokens ?? 0));
});

describe("refused, whole or streamed, as OpenAI refuses", () => {
    const schema = { name: "x", strict: true, schema: { type: "object" } };
    const f = { name: "f", parameters: { type: "object" } };
    for (const [param, more] of /** @type {[string, any][]} */ ([
        ["tools", { tools: [{ type: "function", function: f }] }],
        ["tool_choice", { tool_choice: "required" }],
        ["functions", { functions: [f] }],
        ["response_format", { response_format: { type: "json_object" } }],
        [
            "response_format",
            { response_format: { type: "json_schema", json_schema: schema } },
        ],
        ["modalities", { modalities: ["audio"] }],
        ["web_search_options", { web_search_options: {} }],
        ["reasoning_effort", { reasoning_effort: "high" }],
        ["prediction", { prediction: { type: "content", content: "x" } }],
        ["store", { store: true }],
    ]))
        test(`${param} ${JSON.stringify(more[param]).slice(0, 40)}`, async () => {
            for (const stream of [false, true])
                await assert.rejects(
                    client.chat.completions.create({
                        ...{ ...greedy, max_tokens: 1, stream, ...more },
                    }),
                    (/** @type {any} */ error) => {
                        assert.ok(error instanceof OpenAI.BadRequestError);
                        assert.equal(error.param, param);
                        assert.equal(error.type, "invalid_request_error");
                        assert.equal(error.code, "unsupported_parameter");
                        isShape(error.error);
                        return true;
                    },
                );
        });
});

test("an abort ends what runs, streamed or whole, and frees the session", async () => {
    const long = { ...greedy, max_tokens: 1900, logit_bias: { 72: 100 } };
    for (const stream of [true, false]) {
        const ending = new AbortController();
        const { signal } = ending;
        const asked = client.chat.completions.create(
            { ...long, stream },
            { signal },
        );
        const run = async () => {
            const reply = /** @type {any} */ (await asked);
            if (stream) for await (const _ of reply) ending.abort();
            if (stream) throw new OpenAI.APIUserAbortError();
        };
        if (!stream) setTimeout(() => ending.abort(), 50);
        await assert.rejects(run(), OpenAI.APIUserAbortError);
        await works();
    }
    // Before anything, and while the prompt is evaluated.
    const words = "some words ".repeat(150);
    const prompt = [{ role: "user", content: words }];
    for (const ms of [0, 5]) {
        const signal = AbortSignal.timeout(ms);
        await assert.rejects(
            client.chat.completions.create(
                /** @type {any} */ ({ ...long, messages: prompt }),
                { signal },
            ),
        );
        await works();
    }
});

describe("hostile bodies", () => {
    const messages = JSON.stringify(body.messages);
    const deep = "[".repeat(100_000);
    for (const [what, text] of /** @type {[string, any][]} */ ([
        ["nothing", ""],
        ["null", "null"],
        ["a number", "7"],
        ["a string", '"x"'],
        ["a list", "[]"],
        ["half an object", '{"messages": ['],
        ["no JSON", "{messages: 1}"],
        ["two objects", "{}{}"],
        ["bytes that are no UTF-8", Uint8Array.of(0x7b, 0xff, 0xfe, 0x7d)],
        ["deep lists", deep + "]".repeat(100_000)],
        ["deep messages", `{"messages": ${deep}${"]".repeat(100_000)}}`],
        ["__proto__", `{"messages": ${messages}, "__proto__": {"x": 1}}`],
        ["constructor", `{"messages": ${messages}, "constructor": 1}`],
        ["toString", `{"messages": ${messages}, "toString": "x"}`],
        ["hasOwnProperty", `{"messages": ${messages}, "hasOwnProperty": 1}`],
        ["no message", '{"messages": [null]}'],
        ["a message of lists", '{"messages": [[[]]]}'],
        ["no role", '{"messages": [{"content": "x"}]}'],
        ["a role's object", '{"messages": [{"role": {}, "content": "x"}]}'],
        ["no content", '{"messages": [{"role": "user"}]}'],
        [
            "a message's __proto__",
            '{"messages": [{"role": "user", "content": "x", "__proto__": {}}]}',
        ],
        [
            "a template of its own",
            `{"messages": ${messages}, "chat_template_kwargs": {"template": "{{ 1 }}"}}`,
        ],
        ["10^400", `{"messages": ${messages}, "max_tokens": 1e400}`],
        [
            "a stop of 10000",
            `{"messages": ${messages}, "stop": ["${'x","'.repeat(1e4)}x"]}`,
        ],
        [
            "2 MB of text",
            JSON.stringify({
                messages: [{ role: "user", content: "words ".repeat(350_000) }],
            }),
        ],
    ]))
        test(what, async () => {
            const reply = await post(text);
            assert.equal(reply.status, 400, JSON.stringify(reply.body));
            isShape(reply.body.error);
            assert.equal(reply.body.error.type, "invalid_request_error");
        });

    for (const prompt of [
        ...[null, "", [], [[]], [""], {}, 7, true, [1, "x"], [1.5], [-1]],
        ...[[99999999], [4294967296], [null], Array(65).fill("x")],
    ])
        test(`prompt ${JSON.stringify(prompt).slice(0, 30)}`, async () => {
            const url = "http://x/v1/completions";
            const text = JSON.stringify({ prompt, max_tokens: 1 });
            const reply = await post(text, url);
            assert.equal(reply.status, 400, JSON.stringify(reply.body));
            isShape(reply.body.error);
        });

    test("every key with every kind of value", async () => {
        const keys = [
            ...["model", "stream_options", "temperature", "top_p", "n"],
            ...["presence_penalty", "frequency_penalty", "logit_bias"],
            ...["seed", "stop", "logprobs", "top_logprobs", "top_k", "min_p"],
            ...["repetition_penalty", "max_completion_tokens", "user"],
            ...["chat_template_kwargs", "tools", "response_format", "echo"],
            ...["metadata", "service_tier", "parallel_tool_calls"],
        ];
        const values = [
            ...[null, true, false, 0, 1, -1, 0.5, 1e308, -0, 2 ** 53, "", "x"],
            ...[[], {}, [[]], [null], { x: 1 }, { 0: 0 }, ["x"]],
        ];
        for (const key of keys)
            for (const value of values) {
                const most =
                    key === "max_completion_tokens" && Number(value) > 1
                        ? undefined
                        : 1;
                if (most === undefined) continue;
                const asked = { ...greedy, max_tokens: most, [key]: value };
                const reply = await post(JSON.stringify(asked));
                const what = `${key} ${JSON.stringify(value)}`;
                if (reply.status === 200) continue;
                assert.ok([400, 404].includes(reply.status), what);
                isShape(reply.body.error);
                assert.ok(
                    String(reply.body.error.param).startsWith(key),
                    `${what}: ${JSON.stringify(reply.body.error)}`,
                );
            }
    });

    test("addresses and methods", async () => {
        for (const [method, path, status] of /** @type {const} */ ([
            ["GET", "/v1/chat/completions", 405],
            ["PUT", "/v1/completions", 405],
            ["POST", "/v1/models", 405],
            ["DELETE", "/v1/models/tiny", 405],
            ["POST", "/v1/embeddings", 404],
            ["POST", "/v1/responses", 404],
            ["GET", "/", 404],
            ["GET", "/v1/models/%E0%A4%A", 400],
            ["GET", "/v1/models/../../etc/passwd", 404],
        ])) {
            const reply = await local.fetch(`http://x${path}`, { method });
            assert.equal(reply.status, status, `${method} ${path}`);
            isShape((await reply.json()).error);
            if (status === 405) {
                const allowed = path.includes("models") ? "GET" : "POST";
                assert.equal(reply.headers.get("allow"), allowed);
            }
        }
    });

    test("and it still answers", works);
});
