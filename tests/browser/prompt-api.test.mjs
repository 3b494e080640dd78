// The Prompt API in a page and in a worker: the same clauses as in Node; and the
// browser's own LanguageModel under those that need no model.
import assert from "node:assert/strict";
import { before, describe, test } from "node:test";
import {
    endless,
    launch,
    openPage,
    PATIENCE_MS,
    runTask,
    serve,
    testPages,
    useBrowser,
    withoutBrowser,
    writeTiny,
} from "./support.mjs";

const places = /** @type {const} */ (["page", "worker"]);

/** What shows the browser's own object with all its names, in workers too. */
const features = [
    ...["AIPromptAPI", "AIPromptAPIForWorkers", "AIPromptAPIParams"],
    ...["AIPromptAPILegacyIdentifiers", "AIPromptAPILegacyParams"],
    ...["AIPromptAPIToolUse", "AIPromptAPIMultimodalInput"],
].join();

/** A browser that has it, if this build can have it.
 * @param {import("node:test").TestContext} t @param {string[]} flags */
async function openOwn(t, flags) {
    const url = await serve(t, { page: testPages });
    const browser = await launch(flags);
    t.after(() => browser.close());
    const page = await browser.newPage();
    page.setDefaultTimeout(PATIENCE_MS);
    await page.goto(url);
    return page;
}

/** @param {import("node:test").TestContext} t
 * @param {{ name: string, error: string | undefined }[]} results */
async function report(t, results) {
    for (const { name, error } of results)
        await t.test(name, () => assert.equal(error, undefined));
}

useBrowser();

describe("the Prompt API", { skip: withoutBrowser }, () => {
    before(() => writeTiny("endless.gguf", endless));

    for (const place of places)
        test(`clause by clause in a ${place}`, async (t) => {
            const { page, url, requests } = await openPage(t, {
                page: testPages,
            });
            const { results, all } = await runTask(page, place, "promptApi", {
                models: `${url}models/`,
            });
            assert.equal(results.length, all);
            assert.ok(all > 60);
            await report(t, results);
            assert.deepEqual(
                requests.filter((request) => !request.startsWith(url)),
                [],
            );
        });

    for (const [place, flags] of /** @type {const} */ ([
        ["page", []],
        ["page", [`--enable-features=${features}`]],
        ["worker", [`--enable-features=${features}`]],
    ])) {
        const how = flags.length > 0 ? "with all its names" : "as it comes";
        test(`Chromium's own in a ${place}, ${how}`, async (t) => {
            const page = await openOwn(t, [...flags]);
            const results = await runTask(page, place, "promptApi", {
                own: true,
            });
            if (results === undefined)
                return t.skip(
                    `this build shows no LanguageModel in a ${place}`,
                );
            assert.ok(results.length >= (flags.length > 0 ? 20 : 15));
            await report(t, results);
        });
    }

    test("the same members with the same flags as Chromium's own", async (t) => {
        const flags = [`--enable-features=${features}`];
        const page = await openOwn(t, flags);
        const shape = await runTask(page, "page", "promptApiShape", {});
        if (shape === undefined)
            return t.skip("this build shows no LanguageModel in a page");
        assert.deepEqual(shape.ours, shape.own);
    });

    test("install leaves the browser's own, unless forced", async (t) => {
        const { page } = await openPage(t, { page: testPages });
        for (const place of places) {
            const did = await runTask(page, place, "promptApiInstall", {});
            assert.equal(did.installed, !did.hadOne, place);
            assert.equal(did.kept, did.hadOne, place);
            assert.equal(did.forced, true, place);
            assert.equal(did.own, true, place);
        }
    });
});
