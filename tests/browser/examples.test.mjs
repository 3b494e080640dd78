// The pages of demo/examples/ as their readers have them: copied into a folder
// where the package was installed. Only the model is a tiny one: at the address
// of the name's, or where a sum is checked, under another address.
import assert from "node:assert/strict";
import { cp, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { before, describe, test } from "node:test";
import { fileURLToPath, pathToFileURL } from "node:url";
import { build, createServer } from "vite";
import { isolation, serveFolder } from "../tools/folder-server.mjs";
import { installPacked } from "../tools/packed.mjs";
import {
    newContext,
    scratch,
    useBrowser,
    withoutBrowser,
    writeTiny,
} from "./support.mjs";

const examples = fileURLToPath(new URL("../../demo/examples", import.meta.url));

useBrowser();

/**
 * A tab in which the hub has the tiny model under every name.
 * @param {import("node:test").TestContext} t
 * @param {import("playwright-core").BrowserContextOptions} [look]
 */
async function openTab(t, look) {
    const context = await newContext(t, look);
    const body = await readFile(join(scratch.folder, "tiny.gguf"));
    /** @type {string[]} */
    const asked = [];
    await context.route(/^https:/, (route) => {
        asked.push(route.request().url());
        return route.fulfill({
            body,
            contentType: "application/octet-stream",
            headers: { "access-control-allow-origin": "*" },
        });
    });
    const page = await context.newPage();
    /** @type {string[]} */
    const errors = [];
    page.on("pageerror", (error) => errors.push(String(error)));
    return { page, context, errors, asked };
}

/**
 * Asks by the form, and waits for an answer.
 * @param {import("playwright-core").Page} page
 * @param {RegExp} ready what stands there before
 */
async function askByForm(page, ready) {
    const text = () => page.textContent("#output");
    await page.waitForFunction(
        (source) =>
            new RegExp(source).test(
                document.querySelector("#output")?.textContent ?? "",
            ),
        ready.source,
    );
    const before = await text();
    await page.fill("[name=question]", "Hello");
    await page.press("[name=question]", "Enter");
    await page.waitForFunction((old) => {
        const now = document.querySelector("#output")?.textContent;
        return now && now !== old;
    }, before);
    assert.notEqual(await text(), before);
}

describe("examples in a page", { skip: withoutBrowser }, () => {
    let folder = "";
    before(async () => {
        folder = join(scratch.folder, "examples");
        await cp(examples, folder, { recursive: true });
        await installPacked(folder);
        await installPacked(join(folder, "vite"));
        await writeTiny("tiny.gguf");
    });

    test("three lines in a page", async (t) => {
        const url = await serveFolder(t, folder);
        const { page, errors, asked } = await openTab(t);
        await page.goto(`${url}page.html`);
        await page.waitForFunction(
            () => document.querySelector("#output")?.textContent,
        );
        assert.deepEqual(errors, []);
        assert.match(asked.join(" "), /^https:\S+SmolLM2\S+\.gguf$/);
    });

    test("a worker", async (t) => {
        for (const headers of [{}, isolation]) {
            const url = await serveFolder(t, folder, headers);
            const { page, errors } = await openTab(t);
            await page.goto(`${url}worker.html`);
            await askByForm(page, /Ask me/);
            await askByForm(page, /./);
            assert.deepEqual(errors, []);
        }
    });

    test("notes, with the server gone", async (t) => {
        const file = join(folder, "notes.html");
        const text = await readFile(file, "utf8");
        const address = '"./tiny.gguf"';
        const changed = text.replaceAll('"smollm2-135m-instruct"', address);
        assert.notEqual(changed, text);
        await writeFile(file, changed);
        await cp(join(scratch.folder, "tiny.gguf"), join(folder, "tiny.gguf"));

        /** @type {(() => unknown)[]} */
        const ends = [];
        const url = await serveFolder(
            { after: (end) => ends.push(end) },
            folder,
        );
        const { page, errors } = await openTab(t, { serviceWorkers: "allow" });
        const titled = async () => {
            await page.waitForSelector("button:enabled");
            await page.click("button");
            await page.waitForFunction(() => {
                const text = document.querySelector("output")?.value ?? "";
                return text !== "" && !/^Ready/.test(text);
            });
        };
        await page.goto(`${url}notes.html`);
        await page.fill("textarea", "Bread, milk and apples");
        await titled();
        for (const end of ends) await end();
        await page.reload();
        assert.equal(
            await page.inputValue("textarea"),
            "Bread, milk and apples",
        );
        await titled();
        assert.deepEqual(errors, []);
    });

    describe("vite", () => {
        /** As `npm run …` there. */
        async function config() {
            const file = join(folder, "vite/vite.config.js");
            /** @type {{ default: import("vite").UserConfig }} */
            const own = await import(pathToFileURL(file).href);
            return {
                root: join(folder, "vite"),
                configFile: /** @type {const} */ (false),
                logLevel: /** @type {const} */ ("error"),
                cacheDir: join(scratch.folder, "vite-cache"),
                ...own.default,
            };
        }

        test("its development server", async (t) => {
            const given = await config();
            const server = await createServer({
                ...given,
                server: { ...given.server, port: 0, host: "127.0.0.1" },
            });
            await server.listen();
            t.after(() => server.close());
            const { page, errors } = await openTab(t);
            await page.goto(server.resolvedUrls?.local[0] ?? "");
            await askByForm(page, /Ask me/);
            assert.deepEqual(errors, []);
            assert.equal(await page.evaluate("crossOriginIsolated"), true);
        });

        test("its build", async (t) => {
            const out = join(scratch.folder, "built");
            await build({ ...(await config()), build: { outDir: out } });
            const url = await serveFolder(t, out, isolation);
            const { page, errors } = await openTab(t);
            await page.goto(url);
            await askByForm(page, /Ask me/);
            assert.deepEqual(errors, []);
        });
    });
});
