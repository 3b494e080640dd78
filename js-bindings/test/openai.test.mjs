// OpenAI's interface over a model: by itself, and under the unmodified client.
import assert from "node:assert/strict";
import { before, describe, test } from "node:test";
import OpenAI from "openai";
import { loadModel } from "pipit";
import { createOpenAI, OpenAIError } from "pipit/openai";
import { collect, openTiny, realModel, withoutRealModel } from "./support.mjs";

const messages = [{ role: /** @type {const} */ ("user"), content: "hello" }];

/**
 * @param {import("node:test").TestContext} t
 * @param {import("pipit/openai").OpenAIOptions} [options]
 */
async function openTwo(t, options = {}) {
    const model = await openTiny(t, { context: 2048 });
    const local = createOpenAI(model, { name: "tiny", ...options });
    t.after(() => local.close());
    const client = new OpenAI({
        apiKey: "x",
        baseURL: "http://nowhere.invalid/v1",
        fetch: local.fetch,
        maxRetries: 0,
    });
    return { model, local, client };
}

test("a chat completion, whole and in chunks, through the client", async (t) => {
    const { client } = await openTwo(t);
    const body = { model: "tiny", messages, max_tokens: 9, temperature: 0 };
    const whole = await client.chat.completions.create(body);
    assert.equal(whole.object, "chat.completion");
    assert.equal(whole.model, "tiny");
    const [choice] = whole.choices;
    assert.equal(choice?.message.role, "assistant");
    assert.notEqual(choice?.message.content, "");
    assert.equal(choice?.finish_reason, "length");
    assert.equal(whole.usage?.completion_tokens, 9);
    const { prompt_tokens: prompt = 0, total_tokens } = whole.usage ?? {};
    assert.equal(total_tokens, prompt + 9);

    const stream = await client.chat.completions.create({
        ...body,
        stream: true,
        stream_options: { include_usage: true },
    });
    const chunks = await collect(stream);
    assert.deepEqual(chunks[0]?.choices[0]?.delta, {
        role: "assistant",
        content: "",
    });
    const text = chunks.map((chunk) => chunk.choices[0]?.delta.content ?? "");
    assert.equal(text.join(""), choice?.message.content);
    const last = chunks.at(-1);
    assert.deepEqual(last?.choices, []);
    // All of the prompt but its last token, whose logits are asked again.
    assert.deepEqual(last?.usage?.prompt_tokens_details, {
        cached_tokens: prompt - 1,
    });
    assert.equal(chunks.at(-2)?.choices[0]?.finish_reason, "length");
    assert.ok(chunks.slice(0, -1).every((chunk) => chunk.usage === null));
    assert.equal(new Set(chunks.map(({ id }) => id)).size, 1);
});

test("it says what a session says, with log-probabilities", async (t) => {
    const { model, local, client } = await openTwo(t);
    const { tokens } = await model.applyChatTemplate(messages);
    const session = await model.createSession();
    const sampling = { maxTokens: 6, temperature: 0.9, logprobs: 2 };
    const own = await collect(
        session.generate({ tokens, ...sampling, seed: 7 }),
    );
    const body = { model: "tiny", messages, max_tokens: 6, temperature: 0.9 };
    const asked = { ...body, seed: 7, logprobs: true, top_logprobs: 2 };
    const reply = await client.chat.completions.create(asked);
    const [choice] = reply.choices;
    const text = own.map((one) => one.text).join("");
    assert.equal(choice?.message.content, text);
    const content = choice?.logprobs?.content ?? [];
    assert.deepEqual(
        content.map(({ logprob }) => logprob),
        own.map(({ logprob }) => logprob),
    );
    for (const { top_logprobs: top, bytes, token } of content) {
        assert.equal(top.length, 2);
        assert.ok((top[0]?.logprob ?? 0) >= (top[1]?.logprob ?? 0));
        const bytesText = new TextDecoder().decode(
            Uint8Array.from(bytes ?? []),
        );
        assert.equal(bytesText, token);
    }
    // Without the client: the same, and n choices are seeds in a row.
    const [first, second] = (
        await local.chat.completions.create({ ...asked, n: 2 })
    ).choices;
    assert.equal(first?.message.content, text);
    const next = await local.chat.completions.create({ ...asked, seed: 8 });
    assert.equal(second?.message.content, next.choices[0]?.message.content);
});

