/* adapter.ts — a low-rank adapter in the module. */
import { PipitError } from "../errors.js";
import type { Adapter, Bytes, Model } from "./exports.js";
import { HeaderFile, STAGING_BYTES } from "./file.js";
import { PENDING, type Instance } from "./instance.js";
import type { ByteSource } from "./source.js";
import type { Task } from "./task.js";

const ANY_BASE = 1;

export class AdapterHandle {
    readonly #instance: Instance;
    readonly pointer: Adapter;

    constructor(instance: Instance, pointer: Adapter) {
        this.#instance = instance;
        this.pointer = pointer;
    }

    get bytes(): number {
        return this.#instance.x.pipit_adapter_bytes(this.pointer);
    }

    /** The file, with further texts in its metadata. */
    write(
        notes: readonly (readonly [string, string])[],
    ): Uint8Array<ArrayBuffer> {
        const { x, heap, out, error } = this.#instance;
        const texts = notes
            .flat()
            .map((text) => new TextEncoder().encode(text));
        const all = new Uint8Array(texts.reduce((n, t) => n + t.length, 0));
        let at = 0;
        for (const text of texts) {
            all.set(text, at);
            at += text.length;
        }
        const lengths = Uint32Array.from(texts, ({ length }) => length);
        return heap.lend(all, (lent) =>
            heap.lendTokens(lengths, (n) => {
                const put = (bytes: Bytes, capacity: number) => {
                    const status = x.pipit_adapter_write(
                        this.pointer,
                        lent,
                        n,
                        notes.length,
                        bytes,
                        capacity,
                        out,
                        error,
                    );
                    this.#instance.check(status);
                    return heap.slot(out);
                };
                const length = put(0 as Bytes, 0);
                return heap.scratch<Bytes, Uint8Array<ArrayBuffer>>(
                    length,
                    (bytes) => {
                        put(bytes, length);
                        return heap.copy(bytes, length);
                    },
                );
            }),
        );
    }

    close(): void {
        this.#instance.x.pipit_adapter_close(this.pointer);
    }
}

/** Header, then values, as they arrive. */
export async function readAdapter(
    instance: Instance,
    model: Model,
    source: ByteSource,
    staging: Bytes,
    anyBase: boolean,
    task: Task,
): Promise<AdapterHandle> {
    const { x, heap, out, error } = instance;
    const file = new HeaderFile(instance, source.total);
    let adapter: AdapterHandle | undefined;
    try {
        await file.read(source, staging, task.pace, () => task.turn());
        instance.check(
            x.pipit_adapter_open(
                file.pointer,
                model,
                anyBase ? ANY_BASE : 0,
                out,
                error,
            ),
        );
        adapter = new AdapterHandle(instance, heap.slot(out) as Adapter);
        let { start, end } = file.rest;
        let loaded = file.headerBytes;
        for (;;) {
            const status = x.pipit_adapter_feed(
                adapter.pointer,
                (staging + start) as Bytes,
                end - start,
                error,
            );
            instance.check(status);
            loaded += end - start;
            task.report("weights", loaded, source.total);
            if (status !== PENDING) return adapter;
            await task.turn();
            if (!(await source.pull())) break;
            start = 0;
            end = heap.fill(staging, STAGING_BYTES, (view) =>
                source.take(view),
            );
        }
        instance.check(x.pipit_adapter_end(adapter.pointer, error));
        throw new PipitError("truncated-file", "the adapter is not complete");
    } catch (failure) {
        adapter?.close();
        throw failure;
    } finally {
        x.pipit_file_close(file.pointer);
    }
}
