// The demo in Chromium, Firefox and WebKit, on a host that sends no headers: a
// model is loaded and asked, the chat is there after a reload, and both go on
// when the host is gone. What each part does is tested in Chromium, beside this.
import assert from "node:assert/strict";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { setTimeout as pause } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { exportSite } from "../../demo/shell.mjs";
import { tinyModel } from "../tools/tiny-model.mjs";
import { programs, startBrowser } from "./drivers.mjs";
import { startSite } from "./site.mjs";

/** @typedef {import("./drivers.mjs").BrowserName} BrowserName */
/** @typedef {import("./drivers.mjs").Tab} Tab */

const at = (/** @type {string} */ path) =>
    fileURLToPath(new URL(`../../${path}`, import.meta.url));

let folder = "";
/** The first answer of each browser: all must be one. @type {string[]} */
const answers = [];

before(async () => {
    folder = await mkdtemp(join(tmpdir(), "pipit-app-"));
    await exportSite(
        {
            page: at("demo"),
            pipit: at("js-bindings/dist"),
            manifest: at("models/manifest.json"),
        },
        folder,
    );
    await writeFile(join(folder, "models/tiny.gguf"), tinyModel());
});
after(() => rm(folder, { recursive: true, force: true }));

/** What a user does and sees, in the page. @type {Record<string, any>} */
const steps = {
    settings: () =>
        localStorage.setItem(
            "pipit-settings",
            JSON.stringify({ temperature: 0, maxTokens: 8 }),
        ),

    /** It is kept, answered by its worker, and has begun. */
    isReady: () =>
        crossOriginIsolated &&
        navigator.serviceWorker.controller?.state === "activated" &&
        document.querySelectorAll("#default-facts li").length === 3,

    load: () => {
        const field = /** @type {HTMLInputElement} */ (
            document.querySelector("#url")
        );
        field.closest("details")?.setAttribute("open", "");
        field.value = "models/tiny.gguf";
        field.form?.requestSubmit();
    },

    isLoaded: () =>
        !(/** @type {HTMLElement} */ (document.querySelector("#chat")).hidden),

    ask: (/** @type {string} */ question) => {
        const field = /** @type {HTMLTextAreaElement} */ (
            document.querySelector("#message")
        );
        field.value = question;
        field.dispatchEvent(new Event("input", { bubbles: true }));
        field.form?.requestSubmit();
    },

    /** All answers, once there are as many. */
    answers: (/** @type {number} */ n) =>
        document.querySelectorAll(".turn-actions").length === n &&
        [...document.querySelectorAll(".assistant .answer-text")].map(
            (element) => element.textContent?.trim(),
        ),

    /** Behind all that is being written. */
    isWritten: async () => {
        /** @type {IDBDatabase} */
        const database = await new Promise((done) => {
            const request = indexedDB.open("pipit-app");
            request.onsuccess = () => done(request.result);
        });
        const turns = database.transaction(["chats", "turns"]);
        await new Promise((done) => {
            turns.oncomplete = done;
            turns.objectStore("turns").count();
        });
        database.close();
        return true;
    },

    /** What is there after a reload, once it is. */
    chat: () =>
        document.querySelector(".assistant .answer-text p") &&
        document.querySelector(".chat-row a") && {
            questions: document.querySelectorAll(".message.user").length,
            chats: [...document.querySelectorAll(".chat-row a")].map(
                (element) => element.textContent?.trim(),
            ),
            answer: document
                .querySelector(".assistant .answer-text")
                ?.textContent?.trim(),
            address: location.href,
            isolated: crossOriginIsolated,
        },
};

/** Asked again and again: the page loads itself anew on the way.
 * @param {Tab} tab @param {any} step @param {unknown} [argument] */
async function until(tab, step, argument) {
    const end = Date.now() + 60_000;
    while (Date.now() < end) {
        const found = await tab
            .evaluate(step, argument)
            .catch(() => undefined /* it is between two pages */);
        if (found) return found;
        await pause(200);
    }
    const there = await tab
        .evaluate(() => `${location.href}\n${document.body?.innerText}`)
        .catch(String);
    return assert.fail(`never: ${step}\non the page: ${there}`);
}

/** @param {BrowserName} name @returns {false | string} why it is skipped */
const missing = (name) =>
    programs[name] || process.env.CI ? false : `there is no ${name} here`;

for (const name of /** @type {BrowserName[]} */ (Object.keys(programs)))
    test(`the demo in ${name}`, { skip: missing(name) }, async (t) => {
        const host = await startSite(t, folder);
        const browser = await startBrowser(name);
        t.after(() => browser.close());
        const tab = await browser.open();
        const go = async (/** @type {string} */ url) => {
            // WebKit 2.50 at times never ends a transaction of a page that is
            // left meanwhile, and then begins no other.
            await until(tab, steps.isWritten);
            await pause(500);
            // Not a mere change of its hash.
            await tab.goto("about:blank");
            await tab.goto(url);
        };
        await tab.goto(host.url);
        await tab.evaluate(steps.settings);
        await until(tab, steps.isReady);
        await go(host.url);
        await until(tab, steps.isReady);
        await tab.evaluate(steps.load);
        await until(tab, steps.isLoaded);
        await tab.evaluate(steps.ask, "Hello");
        const [first] = await until(tab, steps.answers, 1);
        assert.notEqual(first, "");
        answers.push(first);

        const { address } = await until(tab, steps.chat);
        await go(address);
        const seen = await until(tab, steps.chat);
        assert.deepEqual(seen, {
            ...{ questions: 1, chats: ["Hello"], answer: first, address },
            isolated: true,
        });

        await host.kill();
        await go(address);
        assert.deepEqual(await until(tab, steps.chat), seen);
        await tab.evaluate(steps.ask, "And again?");
        const both = await until(tab, steps.answers, 2);
        assert.equal(both[0], first);
        assert.notEqual(both[1], "");
        await go(address);
        assert.equal((await until(tab, steps.chat)).questions, 2);
    });

test("all of them gave the same answer", () => {
    assert.ok(new Set(answers).size <= 1, answers.join("\n"));
});
