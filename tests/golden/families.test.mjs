// Tiny models of the families that the reference data does not hold, against
// the logits that llama.cpp gave for them (tests/tools/llama-oracle.mjs).
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { after, describe, test } from "node:test";
import { loadModel } from "pipit";
import { wasmFolder } from "../../web/build.mjs";
import {
    families,
    familyModel,
    positions,
    tokens,
} from "../tools/family-models.mjs";
import { hashOf, readJson, relativeError } from "./reference.mjs";

const scalar = readFileSync(`${wasmFolder}/pipit-scalar.wasm`);
const golden = readJson(new URL("families.json", import.meta.url).pathname);
/** Relative RMSE. Theirs and ours quantize the activations, each its way: some
 * 1 %, more where a token is torn between two experts. For ternary matrices the
 * golden logits are those of unquantized activations; llama.cpp's own from the
 * ternary files are up to 8 % off. */
function toleranceOf(/** @type {string} */ name) {
    const { arch, type, plain } = families[name];
    // llama.cpp's GELU goes through an f16 table.
    if (arch.startsWith("gemma")) return 5e-4;
    if (!type || plain) return 1e-5;
    return { qwen3moe: 0.1, bitnet: 0.06 }[arch] ?? 0.03;
}
/** The context is the oracle's: it decides which RoPE factors are taken. */
const options = { contextLength: 256, kvType: "f32" };

/** @param {string} text base64 of little-endian f32 */
function floatsOf(text) {
    const bytes = Buffer.from(text, "base64");
    return new Float32Array(
        bytes.buffer.slice(bytes.byteOffset, bytes.byteOffset + bytes.length),
    );
}

for (const name of Object.keys(families))
    describe(name, () => {
        const file = familyModel(name);
        /** @type {import("pipit").Model[]} */
        const open = [];
        after(() => Promise.all(open.map((model) => model.close())));

        /** @param {number} threads */
        async function opened(threads) {
            const model = await loadModel(file, { threads });
            open.push(model);
            return model;
        }

        /** In steps so small that every layer is cut. */
        async function openedScalar() {
            const model = await loadModel(file, { wasm: scalar, threads: 1 });
            open.push(model);
            return model;
        }

        /** All logits, evaluated in pieces of that many tokens.
         * @param {import("pipit").Model} model @param {number} piece */
        async function logitsIn(model, piece) {
            const session = await model.createSession(options);
            const rows = [];
            for (let at = 0; at < tokens.length; at += piece) {
                const some = tokens.slice(at, at + piece);
                await session.eval(some, { allLogits: true });
                rows.push(...(await session.allLogits()));
            }
            await session.close();
            return Float32Array.from(rows);
        }

        test("as llama.cpp has it", async () => {
            const logits = await logitsIn(await opened(1), tokens.length);
            const n = logits.length / tokens.length;
            for (const [i, position] of positions.entries()) {
                const error = relativeError(
                    logits.subarray(position * n, (position + 1) * n),
                    floatsOf(golden[name][i]),
                );
                const most = toleranceOf(name);
                assert.ok(error < most, `position ${position}: ${error}`);
            }
        });

        test("the same bits in any pieces, on any threads", async () => {
            const hashes = new Set();
            for (const model of [
                ...[await opened(1), await opened(3)],
                await openedScalar(),
            ])
                for (const piece of [1, 5, tokens.length])
                    hashes.add(hashOf(await logitsIn(model, piece)));
            assert.equal(hashes.size, 1);
        });

        test("answers that share passes are those given alone", async () => {
            const model = await opened(2);
            /** @param {number} i */
            const answer = async (i) => {
                const session = await model.createSession(options);
                const prompt = [...tokens.slice(i), ...tokens.slice(0, 9)];
                const found = [];
                for await (const { token, logprob } of session.generate({
                    ...{ tokens: prompt, maxTokens: 9 + i, seed: i },
                    ...{ temperature: i % 2, ignoreEndOfGeneration: true },
                    logprobs: 0,
                }))
                    found.push(token, logprob);
                found.push(hashOf(await session.logits()));
                await session.close();
                return found;
            };
            const alone = [];
            for (let i = 0; i < 4; i++) alone.push(await answer(i));
            assert.deepEqual(
                await Promise.all([0, 1, 2, 3].map(answer)),
                alone,
            );
        });

        test("rewinding anywhere, then on", async () => {
            const model = await opened(2);
            const session = await model.createSession(options);
            await session.eval(tokens);
            const expected = await session.logits();
            for (const kept of [23, 20, 9, 2, 1]) {
                await session.rewind(kept);
                await session.eval(tokens.slice(kept));
                assert.deepEqual(await session.logits(), expected, `${kept}`);
            }
        });
    });

