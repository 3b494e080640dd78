/* browser.ts — #platform of pages and their workers. */
import manifest from "#manifest";
import { PipitError } from "../errors.js";
import { expandHub } from "../store/source.js";
import type { Platform, WorkerHandle, WorkerProgram } from "./types.js";

export { openStored } from "../store/read.js";

/* Bundlers look for exactly `new Worker(new URL("…", import.meta.url), …)` and
 * `new URL("…", import.meta.url)`; the files lie beside the bundle. */
function newWorker(program: WorkerProgram): Worker {
    if (program === "template")
        return new Worker(new URL("./template.js", import.meta.url), {
            type: "module",
        });
    return new Worker(new URL("./worker.js", import.meta.url), {
        type: "module",
    });
}

const wasmUrls = {
    "pipit-simd128": () => new URL("./pipit-simd128.wasm", import.meta.url),
    "pipit-simd128-mt": () =>
        new URL("./pipit-simd128-mt.wasm", import.meta.url),
    "pipit-relaxed": () => new URL("./pipit-relaxed.wasm", import.meta.url),
    "pipit-relaxed-mt": () =>
        new URL("./pipit-relaxed-mt.wasm", import.meta.url),
    "pipit-train-simd128": () =>
        new URL("./pipit-train-simd128.wasm", import.meta.url),
    "pipit-train-simd128-mt": () =>
        new URL("./pipit-train-simd128-mt.wasm", import.meta.url),
    "pipit-train-relaxed": () =>
        new URL("./pipit-train-relaxed.wasm", import.meta.url),
    "pipit-train-relaxed-mt": () =>
        new URL("./pipit-train-relaxed-mt.wasm", import.meta.url),
};

/** Where the caller says that the programs are. */
export function startAt(
    program: WorkerProgram,
    url: string | URL,
): WorkerHandle {
    const engine = new URL(url, location.href);
    const file = program === "template" ? "./template.js" : "";
    return handleOf(new Worker(new URL(file, engine), { type: "module" }));
}

export function handleOf(worker: Worker): WorkerHandle {
    return {
        post: (message, transfer = []) =>
            worker.postMessage(message, [...transfer]),
        onMessage(told) {
            worker.onmessage = ({ data }) => told(data);
        },
        onDeath(told) {
            worker.onerror = (event) => {
                event.preventDefault();
                told(new Error(event.message || "the worker did not load"));
            };
            worker.onmessageerror = () =>
                told(new Error("a message could not be read"));
        },
        terminate: async () => worker.terminate(),
        hold: () => {},
    };
}

export const startWorker: Platform["startWorker"] = (program, url) =>
    url ? startAt(program, url) : handleOf(newWorker(program));

export const workerPort: Platform["workerPort"] = () => {
    const scope = globalThis as unknown as Worker;
    return {
        post: (message, transfer = []) =>
            scope.postMessage(message, [...transfer]),
        onMessage(told) {
            scope.onmessage = ({ data }) => told(data);
        },
    };
};

/* A timer is clamped to 4 ms; a message to oneself is not. */
let channel: MessageChannel | undefined;
const resumed: (() => void)[] = [];

export const yieldToEvents: Platform["yieldToEvents"] = () => {
    if (!channel) {
        channel = new MessageChannel();
        channel.port1.onmessage = () => resumed.shift()?.();
    }
    const { port2 } = channel;
    return new Promise((resolve) => {
        resumed.push(resolve);
        port2.postMessage(null);
    });
};

export const logicalProcessors: Platform["logicalProcessors"] = () =>
    navigator.hardwareConcurrency || 1;

/* WebKit has no SharedArrayBuffer even in an isolated page, and can't post
 * shared memory there. */
export const canShareMemory: Platform["canShareMemory"] = () =>
    globalThis.crossOriginIsolated === true &&
    typeof SharedArrayBuffer === "function";

export const fetchWasm: Platform["fetchWasm"] = (address) => fetch(address);

export const fetchModule: Platform["fetchModule"] = async (name) =>
    fetchWasm(wasmUrls[name]());

function urlsOfName(
    name: string,
    modelBase: string | URL | undefined,
): { key: string; urls: string[] } {
    const wanted = name.toLowerCase();
    const entry = manifest.models.find(
        (model) => model.name === wanted || model.aliases.includes(wanted),
    );
    if (!entry) {
        const names = manifest.models.map((model) => model.name).join(", ");
        throw new PipitError(
            "not-found",
            `no model ${name}; there are: ${names}`,
        );
    }
    const urls = entry.sources.flatMap(({ kind, urls = [] }) =>
        kind === "https" ? urls : [],
    );
    const key = entry.name;
    if (!modelBase) return { key, urls };
    const base = new URL(String(modelBase).replace(/\/?$/, "/"), location.href);
    return { key, urls: [new URL(entry.file, base).href, ...urls] };
}

export const locate: Platform["locate"] = async (given, { modelBase }) => {
    const source = expandHub(given);
    if (source.startsWith("local:"))
        return { kind: "url", key: source, urls: [] };
    if (!/^[a-z][a-z+.-]*:|\/|\.gguf$/i.test(source))
        return { kind: "url", ...urlsOfName(source, modelBase) };
    const { href, protocol } = new URL(source, location.href);
    return protocol.startsWith("http")
        ? { kind: "url", key: href, urls: [href] }
        : { kind: "url", urls: [href] };
};

export const openPath: Platform["openPath"] = (path) => {
    throw new PipitError("unsupported", `no files by path in a page: ${path}`);
};
