// Training against a float32 program in JAX: gradients of the first steps, the
// loss curve from the same first values in the same order, and that a break or
// another number of threads changes no bit. With PIPIT_LONG=1 the whole first
// epoch, some minutes, and what it has learned.
import assert from "node:assert/strict";
import * as fs from "node:fs";
import { after, before, describe, test } from "node:test";
import { loadModel } from "pipit";
import { evaluate } from "pipit/evaluate";
import { trainAdapter } from "pipit/train";
import {
    hashOf,
    peerdata,
    pulledModel,
    readJson,
    skipWithout,
} from "./reference.mjs";

const BATCH = 4;
const RATE = 1e-3;
const LONG = process.env.PIPIT_LONG === "1";
/** Of the first epoch's 50. */
const STEPS = LONG ? 50 : 10;
const UPDATE = 2;

const file = pulledModel("smollm2-135m-instruct-q4_1");
const skip =
    skipWithout("lora") || (file === undefined && "SmolLM2 is not pulled");

/** The reference's options; one row too many is allowed for. */
const options = (/** @type {boolean} */ precise) => [
    ...[8, 16, 127, 104, 416, precise ? 1 : 0, 0],
    ...[0.9, 0.999, 1e-8, 0, 0],
];

/** @typedef {{ prompt: number[], answer: number[] }} Ticket */
function batchOf(/** @type {Ticket[]} */ tickets) {
    return {
        tokens: Uint32Array.from(
            tickets.flatMap((t) => [...t.prompt, ...t.answer]),
        ),
        isAnswer: Uint8Array.from(
            tickets.flatMap((t) => [
                ...t.prompt.map(() => 0),
                ...t.answer.map(() => 1),
            ]),
        ),
        lengths: Uint32Array.from(
            tickets,
            (t) => t.prompt.length + t.answer.length,
        ),
    };
}

const mean = (/** @type {number[]} */ list) =>
    list.reduce((a, b) => a + b, 0) / list.length;

