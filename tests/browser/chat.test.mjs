// The demo page with the default model: it is chosen, it answers, it remembers.
import assert from "node:assert/strict";
import { dirname } from "node:path";
import { describe, test } from "node:test";
import {
    answered,
    ask,
    lastAnswer,
    openPage,
    realModel,
    useBrowser,
    withoutRealModel,
} from "./support.mjs";

useBrowser();

describe("the default model", { skip: withoutRealModel }, () => {
    const models = dirname(realModel ?? "");

    for (const isolation of [true, false])
        test(`chats, isolation ${isolation}`, async (t) => {
            const { page, url, errors, requests } = await openPage(
                t,
                { models, isolation },
                {},
                { temperature: 0, maxTokens: 64 },
            );
            await page.click("#load-default");
            await page.waitForSelector("#loading:visible");
            await page.waitForSelector("#chat:visible");
            await page.click("text=What is the capital of France?");
            await answered(page);
            assert.match(await lastAnswer(page), /Paris/);
            await ask(page, "And of Italy?");
            await answered(page);
            assert.equal(await page.locator(".message.assistant").count(), 2);
            assert.notEqual(await lastAnswer(page), "");
            const number = async (/** @type {string} */ id) =>
                Number.parseFloat((await page.textContent(`#${id}`)) ?? "");
            assert.ok((await number("stat-rate")) > 0);
            assert.ok((await number("stat-first")) > 0);
            assert.ok((await number("stat-memory")) > 90);
            // The first turn was not evaluated again.
            const prompt = (await page.textContent("#stat-prompt")) ?? "";
            const [, kept = ""] = /new, (\d+) kept$/.exec(prompt) ?? [];
            assert.ok(Number(kept) > 20, prompt);
            // The weights came once, from here, as did the one module.
            const weights = requests.filter((r) => r.endsWith(".gguf"));
            assert.equal(weights.length, 1);
            const modules = requests.filter((r) => r.endsWith(".wasm"));
            assert.equal(modules.length, 1);
            assert.deepEqual(
                requests.filter((r) => !r.startsWith(url)),
                [],
            );
            assert.deepEqual(errors, []);
        });
});
