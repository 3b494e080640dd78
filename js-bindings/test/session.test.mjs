// Sessions: what they hold, what they compute, how they answer.
import assert from "node:assert/strict";
import { test } from "node:test";
import { collect, openTiny, rejects, someTokens } from "./support.mjs";

test("pieces, sync and rewind give the same logits", async (t) => {
    const model = await openTiny(t, { type: "Q4_0" });
    const tokens = someTokens(100);
    const whole = await model.createSession();
    await whole.eval(tokens);
    const expected = await whole.logits();
    assert.equal(whole.length, 100);
    await whole.close();
    const pieces = await model.createSession();
    for (let at = 0; at < 100; at += 7)
        await pieces.eval(tokens.subarray(at, at + 7));
    assert.deepEqual(await pieces.logits(), expected);
    await pieces.rewind(40);
    assert.equal(pieces.length, 40);
    await rejects(pieces.logits(), "invalid-state");
    await pieces.eval([1, 2, 3]);
    assert.deepEqual(await pieces.sync(tokens), { kept: 40 });
    assert.deepEqual(await pieces.logits(), expected);
    assert.deepEqual(await pieces.tokens(), tokens);
    // Nothing is new; without logits, the last token is evaluated for them.
    assert.deepEqual(await pieces.sync(tokens), { kept: 100 });
    await pieces.rewind(100);
    assert.deepEqual(await pieces.sync(tokens), { kept: 99 });
    assert.deepEqual(await pieces.logits(), expected);
});

test("a session begins where another of the model already is", async (t) => {
    const model = await openTiny(t, { type: "Q4_0" });
    const first = await model.createSession();
    const tokens = someTokens(100);
    await first.eval(tokens);
    const expected = await first.logits();
    const other = await model.createSession({ contextLength: 200 });
    assert.deepEqual(await other.sync(tokens), { kept: 99 });
    assert.deepEqual(await other.logits(), expected);
    // What is closed or of another kind can't be copied from.
    const exact = await model.createSession({ kvType: "f32" });
    assert.deepEqual(await exact.sync(tokens), { kept: 0 });
    await Promise.all([first.close(), other.close()]);
    const fresh = await model.createSession();
    assert.deepEqual(await fresh.sync(tokens), { kept: 0 });
    assert.deepEqual(await fresh.logits(), expected);
});

test("an answer is the same without drafts", async (t) => {
    const model = await openTiny(t, { type: "Q4_0" });
    const words = Array.from({ length: 90 }, (_, i) => 260 + (i % 9));
    for (const temperature of [0, 0.4]) {
        const answers = [];
        for (const promptLookup of [true, false]) {
            const session = await model.createSession();
            const options = {
                ...{ tokens: words, maxTokens: 120, temperature, seed: 5 },
                ...{ ignoreEndOfGeneration: true, logprobs: 2, promptLookup },
            };
            answers.push(await collect(session.generate(options)));
            assert.equal(session.length, 90 + 119);
            await session.close();
        }
        assert.deepEqual(answers[0], answers[1]);
    }
});

test("the logits of every position", async (t) => {
    const model = await openTiny(t);
    const tokens = someTokens(9);
    const all = await model.createSession();
    await all.eval(tokens, { allLogits: true });
    const rows = await all.allLogits();
    assert.equal(rows.length, 9 * model.vocabularySize);
    const step = await model.createSession();
    for (let i = 0; i < 9; i++) {
        await step.eval([tokens[i]]);
        const row = await step.logits();
        assert.deepEqual(await all.logits(i), row, `position ${i}`);
        const at = i * row.length;
        assert.deepEqual(rows.slice(at, at + row.length), row);
    }
    assert.deepEqual(await all.logits(), await step.logits());
    await rejects(all.logits(9), "invalid-argument");
});

test("scores are the logarithms of the softmax", async (t) => {
    const model = await openTiny(t);
    const tokens = someTokens(150);
    const session = await model.createSession();
    await session.eval(tokens.subarray(0, 10));
    const { logprobs, best } = await session.score(tokens.subarray(10), {
        best: 3,
    });
    assert.equal(session.length, 150);
    assert.equal(logprobs.length, 140);
    const other = await model.createSession();
    for (const i of [10, 73, 74, 75, 149]) {
        await other.sync(tokens.subarray(0, i));
        const logits = Float64Array.from(await other.logits());
        const most = Math.max(...logits);
        const sum = logits.reduce((s, x) => s + Math.exp(x - most), 0);
        const exact = logits[tokens[i]] - most - Math.log(sum);
        assert.ok(Math.abs(logprobs[i - 10] - exact) < 1e-5, `token ${i}`);
        const list = best?.[i - 10] ?? [];
        assert.equal(list.length, 3);
        assert.equal(list[0].token, logits.indexOf(most));
        assert.ok(list[0].logprob >= list[1].logprob);
    }
    const fresh = await model.createSession();
    const scored = await fresh.score(tokens.subarray(0, 2));
    assert.ok(Number.isNaN(scored.logprobs[0]) && scored.logprobs[1] < 0);
});

