// The page that measures, with a tiny model.
import assert from "node:assert/strict";
import { readFile, writeFile } from "node:fs/promises";
import { createRequire } from "node:module";
import { join } from "node:path";
import { before, describe, test } from "node:test";
import {
    openPage,
    scratch,
    useBrowser,
    withoutBrowser,
    writeTiny,
} from "./support.mjs";

const axe = createRequire(import.meta.url).resolve("axe-core/axe.min.js");

useBrowser();

describe("the page that measures", { skip: withoutBrowser }, () => {
    let tiny = "";
    before(async () => {
        tiny = await writeTiny("bench.gguf");
    });

    /** @param {import("node:test").TestContext} t */
    async function opened(t) {
        const opened = await openPage(t);
        await opened.page.goto(new URL("bench.html", opened.url).href);
        return opened;
    }

    /** @param {import("playwright-core").Page} page */
    async function plan(page, prompts = "16", contexts = "0, 40") {
        await page.setInputFiles("#file", tiny);
        await page.fill("#threads", "1");
        await page.fill("#prompts", prompts);
        await page.fill("#contexts", contexts);
        await page.click("#start");
    }

    test("measures, saves and compares", async (t) => {
        const { page, errors } = await opened(t);
        await plan(page);
        await page.waitForSelector("#report:visible");
        const rows = await page.locator("#rows tr").allInnerTexts();
        assert.deepEqual(
            rows.map((row) => row.split("\t")[1]),
            [
                "prompt of 16",
                "decoding after 0",
                "decoding after 40",
                "load",
                "memory",
            ],
        );
        assert.equal(await page.locator("#plot svg rect").count(), 5);
        const [download] = await Promise.all([
            page.waitForEvent("download"),
            page.click("#save"),
        ]);
        const saved = join(scratch.folder, "report.json");
        await download.saveAs(saved);
        const report = JSON.parse(await readFile(saved, "utf8"));
        assert.equal(report.model, "bench.gguf");
        report.results[0].prompt[16] /= 4;
        await writeFile(saved, JSON.stringify(report));
        await page.setInputFiles("#earlier", saved);
        await page.waitForSelector("#then:visible");
        assert.match(
            await page.locator("#rows tr").first().innerText(),
            /4\.00 ×$/,
        );
        await page.evaluate(await readFile(axe, "utf8"));
        const problems = await page.evaluate(async () => {
            const { axe } = /** @type {any} */ (globalThis);
            const { violations } = await axe.run(document);
            return violations.map((/** @type {any} */ v) => v.id);
        });
        assert.deepEqual(problems, []);
        assert.deepEqual(errors, []);
    });

    test("wrong numbers are named; Stop stops", async (t) => {
        const { page } = await opened(t);
        await plan(page, "sixteen");
        assert.match(
            await page.locator("#problem").innerText(),
            /Prompts of.*whole numbers/s,
        );
        await plan(page, "400, 400, 400, 400", "0, 100, 200, 300");
        await page.click("#stop");
        await page.waitForSelector("#start:visible");
        assert.ok(await page.locator("#report").isHidden());
    });
});
