/* sha256.ts — SHA-256 of bytes as they come (FIPS 180-4).
 *
 * WebCrypto wants a whole file at once, which a model is too large for. Node has
 * its own; this one is for browsers. */

/** The first 32 bits of the fractional parts of the cube roots of the first 64
 * primes, and of the square roots of the first eight. */
const primes = (() => {
    const found: number[] = [];
    for (let n = 2; found.length < 64; n++)
        if (found.every((prime) => n % prime !== 0)) found.push(n);
    return found;
})();
const fraction = (x: number) => ((x - Math.floor(x)) * 2 ** 32) | 0;
const K = Int32Array.from(primes, (prime) => fraction(Math.cbrt(prime)));
const H = Int32Array.from(primes.slice(0, 8), (prime) =>
    fraction(Math.sqrt(prime)),
);

const BLOCK = 64;

export class Sha256 {
    #state = H.slice();
    readonly #schedule = new Int32Array(64);
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
            this.#blocks(this.#rest, 0, BLOCK);
        }
        const end = at + BLOCK * Math.floor((bytes.length - at) / BLOCK);
        this.#blocks(bytes, at, end);
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
        const before = this.#state.slice();
        this.#blocks(tail, 0, tail.length);
        const words = this.#state;
        this.#state = before;
        return Array.from(words, (word) =>
            (word >>> 0).toString(16).padStart(8, "0"),
        ).join("");
    }

    #blocks(bytes: Uint8Array, from: number, end: number): void {
        const w = this.#schedule;
        const s = this.#state;
        // The arrays are long enough: what `!` says holds by construction.
        for (let at = from; at < end; at += BLOCK) {
            for (let i = 0, b = at; i < 16; i++, b += 4)
                w[i] =
                    (bytes[b]! << 24) |
                    (bytes[b + 1]! << 16) |
                    (bytes[b + 2]! << 8) |
                    bytes[b + 3]!;
            for (let i = 16; i < 64; i++) {
                const x = w[i - 15]!;
                const y = w[i - 2]!;
                const s0 =
                    ((x >>> 7) | (x << 25)) ^
                    ((x >>> 18) | (x << 14)) ^
                    (x >>> 3);
                const s1 =
                    ((y >>> 17) | (y << 15)) ^
                    ((y >>> 19) | (y << 13)) ^
                    (y >>> 10);
                w[i] = (w[i - 16]! + s0 + w[i - 7]! + s1) | 0;
            }
            let a = s[0]!;
            let b = s[1]!;
            let c = s[2]!;
            let d = s[3]!;
            let e = s[4]!;
            let f = s[5]!;
            let g = s[6]!;
            let h = s[7]!;
            for (let i = 0; i < 64; i++) {
                const s1 =
                    ((e >>> 6) | (e << 26)) ^
                    ((e >>> 11) | (e << 21)) ^
                    ((e >>> 25) | (e << 7));
                const t1 = (h + s1 + ((e & f) ^ (~e & g)) + K[i]! + w[i]!) | 0;
                const s0 =
                    ((a >>> 2) | (a << 30)) ^
                    ((a >>> 13) | (a << 19)) ^
                    ((a >>> 22) | (a << 10));
                const t2 = (s0 + ((a & b) ^ (a & c) ^ (b & c))) | 0;
                h = g;
                g = f;
                f = e;
                e = (d + t1) | 0;
                d = c;
                c = b;
                b = a;
                a = (t1 + t2) | 0;
            }
            s[0] = (s[0]! + a) | 0;
            s[1] = (s[1]! + b) | 0;
            s[2] = (s[2]! + c) | 0;
            s[3] = (s[3]! + d) | 0;
            s[4] = (s[4]! + e) | 0;
            s[5] = (s[5]! + f) | 0;
            s[6] = (s[6]! + g) | 0;
            s[7] = (s[7]! + h) | 0;
        }
    }
}