test("greedy answers are the best tokens, one after the other", async (t) => {
    const model = await openTiny(t);
    const session = await model.createSession();
    const prompt = someTokens(5);
    const answer = await collect(
        session.generate({ tokens: prompt, maxTokens: 20, logprobs: 2 }),
    );
    assert.equal(answer.length, 20);
    assert.deepEqual(
        answer.map((item) => item.finishReason),
        [...Array(19).fill(undefined), "length"],
    );
    const other = await model.createSession();
    await other.eval(prompt);
    for (const { token, logprob, logprobs } of answer) {
        const logits = await other.logits();
        assert.equal(token, logits.indexOf(Math.max(...logits)));
        assert.equal(logprobs?.length, 2);
        assert.equal(logprobs?.[0].token, token);
        assert.equal(logprobs?.[0].logprob, logprob);
        await other.eval([token]);
    }
    const text = answer.map((item) => item.text).join("");
    const tokens = answer.map((item) => item.token);
    assert.equal(text, await model.detokenize(tokens, { keepControl: false }));
});

test("after an answer all but its last token are held", async (t) => {
    const model = await openTiny(t);
    const prompt = someTokens(6);
    const on = { ignoreEndOfGeneration: true };
    const straight = await model.createSession();
    const whole = await collect(
        straight.generate({ tokens: prompt, maxTokens: 30, ...on }),
    );
    assert.equal(straight.length, 6 + 29);
    for (const taken of [1, 2, 5, 13, 29]) {
        const session = await model.createSession();
        const tokens = [];
        for await (const item of session.generate({ tokens: prompt, ...on })) {
            tokens.push(item.token);
            if (tokens.length === taken) break;
        }
        assert.equal(session.length, 6 + taken - 1, `left after ${taken}`);
        assert.deepEqual(
            [...(await session.tokens())],
            [...prompt, ...tokens.slice(0, -1)],
        );
        const rest = await collect(
            session.generate({
                tokens: tokens.slice(-1),
                maxTokens: 30 - taken,
                ...on,
            }),
        );
        assert.deepEqual(
            [...tokens, ...rest.map((item) => item.token)],
            whole.map((item) => item.token),
        );
        await session.close();
    }
});

test("finish reasons", async (t) => {
    const model = await openTiny(t, { context: 64 });
    const { eos = 0 } = model.specialTokens;
    const tokens = someTokens(4);
    const finish = async (/** @type {import("pipit").GenerateOptions} */ o) => {
        const session = await model.createSession();
        const answer = await collect(session.generate({ tokens, ...o }));
        await session.close();
        return answer;
    };
    const end = await finish({ logitBias: { [eos]: 1000 } });
    assert.equal(end.length, 1);
    assert.deepEqual([end[0].token, end[0].finishReason], [eos, "end"]);
    const on = await finish({
        logitBias: new Map([[eos, 1000]]),
        ignoreEndOfGeneration: true,
        maxTokens: 3,
    });
    assert.equal(on.at(-1)?.finishReason, "length");
    const full = await finish({});
    assert.equal(full.at(-1)?.finishReason, "context");
    assert.equal(full.length, 64 - 4 + 1);
    const text = full.map((item) => item.text).join("");
    const middle = text.slice(10, 14);
    const stopped = await finish({ stop: ["never this", middle] });
    assert.equal(stopped.at(-1)?.finishReason, "stop");
    assert.equal(
        stopped.map((item) => item.text).join(""),
        text.slice(0, text.indexOf(middle)),
    );
    const banned = await finish({
        logitBias: { [full[0].token]: -Infinity },
        maxTokens: 1,
    });
    assert.notEqual(banned[0].token, full[0].token);
});

test("text streams in whole characters", async (t) => {
    const model = await openTiny(t, { seed: 5 });
    const session = await model.createSession();
    const answer = await collect(
        session.generate({
            prompt: "cat",
            temperature: 2,
            seed: 3,
            maxTokens: 400,
        }),
    );
    const tokens = answer.map((item) => item.token);
    const options = { keepControl: false };
    const bytes = await model.detokenizeBytes(tokens, options);
    assert.ok(
        bytes.some((byte) => byte >= 0x80),
        "halves of characters",
    );
    const text = answer.map((item) => item.text).join("");
    assert.equal(text, new TextDecoder().decode(bytes));
    for (const item of answer) assert.ok(item.text.isWellFormed?.() ?? true);
});

