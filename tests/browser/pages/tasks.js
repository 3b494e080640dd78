// What the engine is asked to do in a page or in a worker. Tests call these by
// name; arguments and results are plain data.
import * as pipit from "./pipit/index.js";

const { inspect, loadModel, loadTokenizer, PipitError } = pipit;

/** @param {ArrayBufferView<ArrayBuffer>} bytes */
async function sha256(bytes) {
    const digest = new Uint8Array(await crypto.subtle.digest("SHA-256", bytes));
    return [...digest].map((b) => b.toString(16).padStart(2, "0")).join("");
}

/** @param {Promise<unknown>} work @returns {Promise<string>} */
async function codeOf(work) {
    try {
        await work;
        return "none";
    } catch (error) {
        return error instanceof PipitError ? error.code : String(error);
    }
}

/** @type {Record<string, (options: any) => Promise<unknown>>} */
export const tasks = {
    /** Everything of the interface once. */
    async exercise({ url }) {
        const info = await inspect(url);
        const tokenizer = await loadTokenizer(url);
        const phases = new Set();
        const model = await loadModel(url, {
            onProgress: ({ phase }) => phases.add(phase),
        });
        const tokens = await model.tokenize("the hello");
        const same = await tokenizer.tokenize("the hello");
        const text = await model.detokenize(tokens);
        const session = await model.createSession();
        const ids = [];
        for await (const { token } of session.generate({
            tokens,
            maxTokens: 9,
        }))
            ids.push(token);
        const chat = await model.createChat();
        let answer = "";
        for await (const piece of chat.send("Hello", { maxTokens: 9 }))
            answer += piece;
        const { threads, kernels } = model;
        await Promise.all([session.close(), tokenizer.close()]);
        await Promise.all([model.close(), model.close()]);
        return {
            architecture: info.architecture,
            total: info.forecast({ contextLength: 64 }).total,
            phases: [...phases],
            tokens: [...tokens],
            same: [...same],
            text,
            ids,
            answer,
            finish: chat.last?.finishReason,
            threads,
            kernels,
            afterClose: await codeOf(model.tokenize("x")),
        };
    },

    /** The hash of all logits of these tokens. */
    async hash({ url, wasm, threads, tokens, piece }) {
        const model = await loadModel(url, { wasm, threads });
        const session = await model.createSession({ contextLength: 256 });
        const rows = [];
        for (let at = 0; at < tokens.length; at += piece) {
            await session.eval(tokens.slice(at, at + piece), {
                allLogits: true,
            });
            rows.push(await session.allLogits());
        }
        const all = new Float32Array(rows.reduce((n, r) => n + r.length, 0));
        let at = 0;
        for (const row of rows) {
            all.set(row, at);
            at += row.length;
        }
        const used = model.threads;
        await model.close();
        return { hash: await sha256(all), threads: used };
    },

    /** How soon a long evaluation ends, and whether the session lives on. */
    async abort({ url }) {
        const model = await loadModel(url);
        const session = await model.createSession({ contextLength: 8192 });
        const controller = new AbortController();
        const tokens = new Uint32Array(8000).fill(33);
        const running = codeOf(
            session.eval(tokens, { signal: controller.signal }),
        );
        await new Promise((done) => setTimeout(done, 200));
        const abortedAt = performance.now();
        controller.abort();
        const code = await running;
        const ms = performance.now() - abortedAt;
        const held = session.length;
        await session.rewind(0);
        await session.eval([33, 34]);
        const logits = await session.logits();
        await model.close();
        return { code, ms, held, finite: logits.every(Number.isFinite) };
    },

    /** The page's own thread while the engine computes: its longest silence. */
    async responsive({ url }) {
        const model = await loadModel(url);
        const session = await model.createSession({ contextLength: 4096 });
        let longest = 0;
        let turns = 0;
        let last = performance.now();
        const timer = setInterval(() => {
            const now = performance.now();
            longest = Math.max(longest, now - last);
            last = now;
            turns++;
        }, 4);
        await session.eval(new Uint32Array(3000).fill(33));
        clearInterval(timer);
        await model.close();
        return { longest, turns };
    },

    /** Every kind of source that a page has. */
    async sources({ url }) {
        const response = await fetch(url);
        const bytes = await response.arrayBuffer();
        /** @type {Record<string, import("pipit").ModelSource>} */
        const sources = {
            address: url,
            URL: new URL(url, location.href),
            buffer: bytes,
            array: new Uint8Array(bytes),
            blob: new Blob([bytes]),
            file: new File([bytes], "tiny.gguf"),
            stream: new Blob([bytes]).stream(),
        };
        /** @type {Record<string, string>} */
        const hashes = {};
        for (const [kind, source] of Object.entries(sources)) {
            const model = await loadModel(source, { threads: 1 });
            const session = await model.createSession({ contextLength: 16 });
            await session.eval([33, 34, 35]);
            hashes[kind] = await sha256(await session.logits());
            await model.close();
        }
        return hashes;
    },

    /** The code of each failure. @param {Record<string, string>} urls */
    async failures(urls) {
        /** @type {Record<string, string>} */
        const codes = {};
        for (const [name, url] of Object.entries(urls))
            codes[name] = await codeOf(loadModel(url));
        return codes;
    },

    /** The Prompt API, clause by clause: over ours, or the browser's own. */
    async promptApi({ models, own }) {
        const { clauses, runClauses } = await import("./clauses/index.js");
        if (own) {
            const LanguageModel = /** @type {any} */ (globalThis).LanguageModel;
            if (LanguageModel === undefined) return undefined;
            const hasLegacy = "params" in LanguageModel;
            return runClauses(
                { LanguageModel, ...{ model: undefined, nowhere: "" } },
                ({ needsModel, legacy }) =>
                    !needsModel && (hasLegacy || !legacy),
            );
        }
        const { LanguageModel } = await import("./pipit/prompt-api.js");
        const model = await loadModel(`${models}endless.gguf`);
        let count = 0;
        const results = await runClauses({
            ...{ LanguageModel, model, nowhere: `${models}nothing.gguf` },
            address: async () => `${models}endless.gguf?${++count}`,
        });
        await model.close();
        return { results, all: clauses.length };
    },

    /** Who is LanguageModel before install, after it, and after force. */
    async promptApiInstall() {
        const { install, LanguageModel } =
            await import("./pipit/prompt-api.js");
        const place = /** @type {any} */ (globalThis);
        const had = place.LanguageModel;
        const installed = install();
        const then = place.LanguageModel;
        const forced = install({ force: true });
        return {
            ...{ hadOne: had !== undefined, installed, forced },
            kept: then === had,
            own: place.LanguageModel === LanguageModel,
        };
    },

    /** Every member with its flags, of ours and of the browser's own. */
    async promptApiShape() {
        const { LanguageModel } = await import("./pipit/prompt-api.js");
        const own = /** @type {any} */ (globalThis).LanguageModel;
        if (own === undefined) return undefined;
        const describe = (/** @type {object} */ target) =>
            Object.entries(Object.getOwnPropertyDescriptors(target))
                .map(([name, found]) => [
                    ...[name, found.enumerable, found.configurable],
                    ...[found.writable, typeof found.get, typeof found.set],
                    ...[typeof found.value, found.value?.length],
                ])
                .sort();
        const both = (/** @type {any} */ made) => ({
            statics: describe(made),
            members: describe(made.prototype),
            exposed: Object.keys(made.prototype).length,
        });
        return { own: both(own), ours: both(LanguageModel) };
    },
};
