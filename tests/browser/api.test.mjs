// The reference of the interface, as the site has it.
import assert from "node:assert/strict";
import { access } from "node:fs/promises";
import { join } from "node:path";
import { before, describe, test } from "node:test";
import { apiFolder, buildApi } from "../../demo/api.mjs";
import { openPage, useBrowser, withoutBrowser } from "./support.mjs";

useBrowser();

describe("the reference", { skip: withoutBrowser }, () => {
    before(buildApi);

    test("has every entry", async () => {
        for (const name of [
            "index",
            "store_models",
            "openai",
            "prompt-api",
            "train",
            "evaluate",
            "bench",
        ])
            await access(join(apiFolder, `modules/${name}.html`));
        await access(join(apiFolder, "functions/index.loadModel.html"));
    });

    test("is linked where it was built, can be read and searched", async (t) => {
        const { page, errors } = await openPage(t);
        await page.click("#api-link");
        await page.click('a[href="modules/index.html"]');
        await page.click('a[href="../functions/index.loadModel.html"]');
        assert.match((await page.textContent("h1")) ?? "", /loadModel/);
        await page.click("#tsd-search-trigger");
        await page.fill("#tsd-search-input", "applyChatTemplate");
        await page.waitForSelector(
            "#tsd-search-results li a, #tsd-search-results [role=option]",
        );
        assert.match(
            (await page.textContent("#tsd-search-results")) ?? "",
            /applyChatTemplate/,
        );
        assert.deepEqual(errors, []);
    });
});
