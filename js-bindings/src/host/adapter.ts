/* adapter.ts — a LoRA, as its owner holds it. */
import { PipitError } from "../errors.js";
import type { AdapterSpec } from "../protocol.js";
import type {
    Adapter,
    AdapterOptions,
    AdapterUse,
    ModelSource,
    PeftSource,
} from "../types.js";
import type { LoadedModelObject } from "./model.js";
import { refuse } from "./options.js";
import { describeSource, firstOf, openHere } from "./source.js";

const WEIGHTS = "adapter_model.safetensors";
const CONFIG = "adapter_config.json";

/* The worker frees an adapter whose handle nobody holds. */
const abandoned = new FinalizationRegistry<() => void>((free) => free());

class LiveAdapter implements Adapter {
    readonly model: LoadedModelObject;
    readonly id: number;
    readonly bytes: number;
    #closed: Promise<void> | undefined;

    constructor(model: LoadedModelObject, id: number, bytes: number) {
        this.model = model;
        this.id = id;
        this.bytes = bytes;
        const { connection } = model;
        abandoned.register(
            this,
            () =>
                void connection
                    .call("closeAdapter", { adapter: id })
                    .catch(() => {}),
            this,
        );
    }

    get closed(): boolean {
        return this.#closed !== undefined || this.model.closed;
    }

    async toGGUF(
        notes: Readonly<Record<string, string>> = {},
    ): Promise<Uint8Array<ArrayBuffer>> {
        this.throwIfClosed();
        return this.model.connection.call("writeAdapter", {
            adapter: this.id,
            notes: Object.entries(notes).map(([key, value]) => [
                key,
                String(value),
            ]),
        });
    }

    close(): Promise<void> {
        this.#closed ??= this.#close();
        return this.#closed;
    }

    [Symbol.asyncDispose](): Promise<void> {
        return this.close();
    }

    throwIfClosed(): void {
        this.model.connection.throwIfClosed();
        if (this.#closed)
            throw new PipitError("closed", "the adapter is closed");
    }

    async #close(): Promise<void> {
        abandoned.unregister(this);
        const { connection } = this.model;
        if (connection.closed) return;
        try {
            this.model.memory = await connection.call("closeAdapter", {
                adapter: this.id,
            });
        } catch (failure) {
            if (!connection.closed) throw failure;
        }
    }
}

/** An adapter in use, as the worker knows it. */
export function adapterSpec(
    model: LoadedModelObject,
    { adapter, scale = 1 }: AdapterUse,
): AdapterSpec {
    if (!(adapter instanceof LiveAdapter) || adapter.model !== model)
        return refuse("an adapter is what loadAdapter of this model gave");
    if (!Number.isFinite(scale)) refuse("scale is a finite number");
    adapter.throwIfClosed();
    return { adapter: adapter.id, scale };
}

const isPeft = (source: ModelSource | PeftSource): source is PeftSource =>
    typeof source === "object" && "weights" in source && "config" in source;

/** A folder of PEFT's files, undefined for a GGUF. */
function folderOf(source: ModelSource | PeftSource): PeftSource | undefined {
    if (typeof source !== "string" && !(source instanceof URL))
        return undefined;
    const text = String(source);
    if (text === "" || /\.gguf($|[?#])/i.test(text)) return undefined;
    const folder = text.replace(/\/+$/, "");
    return { weights: `${folder}/${WEIGHTS}`, config: `${folder}/${CONFIG}` };
}

async function readAll(
    source: ModelSource,
    { signal, headers }: AdapterOptions,
): Promise<Uint8Array> {
    const described = await describeSource(source, { signal, headers });
    const bytes = await openHere(
        described,
        signal ?? new AbortController().signal,
    );
    const parts: Uint8Array<ArrayBuffer>[] = [];
    try {
        while (await bytes.pull()) {
            const part = new Uint8Array(1 << 16);
            parts.push(part.subarray(0, bytes.take(part)));
        }
    } finally {
        await bytes.close();
    }
    return new Uint8Array(await new Blob(parts).arrayBuffer());
}

async function readConfig(
    config: PeftSource["config"],
    options: AdapterOptions,
): Promise<unknown> {
    const isSource =
        typeof config === "string" ||
        config instanceof URL ||
        config instanceof Blob ||
        config instanceof ArrayBuffer;
    if (!isSource) return config;
    const text = new TextDecoder().decode(await readAll(config, options));
    try {
        return JSON.parse(text);
    } catch (cause) {
        throw new PipitError("invalid-file", `${CONFIG} is no JSON`, { cause });
    }
}

/** PEFT's files as the GGUF they stand for. */
async function convert(
    model: LoadedModelObject,
    peft: PeftSource,
    options: AdapterOptions,
): Promise<Uint8Array<ArrayBuffer>> {
    const { ggufOfPeft } = await import("../peft.js");
    const config = await readConfig(peft.config, options);
    const weights = await readAll(peft.weights, options);
    try {
        return ggufOfPeft(weights, config, model.metadata);
    } catch (cause) {
        const { message } = cause as Error;
        throw new PipitError("invalid-file", message, { cause });
    }
}

export async function openAdapter(
    model: LoadedModelObject,
    source: ModelSource | PeftSource,
    options: AdapterOptions,
): Promise<Adapter> {
    const { signal, onProgress, headers, anyBase = false } = options;
    const peft = isPeft(source) ? source : folderOf(source);
    const gguf = peft ? await convert(model, peft, options) : source;
    const described = await describeSource(gguf as ModelSource, {
        signal,
        headers,
    });
    const { connection } = model;
    const opened = await firstOf(described, { onProgress }, (spec, call) =>
        connection.call(
            "loadAdapter",
            { source: spec, anyBase },
            { ...call, signal },
        ),
    );
    model.memory = opened.memory;
    return new LiveAdapter(model, opened.adapter, opened.bytes);
}
