// The panel "What happens" says the truth: its figures against the page's own
// clock, the model's tokenizer, the process, the store, and what a server saw.
import assert from "node:assert/strict";
import { cp, readFile, stat } from "node:fs/promises";
import { join } from "node:path";
import { describe, test } from "node:test";
import { formatBytes } from "../../demo/format.js";
import { exported } from "./audit.mjs";
import {
    answered,
    ask,
    endless,
    launch,
    newContext,
    openPage,
    realModel,
    scratch,
    useBrowser,
    withoutBrowser,
    withoutRealModel,
    writeTiny,
} from "./support.mjs";

/** @typedef {import("playwright-core").Page} Page */

useBrowser();

/** @param {Page} page @param {string} id */
const text = async (page, id) => (await page.textContent(`#${id}`)) ?? "";

/** All whole numbers of a figure. @param {Page} page @param {string} id */
const numbers = async (page, id) =>
    [...(await text(page, id)).matchAll(/\d[\d,.]*/g)].map(([number]) =>
        Number(number.replaceAll(",", "")),
    );

/** @param {string} shown as formatBytes writes it */
function bytesOf(shown) {
    const [, n = "", unit = ""] = /^([\d.]+) (kB|MB|GB)$/.exec(shown) ?? [];
    return Number(n) * { kB: 1e3, MB: 1e6, GB: 1e9 }[unit] || Number.NaN;
}

/** @param {Page} page @param {string} url */
async function loadAddress(page, url) {
    await page.fill("#url", url);
    await page.press("#url", "Enter");
    await page.waitForSelector("#chat:visible");
}

