// How long a model takes from its place on the disk to ready: in fresh processes
// of Node, in fresh Chromium from OPFS, and wllama 2.3.1 from a Blob in Chromium,
// in turns. Beside them what the system alone takes to give that much memory: a
// byte written to every page of new memory.
//
//   node tests/bench/load.mjs [MODEL] [--threads 1,2] [--rounds 5] [--json]
//                             [--without node,page,wllama]
import { mkdtempSync, rmSync, statSync } from "node:fs";
import { tmpdir } from "node:os";
import { basename, dirname, join, relative } from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";
import { parseArgs } from "node:util";
import { chromium } from "playwright-core";
import { startServer } from "../../demo/serve.mjs";
import { browserOptions } from "./browser.mjs";
import { fileOf, subjects } from "./peers/files.mjs";
import { hasPeers, peers, preparePeers, runs } from "./peers/places.mjs";
import { median } from "./median.mjs";

const { values, positionals } = parseArgs({
    options: {
        threads: { type: "string", default: "1,2" },
        rounds: { type: "string", default: "5" },
        json: { type: "boolean", default: false },
        without: { type: "string", default: "" },
    },
    allowPositionals: true,
});
const [standard] = subjects;
if (!standard) throw new Error("no subject");
const file = positionals[0] ?? (await fileOf(standard)).path;
const size = statSync(file).size;
const without = values.without.split(",");
if (!hasPeers()) without.push("wllama");

/** One line of a program's text in a process of its own. @param {string} text */
async function inNode(text) {
    const words = ["--input-type=module", "-e", text];
    return JSON.parse(await runs(process.execPath, words));
}

/** @param {number} threads */
const ours = (threads) =>
    inNode(`
        import { allowRelaxedSimd } from
            ${JSON.stringify(new URL("../tools/relaxed-simd.mjs", import.meta.url))};
        allowRelaxedSimd();
        const { loadModel } = await import("pipit");
        const file = ${JSON.stringify(file)};
        const model = await loadModel(file, { threads: ${threads} });
        console.log(JSON.stringify(model.loadTimings));
        await model.close();`);

const touch = () =>
    inNode(`
        const pages = ${Math.ceil(size / 65536)};
        const memory = new WebAssembly.Memory(
            { initial: 1, maximum: 65536, shared: true });
        memory.grow(pages);
        const bytes = new Uint8Array(memory.buffer);
        const since = performance.now();
        for (let at = 0; at < pages * 65536; at += 4096) bytes[at] = 1;
        const totalMs = performance.now() - since;
        console.log(JSON.stringify({ totalMs }));`);

const profile = mkdtempSync(join(tmpdir(), "pipit-load-"));
const server = await startServer({
    models: dirname(file),
    page: fileURLToPath(new URL("../browser/pages", import.meta.url)),
});
const url = `${server.url}models/${basename(file)}`;

/** A page of a browser that has just started. @template A, R
 * @param {string} address @param {(options: any) => Promise<R>} work @param {A} options */
async function inPage(address, work, options) {
    const browser = await chromium.launchPersistentContext(
        profile,
        browserOptions(),
    );
    try {
        const page = await browser.newPage();
        await page.goto(address);
        return await page.evaluate(work, options);
    } finally {
        await browser.close();
    }
}

/** Keeps it in OPFS. @param {any} options */
async function keep({ url }) {
    const { models } = await import(
        new URL("pipit/models.js", document.baseURI).href
    );
    await models.pull(url);
    return (await models.list()).map((/** @type {any} */ kept) => kept.source);
}

/** @param {any} options */
async function load({ url, threads }) {
    const { loadModel } = await import(
        new URL("pipit/index.js", document.baseURI).href
    );
    const model = await loadModel(url, { threads });
    const timings = model.loadTimings;
    const before = performance.getEntriesByName(url).length;
    await model.close();
    return { ...timings, fetched: before > 0, threads: model.threads };
}

/** @param {any} options */
async function loadWllama({ path, threads }) {
    const { Wllama } = await import(
        `${location.origin}/node_modules/wllama231/esm/index.js`
    );
    const at = "/node_modules/wllama231/esm";
    const quiet = () => {};
    const wllama = new Wllama(
        {
            "single-thread/wllama.wasm": `${at}/single-thread/wllama.wasm`,
            "multi-thread/wllama.wasm": `${at}/multi-thread/wllama.wasm`,
        },
        { logger: { debug: quiet, log: quiet, warn: quiet, error: quiet } },
    );
    const blob = await (await fetch(path)).blob();
    const since = performance.now();
    await wllama.loadModel([blob], {
        ...{ n_threads: threads, n_ctx: 1024, n_batch: 512 },
    });
    const totalMs = performance.now() - since;
    await wllama.exit();
    return { totalMs };
}

/** @type {{ close: () => void, port: number } | undefined} */
let peerServer;
if (!without.includes("wllama")) {
    await preparePeers();
    const { serve } = await import(
        pathToFileURL(join(peers, "server.mjs")).href
    );
    peerServer = await serve(peers, { coi: true });
}
const peerUrl = `http://127.0.0.1:${peerServer?.port}`;
const peerFile = `/${relative(peers, file)}`;
if (peerServer && peerFile.startsWith("/..")) {
    console.error(`wllama is left out: the file is not in ${peers}`);
    without.push("wllama");
}

/** What is measured, in turns.
 * @type {Record<string, (threads: number) => Promise<{ totalMs: number }>>} */
const ways = {
    memory: touch,
    ...(!without.includes("node") && { node: ours }),
    ...(!without.includes("page") && {
        page: (threads) => inPage(server.url, load, { url, threads }),
    }),
    ...(!without.includes("wllama") && {
        wllama: (threads) =>
            inPage(`${peerUrl}/page2.html`, loadWllama, {
                ...{ path: peerFile, threads },
            }),
    }),
};

/** @type {Record<string, Record<string, number>>} */
const figures = {};
try {
    if (ways.page) {
        const kept = await inPage(server.url, keep, { url });
        if (kept.length !== 1) throw new Error(`kept: ${kept}`);
    }
    for (const threads of values.threads.split(",").map(Number)) {
        /** @type {Record<string, number[]>} */
        const times = {};
        for (let round = 0; round < Number(values.rounds); round++)
            for (const [name, way] of Object.entries(ways)) {
                const took = await way(threads);
                if ("fetched" in took && took.fetched)
                    throw new Error("the page fetched what it keeps");
                (times[name] ??= []).push(took.totalMs);
            }
        const row = Object.fromEntries(
            Object.entries(times).flatMap(([name, all]) => [
                [name, median(all)],
                [`${name} least`, Math.min(...all)],
            ]),
        );
        figures[threads] = row;
        if (values.json) continue;
        console.log(`${threads} thread(s), ${basename(file)}, milliseconds`);
        for (const name of Object.keys(ways)) {
            const ms = row[name] ?? NaN;
            const other = row.wllama ? `${(ms / row.wllama).toFixed(2)} ×` : "";
            console.log(
                name.padEnd(10),
                `median ${ms.toFixed(0).padStart(5)}`,
                `least ${row[`${name} least`]?.toFixed(0).padStart(5)} `,
                name === "wllama" ? "" : other,
            );
        }
    }
    if (values.json) console.log(JSON.stringify(figures));
} finally {
    await server.close();
    peerServer?.close();
    rmSync(profile, { recursive: true, force: true });
}