test("penalties, bias and stop reach the sampler", async (t) => {
    const { local } = await openTwo(t);
    const text = async (/** @type {object} */ more) => {
        const body = { messages, max_tokens: 8, temperature: 0, ...more };
        const { choices } = await local.chat.completions.create(body);
        return choices[0];
    };
    const plain = (await text({}))?.message.content ?? "";
    const forced = await text({ logit_bias: { 72: 100 }, max_tokens: 3 });
    assert.equal(new Set(forced?.message.content).size, 1);
    const banned = await text({
        logit_bias: { 72: 20 },
        frequency_penalty: 2,
        presence_penalty: 2,
        max_tokens: 64,
    });
    assert.ok(new Set(banned?.message.content).size > 1);
    const stop = [...plain][2] ?? "";
    const stopped = await text({ stop });
    assert.equal(stopped?.finish_reason, "stop");
    assert.equal(stopped?.message.content, plain.slice(0, plain.indexOf(stop)));
});

test("completions: texts, tokens, several prompts, columns", async (t) => {
    const { client, model } = await openTwo(t);
    const body = { model: "tiny", temperature: 0, max_tokens: 5, logprobs: 1 };
    const prompts = ["the cat", "a dog"];
    const both = await client.completions.create({ ...body, prompt: prompts });
    assert.deepEqual(
        both.choices.map(({ index }) => index),
        [0, 1],
    );
    const tokens = [...(await model.tokenize("the cat"))];
    const one = await client.completions.create({ ...body, prompt: tokens });
    const [choice] = one.choices;
    assert.equal(choice?.text, both.choices[0]?.text);
    const { text_offset: offsets, tokens: texts } = choice?.logprobs ?? {};
    assert.equal(texts?.length, 5);
    assert.equal(offsets?.[2], (texts?.[0] + "" + texts?.[1]).length);
    const stream = await client.completions.create({
        ...{ ...body, prompt: tokens, stream: true },
    });
    const chunks = await collect(stream);
    const text = chunks.map(({ choices }) => choices[0]?.text ?? "").join("");
    assert.equal(text, choice?.text);
    assert.equal(chunks.at(-1)?.choices[0]?.finish_reason, "length");
});

test("a conversation that goes on is not evaluated again", async (t) => {
    const { local } = await openTwo(t, { sessions: 2 });
    const ask = async (/** @type {any[]} */ all) => {
        const body = { messages: all, max_tokens: 6, temperature: 0 };
        const { choices, usage } = await local.chat.completions.create(body);
        const { prompt_tokens, prompt_tokens_details } = usage;
        return {
            content: choices[0]?.message.content ?? "",
            prompt: prompt_tokens,
            cached: prompt_tokens_details.cached_tokens,
        };
    };
    const open = (/** @type {string} */ content) => [{ role: "user", content }];
    const a = open("first words of one conversation");
    const b = open("other words of another");
    const answers = [await ask(a), await ask(b)];
    for (const [i, talk] of [a, b].entries()) {
        const before = answers[i] ?? (await ask([]));
        const { content } = before;
        talk.push({ role: "assistant", content }, ...open("and then?"));
        const { cached, prompt } = await ask(talk);
        assert.ok(cached >= before.prompt, `${cached} of ${prompt}`);
    }
});

test("requests wait for a session, leave the queue, or find it full", async (t) => {
    const { local } = await openTwo(t, { sessions: 1, queue: 1 });
    const body = { messages, max_tokens: 400, temperature: 0 };
    const leaving = new AbortController();
    const create = local.chat.completions.create;
    const stream = await create({ ...body, stream: true });
    const chunks = stream[Symbol.asyncIterator]();
    await chunks.next();
    const waiting = create(body, { signal: leaving.signal });
    waiting.catch(() => {});
    await new Promise((resolve) => setTimeout(resolve, 100));
    await assert.rejects(create(body), (/** @type {OpenAIError} */ error) => {
        assert.equal(error.status, 429);
        assert.equal(error.code, "rate_limit_exceeded");
        return true;
    });
    leaving.abort();
    await assert.rejects(waiting, { name: "AbortError" });
    const next = create({ ...body, max_tokens: 2 });
    await chunks.return?.();
    assert.equal((await next).usage.completion_tokens, 2);
});

test("the client's abort ends a stream and frees the session", async (t) => {
    const { client } = await openTwo(t, { sessions: 1 });
    const body = { model: "tiny", messages, temperature: 0 };
    const stream = await client.chat.completions.create({
        ...{ ...body, max_tokens: 2000, stream: true },
    });
    let chunks = 0;
    for await (const _ of stream) if (++chunks === 3) stream.controller.abort();
    assert.ok(chunks < 50, `${chunks} chunks after the abort`);
    const left = await client.chat.completions.create({
        ...{ ...body, max_tokens: 2000, stream: true },
    });
    for await (const _ of left) break;
    const after = await client.chat.completions.create({
        ...{ ...body, max_tokens: 2 },
    });
    assert.equal(after.usage?.completion_tokens, 2);
});

