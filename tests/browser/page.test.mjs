// The demo page with tiny models: every way in, every way out, by mouse, by
// keyboard and for a screen reader.
import assert from "node:assert/strict";
import { readFile, writeFile } from "node:fs/promises";
import { createServer } from "node:http";
import { join } from "node:path";
import { before, describe, test } from "node:test";
import { violations } from "./axe.mjs";
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

/** An answer as long as the context: nobody waits for its end. */
const talkative = { maxTokens: 32768, contextLength: 8192 };

/** @param {import("playwright-core").Page} page */
const closeSettings = (page) =>
    page.getByRole("button", { name: "Done" }).click();

useBrowser();

describe("the page", { skip: withoutBrowser }, () => {
    let tiny = "";
    let slow = "";
    let broken = "";
    before(async () => {
        tiny = await writeTiny("tiny.gguf");
        slow = await writeTiny("slow.gguf", endless);
        broken = join(scratch.folder, "broken.gguf");
        await writeFile(broken, "<!doctype html><title>Not found</title>");
    });

    /** @param {import("playwright-core").Page} page @param {string} id */
    const textOf = (page, id) => page.locator(`#${id}`).innerText();

    for (const isolation of [true, false])
        test(`isolation ${isolation}: loads, chats, leaves nothing in the console`, async (t) => {
            const { page, url, errors, requests } = await openPage(t, {
                isolation,
            });
            const note = page.locator("#choose .place");
            const processors = await page.evaluate(() =>
                Math.min(navigator.hardwareConcurrency, 8),
            );
            if (isolation) assert.match(await note.innerText(), /^Isolated/);
            else assert.match(await note.innerText(), /two isolation headers/);
            if (!isolation && processors > 1)
                assert.match(
                    await note.innerText(),
                    new RegExp(`${processors} threads`),
                );
            await loadFile(page, tiny);
            assert.equal(
                await page.locator("#stat-threads").textContent(),
                String(isolation ? processors : 1),
            );
            await ask(page, "Hello");
            await answered(page);
            const said = await page.locator(".message.user p").innerText();
            assert.equal(said, "Hello");
            assert.notEqual(await lastAnswer(page), "");
            // One module, the one that fits, and nothing from elsewhere.
            const modules = requests.filter((r) => r.endsWith(".wasm"));
            assert.equal(modules.length, 1);
            assert.equal(/-mt\.wasm$/.test(modules[0] ?? ""), isolation);
            assert.deepEqual(
                requests.filter((r) => !r.startsWith(url)),
                [],
            );
            assert.deepEqual(errors, []);
        });

    test("its policy forbids inline code", async (t) => {
        const { page, url } = await openPage(t);
        const ran = await page.evaluate(() => {
            const script = document.createElement("script");
            script.textContent = "globalThis.ran = true";
            document.head.append(script);
            return "ran" in globalThis;
        });
        assert.equal(ran, false);
        const html = await (await fetch(url)).text();
        assert.doesNotMatch(html, / style="| on[a-z]+="|<script>|<style/);
    });

    test("by the keyboard alone", async (t) => {
        const { page, errors } = await openPage(t, {}, {}, talkative);
        const focused = () =>
            page.evaluate(() => document.activeElement?.id ?? "");
        const tabTo = async (/** @type {string} */ id) => {
            for (let i = 0; i < 30; i++) {
                await page.keyboard.press("Tab");
                if ((await focused()) === id) return;
            }
            assert.fail(`Tab does not reach #${id}`);
        };
        await page.keyboard.press("Tab");
        const skip = page.locator(".skip:focus");
        assert.match(await skip.innerText(), /Skip/);
        await page.keyboard.press("Enter");
        assert.equal(await focused(), "main");
        await tabTo("url");
        await page.keyboard.type("models/slow.gguf");
        await page.keyboard.press("Enter");
        await page.waitForSelector("#chat:visible");
        assert.equal(await focused(), "message");
        await page.keyboard.type("one");
        await page.keyboard.press("Shift+Enter");
        await page.keyboard.type("two");
        await page.keyboard.press("Enter");
        const said = await page.locator(".message.user p").textContent();
        assert.equal(said, "one\ntwo");
        await page.waitForSelector(".answer-text p");
        await page.keyboard.press("Escape");
        await answered(page);
        assert.equal(await focused(), "message");
        await page.waitForSelector("text=Stopped.");
        // The settings hold the focus, close by Escape, and give it back.
        for (let i = 0; i < 60 && (await focused()) !== "open-settings"; i++)
            await page.keyboard.press("Shift+Tab");
        await page.keyboard.press("Enter");
        await page.waitForSelector("#settings[open]");
        await page.keyboard.press("Escape");
        await page.waitForSelector("#settings", { state: "hidden" });
        assert.equal(await focused(), "open-settings");
        assert.deepEqual(errors, []);
    });

    test("stop, ask again, new chat", async (t) => {
        const { page, errors } = await openPage(t, {}, {}, talkative);
        await loadFile(page, slow);
        await ask(page, "Talk");
        await page.waitForSelector(".answer-text p");
        await page.click('#send[aria-label="Stop"]');
        await answered(page);
        const first = await lastAnswer(page);
        assert.notEqual(first, "");
        assert.match(await textOf(page, "messages"), /Stopped\./);
        await page.click("text=Try again");
        await page.waitForSelector(".answer-text p");
        await page.keyboard.press("Escape");
        await answered(page);
        assert.notEqual(await lastAnswer(page), "");
        assert.equal(await page.locator(".message.assistant").count(), 1);
        await ask(page, "And more");
        await page.waitForSelector(".message:last-child .answer-text p");
        // Only the last answer can be asked for again.
        assert.equal(await page.locator(".again").count(), 0);
        await page.keyboard.press("Escape");
        await answered(page);
        assert.equal(await page.locator(".again").count(), 1);
        await page.click("#new-chat");
        await page.waitForSelector("#starters:visible");
        assert.equal(await page.locator(".message").count(), 0);
        await page.click("#starters button >> nth=0");
        await page.waitForSelector(".answer-text p");
        await page.keyboard.press("Escape");
        await answered(page);
        assert.deepEqual(errors, []);
    });

    test("who scrolls up stays there, and comes back", async (t) => {
        const { page } = await openPage(
            t,
            {},
            { viewport: { width: 600, height: 400 } },
            talkative,
        );
        await loadFile(page, slow);
        await ask(page, "Talk");
        const atEnd = () =>
            page.waitForFunction(() => {
                const { scrollHeight } = document.documentElement;
                const left = scrollHeight - innerHeight - scrollY;
                return scrollHeight > 1500 && left < 64;
            });
        await atEnd();
        assert.ok(await page.isHidden("#latest"));
        await page.mouse.move(300, 200);
        await page.mouse.wheel(0, -600);
        await page.click("#latest");
        await page.keyboard.press("Escape");
        await answered(page);
        await atEnd();
        assert.ok(await page.isHidden("#latest"));
    });

    test("the longest answer, and a seed that repeats", async (t) => {
        const { page } = await openPage(t);
        await loadFile(page, slow);
        await page.click("#open-settings");
        await page.fill("#setting-maxTokens", "12");
        await page.fill("#setting-seed", "7");
        await page.fill("#setting-temperature", "1.5");
        await closeSettings(page);
        await ask(page, "Talk");
        await answered(page);
        const first = await lastAnswer(page);
        assert.match(await textOf(page, "messages"), /longest answer/);
        assert.match(await textOf(page, "messages"), /12 tokens/);
        await page.click("text=Try again");
        await answered(page);
        assert.equal(await lastAnswer(page), first);
        // They are still there after a reload, and go back to what they were.
        await page.reload();
        await started(page);
        await page.click("#open-settings");
        assert.equal(await page.inputValue("#setting-seed"), "7");
        await page.fill("#setting-maxTokens", "-5");
        await page.press("#setting-maxTokens", "Tab");
        assert.equal(await page.inputValue("#setting-maxTokens"), "1");
        await page.click("text=Back to defaults");
        assert.equal(await page.inputValue("#setting-maxTokens"), "512");
        assert.equal(await page.inputValue("#setting-seed"), "");
    });

    test("threads: the model is loaded again", async (t) => {
        const { page } = await openPage(t);
        await loadFile(page, tiny);
        await page.click("#open-settings");
        await page.fill("#setting-threads", "3");
        await page.click("text=Load the model again now");
        await page.waitForSelector("#chat:visible");
        await page.waitForFunction(
            () => document.querySelector("#stat-threads")?.textContent === "3",
        );
        await ask(page, "Hello");
        await answered(page);
        assert.notEqual(await lastAnswer(page), "");
    });

    test("a system prompt and a context that change in mid-talk", async (t) => {
        const brief = { maxTokens: 8 };
        const { page, errors } = await openPage(t, {}, {}, brief);
        await loadFile(page, tiny);
        await ask(page, "Hello");
        await answered(page);
        await page.click("#open-settings");
        await page.fill("#setting-system", "You are a bird.");
        await page.fill("#setting-contextLength", "200");
        await closeSettings(page);
        await ask(page, "Again");
        await answered(page);
        assert.deepEqual(await page.locator(".failure").allInnerTexts(), []);
        assert.match(await textOf(page, "stat-context"), /of 200$/);
        // What does not fit is said before anything is computed.
        await ask(page, "far too long ".repeat(20));
        await page.waitForSelector('[data-code="context-overflow"]');
        await page.click("#open-settings");
        await page.fill("#setting-contextLength", "2048");
        await closeSettings(page);
        await page.click(".failure >> text=Try again");
        await answered(page);
        assert.deepEqual(await page.locator(".failure").allInnerTexts(), []);
        assert.notEqual(await lastAnswer(page), "");
        assert.deepEqual(errors, []);
    });

    test("a dropped file", async (t) => {
        const { page, errors } = await openPage(t);
        const bytes = (await readFile(tiny)).toString("base64");
        const data = await page.evaluateHandle((text) => {
            const bytes = Uint8Array.from(atob(text), (c) => c.charCodeAt(0));
            const transfer = new DataTransfer();
            transfer.items.add(new File([bytes], "dropped.gguf"));
            return transfer;
        }, bytes);
        const event = { dataTransfer: data };
        await page.dispatchEvent("#choose", "dragover", event);
        assert.ok(await page.isVisible("#drop"));
        await page.dispatchEvent("#choose", "drop", event);
        assert.ok(!(await page.isVisible("#drop")));
        await page.waitForSelector("#chat:visible");
        assert.equal(await textOf(page, "model-name"), "dropped.gguf");
        assert.deepEqual(errors, []);
    });

    test("a file that is no model, then one that is", async (t) => {
        const { page, errors } = await openPage(t);
        await page.setInputFiles("#file", broken);
        const failure = page.locator('[data-code="invalid-file"]');
        await failure.waitFor();
        assert.match(await failure.innerText(), /not a model file/);
        // What went wrong has the focus, so it is read.
        const focused = page.locator(":focus");
        assert.match(await focused.innerText(), /not a model file/);
        assert.match(await page.locator("#announcer").innerText(), /broken/);
        await failure.locator("text=Try again").click();
        await failure.waitFor();
        await loadFile(page, tiny);
        await ask(page, "Hello");
        await answered(page);
        assert.notEqual(await lastAnswer(page), "");
        assert.deepEqual(errors, []);
    });

    test("a truncated file, an unknown kind, a model that does not chat", async (t) => {
        const { page } = await openPage(t);
        const whole = await readFile(tiny);
        const cut = join(scratch.folder, "cut.gguf");
        await writeFile(cut, whole.subarray(0, whole.length - 1000));
        const cases = {
            "truncated-file": cut,
            unsupported: await writeTiny("other.gguf", {
                metadata: { "general.architecture": "mamba" },
            }),
            template: await writeTiny("base.gguf", { template: null }),
        };
        for (const [code, path] of Object.entries(cases)) {
            await page.setInputFiles("#file", path);
            await page.waitForSelector(`[data-code="${code}"]`);
        }
    });

    test("addresses: wrong, missing, silent, right", async (t) => {
        const { page, url, errors } = await openPage(t);
        const load = async (/** @type {string} */ address) => {
            await page.fill("#url", address);
            await page.press("#url", "Enter");
        };
        await load("ftp://somewhere/model.gguf");
        assert.ok(await page.isVisible("#url-problem"));
        await load(`${url}models/none.gguf`);
        await page.waitForSelector('[data-code="not-found"]');
        // Chromium itself reports what is not found; nobody else has to.
        assert.ok(errors.every((text) => /404/.test(text)));
        errors.length = 0;
        // A server that is no more.
        await load("http://127.0.0.1:1/model.gguf");
        await page.waitForSelector('[data-code="network"]');
        errors.length = 0;
        await load("models/tiny.gguf");
        await page.waitForSelector("#chat:visible");
        assert.equal(await textOf(page, "model-name"), "tiny.gguf");
        assert.deepEqual(errors, []);
    });

    test("loading shows bytes and is cancelled by Escape", async (t) => {
        const { page } = await openPage(t);
        // Half of the file, and then nothing for ever.
        const bytes = await readFile(slow);
        const server = createServer((_, response) => {
            response.writeHead(200, {
                "Content-Length": bytes.length,
                "Access-Control-Allow-Origin": "*",
                "Cross-Origin-Resource-Policy": "cross-origin",
            });
            response.write(bytes.subarray(0, bytes.length / 2));
        });
        await new Promise((done) =>
            server.listen(0, "127.0.0.1", () => done(undefined)),
        );
        t.after(() => {
            server.close();
            server.closeAllConnections();
        });
        const { port } = /** @type {import("node:net").AddressInfo} */ (
            server.address()
        );
        await page.fill("#url", `http://127.0.0.1:${port}/half.gguf`);
        await page.press("#url", "Enter");
        await page.waitForFunction(() =>
            /[1-9].* of /.test(
                document.querySelector("#loading-bytes")?.textContent ?? "",
            ),
        );
        assert.equal(await textOf(page, "loading-title"), "half.gguf");
        await page.keyboard.press("Escape");
        await page.waitForSelector("#choose:visible");
        assert.deepEqual(await page.locator(".failure").allInnerTexts(), []);
        await loadFile(page, tiny);
        await page.click("#model");
        await page.waitForSelector("#choose:visible");
        await page.click("#back");
        await page.waitForSelector("#chat:visible");
    });

    test("what a model writes stays text", async (t) => {
        const { page } = await openPage(t);
        await loadFile(page, tiny);
        const evil = '<img src=x onerror="globalThis.hacked=1"><b>bold</b>';
        await ask(page, evil);
        await answered(page);
        const said = await page.locator(".message.user p").innerText();
        assert.equal(said, evil);
        const shown = await page.evaluate(async (text) => {
            const module = new URL("answer.js", document.baseURI).href;
            const { AnswerText } = await import(module);
            const box = document.createElement("div");
            const answer = new AnswerText(box, () => {});
            // Grown letter by letter, as an answer comes.
            for (let i = 1; i <= text.length; i++)
                answer.show(text.slice(0, i));
            return box.innerHTML;
        }, `${evil}\n\nA **strong** \`word\`\n\n\`\`\`html\n${evil}\n\`\`\`\nend`);
        assert.match(shown, /^<p dir="auto">&lt;img src=x/);
        assert.match(shown, /A <strong>strong<\/strong> <code>word<\/code>/);
        assert.match(shown, /<div class="code-bar">html<button/);
        assert.match(shown, /<code dir="ltr">&lt;img.*&lt;\/b&gt;<\/code>/);
        assert.match(shown, /<p dir="auto">end<\/p>$/);
        assert.equal(await page.evaluate(() => "hacked" in globalThis), false);
    });

    test("lists and headings of an answer are such", async (t) => {
        const { page } = await openPage(t);
        const shown = await page.evaluate(async () => {
            const module = new URL("answer.js", document.baseURI).href;
            const { AnswerText } = await import(module);
            const box = document.createElement("div");
            const answer = new AnswerText(box, () => {});
            const text =
                "## Plan\n1. **One**\n   - inner `code`\n   - more\n\n2. Two\n\n" +
                "- <b>x</b>\n\n3. Three";
            for (let i = 1; i <= text.length; i++)
                answer.show(text.slice(0, i));
            return box.innerHTML.replace(/ class="points"| dir="auto"/g, "");
        });
        assert.equal(
            shown,
            "<h2>Plan</h2><ol><li><strong>One</strong><ul><li>inner " +
                "<code>code</code></li><li>more</li></ul></li><li>Two</li></ol>" +
                '<ul><li>&lt;b&gt;x&lt;/b&gt;</li></ul><ol start="3">' +
                "<li>Three</li></ol>",
        );
    });

    test("a copied answer", async (t) => {
        const { page } = await openPage(
            t,
            {},
            { permissions: ["clipboard-read", "clipboard-write"] },
        );
        await loadFile(page, tiny);
        await ask(page, "Hello");
        await answered(page);
        await page.click(".turn-actions >> text=Copy");
        await page.waitForSelector("text=Copied");
        const copied = await page.evaluate(() =>
            navigator.clipboard.readText(),
        );
        assert.notEqual(copied.trim(), "");
    });

    test("a screen reader hears sentences, not words", async (t) => {
        const { page } = await openPage(t);
        const heard = await page.evaluate(async () => {
            const module = new URL("announcer.js", document.baseURI).href;
            const { Announcer } = await import(module);
            const announcer = new Announcer();
            const reader = document.querySelector("#reader");
            const text = "One two. Three four! Five";
            announcer.beginAnswer();
            for (let i = 1; i <= text.length; i++)
                announcer.readAnswer(text.slice(0, i));
            announcer.endAnswer(text, "Done.");
            return [...(reader?.children ?? [])].map((p) => p.textContent);
        });
        assert.deepEqual(heard, ["One two.", "Three four!", "Five"]);
        const role = await page.getAttribute("#announcer", "role");
        assert.equal(role, "status");
    });

    test("light and dark: the system's, and the button's", async (t) => {
        const { page } = await openPage(t, {}, { colorScheme: "dark" });
        const paper = () =>
            page.evaluate(
                () => getComputedStyle(document.body).backgroundColor,
            );
        const dark = await paper();
        await page.click("#theme");
        const light = await paper();
        assert.notEqual(light, dark);
        await page.reload();
        await started(page);
        assert.equal(await paper(), light);
        await page.click("#theme");
        assert.equal(await paper(), dark);
    });

    test("right to left", async (t) => {
        const { page } = await openPage(t);
        await loadFile(page, tiny);
        await ask(page, "ما هي عاصمة فرنسا؟");
        await answered(page);
        const direction = await page
            .locator(".message.user p")
            .evaluate((p) => getComputedStyle(p).direction);
        assert.equal(direction, "rtl");
    });

    /** The states worth a look. @type {Record<string, (page: any) => Promise<void>>} */
    const states = {
        choose: async () => {},
        failure: async (page) => {
            await page.setInputFiles("#file", broken);
            await page.waitForSelector(".failure");
        },
        settings: async (page) => {
            await page.click("#open-settings");
            await page.waitForSelector("#settings[open]");
        },
        empty: async (page) => loadFile(page, tiny),
        chat: async (page) => {
            await loadFile(page, tiny);
            await ask(page, "Hello ".repeat(20));
            await answered(page);
            await page.evaluate(async () => {
                const module = new URL("answer.js", document.baseURI).href;
                const { AnswerText } = await import(module);
                const box = document.querySelector(".answer-text");
                new AnswerText(box, () => {}).show(
                    `A \`word\`\n\n\`\`\`js\n${"wide ".repeat(60)}\n\`\`\``,
                );
            });
        },
    };

    for (const isolation of [true, false])
        test(`axe: light and dark, isolation ${isolation}`, async (t) => {
            for (const [name, reach] of Object.entries(states)) {
                const { page } = await openPage(
                    t,
                    { isolation },
                    { colorScheme: "light", reducedMotion: "reduce" },
                );
                await reach(page);
                assert.deepEqual(await violations(page), [], name);
                await page.emulateMedia({ colorScheme: "dark" });
                assert.deepEqual(await violations(page), [], `${name}, dark`);
                await page.context().close();
            }
        });

    test("axe: what opens over the chat, narrow and wide", async (t) => {
        const { page } = await openPage(
            t,
            {},
            { reducedMotion: "reduce" },
            { maxTokens: 8 },
        );
        await loadFile(page, tiny);
        for (const n of [0, 1]) {
            await ask(page, "Hello");
            await page.waitForSelector(`.turn-actions >> nth=${n}`);
            await answered(page);
        }
        /** @type {Record<string, () => Promise<unknown>>} */
        const opened = {
            "the panel": () =>
                page.evaluate(() => {
                    for (const id of ["evidence", "stats-more"])
                        document.getElementById(id)?.setAttribute("open", "");
                }),
            "a menu": () => page.click("#chat-menu"),
            "a question": () =>
                page.locator(".menu").getByText("Delete").click(),
            "the list of chats": async () => {
                await page.keyboard.press("Escape");
                if (await page.isVisible("#open-chats"))
                    await page.click("#open-chats");
            },
        };
        for (const width of [1280, 320]) {
            await page.setViewportSize({ width, height: 720 });
            for (const [name, open] of Object.entries(opened)) {
                await open();
                for (const colorScheme of /** @type {const} */ ([
                    "light",
                    "dark",
                ])) {
                    await page.emulateMedia({ colorScheme });
                    const found = await violations(page);
                    assert.deepEqual(found, [], `${name}, ${width}`);
                }
            }
            await page.keyboard.press("Escape");
        }
    });

    test("the model's name is read on the smallest screen", async (t) => {
        const { page } = await openPage(
            t,
            {},
            { viewport: { width: 320, height: 640 } },
        );
        await loadFile(page, tiny);
        const room = await page.evaluate(() => {
            const name = document.getElementById("model-name");
            if (!name) return "";
            name.textContent = "SmolLM2 135M Instruct, Q4_1";
            return (
                name.clientWidth /
                Number.parseFloat(getComputedStyle(name).fontSize)
            );
        });
        // "SmolLM2 135M" takes seven.
        assert.ok(Number(room) > 7, `${room} em`);
        // What had to go from the bar is in the settings.
        await page.click("#open-settings");
        await page.getByText("Dark", { exact: true }).click();
        const theme = () =>
            page.evaluate(() => document.documentElement.dataset.theme ?? "");
        assert.equal(await theme(), "dark");
        await page.keyboard.press("ArrowLeft");
        assert.equal(await theme(), "light");
        await page.keyboard.press("ArrowLeft");
        assert.equal(await theme(), "");
        assert.equal(
            await page.evaluate(() => localStorage.getItem("pipit-theme")),
            null,
        );
    });

    test("each setting says what it does", async (t) => {
        const { page } = await openPage(t);
        await page.click("#open-settings");
        const controls = await page
            .locator("#settings-fields :is(input, textarea), .segments")
            .evaluateAll((all) =>
                all.map((one) => {
                    const described = one.getAttribute("aria-describedby");
                    const help = document.getElementById(described ?? "");
                    return help?.textContent?.length ?? 0;
                }),
            );
        assert.ok(controls.length >= 10);
        assert.ok(controls.every((length) => length > 30));
    });

    for (const width of [320, 768, 1920])
        test(`${width} pixels: nothing sticks out`, async (t) => {
            for (const [name, reach] of Object.entries(states)) {
                const { page } = await openPage(
                    t,
                    { isolation: false },
                    { viewport: { width, height: 640 } },
                );
                await reach(page);
                const [content, view] = await page.evaluate(() => [
                    document.documentElement.scrollWidth,
                    document.documentElement.clientWidth,
                ]);
                assert.ok(content <= view, `${name}: ${content} > ${view}`);
                await page.context().close();
            }
        });

    test("without motion where none is wanted", async (t) => {
        const { page } = await openPage(t, {}, { reducedMotion: "reduce" });
        await page.setInputFiles("#file", slow);
        const moving = await page.evaluate(
            () =>
                document
                    .getAnimations()
                    .filter((a) => a.playState === "running").length,
        );
        assert.equal(moving, 0);
    });
});
