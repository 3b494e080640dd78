// The store of models in Chromium: each of its three kinds, downloads that are
// torn, shared, refused, and storage that fails at any call.
import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { basename } from "node:path";
import { after, before, describe, test } from "node:test";
import { impatient, startBadServer } from "../tools/bad-server.mjs";
import {
    endless,
    openPage,
    realModel,
    testPages,
    useBrowser,
    withoutBrowser,
    withoutRealModel,
    writeTiny,
} from "./support.mjs";

/** @typedef {import("playwright-core").Page} Page */

/** @type {import("../tools/bad-server.mjs").BadServer} */
let bad;
/** @type {Buffer} */
let body;

/**
 * Calls a method of the store in a page.
 * @param {Page} page
 * @param {string} method
 * @param {unknown[]} args
 * @param {string} [query] what the store's worker has to suffer
 * @returns {Promise<any>} its result, or { error, status, message }
 */
const call = (page, method, args = [], query) =>
    page.evaluate(
        async ({ method, args, query }) => {
            const { openModels } = await import(
                new URL("pipit/models.js", document.baseURI).href
            );
            const scope = /** @type {any} */ (globalThis);
            const workerUrl = query && `store-worker.js?${query}`;
            const stores = (scope.stores ??= {});
            const models = (stores[query ?? ""] ??= openModels({ workerUrl }));
            try {
                return await models[method](...args);
            } catch (error) {
                const { code, message, details } = /** @type {any} */ (error);
                return { error: code, message, status: details?.status };
            }
        },
        { method, args, query },
    );

/**
 * Loads and closes a model.
 * @param {Page} page @param {string} source
 * @returns {Promise<string>} an error's code, or ""
 */
const load = (page, source) =>
    page.evaluate(async (source) => {
        const { loadModel } = await import(
            new URL("pipit/index.js", document.baseURI).href
        );
        try {
            const model = await loadModel(source, { threads: 1 });
            const session = await model.createSession({ contextLength: 16 });
            await session.eval([1, 2, 3]);
            await model.close();
            return "";
        } catch (error) {
            return /** @type {any} */ (error).code ?? String(error);
        }
    }, source);

const at = (/** @type {string} */ way) => `${bad.url}${way}/tiny.gguf`;
const limits = impatient;

