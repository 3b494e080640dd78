// Low-rank adapters: against llama.cpp's logits and the reference training's
// losses, one set of bits everywhere, what a session keeps, what is refused.
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import * as fs from "node:fs";
import * as os from "node:os";
import * as path from "node:path";
import { after, describe, test } from "node:test";
import { fileURLToPath } from "node:url";
import v8 from "node:v8";
import vm from "node:vm";
import { loadModel } from "pipit";
import {
    hashOf,
    peerdata,
    pulledModel,
    readFloats,
    readJson,
    relativeError,
    skipWithout,
} from "./reference.mjs";

const skip = skipWithout("models") || skipWithout("lora");
const entry = skip
    ? undefined
    : readJson(peerdata("models", "manifest.json")).models.find(
          (/** @type {{ name: string }} */ { name }) => name === "llama-f32",
      );
const lora = peerdata("models", "llama-f32.lora.gguf");

/** @type {import("pipit").Model[]} */
const open = [];
after(() => Promise.all(open.map((model) => model.close())));

async function small(/** @type {import("pipit").LoadOptions} */ options = {}) {
    const model = await loadModel(peerdata("models", entry.file), {
        threads: 1,
        ...options,
    });
    open.push(model);
    return model;
}

/** @param {import("pipit").Session} session */
async function logitsOf(session) {
    await session.rewind(0);
    await session.eval(entry.tokens, { allLogits: true });
    return session.allLogits();
}

