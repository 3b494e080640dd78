// The package's outside: what is packed, and what the two linters of packages
// say to it.
import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { existsSync, readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { dirname, join } from "node:path";
import { before, test } from "node:test";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { publint } from "publint";
import { formatMessage } from "publint/utils";
import { pack, useFolder } from "../tools/packed.mjs";

const root = fileURLToPath(new URL("../..", import.meta.url));
const folder = join(root, "js-bindings");
const text = readFileSync(join(folder, "package.json"), "utf8");
const manifest = JSON.parse(text);

/** @type {{ file: string, names: string[] }} */
let packed;
const to = useFolder();
before(async () => {
    packed = await pack(to);
});

test("publint has nothing to say", async () => {
    const { messages } = await publint({ pkgDir: folder, strict: true });
    assert.deepEqual(
        messages.map((message) => formatMessage(message, manifest)),
        [],
    );
});

test("the types resolve for whoever imports (attw)", async () => {
    const require = createRequire(import.meta.url);
    const cli = join(
        dirname(require.resolve("@arethetypeswrong/cli/package.json")),
        "dist/index.js",
    );
    // What is no program has no types.
    const files = Object.keys(manifest.exports).filter((name) =>
        name.endsWith(".wasm"),
    );
    const words = [cli, packed.file, "--format", "json"];
    const { stdout } = await promisify(execFile)(
        process.execPath,
        [...words, "--profile", "esm-only", "--exclude-entrypoints", ...files],
        { maxBuffer: 2 ** 26 },
    );
    const { analysis } = JSON.parse(stdout);
    assert.deepEqual(
        Object.keys(analysis.entrypoints).sort(),
        Object.keys(manifest.exports)
            .filter((name) => !files.includes(name))
            .sort(),
    );
    const wrong = analysis.problems.filter(
        (/** @type {{ resolutionKind?: string, kind: string }} */ problem) =>
            // The profile's: a module is no CommonJS, and needs `exports`.
            !["node10", "node16-cjs"].includes(problem.resolutionKind ?? "") &&
            problem.kind !== "CJSResolvesToESM",
    );
    assert.deepEqual(wrong, []);
});

test("no key of package.json stands there twice", () => {
    assert.equal(
        JSON.stringify(manifest, null, 2).match(/"\.\/[^"]*": /g)?.length,
        text.match(/"\.\/[^"]*": /g)?.length,
    );
});

test("every entry is packed, types first", () => {
    for (const [name, entry] of Object.entries(manifest.exports)) {
        const files =
            typeof entry === "string" ? [entry] : Object.values(entry);
        for (const file of files)
            assert.ok(
                file === "./package.json" ||
                    packed.names.includes(file.replace("./", "")),
                `${name}: ${file}`,
            );
        if (typeof entry === "object")
            assert.equal(Object.keys(entry)[0], "types", name);
    }
    for (const file of Object.values(manifest.bin))
        assert.ok(packed.names.includes(file), file);
});

test("nothing is packed that nobody needs", () => {
    const wanted =
        /^(dist\/.*\.(js|wasm|d\.ts)|dist\/\w+\.LICENSE|bin\/pipit\.js|README\.md|LICENSE|package\.json)$/;
    assert.deepEqual(
        packed.names.filter((name) => !wanted.test(name)),
        [],
    );
    assert.equal(manifest.dependencies, undefined);
    // Nor what an older build left: types have a source, modules an entry.
    const sources = packed.names
        .filter((name) => name.endsWith(".d.ts"))
        .map((name) => name.replace(/^dist(.*)\.d\.ts$/, "src$1.ts"));
    assert.deepEqual(
        sources.filter((name) => !existsSync(join(folder, name))),
        [],
    );
    assert.deepEqual(
        packed.names.filter((name) => name.endsWith(".wasm")).sort(),
        Object.values(manifest.exports)
            .filter((file) => String(file).endsWith(".wasm"))
            .map((file) => String(file).replace("./", ""))
            .sort(),
    );
});
