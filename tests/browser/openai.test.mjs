// The unmodified `openai` client in a page, bundled by esbuild, over the package's
// own `fetch`: no request leaves the page.
import assert from "node:assert/strict";
import { build as esbuild } from "esbuild";
import { cp, mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { before, describe, test } from "node:test";
import { fileURLToPath } from "node:url";
import {
    endless,
    openPage,
    scratch,
    testPages,
    useBrowser,
    withoutBrowser,
    writeTiny,
} from "./support.mjs";

useBrowser();

describe("the openai client in a page", { skip: withoutBrowser }, () => {
    let folder = "";
    before(async () => {
        await writeTiny("tiny.gguf", { context: 2048 });
        await writeTiny("endless.gguf", endless);
        folder = join(scratch.folder, "openai-page");
        await mkdir(folder);
        for (const name of ["index.html", "icon.svg"])
            await cp(join(testPages, name), join(folder, name));
        await esbuild({
            stdin: {
                contents: 'export { default as OpenAI } from "openai";',
                resolveDir: fileURLToPath(new URL(".", import.meta.url)),
            },
            outfile: join(folder, "openai-client.js"),
            ...{ bundle: true, format: "esm", target: "es2022" },
            ...{ platform: "browser", minify: true, logLevel: "silent" },
        });
        await cp(
            join(testPages, "openai-tasks.js"),
            join(folder, "openai-tasks.js"),
        );
        await writeFile(
            join(folder, "openai-worker.js"),
            `import { converse } from "./openai-tasks.js";
            addEventListener("message", async ({ data }) =>
                postMessage(await converse(data).catch(String)));`,
        );
    });

    for (const place of /** @type {const} */ (["page", "worker"]))
        test(`all of it, in a ${place}`, async (t) => {
            const { page, url, errors, requests } = await openPage(t, {
                page: folder,
            });
            const did = await page.evaluate(
                async ({ place, options }) => {
                    const address = new URL("openai-tasks.js", location.href);
                    if (place === "page")
                        return (await import(address.href)).converse(options);
                    const worker = new Worker("openai-worker.js", {
                        type: "module",
                    });
                    return new Promise((resolve) => {
                        worker.onmessage = ({ data }) => resolve(data);
                        worker.postMessage(options);
                    });
                },
                { place, options: { models: `${url}models/` } },
            );
            assert.equal(typeof did, "object", did);
            assert.deepEqual(did.models, ["tiny"]);
            assert.notEqual(did.text, "");
            assert.equal(did.streamed, did.text);
            assert.equal(did.choices, 2);
            assert.equal(did.completed, 3);
            assert.ok(did.cached > 0 && did.cached < did.prompt);
            assert.deepEqual(did.refused, {
                ...{ status: 400, param: "tools" },
                ...{ type: "invalid_request_error", isBadRequest: true },
            });
            assert.equal(did.torn, 400);
            assert.ok(did.chunks >= 3 && did.chunks < 500, `${did.chunks}`);
            assert.equal(did.aborted, "APIUserAbortError");
            assert.equal(did.after, 2);
            const strange = requests.filter((one) => !one.startsWith(url));
            assert.deepEqual(strange, []);
            assert.deepEqual(errors, []);
        });
});
