// One set of checks in Chromium, Firefox and WebKit, with the isolation headers
// and without. WebKit stands for Safari: no relaxed SIMD, no threads, no OPFS.
import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { cp, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { basename, join } from "node:path";
import { after, before, describe, test } from "node:test";
import { fileURLToPath } from "node:url";
import { loadModel } from "pipit";
import { exportSite } from "../../demo/shell.mjs";
import { pulledModel } from "../golden/reference.mjs";
import { badAnswers, impatient, startBadServer } from "../tools/bad-server.mjs";
import { tensorTypes, tinyModel } from "../tools/tiny-model.mjs";
import { programs, startBrowser } from "./drivers.mjs";
import { isolated, policy, startSite } from "./site.mjs";
import { endless } from "./support.mjs";
import { stopLimit } from "../tools/patience.mjs";

/** @typedef {import("./drivers.mjs").BrowserName} BrowserName */
/** @typedef {import("./drivers.mjs").Tab} Tab */

const here = (/** @type {string} */ path) =>
    fileURLToPath(new URL(path, import.meta.url));
const golden = JSON.parse(await readFile(here("../wasm/golden.json"), "utf8"));
const realModel = pulledModel("smollm2-135m-instruct-q4_1");

/** What the three have, on a page with the isolation headers. */
const expected = {
    chromium: { relaxed: true, opfs: true, threads: true },
    firefox: { relaxed: true, opfs: true, threads: true },
    webkit: { relaxed: false, opfs: false, threads: false },
    safari: { relaxed: false, opfs: false, threads: true },
};

/** What a server may answer, and what becomes of it: the code, the status. */
const refused = /** @type {const} */ ({
    404: ["not-found", 404],
    410: ["not-found", 410],
    403: ["network", 403],
    500: ["network", 500],
    416: ["network", undefined],
    html: ["invalid-file", undefined],
    text: ["invalid-file", undefined],
    short: ["network", undefined],
    loop: ["network", undefined],
});
const repaired = [
    ...["torn", "changing", "rangeless", "unsatisfied"],
    ...["silent", "unnamed", "halves"],
];

/** Golden tokens. @param {number} n @param {number} range */
const tokensOf = (n, range) =>
    Array.from({ length: n }, (_, i) => (i * 7919) % range);

let folder = "";
let site = "";
/** @type {string[]} */
let answers = [];
/** @type {import("../tools/bad-server.mjs").BadServer} */
let bad;

/** The pages of tests as a site, with the demo's own service worker. */
async function makeSite() {
    folder = await mkdtemp(join(tmpdir(), "pipit-everywhere-"));
    site = join(folder, "site");
    const page = join(folder, "page");
    await cp(here("pages"), page, { recursive: true });
    await cp(here("../../demo/sw.js"), join(page, "sw.js"));
    await exportSite(
        {
            page,
            pipit: here("../../js-bindings/dist"),
            manifest: here("../../models/manifest.json"),
        },
        site,
    );
    const put = (/** @type {string} */ name, /** @type {any} */ options) =>
        writeFile(join(site, "models", name), tinyModel(options));
    await put("tiny.gguf", { layers: 2 });
    await put("endless.gguf", { ...endless, layers: 8 });
    for (const type of tensorTypes)
        await put(`${type}.gguf`, { type, seed: 3 });
    if (realModel)
        await cp(realModel, join(site, "models", basename(realModel)));
}

/** As Node answers. */
async function answersInNode() {
    const path = join(site, "models/tiny.gguf");
    const model = await loadModel(path, { threads: 1 });
    const chat = await model.createChat();
    const found = [];
    for (const question of ["Hello", "And again?"]) {
        let answer = "";
        for await (const text of chat.send(question, { maxTokens: 16 }))
            answer += text;
        found.push(answer);
    }
    await model.close();
    return found;
}

before(async () => {
    await makeSite();
    answers = await answersInNode();
    bad = await startBadServer(await readFile(join(site, "models/tiny.gguf")));
});
after(async () => {
    await bad?.close();
    await rm(folder, { recursive: true, force: true });
});

/**
 * Runs a check of pages/everywhere.js.
 * @param {Tab} tab
 * @param {string} name
 * @param {unknown} [options]
 */
const check = (tab, name, options = {}) =>
    tab.evaluate(
        async ({ name, options }) => {
            const module = new URL("everywhere.js", document.baseURI).href;
            const { checks, tasks } = await import(module);
            return (checks[name] ?? tasks[name])(options);
        },
        { name, options },
    );

/** The same in a module worker of the page. @type {typeof check} */
const checkInWorker = (tab, name, options = {}) =>
    tab.evaluate(
        async ({ name, options }) => {
            const worker = new Worker("task-worker.js", { type: "module" });
            const reply = await new Promise((resolve, reject) => {
                worker.onmessage = ({ data }) => resolve(data);
                worker.onerror = (event) => reject(Error(event.message));
                worker.postMessage({ name, options });
            });
            worker.terminate();
            if (reply.error) throw new Error(reply.error);
            return reply.result;
        },
        { name, options },
    );

/** @param {BrowserName} name @returns {false | string} why it is skipped */
const missing = (name) =>
    programs[name] || process.env.CI ? false : `there is no ${name} here`;

for (const name of /** @type {BrowserName[]} */ (Object.keys(programs)))
    describe(name, { skip: missing(name) }, () => {
        const has = expected[name];
        // Now and then `new Worker` never returns in a worker of Firefox 153:
        // once in a hundred bare workers that all live on, once in ten where
        // others end meanwhile. Nothing but starting none avoids it.
        const inWorker = { skip: name === "firefox" && "it may hang there" };
        /** @type {import("./drivers.mjs").Driven} */
        let browser;
        before(async () => {
            browser = await startBrowser(name);
        });
        after(() => browser?.close());

        /**
         * A tab, and a site at an address of its own: its storage is empty.
         * @param {import("node:test").TestContext} t
         * @param {boolean} isolation
         */
        async function open(t, isolation) {
            const headers = { ...policy, ...(isolation && isolated) };
            const host = await startSite(t, site, headers);
            const tab = await browser.open();
            t.after(() => tab.close());
            await tab.goto(host.url);
            return { host, tab };
        }

        for (const isolation of [true, false]) {
            const where = isolation ? "isolated" : "not isolated";
            const threads = isolation && has.threads;
            const module =
                `pipit-${has.relaxed ? "relaxed" : "simd128"}` +
                `${threads ? "-mt" : ""}.wasm`;

            test(`${where}: loads, stores, answers, loads again`, async (t) => {
                const { host, tab } = await open(t, isolation);
                const facts = await check(tab, "facts");
                assert.equal(facts.isolated, isolation);
                assert.equal(facts.relaxed, has.relaxed);
                assert.equal(facts.opfs, has.opfs);

                const source = `${host.url}models/tiny.gguf`;
                const stored = await check(tab, "pull", { url: source });
                assert.equal(stored.kind, has.opfs ? "opfs" : "cache");
                assert.equal(stored.source, source);
                assert.equal(stored.last, stored.size);
                const chat = await check(tab, "chat", { source });
                assert.deepEqual(chat.answers, answers);
                const { processors } = facts;
                assert.equal(
                    chat.threads,
                    threads ? Math.min(processors, 8) : 1,
                );
                if (!has.relaxed) assert.equal(chat.kernels, "simd128");
                else assert.match(chat.kernels, /^relaxed-/);
                const modules = host.requests.filter((one) =>
                    one.endsWith(".wasm"),
                );
                assert.deepEqual(modules, [`/pipit/${module}`]);

                host.requests.length = 0;
                await tab.goto(host.url);
                const again = await check(tab, "chat", { source });
                assert.deepEqual(again.answers, answers);
                assert.deepEqual(
                    host.requests.filter((one) => one.endsWith(".gguf")),
                    [],
                );
            });

            test(`${where}: cancels, and goes on`, async (t) => {
                const { host, tab } = await open(t, isolation);
                const done = await check(tab, "cancel", {
                    endless: `${host.url}models/endless.gguf`,
                    slow: `${bad.url}slow/tiny.gguf`,
                });
                assert.equal(done.load, "aborted");
                assert.equal(done.pull, "aborted");
                assert.equal(done.stored, false);
                assert.equal(done.answer, "aborted");
                assert.ok(done.pieces < 100, `${done.pieces} pieces`);
                assert.ok(done.ms < stopLimit(), `${done.ms} ms`);
                assert.notEqual(done.next, "");
                t.diagnostic(`ended after ${done.ms.toFixed()} ms`);
            });

            test(`${where}: the golden logits`, async (t) => {
                const { host, tab } = await open(t, isolation);
                const urls = Object.fromEntries(
                    tensorTypes.map((type) => [
                        type,
                        `${host.url}models/${type}.gguf`,
                    ]),
                );
                const wanted = Object.fromEntries(
                    tensorTypes.map((type) => [type, golden[type]]),
                );
                const tokens = tokensOf(100, 290);
                const plain = `${host.url}pipit/pipit-simd128.wasm`;
                for (const wasm of [undefined, plain]) {
                    const options = { urls, tokens, piece: 64, wasm };
                    assert.deepEqual(
                        await check(tab, "hashes", options),
                        wanted,
                    );
                }
            });

            test(`${where}: in a worker of the page`, inWorker, async (t) => {
                const { host, tab } = await open(t, isolation);
                const url = `${host.url}models/tiny.gguf`;
                const did = await checkInWorker(tab, "exercise", { url });
                assert.equal(did.text, "the hello");
                assert.deepEqual(did.tokens, did.same);
                assert.equal(did.afterClose, "closed");
                assert.equal(did.threads > 1, threads);
                const hashes = Object.values(
                    await checkInWorker(tab, "sources", { url }),
                );
                assert.equal(hashes.length, 7);
                assert.equal(new Set(hashes).size, 1);
            });

            test(`${where}: answers though the server is gone`, async (t) => {
                const { host, tab } = await open(t, isolation);
                const source = `${host.url}models/tiny.gguf`;
                await check(tab, "pull", { url: source });
                assert.equal(await check(tab, "install"), "activated");
                await host.kill();

                await tab.goto(host.url);
                // The service worker gives the headers that the host did not.
                assert.equal((await check(tab, "facts")).isolated, true);
                const chat = await check(tab, "chat", { source });
                assert.deepEqual(chat.answers, answers);

                await tab.goto(host.url);
                const first = await check(tab, "open", { source });
                await host.restart();
                const second = await check(tab, "again");
                assert.deepEqual([first, second], answers);
                assert.deepEqual(
                    host.requests.filter((one) => one !== "/sw.js"),
                    [],
                );
            });
        }

        for (const [where, own] of /** @type {const} */ ([
            ["another site", false],
            ["the page's own", true],
        ]))
            test(`every wrong answer of ${where}`, async (t) => {
                const body = await readFile(join(site, "models/tiny.gguf"));
                const sha256 = createHash("sha256").update(body).digest("hex");
                const ownBad = badAnswers(body);
                const { url, requests } = own
                    ? { url: "bad/", requests: ownBad.requests }
                    : bad;
                const host = await startSite(t, site, policy, ownBad.answer);
                const tab = await browser.open();
                t.after(() => tab.close());
                await tab.goto(host.url);
                const base = new URL(url, host.url).href;
                const at = (/** @type {string} */ way) =>
                    `${base}${way}/tiny.gguf?${name}`;
                const limits = impatient;
                const known = { limits, sha256 };
                const other = { limits, sha256: "0".repeat(64) };
                const ways = [...Object.keys(refused), ...repaired];
                /** @type {Record<string, { url: string, options: object }>} */
                const cases = {
                    ...Object.fromEntries(
                        ways.map((way) => [
                            way,
                            { url: at(way), options: { limits } },
                        ]),
                    ),
                    long: { url: at("long"), options: known },
                    shorter: { url: `${at("short")}&`, options: known },
                    changed: { url: at("good"), options: other },
                    checked: { url: `${at("torn")}&`, options: known },
                };
                const found = await check(tab, "pulls", { cases });
                /** @type {Record<string, unknown>} */
                const expected = {};
                for (const [way, [error, status]] of Object.entries({
                    ...refused,
                    ...{ long: ["checksum"], changed: ["checksum"] },
                    ...{ shorter: ["network"] },
                }))
                    expected[way] = {
                        ...(error !== undefined && { error }),
                        ...(status !== undefined && { status }),
                        stored: false,
                    };
                for (const way of [...repaired, "checked"])
                    expected[way] = { size: body.length, sha256, stored: true };
                // WebDriver makes null of undefined.
                const plain = JSON.parse(
                    JSON.stringify(found, (_, value) => value ?? undefined),
                );
                assert.deepEqual(plain, expected);
                // A busy browser may have seen nothing of a torn one.
                const ranges = ["torn", "silent", "checked"].map(
                    (way) =>
                        requests
                            .filter(({ path }) => cases[way].url.endsWith(path))
                            .at(1)?.range,
                );
                assert.match(String(ranges), /bytes=[1-9]\d*-/);
            });

        const without = realModel ? false : "the default model is not pulled";
        test("the default model", { skip: without }, async (t) => {
            const { host, tab } = await open(t, true);
            const url = `${host.url}models/${basename(String(realModel))}`;
            const stored = await check(tab, "pull", { url });
            assert.equal(stored.kind, has.opfs ? "opfs" : "cache");
            host.requests.length = 0;
            const options = { tokens: tokensOf(40, 49152), piece: 40 };
            const { hash } = await check(tab, "hash", { url, ...options });
            assert.equal(hash, golden.smollm2);
            assert.deepEqual(
                host.requests.filter((one) => one.endsWith(".gguf")),
                [],
            );
        });
    });
