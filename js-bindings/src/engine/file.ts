/* file.ts — a GGUF's header: read, listed, forecast. */
import { PipitError } from "../errors.js";
import type {
    Forecast,
    LongArray,
    Metadata,
    MetadataValue,
    TensorInfo,
} from "../types.js";
import type { Bytes, File } from "./exports.js";
import { PENDING, type Instance } from "./instance.js";
import type { Pace } from "./pace.js";
import type { ByteSource } from "./source.js";

/** Pieces in which a file goes through linear memory. */
export const STAGING_BYTES = 1 << 20;
/** The header goes in smaller steps: it may be read on a page's own thread. */
const HEADER_STEP = 1 << 16;
/** Longer arrays are described, not listed. */
const LISTED_ELEMENTS = 1024;

const ELEMENTS_A_TURN = 4096;

/* GGUF's own numbers. */
const Type = {
    F32: 6,
    Bool: 7,
    String: 8,
    Array: 9,
    U64: 10,
    F64: 12,
} as const;

const typeNames = [
    "u8",
    "i8",
    "u16",
    "i16",
    "u32",
    "i32",
    "f32",
    "bool",
    "string",
    "array",
    "u64",
    "i64",
    "f64",
];

/** Called between pieces: reports, yields, throws when aborted. */
export type Between = (loaded: number) => Promise<void> | void;

/** Opens one file, counted from 0, of a model in that many. */
export type OpenPart = (part: number, parts: number) => Promise<ByteSource>;

/** One of the files that a model is in. Sizes are 0 when unknown. */
export interface Part {
    readonly headerBytes: number;
    readonly bytes: number;
}

/** A header being read or read. What follows it in the last piece stays in the
 * staging block, from `rest.start` to `rest.end`. */
export class HeaderFile {
    readonly #instance: Instance;
    readonly pointer: File;
    readonly parts: Part[] = [];
    rest = { start: 0, end: 0 };

    constructor(instance: Instance, totalBytes: number) {
        this.#instance = instance;
        const { x, heap, out } = instance;
        instance.checkThat(x.pipit_file_open(totalBytes, out), "a file");
        this.pointer = heap.slot(out) as File;
    }

    async read(
        source: ByteSource,
        staging: Bytes,
        pace: Pace,
        between: Between,
    ): Promise<void> {
        await this.#readPart(source, staging, STAGING_BYTES, pace, between);
    }

