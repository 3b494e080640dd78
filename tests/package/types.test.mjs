// The types: what they promise is written down in types/, and the compiler
// compares.
import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { createRequire } from "node:module";
import { dirname, join } from "node:path";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";

const require = createRequire(import.meta.url);
const tsc = join(dirname(require.resolve("typescript")), "tsc.js");
const folder = fileURLToPath(new URL("types", import.meta.url));

test("the types are those that are promised", async () => {
    await promisify(execFile)(process.execPath, [tsc, "-p", folder]).catch(
        (error) => assert.fail(error.stdout),
    );
});

test("the package's own sources", async () => {
    const own = fileURLToPath(new URL("../../js-bindings", import.meta.url));
    const words = [tsc, "-p", own, "--noEmit"];
    await promisify(execFile)(process.execPath, words).catch((error) =>
        assert.fail(error.stdout),
    );
});