test("a convolution goes back by its checkpoints", async (t) => {
    const model = await loadModel(familyModel("lfm2"), { threads: 2 });
    t.after(() => model.close());
    const long = { contextLength: 900, kvType: "f32" };
    const many = Array.from({ length: 800 }, (_, i) => (i * 31) % 256);
    const session = await model.createSession(long);
    const expected = [];
    for (const end of [40, 255, 257, 300, 513, 800]) {
        const fresh = await model.createSession(long);
        await fresh.eval(many.slice(0, end));
        expected.push([end, await fresh.logits()]);
        await fresh.close();
    }
    await session.eval(many);
    // Another session of the same size begins where this one is.
    const second = await model.createSession(long);
    const { kept } = await second.sync(many);
    assert.equal(kept, 799);
    assert.deepEqual(await second.logits(), await session.logits());
    await second.close();
    for (const [end, logits] of expected.reverse()) {
        // Away from the ring, then the last token before `end` anew.
        await session.rewind(end - 1);
        await session.eval([many[end - 1]]);
        assert.deepEqual(await session.logits(), logits, `${end}`);
        // Another text over what follows, so that it can't be taken from there.
        await session.eval(many.slice(0, Math.min(300, 899 - end)));
    }
});

/** @param {Uint8Array<ArrayBuffer>} file @param {RegExp} message */
const refused = (file, message) =>
    assert.rejects(
        loadModel(file, { threads: 1 }),
        (/** @type {any} */ error) => {
            assert.ok(
                ["invalid-model", "unsupported"].includes(error.code),
                `${error.code}: ${error.message}`,
            );
            assert.match(error.message, message);
            return true;
        },
    );

test("what contradicts itself is named", async () => {
    /** @type {[string, Record<string, any>, RegExp][]} */
    const cases = [
        ["qwen3moe", { expert_used_count: 9 }, /expert_used_count is 9/],
        ["qwen3moe", { expert_used_count: 0 }, /expert_used_count is 0/],
        ["qwen3moe", { expert_count: undefined }, /expert_count/],
        ["qwen3moe", { expert_count: 7 }, /ffn_gate_inp\.weight is 64 x 8/],
        ["qwen3moe", { expert_count: 100_000 }, /1 to 1024/],
        ["qwen3moe", { expert_feed_forward_length: 50 }, /no multiples of 4/],
        [
            "qwen3moe",
            { expert_feed_forward_length: 52 },
            /ffn_gate_exps\.weight is 64 x 48 x 8, expected 64 x 52 x 8/,
        ],
        ["ernie4_5", { expert_count: 8 }, /mixtures of experts/],
        ["lfm2", { "shortconv.l_cache": undefined }, /shortconv\.l_cache/],
        ["lfm2", { "shortconv.l_cache": 65 }, /1 to 64/],
        ["lfm2", { "shortconv.l_cache": 4 }, /shortconv\.conv\.weight is 3/],
        ["lfm2", { "attention.head_count_kv": [0, 2, 0] }, /3 elements for 4/],
        ["lfm2", { "attention.head_count_kv": [0, 3, 0, 2] }, /layer 1/],
        ["lfm2", { "attention.head_count_kv": 0 }, /blk\.1\.shortconv/],
        ["granite", { logit_scale: NaN }, /logit_scale is no finite/],
        ["granite", { residual_scale: "0.5" }, /residual_scale/],
        [
            "exaone4-windows",
            { "attention.sliding_window_pattern": [1, 0] },
            /sliding_window_pattern has 2 elements for 64 layers/,
        ],
        [
            "olmo2-windows",
            { "attention.sliding_window_pattern": ["local"] },
            /sliding_window_pattern/,
        ],
        ["exaone4", { nextn_predict_layers: 1 }, /nextn_predict_layers is set/],
        ["granite", { "attention.clamp_kqv": 8.5 }, /clamp_kqv is set/],
        ["gemma2", { "attention.key_length_swa": 8 }, /of another size/],
        ["granite", { feed_forward_length: [96, 96] }, /2 elements for 3/],
        ["minicpm", { residual_scale: Infinity }, /residual_scale/],
        ["hunyuan-alpha", { "rope.scaling.alpha": NaN }, /scaling\.alpha/],
        ["gemma2", { "rope.freq_base_swa": 0.5 }, /base is out of/],
        [
            "llama-yarn",
            { "rope.scaling.original_context_length": 0 },
            /YaRN's bounds/,
        ],
        [
            "llama-yarn",
            { "rope.scaling.yarn_beta_fast": -0.5 },
            /YaRN's bounds/,
        ],
        ["bitnet", { feed_forward_length: 92 }, /ffn_sub_norm|ffn_gate/],
        ["olmo2", { "attention.head_count": 8 }, /attn_k|attn_q/],
    ];
    for (const [name, keys, message] of cases) {
        const { arch } = families[name];
        const changes = Object.fromEntries(
            Object.entries(keys).map(([key, v]) => [`${arch}.${key}`, v]),
        );
        await refused(familyModel(name, changes), message);
    }
});

