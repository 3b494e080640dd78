// The package through bundlers, as their users have it: installed, built with
// nothing set, served with the strict policy.
import assert from "node:assert/strict";
import { build as esbuild } from "esbuild";
import {
    copyFile,
    cp,
    mkdir,
    readdir,
    realpath,
    rename,
} from "node:fs/promises";
import { join } from "node:path";
import { before, describe, test } from "node:test";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { build as viteBuild, createServer as viteServer } from "vite";
import webpack from "webpack";
import {
    isolation as isolationHeaders,
    serveFolder,
} from "../tools/folder-server.mjs";
import { installPacked } from "../tools/packed.mjs";
import {
    openPage,
    scratch,
    useBrowser,
    withoutBrowser,
    writeTiny,
} from "./support.mjs";

const root = fileURLToPath(new URL("../..", import.meta.url));
const dist = join(root, "js-bindings/dist");

/**
 * What the page of bundled/main.js says in the end.
 * @param {import("./support.mjs").Opened} opened
 * @param {string} [url] where the page is, if not at the server's root
 * @param {string[]} [stored] what is in the store then, if not the model
 */
async function chatIn({ page, url: server, errors }, url = server, stored) {
    const address = `${server}models/tiny.gguf`;
    await page.goto("about:blank");
    errors.length = 0; // of a page without an address
    await page.goto(`${url}#${address}`);
    await page.waitForFunction(
        () => document.body.textContent?.startsWith("{") ?? false,
    );
    const facts = JSON.parse((await page.textContent("body")) ?? "");
    assert.notEqual(facts.answer, "");
    assert.deepEqual(facts.stored, stored ?? [address]);
    assert.ok(["end", "length"].includes(facts.last));
    assert.deepEqual(errors, []);
    return facts;
}

useBrowser();

