// What the file says about sampling, and metadata that is read on demand.
import assert from "node:assert/strict";
import { test } from "node:test";
import { inspect, loadTokenizer } from "pipit";
import { collect, openTiny, rejects, tinyModel } from "./support.mjs";

/** @param {import("pipit").Model} model @param {import("pipit").GenerateOptions} [options] */
async function text(model, options = {}) {
    const session = await model.createSession();
    const answer = await collect(
        session.generate({ prompt: "a", maxTokens: 24, seed: 5, ...options }),
    );
    await session.close();
    return answer.map(({ text }) => text).join("");
}

test("the file's sampling holds unless the caller says otherwise", async (t) => {
    const plain = await openTiny(t);
    assert.deepEqual(plain.samplingDefaults, {});
    const own = {
        temperature: 1.25,
        topK: 20,
        topP: 0.875,
        minP: 0.0625,
        repetitionPenalty: 1.5,
        presencePenalty: 0.25,
        frequencyPenalty: 0.125,
        penaltyWindow: 32,
    };
    const model = await openTiny(t, {
        metadata: {
            "general.sampling.temp": own.temperature,
            "general.sampling.top_k": own.topK,
            "general.sampling.top_p": own.topP,
            "general.sampling.min_p": own.minP,
            "general.sampling.penalty_repeat": own.repetitionPenalty,
            "general.sampling.penalty_present": own.presencePenalty,
            "general.sampling.penalty_freq": own.frequencyPenalty,
            "general.sampling.penalty_last_n": own.penaltyWindow,
            "general.sampling.mirostat": 0,
        },
    });
    assert.deepEqual(model.samplingDefaults, own);
    assert.equal(await text(model), await text(plain, own));
    assert.notEqual(await text(model), await text(plain));
    // Each option by itself; undefined is not said.
    const some = { topK: 3, topP: undefined, presencePenalty: 0 };
    const both = { ...own, topK: 3, presencePenalty: 0 };
    assert.equal(await text(model, some), await text(plain, both));
    const greedy = {
        temperature: 0,
        repetitionPenalty: 1,
        presencePenalty: 0,
        frequencyPenalty: 0,
    };
    assert.equal(await text(model, greedy), await text(plain));
    const chat = await model.createChat();
    const again = await plain.createChat();
    const options = { maxTokens: 12, seed: 3 };
    assert.deepEqual(
        await collect(chat.send("a", options)),
        await collect(again.send("a", { ...options, ...own })),
    );
});

test("sampling keys that can't be", async (t) => {
    const odd = await openTiny(t, {
        metadata: {
            "general.sampling.temp": -1.5,
            "general.sampling.penalty_repeat": 1.5,
            "general.sampling.penalty_last_n": 0,
        },
    });
    // The best token, and penalties over no tokens.
    const clamped = { temperature: 0, penaltyWindow: 0 };
    assert.deepEqual(odd.samplingDefaults, clamped);
    const wrong = await openTiny(t, {
        metadata: { "general.sampling.temp": "hot" },
    });
    await rejects(
        text(wrong),
        "invalid-model",
        /sampling.temp is not a number/,
    );
    const wide = await openTiny(t, {
        metadata: { "general.sampling.top_p": 7.5 },
    });
    await rejects(text(wide), "invalid-model", /general.sampling.*topP/);
    await text(wide, { topP: 0.5 });
});

test("long arrays are read when asked for", async (t) => {
    const longs = Array.from({ length: 5000 }, (_, i) => `text ${i} é`);
    const numbers = Array.from({ length: 1500 }, (_, i) => i * 7);
    const metadata = {
        "x.texts": longs,
        "x.numbers": numbers,
        "x.few": [1, 2],
    };
    const file = tinyModel({ metadata });
    const model = await openTiny(t, { metadata });
    const info = await inspect(file);
    const tokenizer = await loadTokenizer(file);
    for (const { metadata } of [model, info, tokenizer]) {
        const texts = /** @type {import("pipit").LongArray} */ (
            metadata["x.texts"]
        );
        assert.equal(texts.length, 5000);
        assert.equal(texts.elementType, "string");
        assert.deepEqual(await texts.values(), longs);
        const many = /** @type {import("pipit").LongArray} */ (
            metadata["x.numbers"]
        );
        assert.deepEqual(await many.values(), numbers);
        assert.deepEqual(metadata["x.few"], [1, 2]);
        assert.ok(JSON.stringify(metadata).length < 20_000);
    }
    const texts = /** @type {import("pipit").LongArray} */ (
        tokenizer.metadata["x.texts"]
    );
    await tokenizer.close();
    await rejects(texts.values(), "closed");
});
