// Tiny random models of every family against llama.cpp's logits: token by token
// and in one batch, which must agree to the bit.
import assert from "node:assert/strict";
import { after, describe, test } from "node:test";
import { loadModel } from "pipit";
import {
    hashOf,
    peerdata,
    readFloats,
    readJson,
    relativeError,
    skipWithout,
} from "./reference.mjs";

const skip = skipWithout("models");
const manifest = skip
    ? { models: [] }
    : readJson(peerdata("models", "manifest.json"));

/** llama.cpp's GELU goes through an f16 table. */
const tolerances = { gemma2: 5e-4, gemma3: 5e-4 };

function expectationOf(/** @type {any} */ entry) {
    const dequantized = entry.logits_dequantized_f32_weights;
    if (dequantized === undefined)
        return {
            file: entry.logits,
            tolerance: tolerances[entry.arch] ?? 1e-5,
        };
    // F16 weights meet f32 activations, quantized ones 8-bit activations.
    return {
        file: dequantized,
        tolerance: entry.weight_type === "F16" ? 1e-4 : 0.03,
    };
}

test("reference models are there", { skip }, () => {
    assert.ok(manifest.models.length > 0);
});

for (const entry of manifest.models)
    describe(`${entry.name} (${entry.arch}, ${entry.weight_type})`, () => {
        /** @type {import("pipit").Model[]} */
        const open = [];
        after(() => Promise.all(open.map((model) => model.close())));

        test("in one batch and token by token", async () => {
            const model = await loadModel(peerdata("models", entry.file), {
                threads: 1,
            });
            open.push(model);
            const options = { contextLength: entry.n_ctx, kvType: "f32" };
            const whole = await model.createSession(options);
            await whole.eval(entry.tokens, { allLogits: true });
            const logits = await whole.allLogits();

            const stepwise = await model.createSession(options);
            const rows = new Float32Array(logits.length);
            for (const [i, token] of entry.tokens.entries()) {
                await stepwise.eval([token]);
                rows.set(await stepwise.logits(), i * entry.n_vocab);
            }
            assert.equal(hashOf(rows), hashOf(logits));

            const { file, tolerance } = expectationOf(entry);
            const error = relativeError(
                logits,
                readFloats(peerdata("models", file)),
            );
            console.log(`relative RMSE ${error.toExponential(2)}`);
            assert.ok(error <= tolerance, `relative RMSE ${error}`);
        });
    });
