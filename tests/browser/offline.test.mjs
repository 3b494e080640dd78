// The demo without a network: after one visit it starts, loads its model and
// answers though the server is gone, and asks for nothing.
import assert from "node:assert/strict";
import { cp, mkdtemp, readdir, rm, writeFile } from "node:fs/promises";
import { createServer } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, test } from "node:test";
import { fileURLToPath } from "node:url";
import { exportSite } from "../../demo/shell.mjs";
import { startServer } from "../../demo/serve.mjs";
import { makePdf } from "./pdf.mjs";
import { startSite } from "./site.mjs";
import {
    answered,
    ask,
    lastAnswer,
    newContext,
    scratch,
    started,
    useBrowser,
    withoutBrowser,
    writeTiny,
} from "./support.mjs";

/** @typedef {import("playwright-core").Page} Page */
/** @typedef {import("node:test").TestContext} TestContext */

const demo = fileURLToPath(new URL("../../demo", import.meta.url));
const pipit = fileURLToPath(new URL("../../js-bindings/dist", import.meta.url));
const manifest = fileURLToPath(
    new URL("../../models/manifest.json", import.meta.url),
);
const settings = { temperature: 0, maxTokens: 8 };

/** @param {TestContext} t */
async function profile(t) {
    const context = await newContext(t, { serviceWorkers: "allow" });
    await context.addInitScript((stored) => {
        localStorage.setItem("pipit-settings", stored);
    }, JSON.stringify(settings));
    return context;
}

/** Waits until the whole page is kept. @param {Page} page */
const installed = (page) =>
    page.waitForFunction(
        () => navigator.serviceWorker.controller?.state === "activated",
    );

/** Waits until the page has loaded itself again for the headers, and listens:
 * it is isolated before it does. @param {Page} page */
const isolated = (page) =>
    page.waitForFunction(
        () => crossOriginIsolated && document.body?.ariaBusy === null,
    );

/** Loads a model by its address. @param {Page} page @param {string} url */
async function loadAddress(page, url) {
    const details = page.locator("details:has(#url)");
    if (await details.count())
        await details.evaluate((found) => found.setAttribute("open", ""));
    await page.fill("#url", url);
    await page.press("#url", "Enter");
    await page.waitForSelector("#chat:visible");
}

/** Every request that a server at this address gets. @param {string} url */
async function record(url) {
    /** @type {string[]} */
    const paths = [];
    const server = createServer((request, response) => {
        paths.push(String(request.url));
        response.writeHead(503).end();
    });
    const { port, hostname } = new URL(url);
    await new Promise((done) =>
        server.listen(Number(port), hostname, () => done(undefined)),
    );
    const close = () => {
        server.closeAllConnections();
        server.close();
    };
    return { paths, close };
}

