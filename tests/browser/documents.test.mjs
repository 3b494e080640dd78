// The demo's work on files: read, summarized, asked, extracted; the library with
// its index; what was used is said and linked; what can't be read is named.
import assert from "node:assert/strict";
import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { before, describe, test } from "node:test";
import { violations } from "./axe.mjs";
import { makePdf } from "./pdf.mjs";
import {
    answered,
    ask,
    loadFile,
    openPage,
    scratch,
    started,
    useBrowser,
    withoutBrowser,
    writeTiny,
} from "./support.mjs";

const brief = { temperature: 0, maxTokens: 8 };

useBrowser();

describe("documents", { skip: withoutBrowser }, () => {
    let tiny = "";
    /** @type {Record<string, string>} */
    const files = {};
    before(async () => {
        tiny = await writeTiny("tiny.gguf");
        const folder = join(scratch.folder, "documents");
        await mkdir(folder);
        const contents = {
            "warranty.md":
                "# Warranty\nTwo years from the day of purchase.\n\n" +
                "# Cleaning\nDescale it with vinegar on 3 March 2026.\n",
            "page.html":
                "<title>Shop</title><script>alert(1)</script>" +
                "<h1>Delivery</h1><p>Delivery costs 6 euros.</p>",
            "prices.csv": "name,price\nKettle,49.90 EUR\nFilter,9 EUR\n",
            "arabic.txt": "الضمان سنتان من يوم الشراء.",
            "noise.txt": Buffer.from([0, 1, 2, 0, 255, 0]),
            "empty.txt": " \n ",
            "broken.pdf": "%PDF-1.4\nnothing",
            "report.pdf": makePdf([
                ["The annual report.", "Sales grew by 12 percent."],
                ["Penguins are discussed on", "the second page (only)."],
            ]),
        };
        for (const [name, content] of Object.entries(contents)) {
            files[name] = join(folder, name);
            await writeFile(join(folder, name), content);
        }
    });

    /** @typedef {import("playwright-core").Page} Page */
    /** @param {Page} page */
    const openLibrary = async (page) => {
        await page.evaluate(() => (location.hash = "#/documents"));
        await page.waitForSelector("#library:visible");
    };
    /** @param {Page} page @param {number} n */
    const turns = async (page, n) => {
        await page.waitForSelector(`.turn-actions >> nth=${n - 1}`);
        await answered(page);
    };
    /** @param {Page} page @param {string[]} names */
    const attach = async (page, ...names) => {
        await page.setInputFiles(
            "#attach-input",
            names.map((name) => String(files[name])),
        );
        await page.waitForSelector("#scope-chips li");
    };

    test("a PDF: its reader comes when it is needed, pages are named", async (t) => {
        const { page, url, errors, requests } = await openPage(
            t,
            {},
            {},
            brief,
        );
        await loadFile(page, tiny);
        assert.ok(!requests.some((one) => one.includes("/vendor/pdf")));
        await attach(page, "report.pdf");
        assert.ok(requests.some((one) => one.includes("/vendor/pdf")));
        await ask(page, "What about penguins?");
        await turns(page, 1);
        assert.equal(await page.textContent(".source"), "1page 2");
        assert.match(await page.innerText(".used"), /1 of 2 .*: page 2$/);
        await page.click(".source");
        await page.waitForSelector("#viewer[open]");
        assert.match(await page.innerText(".here"), /Penguins are discussed/);
        assert.match(await page.innerText(".here mark"), /Penguins/);
        await page.keyboard.press("Escape");
        await page.click("#scope-tasks >> text=Summarize");
        await turns(page, 2);
        assert.match(
            await page.locator(".used").last().innerText(),
            /all of report\.pdf/,
        );
        assert.deepEqual(
            requests.filter((one) => !one.startsWith(url)),
            [],
        );
        assert.deepEqual(errors, []);
    });

    test("extracted by rules, without a model; kept over a reload", async (t) => {
        const { page, errors } = await openPage(t, {}, {}, brief);
        await page.evaluate(() => (location.hash = "#/chat"));
        await page.waitForSelector("#chat:visible");
        await attach(page, "warranty.md");
        await page.click("#scope-tasks >> text=Extract");
        await page.locator(".menu").getByText("Dates").click();
        await turns(page, 1);
        assert.match(await page.innerText(".answer-text"), /^3 March 2026: /);
        await page.click(".cite");
        await page.waitForSelector("#viewer[open]");
        await page.keyboard.press("Escape");
        await page.reload();
        await started(page);
        await page.waitForSelector(".scope-chip >> text=warranty.md");
        assert.match(await page.innerText(".answer-text"), /^3 March 2026: /);
        assert.deepEqual(await violations(page), []);
        assert.deepEqual(errors, []);
    });

    test("what can't be read is named", async (t) => {
        const { page } = await openPage(t, {}, {}, brief);
        await page.evaluate(() => (location.hash = "#/chat"));
        await page.waitForSelector("#chat:visible");
        for (const [name, code] of Object.entries({
            "noise.txt": "document-kind",
            "empty.txt": "document-empty",
            "broken.pdf": "document-broken",
        })) {
            await page.setInputFiles("#attach-input", String(files[name]));
            await page.waitForSelector(`[data-code="${code}"]`);
        }
        await attach(page, "prices.csv");
        assert.equal(await page.locator(".scope-chip").count(), 1);
    });

    test("the library: found, asked, linked, kept, removed", async (t) => {
        const { page, errors } = await openPage(t, {}, {}, brief);
        await openLibrary(page);
        await page.setInputFiles(
            "#library-files",
            ["warranty.md", "page.html", "prices.csv", "arabic.txt"].map(
                (name) => String(files[name]),
            ),
        );
        await page.waitForSelector("#library-full:visible");
        assert.equal(await page.locator("#library-list li").count(), 4);
        await page.fill("#library-words", "delivery cost");
        await page.waitForSelector(".hits button >> text=Delivery costs 6");
        assert.deepEqual(await violations(page), []);
        await page.evaluate(() => (location.hash = "#/models"));
        await loadFile(page, tiny);
        await openLibrary(page);
        await page.click("#library-ask");
        await ask(page, "What is the warranty?");
        await turns(page, 1);
        await page.click(".source >> text=Warranty");
        await page.waitForSelector("#viewer[open] .here");
        assert.match(await page.innerText(".here"), /Two years/);
        assert.deepEqual(await violations(page), []);
        await page.keyboard.press("Escape");
        // Nothing fits: the model is not asked.
        await ask(page, "Refrigerator?");
        await page.waitForSelector(".ended >> text=not asked");
        await answered(page);
        // The index is there again after a reload.
        await openLibrary(page);
        await page.reload();
        await started(page);
        await page.waitForSelector("#library-full:visible");
        await page.fill("#library-words", "vinegar");
        await page.waitForSelector(".hits button >> text=Descale");
        await page.click('button[aria-label="Remove warranty.md"]');
        await page.waitForSelector(".hits >> text=Nothing found");
        assert.deepEqual(errors, []);
    });

    /** Drags a file or a folder from outside and drops it, as a hand does:
     * the page gets real entries. @param {Page} page @param {string[]} paths */
    async function drop(page, ...paths) {
        const session = await page.context().newCDPSession(page);
        const data = { items: [], files: paths, dragOperationsMask: 1 };
        const at = { x: 600, y: 400, data };
        const send = (/** @type {"dragEnter" | "dragOver" | "drop"} */ type) =>
            session.send("Input.dispatchDragEvent", { type, ...at });
        await send("dragEnter");
        await send("dragOver");
        await page.waitForSelector("#drop:visible");
        await send("drop");
        await page.waitForSelector("#drop", { state: "hidden" });
        await session.detach();
    }

    test("a dropped folder, with folders in it", async (t) => {
        const folder = join(scratch.folder, "manuals");
        await mkdir(join(folder, "kettle/old"), { recursive: true });
        await mkdir(join(folder, "empty"));
        // More than a browser lists at once.
        for (let i = 0; i < 120; i++)
            await writeFile(join(folder, `note ${i}.txt`), `Note of day ${i}.`);
        await writeFile(
            join(folder, "kettle/old/K1.md"),
            "# Descaling\nUse citric acid once a month.\n",
        );
        await writeFile(join(folder, "kettle/photo.bin"), "\u0000");
        await writeFile(join(folder, "kettle/report.pdf"), "%PDF-1.4\nbroken");
        const { page, errors } = await openPage(t, {}, {}, brief);
        await openLibrary(page);
        await drop(page, folder);
        await page.waitForSelector("#library-full:visible");
        await page.waitForSelector("#library-work", { state: "hidden" });
        const names = await page.locator(".document-name").allInnerTexts();
        assert.equal(names.length, 121);
        assert.ok(names.includes("manuals/kettle/old/K1.md"));
        const news = await page.innerText("#library-problems");
        assert.match(news, /^121 documents were read\. 1 file was left out/);
        assert.match(news, /1 could not be read/);
        assert.match(news, /manuals\/kettle\/report\.pdf: /);
        assert.equal(await page.innerText("#library-count"), "121");
        await page.fill("#library-words", "citric");
        await page.waitForSelector(".hits strong >> text=K1.md · Descaling");
        // Dropped again it replaces what it was, and doubles nothing.
        await drop(page, folder);
        await page.waitForSelector("#library-problems >> text=121 documents");
        await page.waitForSelector("#library-work", { state: "hidden" });
        assert.equal(await page.locator(".document-name").count(), 121);
        assert.deepEqual(await violations(page), []);
        assert.deepEqual(errors, []);
    });

    test("a chosen folder; its reading is seen, and can be stopped", async (t) => {
        const folder = join(scratch.folder, "many");
        await mkdir(folder);
        const pages = Array.from({ length: 40 }, (_, i) => [`Page ${i}.`]);
        for (let i = 0; i < 60; i++)
            await writeFile(join(folder, `report ${i}.pdf`), makePdf(pages));
        const { page } = await openPage(t, {}, {}, brief);
        await openLibrary(page);
        await page.setInputFiles("#library-folder", folder);
        await page.waitForFunction(() =>
            /^[2-9] of 60: many\/report/.test(
                document.querySelector("#library-phase")?.textContent ?? "",
            ),
        );
        const bar = page.locator("#library-bar");
        assert.ok(Number(await bar.getAttribute("value")) > 0);
        await page.click("#library-stop");
        await page.waitForSelector("#library-work", { state: "hidden" });
        // What was read until then is there.
        const n = await page.locator(".document-name").count();
        assert.ok(n > 0 && n < 60, `${n}`);
        const news = await page.innerText("#library-problems");
        assert.match(news, new RegExp(`^${n} documents? w`));
    });

    test("a file dropped on the chat is worked on there", async (t) => {
        const { page, errors } = await openPage(t, {}, {}, brief);
        await loadFile(page, tiny);
        await drop(page, String(files["warranty.md"]));
        await page.waitForSelector(".scope-chip >> text=warranty.md");
        await ask(page, "What is the warranty?");
        await turns(page, 1);
        assert.match(await page.innerText(".used"), /warranty\.md/);
        await drop(page, String(files["prices.csv"]));
        await page.waitForSelector(".scope-chip >> text=prices.csv");
        assert.equal(await page.locator(".scope-chip").count(), 2);
        // A model that is dropped is loaded instead.
        await drop(page, tiny);
        await page.waitForSelector("#loading:visible, #chat:visible");
        await page.waitForSelector("#chat:visible");
        assert.equal(await page.innerText("#model-name"), "tiny.gguf");
        assert.deepEqual(errors, []);
    });

    test("right to left, and narrow", async (t) => {
        const { page } = await openPage(
            t,
            {},
            { viewport: { width: 320, height: 640 } },
            brief,
        );
        await openLibrary(page);
        await page.setInputFiles("#library-files", [
            String(files["arabic.txt"]),
            String(files["warranty.md"]),
        ]);
        await page.click(".document-name >> text=arabic");
        await page.waitForSelector("#viewer[open]");
        const direction = await page
            .locator(".passage p")
            .first()
            .evaluate((p) => getComputedStyle(p).direction);
        assert.equal(direction, "rtl");
        await page.keyboard.press("Escape");
        await page.click("#open-chats");
        await page.waitForSelector(".chats-open");
        assert.deepEqual(await violations(page), []);
        await page.keyboard.press("Escape");
        const widths = await page.evaluate(() => [
            document.documentElement.scrollWidth,
            document.documentElement.clientWidth,
        ]);
        assert.equal(widths[0], widths[1]);
    });
});
