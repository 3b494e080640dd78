// Training from the package: examples of each kind, what is refused, a break.
import assert from "node:assert/strict";
import { test } from "node:test";
import { measureTraining, trainAdapter } from "pipit/train";
import { openTiny, rejects, someTokens } from "./support.mjs";

const trains = { threads: 1, training: true };

const examples = Array.from({ length: 7 }, (_, i) => ({
    prompt: someTokens(12 + i),
    completion: someTokens(20 + i).subarray(14),
}));
const options = { rank: 2, batchSize: 3, learningRate: 0.02, maxLength: 64 };

test("the loss falls, and a break changes no bit", async (t) => {
    const model = await openTiny(t, { type: "Q4_0" }, trains);
    /** @type {Uint8Array[]} */
    const checkpoints = [];
    /** @type {number[]} */
    const steps = [];
    const settings = {
        ...options,
        epochs: 4,
        validation: examples.slice(0, 2),
    };
    const whole = await trainAdapter(model, examples, {
        ...settings,
        checkpointEvery: 4,
        onCheckpoint: (bytes) => checkpoints.push(bytes),
        onProgress: ({ step, loss, secondsLeft }) => {
            assert.ok(loss > 0 && secondsLeft >= 0);
            steps.push(step);
        },
    });
    assert.deepEqual(
        steps,
        Array.from({ length: 12 }, (_, i) => i + 1),
    );
    assert.equal(whole.validationLosses.length, 4);
    assert.ok(whole.validationLosses[3] < whole.validationLosses[0]);
    assert.equal(
        whole.memory,
        await measureTraining(model, examples, settings),
    );
    const resumed = await trainAdapter(model, examples, {
        ...settings,
        resume: checkpoints[1],
    });
    const { tokensPerSecond, load } = resumed;
    assert.deepEqual(resumed, {
        ...whole,
        tokensPerSecond,
        load,
        resumedAt: 8,
    });
    const other = { ...settings, resume: checkpoints[0], rank: 3 };
    await rejects(trainAdapter(model, examples, other), "invalid-argument");
});

test("it ends early, with the best epoch, where validation gets worse", async (t) => {
    const model = await openTiny(t, { type: "Q4_0" }, trains);
    const other = examples
        .slice(0, 4)
        .map(({ prompt }) => ({ prompt, completion: " ran over a hill" }));
    const trained = await model.trainAdapter(examples, {
        ...options,
        epochs: 12,
        learningRate: 0.02,
        validation: other,
    });
    assert.equal(trained.finishReason, "early");
    assert.match(trained.message ?? "", /validation examples rose from/);
    const watched = trained.validationLosses;
    const [best, last] = watched.slice(-2);
    assert.ok(watched.length < 12 && best < last, watched.join(" "));
    const adapter = await model.loadAdapter(new Blob([trained.bytes]));
    const { candidates } = await model.evaluate(other, {
        adapters: [{ adapter }],
    });
    const loss = candidates[0]?.loss ?? 0;
    assert.ok(Math.abs(loss - best) < Math.abs(loss - last), `${loss}`);
});

test("what can't be learned is named by its line", async (t) => {
    const model = await openTiny(t, { type: "Q4_0" }, trains);
    const good = examples[0];
    const train = (/** @type {any[]} */ list, more = {}) =>
        trainAdapter(model, list, { ...options, ...more });
    await rejects(train([]), "invalid-argument");
    await rejects(train([good, { prompt: "a" }]), "invalid-argument", /line 2/);
    await rejects(
        train([good, good, { prompt: [1], completion: [] }]),
        "invalid-argument",
        /line 3/,
    );
    const long = { prompt: someTokens(80), completion: [1] };
    await rejects(train([long]), "context-overflow", /line 1/);
    const wild = { prompt: [1], completion: [1e6] };
    await rejects(train([good, wild]), "invalid-token", /line 2/);
    await rejects(train([good], { rank: 1000 }), "invalid-argument", /rank/);
    await rejects(train([good], { resume: new Uint8Array(9) }), "invalid-file");
});

test("an aborted training leaves the model and lets another begin", async (t) => {
    const model = await openTiny(t, { type: "Q4_0" }, trains);
    const controller = new AbortController();
    const stopped = trainAdapter(model, examples, {
        ...options,
        epochs: 50,
        signal: controller.signal,
        onProgress: ({ step }) => {
            if (step === 3) controller.abort();
        },
    });
    await rejects(stopped, "aborted");
    const { losses } = await trainAdapter(model, examples, options);
    assert.equal(losses.length, 3);
});

test("a model that was not loaded for it refuses", async (t) => {
    const model = await openTiny(t, { type: "Q4_0" });
    await rejects(
        trainAdapter(model, [{ prompt: "the cat", completion: " on" }]),
        "unsupported",
        /training: true/,
    );
});
