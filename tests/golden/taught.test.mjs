// An adapter of our own training in llama.cpp (npm's node-llama-cpp): it loads,
// and answers as it does here.
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import * as fs from "node:fs";
import * as os from "node:os";
import * as path from "node:path";
import { after, describe, test } from "node:test";
import { fileURLToPath } from "node:url";
import { loadModel } from "pipit";
import { installLlama, llamaFolder } from "../tools/llama-install.mjs";
import { pulledModel } from "./reference.mjs";

const file = pulledModel("smollm2-135m-instruct-q4_1");
const skip = file === undefined ? "SmolLM2 is not pulled" : installLlama();
const tool = fileURLToPath(
    new URL("../tools/llama-adapter.mjs", import.meta.url),
);

const jobs = {
    "What do you sell?": "Bells, pumps and locks. Nothing else.",
    "When are you open?": "On Tuesdays, from nine to four.",
    "Who are you?": "The smallest bicycle shop of the valley.",
};

describe("an adapter of our own in llama.cpp", { skip }, () => {
    test("the same answers, which the base does not give", async () => {
        const model = await loadModel(/** @type {string} */ (file), {
            training: true,
            threads: 2,
        });
        const folder = fs.mkdtempSync(path.join(os.tmpdir(), "pipit-taught-"));
        after(() => fs.rmSync(folder, { recursive: true }));
        after(() => model.close());
        const examples = Object.entries(jobs).map(([content, answer]) => ({
            messages: [
                { role: "system", content: "You keep a shop." },
                { role: "user", content },
                { role: "assistant", content: answer },
            ],
        }));
        const trained = await model.trainAdapter(examples, {
            ...{ rank: 8, batchSize: 3, epochs: 16, learningRate: 3e-3 },
            ...{ precise: false },
        });
        const adapter = await trained.load();
        const taught = path.join(folder, "taught.gguf");
        fs.writeFileSync(taught, trained.bytes);
        const { candidates } = await model.evaluate(examples, {
            candidates: [
                { name: "base" },
                { name: "taught", adapters: [{ adapter }] },
            ],
        });
        assert.deepEqual(
            candidates.map(({ accuracy }) => accuracy),
            [0, 1],
        );
        for (const { messages } of examples) {
            const { tokens } = await model.applyChatTemplate(
                messages.slice(0, 2),
            );
            const words = [tool, String(file), taught, "40", tokens.join()];
            const theirs = execFileSync(process.execPath, words, {
                encoding: "utf8",
                env: { ...process.env, PIPIT_LLAMA: llamaFolder },
            });
            assert.equal(
                await model.detokenize(JSON.parse(theirs)),
                messages[2]?.content,
            );
        }
    });
});