    /** The other headers of a model in several files.
     * @param listed files that the caller gave, if it was a list */
    async readParts(
        open: OpenPart,
        listed: number | undefined,
        pace: Pace,
        between: Between,
    ): Promise<void> {
        const { x, heap, error } = this.#instance;
        const parts = x.pipit_file_n_parts(this.pointer);
        if (listed !== undefined && listed !== parts)
            throw new PipitError(
                "invalid-model",
                `the model is in ${parts} files, the list has ${listed}`,
            );
        if (parts === 1) return;
        const staging = heap.alloc<Bytes>(HEADER_STEP);
        try {
            for (let i = 1; i < parts; i++) {
                const part = await open(i, parts);
                try {
                    const { total } = part;
                    this.#instance.check(
                        x.pipit_file_next_part(this.pointer, total, error),
                    );
                    await this.#readPart(
                        part,
                        staging,
                        HEADER_STEP,
                        pace,
                        between,
                    );
                } finally {
                    await part.close();
                }
            }
        } finally {
            heap.release(staging, HEADER_STEP);
        }
    }

    async #readPart(
        source: ByteSource,
        staging: Bytes,
        stagingBytes: number,
        pace: Pace,
        between: Between,
    ): Promise<void> {
        const { x, heap, out, error } = this.#instance;
        let loaded = 0;
        while (await source.pull()) {
            const n = heap.fill(staging, stagingBytes, (view) =>
                source.take(view),
            );
            for (let at = 0; at < n;) {
                const status = x.pipit_file_feed(
                    this.pointer,
                    (staging + at) as Bytes,
                    Math.min(HEADER_STEP, n - at),
                    out,
                    error,
                );
                this.#instance.check(status);
                at += heap.slot(out);
                if (status !== PENDING) {
                    if (this.parts.length === 0)
                        this.rest = { start: at, end: n };
                    this.parts.push({
                        headerBytes: x.pipit_file_header_bytes(this.pointer),
                        bytes: source.total,
                    });
                    return;
                }
                if (pace.due) await between(loaded + at);
            }
            loaded += n;
            await between(loaded);
        }
        this.#instance.check(x.pipit_file_end(this.pointer, error));
    }

    get headerBytes(): number {
        return this.parts[0]?.headerBytes ?? 0;
    }

    /** Bytes of all parts; 0 when unknown. */
    get bytes(): number {
        return this.parts.every(({ bytes }) => bytes > 0)
            ? this.parts.reduce((sum, { bytes }) => sum + bytes, 0)
            : 0;
    }

    get version(): number {
        return this.#instance.x.pipit_file_version(this.pointer);
    }

    metadata(): Metadata {
        const { x, heap, out } = this.#instance;
        const n = x.pipit_file_n_values(this.pointer);
        const entries: [string, MetadataValue][] = [];
        for (let i = 0; i < n; i++) {
            this.#must(x.pipit_file_value(this.pointer, i, out));
            const key = heap.text(out);
            const type = heap.slot(out, 2);
            const elementType = heap.slot(out, 3);
            const length = heap.slot(out, 4);
            const value =
                type === Type.Array
                    ? this.#array(i, elementType, length)
                    : this.#element(i, 0, type);
            entries.push([key, value]);
        }
        return Object.fromEntries(entries);
    }

    /** All elements of an array that metadata() only describes. */
    async elements(
        key: string,
        turn: () => Promise<void> | void,
    ): Promise<MetadataValue[]> {
        const { x, heap, out } = this.#instance;
        const n = x.pipit_file_n_values(this.pointer);
        for (let i = 0; i < n; i++) {
            this.#must(x.pipit_file_value(this.pointer, i, out));
            if (heap.text(out) !== key) continue;
            const elementType = heap.slot(out, 3);
            const length = heap.slot(out, 4);
            if (elementType === Type.Array)
                throw new PipitError("unsupported", `${key} nests arrays`);
            const all: MetadataValue[] = [];
            while (all.length < length) {
                const end = Math.min(length, all.length + ELEMENTS_A_TURN);
                while (all.length < end)
                    all.push(this.#element(i, all.length, elementType));
                await turn();
            }
            return all;
        }
        throw new PipitError("invalid-argument", `there is no key ${key}`);
    }

    tensors(): TensorInfo[] {
        const { x, heap, out } = this.#instance;
        const n = x.pipit_file_n_tensors(this.pointer);
        return Array.from({ length: n }, (_, i) => {
            this.#must(x.pipit_file_tensor(this.pointer, i, out));
            const dimensions = heap.slot(out, 3);
            return {
                name: heap.text(out),
                shape: Array.from({ length: dimensions }, (_, d) =>
                    heap.slot(out, 4 + d),
                ),
                offset: heap.slot(out, 8),
                bytes: heap.slot(out, 9),
                part: heap.slot(out, 10),
                type: heap.name(x.pipit_tensor_type_name(heap.slot(out, 2))),
            };
        });
    }

    /** Without a context length: the model's own, at most 4096. */
    forecast(contextLength: number, kvType: number, threads: number): Forecast {
        const { x, heap, out, error } = this.#instance;
        this.#instance.check(
            x.pipit_file_forecast(
                this.pointer,
                contextLength,
                kvType,
                threads,
                out,
                error,
            ),
        );
        return {
            weights: heap.real(out, 0),
            vocabulary: heap.real(out, 1),
            kvCache: heap.real(out, 2),
            scratch: heap.real(out, 3),
            total: heap.real(out, 4),
        };
    }

    #must(status: number): void {
        this.#instance.checkThat(status, "the header can't be listed");
    }

    #array(i: number, elementType: number, length: number): MetadataValue {
        if (length > LISTED_ELEMENTS || elementType === Type.Array) {
            const name = typeNames[elementType] ?? "unknown";
            // Whoever holds it for the caller adds the way to read it.
            return { type: "array", elementType: name, length } as LongArray;
        }
        return Array.from({ length }, (_, j) =>
            this.#element(i, j, elementType),
        );
    }

    #element(i: number, j: number, type: number): MetadataValue {
        const { x, heap, out } = this.#instance;
        const file = this.pointer;
        switch (type) {
            case Type.String:
                this.#must(x.pipit_file_text(file, i, j, out));
                return heap.text(out);
            case Type.Bool:
                this.#must(x.pipit_file_flag(file, i, j, out));
                return heap.slot(out) !== 0;
            case Type.F32:
            case Type.F64:
                this.#must(x.pipit_file_real(file, i, j, out));
                return heap.real(out);
            default: {
                if (x.pipit_file_integer(file, i, j, out) < 0) {
                    // A u64 beyond 2^63.
                    this.#must(x.pipit_file_real(file, i, j, out));
                    return BigInt(heap.real(out));
                }
                const value = heap.big(out);
                const number = Number(value);
                return Number.isSafeInteger(number) ? number : value;
            }
        }
    }
}

export function isLongArray(value: MetadataValue): value is LongArray {
    return typeof value === "object" && !Array.isArray(value);
}

export function textOf(metadata: Metadata, key: string): string | undefined {
    const value = metadata[key];
    return typeof value === "string" ? value : undefined;
}

/** Before anything large is taken. */
export function checkFits(forecast: Forecast, available: number): void {
    const needed = forecast.weights + forecast.vocabulary;
    if (needed <= available) return;
    const gb = (bytes: number) => (bytes / 1e9).toFixed(2);
    throw new PipitError(
        "out-of-memory",
        `the model needs ${gb(needed)} GB, a module here holds at most ` +
            `${gb(available)} GB`,
        { details: { forecast, available } },
    );
}
