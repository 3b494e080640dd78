/* heap.ts — the only file that touches linear memory.
 *
 * The memory may grow in any call of the module, and then every view of it is
 * dead: each method makes its view and lets it go. What leaves is a copy. */
import { PipitError } from "../errors.js";
import type {
    Bytes,
    Exports,
    FloatArray,
    Name,
    Pairs,
    Pointer,
    Slots,
    TokenArray,
} from "./exports.js";

const decoder = new TextDecoder();
const encoder = new TextEncoder();

export class Heap {
    readonly #memory: WebAssembly.Memory;
    readonly #exports: Exports;

    constructor(memory: WebAssembly.Memory, exports: Exports) {
        this.#memory = memory;
        this.#exports = exports;
    }

    /** Bytes of the whole linear memory. */
    get bytes(): number {
        return this.#memory.buffer.byteLength;
    }

    /** The caller gives it back with the same size. */
    alloc<P extends Pointer<string>>(bytes: number): P {
        // From 2^31 on the module's addresses look negative from outside.
        const block = this.#exports.pipit_alloc(bytes) >>> 0;
        if (block !== 0) return block as P;
        throw new PipitError(
            "out-of-memory",
            `the module can't have ${bytes} more bytes`,
            { details: { available: 2 ** 32 - this.bytes } },
        );
    }

    release(block: Pointer<string>, bytes: number): void {
        this.#exports.pipit_release(block, bytes);
    }

    /** A block for the time of a call. */
    scratch<P extends Pointer<string>, R>(
        bytes: number,
        use: (block: P) => R,
    ): R {
        const block = this.alloc<P>(bytes);
        try {
            return use(block);
        } finally {
            this.release(block, bytes);
        }
    }

    /** A block for the time of a call, holding these bytes. */
    lend<R>(bytes: Uint8Array, use: (block: Bytes) => R): R {
        return this.scratch<Bytes, R>(bytes.length, (block) => {
            new Uint8Array(this.#memory.buffer).set(bytes, block);
            return use(block);
        });
    }

    lendTokens<R>(tokens: Uint32Array, use: (block: TokenArray) => R): R {
        return this.scratch<TokenArray, R>(tokens.length * 4, (block) => {
            new Uint32Array(this.#memory.buffer).set(tokens, block / 4);
            return use(block);
        });
    }

    lendName<R>(name: string, use: (block: Bytes) => R): R {
        return this.lend(encoder.encode(`${name}\0`), use);
    }

    lendPairs<R>(
        pairs: readonly (readonly [number, number])[],
        use: (block: Pairs) => R,
    ): R {
        return this.scratch<Pairs, R>(pairs.length * 8, (block) => {
            const view = new DataView(this.#memory.buffer, block);
            pairs.forEach(([token, value], i) => {
                view.setUint32(8 * i, token, true);
                view.setFloat32(8 * i + 4, value, true);
            });
            return use(block);
        });
    }

    /** `write` fills the view, now, and says how much. */
    fill(
        block: Bytes,
        bytes: number,
        write: (view: Uint8Array) => number,
    ): number {
        return write(new Uint8Array(this.#memory.buffer, block, bytes));
    }

    // The module's integers are below 2^53, or asked for as bigint.
    slot(slots: Slots, i = 0): number {
        return Number(this.big(slots, i));
    }

    big(slots: Slots, i = 0): bigint {
        return new DataView(this.#memory.buffer).getBigInt64(
            slots + 8 * i,
            true,
        );
    }

    putAddress(slots: Slots, value: number): void {
        new DataView(this.#memory.buffer).setUint32(slots, value, true);
    }

    real(slots: Slots, i = 0): number {
        return new DataView(this.#memory.buffer).getFloat64(
            slots + 8 * i,
            true,
        );
    }

    /** The text whose address and length are in slots i and i + 1. */
    text(slots: Slots, i = 0): string {
        const n = this.slot(slots, i + 1);
        return n === 0 ? "" : decoder.decode(this.copy(this.slot(slots, i), n));
    }

    name(name: Name): string {
        const start = name >>> 0;
        if (start === 0) return "";
        const memory = new Uint8Array(this.#memory.buffer);
        return decoder.decode(memory.slice(start, memory.indexOf(0, start)));
    }

    /** Never shared, so that it can be decoded and transferred. */
    copy(address: number, n: number): Uint8Array<ArrayBuffer> {
        return new Uint8Array(this.#memory.buffer, address, n).slice();
    }

    tokens(address: TokenArray, n: number): Uint32Array<ArrayBuffer> {
        if (n === 0) return new Uint32Array(0);
        return new Uint32Array(this.#memory.buffer, address >>> 0, n).slice();
    }

    floats(address: FloatArray, n: number): Float32Array<ArrayBuffer> {
        return new Float32Array(this.#memory.buffer, address >>> 0, n).slice();
    }

    pairs(address: number, n: number): { token: number; logprob: number }[] {
        const view = new DataView(this.#memory.buffer);
        return Array.from({ length: n }, (_, i) => ({
            token: view.getUint32(address + 8 * i, true),
            logprob: view.getFloat32(address + 8 * i + 4, true),
        }));
    }
}
