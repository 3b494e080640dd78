/* node.ts — #platform of Node. */
import * as fs from "node:fs";
import { readFile } from "node:fs/promises";
import { availableParallelism } from "node:os";
import { fileURLToPath } from "node:url";
import { parentPort, Worker } from "node:worker_threads";
import type { ByteSource } from "../engine/source.js";
import { PipitError } from "../errors.js";
import { findModel, resolveModel } from "../node/models.js";
import { storedPath } from "../node/stored-path.js";
import { expandHub } from "../store/source.js";
import type { Platform, WorkerHandle, WorkerProgram } from "./types.js";

const programs = {
    engine: "./worker.node.js",
    template: "./template.node.js",
};

export const startWorker: Platform["startWorker"] = (program, url) => {
    const engine = new URL(url ?? programs.engine, import.meta.url);
    return startAt(
        program,
        program === "engine" ? engine : new URL(programs[program], engine),
    );
};

export function startAt(program: WorkerProgram, address: URL): WorkerHandle {
    const worker = new Worker(
        address,
        // A worker must not take part in what the process was started with.
        // A template is to end before it takes what others need.
        {
            execArgv: [],
            stdin: false,
            resourceLimits:
                program === "template" ? { maxOldGenerationSizeMb: 512 } : {},
        },
    );
    // The process waits for a worker only while it is held, and for its end.
    // Starting up makes the worker count again.
    let held = false;
    const apply = () => (held ? worker.ref() : worker.unref());
    apply();
    worker.once("online", apply);
    return {
        post: (message, transfer = []) =>
            worker.postMessage(message, [...transfer]),
        onMessage(told) {
            worker.on("message", told);
        },
        onDeath(told) {
            worker.on("error", told);
            worker.on("messageerror", told);
            worker.on("exit", (code) => told(new Error(`exit code ${code}`)));
        },
        terminate: async () => {
            held = true; // news of its start may still come
            await worker.terminate();
        },
        hold(on) {
            held = on;
            apply();
        },
    };
}

export const workerPort: Platform["workerPort"] = () => {
    if (!parentPort)
        throw new PipitError("environment", "this program is for a worker");
    const port = parentPort;
    return {
        post: (message, transfer = []) =>
            port.postMessage(message, [...transfer]),
        onMessage(told) {
            port.on("message", told);
        },
    };
};

export const yieldToEvents: Platform["yieldToEvents"] = () =>
    new Promise((resolve) => setImmediate(resolve));

export const logicalProcessors: Platform["logicalProcessors"] = () =>
    availableParallelism();

export const canShareMemory: Platform["canShareMemory"] = () => true;

export const fetchWasm: Platform["fetchWasm"] = async (address) => {
    const text = String(address);
    if (/^(https?|data|blob):/i.test(text)) return fetch(text);
    const path = /^file:/i.test(text) ? fileURLToPath(text) : text;
    return new Uint8Array(await readFile(path));
};

export const fetchModule: Platform["fetchModule"] = (name) =>
    fetchWasm(new URL(`./${name}.wasm`, import.meta.url));

/* A name of the manifest wins over a file of that name: ./name is the file. */
export const locate: Platform["locate"] = async (given, options) => {
    const source = expandHub(given);
    if (/^(blob|data):/i.test(source)) return { kind: "url", urls: [source] };
    if (/^(https?|local):/i.test(source)) {
        const path = await storedPath(source);
        if (path !== undefined) return { kind: "path", path };
        if (/^http/i.test(source)) return { kind: "url", urls: [source] };
        throw new PipitError("not-found", `${source} is not stored here`);
    }
    if (/^file:/i.test(source))
        return { kind: "path", path: fileURLToPath(source) };
    if (findModel(source) || !/[./\\]/.test(source)) {
        const { signal, onProgress } = options;
        const path = await resolveModel(source, { signal, onProgress });
        return { kind: "path", path };
    }
    return { kind: "path", path: source };
};

export const openStored: Platform["openStored"] = async (key) => {
    throw new PipitError("unsupported", `Node stores files by path: ${key}`);
};

function systemError(cause: unknown, path: string): PipitError {
    const { code, message } = cause as NodeJS.ErrnoException;
    const absent = code === "ENOENT" || code === "ENOTDIR";
    return new PipitError(
        absent ? "not-found" : "io",
        absent ? `no file ${path}` : `can't read ${path}: ${message}`,
        { cause },
    );
}

export const openPath: Platform["openPath"] = (path): ByteSource => {
    let file = -1;
    try {
        file = fs.openSync(path, "r");
        const stat = fs.fstatSync(file);
        if (stat.isDirectory())
            throw new PipitError("io", `${path} is a folder`);
        return fileSource(file, path, stat.isFile() ? stat.size : 0);
    } catch (cause) {
        if (file >= 0) fs.closeSync(file);
        throw cause instanceof PipitError ? cause : systemError(cause, path);
    }
};

/* Reads straight into the target: no piece of the file is ever a JavaScript
 * object. */
function fileSource(file: number, path: string, total: number): ByteSource {
    let ended = false;
    return {
        total,
        pull: async () => !ended,
        take(target) {
            try {
                const n = fs.readSync(file, target, 0, target.length, null);
                ended = n === 0;
                return n;
            } catch (cause) {
                throw systemError(cause, path);
            }
        },
        close: async () => fs.closeSync(file),
    };
}
