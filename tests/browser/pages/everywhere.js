// What every browser has to do with the package and its store. Tests call these
// by name; arguments and results are plain data.
import { loadModel, PipitError } from "./pipit/index.js";
import { models } from "./pipit/models.js";
import { tasks } from "./tasks.js";

/** @param {Promise<unknown>} work @returns {Promise<string>} */
async function codeOf(work) {
    try {
        await work;
        return "none";
    } catch (error) {
        return error instanceof PipitError ? error.code : String(error);
    }
}

/** (func (result v128) two splats, i16x8.relaxed_dot_i8x16_i7x16_s) */
const relaxed = Uint8Array.of(
    ...[0, 97, 115, 109, 1, 0, 0, 0, 1, 5, 1, 96, 0, 1, 123, 3, 2, 1, 0, 10],
    ...[15, 1, 13, 0, 65, 1, 253, 15, 65, 2, 253, 15, 253, 146, 2, 11],
);

/**
 * @param {import("pipit").Chat} chat
 * @param {string} question
 */
async function answerOf(chat, question) {
    let answer = "";
    for await (const text of chat.send(question, { maxTokens: 16 }))
        answer += text;
    return answer;
}

/** @type {Record<string, (options: any) => Promise<unknown>>} */
export const checks = {
    async facts() {
        const { storage } = navigator;
        return {
            isolated: crossOriginIsolated,
            sharedMemory: typeof SharedArrayBuffer === "function",
            relaxed: WebAssembly.validate(relaxed),
            opfs: typeof storage?.getDirectory === "function",
            processors: navigator.hardwareConcurrency,
        };
    },

    /** Into the store, and loaded from there. */
    async pull({ url }) {
        /** @type {number[]} */
        const loaded = [];
        const stored = await models.pull(url, {
            onProgress: (progress) => loaded.push(progress.loaded),
        });
        const { kind } = await models.usage();
        return { kind, ...stored, last: loaded.at(-1) };
    },

    /** All at once, by name: what a download ended with, what can be loaded. */
    async pulls({ cases }) {
        const one = async (/** @type {any} */ { url, options }) => {
            const { size, sha256, error, status } = await models
                .pull(url, options)
                .catch((/** @type {any} */ failure) => ({
                    error: failure.code ?? String(failure),
                    status: failure.details?.status,
                }));
            const stored = await models.has(url);
            return { size, sha256, error, status, stored };
        };
        const found = Object.entries(cases).map(async ([name, given]) => [
            name,
            await one(given),
        ]);
        return Object.fromEntries(await Promise.all(found));
    },

    async chat({ source }) {
        const model = await loadModel(source);
        const chat = await model.createChat();
        const answers = [
            await answerOf(chat, "Hello"),
            await answerOf(chat, "And again?"),
        ];
        const { threads, kernels } = model;
        await model.close();
        return { answers, threads, kernels };
    },

    /** An answer that would never end, a load, a download; and what follows. */
    async cancel({ endless, slow }) {
        const loading = new AbortController();
        const load = codeOf(
            loadModel(endless, {
                signal: loading.signal,
                onProgress: () => loading.abort(),
            }),
        );
        const pulling = new AbortController();
        const pull = codeOf(
            models.pull(slow, {
                signal: pulling.signal,
                onProgress: () => pulling.abort(),
            }),
        );
        const cancelled = { load: await load, pull: await pull };

        const model = await loadModel(endless);
        const chat = await model.createChat();
        const { signal, abort } = (() => {
            const controller = new AbortController();
            return {
                signal: controller.signal,
                abort: () => controller.abort(),
            };
        })();
        let pieces = 0;
        let abortedAt = 0;
        const running = (async () => {
            for await (const _ of chat.send("Hello", {
                signal,
                maxTokens: 8000,
            }))
                if (++pieces === 3) {
                    abortedAt = performance.now();
                    abort();
                }
        })();
        const code = await codeOf(running);
        const ms = performance.now() - abortedAt;
        const next = await answerOf(chat, "Hello");
        await model.close();
        const stored = await models.has(slow);
        return { ...cancelled, answer: code, pieces, ms, next, stored };
    },

    /** The hash of all logits of each model. */
    async hashes({ urls, wasm, tokens, piece }) {
        /** @type {Record<string, string>} */
        const hashes = {};
        for (const [name, url] of Object.entries(urls)) {
            const found = await tasks.hash?.({ url, wasm, tokens, piece });
            hashes[name] = /** @type {any} */ (found).hash;
        }
        return hashes;
    },

    /** Installs the service worker; ends when it has the whole page. */
    async install() {
        await navigator.serviceWorker.register("sw.js");
        const { active } = await navigator.serviceWorker.ready;
        while (active?.state !== "activated")
            await new Promise((done) => setTimeout(done, 20));
        return active.state;
    },

    /** Loads, then answers. */
    async open({ source }) {
        const model = await loadModel(source);
        const chat = await model.createChat();
        const answer = await answerOf(chat, "Hello");
        Object.assign(globalThis, { chat, model });
        return answer;
    },

    /** Of the model that is open. */
    async again() {
        const { chat, model } = /** @type {any} */ (globalThis);
        const answer = await answerOf(chat, "And again?");
        await model.close();
        return answer;
    },
};

export { tasks };