test("tensors that are missing, of another shape or of no use", async () => {
    /** @type {[string, string, number[] | undefined, RegExp][]} */
    const cases = [
        ["bitnet", "attn_sub_norm.weight", undefined, /missing tensor blk\.0/],
        ["bitnet", "ffn_sub_norm.weight", [64], /64 x 1 x 1, expected 96/],
        ["bitnet", "attn_q.scale", [64], /attn_q\.scale is 64/],
        ["olmo2", "attn_q_norm.weight", [16], /attn_q_norm.*expected 64/],
        ["olmo2", "attn_k_norm.weight", [64], /attn_k_norm.*expected 32/],
        ["olmo2", "attn_norm.weight", [64], /no place in architecture olmo2/],
        ["granite", "attn_q_norm.weight", [16], /attn_q_norm\.weight has no/],
        ["granite", "attn_sinks.weight", [4], /attn_sinks\.weight has no/],
        ["hunyuan-dense", "attn_k_norm.weight", undefined, /attn_k_norm/],
        ["exaone4", "post_ffw_norm.weight", [65], /65 x 1/],
        ["ernie4_5", "ffn_gate_exps.weight", [64, 96, 2], /ffn_gate_exps/],
    ];
    for (const [name, tensor, shape, message] of cases) {
        const kinds = Object.entries(families[name].tensors).map(
            ([kind, list]) => [kind, list.filter(([name]) => name !== tensor)],
        );
        const tensors = Object.fromEntries(kinds);
        if (shape) tensors.changed = [[tensor, shape]];
        await refused(familyModel(name, {}, { tensors }), message);
    }
    // A layer beyond the last; what belongs to no layer may be there.
    const beyond = /blk\.3\.attn_norm\.weight has no place/;
    /** @type {[string, number[]][]} */
    const more = [["blk.3.attn_norm.weight", [64]]];
    await refused(familyModel("granite", {}, { more }), beyond);
    more[0][0] = "cls.weight";
    const model = await loadModel(familyModel("granite", {}, { more }));
    await model.close();
});

test("one bias for queries, keys and values", async (t) => {
    const { tensors } = families["phi3-longrope"];
    /** @param {[string, number[]][]} biases */
    async function logitsWith(biases) {
        const changed = { tensors: { ...tensors, biases } };
        const file = familyModel("phi3-longrope", {}, changed);
        const model = await loadModel(file, { threads: 1 });
        t.after(() => model.close());
        const session = await model.createSession(options);
        await session.eval(tokens);
        return session.logits();
    }
    // The same random numbers in the same order.
    assert.deepEqual(
        await logitsWith([["attn_qkv.bias", [128]]]),
        await logitsWith([
            ["attn_q.bias", [64]],
            ["attn_k.bias", [32]],
            ["attn_v.bias", [32]],
        ]),
    );
});
