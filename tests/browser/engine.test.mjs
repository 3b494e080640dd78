// The package itself in a page and in a module worker of it: the interface, the
// same bits as in Node, and an end to everything that takes long.
import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { writeFile } from "node:fs/promises";
import { basename, dirname, join } from "node:path";
import { before, describe, test } from "node:test";
import { loadModel } from "pipit";
import {
    endless,
    openPage,
    realModel,
    runTask as run,
    scratch,
    testPages,
    useBrowser,
    withoutBrowser,
    withoutRealModel,
    writeTiny,
} from "./support.mjs";
import { stopLimit } from "../tools/patience.mjs";

const places = /** @type {const} */ (["page", "worker"]);

/**
 * The hash of all logits, computed by Node.
 * @param {string} path
 * @param {number[]} tokens
 */
async function hashInNode(path, tokens) {
    const model = await loadModel(path, { threads: 1 });
    const session = await model.createSession({ contextLength: 256 });
    await session.eval(tokens, { allLogits: true });
    const all = await session.allLogits();
    await model.close();
    const bytes = new Uint8Array(all.buffer, all.byteOffset, all.byteLength);
    return createHash("sha256").update(bytes).digest("hex");
}

const isolated = { page: testPages };
const plain = { page: testPages, isolation: false };

/** [module, threads, whether the page is isolated] */
const variants = /** @type {const} */ ([
    ["relaxed-mt", 1, true],
    ["relaxed-mt", 2, true],
    ["relaxed-mt", 3, true],
    ["simd128-mt", 1, true],
    ["simd128-mt", 2, true],
    ["relaxed", 1, true],
    ["simd128", 1, true],
    ["relaxed", 1, false],
    ["simd128", 1, false],
]);

useBrowser();

describe("the package", { skip: withoutBrowser }, () => {
    before(async () => {
        await writeTiny("tiny.gguf");
        await writeTiny("mixed.gguf", {
            type: "Q4_0",
            types: { ffn_down: "Q6_K", attn_v: "Q8_0", output: "Q4_1" },
            embedding: 256,
            seed: 5,
        });
        await writeTiny("slow.gguf", { ...endless, layers: 8 });
        const text = "no model at all, but a text of some length";
        await writeFile(join(scratch.folder, "text.gguf"), text);
    });

    for (const place of places)
        for (const isolation of [true, false])
            test(`all of it in a ${place}, isolation ${isolation}`, async (t) => {
                const { page, url, errors, requests } = await openPage(t, {
                    page: testPages,
                    isolation,
                });
                const processors = await page.evaluate(
                    () => navigator.hardwareConcurrency,
                );
                const did = await run(page, place, "exercise", {
                    url: `${url}models/tiny.gguf`,
                });
                assert.equal(did.architecture, "llama");
                assert.ok(did.total > 10_000);
                assert.deepEqual(did.phases.sort(), ["header", "weights"]);
                assert.deepEqual(did.tokens, did.same);
                assert.equal(did.text, "the hello");
                assert.ok(did.ids.length > 0 && did.ids.length <= 9);
                assert.ok(["end", "length"].includes(did.finish));
                const threads = isolation ? Math.min(processors, 8) : 1;
                assert.equal(did.threads, threads);
                assert.equal(did.afterClose, "closed");
                // Tokenizer and model share one module.
                const modules = requests.filter((r) => r.endsWith(".wasm"));
                assert.equal(new Set(modules).size, 1);
                assert.equal(modules.length, 1);
                assert.deepEqual(
                    requests.filter((r) => !r.startsWith(url)),
                    [],
                );
                assert.deepEqual(errors, []);
            });

    test("the same logits as in Node, from every module", async (t) => {
        const tokens = Array.from({ length: 60 }, (_, i) => (i * 7919) % 290);
        const opened = {
            true: await openPage(t, isolated),
            false: await openPage(t, plain),
        };
        for (const model of ["tiny.gguf", "mixed.gguf"]) {
            const path = join(scratch.folder, model);
            const expected = await hashInNode(path, tokens);
            for (const [name, threads, isolation] of variants)
                for (const [place, piece] of /** @type {const} */ ([
                    ["page", 60],
                    ["worker", 7],
                ])) {
                    const { page, url } = opened[`${isolation}`];
                    const { hash, threads: used } = await run(
                        page,
                        place,
                        "hash",
                        {
                            url: `${url}models/${model}`,
                            wasm: `${url}pipit/pipit-${name}.wasm`,
                            ...{ threads, tokens, piece },
                        },
                    );
                    const what = `${model}, ${name}, ${threads}, ${place}`;
                    assert.equal(used, threads, what);
                    assert.equal(hash, expected, what);
                }
        }
    });

    test(
        "the same logits of the default model as in Node",
        { skip: withoutRealModel },
        async (t) => {
            const path = realModel ?? "";
            const tokens = Array.from(
                { length: 24 },
                (_, i) => (i * 7919) % 49152,
            );
            const expected = await hashInNode(path, tokens);
            const models = dirname(path);
            const opened = {
                true: await openPage(t, { ...isolated, models }),
                false: await openPage(t, { ...plain, models }),
            };
            for (const [name, threads, isolation] of [
                ...[variants[1], variants[4], variants[7], variants[8]],
            ]) {
                const { page, url } = opened[`${isolation}`];
                const { hash } = await run(page, "page", "hash", {
                    url: `${url}models/${basename(path)}`,
                    wasm: `${url}pipit/pipit-${name}.wasm`,
                    ...{ threads, tokens, piece: 24 },
                });
                assert.equal(hash, expected, `${name}, ${threads}`);
            }
        },
    );

    for (const options of [isolated, plain])
        for (const place of places)
            test(`an abort in a ${place}, isolation ${options === isolated}`, async (t) => {
                const { page, url } = await openPage(t, options);
                const { code, ms, held, finite } = await run(
                    page,
                    place,
                    "abort",
                    { url: `${url}models/slow.gguf` },
                );
                assert.equal(code, "aborted");
                assert.ok(ms < stopLimit(), `ended after ${ms.toFixed()} ms`);
                assert.ok(held < 8000);
                assert.equal(finite, true);
                t.diagnostic(`aborted after ${ms.toFixed()} ms`);
            });

    test("the page's thread is free meanwhile", async (t) => {
        const { page, url } = await openPage(t, isolated);
        const { longest, turns } = await run(page, "page", "responsive", {
            url: `${url}models/slow.gguf`,
        });
        assert.ok(turns > 3, `${turns} turns`);
        assert.ok(longest < stopLimit(), `silent for ${longest.toFixed()} ms`);
        t.diagnostic(`longest silence ${longest.toFixed()} ms`);
    });

    test("every kind of source gives the same", async (t) => {
        const { page, url } = await openPage(t, isolated);
        const hashes = await run(page, "page", "sources", {
            url: `${url}models/tiny.gguf`,
        });
        assert.equal(Object.keys(hashes).length, 7);
        assert.equal(new Set(Object.values(hashes)).size, 1);
    });

    test("failures have their codes", async (t) => {
        const { page, url } = await openPage(t, isolated);
        const codes = await run(page, "page", "failures", {
            missing: `${url}models/none.gguf`,
            text: `${url}models/text.gguf`,
            refused: "http://127.0.0.1:1/model.gguf",
            name: "no-such-model",
            forbidden: "http://forbidden.example/model.gguf",
        });
        assert.deepEqual(codes, {
            missing: "not-found",
            text: "invalid-file",
            refused: "network",
            name: "not-found",
            forbidden: "network",
        });
    });
});