describe("a small model", { skip }, () => {
    const kv = { kvType: /** @type {const} */ ("f32") };

    test("has llama.cpp's logits, to the bit of its own", async () => {
        const model = await small();
        const adapter = await model.loadAdapter(lora);
        const adapters = [{ adapter, scale: 0.5 }];
        const session = await model.createSession({ ...kv, adapters });
        const logits = await logitsOf(session);
        const expected = readFloats(
            peerdata("models", "llama-f32.lora_scale0.5.logits.f32"),
        );
        assert.ok(relativeError(logits, expected) <= 1e-5);

        const rows = new Float32Array(logits.length);
        await session.rewind(0);
        for (const [i, token] of entry.tokens.entries()) {
            await session.eval([token]);
            rows.set(await session.logits(), i * entry.n_vocab);
        }
        assert.equal(hashOf(rows), hashOf(logits));
    });

    test("one hash over threads and kernels", async () => {
        const hashes = new Set();
        for (const kernels of ["simd128", "relaxed-dot16", "relaxed-dot-add"])
            for (const threads of [1, 2, 3]) {
                let model;
                try {
                    model = await small({ threads, kernels });
                } catch {
                    continue; // not in this build
                }
                const adapter = await model.loadAdapter(lora);
                const adapters = [{ adapter, scale: 0.5 }];
                const session = await model.createSession({ ...kv, adapters });
                hashes.add(hashOf(await logitsOf(session)));
                await model.close();
            }
        assert.equal(hashes.size, 1);
    });

    test("two adapters add up; taken off, nothing is left", async () => {
        const model = await small();
        const session = await model.createSession(kv);
        const plain = hashOf(await logitsOf(session));
        const one = await model.loadAdapter(lora);
        const two = await model.loadAdapter(await one.toGGUF({ note: "a" }));
        await session.setAdapters([{ adapter: one, scale: 0.5 }]);
        const alone = await logitsOf(session);
        await session.setAdapters([
            { adapter: one, scale: 0.25 },
            { adapter: two, scale: 0.25 },
        ]);
        assert.ok(relativeError(await logitsOf(session), alone) < 1e-6);
        await two.close(); // goes on with a quarter
        assert.ok(relativeError(await logitsOf(session), alone) > 1e-4);
        await session.setAdapters([]);
        assert.equal(hashOf(await logitsOf(session)), plain);
    });

    test("tokens stay, what was computed goes unless it still holds", async () => {
        const model = await small();
        const adapter = await model.loadAdapter(lora);
        const fresh = await model.createSession({ adapters: [{ adapter }] });
        await fresh.eval(entry.tokens);
        const session = await model.createSession();
        await session.eval(entry.tokens.slice(0, -1));
        await session.setAdapters([]);
        await session.logits(); // the same set: they are still there
        await session.setAdapters([{ adapter }]);
        await assert.rejects(session.logits(), { code: "invalid-state" });
        assert.equal(session.length, entry.tokens.length - 1);
        await session.eval(entry.tokens.slice(-1));
        assert.equal(
            hashOf(await session.logits()),
            hashOf(await fresh.logits()),
        );
        const plain = await model.createSession();
        assert.equal((await plain.sync(entry.tokens)).kept, 0); // not theirs
    });

    test("what a session uses stays, though nobody else holds it", async () => {
        v8.setFlagsFromString("--expose-gc");
        const collect = vm.runInNewContext("gc");
        const model = await small();
        const session = await model.createSession();
        await (async () => {
            const adapter = await model.loadAdapter(lora);
            await session.setAdapters([{ adapter }]);
        })();
        const before = hashOf(await logitsOf(session));
        for (let i = 0; i < 10; i++) {
            collect();
            await new Promise((resolve) => setTimeout(resolve, 5));
        }
        assert.equal(hashOf(await logitsOf(session)), before);
    });

    test("PEFT's files mean the same", async () => {
        const model = await small();
        const session = await model.createSession(kv);
        const adapter = await model.loadAdapter(lora);
        await session.setAdapters([{ adapter }]);
        const expected = await logitsOf(session);
        const { peftOf } = await import("../tools/peft-files.mjs");
        const { weights, config } = peftOf(
            await adapter.toGGUF(),
            entry.n_head ?? model.metadata["llama.attention.head_count"],
            model.metadata["llama.attention.head_count_kv"],
        );
        const converted = await model.loadAdapter({ weights, config });
        await session.setAdapters([{ adapter: converted }]);
        assert.equal(hashOf(await logitsOf(session)), hashOf(expected));
        await assert.rejects(
            model.loadAdapter({
                weights,
                config: { ...config, use_dora: true },
            }),
            { code: "invalid-file", message: /use_dora/ },
        );
        await assert.rejects(
            model.loadAdapter({ weights: weights.slice(0, 999), config }),
            { code: "invalid-file" },
        );
    });

    test("what is no adapter, or another model's, is refused", async () => {
        const model = await small();
        const other = await small();
        const adapter = await model.loadAdapter(lora);
        const refuses = (
            /** @type {any} */ source,
            /** @type {RegExp} */ why,
        ) =>
            assert.rejects(
                model.loadAdapter(source),
                (/** @type {any} */ e) => {
                    assert.match(e.message, why);
                    return [
                        "invalid-model",
                        "truncated-file",
                        "unsupported",
                    ].includes(e.code);
                },
            );
        await refuses(peerdata("models", entry.file), /general\.type|lora_a/);
        const bytes = fs.readFileSync(lora);
        await refuses(bytes.subarray(0, bytes.length - 9), /lora_.*has only/);
        await refuses(
            peerdata("lora", "trained.gguf"),
            /blk\.3\..*no such matrix/,
        );
        const nan = Uint8Array.from(bytes);
        nan.fill(0xff, nan.length - 4);
        await refuses(nan, /lora_[ab] holds a value that is not finite/);
        const session = await other.createSession();
        await assert.rejects(session.setAdapters([{ adapter }]), {
            code: "invalid-argument",
        });
        const own = await model.createSession();
        await assert.rejects(
            own.setAdapters([{ adapter }, { adapter }]),
            /twice/,
        );
        await adapter.close();
        await assert.rejects(own.setAdapters([{ adapter }]), {
            code: "closed",
        });
        await own.eval(entry.tokens); // goes on
    });

    test("an adapter of another base is refused unless wanted", async () => {
        const model = await small();
        const file = await (await model.loadAdapter(lora)).toGGUF();
        const text = Buffer.from(file).toString("latin1");
        const key = text.indexOf("pipit.base.fingerprint");
        assert.ok(key > 0);
        file[key + 22 + 12] = 0x7a; // a letter of its value
        await assert.rejects(model.loadAdapter(file), {
            code: "invalid-model",
            message: /another base.*pipit\.base\.fingerprint/,
        });
        await model.loadAdapter(file, { anyBase: true });
    });
});

