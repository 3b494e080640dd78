// What the service worker keeps from the first visit on: all that the page
// needs, and nothing that is large or that no page asks for.
import assert from "node:assert/strict";
import { existsSync, readFileSync, statSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import { composePage } from "../../demo/pages.mjs";
import { describeShell, vendored } from "../../demo/shell.mjs";

const at = (/** @type {string} */ path) =>
    fileURLToPath(new URL(`../../${path}`, import.meta.url));
const sources = { page: at("demo"), pipit: at("js-bindings/dist") };
const { files, version } = await describeShell(sources);

/** @param {string} file of the shell */
function pathOf(file) {
    if (file.startsWith("pipit/")) return join(sources.pipit, file.slice(6));
    if (file.startsWith("vendor/"))
        return /** @type {Record<string, string>} */ (vendored)[
            file.slice("vendor/".length)
        ];
    return join(sources.page, file);
}

test("every file is there, once", () => {
    assert.equal(new Set(files).size, files.length);
    for (const file of files)
        assert.ok(existsSync(pathOf(file) ?? ""), `no ${file}`);
    assert.match(version, /^[0-9a-f]{12}$/);
});

test("nothing large, no model, no example program, no tool", () => {
    const unwanted = /^(examples|models|api)\/|\.(wasm|gguf|mjs|md)$|^sw\.js$/;
    assert.deepEqual(
        files.filter((file) => unwanted.test(file)),
        [],
    );
    const sizes = files.map((file) => statSync(pathOf(file) ?? "").size);
    assert.ok(Math.max(...sizes) < 100_000, `${Math.max(...sizes)} bytes`);
    const total = sizes.reduce((sum, size) => sum + size, 0);
    assert.ok(total < 1_000_000, `${total} bytes`);
});

test("each is asked for by another, or by the browser", async () => {
    const pages = files.filter((file) => file.endsWith(".html"));
    const whole = await Promise.all(
        ["index.html", ...pages].map((file) => composePage(pathOf(file) ?? "")),
    );
    const texts = files
        .filter((file) => /\.(js|css|webmanifest)$/.test(file))
        .map((file) => readFileSync(pathOf(file) ?? "", "utf8"))
        .concat(whole)
        .join("\n");
    const unasked = files.filter((file) => {
        const name = file.split("/").at(-1) ?? "";
        return !pages.includes(file) && !texts.includes(name);
    });
    assert.deepEqual(unasked, []);
});
