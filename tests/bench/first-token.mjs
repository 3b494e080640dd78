// The first token of a short prompt in a fresh page of Chromium, against the
// steady time there: what compiling and tier-up cost. Each round is a profile of
// its own with one page; the model comes from a server on this machine.
//
//   node tests/bench/first-token.mjs [--rounds 5] [--threads 2] [--flags "…"]
//                                   [--save FILE]
import { existsSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { homedir, tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { chromium } from "playwright-core";
import { startServer } from "../../demo/serve.mjs";
import { browserOptions } from "./browser.mjs";
import { median } from "./median.mjs";

const { values } = parseArgs({
    options: {
        rounds: { type: "string", default: "5" },
        threads: { type: "string", default: "2" },
        repetitions: { type: "string", default: "20" },
        /** Of V8, such as --no-liftoff. */
        flags: { type: "string", default: "" },
        each: { type: "boolean", default: false },
        save: { type: "string" },
    },
});
const { PIPIT_CACHE, XDG_CACHE_HOME } = process.env;
const models = join(
    PIPIT_CACHE ?? join(XDG_CACHE_HOME ?? join(homedir(), ".cache"), "pipit"),
    "models",
);
const file = "SmolLM2-135M-Instruct.Q4_1.gguf";
if (!existsSync(join(models, file))) {
    console.log(`skipped: no ${file}; npm run setup fetches it`);
    process.exit(0);
}
const server = await startServer({
    models,
    page: fileURLToPath(new URL("../browser/pages", import.meta.url)),
});

/** In the page. @param {any} options */
async function inPage({ url, threads, repetitions }) {
    const { loadModel } = await import(
        new URL("pipit/index.js", document.baseURI).href
    );
    const started = performance.now();
    const model = await loadModel(url, { threads });
    const loadMs = performance.now() - started;
    const question = "What is the capital of France?";
    const messages = [{ role: "user", content: question }];
    const { tokens } = await model.applyChatTemplate(messages);
    /** @type {number[]} */
    const times = [];
    // A session each time: nothing is kept of the prompt before.
    for (let i = 0; i < repetitions; i++) {
        const session = await model.createSession({ contextLength: 256 });
        const since = performance.now();
        for await (const _ of session.generate({ tokens, maxTokens: 1 }));
        times.push(performance.now() - since);
        await session.close();
    }
    const facts = { threads: model.threads, kernels: model.kernels };
    await model.close();
    return { loadMs, times, tokens: tokens.length, ...facts };
}

/** @type {number[]} */
const firsts = [];
/** @type {number[]} */
const steadies = [];
/** @type {number[]} */
const loads = [];
let about = "";
for (let round = 0; round < Number(values.rounds); round++) {
    const profile = mkdtempSync(join(tmpdir(), "pipit-first-token-"));
    const browser = await chromium.launchPersistentContext(
        profile,
        browserOptions(values.flags),
    );
    const page = await browser.newPage();
    await page.goto(server.url);
    const did = await page.evaluate(inPage, {
        url: `${server.url}models/${file}`,
        threads: Number(values.threads),
        repetitions: Number(values.repetitions),
    });
    await browser.close();
    rmSync(profile, { recursive: true, force: true });
    const [first = NaN, ...others] = did.times;
    firsts.push(first);
    steadies.push(median(others.slice(others.length >> 1)));
    loads.push(did.loadMs);
    about = `${did.tokens} tokens, ${did.threads} threads, ${did.kernels}`;
    if (values.each)
        console.log(did.times.map((time) => time.toFixed(0)).join(" "));
}
await server.close();
const [first, steady] = [median(firsts), median(steadies)];
console.log(`a prompt of ${about}; medians of ${values.rounds} fresh pages`);
console.log(`load          ${median(loads).toFixed(0)} ms`);
console.log(`first token   ${first.toFixed(0)} ms`);
console.log(`steady        ${steady.toFixed(0)} ms`);
console.log(`ratio         ${(first / steady).toFixed(2)}`);
if (values.save) writeFileSync(values.save, JSON.stringify({ first, steady }));
