// Evaluation: what is judged, and that shared beginnings and expected answers
// read in one pass change no bit.
import assert from "node:assert/strict";
import { test } from "node:test";
import { evaluate, evaluationTable } from "pipit/evaluate";
import { collect, openTiny, rejects } from "./support.mjs";

const trains = { threads: 1, training: true };
const system = { role: "system", content: "the mouse and the house" };
const chat = (
    /** @type {string} */ question,
    /** @type {string} */ answer,
) => ({
    messages: [
        system,
        { role: "user", content: question },
        { role: "assistant", content: answer },
    ],
});
const examples = [
    chat("hello", '{"a": 1, "b": true}'),
    chat("cat", '{"a": 2, "b": true}'),
    chat("mouse", '{"a": 1, "b": false}'),
    chat("well", '{"a": 2, "b": false}'),
];

/** A tiny model and an adapter that knows the first three. */
async function taught(/** @type {import("node:test").TestContext} */ t) {
    const model = await openTiny(t, { type: "Q4_0", context: 1024 }, trains);
    const trained = await model.trainAdapter(examples.slice(0, 3), {
        ...{ rank: 8, batchSize: 3, learningRate: 0.02, epochs: 60 },
    });
    assert.equal(trained.finishReason, "done", trained.message);
    return { model, adapter: await trained.load() };
}

test("base and adapter side by side; every answer is what generate says", async (t) => {
    const { model, adapter } = await taught(t);
    /** @type {string[]} */
    const told = [];
    const { candidates, metric } = await model.evaluate(examples, {
        metric: "json",
        candidates: [
            { name: "base" },
            { name: "taught", adapters: [{ adapter }] },
        ],
        onProgress: ({ name, done, total, secondsLeft }) => {
            assert.ok(secondsLeft >= 0);
            told.push(`${name} ${done}/${total}`);
        },
    });
    assert.deepEqual(told.slice(3, 5), ["base 4/8", "taught 5/8"]);
    assert.equal(metric, "json");
    const [base, after] = candidates;
    assert.ok(base && after);
    assert.equal(base.accuracy, 0);
    assert.equal(after.accuracy, 0.75);
    assert.deepEqual(base.fields, { a: 0, b: 0 });
    assert.ok(after.fields && after.fields.a >= 0.75 && after.fields.b >= 0.75);
    assert.deepEqual(
        after.wrong.map(({ index }) => index),
        [3],
    );
    assert.ok(after.loss < base.loss / 2);
    assert.ok(Math.abs(Math.log(after.perplexity) - after.loss) < 1e-9);

    for (const [candidate, adapters] of /** @type {const} */ ([
        [base, []],
        [after, [{ adapter }]],
    ]))
        for (const [i, { messages }] of examples.entries()) {
            const session = await model.createSession({ adapters });
            const { tokens } = await model.applyChatTemplate(
                messages.slice(0, -1),
            );
            const sampled = await collect(
                session.generate({ tokens, maxTokens: 28, temperature: 0 }),
            );
            const said = sampled.map(({ text }) => text).join("");
            const { answer, expected, finished, loss } =
                candidate.examples[i] ?? {};
            // What can't be right any more is not finished.
            assert.equal(
                answer,
                finished ? said : said.slice(0, answer?.length),
            );
            assert.equal(expected, messages[2]?.content);
            await session.rewind(0);
            await session.eval(tokens);
            const rest = await model.tokenize(
                `${messages[2]?.content}<|im_end|>`,
                { addSpecial: false, parseSpecial: true },
            );
            const { logprobs } = await session.score(rest);
            const sum = logprobs.reduce((a, b) => a - b, 0) / rest.length;
            assert.ok(Math.abs(sum - (loss ?? 0)) < 1e-6);
            await session.close();
        }
    const table = evaluationTable({ metric, candidates });
    assert.match(table, /^ +base +taught$/m);
    assert.match(table, /^right \(json\) +0\.0 % +75\.0 %$/m);
});

test("sampled answers, stop strings, no answers at all", async (t) => {
    const { model, adapter } = await taught(t);
    const adapters = [{ adapter }];
    const { candidates: stopped } = await evaluate(model, examples, {
        ...{ adapters, metric: "contains" },
        generate: { stop: "}" },
    });
    assert.equal(stopped[0]?.name, "adapted");
    assert.equal(stopped[0]?.accuracy, 0);
    assert.equal(stopped[0]?.examples[0]?.answer, '{"a": 1, "b": true');
    const { candidates: scored } = await evaluate(model, examples, {
        generate: false,
    });
    assert.ok(Number.isNaN(scored[0]?.accuracy));
    assert.ok((scored[0]?.loss ?? 0) > 0);
    assert.equal(scored[0]?.wrong.length, 0);
    const { candidates: cut } = await evaluate(model, examples, {
        ...{ adapters, generate: { maxTokens: 4 } },
    });
    const tokens = await model.tokenize(cut[0]?.examples[0]?.answer ?? "");
    assert.equal(tokens.length, 4);
});

test("metrics", async (t) => {
    const { model, adapter } = await taught(t);
    const adapters = [{ adapter }];
    const run = (/** @type {any} */ metric, list = examples) =>
        evaluate(model, list, { adapters, metric });
    assert.equal((await run("exact")).candidates[0]?.accuracy, 0.75);
    const spaced = [chat("hello", ' { "b": true, "a": 1 } ')];
    assert.equal((await run("exact", spaced)).candidates[0]?.accuracy, 0);
    assert.equal((await run("json", spaced)).candidates[0]?.accuracy, 1);
    const part = [chat("hello", '"b": true')];
    assert.equal((await run("contains", part)).candidates[0]?.accuracy, 1);
    const half = await run(
        (
            /** @type {string} */ answer,
            /** @type {string} */ expected,
            /** @type {any} */ { messages },
        ) => (messages.length === 3 && answer === expected ? 0.5 : 0),
    );
    assert.equal(half.candidates[0]?.accuracy, 0.375);
    assert.equal(half.metric, "function");
    const words = [...examples, chat("hello", "no json")];
    const error = await rejects(
        run("json", words),
        "invalid-argument",
        /line 5/,
    );
    assert.equal(error.details.line, 5);
    await rejects(run("nearly"), "invalid-argument", /metric/);
    await rejects(
        run(() => 7),
        "invalid-argument",
        /0 to 1/,
    );
    await rejects(evaluate(model, []), "invalid-argument");
    await rejects(
        evaluate(model, [{ messages: [system] }]),
        "invalid-argument",
        /line 1/,
    );
});

test("another model beside; a signal ends it and the model goes on", async (t) => {
    const model = await openTiny(t, { context: 1024 });
    const other = await openTiny(t, { context: 1024, seed: 9 });
    const { candidates } = await model.evaluate(examples, {
        candidates: [{ name: "one" }, { name: "other", model: other }],
    });
    assert.notEqual(candidates[0]?.loss, candidates[1]?.loss);
    const controller = new AbortController();
    const running = model.evaluate(examples, {
        signal: controller.signal,
        onProgress: () => controller.abort(),
    });
    await rejects(running, "aborted");
    const again = await model.evaluate(examples);
    assert.deepEqual(again.candidates[0]?.examples, candidates[0]?.examples);
});