describe("training against JAX", { skip }, () => {
    /** @type {any} the worker's calls are no part of the API */
    let model;
    const data = skip ? {} : readJson(peerdata("lora", "tickets.json"));
    const log = skip ? {} : readJson(peerdata("lora", "log.json"));
    before(async () => {
        model = await loadModel(/** @type {string} */ (file), {
            threads: 2,
            training: true,
        });
    });
    after(() => model?.close());

    /** Losses and norms of so many steps from init.gguf, and the adapter. */
    async function run(
        /** @type {boolean} */ precise,
        /** @type {number} */ steps,
    ) {
        const { connection } = model;
        await connection.call("trainOpen", {
            options: options(precise),
            measureOnly: false,
        });
        try {
            // The tensors are the parameters, in our order, at the file's end.
            const state = await connection.call("trainState", {});
            state.fill(0);
            const init = fs.readFileSync(peerdata("lora", "init.gguf"));
            const bytes = (state.length / 3) * 4;
            new Uint8Array(state.buffer).set(init.subarray(-bytes));
            await connection.call("trainRestore", { state, updates: 0 });
            const results = [];
            let since = NaN;
            for (let i = 0; i < steps; i++) {
                if (i === 1) since = performance.now();
                const some = data.train.slice(i * BATCH, (i + 1) * BATCH);
                results.push(
                    await connection.call("trainStep", {
                        ...batchOf(some),
                        kind: UPDATE,
                        rate: RATE,
                    }),
                );
            }
            const seconds = (performance.now() - since) / 1000;
            const adapter = await connection.call("trainWrite", { notes: [] });
            return { results, adapter, seconds };
        } finally {
            await connection.call("trainClose", {});
        }
    }

    /** Means of up to ten steps each, ours to the reference's. */
    function compare(
        /** @type {import("node:test").TestContext} */ t,
        /** @type {{ loss: number }[]} */ results,
        /** @type {number} */ within,
    ) {
        for (let i = 0; i < results.length; i += 10) {
            const some = results.slice(i, i + 10).map(({ loss }) => loss);
            const ours = mean(some);
            const theirs = mean(log.losses.slice(i, i + some.length));
            t.diagnostic(
                `steps ${i + 1} to ${i + some.length}: ${ours}, ${theirs}`,
            );
            const far = Math.abs(ours - theirs);
            assert.ok(theirs > 0.1 ? far < within * theirs : far < 0.02);
        }
    }

    /** Of the test tickets, in percent; the reference had 84. */
    async function exactMatch(/** @type {Uint8Array} */ bytes) {
        const adapter = await model.loadAdapter(bytes);
        const examples = data.test.map(
            (/** @type {any} */ { message, answer_text }) => ({
                messages: [
                    { role: "system", content: data.system },
                    { role: "user", content: message },
                    { role: "assistant", content: answer_text },
                ],
            }),
        );
        const { candidates } = await evaluate(model, examples, {
            adapters: [{ adapter, scale: 1 }],
        });
        await adapter.close();
        return 100 * candidates[0].accuracy;
    }

    test("gradients and the loss curve", async (t) => {
        const { results, adapter, seconds } = await run(true, STEPS);
        for (const [i, { loss, norm }] of results.slice(0, 3).entries()) {
            const squares = Object.values(log.grad_norms[i])
                .flatMap(({ a, b }) => [...a, ...b])
                .map((x) => x * x);
            const expected = Math.sqrt(squares.reduce((a, b) => a + b, 0));
            t.diagnostic(`step ${i + 1}: norm ${norm}, reference ${expected}`);
            assert.ok(Math.abs(norm / expected - 1) < 1e-3);
            assert.ok(Math.abs(loss / log.losses[i] - 1) < 1e-3);
        }
        compare(t, results, 0.03);
        if (!LONG) return;
        // What the reference's log calls the time after the first step.
        t.diagnostic(`${STEPS - 1} steps: ${seconds.toFixed(1)} s`);
        const exact = await exactMatch(adapter);
        t.diagnostic(`exact ${exact} %`);
        assert.ok(Math.abs(exact - 84) <= 4);
    });

    // It falls a little faster than the reference's.
    test("the loss curve, 8-bit activations forward", async (t) => {
        const { results, adapter, seconds } = await run(
            false,
            LONG ? STEPS : 5,
        );
        compare(t, results, 0.05);
        if (!LONG) return;
        t.diagnostic(`${STEPS - 1} steps: ${seconds.toFixed(1)} s`);
        t.diagnostic(`exact ${await exactMatch(adapter)} %`);
    });

    test("the same bits by any number of threads, and after a break", async () => {
        const examples = data.train
            .slice(0, 6)
            .map((/** @type {any} */ { prompt, answer }) => ({
                prompt: prompt.slice(-20),
                completion: answer,
            }));
        const settings = { batchSize: 2, maxLength: 64, rank: 4 };
        /** @type {Uint8Array | undefined} */
        let resume;
        const whole = await trainAdapter(model, examples, {
            ...settings,
            checkpointEvery: 2,
            onCheckpoint: (/** @type {Uint8Array} */ bytes) => {
                resume = bytes;
            },
        });
        const other = await loadModel(/** @type {string} */ (file), {
            threads: 1,
            training: true,
        });
        const resumed = await trainAdapter(other, examples, {
            ...settings,
            resume,
        });
        await other.close();
        assert.equal(whole.losses.length, 3);
        assert.deepEqual(resumed.losses, whole.losses);
        const hash = (/** @type {Uint8Array} */ bytes) =>
            hashOf(new Float32Array(bytes.slice(-1024 * 1024).buffer));
        assert.equal(hash(resumed.bytes), hash(whole.bytes));
    });

    test("a chat is learned as the reference's tokens", async () => {
        const settings = { batchSize: 2, rank: 2, precise: false };
        const some = data.train.slice(0, 2);
        const tokens = await trainAdapter(
            model,
            some.map((/** @type {any} */ { prompt, answer }) => ({
                prompt,
                completion: answer,
            })),
            settings,
        );
        const chats = await trainAdapter(
            model,
            some.map((/** @type {any} */ { message, answer_text }) => ({
                messages: [
                    { role: "system", content: data.system },
                    { role: "user", content: message },
                    { role: "assistant", content: answer_text },
                ],
            })),
            settings,
        );
        assert.deepEqual(chats.losses, tokens.losses);
    });

    test("memory is told, and below 150 MB for 4 x 104 tokens", async (t) => {
        const { bytes } = await model.connection.call("trainOpen", {
            options: options(false),
            measureOnly: true,
        });
        t.diagnostic(`${(bytes / 1e6).toFixed(1)} MB`);
        assert.ok(bytes < 150e6);
    });
});
