// Real weights against log-probabilities computed with unquantized activations:
// how far we are, beside how far llama.cpp is, and the greedy answers.
import assert from "node:assert/strict";
import * as fs from "node:fs";
import { after, before, describe, test } from "node:test";
import { loadModel } from "pipit";
import {
    logSoftmax,
    peerdata,
    pulledModel,
    readJson,
    skipWithout,
} from "./reference.mjs";

const names = [
    "smollm2-135m-instruct-q4_1",
    "gemma-3-270m-q4_k_m",
    "qwen2.5-coder-0.5b-instruct-q4_k_m",
];

/** What the best 32 of each position are and how likely. */
function readTop(/** @type {string} */ file, /** @type {number} */ n) {
    const bytes = fs.readFileSync(file);
    const data = bytes.buffer.slice(
        bytes.byteOffset,
        bytes.byteOffset + bytes.byteLength,
    );
    const ids = new Uint32Array(data, 4 * (n - 1), 32 * n);
    const logps = new Float32Array(data, 4 * (n - 1 + 32 * n), 32 * n);
    return { ids, logps };
}

/** KL divergence over the listed ids and one bucket for all others. */
function divergence(
    /** @type {Uint32Array} */ ids,
    /** @type {Float32Array} */ logps,
    /** @type {(token: number) => number} */ logQ,
) {
    let sum = 0;
    let restP = 1;
    let restQ = 1;
    for (const [i, id] of ids.entries()) {
        const p = Math.exp(logps[i]);
        sum += p * (logps[i] - logQ(id));
        restP -= p;
        restQ -= Math.exp(logQ(id));
    }
    if (restP > 0 && restQ > 0) sum += restP * Math.log(restP / restQ);
    return sum;
}

for (const name of names) {
    const file = pulledModel(name);
    const skip =
        skipWithout("real") || (file === undefined && `${name} is not pulled`);
    describe(name, { skip }, () => {
        /** @type {import("pipit").Model} */
        let model;
        const reference = skip
            ? {}
            : readJson(peerdata("real", `${name}.json`));
        before(async () => {
            model = await loadModel(file);
        });
        after(() => model?.close());

        test("as close to the exact computation as llama.cpp", async () => {
            const ours = [];
            const theirs = [];
            for (const text of reference.texts) {
                const { tokens } = text;
                const top = readTop(peerdata("real", text.file), tokens.length);
                const session = await model.createSession({
                    contextLength: 512,
                });
                let sum = 0;
                for (let at = 0; at < tokens.length; at += 32) {
                    const part = tokens.slice(at, at + 32);
                    await session.eval(part, { allLogits: true });
                    const logits = await session.allLogits();
                    const width = logits.length / part.length;
                    for (let i = 0; i < part.length; i++) {
                        const row = 32 * (at + i);
                        sum += divergence(
                            top.ids.subarray(row, row + 32),
                            top.logps.subarray(row, row + 32),
                            logSoftmax(
                                logits.subarray(i * width, (i + 1) * width),
                            ),
                        );
                    }
                }
                await session.close();
                ours.push(sum / tokens.length);
                theirs.push(text.llamacpp.kl32_mean);
                console.log(
                    `${text.text}: kl32 ${ours.at(-1)?.toFixed(6)}, ` +
                        `llama.cpp ${theirs.at(-1).toFixed(6)}`,
                );
            }
            const mean = (/** @type {number[]} */ xs) =>
                xs.reduce((a, b) => a + b) / xs.length;
            const ratio = mean(ours) / mean(theirs);
            console.log(`ratio of the means ${ratio.toFixed(3)}`);
            assert.ok(ratio <= 1.1, `ratio ${ratio}`);
        });

        for (const answer of reference.greedy ?? [])
            test(`greedy: ${answer.prompt}`, async () => {
                const session = await model.createSession({
                    contextLength: 512,
                });
                const tokens = [];
                for await (const { token } of session.generate({
                    tokens: answer.prompt_tokens,
                    maxTokens: answer.greedy.length,
                    ignoreEndOfGeneration: true,
                }))
                    tokens.push(token);
                await session.close();
                // Where the best two are this close, either may win.
                const unsure = answer.margin.findIndex(
                    (/** @type {number} */ margin) => margin < 0.5,
                );
                const n = unsure < 0 ? answer.greedy.length : unsure;
                assert.deepEqual(tokens.slice(0, n), answer.greedy.slice(0, n));
            });
    });
}
