// The Prompt API in Node: the clauses that pages and workers run too, and what
// is Node's own.
import assert from "node:assert/strict";
import * as fs from "node:fs";
import { createServer } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { loadModel } from "pipit";
import { install, LanguageModel } from "pipit/prompt-api";
import { clauses, runClause } from "../../tests/browser/pages/clauses/index.js";
import { endless } from "../../tests/tools/tiny-model.mjs";
import { tinyModel } from "./support.mjs";

const cache = fs.mkdtempSync(join(tmpdir(), "pipit-prompt-api-"));
process.env.PIPIT_CACHE = cache;
after(() => fs.rmSync(cache, { recursive: true, force: true }));

describe("the Prompt API in Node, clause by clause", () => {
    const bytes = tinyModel(endless);
    /** @type {any} */
    let place;
    /** @type {import("pipit").Model} */
    let model;
    const server = createServer((ask, reply) =>
        ask.url?.startsWith("/model")
            ? reply.end(bytes)
            : reply.writeHead(404).end(),
    );
    before(async () => {
        model = await loadModel(bytes, { threads: 1 });
        await new Promise((go) => server.listen(0, "127.0.0.1", () => go(0)));
        const { port } = /** @type {any} */ (server.address());
        const url = `http://127.0.0.1:${port}`;
        let count = 0;
        place = {
            ...{ LanguageModel, model, nowhere: `${url}/nothing.gguf` },
            address: async () => `${url}/model${++count}.gguf`,
        };
    });
    after(async () => {
        await model.close();
        server.close();
    });
    for (const clause of clauses)
        test(clause.name, async () => {
            assert.equal(await runClause(place, clause), undefined);
        });
});

test("a path is a model; one of no model is an error", async () => {
    const path = join(cache, "here.gguf");
    fs.writeFileSync(path, tinyModel());
    assert.equal(
        await LanguageModel.availability({ model: path }),
        "available",
    );
    const session = await LanguageModel.create({ model: path });
    assert.equal(
        typeof (await session.prompt("x", { maxTokens: 2 })),
        "string",
    );
    session.destroy();
    await assert.rejects(LanguageModel.create({ model: join(cache, "no") }), {
        name: "OperationError",
    });
    await assert.rejects(
        LanguageModel.create({ model: /** @type {any} */ (7) }),
        TypeError,
    );
});

test("install leaves what is there, unless forced", () => {
    /** @type {any} */
    const place = globalThis;
    assert.equal(install(), true);
    assert.equal(place.LanguageModel, LanguageModel);
    const { enumerable, writable, configurable } =
        Object.getOwnPropertyDescriptor(place, "LanguageModel") ?? {};
    assert.deepEqual([enumerable, writable, configurable], [false, true, true]);
    const other = (place.LanguageModel = class {});
    assert.equal(install(), false);
    assert.equal(place.LanguageModel, other);
    assert.equal(install({ force: true }), true);
    assert.equal(place.LanguageModel, LanguageModel);
    delete place.LanguageModel;
});
