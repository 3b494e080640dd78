// The installed package in a page without a bundler: a plain module script, an
// import map, and ./inline, which needs nothing beside it.
import assert from "node:assert/strict";
import { mkdir, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { before, describe, test } from "node:test";
import { pathToFileURL } from "node:url";
import { isolation, serveFolder } from "../tools/folder-server.mjs";
import { installPacked } from "../tools/packed.mjs";
import {
    endless,
    newContext,
    scratch,
    useBrowser,
    withoutBrowser,
    writeTiny,
} from "./support.mjs";

const modules = "./node_modules/pipit/dist/";

/** What every page does with the `loadModel` that it has. */
const script = `
const source = globalThis.given ?? "./tiny.gguf";
const model = await loadModel(source, globalThis.options);
const chat = await model.createChat();
let answer = "";
for await (const text of chat.send("Hello", { maxTokens: 9 })) answer += text;
const { threads, kernels } = model;
await model.close();
document.body.textContent = JSON.stringify({ answer, threads, kernels });
`;

/** @param {string} head @param {string} [body] */
const page = (head, body = script) => `<!doctype html>
<html lang="en">
<head><meta charset="utf-8"><title>The package</title>
<link rel="icon" href="data:,">
${head}
<script type="module">${body}</script></head>
<body></body></html>`;

const plain = page(
    "",
    `import { loadModel } from "${modules}index.js";${script}`,
);
const inline = page(
    "",
    `import { loadModel } from "${modules}inline.js";${script}`,
);

let folder = "";

/** @param {string} name @param {string} text */
async function write(name, text) {
    await writeFile(join(folder, name), text);
    return name;
}

/**
 * Opens a page and waits for what it says.
 * @param {import("node:test").TestContext} t
 * @param {string} url
 * @param {{ given?: unknown, options?: unknown }} [globals]
 */
async function answerOf(t, url, globals = {}) {
    const context = await newContext(t);
    /** @type {string[]} */
    const errors = [];
    /** @type {string[]} */
    const requests = [];
    context.on("request", (request) => requests.push(request.url()));
    const tab = await context.newPage();
    tab.on("pageerror", (error) => errors.push(String(error)));
    tab.on("console", (message) => {
        if (message.type() === "error") errors.push(message.text());
    });
    await tab.addInitScript((all) => Object.assign(globalThis, all), globals);
    await tab.goto(url);
    await Promise.race([
        tab.waitForFunction(() => document.body?.textContent?.startsWith("{")),
        tab.waitForEvent("pageerror").then((error) => {
            throw error;
        }),
    ]);
    const facts = JSON.parse((await tab.textContent("body")) ?? "");
    assert.notEqual(facts.answer, "");
    const network = requests.filter((r) => r.startsWith("http"));
    return { ...facts, errors, tab, requests: network };
}

useBrowser();

describe("the package in a page", { skip: withoutBrowser }, () => {
    /** @type {string} what all answers are */
    let expected = "";

    before(async () => {
        folder = scratch.folder;
        await installPacked(folder);
        await writeTiny("tiny.gguf");
        await writeTiny("long.gguf", endless);
        await write("plain.html", plain);
        await write("inline.html", inline);
    });

    test("a plain module script", async (t) => {
        const url = await serveFolder(t, folder);
        const { answer, threads, errors } = await answerOf(
            t,
            `${url}plain.html`,
        );
        expected = answer;
        assert.equal(threads, 1);
        assert.deepEqual(errors, []);
        const isolated = await serveFolder(t, folder, isolation);
        const options = { threads: 2 };
        const more = await answerOf(t, `${isolated}plain.html`, { options });
        assert.equal(more.answer, answer);
        assert.equal(more.threads, 2);
    });

    test("an import map", async (t) => {
        const imports = {
            pipit: `${modules}index.js`,
            "pipit/models": `${modules}models.js`,
        };
        const map = `<script type="importmap">${JSON.stringify({ imports })}</script>`;
        const body = `import { loadModel } from "pipit";
            import { models } from "pipit/models";
            await models.pull("./tiny.gguf");${script}`;
        await write("map.html", page(map, body));
        const url = await serveFolder(t, folder);
        const { answer, errors } = await answerOf(t, `${url}map.html`);
        assert.equal(answer, expected);
        assert.deepEqual(errors, []);
    });

    describe("pipit/inline", () => {
        test("asks for nothing beside it, with threads and without", async (t) => {
            for (const headers of [{}, isolation]) {
                const url = await serveFolder(t, folder, headers);
                const options = { threads: 2 };
                const found = await answerOf(t, `${url}inline.html`, {
                    options,
                });
                assert.equal(found.answer, expected);
                assert.equal(found.threads, headers === isolation ? 2 : 1);
                assert.deepEqual(found.errors, []);
                assert.deepEqual(
                    found.requests.map((r) => r.replace(url, "")),
                    [
                        "inline.html",
                        `${modules}inline.js`.slice(2),
                        "tiny.gguf",
                    ],
                );
            }
        });

        test("from another site", async (t) => {
            const cdn = await serveFolder(
                t,
                join(folder, "node_modules/pipit/dist"),
                {
                    "Access-Control-Allow-Origin": "*",
                    ...isolation,
                },
            );
            await write(
                "cdn.html",
                page(
                    "",
                    `import { loadModel } from "${cdn}inline.js";${script}`,
                ),
            );
            const url = await serveFolder(t, folder, isolation);
            const options = { threads: 2 };
            const { answer, threads, errors } = await answerOf(
                t,
                `${url}cdn.html`,
                { options },
            );
            assert.equal(answer, expected);
            assert.equal(threads, 2);
            assert.deepEqual(errors, []);
        });

        test("under a policy that allows its workers", async (t) => {
            const url = await serveFolder(t, folder, {
                ...isolation,
                "Content-Security-Policy":
                    "default-src 'self'; script-src 'self' 'wasm-unsafe-eval' 'unsafe-inline'; worker-src 'self' blob:; img-src data:",
            });
            const options = { threads: 2 };
            const { answer, threads, errors } = await answerOf(
                t,
                `${url}inline.html`,
                { options },
            );
            assert.equal(answer, expected);
            assert.equal(threads, 2);
            assert.deepEqual(errors, []);
        });

        test("under a policy that does not: on the page's own thread", async (t) => {
            const url = await serveFolder(t, folder, {
                ...isolation,
                "Content-Security-Policy":
                    "default-src 'self'; script-src 'self' 'wasm-unsafe-eval' 'unsafe-inline'; img-src data:",
            });
            const { answer, threads, errors, tab } = await answerOf(
                t,
                `${url}inline.html`,
            );
            assert.equal(answer, expected);
            assert.equal(threads, 1);
            // The browser's own word on the worker that was tried.
            for (const error of errors) assert.match(error, /worker/i);

            // What a worker would do, it does there too.
            const facts = await tab.evaluate(
                async (address) => {
                    const { loadModel, renderChatTemplate } = await import(
                        address
                    );
                    const model = await loadModel("./long.gguf");
                    const options = { contextLength: 8000 };
                    const session = await model.createSession(options);
                    /** @type {string[]} */
                    const codes = [];
                    const code = (/** @type {Promise<unknown>} */ work) =>
                        work.then(
                            () => void codes.push("none"),
                            (error) => void codes.push(error.code),
                        );
                    const long = Array(6000).fill(40);
                    // The page lives on while its thread computes: else nobody
                    // would abort.
                    let ticks = 0;
                    const abort = new AbortController();
                    const timer = setInterval(() => {
                        if (++ticks === 5) abort.abort();
                    }, 1);
                    await code(session.eval(long, { signal: abort.signal }));
                    clearInterval(timer);
                    await code(session.eval([1e9]));
                    const forever =
                        "{% for i in range(99999) %}{% for j in range(99999) %}" +
                        "{% endfor %}{% endfor %}";
                    await code(renderChatTemplate(forever));
                    const text = await renderChatTemplate("again");
                    await session.rewind(0);
                    const dying = code(session.eval(long));
                    await model.close();
                    await dying;
                    await code(session.eval([33]));
                    return { codes, text, alive: ticks >= 5 };
                },
                `${url}${modules.slice(2)}inline.js`,
            );
            assert.deepEqual(facts, {
                codes: [
                    "aborted",
                    "invalid-token",
                    "template",
                    "closed",
                    "closed",
                ],
                text: "again",
                alive: true,
            });
            // With the address of the worker's file there are threads again.
            const options = { threads: 2, workerUrl: `${modules}worker.js` };
            const more = await answerOf(t, `${url}inline.html`, { options });
            assert.equal(more.threads, 2);
            assert.deepEqual(more.errors, []);
        });

        test("in one HTML file, from the disk, with the network gone", async (t) => {
            const own = await readFile(
                join(folder, modules, "inline.js"),
                "utf8",
            );
            // Its one `export { … }` is not for a script in the page.
            const names = Object.fromEntries(
                (/export\s*\{([^}]*)\}/.exec(own)?.[1] ?? "")
                    .split(",")
                    .map((pair) => pair.trim().split(/\s+as\s+/))
                    .map(([local, exported]) => [exported ?? local, local]),
            );
            const body = `${own.replace(/export\s*\{[^}]*\};?/, "")}
                ;{ const loadModel = ${names.loadModel};
                await new Promise((done) => document.querySelector("input").addEventListener("change", done));
                globalThis.given = document.querySelector("input").files[0];
                ${script} }`;
            const alone = join(folder, "alone");
            await mkdir(alone, { recursive: true });
            const html = page("", body);
            await writeFile(
                join(alone, "index.html"),
                html.replace("<body>", () => '<body><input type="file">'),
            );
            const context = await newContext(t);
            await context.setOffline(true);
            const tab = await context.newPage();
            /** @type {string[]} */
            const requests = [];
            context.on("request", (request) => requests.push(request.url()));
            tab.on("pageerror", (error) => requests.push(String(error)));
            const url = pathToFileURL(join(alone, "index.html")).href;
            await tab.goto(url);
            await tab.setInputFiles("input", join(folder, "tiny.gguf"));
            await tab.waitForFunction(() =>
                document.body.textContent?.startsWith("{"),
            );
            const facts = JSON.parse((await tab.textContent("body")) ?? "");
            assert.equal(facts.answer, expected);
            assert.deepEqual(
                requests.filter((r) => !/^(blob|data):/.test(r)),
                [url],
            );
        });
    });

    test("the module in every form", async (t) => {
        const url = await serveFolder(t, folder, isolation);
        const { tab } = await answerOf(t, `${url}plain.html`);
        const facts = await tab.evaluate(async (modules) => {
            const { loadModel, inspect } = await import(
                new URL(`${modules}index.js`, location.href).href
            );
            const file = new URL(`${modules}pipit-simd128.wasm`, location.href);
            const relative = `${modules}pipit-simd128.wasm`;
            const bytes = await (await fetch(file)).arrayBuffer();
            /** @type {Record<string, unknown>} */
            const forms = {
                url: file,
                text: file.href,
                relative,
                buffer: bytes,
                array: new Uint8Array(bytes),
                module: await WebAssembly.compile(bytes),
                response: await fetch(file),
                promised: new Response(bytes),
            };
            /** @type {Record<string, unknown>} */
            const found = {};
            for (const [name, wasm] of Object.entries(forms)) {
                const model = await loadModel("./tiny.gguf", { wasm });
                const session = await model.createSession();
                let text = "";
                for await (const piece of session.generate({
                    prompt: "the",
                    maxTokens: 9,
                }))
                    text += piece.text;
                found[name] = `${model.threads} ${text}`;
                await model.close();
            }
            const { architecture } = await inspect("./tiny.gguf", {
                wasm: bytes,
            });
            /** @type {string[]} */
            const codes = [];
            for (const wasm of [
                Uint8Array.of(0, 97, 115, 109, 1, 0, 0, 0),
                "./no-such.wasm",
                "./plain.html",
                7,
            ])
                await loadModel("./tiny.gguf", { wasm }).catch(
                    (/** @type {{ code: string }} */ error) =>
                        codes.push(error.code),
                );
            return { found, architecture, codes };
        }, modules);
        const texts = new Set(Object.values(facts.found));
        assert.equal(Object.keys(facts.found).length, 8);
        assert.equal(texts.size, 1, JSON.stringify(facts.found));
        assert.equal(facts.architecture, "llama");
        assert.deepEqual(facts.codes, Array(4).fill("environment"));
    });
});