/** npm's node-llama-cpp, where tests/tools/llama-oracle.mjs has put it. */
const oracle =
    process.env.PIPIT_LLAMA ??
    path.join(
        process.env.PIPIT_CACHE ?? path.join(os.homedir(), ".cache", "pipit"),
        "llama-oracle",
    );
const llama = fs.existsSync(path.join(oracle, "node_modules/node-llama-cpp"))
    ? false
    : "node-llama-cpp is not installed";
const tool = fileURLToPath(
    new URL("../tools/llama-adapter.mjs", import.meta.url),
);

const file = pulledModel("smollm2-135m-instruct-q4_1");
const real = skip || (file ? false : "the model is not pulled");

describe("SmolLM2 and the tickets", { skip: real }, () => {
    const tickets = real
        ? undefined
        : readJson(peerdata("lora", "tickets.json"));
    const log = real ? undefined : readJson(peerdata("lora", "log.json"));

    test("losses and answers are the reference's", async () => {
        const model = await loadModel(/** @type {string} */ (file));
        open.push(model);
        const adapter = await model.loadAdapter(
            peerdata("lora", "trained.gguf"),
        );
        const session = await model.createSession({ adapters: [{ adapter }] });
        const examples = tickets.test.slice(0, 40); // as llama.cpp's were
        let exact = 0;
        let worst = 0;
        let sum = 0;
        let expectedSum = 0;
        for (const [i, { prompt, answer }] of examples.entries()) {
            await session.sync(prompt);
            const { logprobs, best } = await session.score(answer, { best: 1 });
            const right = (
                /** @type {number} */ token,
                /** @type {number} */ at,
            ) => best?.[at]?.[0]?.token === token;
            if (answer.every(right)) exact++;
            const loss = -logprobs.reduce((a, b) => a + b, 0) / answer.length;
            const expected = log.epoch_1.example_loss[i];
            sum += loss;
            expectedSum += expected;
            worst = Math.max(worst, Math.abs(loss - expected));
        }
        console.log(
            `exact ${exact} of 40, loss ${(sum / 40).toFixed(5)}, expected ` +
                `${(expectedSum / 40).toFixed(5)}, worst ${worst.toFixed(4)}`,
        );
        assert.ok(Math.abs(exact - 34) <= 1);
        assert.ok(Math.abs(sum / expectedSum - 1) <= 0.02);
    });

    test(
        "llama.cpp answers the same, with the file we write",
        { skip: llama },
        async () => {
            const model = /** @type {import("pipit").Model} */ (open.at(-1));
            const adapter = await model.loadAdapter(
                peerdata("lora", "trained.gguf"),
            );
            const folder = fs.mkdtempSync(
                path.join(os.tmpdir(), "pipit-adapter-"),
            );
            after(() => fs.rmSync(folder, { recursive: true }));
            const copy = path.join(folder, "copy.gguf");
            fs.writeFileSync(
                copy,
                await adapter.toGGUF({ "pipit.note": "copied" }),
            );
            const session = await model.createSession({
                adapters: [{ adapter }],
            });
            for (const { prompt } of tickets.test.slice(0, 3)) {
                await session.sync(prompt);
                const ours = [];
                for await (const { token, finishReason } of session.generate({
                    maxTokens: 40,
                }))
                    if (finishReason !== "end") ours.push(token);
                const theirs = execFileSync(
                    process.execPath,
                    [
                        tool,
                        /** @type {string} */ (file),
                        copy,
                        "40",
                        prompt.join(),
                    ],
                    {
                        encoding: "utf8",
                        env: { ...process.env, PIPIT_LLAMA: oracle },
                    },
                );
                assert.deepEqual(JSON.parse(theirs), ours);
            }
        },
    );

    test("a swap takes less than 10 ms", async () => {
        const model = /** @type {import("pipit").Model} */ (open.at(-1));
        const adapter = await model.loadAdapter(
            peerdata("lora", "trained.gguf"),
        );
        const session = await model.createSession();
        const times = [];
        for (let i = 0; i < 20; i++) {
            const start = performance.now();
            await session.setAdapters(i % 2 ? [] : [{ adapter }]);
            times.push(performance.now() - start);
        }
        const median = times.sort((a, b) => a - b)[10];
        console.log(`swap ${median?.toFixed(2)} ms`);
        assert.ok(Number(median) < 10);
    });
});
