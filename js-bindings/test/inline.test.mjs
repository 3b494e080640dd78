// pipit/inline: all that the package is, in one file.
import assert from "node:assert/strict";
import { build } from "esbuild";
import { readFileSync } from "node:fs";
import { copyFile, mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, test } from "node:test";
import { fileURLToPath, pathToFileURL } from "node:url";
import * as plain from "pipit";
import { makePatch } from "../pack-modules.mjs";
import { collect, rejects, tinyModel } from "./support.mjs";

const dist = fileURLToPath(new URL("../dist/", import.meta.url));

/** Alone in a folder: nothing beside it can be of help. */
async function alone(/** @type {import("node:test").TestContext} */ t) {
    const folder = await mkdtemp(join(tmpdir(), "pipit-inline-"));
    t.after(() => rm(folder, { recursive: true }));
    const file = join(folder, "inline.mjs");
    await copyFile(join(dist, "inline.node.js"), file);
    /** @type {typeof import("pipit/inline")} */
    const inline = await import(pathToFileURL(file).href);
    return inline;
}

test("has the names of the front door", async () => {
    const inline = await import("pipit/inline");
    assert.deepEqual(Object.keys(inline).sort(), Object.keys(plain).sort());
});

test("answers as the package does, with nothing beside it", async (t) => {
    const inline = await alone(t);
    const answers = [];
    for (const { loadModel } of [plain, inline]) {
        const model = await loadModel(tinyModel(), { threads: 2 });
        assert.equal(model.threads, 2);
        const chat = await model.createChat();
        const options = { maxTokens: 12, temperature: 1, seed: 3 };
        answers.push((await collect(chat.send("Hello", options))).join(""));
        await model.close();
    }
    assert.equal(answers[0], answers[1]);
    assert.notEqual(answers[0], "");
});

test("inspects, tokenizes, renders", async (t) => {
    const inline = await alone(t);
    const { architecture } = await inline.inspect(tinyModel());
    assert.equal(architecture, "llama");
    const tokenizer = await inline.loadTokenizer(tinyModel());
    const tokens = await tokenizer.tokenize("the end");
    assert.equal(await tokenizer.detokenize(tokens), "the end");
    await tokenizer.close();
    const text = await inline.renderChatTemplate("{{ a }}", { a: "b" });
    assert.equal(text, "b");
});

test("a template that never ends", async (t) => {
    const { renderChatTemplate } = await alone(t);
    const forever =
        "{% for i in range(99999) %}{% for j in range(99999) %}" +
        "{% endfor %}{% endfor %}";
    await assert.rejects(renderChatTemplate(forever), /not rendered after/);
    assert.equal(await renderChatTemplate("again"), "again");
});

test("what it does not hold is refused by name", async (t) => {
    const inline = await alone(t);
    await assert.rejects(
        inline.loadModel(tinyModel(), { training: true }),
        (/** @type {plain.PipitError} */ error) => {
            assert.ok(error instanceof inline.PipitError);
            assert.equal(error.code, "unsupported");
            assert.match(error.message, /pipit-train-/);
            return true;
        },
    );
    const wasm = readFileSync(join(dist, "pipit-train-simd128.wasm"));
    const model = await inline.loadModel(tinyModel(), { training: true, wasm });
    await model.close();
    await rejects(plain.loadModel("no such model"), "not-found");
});

describe("patches", async () => {
    const { outputFiles } = await build({
        entryPoints: [
            fileURLToPath(new URL("../src/inline/patch.ts", import.meta.url)),
        ],
        write: false,
        format: "esm",
    });
    const address = `data:text/javascript,${encodeURIComponent(outputFiles[0]?.text ?? "")}`;
    /** @type {{ applyPatch(old: Uint8Array, patch: Uint8Array, bytes: number): Uint8Array }} */
    const { applyPatch } = await import(address);
    /** @param {Buffer} old @param {Buffer} wanted */
    const there = (old, wanted) => {
        const patch = makePatch(old, wanted);
        const made = applyPatch(old, patch, wanted.length);
        assert.ok(Buffer.from(made).equals(wanted));
        return patch.length;
    };

    test("of every module to every other", () => {
        const names = ["simd128", "simd128-mt", "relaxed", "relaxed-mt"];
        const files = names.map((name) =>
            readFileSync(join(dist, `pipit-${name}.wasm`)),
        );
        for (const old of files)
            for (const wanted of files)
                assert.ok(there(old, wanted) < wanted.length / 3);
    });

    test("of bytes that have little in common", () => {
        let seed = 1;
        const random = () => (seed = (seed * 48271) % 2147483647);
        for (let i = 0; i < 200; i++) {
            const old = Buffer.from(
                Array.from({ length: random() % 200 }, () => random() % 4),
            );
            const cut = random() % (old.length + 1);
            const wanted = Buffer.concat([
                old.subarray(cut),
                Buffer.from(
                    Array.from({ length: random() % 90 }, () => random() % 5),
                ),
                old.subarray(0, cut),
            ]);
            there(old, wanted);
            there(wanted, old);
        }
        there(Buffer.alloc(0), Buffer.from("all new"));
        there(Buffer.from("old"), Buffer.alloc(0));
    });
});
