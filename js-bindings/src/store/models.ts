/* models.ts — `pipit/models` in pages and their workers. */
import manifest from "#manifest";
import { PipitError } from "../errors.js";
import type { Progress } from "../types.js";
import type { StoreRecord } from "./record.js";
import {
    expandHub,
    isAddress,
    mirrorsOfFile,
    wantedByAddress,
    type Wanted,
} from "./source.js";
import { registry } from "./registry.js";
import { described, sumProgress, whole } from "./stored.js";
import type {
    ImportOptions,
    Models,
    PullModelOptions,
    StoredModel,
    StoreUsage,
} from "./types.js";
import type {
    FromStore,
    Kept,
    StoreCalls,
    StoreMethod,
    ToStore,
} from "./worker.js";

export type * from "./types.js";
export type { DownloadLimits } from "./download.js";
export type { OnProgress, Progress } from "../types.js";

interface Call {
    readonly resolve: (result: never) => void;
    readonly reject: (error: unknown) => void;
    readonly told: ((progress: Progress) => void) | undefined;
}

interface CallOptions {
    readonly signal?: AbortSignal | undefined;
    readonly onProgress?: ((progress: Progress) => void) | undefined;
}

function aborted(signal: AbortSignal): PipitError {
    return new PipitError("aborted", "the download was stopped", {
        cause: signal.reason,
    });
}

/** The store's worker, started by the first call. */
class StoreWorker {
    readonly #url: string | URL | undefined;
    readonly #calls = new Map<number, Call>();
    #worker: Worker | undefined;
    #last = 0;

    constructor(url: string | URL | undefined) {
        this.#url = url;
    }

    call<M extends StoreMethod>(
        method: M,
        argument: StoreCalls[M][0],
        { signal, onProgress }: CallOptions = {},
    ): Promise<StoreCalls[M][1]> {
        const id = ++this.#last;
        const post = (message: ToStore) => this.#start().postMessage(message);
        const abort = () => post({ type: "abort", id });
        const call = new Promise<StoreCalls[M][1]>((resolve, reject) => {
            if (signal?.aborted) throw aborted(signal);
            this.#calls.set(id, { resolve, reject, told: onProgress });
            post({ type: "call", id, method, argument });
            signal?.addEventListener("abort", abort);
        });
        return call
            .catch((error) => {
                throw signal?.aborted ? aborted(signal) : error;
            })
            .finally(() => {
                this.#calls.delete(id);
                signal?.removeEventListener("abort", abort);
            });
    }

    #start(): Worker {
        if (this.#worker) return this.#worker;
        const worker = this.#url
            ? new Worker(this.#url, { type: "module" })
            : new Worker(new URL("./store.js", import.meta.url), {
                  type: "module",
              });
        this.#worker = worker;
        worker.onmessage = ({ data }) => this.#receive(data as FromStore);
        worker.onerror = (event) => {
            event.preventDefault();
            this.#worker = undefined; // the next call starts another
            worker.terminate();
            const why = event.message || "it did not load";
            const error = new PipitError(
                "worker-died",
                `the store's worker ended: ${why}`,
            );
            for (const { reject } of this.#calls.values()) reject(error);
        };
        return worker;
    }

    #receive(message: FromStore): void {
        const call = this.#calls.get(message.id);
        switch (message.type) {
            case "progress":
                return call?.told?.(message.progress);
            case "result":
                return call?.resolve(message.result as never);
            case "error": {
                const { code, message: text, details } = message.error;
                return call?.reject(new PipitError(code, text, { details }));
            }
        }
    }
}

function absolute(source: string): string {
    const scope = globalThis as { document?: Document };
    return new URL(source, scope.document?.baseURI ?? location.href).href;
}

type Entry = (typeof manifest.models)[number];

function entryOf(name: string): Entry | undefined {
    const wanted = name.toLowerCase();
    return manifest.models.find(
        (entry) => entry.name === wanted || entry.aliases.includes(wanted),
    );
}

/** The files that a source means. */
function wantedOf(
    given: string | URL,
    { mirrors, sha256 }: PullModelOptions = {},
): Wanted[] {
    const source = expandHub(String(given));
    const bases = mirrors?.map((base) => absolute(String(base)));
    const entry = entryOf(source);
    if (entry) {
        const own = entry.sources.flatMap(({ urls = [] }) => urls);
        const { name, file, size } = entry;
        const urls = [...mirrorsOfFile(bases, file), ...own];
        return [{ key: name, file, urls, size, sha256: entry.sha256 }];
    }
    if (source.startsWith("local:"))
        return [
            {
                key: source,
                file: source.slice(6),
                urls: [],
                size: undefined,
                sha256: undefined,
            },
        ];
    if (isAddress(source) || /\/|\.gguf$/i.test(source))
        return wantedByAddress(absolute(source), bases, sha256);
    const names = manifest.models.map(({ name }) => name).join(", ");
    throw new PipitError(
        "not-found",
        `no model ${source}; there are: ${names}`,
    );
}

class BrowserModels implements Models {
    readonly #worker: StoreWorker;

    constructor(workerUrl?: string | URL) {
        this.#worker = new StoreWorker(workerUrl);
    }

    async list(): Promise<StoredModel[]> {
        return whole(await this.#worker.call("list", undefined));
    }

    async has(source: string | URL): Promise<boolean> {
        for (const { key } of wantedOf(source))
            if (!(await this.#worker.call("find", key))) return false;
        return true;
    }

    async pull(
        source: string | URL,
        options: PullModelOptions = {},
    ): Promise<StoredModel> {
        const { signal, onProgress, headers, limits } = options;
        const records: StoreRecord[] = [];
        const files = wantedOf(source, options);
        for (const wanted of files) {
            const kept = await this.#worker.call(
                "pull",
                { wanted, headers, limits },
                { signal, onProgress: sumProgress(records, files, onProgress) },
            );
            records.push(this.#keep(kept));
        }
        return described(records);
    }

    async remove(source: string | URL): Promise<boolean> {
        let found = false;
        for (const { key } of wantedOf(source)) {
            if (await this.#worker.call("remove", key)) found = true;
            registry().delete(key);
        }
        return found;
    }

    async import(
        file: Blob | string,
        { name, signal, onProgress }: ImportOptions = {},
    ): Promise<StoredModel> {
        if (!(file instanceof Blob))
            throw new PipitError(
                "invalid-argument",
                "in a page a model is imported from a File or a Blob",
            );
        const own = file instanceof File ? file.name : "model.gguf";
        const known = Object.fromEntries(
            manifest.models.map((entry) => [entry.sha256 ?? "", entry.name]),
        );
        const kept = await this.#worker.call(
            "import",
            { file, name: name ?? own, known },
            { signal, onProgress },
        );
        return described([this.#keep(kept)]);
    }

    async usage(): Promise<StoreUsage> {
        const usage = await this.#worker.call("usage", undefined);
        const persisted = await navigator.storage?.persisted?.();
        return { ...usage, persisted: persisted ?? false };
    }

    async persist(): Promise<boolean> {
        return (await navigator.storage?.persist?.()) ?? false;
    }

    #keep({ record, blob }: Kept): StoreRecord {
        if (blob) registry().set(record.key, blob);
        return record;
    }
}

/** The store of this origin. */
export const models: Models = new BrowserModels();

/** The same store, where a bundler moved the package's store.js. */
export function openModels(options: {
    readonly workerUrl?: string | URL;
}): Models {
    return new BrowserModels(options.workerUrl);
}