describe("bundles", { skip: withoutBrowser }, () => {
    let project = "";
    before(async () => {
        await writeTiny("tiny.gguf");
        // Vite tells its files from others by their real paths.
        project = join(await realpath(scratch.folder), "project");
        await cp(join(root, "tests/browser/bundled"), project, {
            recursive: true,
        });
        await installPacked(project);
        const models = join(project, "public/models");
        await mkdir(models, { recursive: true });
        await copyFile(
            join(scratch.folder, "tiny.gguf"),
            join(models, "tiny.gguf"),
        );
    });

    /** The files of a page that no bundler made. @param {string} page */
    async function copyPage(page) {
        await copyFile(join(project, "index.html"), join(page, "index.html"));
        await copyFile(join(project, "icon.svg"), join(page, "icon.svg"));
    }

    /**
     * The page in a browser, with the isolation headers and without.
     * @param {import("node:test").TestContext} t
     * @param {string} page
     */
    async function tryPage(t, page) {
        for (const isolation of [true, false]) {
            const opened = await openPage(t, { page, isolation });
            const { threads } = await chatIn(opened);
            if (!isolation) assert.equal(threads, 1);
            const modules = opened.requests.filter((r) => r.endsWith(".wasm"));
            assert.equal(new Set(modules).size, 1);
        }
    }

    /** By webpack. @param {string} entry @param {string} page */
    async function pack(entry, page) {
        const compiler = webpack({
            context: project,
            mode: "production",
            entry: { main: entry },
            output: { path: page, filename: "[name].js" },
            performance: { hints: false },
        });
        assert.ok(compiler);
        const stats = await promisify(compiler.run.bind(compiler))();
        await promisify(compiler.close.bind(compiler))();
        const { errors, warnings } =
            stats?.toJson({ all: false, errors: true, warnings: true }) ?? {};
        assert.deepEqual([errors, warnings], [[], []]);
    }

    /** @param {string} entry @param {string} page @param {string} [target] */
    const bundle = (entry, page, target = "es2022") =>
        esbuild({
            absWorkingDir: project,
            entryPoints: { main: entry },
            outdir: page,
            bundle: true,
            format: "esm",
            target,
            minify: true,
            logLevel: "silent",
        });

    test("esbuild, with the package's files copied beside", async (t) => {
        const page = join(project, "esbuild");
        await bundle("main.js", page);
        await copyPage(page);
        for (const name of await readdir(dist))
            if (/^(worker|template|store)\.js$|\.wasm$/.test(name))
                await copyFile(join(dist, name), join(page, name));
        await tryPage(t, page);
    });

    test("vite build, with nothing set", async (t) => {
        const page = join(project, "vite");
        await viteBuild({
            root: project,
            configFile: false,
            logLevel: "error",
            build: { outDir: page, emptyOutDir: true },
        });
        const assets = await readdir(join(page, "assets"));
        assert.equal(assets.filter((n) => n.endsWith(".wasm")).length, 8);
        await tryPage(t, page);
    });

    test("webpack, with nothing set", async (t) => {
        const page = join(project, "webpack");
        await pack("./main.js", page);
        await copyPage(page);
        await tryPage(t, page);
    });

    /**
     * Vite's development server over the project.
     * @param {import("node:test").TestContext} t
     * @param {import("vite").InlineConfig} [config]
     */
    async function develop(t, config = {}) {
        const server = await viteServer({
            root: project,
            configFile: false,
            logLevel: "error",
            cacheDir: join(project, `cache-${process.hrtime.bigint()}`),
            server: { port: 0, host: "127.0.0.1", hmr: false },
            ...config,
        });
        await server.listen();
        t.after(() => server.close());
        const [url = ""] = server.resolvedUrls?.local ?? [];
        return url;
    }

    test("vite's development server, as the README says", async (t) => {
        const url = await develop(t, { optimizeDeps: { exclude: ["pipit"] } });
        const opened = await openPage(t, { page: project });
        await chatIn({ ...opened, url }, url);
    });

    describe("pipit/inline, with nothing set and nothing copied", () => {
        /**
         * @param {import("node:test").TestContext} t
         * @param {string} page
         */
        async function tryInline(t, page) {
            await cp(join(project, "public/models"), join(page, "models"), {
                recursive: true,
            });
            const url = await serveFolder(t, page, isolationHeaders);
            const opened = await openPage(t, { page });
            const { threads } = await chatIn({ ...opened, url }, url, []);
            assert.ok(threads >= 1);
            const files = opened.requests.filter((r) => r.startsWith(url));
            assert.equal(new Set(files).size, 4, files.join("\n"));
        }

        test("esbuild", async (t) => {
            const page = join(project, "esbuild-inline");
            await bundle("inline.js", page);
            assert.deepEqual(await readdir(page), ["main.js"]);
            await copyPage(page);
            await tryInline(t, page);
        });

        test("esbuild for browsers of 2020", async (t) => {
            const page = join(project, "esbuild-old");
            await bundle("inline.js", page, "es2020");
            await copyPage(page);
            await tryInline(t, page);
        });

        test("webpack", async (t) => {
            const page = join(project, "webpack-inline");
            await pack("./inline.js", page);
            assert.deepEqual(await readdir(page), [
                "main.js",
                "main.js.LICENSE.txt",
            ]);
            await copyPage(page);
            await tryInline(t, page);
        });

        test("vite build", async (t) => {
            const page = join(project, "vite-inline");
            await viteBuild({
                root: project,
                configFile: false,
                logLevel: "error",
                build: {
                    outDir: page,
                    emptyOutDir: true,
                    rolldownOptions: { input: join(project, "inline.html") },
                },
            });
            const assets = await readdir(join(page, "assets"));
            assert.deepEqual(
                assets.filter((name) => !/^(inline|icon)-/.test(name)),
                [],
            );
            await rename(join(page, "inline.html"), join(page, "index.html"));
            await tryInline(t, page);
        });

        test("vite's development server", async (t) => {
            const url = await develop(t);
            const opened = await openPage(t, { page: project });
            await chatIn({ ...opened, url }, `${url}inline.html`, []);
        });
    });
});
