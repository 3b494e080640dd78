// What the openai client is asked to do in a page or in a worker.
import { OpenAI } from "./openai-client.js";
import { loadModel } from "./pipit/index.js";
import { createOpenAI } from "./pipit/openai.js";

/** @param {any} model */
function open(model) {
    const local = createOpenAI(model, { name: "tiny", sessions: 1, queue: 0 });
    const client = new OpenAI({
        ...{ apiKey: "x", baseURL: "https://nowhere.invalid/v1" },
        ...{ fetch: local.fetch, dangerouslyAllowBrowser: true, maxRetries: 0 },
    });
    return { local, client };
}

/** @param {{ models: string }} options */
export async function converse({ models }) {
    const model = await loadModel(`${models}tiny.gguf`);
    const { local, client } = open(model);
    /** @type {any[]} */
    const messages = [{ role: "user", content: "hello" }];
    const body = { model: "tiny", messages, temperature: 0, max_tokens: 8 };
    const list = await client.models.list();
    const whole = await client.chat.completions.create(body);
    const text = whole.choices[0]?.message.content;
    let streamed = "";
    for await (const { choices } of await client.chat.completions.create({
        ...{ ...body, stream: true },
    }))
        streamed += choices[0]?.delta.content ?? "";
    const next = await client.chat.completions.create({
        ...body,
        messages: [
            ...messages,
            { role: "assistant", content: text },
            { role: "user", content: "and?" },
        ],
    });
    const two = await client.chat.completions.create({
        ...{ ...body, n: 2, temperature: 1, seed: 3 },
    });
    const completion = await client.completions.create({
        ...{ model: "tiny", prompt: "the", max_tokens: 3 },
    });
    const refused = await client.chat.completions
        .create({
            ...body,
            tools: [{ type: "function", function: { name: "f" } }],
        })
        .catch((/** @type {any} */ error) => ({
            ...{ status: error.status, param: error.param, type: error.type },
            isBadRequest: error instanceof OpenAI.BadRequestError,
        }));
    const torn = await local.fetch("https://x/v1/chat/completions", {
        ...{ method: "POST", body: "{" },
    });
    await local.close();
    await model.close();

    const longModel = await loadModel(`${models}endless.gguf`);
    const long = open(longModel);
    const stream = await long.client.chat.completions.create({
        ...{ ...body, max_tokens: 4000, stream: true },
    });
    let chunks = 0;
    for await (const _ of stream) if (++chunks === 3) stream.controller.abort();
    // The session is free again: nothing may wait here.
    const ending = new AbortController();
    const asked = long.client.chat.completions.create(
        { ...body, max_tokens: 4000 },
        { signal: ending.signal },
    );
    setTimeout(() => ending.abort(), 50);
    const aborted = await asked.then(
        () => "it ended",
        (/** @type {any} */ error) =>
            error instanceof OpenAI.APIUserAbortError
                ? "APIUserAbortError"
                : String(error),
    );
    const last = await untilFree(() =>
        long.client.chat.completions.create({ ...body, max_tokens: 2 }),
    );
    await long.local.close();
    await longModel.close();
    return {
        ...{ text, streamed, refused, chunks, aborted, torn: torn.status },
        models: list.data.map(({ id }) => id),
        choices: two.choices.length,
        completed: completion.usage?.completion_tokens,
        cached: next.usage?.prompt_tokens_details?.cached_tokens,
        prompt: next.usage?.prompt_tokens,
        after: last.usage?.completion_tokens,
    };
}

/** An abort is told at once, the session is free a moment later.
 * @template T @param {() => Promise<T>} work @returns {Promise<T>} */
async function untilFree(work) {
    for (;;) {
        try {
            return await work();
        } catch (error) {
            if (/** @type {any} */ (error).status !== 429) throw error;
            await new Promise((go) => setTimeout(go, 10));
        }
    }
}
