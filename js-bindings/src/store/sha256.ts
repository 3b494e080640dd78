/* sha256.ts — SHA-256 of bytes as they come (FIPS 180-4).
 *
 * WebCrypto wants a whole file at once, which a model is too large for. Node has
 * its own; this one is for browsers. Its work is done by web/sha256.c, in an
 * instance that all hashes of this worker share: it keeps nothing of theirs. */
import program from "../../../build/wasm/pipit-sha256.wasm";

interface Exports {
    readonly memory: WebAssembly.Memory;
    /** Where the eight words are. */
    state(): number;
    /** Where the blocks are put. */
    input(): number;
    /** Works n blocks of the input into the words. */
    blocks(n: number): void;
}

const BLOCK = 64;
/** Bytes of the input: INPUT_BLOCKS of sha256.c. */
const INPUT = 512 * BLOCK;

/** The first 32 bits of the fractional parts of the square roots of the first
 * eight primes. */
const START = Uint32Array.of(
    ...[0x6a09e667, 0xbb67ae85, 0x3c6ef372, 0xa54ff53a],
    ...[0x510e527f, 0x9b05688c, 0x1f83d9ab, 0x5be0cd19],
);

function instantiate() {
    const { exports } = new WebAssembly.Instance(
        new WebAssembly.Module(program),
    );
    const x = exports as unknown as Exports;
    const { buffer } = x.memory; // it never grows
    return {
        state: new Uint32Array(buffer, x.state(), START.length),
        input: new Uint8Array(buffer, x.input(), INPUT),
        blocks: (n: number) => x.blocks(n),
    };
}

let shared: ReturnType<typeof instantiate> | undefined;

export class Sha256 {
    readonly #words = START.slice();
    readonly #rest = new Uint8Array(BLOCK);
    #length = 0;

    update(bytes: Uint8Array): this {
        let at = 0;
        const held = this.#length % BLOCK;
        this.#length += bytes.length;
        if (held > 0) {
            at = Math.min(BLOCK - held, bytes.length);
            this.#rest.set(bytes.subarray(0, at), held);
            if (held + at < BLOCK) return this;
            work(this.#words, this.#rest);
        }
        const end = at + BLOCK * Math.floor((bytes.length - at) / BLOCK);
        work(this.#words, bytes.subarray(at, end));
        this.#rest.set(bytes.subarray(end));
        return this;
    }

    /** Of all bytes so far; more may follow. */
    hex(): string {
        const held = this.#length % BLOCK;
        const tail = new Uint8Array(held < 56 ? BLOCK : 2 * BLOCK);
        tail.set(this.#rest.subarray(0, held));
        tail[held] = 0x80;
        const view = new DataView(tail.buffer);
        view.setBigUint64(tail.length - 8, BigInt(this.#length) * 8n);
        const words = this.#words.slice();
        work(words, tail);
        return Array.from(words, (word) =>
            word.toString(16).padStart(8, "0"),
        ).join("");
    }
}

/** Whole blocks into the words. */
function work(words: Uint32Array, blocks: Uint8Array): void {
    shared ??= instantiate();
    shared.state.set(words);
    for (let at = 0; at < blocks.length; at += INPUT) {
        const some = blocks.subarray(at, at + INPUT);
        shared.input.set(some);
        shared.blocks(some.length / BLOCK);
    }
    words.set(shared.state);
}
