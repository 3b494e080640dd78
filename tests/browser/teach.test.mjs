// The page that teaches, with a tiny model: a file with mistakes, learning,
// before and after, both answers, a closed tab, what is kept and deleted.
import assert from "node:assert/strict";
import { readFile, writeFile } from "node:fs/promises";
import { createRequire } from "node:module";
import { join } from "node:path";
import { before, describe, test } from "node:test";
import { loadModel } from "pipit";
import { startServer } from "../../demo/serve.mjs";
import {
    newContext,
    openPage,
    scratch,
    started,
    useBrowser,
    withoutBrowser,
    writeTiny,
} from "./support.mjs";

const axe = createRequire(import.meta.url).resolve("axe-core/axe.min.js");

useBrowser();

describe("the page that teaches", { skip: withoutBrowser }, () => {
    let tiny = "";
    let table = "";
    before(async () => {
        const options = { type: "Q4_0", context: 1024 };
        tiny = await writeTiny("teach.gguf", options);
        table = join(scratch.folder, "my mails.csv");
        const rows = Array.from(
            { length: 30 },
            (_, i) =>
                `${i};mail ${i % 3 === 0 ? "cat" : "house"} ${i};${i % 3 === 0 ? "a" : "b"}`,
        );
        rows.splice(3, 0, "x;;a", "y;mail house 1;a", "z;nothing;");
        await writeFile(table, ["id;text of it;kind", ...rows].join("\n"));
    });

    /** @param {import("node:test").TestContext} t */
    async function opened(t) {
        const opened = await openPage(t);
        await opened.page.goto(new URL("teach.html", opened.url).href);
        await started(opened.page);
        return opened;
    }

    /** @param {import("playwright-core").Page} page */
    async function violations(page) {
        await page.evaluate(await readFile(axe, "utf8"));
        return page.evaluate(async () => {
            const { axe } = /** @type {any} */ (globalThis);
            const { violations } = await axe.run(document);
            return violations.map(
                (/** @type {any} */ v) => `${v.id}: ${v.nodes[0]?.html}`,
            );
        });
    }

    /** @param {import("playwright-core").Page} page */
    async function plan(page, epochs = "12") {
        await page.setInputFiles("#data-file", table);
        await page.waitForSelector("#preview:visible");
        await page.selectOption("#prompt-column", "text of it");
        await page.selectOption("#completion-column", "kind");
        await page.waitForFunction(() =>
            document
                .querySelector("#data-facts")
                ?.textContent?.includes("6 set"),
        );
        await page.setInputFiles("#model-file", tiny);
        await page.click("#plan summary");
        await page.fill("#epochs", epochs);
        await page.fill("#rate", "0.01");
    }

    test("from a table to an adapter that is downloaded", async (t) => {
        const { page, errors } = await opened(t);
        await plan(page);
        assert.match(
            await page.locator("#data-facts").innerText(),
            /^my-mails: 25 examples to learn, 6 set aside/,
        );
        const problems = await page
            .locator("#data-problems li")
            .allInnerTexts();
        assert.deepEqual(
            problems.map((words) => /Line \d+/.exec(words)?.[0]),
            ["Line 5", "Line 6", "Line 7"],
        );
        assert.deepEqual(await violations(page), []);

        await page.fill("#rank", "none");
        await page.click("#start");
        assert.match(
            await page.locator("#plan-problem").innerText(),
            /Rank of the adapter: a whole number/,
        );
        await page.fill("#rank", "8");
        await page.press("#rank", "Enter");
        await page.waitForSelector("#try:visible");
        assert.ok((await page.locator("#plot circle").count()) >= 70);
        assert.match(
            await page.locator("#results-text").innerText(),
            /6 examples that it never saw/,
        );
        const cells = await page.locator("#judged tbody tr").first();
        assert.equal(await cells.locator("td").count(), 4);
        assert.match(
            await cells.locator("td").nth(3).innerText(),
            /^✓\s+right|^✗\s+wrong/,
        );
        const score = await page.locator("#score > div").first().innerText();
        const [, was, is] = /(\d+) %.*?(\d+) %/s.exec(score) ?? [];
        assert.ok(Number(is) >= Number(was), score);

        await page.fill("#question", "mail cat 99");
        await page.press("#question", "Enter");
        await page.waitForFunction(
            () =>
                !["–", "…"].includes(
                    document.querySelector("#answer-taught")?.textContent ??
                        "–",
                ),
        );
        const taught = await page.locator("#answer-taught").innerText();
        assert.deepEqual(await violations(page), []);
        await page.setViewportSize({ width: 320, height: 700 });
        const width = await page.evaluate(
            () => document.documentElement.scrollWidth,
        );
        assert.equal(width, 320);

        const [download] = await Promise.all([
            page.waitForEvent("download"),
            page.click("text=Download"),
        ]);
        assert.equal(download.suggestedFilename(), "my-mails.gguf");
        const saved = join(scratch.folder, "my-mails.gguf");
        await download.saveAs(saved);
        // The same file answers the same in Node.
        const model = await loadModel(tiny, { threads: 1 });
        const adapter = await model.loadAdapter(saved);
        const chat = await model.createChat({ adapters: [{ adapter }] });
        let answer = "";
        for await (const text of chat.send("mail cat 99", {
            ...{ maxTokens: 200, temperature: 0 },
        }))
            answer += text;
        await model.close();
        assert.equal(taught.trim(), answer.trim() || "(nothing)");

        await page.click("#delete-all");
        await page.click("#delete-all");
        await page.waitForSelector("#kept", { state: "hidden" });
        assert.ok(await page.locator("#results").isHidden());
        assert.ok(await page.locator("#learn").isHidden());
        const left = await page.evaluate(async () => {
            const root = await navigator.storage.getDirectory();
            const folder = await root.getDirectoryHandle("pipit-training");
            const names = [];
            for await (const name of folder.keys()) names.push(name);
            return names;
        });
        assert.deepEqual(left, []);
        assert.deepEqual(errors, []);
    });

    test("a rate that is too high is said, and a lower one offered", async (t) => {
        const { page, errors } = await opened(t);
        await plan(page, "30");
        await page.fill("#rate", "10");
        await page.click("#start");
        await page.waitForSelector("#ended:visible");
        assert.match(
            await page.locator("#ended").innerText(),
            /rate was too high\. The loss.*last good step; try a third/s,
        );
        await page.waitForSelector("#start:visible");
        assert.deepEqual(await violations(page), []);
        const picture = process.env.PIPIT_PICTURES;
        if (picture) await page.screenshot({ path: picture, fullPage: true });
        await page.click("#lower-rate");
        assert.equal(await page.inputValue("#rate"), "3.3");
        assert.deepEqual(errors, []);
    });

    test("a closed tab goes on another day; pause and stop", async (t) => {
        const { page } = await opened(t);
        await plan(page, "100");
        await page.click("#start");
        const stepOf = async () =>
            Number.parseInt(await page.locator("#work-step").innerText());
        await page.waitForSelector("#pause:visible");
        await page.waitForFunction(
            () =>
                Number.parseInt(
                    document.querySelector("#work-step")?.textContent ?? "",
                ) > 15,
        );
        await page.click("#pause");
        // The step that was running ends, and no other begins.
        let at = Number.NaN;
        for (let still = 0; still < 5;) {
            await page.waitForTimeout(200);
            const step = await stepOf();
            still = step === at ? still + 1 : 0;
            at = step;
            assert.ok(at < 690, "it did not pause");
        }
        await page.click("#pause");
        await page.waitForFunction(
            (at) =>
                Number.parseInt(
                    document.querySelector("#work-step")?.textContent ?? "",
                ) >
                at + 12,
            at,
        );
        await page.reload(); // as closing and opening it again
        await started(page);
        await page.waitForSelector("#unfinished:visible");
        assert.match(
            await page.locator("#unfinished").innerText(),
            /“my-mails” was not finished/,
        );
        await page.setInputFiles("#model-file", tiny);
        await page.click("text=Go on");
        await page.waitForFunction(() =>
            /^\d+ of 700/.test(
                document.querySelector("#work-step")?.textContent ?? "",
            ),
        );
        assert.ok((await stepOf()) > at, "it went on where it was");
        await page.click("#cancel");
        await page.waitForSelector("#start:visible");
        await page.waitForSelector("#unfinished:visible");
        await page.click("text=Forget it");
        await page.waitForSelector("#unfinished", { state: "hidden" });
    });

    test("the workshop's mails, and files that are no examples", async (t) => {
        const { page, errors } = await opened(t);
        await page.click("#sample");
        await page.waitForSelector("#learn:visible");
        assert.match(
            await page.locator("#data-facts").innerText(),
            /200 examples to learn, 100 set aside/,
        );
        assert.equal(await page.locator("#data-problems li").count(), 0);
        await page.setInputFiles("#data-file", tiny);
        await page.waitForSelector("#data-problems [role=alert]");
        assert.ok(await page.locator("#learn").isHidden());
        assert.match(
            await page.locator("#data-problems").innerText(),
            /teach\.gguf: line 1: no UTF-8/,
        );
        await page.click("#sample");
        await page.waitForSelector("#learn:visible");
        await page.setInputFiles("#model-file", table);
        await page.click("#start");
        await page.waitForSelector("#failure [data-code=invalid-file]");
        assert.deepEqual(errors, []);
    });

    test("without a network, though only the chat was visited", async (t) => {
        const server = await startServer({ models: scratch.folder });
        t.after(server.close);
        const context = await newContext(t, { serviceWorkers: "allow" });
        const first = await context.newPage();
        await first.goto(server.url);
        await started(first);
        await first.waitForFunction(() => navigator.serviceWorker.controller);
        await first.close();
        await server.close();

        const page = await context.newPage();
        await page.goto(`${server.url}teach.html`);
        await started(page);
        assert.ok(await page.evaluate(() => crossOriginIsolated));
        await page.click("#sample");
        await page.waitForSelector("#learn:visible");
        await plan(page, "2");
        await page.click("#start");
        await page.waitForSelector("#try:visible");
        await page.waitForSelector("#kept-list li");
    });

    test("no room is said, and the page goes on", async (t) => {
        const { page, url } = await opened(t);
        await plan(page, "4");
        const session = await page.context().newCDPSession(page);
        const origin = new URL(url).origin;
        const limit = (/** @type {number} */ quotaSize) =>
            session.send("Storage.overrideQuotaForOrigin", {
                ...{ origin, quotaSize },
            });
        await limit(100_000);
        await page.click("#start");
        await page.waitForSelector("#failure [data-code=disk-full]");
        assert.ok(await page.locator("#start").isVisible());
        await session.send("Storage.overrideQuotaForOrigin", { origin });
        await page.click("#start");
        await page.waitForSelector("#try:visible");
    });
});
