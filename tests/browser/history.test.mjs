// The demo's chats: kept, opened again, renamed, deleted, exported, imported, in
// one tab and in two; another model in a chat; the end of everything.
import assert from "node:assert/strict";
import { readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { before, describe, test } from "node:test";
import {
    answered,
    ask,
    endless,
    lastAnswer,
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

describe("chats", { skip: withoutBrowser }, () => {
    let tiny = "";
    let slow = "";
    before(async () => {
        tiny = await writeTiny("tiny.gguf");
        slow = await writeTiny("slow.gguf", endless);
    });

    /** @typedef {import("playwright-core").Page} Page */
    /** @param {Page} page */
    const titles = (page) => page.locator(".chat-row a").allInnerTexts();
    /** @param {Page} page @param {string} name */
    const loadAddress = async (page, name) => {
        await page.fill("#url", `models/${name}`);
        await page.press("#url", "Enter");
        await page.waitForSelector("#chat:visible");
    };
    /** @param {Page} page @param {string} label */
    const menu = async (page, label) => {
        await page.click("#chat-menu");
        await page.locator(".menu").getByText(label).click();
    };
    /** @param {Page} page @param {number} n */
    const waitForChats = (page, n) =>
        page.waitForFunction(
            (n) => document.querySelectorAll(".chat-row").length === n,
            n,
        );

    test("a reload loses nothing, and the chat goes on", async (t) => {
        const { page, errors } = await openPage(t, {}, {}, brief);
        await loadAddress(page, "tiny.gguf");
        await ask(page, "First question");
        await answered(page);
        const answer = await lastAnswer(page);
        await page.fill("#message", "half a thought");
        await page.reload();
        await started(page);
        await page.waitForSelector(".message.assistant .answer-text p");
        assert.equal(await lastAnswer(page), answer);
        assert.deepEqual(await titles(page), ["First question"]);
        assert.equal(await page.inputValue("#message"), "half a thought");
        // The model is loaded again when it is asked, without a click.
        await ask(page, "Second question");
        await page.waitForSelector("#chat:visible");
        await page.waitForFunction(
            () => document.querySelectorAll(".turn-actions").length === 2,
        );
        await answered(page);
        assert.equal(await page.locator(".message.user").count(), 2);
        const [first] = await page
            .locator(".message.assistant .answer-text")
            .allInnerTexts();
        assert.equal(first, answer);
        assert.deepEqual(errors, []);
    });

    test("an answer that was coming when the tab was closed", async (t) => {
        const { page, url } = await openPage(
            t,
            {},
            {},
            { maxTokens: 32768, contextLength: 8192 },
        );
        await loadAddress(page, "slow.gguf");
        await ask(page, "Talk");
        await page.waitForFunction(
            () =>
                (document.querySelector(".answer-text")?.textContent?.length ??
                    0) > 200,
        );
        // It is kept as it comes.
        const kept = () =>
            page.evaluate(async () => {
                /** @type {IDBDatabase} */
                const database = await new Promise((done) => {
                    const request = indexedDB.open("pipit-app");
                    request.onsuccess = () => done(request.result);
                });
                const turns = database.transaction("turns");
                /** @type {any[]} */
                const all = await new Promise((done) => {
                    const request = turns.objectStore("turns").getAll();
                    request.onsuccess = () => done(request.result);
                });
                database.close();
                return all[0]?.answer.length ?? 0;
            });
        while ((await kept()) < 50) await page.waitForTimeout(100);
        const context = page.context();
        await page.close({ runBeforeUnload: false });
        const again = await context.newPage();
        await again.goto(url);
        await started(again);
        await again.click(".chat-row a");
        await again.waitForSelector(".answer-text p");
        assert.match(await again.innerText("#messages"), /Stopped\./);
        assert.ok((await lastAnswer(again)).length > 20);
    });

    test("several chats: open, rename, delete", async (t) => {
        const { page, errors } = await openPage(t, {}, {}, brief);
        await loadFile(page, tiny);
        for (const question of ["One", "Two", "Three"]) {
            await page.click("#new-chat");
            await ask(page, question);
            await page.waitForSelector(".turn-actions");
            await answered(page);
        }
        assert.deepEqual(await titles(page), ["Three", "Two", "One"]);
        await page.click(".chat-row a >> text=One");
        await page.waitForSelector("#chat-title:text-is('One')");
        assert.equal(await page.locator(".message.user").count(), 1);
        await menu(page, "Rename");
        await page.fill("#ask-text", "Number <b>one</b>");
        await page.keyboard.press("Enter");
        await page.waitForSelector("#chat-title:has-text('Number <b>one')");
        assert.ok((await titles(page)).includes("Number <b>one</b>"));
        // No is no; yes is yes.
        await menu(page, "Delete");
        await page.keyboard.press("Escape");
        assert.equal((await titles(page)).length, 3);
        await menu(page, "Delete");
        await page.locator("#ask").getByText("Delete", { exact: true }).click();
        await waitForChats(page, 2);
        await page.waitForSelector("#starters:visible");
        await page.goBack().catch(() => {});
        assert.equal((await titles(page)).length, 2);
        assert.deepEqual(errors, []);
    });

    test("exported and imported", async (t) => {
        const { page } = await openPage(t, {}, {}, brief);
        await loadFile(page, tiny);
        await ask(page, "Keep me");
        await answered(page);
        const answer = await lastAnswer(page);
        const [markdown] = await Promise.all([
            page.waitForEvent("download"),
            menu(page, "Export as Markdown"),
        ]);
        assert.equal(markdown.suggestedFilename(), "Keep me.md");
        const text = await readFile(await markdown.path(), "utf8");
        assert.match(text, /^# Keep me\n\n> Keep me\n\n/);
        await page.click("#open-settings");
        const [json] = await Promise.all([
            page.waitForEvent("download"),
            page.click("#export-chats"),
        ]);
        const path = await json.path();
        await page.keyboard.press("Escape");
        await menu(page, "Delete");
        await page.locator("#ask").getByText("Delete", { exact: true }).click();
        await waitForChats(page, 0);
        await page.click("#open-settings");
        await page.setInputFiles("#import-chats", path);
        await waitForChats(page, 1);
        // What is wrong is named and takes nothing.
        const wrong = join(scratch.folder, "wrong.json");
        const spoilt = JSON.parse(await readFile(path, "utf8"));
        spoilt.chats[0].turns[0].answer = 7;
        await writeFile(wrong, JSON.stringify(spoilt));
        await page.setInputFiles("#import-chats", wrong);
        await page.waitForSelector(
            "#chats-news:has-text('chats[0].turns[0].answer')",
        );
        await page.keyboard.press("Escape");
        await page.click(".chat-row a");
        await page.waitForSelector(".answer-text p");
        assert.equal(await lastAnswer(page), answer);
        assert.equal((await titles(page)).length, 1);
    });

    test("another model goes on with the chat", async (t) => {
        const { page, errors } = await openPage(t, {}, {}, brief);
        await loadAddress(page, "tiny.gguf");
        await ask(page, "To the first");
        await answered(page);
        const first = await lastAnswer(page);
        await page.click("#model");
        await page.waitForSelector('button[aria-label="Use tiny.gguf"]');
        await page.setInputFiles("#file", slow);
        await page.waitForSelector("#chat:visible");
        assert.equal(await page.innerText("#model-name"), "slow.gguf");
        assert.equal(await lastAnswer(page), first);
        await ask(page, "To the second");
        await page.waitForSelector(".turn-actions >> nth=1");
        await answered(page);
        // It read what was said to the first.
        const prompt = (await page.textContent("#stat-prompt")) ?? "";
        assert.ok(Number(/^(\d+) new/.exec(prompt)?.[1]) > 30, prompt);
        await page.click("#model");
        await page.click('button[aria-label="Use tiny.gguf"]');
        await page.waitForSelector("#chat:visible");
        assert.equal(await page.locator(".message.user").count(), 2);
        assert.deepEqual(errors, []);
    });

    test("a long chat: the model no longer sees its beginning", async (t) => {
        const { page, errors } = await openPage(
            t,
            {},
            {},
            { temperature: 0, maxTokens: 8, contextLength: 200 },
        );
        await loadFile(page, tiny);
        for (let i = 0; i < 6; i++) {
            await ask(page, `Question ${i} of a talk that grows and grows`);
            await page.waitForSelector(`.turn-actions >> nth=${i}`);
            await answered(page);
        }
        assert.deepEqual(await page.locator(".failure").allInnerTexts(), []);
        assert.deepEqual(errors, []);
    });

    test("two tabs: both see what either does", async (t) => {
        const { page, url } = await openPage(t, {}, {}, brief);
        const other = await page.context().newPage();
        await other.goto(url);
        await started(other);
        await loadFile(page, tiny);
        await ask(page, "From the first tab");
        await answered(page);
        await waitForChats(other, 1);
        await other.click(".chat-row a");
        await other.waitForSelector("#chat:visible");
        await other.click("#chat-menu");
        await other.locator(".menu").getByText("Delete").click();
        await other
            .locator("#ask")
            .getByText("Delete", { exact: true })
            .click();
        await waitForChats(page, 0);
        // An answer to a chat that is gone does not bring half of it back.
        await ask(page, "Still there?");
        await page.waitForSelector(".turn-actions >> nth=1");
        await answered(page);
        assert.deepEqual(await page.locator(".failure").allInnerTexts(), []);
    });

    test("delete everything leaves nothing", async (t) => {
        const { page, url } = await openPage(
            t,
            {},
            { serviceWorkers: "allow" },
            undefined,
        );
        await page.waitForFunction(
            () => navigator.serviceWorker.controller !== null,
        );
        await loadAddress(page, "tiny.gguf");
        await ask(page, "Delete me");
        await page.keyboard.press("Escape");
        await page.waitForSelector(".turn-actions");
        await page.click("#open-settings");
        await page.fill("#setting-maxTokens", "9");
        await page.click("#erase");
        await Promise.all([
            page.waitForEvent("framenavigated"),
            page
                .locator("#ask")
                .getByText("Delete everything", { exact: true })
                .last()
                .click(),
        ]);
        await page.waitForSelector("#choose:visible");
        assert.equal(page.url(), url);
        const left = await page.evaluate(async () => {
            const root = await navigator.storage.getDirectory();
            const folders = [];
            for await (const name of /** @type {any} */ (root).keys())
                folders.push(name);
            const names = (await indexedDB.databases()).map(({ name }) => name);
            return {
                folders,
                settings: Object.keys(localStorage),
                chats: document.querySelectorAll(".chat-row").length,
                names,
            };
        });
        assert.deepEqual(left.settings, []);
        assert.equal(left.chats, 0);
        // The page that begins anew has an empty store again, at most.
        const { models } = { models: await page.locator("#kept").isHidden() };
        assert.equal(models, true);
        const shells = await page.evaluate(async () => {
            let stored = 0;
            const database = await new Promise((done) => {
                const request = indexedDB.open("pipit-app");
                request.onsuccess = () => done(request.result);
            });
            for (const name of database.objectStoreNames)
                stored += await new Promise((done) => {
                    const request = database
                        .transaction(name)
                        .objectStore(name)
                        .count();
                    request.onsuccess = () => done(request.result);
                });
            database.close();
            return stored;
        });
        assert.equal(shells, 0);
    });
});
