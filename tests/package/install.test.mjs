// Packed, installed in an empty folder, and used there: by Node 20 and 24, and
// by the compiler.
import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { copyFile, readdir, writeFile } from "node:fs/promises";
import { createRequire } from "node:module";
import { dirname, join } from "node:path";
import { before, describe, test } from "node:test";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { node24 } from "../tools/node24.mjs";
import { installPacked, useFolder } from "../tools/packed.mjs";
import { tinyModel } from "../tools/tiny-model.mjs";

const execute = promisify(execFile);
const given = fileURLToPath(new URL("installed/", import.meta.url));

const folder = useFolder();
before(async () => {
    await installPacked(folder);
    for (const name of ["try.mjs", "use.ts"])
        await copyFile(join(given, name), join(folder, name));
    await writeFile(join(folder, "tiny.gguf"), tinyModel());
});

/** @param {string} program a Node @param {string[]} words */
async function run(program, words) {
    const { stdout } = await execute(program, words, {
        cwd: folder,
        env: { ...process.env, PIPIT_CACHE: join(folder, "cache") },
    });
    return stdout;
}

/** @param {string} program */
async function tryAll(program) {
    const facts = JSON.parse(await run(program, ["try.mjs", "./tiny.gguf"]));
    const { node, answers, ...rest } = facts;
    assert.notEqual(answers[0], "");
    assert.equal(answers[0], answers[1]);
    assert.ok(rest.trainingBytes > 0);
    assert.deepEqual(rest, {
        architecture: "llama",
        completion: 4,
        trainingBytes: rest.trainingBytes,
        tokens: rest.tokens,
        prompted: "string",
        listed: 1,
        code: "not-found",
        wasm: true,
        bench: "function",
    });
    const { version } = JSON.parse(
        await run(program, [
            "node_modules/pipit/bin/pipit.js",
            "info",
            "./tiny.gguf",
            "--json",
        ]),
    );
    assert.equal(version, 3);
    return { node, answers };
}

test("nothing else was installed", async () => {
    const names = await readdir(join(folder, "node_modules"));
    assert.deepEqual(
        names.filter((name) => !name.startsWith(".")),
        ["pipit"],
    );
});

describe("in Node", () => {
    test("the one that runs the tests", async () => {
        const { node } = await tryAll(process.execPath);
        assert.equal(node, process.version);
    });

    test("24, with the same answers", async (t) => {
        const found = await node24();
        if ("missing" in found) {
            assert.ok(!process.env.CI, found.missing);
            return t.skip(found.missing);
        }
        const { node, answers } = await tryAll(found.program);
        assert.match(node, /^v24\./);
        assert.deepEqual(answers, (await tryAll(process.execPath)).answers);
    });
});

describe("types", () => {
    const require = createRequire(import.meta.url);
    const tsc = join(dirname(require.resolve("typescript")), "tsc.js");
    for (const [module, resolution] of [
        ["NodeNext", "NodeNext"],
        ["Node16", "Node16"],
        ["ESNext", "Bundler"],
    ])
        test(`${module}, resolved as ${resolution}`, async () => {
            const compilerOptions = {
                ...{ module, moduleResolution: resolution, target: "ES2022" },
                ...{ strict: true, exactOptionalPropertyTypes: true },
                ...{ skipLibCheck: false, types: [], noEmit: true },
            };
            const config = `${resolution}.json`;
            await writeFile(
                join(folder, config),
                JSON.stringify({ compilerOptions, files: ["use.ts"] }),
            );
            await run(process.execPath, [tsc, "-p", config]).catch((error) =>
                assert.fail(error.stdout),
            );
        });
});
