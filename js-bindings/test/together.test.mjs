// Sessions of one model that answer at the same time share the model's passes;
// each gets what it gets alone.
import assert from "node:assert/strict";
import { test } from "node:test";
import { loadModel } from "pipit";
import {
    collect,
    openTiny,
    realModel,
    rejects,
    someTokens,
    withoutRealModel,
} from "./support.mjs";

/** What member i asks for: lengths, samplers, caches, drafts differ.
 * @param {number} i */
const wish = (i) => ({
    session: {
        contextLength: 128 + 16 * i,
        kvType: /** @type {const} */ (i % 3 === 2 ? "f32" : "f16"),
    },
    options: {
        tokens:
            i % 2 === 0
                ? Array.from({ length: 40 + i }, (_, k) => 260 + i + (k % 7))
                : someTokens(5 + 13 * i),
        ...{ maxTokens: i === 3 ? undefined : 20 + 7 * i, seed: i },
        ...{ temperature: [0, 0.4, 1.5][i % 3], promptLookup: i !== 4 },
        ...{ ignoreEndOfGeneration: true, logprobs: 2 },
    },
});

/** @param {import("pipit").Model} model @param {number} i */
async function answer(model, i) {
    const session = await model.createSession(wish(i).session);
    const items = await collect(session.generate(wish(i).options));
    const result = { items, tokens: await session.tokens() };
    await session.close();
    return result;
}

for (const threads of [1, 2])
    test(`together is as alone, ${threads} thread(s)`, async (t) => {
        const model = await openTiny(t, { type: "Q4_0" }, { threads });
        const alone = [];
        for (let i = 0; i < 6; i++) alone.push(await answer(model, i));
        assert.equal(alone[3]?.tokens.length, 128 + 16 * 3);
        const together = await Promise.all(
            alone.map((_, i) => answer(model, i)),
        );
        assert.deepEqual(together, alone);
    });

test("one leaves, one is cancelled, one comes later", async (t) => {
    const model = await openTiny(t, { type: "Q4_0" });
    const alone = [];
    for (let i = 0; i < 6; i++) alone.push(await answer(model, i));
    const abort = new AbortController();
    const reason = new Error("enough");
    /** @param {number} i @param {(n: number) => void} [seen] */
    const some = async (i, seen) => {
        const { session: sessionOptions, options } = wish(i);
        const session = await model.createSession(sessionOptions);
        const items = [];
        const signal = i === 0 ? abort.signal : undefined;
        try {
            for await (const item of session.generate({ ...options, signal })) {
                items.push(item);
                seen?.(items.length);
                if (i === 1 && items.length === 9) break;
            }
        } finally {
            assert.deepEqual(items, alone[i]?.items.slice(0, items.length));
        }
        const tokens = await session.tokens();
        return { items, tokens };
    };
    /** @type {Promise<unknown> | undefined} */
    let late;
    const all = await Promise.allSettled([
        some(0, (n) => n === 5 && abort.abort(reason)),
        some(1),
        some(2, (n) => {
            if (n === 10) late = answer(model, 5);
        }),
        some(3),
        some(4),
    ]);
    assert.equal(all[0].status, "rejected");
    for (const i of [2, 3, 4])
        assert.deepEqual(
            all[i],
            { status: "fulfilled", value: alone[i] },
            `member ${i}`,
        );
    const broken = /** @type {any} */ (all[1]).value;
    assert.equal(broken.items.length, 9);
    // What was taken is what is there, or a token less.
    assert.deepEqual(
        broken.tokens,
        alone[1]?.tokens.slice(0, broken.tokens.length),
    );
    assert.deepEqual(await late, alone[5]);
});

test("a closed session and a failing one stop no other", async (t) => {
    const model = await openTiny(t, { type: "Q4_0" });
    const expected = await answer(model, 3);
    const closing = await model.createSession();
    const banned = await model.createSession();
    const nothing = Object.fromEntries(
        Array.from({ length: model.vocabularySize }, (_, i) => [i, -Infinity]),
    );
    const started = closing.generate({ tokens: [270, 271, 272] });
    const first = await started.next();
    assert.equal(first.done, false);
    const rest = collect(started);
    const running = answer(model, 3);
    await Promise.all([
        rejects(rest, "closed"),
        rejects(
            collect(
                banned.generate({ tokens: [270, 271], logitBias: nothing }),
            ),
            "invalid-state",
        ),
        closing.close(),
    ]);
    assert.deepEqual(await running, expected);
});

test("a long prompt beside answers", async (t) => {
    const model = await openTiny(t, { type: "Q4_0" });
    const expected = await Promise.all([answer(model, 2), answer(model, 4)]);
    const reader = await model.createSession({ contextLength: 512 });
    const tokens = someTokens(500);
    await reader.eval(tokens);
    const logits = await reader.logits();
    await reader.rewind(0);
    const [, ...found] = await Promise.all([
        reader.eval(tokens),
        answer(model, 2),
        answer(model, 4),
    ]);
    assert.deepEqual(found, expected);
    assert.deepEqual(await reader.logits(), logits);
});

test("chats of the default model", { skip: withoutRealModel }, async (t) => {
    const model = await loadModel(realModel, { threads: 2 });
    t.after(() => model.close());
    const questions = [
        "What is the capital of France?",
        "Repeat after me: one two three one two three one two three",
        "Write a line about rain.",
    ];
    /** @param {string} question @param {number} i */
    const ask = async (question, i) => {
        const chat = await model.createChat({ contextLength: 512 });
        const options = { maxTokens: 24, temperature: i % 2, seed: 3 };
        const text = (await collect(chat.send(question, options))).join("");
        await chat.close();
        return text;
    };
    const alone = [];
    for (const [i, question] of questions.entries())
        alone.push(await ask(question, i));
    assert.deepEqual(await Promise.all(questions.map(ask)), alone);
});