test("a seed decides", async (t) => {
    const model = await openTiny(t);
    const run = async (/** @type {number | bigint | undefined} */ seed) => {
        const session = await model.createSession();
        const answer = await collect(
            session.generate({
                prompt: "mouse",
                temperature: 1,
                topK: 50,
                topP: 0.95,
                minP: 0.01,
                repetitionPenalty: 1.1,
                presencePenalty: 0.1,
                frequencyPenalty: 0.1,
                penaltyWindow: 32,
                maxTokens: 40,
                seed,
            }),
        );
        await session.close();
        return answer.map((item) => item.token).join();
    };
    assert.equal(await run(7), await run(7n));
    assert.notEqual(await run(7), await run(8));
    assert.notEqual(await run(undefined), await run(undefined));
});

test("sessions share the engine and don't disturb each other", async (t) => {
    const model = await openTiny(t, { type: "Q8_0" }, { threads: 2 });
    const answers = async (/** @type {number} */ n) => {
        const session = await model.createSession();
        const items = await collect(
            session.generate({ tokens: someTokens(n), maxTokens: 60 }),
        );
        await session.close();
        return items.map((item) => item.token).join();
    };
    const alone = [];
    for (let n = 1; n <= 6; n++) alone.push(await answers(n));
    const together = await Promise.all([1, 2, 3, 4, 5, 6].map(answers));
    assert.deepEqual(together, alone);
});

test("a long prompt does not starve others", async (t) => {
    const model = await openTiny(t, {
        layers: 8,
        embedding: 256,
        context: 2048,
    });
    const long = await model.createSession();
    const short = await model.createSession();
    const longEnd = long.eval(someTokens(1500)).then(() => performance.now());
    const answer = await collect(
        short.generate({ tokens: someTokens(3), maxTokens: 10 }),
    );
    const shortEnd = performance.now();
    assert.equal(answer.length, 10);
    assert.ok(shortEnd < (await longEnd), "the short one was first");
});

test("calls of a session wait for each other", async (t) => {
    const model = await openTiny(t);
    const session = await model.createSession();
    const [, , logits] = await Promise.all([
        session.eval(someTokens(50)),
        session.eval([9]),
        session.logits(),
    ]);
    assert.equal(session.length, 51);
    assert.deepEqual(await session.logits(), logits);
    const answer = session.generate({ maxTokens: 5 });
    await answer.next();
    await rejects(session.eval([1]), "invalid-state");
    await rejects(session.generate().next(), "invalid-state");
    await answer.return();
    await session.eval([1]);
});

test("what does not fit is refused before anything is computed", async (t) => {
    const model = await openTiny(t);
    const session = await model.createSession({ contextLength: 32 });
    assert.equal(session.contextLength, 32);
    await session.eval(someTokens(30));
    const logits = await session.logits();
    const error = await rejects(session.eval([1, 2, 3]), "context-overflow");
    const { tokens, length, contextLength } = error.details;
    assert.deepEqual([tokens, length, contextLength], [3, 30, 32]);
    await rejects(session.sync(someTokens(33)), "context-overflow");
    await rejects(session.eval([290]), "invalid-token");
    await rejects(session.eval([]), "invalid-argument");
    await rejects(session.rewind(31), "invalid-argument");
    assert.equal(session.length, 30);
    assert.deepEqual(await session.logits(), logits);
});

test("wrong options are refused", async (t) => {
    const model = await openTiny(t);
    const session = await model.createSession();
    await session.eval([1]);
    const wrong = [
        { temperature: -1 },
        { temperature: NaN },
        { topP: 2 },
        { minP: -0.1 },
        { topK: 1.5 },
        { maxTokens: 0 },
        { stop: "" },
        { logprobs: 65 },
        { seed: 0.5 },
        { repetitionPenalty: 0 },
        { logitBias: { cat: 1 } },
        { tokens: [1], prompt: "x" },
    ];
    for (const options of wrong) {
        const what = session.generate(/** @type {any} */ (options)).next();
        await rejects(what, "invalid-argument");
    }
    const empty = await model.createSession();
    await rejects(empty.generate().next(), "invalid-state");
    await rejects(empty.generate({ prompt: "" }).next(), "invalid-argument");
    const kvType = /** @type {any} */ ("f64");
    await rejects(model.createSession({ kvType }), "invalid-argument");
    await rejects(
        model.createSession({ contextLength: -1 }),
        "invalid-argument",
    );
});