test("what is not offered is refused in OpenAI's shape", async (t) => {
    const { client, local } = await openTwo(t);
    const image = { type: "image_url", image_url: { url: "data:," } };
    const json = { type: "json_object" };
    const tools = [{ type: "function", function: { name: "f" } }];
    /** @type {[object, string, number?][]} */
    const cases = [
        [{ tools }, "tools"],
        [{ response_format: json }, "response_format"],
        [{ modalities: ["text", "audio"] }, "modalities"],
        [{ audio: { voice: "x" } }, "audio"],
        [{ temprature: 1 }, "temprature"],
        [{ messages: [] }, "messages"],
        [
            { messages: [{ role: "user", content: [image] }] },
            "messages[0].content[0]",
        ],
        [{ messages: [{ role: "tool", content: "" }] }, "messages[0].role"],
        [{ messages: 7 }, "messages"],
        [{ temperature: 3 }, "temperature"],
        [{ max_tokens: 0 }, "max_tokens"],
        [{ top_logprobs: 3 }, "top_logprobs"],
        [{ n: 1.5 }, "n"],
        [{ logit_bias: { x: 1 } }, "logit_bias"],
        [{ stop: [""] }, "stop"],
        [{ stream_options: { include_usage: true } }, "stream_options"],
        [{ model: "gpt-9" }, "model", 404],
    ];
    for (const [more, param, status = 400] of cases) {
        const body = { model: "tiny", messages, max_tokens: 1, ...more };
        /** @type {any} */
        const any = body;
        for (const create of [
            () => client.chat.completions.create(any),
            () => local.chat.completions.create(any),
        ])
            await assert.rejects(create, (/** @type {any} */ error) => {
                assert.equal(error.status, status, param);
                assert.equal(error.param, param);
                assert.equal(error.type, "invalid_request_error");
                return true;
            });
    }
    const long = [{ role: "user", content: "x".repeat(5000) }];
    await assert.rejects(
        local.chat.completions.create(/** @type {any} */ ({ messages: long })),
        { status: 400, code: "context_length_exceeded" },
    );
    for (const key of ["suffix", "echo", "best_of"]) {
        /** @type {any} */
        const body = {
            model: "tiny",
            prompt: "x",
            [key]: key === "best_of" ? 2 : "y",
        };
        await assert.rejects(client.completions.create(body), {
            ...{ status: 400, param: key },
        });
    }
    await assert.rejects(
        client.embeddings.create({ model: "tiny", input: "x" }),
        {
            status: 404,
        },
    );
    // What says nothing, says nothing.
    await client.chat.completions.create({
        ...{ model: "tiny", messages, max_tokens: 1, n: null, store: false },
        ...{
            user: "me",
            response_format: { type: "text" },
            tool_choice: "none",
        },
    });
});

test("models, and what is no request", async (t) => {
    const { client, local } = await openTwo(t);
    const { data } = await client.models.list();
    assert.deepEqual(
        data.map(({ id }) => id),
        ["tiny"],
    );
    assert.equal((await client.models.retrieve("tiny")).object, "model");
    await assert.rejects(client.models.retrieve("other"), { status: 404 });
    const url = "http://x/v1/chat/completions";
    const torn = await local.fetch(url, { method: "POST", body: "{" });
    assert.equal(torn.status, 400);
    assert.match((await torn.json()).error.message, /not JSON/);
    assert.equal((await local.fetch(url)).status, 405);
});

describe("with the default model", { skip: withoutRealModel }, () => {
    /** @type {import("pipit").Model} */
    let model;
    before(async () => {
        model = await loadModel(realModel, { threads: 2 });
    });
    test("a conversation by the client, the second turn from the cache", async (t) => {
        t.after(() => model.close());
        const local = createOpenAI(model, { name: "small" });
        const client = new OpenAI({
            ...{ apiKey: "x", baseURL: "http://x/v1", fetch: local.fetch },
        });
        const chat = await model.createChat();
        const question = "What is the capital of France?";
        const own = (await collect(chat.send(question))).join("");
        /** @type {import("openai").OpenAI.ChatCompletionMessageParam[]} */
        const talk = [{ role: "user", content: question }];
        const body = { model: "small", temperature: 0, messages: talk };
        const first = await client.chat.completions.create(body);
        const [choice] = first.choices;
        assert.equal(choice?.message.content, own);
        assert.match(own, /Paris/);
        assert.equal(choice?.finish_reason, "stop");
        const { content } = choice?.message ?? {};
        talk.push({ role: "assistant", content: content ?? "" });
        talk.push({ role: "user", content: "And of Italy?" });
        const second = await client.chat.completions.create({
            ...{ ...body, max_tokens: 20 },
        });
        const before = first.usage?.total_tokens ?? 0;
        const cached = second.usage?.prompt_tokens_details?.cached_tokens ?? 0;
        // All but the token that ended the turn, which was never evaluated.
        assert.equal(cached, before - 1);
    });
});
