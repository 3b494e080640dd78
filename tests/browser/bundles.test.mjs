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
    symlink,
} from "node:fs/promises";
import { join } from "node:path";
import { before, describe, test } from "node:test";
import { fileURLToPath } from "node:url";
import { build as viteBuild, createServer as viteServer } from "vite";
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
 */
async function chatIn({ page, url: server, errors }, url = server) {
    const address = `${server}models/tiny.gguf`;
    await page.goto("about:blank");
    errors.length = 0; // of a page without an address
    await page.goto(`${url}#${address}`);
    await page.waitForFunction(
        () => document.body.textContent?.startsWith("{") ?? false,
    );
    const facts = JSON.parse((await page.textContent("body")) ?? "");
    assert.notEqual(facts.answer, "");
    assert.deepEqual(facts.stored, [address]);
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
        await mkdir(join(project, "node_modules"));
        await symlink(
            join(root, "js-bindings"),
            join(project, "node_modules/pipit"),
        );
    });

    test("esbuild, with the package's files copied beside", async (t) => {
        const page = join(project, "esbuild");
        await esbuild({
            absWorkingDir: project,
            entryPoints: ["main.js"],
            outdir: page,
            bundle: true,
            format: "esm",
            target: "es2022",
            minify: true,
            logLevel: "silent",
        });
        await copyFile(join(project, "index.html"), join(page, "index.html"));
        await copyFile(join(project, "icon.svg"), join(page, "icon.svg"));
        for (const name of await readdir(dist))
            if (/^(worker|template|store)\.js$|\.wasm$/.test(name))
                await copyFile(join(dist, name), join(page, name));
        for (const isolation of [true, false]) {
            const opened = await openPage(t, { page, isolation });
            const { threads } = await chatIn(opened);
            if (!isolation) assert.equal(threads, 1);
        }
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
        for (const isolation of [true, false]) {
            const opened = await openPage(t, { page, isolation });
            const { threads } = await chatIn(opened);
            if (!isolation) assert.equal(threads, 1);
            const modules = opened.requests.filter((r) => r.endsWith(".wasm"));
            assert.equal(new Set(modules).size, 1);
        }
    });

    test("vite's development server, as the README says", async (t) => {
        const models = join(project, "public/models");
        await mkdir(models, { recursive: true });
        await copyFile(
            join(scratch.folder, "tiny.gguf"),
            join(models, "tiny.gguf"),
        );
        const server = await viteServer({
            root: project,
            configFile: false,
            logLevel: "error",
            cacheDir: join(project, "cache"),
            optimizeDeps: { exclude: ["pipit"] },
            server: {
                port: 0,
                host: "127.0.0.1",
                fs: { allow: [project, root] },
            },
        });
        await server.listen();
        t.after(() => server.close());
        const [url = ""] = server.resolvedUrls?.local ?? [];
        const opened = await openPage(t, { page: project });
        await chatIn({ ...opened, url }, url);
    });
});