describe("the store in Chromium", { skip: withoutBrowser }, () => {
    useBrowser();

    before(async () => {
        body = await readFile(await writeTiny("tiny.gguf", { layers: 2 }));
        bad = await startBadServer(body);
    });
    after(() => bad?.close());

    const open = (/** @type {import("node:test").TestContext} */ t) =>
        openPage(t, { page: testPages });

    for (const [kind, query] of /** @type {const} */ ([
        ["opfs", ""],
        ["cache", "without=opfs"],
        ["memory", "without=opfs,cache"],
    ]))
        test(`${kind}: pulled once, loaded without a request`, async (t) => {
            const { page, url, requests } = await open(t);
            const source = `${url}models/tiny.gguf`;
            const stored = await call(page, "pull", [source], query);
            assert.equal(stored.size, body.length, JSON.stringify(stored));
            assert.equal((await call(page, "usage", [], query)).kind, kind);
            const before = requests.length;
            assert.equal(await load(page, source), "");
            assert.deepEqual(
                requests.slice(before).filter((one) => one.includes(".gguf")),
                [],
            );
            const again = await call(page, "pull", [source], query);
            assert.deepEqual(again, stored);
            assert.deepEqual(await call(page, "list", [], query), [stored]);
            assert.equal(await call(page, "has", [source], query), true);
            assert.equal(await call(page, "remove", [source], query), true);
            assert.deepEqual(await call(page, "list", [], query), []);
            assert.equal(await load(page, source), ""); // from the server
            assert.ok(requests.slice(before).includes(source));
        });

    test("an imported file stays after a reload", async (t) => {
        const { page } = await open(t);
        const source = await page.evaluate(
            async (bytes) => {
                const { models } = await import(
                    new URL("pipit/models.js", document.baseURI).href
                );
                const file = new File([Uint8Array.from(bytes)], "mine.gguf");
                return (await models.import(file)).source;
            },
            [...body],
        );
        assert.equal(source, "local:mine.gguf");
        await page.reload();
        assert.equal(await load(page, source), "");
        await call(page, "remove", [source]);
        assert.equal(await load(page, source), "not-found");
    });

    for (const [way, error, status] of /** @type {const} */ ([
        ["404", "not-found", 404],
        ["403", "network", 403],
        ["500", "network", 500],
        ["html", "invalid-file", undefined],
        ["text", "invalid-file", undefined],
        ["short", "network", undefined],
        ["loop", "network", undefined],
    ]))
        test(`a server that answers ${way}: ${error}`, async (t) => {
            const { page } = await open(t);
            const found = await call(page, "pull", [at(way), { limits }]);
            assert.equal(found.error, error, JSON.stringify(found));
            assert.equal(found.status, status);
            assert.equal(await call(page, "has", [at(way)]), false);
        });

    for (const way of ["torn", "changing", "silent", "unnamed", "halves"])
        test(`a server that is ${way}: repaired`, async (t) => {
            const { page } = await open(t);
            const found = await call(page, "pull", [at(way), { limits }]);
            assert.equal(found.size, body.length, JSON.stringify(found));
            assert.equal(await load(page, at(way)), "");
        });

    test("two tabs download a model once, and both see it come", async (t) => {
        const { page } = await open(t);
        const other = await page.context().newPage();
        await other.goto(page.url());
        const source = at("slow");
        const before = bad.requests.length;
        const both = [page, other].map((tab) =>
            tab.evaluate(async (source) => {
                const { models } = await import(
                    new URL("pipit/models.js", document.baseURI).href
                );
                let told = 0;
                const onProgress = () => told++;
                await models.pull(source, { onProgress });
                return told;
            }, source),
        );
        for (const told of await Promise.all(both)) assert.ok(told > 1);
        assert.equal(bad.requests.length - before, 1);
    });

    for (const query of ["", "without=opfs"])
        test(`a closed tab's download goes on (${query})`, async (t) => {
            const { page } = await open(t);
            const tab = await page.context().newPage();
            await tab.goto(page.url());
            const source = `${at("slow")}?${query}`;
            const seen = tab.waitForEvent("console");
            void tab
                .evaluate(
                    async ({ source, query }) => {
                        const { openModels } = await import(
                            new URL("pipit/models.js", document.baseURI).href
                        );
                        const workerUrl = `store-worker.js?${query}`;
                        await openModels({ workerUrl }).pull(source, {
                            onProgress: (/** @type {any} */ { loaded }) =>
                                loaded > 5000 && console.log("some"),
                        });
                    },
                    { source, query },
                )
                .catch(() => {});
            await seen;
            await tab.close();
            const options = [source, { limits }];
            const found = await call(page, "pull", options, query);
            assert.equal(found.size, body.length, JSON.stringify(found));
            // A block of the Cache API is larger than this model.
            if (query === "")
                assert.match(
                    String(bad.requests.at(-1)?.range),
                    /^bytes=[1-9]\d*-$/,
                );
            assert.equal(await load(page, source), "");
        });

    test("the browser is asked to keep it, and says whether", async (t) => {
        const { page } = await open(t);
        assert.equal((await call(page, "usage")).persisted, false);
        const kept = await call(page, "persist");
        assert.equal(typeof kept, "boolean");
        assert.equal((await call(page, "usage")).persisted, kept);
    });

    test("what was evicted is fetched again", async (t) => {
        const { page, url } = await open(t);
        const source = `${url}models/tiny.gguf`;
        await call(page, "pull", [source]);
        await page.evaluate(async () => {
            const root = await navigator.storage.getDirectory();
            const folder = await root.getDirectoryHandle("pipit-models");
            for await (const name of /** @type {any} */ (folder).keys())
                if (!name.endsWith(".json")) await folder.removeEntry(name);
        });
        assert.equal(await call(page, "has", [source]), false);
        assert.deepEqual(await call(page, "list"), []);
        assert.equal(await load(page, source), "");
        assert.equal((await call(page, "pull", [source])).size, body.length);
    });

    test("cache: a block that was evicted is fetched again", async (t) => {
        await writeTiny("blocks.gguf", { ...endless, layers: 8 });
        const { page, url } = await open(t);
        const source = `${url}models/blocks.gguf`;
        const query = "without=opfs";
        const { size } = await call(page, "pull", [source], query);
        assert.ok(size > 4 << 20, "it has two blocks");
        await page.evaluate(async () => {
            const cache = await caches.open("pipit-models");
            for (const request of await cache.keys())
                if (request.url.endsWith("/0")) await cache.delete(request);
        });
        assert.equal(await call(page, "has", [source], query), false);
        assert.equal(await load(page, source), ""); // from the server
        const again = await call(page, "pull", [source], query);
        assert.equal(again.size, size);
        assert.equal(await call(page, "has", [source], query), true);
        assert.equal(await load(page, source), "");
    });

    test("what would not fit is refused before it is fetched", async (t) => {
        const { page } = await open(t);
        const source = at("slow");
        const found = await call(page, "pull", [source], "quota=1000");
        assert.equal(found.error, "disk-full", JSON.stringify(found));
        assert.match(found.message, /needs \d+ bytes, the browser gives 1000/);
        assert.equal((await call(page, "usage")).partial, 0);
    });

    for (const [kind, query] of /** @type {const} */ ([
        ["opfs", ""],
        ["cache", "without=opfs"],
    ]))
        test(`${kind}: a full disk loses nothing`, async (t) => {
            const { page, url } = await open(t);
            const kept = `${url}models/tiny.gguf`;
            await call(page, "pull", [kept], query);
            const client = await page.context().newCDPSession(page);
            const origin = new URL(url).origin;
            const setQuota = (/** @type {object} */ quota) =>
                client.send("Storage.overrideQuotaForOrigin", {
                    origin,
                    ...quota,
                });
            // estimate() does not tell: Chromium rounds, against tracking.
            await setQuota({ quotaSize: body.length + 2000 });
            const found = await call(page, "pull", [at("good")], query);
            assert.equal(found.error, "disk-full", JSON.stringify(found));
            assert.equal(await load(page, kept), "");
            assert.equal((await call(page, "list", [], query)).length, 1);
            await setQuota({});
            const { size } = await call(page, "pull", [at("good")], query);
            assert.equal(size, body.length);
        });

    for (const [kind, query] of /** @type {const} */ ([
        ["opfs", ""],
        ["cache", "without=opfs&"],
    ]))
        test(`${kind}: any call may fail, nothing is lost`, async (t) => {
            const { page, url } = await open(t);
            const kept = `${url}models/tiny.gguf`;
            const calm = query && "without=opfs";
            await call(page, "pull", [kept], calm);
            const source = at("good");
            let failures = 0;
            for (let n = 1; ; n++) {
                const name = n % 2 ? "QuotaExceededError" : "UnknownError";
                const found = await call(
                    page,
                    "pull",
                    [source, { limits }],
                    `${query}fail=${n}&name=${name}`,
                );
                assert.equal(await load(page, kept), "", `call ${n}`);
                if (found.error) {
                    failures++;
                    assert.match(
                        found.error,
                        /^(io|disk-full)$/,
                        found.message,
                    );
                }
                // Whole or absent: as another worker sees it.
                const has = await call(page, "has", [source], calm);
                if (!found.error) assert.equal(has, true, `call ${n}`);
                if (has) assert.equal(await load(page, source), "");
                await call(page, "pull", [source], calm);
                assert.equal(await load(page, source), "", `call ${n}`);
                await call(page, "remove", [source], calm);
                if (!found.error && n > 25) break;
                assert.ok(n < 200);
            }
            assert.ok(failures > 5, String(failures));
        });

    test("the real model", { skip: withoutRealModel }, async (t) => {
        const { page, url } = await openPage(t, {
            page: testPages,
            models: String(realModel).replace(/[^/]*$/, ""),
        });
        const source = `${url}models/${basename(String(realModel))}`;
        const startedAt = performance.now();
        const { sha256 } = await call(page, "pull", [source]);
        const seconds = (performance.now() - startedAt) / 1000;
        assert.equal(
            sha256,
            "b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53",
        );
        t.diagnostic(`${(98.4 / seconds).toFixed(0)} MB/s`);
        assert.equal(await load(page, source), "");
    });
});
