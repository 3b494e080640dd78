// The app itself in Chromium, Firefox and WebKit: a chat, a document that is
// asked, a reload, and all of it again when the host is gone.
import assert from "node:assert/strict";
import { cp } from "node:fs/promises";
import { join } from "node:path";
import { describe, test } from "node:test";
import { exported } from "./audit.mjs";
import { programs, startBrowser } from "./drivers.mjs";
import { isolated } from "./site.mjs";
import { scratch, useBrowser, withoutBrowser, writeTiny } from "./support.mjs";

/** @typedef {import("./drivers.mjs").Tab} Tab */

/** What a hand does there; each gives back what is seen. */
const hands = {
    /** @param {Tab} tab */
    ready: (tab) =>
        tab.evaluate(async () => {
            const until = async (/** @type {() => unknown} */ done) => {
                for (let i = 0; i < 1100; i++) {
                    if (done()) return;
                    await new Promise((next) => setTimeout(next, 50));
                }
                throw new Error(`waited for ${done}`);
            };
            const errors = /** @type {any} */ (globalThis).errors ?? [];
            addEventListener("error", ({ message }) => errors.push(message));
            addEventListener("unhandledrejection", ({ reason }) =>
                errors.push(String(reason)),
            );
            Object.assign(globalThis, { until, errors });
            await until(() => !document.body.hasAttribute("aria-busy"));
            await until(
                () => navigator.serviceWorker.controller?.state === "activated",
            );
            return crossOriginIsolated;
        }),
    /** @param {Tab} tab @param {string} url */
    load: (tab, url) =>
        tab.evaluate(async (url) => {
            const { until } = /** @type {any} */ (globalThis);
            const input = /** @type {any} */ (document.querySelector("#url"));
            input.value = url;
            input.form.requestSubmit();
            await until(
                () => !document.querySelector("#chat")?.hasAttribute("hidden"),
            );
        }, url),
    /** @param {Tab} tab @param {string} words */
    ask: (tab, words) =>
        tab.evaluate(async (words) => {
            const { until } = /** @type {any} */ (globalThis);
            const all = () => document.querySelectorAll(".turn-actions").length;
            const before = all();
            const input = /** @type {any} */ (
                document.querySelector("#message")
            );
            input.value = words;
            input.form.requestSubmit();
            await until(() => all() > before);
            return [...document.querySelectorAll(".answer-text")].at(-1)
                ?.textContent;
        }, words),
    /** @param {Tab} tab */
    giveDocument: (tab) =>
        tab.evaluate(async () => {
            const { until } = /** @type {any} */ (globalThis);
            location.hash = "#/documents";
            const transfer = new DataTransfer();
            transfer.items.add(
                new File(["# Warranty\nTwo years."], "warranty.md"),
            );
            const input = /** @type {any} */ (
                document.querySelector("#library-files")
            );
            input.files = transfer.files;
            input.dispatchEvent(new Event("change"));
            await until(() => document.querySelector(".document-name"));
            document
                .querySelector("#library-ask")
                ?.dispatchEvent(new Event("click"));
            await until(() => document.querySelector(".scope-chip"));
        }),
    /** @param {Tab} tab */
    seen: (tab) =>
        tab.evaluate(() => ({
            errors: /** @type {any} */ (globalThis).errors,
            failures: document.querySelectorAll(".failure").length,
            chats: document.querySelectorAll(".chat-row").length,
            sources: [...document.querySelectorAll(".source")].map(
                (source) => source.textContent,
            ),
            requests: document.querySelector("#evidence-line")?.textContent,
            sent: [...document.querySelectorAll("#evidence-more li")].map(
                (one) => one.textContent,
            ),
        })),
};

describe("the app", { skip: withoutBrowser }, () => {
    useBrowser();
    for (const name of /** @type {const} */ (["chromium", "firefox", "webkit"]))
        test(
            name,
            { skip: programs[name] ? false : `no ${name}` },
            async (t) => {
                await writeTiny("tiny.gguf", { layers: 2 });
                const site = await exported(isolated);
                t.after(site.end);
                await cp(
                    join(scratch.folder, "tiny.gguf"),
                    join(site.folder, "models/tiny.gguf"),
                );
                const browser = await startBrowser(name);
                t.after(() => browser.close());
                const tab = await browser.open();
                const open = async () => {
                    await tab.goto(site.url);
                    await hands.ready(tab);
                };
                await open();
                await tab.evaluate(() =>
                    localStorage.setItem(
                        "pipit-settings",
                        '{"maxTokens":8,"temperature":0}',
                    ),
                );
                await open();
                assert.ok(await hands.ready(tab), "isolated");
                const url = `${site.url}models/tiny.gguf`;
                await hands.load(tab, url);
                const answer = await hands.ask(tab, "Hello");
                assert.ok(answer);
                await hands.giveDocument(tab);
                await hands.ask(tab, "What is the warranty?");
                const { sources, requests, sent, ...rest } =
                    await hands.seen(tab);
                assert.deepEqual(rest, { errors: [], failures: 0, chats: 2 });
                assert.match(String(sources), /Warranty/);
                assert.deepEqual(sent, []);
                assert.equal(requests, "0 requests since load");

                await site.cut();
                await open();
                await hands.load(tab, url);
                assert.equal(await hands.ask(tab, "Hello"), answer);
                const { errors, failures, chats } = await hands.seen(tab);
                assert.deepEqual([errors, failures, chats], [[], 0, 3]);
                await tab.close();
            },
        );
});
