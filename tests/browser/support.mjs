// What the browser tests share: Chromium, the demo's server, tiny models, and a
// page that remembers its errors and requests.
import { spawnSync } from "node:child_process";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before } from "node:test";
import { fileURLToPath } from "node:url";
import { chromium } from "playwright-core";
import { startServer } from "../../demo/serve.mjs";
import { pulledModel } from "../golden/reference.mjs";
import { tinyModel } from "../tools/tiny-model.mjs";

export { endless } from "../tools/tiny-model.mjs";

/** Generous: the machine may be busy with other things. */
export const PATIENCE_MS = 120_000;

const program =
    process.env.CHROMIUM ??
    ["chromium", "chromium-browser", "google-chrome"].find(
        (name) => spawnSync(name, ["--version"]).status === 0,
    );

/** Why tests are skipped, or false. In CI a missing browser is a failure. */
export const withoutBrowser =
    program || process.env.CI ? false : "no Chromium: set CHROMIUM to its path";

export const realModel = pulledModel("smollm2-135m-instruct-q4_1");
export const withoutRealModel =
    withoutBrowser || (realModel ? false : "the default model is not pulled");

const flags = [
    ...["--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run"],
    ...["--disable-background-networking", "--disable-component-update"],
    "--disable-sync",
];

/** @param {string} name @returns {string} */
function absolute(name) {
    if (name.includes("/")) return name;
    const { stdout } = spawnSync("sh", ["-c", `command -v ${name}`]);
    return String(stdout).trim();
}

/** @type {import("playwright-core").Browser} */
let browser;

/** A folder for the tests of a file, and Chromium. */
export const scratch = { folder: "" };

/**
 * @param {string[]} [more] flags
 * @param {import("playwright-core").LaunchOptions} [options]
 */
export async function launch(more = [], options = {}) {
    if (!program) throw new Error("CI has no Chromium");
    return chromium.launch({
        executablePath: absolute(program),
        args: [...flags, ...more],
        ...options,
    });
}

/**
 * A profile that is kept, as no private window is.
 * @param {string} folder
 */
export async function launchProfile(folder) {
    if (!program) throw new Error("there is no Chromium");
    return chromium.launchPersistentContext(folder, {
        executablePath: absolute(program),
        args: flags,
    });
}

/** To be called once by every file. */
export function useBrowser() {
    before(async () => {
        scratch.folder = await mkdtemp(join(tmpdir(), "pipit-browser-"));
        if (withoutBrowser) return;
        browser = await launch();
    });
    after(async () => {
        await browser?.close();
        await rm(scratch.folder, { recursive: true, force: true });
    });
}

/**
 * Writes a tiny model into the folder of the tests.
 * @param {string} name
 * @param {import("../tools/tiny-model.mjs").TinyOptions} [options]
 */
export async function writeTiny(name, options) {
    const path = join(scratch.folder, name);
    await writeFile(path, tinyModel(options));
    return path;
}

/** The folder of pages that only tests need. */
export const testPages = fileURLToPath(new URL("pages", import.meta.url));

/**
 * @param {import("node:test").TestContext} t
 * @param {import("../../demo/serve.mjs").ServerOptions} [options]
 */
export async function serve(t, options = {}) {
    const server = await startServer({
        models: scratch.folder,
        ...options,
    });
    t.after(server.close);
    return server.url;
}

/**
 * @typedef {object} Opened
 * @property {import("playwright-core").Page} page
 * @property {string} url
 * @property {string[]} errors of its console, and uncaught ones
 * @property {string[]} requests addresses
 */

/**
 * A profile of its own, closed when the test ends.
 * @param {import("node:test").TestContext} t
 * @param {import("playwright-core").BrowserContextOptions} [look]
 */
export async function newContext(t, look = {}) {
    const context = await browser.newContext({
        viewport: { width: 1280, height: 800 },
        // It would answer instead of the server, and add headers; its own tests
        // allow it.
        serviceWorkers: "block",
        ...look,
    });
    t.after(() => context.close());
    context.setDefaultTimeout(PATIENCE_MS);
    return context;
}

/**
 * A page in a profile of its own, closed when the test ends.
 * @param {import("node:test").TestContext} t
 * @param {import("../../demo/serve.mjs").ServerOptions} [serverOptions]
 * @param {import("playwright-core").BrowserContextOptions} [look]
 * @param {Record<string, unknown>} [settings] of the demo, as it stores them
 * @returns {Promise<Opened>}
 */
export async function openPage(t, serverOptions, look = {}, settings) {
    const url = await serve(t, serverOptions);
    const context = await newContext(t, look);
    /** @type {string[]} */
    const errors = [];
    /** @type {string[]} */
    const requests = [];
    // Of the context: workers make requests too.
    context.on("request", (request) => requests.push(request.url()));
    const page = await context.newPage();
    page.on("console", (message) => {
        // Playwright's own remark on what newContext asked of it.
        if (/blocked by Playwright$/.test(message.text())) return;
        if (["error", "warning"].includes(message.type()))
            errors.push(message.text());
    });
    page.on("pageerror", (error) => errors.push(String(error)));
    if (settings)
        await context.addInitScript((stored) => {
            if (!localStorage.getItem("pipit-settings"))
                localStorage.setItem("pipit-settings", stored);
        }, JSON.stringify(settings));
    await page.goto(url);
    await started(page);
    return { page, url, errors, requests };
}

/**
 * Waits until the page listens: to be called after what loads it. `load` comes
 * before the chat page has opened its database.
 * @param {import("playwright-core").Page} page
 */
export const started = (page) =>
    // Pages of tests are empty, and so not visible.
    page.waitForSelector("body:not([aria-busy])", { state: "attached" });

/**
 * Chooses a file as a user does, and waits for the chat.
 * @param {import("playwright-core").Page} page
 * @param {string} path
 */
export async function loadFile(page, path) {
    await page.setInputFiles("#file", path);
    await page.waitForSelector("#chat:visible");
}

/**
 * Sends a message by the keyboard.
 * @param {import("playwright-core").Page} page
 * @param {string} text
 */
export async function ask(page, text) {
    await page.fill("#message", text);
    await page.press("#message", "Enter");
}

/** Waits until no answer comes. @param {import("playwright-core").Page} page */
export const answered = (page) =>
    // The button says Stop before the key or the click that asked has returned.
    page.waitForSelector('#send[aria-label="Send"]');

/**
 * The text of the last answer.
 * @param {import("playwright-core").Page} page
 */
export const lastAnswer = (page) =>
    page.locator(".message.assistant .answer-text").last().innerText();

/**
 * Runs a task of pages/tasks.js there.
 * @param {import("playwright-core").Page} page
 * @param {"page" | "worker"} place
 * @param {string} name
 * @param {unknown} options
 * @returns {Promise<any>}
 */
export const runTask = (page, place, name, options) =>
    page.evaluate(
        async ({ place, name, options }) => {
            const module = new URL("tasks.js", document.baseURI).href;
            if (place === "page")
                return (await import(module)).tasks[name](options);
            const worker = new Worker("task-worker.js", { type: "module" });
            const reply = await new Promise((resolve, reject) => {
                worker.onmessage = ({ data }) => resolve(data);
                worker.onerror = (event) => reject(event.message);
                worker.postMessage({ name, options });
            });
            worker.terminate();
            if (reply.error) throw new Error(reply.error);
            return reply.result;
        },
        { place, name, options },
    );
