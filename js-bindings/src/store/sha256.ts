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

const big0 = (x: number) =>
    ((x >>> 2) | (x << 30)) ^
    ((x >>> 13) | (x << 19)) ^
    ((x >>> 22) | (x << 10));
const big1 = (x: number) =>
    ((x >>> 6) | (x << 26)) ^
    ((x >>> 11) | (x << 21)) ^
    ((x >>> 25) | (x << 7));

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
            let t = 0;
            // Eight rounds at once: the names move instead of the values.
            for (let i = 0; i < 64; i += 8) {
                t =
                    (h +
                        big1(e) +
                        (g ^ (e & (f ^ g))) +
                        K[i + 0]! +
                        w[i + 0]!) |
                    0;
                d = (d + t) | 0;
                h = (t + big0(a) + ((a & b) | (c & (a | b)))) | 0;
                t =
                    (g +
                        big1(d) +
                        (f ^ (d & (e ^ f))) +
                        K[i + 1]! +
                        w[i + 1]!) |
                    0;
                c = (c + t) | 0;
                g = (t + big0(h) + ((h & a) | (b & (h | a)))) | 0;
                t =
                    (f +
                        big1(c) +
                        (e ^ (c & (d ^ e))) +
                        K[i + 2]! +
                        w[i + 2]!) |
                    0;
                b = (b + t) | 0;
                f = (t + big0(g) + ((g & h) | (a & (g | h)))) | 0;
                t =
                    (e +
                        big1(b) +
                        (d ^ (b & (c ^ d))) +
                        K[i + 3]! +
                        w[i + 3]!) |
                    0;
                a = (a + t) | 0;
                e = (t + big0(f) + ((f & g) | (h & (f | g)))) | 0;
                t =
                    (d +
                        big1(a) +
                        (c ^ (a & (b ^ c))) +
                        K[i + 4]! +
                        w[i + 4]!) |
                    0;
                h = (h + t) | 0;
                d = (t + big0(e) + ((e & f) | (g & (e | f)))) | 0;
                t =
                    (c +
                        big1(h) +
                        (b ^ (h & (a ^ b))) +
                        K[i + 5]! +
                        w[i + 5]!) |
                    0;
                g = (g + t) | 0;
                c = (t + big0(d) + ((d & e) | (f & (d | e)))) | 0;
                t =
                    (b +
                        big1(g) +
                        (a ^ (g & (h ^ a))) +
                        K[i + 6]! +
                        w[i + 6]!) |
                    0;
                f = (f + t) | 0;
                b = (t + big0(c) + ((c & d) | (e & (c | d)))) | 0;
                t =
                    (a +
                        big1(f) +
                        (h ^ (f & (g ^ h))) +
                        K[i + 7]! +
                        w[i + 7]!) |
                    0;
                e = (e + t) | 0;
                a = (t + big0(b) + ((b & c) | (d & (b | c)))) | 0;
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
