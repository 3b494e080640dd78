// Long work behaves: checkpoints in the store, a killed process, no room, a rate
// that is too high, answers meanwhile, and where an adapter says it is from.
import assert from "node:assert/strict";
import { spawn, spawnSync } from "node:child_process";
import * as fs from "node:fs";
import * as os from "node:os";
import * as path from "node:path";
import { createInterface } from "node:readline";
import { after, test } from "node:test";
import { fileURLToPath } from "node:url";
import { inspect } from "pipit";
import { lossPlot, storage } from "pipit/train";
import { collect, openTiny, program, rejects } from "./support.mjs";

const cache = fs.mkdtempSync(path.join(os.tmpdir(), "pipit-train-"));
process.env.PIPIT_CACHE = cache;
after(() => fs.rmSync(cache, { recursive: true, force: true }));
const trains = { threads: 1, training: true };
const examples = Array.from({ length: 24 }, (_, i) => ({
    prompt: `the cat ${i}`,
    completion: ` on the mouse ${i % 7}`,
}));
const options = { rank: 4, batchSize: 2, learningRate: 0.01, epochs: 2 };

/**
 * Runs the program; kills it at a step.
 * @param {string} out @param {string} threads @param {string} [killAt]
 */
async function run(out, threads, killAt) {
    const file = fileURLToPath(program("train.mjs"));
    const child = spawn(process.execPath, [file, out, threads], {
        env: { ...process.env, PIPIT_CACHE: cache },
        stdio: ["ignore", "pipe", "inherit"],
    });
    /** @type {string[]} */
    const lines = [];
    for await (const line of createInterface(child.stdout)) {
        lines.push(line);
        if (killAt && line.startsWith(`${killAt}/`)) child.kill("SIGKILL");
    }
    return lines;
}

test("a killed process goes on with the same bits", async () => {
    const [one, two] = ["one", "two"].map((name) => path.join(cache, name));
    assert.ok(one && two);
    const whole = await run(one, "1");
    assert.equal(whole.length, 91); // 18 steps in each epoch, and the result
    assert.deepEqual(await storage.list(), []); // done: nothing is kept
    const torn = await run(two, "1", "33");
    assert.ok(torn.length >= 33 && !fs.existsSync(two));
    const [kept] = await storage.list();
    assert.equal(kept?.name, "tiny");
    const resumed = await run(two, "2");
    const { resumedAt, losses } = JSON.parse(resumed.at(-1) ?? "");
    assert.ok(resumedAt >= 25 && resumedAt % 5 === 0, resumedAt);
    assert.equal(resumed[0], `${resumedAt + 1}/90`);
    assert.deepEqual(losses, JSON.parse(whole.at(-1) ?? "").losses);
    assert.ok(fs.readFileSync(one).equals(fs.readFileSync(two)));
    assert.deepEqual(await storage.list(), []);
});

test("an aborted training keeps where it was; another one replaces it", async (t) => {
    const model = await openTiny(t, { type: "Q4_0" }, trains);
    const whole = await model.trainAdapter(examples, options);
    const stop = async (/** @type {number} */ at, more = {}) => {
        const controller = new AbortController();
        const { signal } = controller;
        const running = model.trainAdapter(examples, {
            ...{ ...options, ...more, checkpoint: "mine", signal },
            onProgress: ({ step }) => {
                if (step === at) controller.abort();
            },
        });
        await rejects(running, "aborted");
    };
    await stop(7);
    const { checkpoint, ...rest } = { ...options, checkpoint: "mine" };
    const resumed = await model.trainAdapter(examples, { ...rest, checkpoint });
    assert.equal(resumed.resumedAt, 7);
    assert.deepEqual(resumed.bytes, whole.bytes);

    await stop(3);
    for (const other of [
        { rank: 3 },
        { learningRate: 0.02 },
        { validation: examples.slice(0, 2) },
    ]) {
        const anew = { ...options, ...other, checkpoint };
        assert.equal((await model.trainAdapter(examples, anew)).resumedAt, 0);
        await stop(3);
    }
    const fewer = examples.with(2, { prompt: "the cat 2", completion: " out" });
    const anew = await model.trainAdapter(fewer, { ...options, checkpoint });
    assert.equal(anew.resumedAt, 0);
    await storage.put("mine", new Uint8Array(50));
    const torn = await model.trainAdapter(examples, { ...options, checkpoint });
    assert.deepEqual(torn.bytes, whole.bytes);
    await rejects(
        model.trainAdapter(examples, { ...options, checkpoint: "../up" }),
        "invalid-argument",
    );
});