describe("without a network", { skip: withoutBrowser }, () => {
    useBrowser();

    test("after one visit the page answers, and asks nobody", async (t) => {
        await writeTiny("tiny.gguf", { layers: 2 });
        const server = await startServer({ models: scratch.folder });
        t.after(server.close);
        const { url } = server;
        const context = await profile(t);
        const first = await context.newPage();
        await first.goto(url);
        await started(first);
        await installed(first);
        await loadAddress(first, `${url}models/tiny.gguf`);
        await ask(first, "Hello");
        await answered(first);
        const answer = await lastAnswer(first);
        assert.notEqual(answer, "");
        await first.close();
        await server.close();

        const alone = await context.newPage();
        await alone.goto(url);
        await started(alone);
        await alone.waitForSelector("#load-default:visible");
        await alone.close();

        const recorder = await record(url);
        t.after(recorder.close);
        /** @type {string[]} */
        const elsewhere = [];
        context.on("request", (request) => {
            if (!request.url().startsWith(url)) elsewhere.push(request.url());
        });
        /** @type {string[]} */
        const errors = [];
        const page = await context.newPage();
        page.on("pageerror", (error) => errors.push(String(error)));
        await page.goto(url);
        await started(page);
        assert.equal(await page.evaluate(() => crossOriginIsolated), true);
        await page.click("#open-settings");
        await page.click('button[aria-label="Open tiny.gguf"]');
        await page.waitForSelector("#chat:visible");
        // The browser looks for a newer worker, when it likes.
        const asked = () => recorder.paths.filter((path) => path !== "/sw.js");
        const afterLoad = asked();
        await ask(page, "Hello");
        await answered(page);
        assert.equal(await lastAnswer(page), answer);
        assert.deepEqual(asked(), afterLoad);
        // The page asked for the manifest of models, which may change, and took
        // what it had.
        assert.deepEqual(
            afterLoad.filter((path) => path !== "/models/manifest.json"),
            [],
        );
        assert.deepEqual(elsewhere, []);
        assert.deepEqual(errors, []);
    });

    test("the worker adds the isolation headers", async (t) => {
        await writeTiny("tiny.gguf", { layers: 2 });
        const server = await startServer({
            models: scratch.folder,
            isolation: false,
        });
        t.after(server.close);
        const context = await profile(t);
        const page = await context.newPage();
        await page.goto(server.url);
        // The first visit loads the page again by itself, once.
        await isolated(page);
        await loadAddress(page, `${server.url}models/tiny.gguf`);
        await ask(page, "Hello");
        await answered(page);
        assert.notEqual(await lastAnswer(page), "");
    });

    test("the headers come by a reload on the page that teaches too", async (t) => {
        const server = await startServer({
            models: scratch.folder,
            isolation: false,
        });
        t.after(server.close);
        const context = await profile(t);
        const page = await context.newPage();
        /** @type {string[]} */
        const errors = [];
        page.on("pageerror", (error) => errors.push(String(error)));
        await page.goto(`${server.url}teach.html`);
        await isolated(page);
        assert.deepEqual(errors, []);
    });

    test("no reload for the headers takes what is being typed", async (t) => {
        const server = await startServer({
            models: scratch.folder,
            isolation: false,
        });
        t.after(server.close);
        const context = await profile(t);
        const page = await context.newPage();
        // Before the worker can be ready.
        await page.addInitScript(() =>
            addEventListener("DOMContentLoaded", () => {
                const input = document.querySelector("#url");
                /** @type {HTMLInputElement} */ (input).value = "https://a.b";
                input?.dispatchEvent(new Event("input", { bubbles: true }));
            }),
        );
        await page.goto(server.url);
        await installed(page);
        await page.waitForTimeout(500);
        const load = () =>
            page.evaluate(() => {
                const [entry] = performance.getEntriesByType("navigation");
                return [Object(entry).type, crossOriginIsolated];
            });
        assert.deepEqual(await load(), ["navigate", false]);
        assert.equal(await page.inputValue("#url"), "https://a.b");
        await page.reload();
        assert.deepEqual(await load(), ["reload", true]);
    });

    test("the page can be installed", async (t) => {
        const server = await startServer({ models: scratch.folder });
        t.after(server.close);
        const context = await profile(t);
        const page = await context.newPage();
        await page.goto(server.url);
        await started(page);
        await installed(page);
        const client = await context.newCDPSession(page);
        const { errors, url } = await client.send("Page.getAppManifest");
        assert.deepEqual(errors, []);
        assert.match(url, /manifest\.webmanifest$/);
        const { installabilityErrors } = await client.send(
            "Page.getInstallabilityErrors",
        );
        assert.deepEqual(
            // A profile for tests is a private window.
            installabilityErrors.filter(
                ({ errorId }) => errorId !== "in-incognito",
            ),
            [],
        );
    });

    test("a new version loses no chat, and keeps the models", async (t) => {
        await writeTiny("tiny.gguf", { layers: 2 });
        const page1 = await mkdtemp(join(tmpdir(), "pipit-site-"));
        t.after(() => rm(page1, { recursive: true, force: true }));
        await exportSite({ page: demo, pipit, manifest }, page1);
        await cp(
            join(scratch.folder, "tiny.gguf"),
            join(page1, "models/tiny.gguf"),
        );
        const server = await startStatic(t, page1);
        const context = await profile(t);
        const page = await context.newPage();
        await page.goto(server);
        await isolated(page);
        await loadAddress(page, `${server}models/tiny.gguf`);
        await ask(page, "Hello");
        await answered(page);

        const changed = await mkdtemp(join(tmpdir(), "pipit-demo-"));
        t.after(() => rm(changed, { recursive: true, force: true }));
        await cp(demo, changed, { recursive: true });
        await writeFile(join(changed, "theme.js"), "window.newer = true;\n");
        await exportSite({ page: changed, pipit, manifest }, page1);
        await page.evaluate(async () => {
            const found = await navigator.serviceWorker.getRegistration();
            await found?.update();
        });
        await page.waitForFunction(
            () => !document.getElementById("new-version")?.hidden,
        );
        // The old version stays until it is told to go; the chat stays anyhow.
        const isNewer = () => /** @type {any} */ (globalThis).newer === true;
        const answer = await lastAnswer(page);
        assert.notEqual(answer, "");
        await page.reload(); // the old version, for it was still open
        await started(page);
        await page.waitForSelector("#new-version >> text=Start it now");
        assert.equal(await page.evaluate(isNewer), false);
        await page.click("#new-version >> text=Start it now");
        await page.waitForFunction(isNewer);
        await page.waitForSelector(".answer-text p");
        assert.equal(await lastAnswer(page), answer);
        await page.click("#open-settings");
        await page.click('button[aria-label="Open tiny.gguf"]');
        await page.waitForSelector("#chat:visible");
        await page.waitForSelector("#model-name:has-text('tiny.gguf')");
        const caches = await page.evaluate(() => globalThis.caches.keys());
        assert.equal(
            caches.filter((name) => name.startsWith("pipit-shell-")).length,
            1,
        );
    });

    test("the reader of PDF: missing, loaded, without a network, after an update", async (t) => {
        const folder = await mkdtemp(join(tmpdir(), "pipit-site-"));
        t.after(() => rm(folder, { recursive: true, force: true }));
        await exportSite({ page: demo, pipit, manifest }, folder);
        const site = await startSite(t, folder);
        const context = await profile(t);
        const first = await context.newPage();
        await first.goto(site.url);
        await first.waitForFunction(() => crossOriginIsolated);
        await first.waitForLoadState("networkidle");
        const pdf = (/** @type {string} */ words) => ({
            name: `${words}.pdf`,
            mimeType: "application/pdf",
            buffer: makePdf([[`A report on ${words}.`]]),
        });
        /** @param {Page} page @param {string} words */
        const read = async (page, words) => {
            await page.evaluate(() => (location.hash = "#/documents"));
            await page.waitForSelector("#library:visible");
            await page.setInputFiles("#library-files", pdf(words));
        };
        /** @param {Page} page @param {string} words */
        const found = async (page, words) => {
            await page.waitForSelector(`.document-name >> text=${words}.pdf`);
            await page.fill("#library-words", words);
            await page.waitForSelector(`.hits >> text=A report on ${words}.`);
        };

        // It never came, and there is no network: that is said. Then it comes.
        await site.kill();
        await read(first, "penguins");
        await first.waitForSelector('[data-code="document-reader"]');
        await site.restart();
        await read(first, "penguins");
        await found(first, "penguins");
        assert.ok(site.requests.includes("/vendor/pdf.js"));

        // Once it came it stays.
        await site.kill();
        const second = await context.newPage();
        await second.goto(site.url);
        await read(second, "sparrows");
        await found(second, "sparrows");
        await second.close();

        // A new version keeps it, as whoever updates may soon be without a
        // network again.
        const changed = await mkdtemp(join(tmpdir(), "pipit-demo-"));
        t.after(() => rm(changed, { recursive: true, force: true }));
        await cp(demo, changed, { recursive: true });
        await writeFile(join(changed, "theme.js"), "window.newer = true;\n");
        await exportSite({ page: changed, pipit, manifest }, folder);
        await site.restart();
        await first.goto(site.url);
        await first.evaluate(async () => {
            const found = await navigator.serviceWorker.getRegistration();
            await found?.update();
        });
        await first.click("#new-version >> text=Start it now");
        await first.waitForFunction(
            () => /** @type {any} */ (globalThis).newer === true,
        );
        await first.close();
        await site.kill();
        const third = await context.newPage();
        await third.goto(site.url);
        const newer = await third.evaluate(
            () => /** @type {any} */ (globalThis).newer,
        );
        assert.equal(newer, true);
        await read(third, "robins");
        await found(third, "robins");
        await found(third, "penguins");
    });

    test("what is exported is whole", async (t) => {
        const folder = await mkdtemp(join(tmpdir(), "pipit-site-"));
        t.after(() => rm(folder, { recursive: true, force: true }));
        await exportSite({ page: demo, pipit, manifest }, folder);
        const names = await readdir(folder, { recursive: true });
        for (const name of ["index.html", "sw.js", "pipit/store.js"])
            assert.ok(names.includes(name), name);
        assert.ok(!names.some((name) => /\.(mjs|md|node\.js)$/.test(name)));
    });
});

/**
 * A host that sends no header but the type.
 * @param {TestContext} t
 * @param {string} folder
 */
async function startStatic(t, folder) {
    const { extname } = await import("node:path");
    const { readFile } = await import("node:fs/promises");
    /** @type {Record<string, string>} */
    const types = {
        ".html": "text/html",
        ".js": "text/javascript",
        ".css": "text/css",
        ".svg": "image/svg+xml",
        ".wasm": "application/wasm",
        ".json": "application/json",
    };
    const server = createServer(async (request, response) => {
        const path = String(request.url).replace(/\/$/, "/index.html");
        try {
            const bytes = await readFile(join(folder, path));
            const type = types[extname(path)] ?? "application/octet-stream";
            response.writeHead(200, { "content-type": type }).end(bytes);
        } catch {
            response.writeHead(404).end();
        }
    });
    await new Promise((done) =>
        server.listen(0, "127.0.0.1", () => done(undefined)),
    );
    t.after(() => {
        server.closeAllConnections();
        server.close();
    });
    const { port } = /** @type {import("node:net").AddressInfo} */ (
        server.address()
    );
    return `http://127.0.0.1:${port}/`;
}
