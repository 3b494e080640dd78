// The reference of the package's interface, for the site: made from the types
// by typedoc, as build/api. It is no part of the repository or of the page.
//
//   node demo/api.mjs
import { execFile } from "node:child_process";
import { stat } from "node:fs/promises";
import { createRequire } from "node:module";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";

const bindings = fileURLToPath(new URL("../js-bindings", import.meta.url));

/** Where it is, once it was built. */
export const apiFolder = fileURLToPath(
    new URL("../build/api", import.meta.url),
);

export async function hasApi() {
    const index = join(apiFolder, "index.html");
    return (await stat(index).catch(() => undefined)) !== undefined;
}

/** Builds it anew. */
export async function buildApi() {
    const require = createRequire(import.meta.url);
    // Its package names no file of its command's.
    const typedoc = dirname(require.resolve("typedoc/package.json"));
    const words = [join(typedoc, "bin/typedoc"), "--out", apiFolder];
    await promisify(execFile)(process.execPath, words, { cwd: bindings });
}

/** The page's scripts are in the files: the strict policy is not for these. */
export const apiPolicy = [
    "default-src 'self'",
    "script-src 'self' 'unsafe-inline'",
    "style-src 'self' 'unsafe-inline'",
    "connect-src 'self' data:",
    "object-src 'none'",
    "base-uri 'none'",
    "form-action 'none'",
    "frame-ancestors 'none'",
].join("; ");

if (process.argv[1] === fileURLToPath(import.meta.url)) await buildApi();