test("no room for a checkpoint is said before it starts, and on the way", async (t) => {
    const model = await openTiny(t, { type: "Q4_0" }, trains);
    const small = path.join(cache, "small");
    fs.mkdirSync(small);
    const mounted = spawnSync("mount", [
        ...["-t", "tmpfs", "-o", "size=600k", "tmpfs", small],
    ]);
    if (mounted.status !== 0) return t.skip("may not mount a tmpfs");
    process.env.PIPIT_CACHE = small;
    try {
        const settings = { ...options, checkpoint: "c", checkpointEvery: 2 };
        let steps = 0;
        const count = () => void steps++;
        await rejects(
            model.trainAdapter(examples, {
                ...{ ...settings, rank: 32, onProgress: count },
            }),
            "disk-full",
            /needs \d+ bytes/,
        );
        assert.equal(steps, 0);
        await rejects(
            model.trainAdapter(examples, {
                ...settings,
                onProgress({ step }) {
                    // What another program takes meanwhile.
                    if (step !== 5) return;
                    const { bavail, bsize } = fs.statfsSync(small);
                    fs.writeFileSync(
                        path.join(small, "other"),
                        new Uint8Array(bavail * bsize),
                    );
                },
            }),
            "disk-full",
        );
        fs.rmSync(path.join(small, "other"));
        const { resumedAt } = await model.trainAdapter(examples, settings);
        assert.equal(resumedAt, 4); // the last one that had room
    } finally {
        process.env.PIPIT_CACHE = cache;
        spawnSync("umount", [small]);
    }
    return undefined;
});

test("a rate that is too high ends it, and the last good state is kept", async (t) => {
    const model = await openTiny(t, { type: "Q4_0" }, trains);
    const trained = await model.trainAdapter(examples, {
        ...options,
        ...{ learningRate: 30, epochs: 10, warmup: 20, clip: 0 },
    });
    assert.equal(trained.finishReason, "diverged");
    assert.match(trained.message ?? "", /loss .* at step \d+ .*rate 30/);
    assert.ok(trained.losses.length < 120);
    const adapter = await trained.load();
    const { candidates } = await model.evaluate(examples, {
        ...{ adapters: [{ adapter }], generate: false },
    });
    const [first = 0] = trained.losses;
    assert.ok((candidates[0]?.loss ?? Infinity) < 0.8 * first);
});

test("answers meanwhile are the same, and so is what is learned", async (t) => {
    const model = await openTiny(t, { type: "Q4_0", context: 512 }, trains);
    const session = await model.createSession();
    const ask = async () => {
        await session.rewind(0);
        const options = { prompt: "the cat", maxTokens: 30 };
        const said = await collect(session.generate(options));
        return said.map(({ token }) => token);
    };
    const before = await ask();
    const alone = await model.trainAdapter(examples, options);
    let steps = 0;
    const running = model.trainAdapter(examples, {
        ...options,
        onProgress: () => void steps++,
    });
    const meanwhile = await ask();
    const at = steps;
    assert.deepEqual(meanwhile, before);
    // One more would be mixed with the first: it is refused.
    await rejects(model.trainAdapter(examples, options), "invalid-state");
    const { bytes } = await running;
    assert.ok(at < steps, "it did not wait for the end of training");
    assert.deepEqual(bytes, alone.bytes);
    assert.deepEqual(await ask(), before);
});

test("a pause: nothing goes on until it ends", async (t) => {
    const model = await openTiny(t, { type: "Q4_0" }, trains);
    let steps = 0;
    const pause = Promise.withResolvers
        ? Promise.withResolvers()
        : (() => {
              let resolve = () => {};
              const promise = new Promise((done) => {
                  resolve = () => done(undefined);
              });
              return { promise, resolve };
          })();
    const running = model.trainAdapter(examples, {
        ...options,
        onProgress: ({ step }) => {
            steps = step;
            return step === 4 ? pause.promise : undefined;
        },
    });
    while (steps < 4) await new Promise((done) => setTimeout(done, 5));
    await new Promise((done) => setTimeout(done, 100));
    assert.equal(steps, 4);
    pause.resolve(undefined);
    assert.equal((await running).losses.length, 24);
});

test("the file says where it is from", async (t) => {
    const model = await openTiny(t, { type: "Q4_0" }, trains);
    const trained = await model.trainAdapter(examples, {
        ...options,
        ...{
            validation: 0.25,
            notes: { job: "cats" },
            baseSha256: "ab".repeat(32),
        },
    });
    const { metadata } = await inspect(trained.bytes);
    const said = (/** @type {string} */ key) => metadata[`pipit.${key}`];
    assert.equal(metadata["general.type"], "adapter");
    assert.equal(said("base.sha256"), "ab".repeat(32));
    assert.equal(said("training.examples"), "18");
    assert.equal(said("training.validation"), "6");
    assert.equal(said("training.job"), "cats");
    assert.match(String(said("training.data")), /^[0-9a-f]{16}$/);
    const { rank, learningRate, targets } = JSON.parse(
        String(said("training.options")),
    );
    assert.deepEqual([rank, learningRate, targets.length], [4, 0.01, 7]);
    assert.ok(said("base.fingerprint") !== undefined);
    const other = await openTiny(t, { type: "Q4_0", seed: 5 });
    await rejects(other.loadAdapter(trained.bytes), "invalid-model");
});

test("the plot is a picture of what it was given", () => {
    const svg = lossPlot([3, 2, NaN, 1], {
        ...{ title: "<Loss>", steps: 8, stepsPerEpoch: 4 },
        validationLosses: [1.5],
    });
    assert.match(svg, /^<svg[^>]*viewBox/);
    assert.equal(svg.match(/<circle/g)?.length, 3);
    assert.equal(svg.match(/<rect/g)?.length, 1);
    assert.match(svg, /&lt;Loss&gt;/);
    assert.doesNotMatch(svg, /NaN/);
});