describe("what happens", { skip: withoutBrowser }, () => {
    test("rate and first token, as a clock in the page has them", async (t) => {
        await writeTiny("slow.gguf", endless);
        const tokens = 1200;
        const { page } = await openPage(
            t,
            {},
            {},
            { maxTokens: tokens, contextLength: 8192, temperature: 0 },
        );
        await loadAddress(page, "models/slow.gguf");
        await page.evaluate(() => {
            const seen = /** @type {any} */ (globalThis);
            const note = () => {
                if (!document.querySelector(".answer-text > *")) return;
                seen.first ??= performance.now();
                seen.last = performance.now();
            };
            new MutationObserver(note).observe(
                /** @type {Element} */ (document.querySelector("#messages")),
                { childList: true, characterData: true, subtree: true },
            );
            addEventListener(
                "keydown",
                ({ key }) => {
                    if (key === "Enter") seen.asked = performance.now();
                },
                true,
            );
        });
        await ask(page, "Talk");
        await page.waitForSelector(".turn-actions");
        const seen = await page.evaluate(() => {
            const { asked, first, last } = /** @type {any} */ (globalThis);
            return { first: first - asked, writing: last - first };
        });
        const [rate = 0] = await numbers(page, "stat-rate");
        const [seconds = 0] = await numbers(page, "stat-first");
        assert.deepEqual(await numbers(page, "stat-answer"), [tokens]);
        // Nothing is on the screen before the engine has it.
        assert.ok(1000 * seconds <= seen.first + 10, `${seconds} s`);
        assert.ok(1000 * seconds >= seen.first / 4 - 100, `${seconds} s`);
        const writing = (1000 * (tokens - 1)) / rate;
        const share = writing / seen.writing;
        assert.ok(share > 0.75 && share < 1.25, `${writing}, ${seen.writing}`);
        // The line below the answer, and the plot's words, say the same.
        const line = await page.innerText(".figures-line");
        assert.match(line, /^1,200 tokens · /);
        assert.match(line, new RegExp(` ${rate} tokens/s · `));
        await ask(page, "Talk again");
        await page.waitForSelector(".turn-actions >> nth=1");
        await answered(page);
        const label = await page
            .locator("#plots svg")
            .first()
            .getAttribute("aria-label");
        const [newer] = await numbers(page, "stat-rate");
        assert.match(label ?? "", /of the last 2 answers: /);
        assert.match(label ?? "", new RegExp(`, last ${newer}$`));
        const bars = page.locator("#plots svg >> nth=0 >> rect");
        const heights = await bars.evaluateAll((all) =>
            all.map((bar) => Number(bar.getAttribute("height"))),
        );
        const ratio = Number(heights[1]) / Number(heights[0]);
        const real = Number(newer) / rate;
        assert.ok(Math.abs(ratio / real - 1) < 0.02, `${ratio}, ${real}`);
    });

    test("prompt, cache and context, as the tokenizer counts", async (t) => {
        await writeTiny("slow.gguf", endless);
        const { page } = await openPage(
            t,
            {},
            {},
            { maxTokens: 20, contextLength: 2048, temperature: 0 },
        );
        await loadAddress(page, "models/slow.gguf");
        /** What the template makes of it. @param {string[]} said by turns */
        const count = (...said) =>
            page.evaluate(async (said) => {
                const module = new URL("pipit/index.js", document.baseURI).href;
                const { loadModel } = await import(module);
                const model = await loadModel("models/slow.gguf");
                const messages = said.map((content, i) => ({
                    role: i % 2 ? "assistant" : "user",
                    content,
                }));
                const { tokens } = await model.applyChatTemplate(messages);
                await model.close();
                return tokens.length;
            }, said);
        await ask(page, "Hello there");
        await page.waitForSelector(".turn-actions");
        const first = await count("Hello there");
        assert.deepEqual(await numbers(page, "stat-prompt"), [first, 0]);
        assert.deepEqual(await numbers(page, "stat-answer"), [20]);
        const [length = 0, most] = await numbers(page, "stat-context");
        assert.equal(most, 2048);
        // The last token that was written need not have been read.
        assert.ok([first + 19, first + 20].includes(length), `${length}`);
        await ask(page, "And again");
        await page.waitForSelector(".turn-actions >> nth=1");
        await answered(page);
        const [fresh = 0, kept = 0] = await numbers(page, "stat-prompt");
        // What it was asked is kept; of what it wrote, so much as its letters
        // are the same tokens again.
        assert.ok(kept >= first && kept <= first + 20, `${kept}`);
        const alone = await count("And again");
        assert.ok(fresh >= alone - 2, `${fresh} of ${alone}`);
        const [longer = 0] = await numbers(page, "stat-context");
        assert.ok(
            [fresh + kept + 19, fresh + kept + 20].includes(longer),
            `${longer}`,
        );
        const bar = page.locator("#context-bar");
        const value = await bar.evaluate(
            (bar) => /** @type {HTMLProgressElement} */ (bar).value,
        );
        assert.ok(Math.abs(value - longer / 2048) < 1e-6);
    });

    const noMemory =
        withoutRealModel ||
        (process.platform === "linux" ? false : "reads /proc");
    test(
        "memory and storage, as system and browser have them",
        { skip: noMemory },
        async (t) => {
            // A browser of its own, to tell its processes.
            const browser = await launch();
            t.after(() => browser.close());
            const context = await browser.newContext();
            // Positions to come are told, but take no memory yet; pieces of the
            // file take some until they are collected. So many outweigh these.
            await context.addInitScript(() => {
                localStorage.setItem(
                    "pipit-settings",
                    '{"contextLength":2816}',
                );
            });
            const session = await browser.newBrowserCDPSession();
            const taken = async () => {
                const { processInfo } = await session.send(
                    "SystemInfo.getProcessInfo",
                );
                let most = 0;
                for (const { id, type } of processInfo)
                    if (type === "renderer") {
                        const status = `/proc/${id}/status`;
                        const text = await readFile(status, "utf8");
                        const kB = /RssAnon:\s+(\d+)/.exec(text)?.[1];
                        most = Math.max(most, 1024 * Number(kB));
                    }
                return most;
            };
            const site = await exported();
            t.after(site.end);
            const file = join(site.folder, "models/real.gguf");
            await cp(String(realModel), file);
            const page = await context.newPage();
            page.setDefaultTimeout(60_000);
            await page.goto(site.url);
            await page.waitForFunction(() => crossOriginIsolated);
            await page.waitForLoadState("networkidle");
            const before = await taken();
            await loadAddress(page, `${site.url}models/real.gguf`);
            await ask(page, "Hello");
            await page.waitForSelector(".turn-actions");
            const grown = (await taken()) - before;
            const shown = bytesOf(await text(page, "stat-memory"));
            t.diagnostic(`shown ${shown / 1e6} MB, grown ${grown / 1e6} MB`);
            assert.ok(grown / shown > 0.75 && grown / shown < 1.35, `${grown}`);

            const { size } = await stat(file);
            await page.waitForFunction(
                (size) =>
                    document.querySelector("#stat-stored")?.textContent ===
                    size,
                formatBytes(size),
            );
            const storage = await context.newCDPSession(page);
            const { usage } = await storage.send("Storage.getUsageAndQuota", {
                origin: new URL(site.url).origin,
            });
            const other = bytesOf(await text(page, "stat-other"));
            const sum = (size + other) / usage;
            assert.ok(sum > 0.98 && sum < 1.02, `${size} + ${other}: ${usage}`);
            assert.ok(other > 1e6, "the page itself is kept");
        },
    );

    test("0 requests since load; those there are, are counted and named", async (t) => {
        await writeTiny("tiny.gguf", { layers: 2 });
        const site = await exported();
        t.after(site.end);
        const models = join(site.folder, "models");
        for (const name of ["tiny.gguf", "other.gguf"])
            await cp(join(scratch.folder, "tiny.gguf"), join(models, name));
        const context = await newContext(t, { serviceWorkers: "allow" });
        await context.addInitScript(() => {
            localStorage.setItem("pipit-settings", '{"maxTokens":8}');
        });
        const page = await context.newPage();
        await page.goto(site.url);
        await page.waitForFunction(() => crossOriginIsolated);
        await page.waitForLoadState("networkidle");
        await loadAddress(page, `${site.url}models/tiny.gguf`);
        site.requests.length = 0;
        // The browser looks for a newer service worker when it likes to.
        const asked = () => site.requests.filter((one) => one !== "/sw.js");
        const line = () => text(page, "evidence-line");
        const say = async (/** @type {string} */ words, n = 0) => {
            await ask(page, words);
            await page.waitForSelector(`.turn-actions >> nth=${n}`);
            await answered(page);
        };
        await say("Hello");
        await say("And more", 1);
        await page.evaluate(() => (location.hash = "#/documents"));
        await page.setInputFiles("#library-files", {
            name: "note.txt",
            mimeType: "text/plain",
            buffer: Buffer.from("Two years of warranty."),
        });
        await page.click("#library-ask");
        await say("What warranty?");
        // The host saw as many as are shown.
        assert.deepEqual(asked(), []);
        assert.equal(await line(), "0 requests since load");
        assert.ok(!(await page.isVisible("#evidence.some")));
        const seen = page.locator("#evidence-more");
        const words = (await seen.textContent()) ?? "";
        assert.match(words, /0 in the browser's own list/);
        assert.match(words, /0 through the service worker/);
        assert.match(words, /Before that \d+ were sent/);
        assert.equal(await seen.locator("li").count(), 0);

        const shows = async (/** @type {string} */ wanted) => {
            await page.waitForFunction(
                (wanted) =>
                    document.querySelector("#evidence-line")?.textContent ===
                    wanted,
                wanted,
            );
        };
        // From the page, and of a worker that fetches on its own.
        await page.evaluate(() => fetch("models/none.json"));
        await shows("1 request since load");
        assert.deepEqual(asked(), ["/models/none.json"]);
        await page.evaluate(async (url) => {
            const module = new URL("pipit/models.js", document.baseURI).href;
            await (await import(module)).models.pull(url);
        }, `${site.url}models/other.gguf`);
        assert.deepEqual(asked().slice(1), ["/models/other.gguf"]);
        await shows("2 requests since load");
        assert.ok(await page.locator("#evidence.some").count());
        const named = await seen.locator("li").allTextContents();
        assert.ok(named.some((one) => /none\.json \(page\)/.test(one)));
        assert.ok(
            named.some((one) => /other\.gguf \(service worker\)/.test(one)),
        );
    });
});
