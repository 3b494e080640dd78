// GGUF files with random weights: keys and values, a tensor directory, data.
// The same seed gives the same bytes; nothing is held but the tensor at hand.

export const ALIGNMENT = 32;

/** Numbers of a block, bytes of a block, GGUF's number; a block of random bytes
 * whose half-precision fields (byte: factor of the scale) are set has weights of
 * the standard deviation `deviation` times the scale, around 0.
 * @type {Record<string, { id: number, size: number, bytes: number,
 *     halves: Record<number, number>, deviation: number, ternary?: boolean }>} */
const blockTypes = {
    Q4_0: { id: 2, size: 32, bytes: 18, halves: { 0: 1 }, deviation: 4.6 },
    Q4_1: {
        id: 3,
        size: 32,
        bytes: 20,
        halves: { 0: 1, 2: -7.5 },
        deviation: 4.6,
    },
    Q5_0: { id: 6, size: 32, bytes: 22, halves: { 0: 1 }, deviation: 9.2 },
    Q5_1: {
        id: 7,
        size: 32,
        bytes: 24,
        halves: { 0: 1, 2: -15.5 },
        deviation: 9.2,
    },
    Q8_0: { id: 8, size: 32, bytes: 34, halves: { 0: 1 }, deviation: 74 },
    Q4_K: {
        id: 12,
        size: 256,
        bytes: 144,
        halves: { 0: 1, 2: 7.5 },
        deviation: 260,
    },
    Q5_K: {
        id: 13,
        size: 256,
        bytes: 176,
        halves: { 0: 1, 2: 15.5 },
        deviation: 530,
    },
    Q6_K: {
        id: 14,
        size: 256,
        bytes: 210,
        halves: { 208: 1 },
        deviation: 1370,
    },
    TQ1_0: {
        id: 34,
        size: 256,
        bytes: 54,
        halves: { 52: 1 },
        deviation: 0.82,
    },
    TQ2_0: {
        id: 35,
        size: 256,
        bytes: 66,
        halves: { 64: 1 },
        deviation: 0.82,
        ternary: true,
    },
};
const plainTypes = {
    F32: { id: 0, bytes: 4 },
    F16: { id: 1, bytes: 2 },
    BF16: { id: 30, bytes: 2 },
};
export const tensorTypes = [
    ...Object.keys(plainTypes),
    ...Object.keys(blockTypes),
];

/** Numbers of a block of that type. */
export const blockSize = (/** @type {string} */ type) =>
    blockTypes[type]?.size ?? 1;

/** Uniform in [0, 1): mulberry32. */
export function randomFrom(/** @type {number} */ seed) {
    let state = seed >>> 0;
    return () => {
        state = (state + 0x6d2b79f5) >>> 0;
        let t = Math.imul(state ^ (state >>> 15), state | 1);
        t ^= t + Math.imul(t ^ (t >>> 7), t | 61);
        return ((t ^ (t >>> 14)) >>> 0) / 4294967296;
    };
}

/** To half precision, for normal numbers; the rest becomes 0. */
function half(/** @type {number} */ value) {
    const bits = new DataView(new ArrayBuffer(4));
    bits.setFloat32(0, value);
    const word = bits.getUint32(0);
    const exponent = ((word >>> 23) & 0xff) - 112;
    if (exponent <= 0) return 0;
    return (
        ((word >>> 16) & 0x8000) | (exponent << 10) | ((word >>> 13) & 0x3ff)
    );
}

class Writer {
    /** @type {Uint8Array[]} */
    parts = [];
    length = 0;

    bytes(/** @type {Uint8Array} */ bytes) {
        this.parts.push(bytes);
        this.length += bytes.length;
    }

    number(
        /** @type {"Uint32"|"Int32"|"Float32"|"BigUint64"|"Uint8"} */ kind,
        /** @type {number} */ size,
        /** @type {number|bigint} */ value,
    ) {
        const bytes = new Uint8Array(size);
        const view = new DataView(bytes.buffer);
        /** @type {any} */ (view)[`set${kind}`](0, value, true);
        this.bytes(bytes);
    }

    u32(/** @type {number} */ value) {
        this.number("Uint32", 4, value);
    }

    u64(/** @type {number} */ value) {
        this.number("BigUint64", 8, BigInt(value));
    }

    text(/** @type {string} */ text) {
        const bytes = new TextEncoder().encode(text);
        this.u64(bytes.length);
        this.bytes(bytes);
    }

    joined() {
        const all = new Uint8Array(this.length);
        let at = 0;
        for (const part of this.parts) {
            all.set(part, at);
            at += part.length;
        }
        return all;
    }
}

/** A value of a key: whole numbers are u32, others f32. */
function writeValue(/** @type {Writer} */ w, /** @type {any} */ value) {
    if (typeof value === "string") {
        w.u32(8);
        w.text(value);
    } else if (typeof value === "boolean") {
        w.u32(7);
        w.number("Uint8", 1, Number(value));
    } else if (Array.isArray(value)) {
        w.u32(9);
        const texts = typeof value[0] === "string";
        w.u32(texts ? 8 : 5);
        w.u64(value.length);
        for (const element of value)
            texts ? w.text(element) : w.number("Int32", 4, element);
    } else if (Number.isInteger(value)) {
        w.u32(4);
        w.u32(value);
    } else {
        w.u32(6);
        w.number("Float32", 4, value);
    }
}

/** Two bits for each of four base-3 digits. */
function fourTrits(/** @type {number} */ n) {
    let byte = 0;
    for (let i = 0; i < 4; i++, n /= 3)
        byte = (byte << 2) | (Math.floor(n) % 3);
    return byte;
}

/** The numbers of ternary blocks.
 * @param {"TQ1_0"|"TQ2_0"} type @param {Uint8Array} bytes */
export function ternaryNumbers(type, bytes) {
    const { size, bytes: stride, halves } = blockTypes[type];
    const view = new DataView(bytes.buffer, bytes.byteOffset);
    const digit = type === "TQ1_0" ? digitOfFive : digitOfFour;
    return Float32Array.from(
        { length: (bytes.length / stride) * size },
        (_, i) => {
            const at = Math.floor(i / size) * stride;
            const bits = view.getUint16(
                at + Number(Object.keys(halves)[0]),
                true,
            );
            // Of normal numbers, as half() made them.
            const scale =
                2 ** (((bits >> 10) & 31) - 25) * (1024 + (bits & 1023));
            return (digit(bytes.subarray(at), i % size) - 1) * scale;
        },
    );
}

/** @param {Uint8Array} block @param {number} i */
function digitOfFour(block, i) {
    const byte = block[32 * Math.floor(i / 128) + (i % 32)];
    return (byte >> (2 * Math.floor((i % 128) / 32))) & 3;
}

/** Five base-3 digits of 32 bytes, then of 16, then four of 4.
 * @param {Uint8Array} block @param {number} i */
function digitOfFive(block, i) {
    const [from, n, at] =
        i < 160 ? [0, 32, 0] : i < 240 ? [160, 16, 32] : [240, 4, 48];
    const k = Math.floor((i - from) / n);
    return (((block[at + ((i - from) % n)] * 3 ** k) & 255) * 3) >> 8;
}

/** n weights of about this standard deviation. */
export function weights(
    /** @type {string} */ type,
    /** @type {number} */ n,
    /** @type {number} */ deviation,
    /** @type {() => number} */ random,
) {
    const block = blockTypes[/** @type {keyof blockTypes} */ (type)];
    if (!block) return plainWeights(type, n, deviation, random);
    const bytes = new Uint8Array((n / block.size) * block.bytes);
    const view = new DataView(bytes.buffer);
    const scale = deviation / block.deviation;
    for (let i = 0; i < bytes.length; i++)
        bytes[i] = block.ternary ? fourTrits(random() * 81) : random() * 256;
    for (let at = 0; at < bytes.length; at += block.bytes)
        for (const [byte, factor] of Object.entries(block.halves))
            view.setUint16(at + Number(byte), half(factor * scale), true);
    return bytes;
}

function plainWeights(
    /** @type {string} */ type,
    /** @type {number} */ n,
    /** @type {number} */ deviation,
    /** @type {() => number} */ random,
) {
    const { bytes: size } = plainTypes[/** @type {keyof plainTypes} */ (type)];
    const view = new DataView(new ArrayBuffer(n * size));
    for (let i = 0; i < n; i++) {
        // Uniform, of that deviation.
        const value = (2 * random() - 1) * deviation * Math.sqrt(3);
        if (type === "F32") view.setFloat32(4 * i, value, true);
        else if (type === "F16") view.setUint16(2 * i, half(value), true);
        else {
            const word = new DataView(new ArrayBuffer(4));
            word.setFloat32(0, value);
            view.setUint16(2 * i, word.getUint16(0), true);
        }
    }
    return new Uint8Array(view.buffer);
}

/**
 * @typedef {object} Tensor
 * @property {string} name
 * @property {number[]} shape columns first
 * @property {string} type
 * @property {(() => Uint8Array)} [data] left out when only the header is wanted
 */

/**
 * The bytes of a file, piece by piece.
 * @param {[string, any][]} metadata @param {Tensor[]} tensors
 */
export function* gguf(metadata, tensors) {
    const w = new Writer();
    w.bytes(new TextEncoder().encode("GGUF"));
    w.u32(3);
    w.u64(tensors.length);
    w.u64(metadata.length);
    for (const [key, value] of metadata) {
        w.text(key);
        writeValue(w, value);
    }
    let offset = 0;
    for (const { name, shape, type } of tensors) {
        w.text(name);
        w.u32(shape.length);
        for (const dimension of shape) w.u64(dimension);
        const { id, bytes, size = 1 } = { ...blockTypes, ...plainTypes }[type];
        w.u32(id);
        w.u64(offset);
        const total = (shape.reduce((n, d) => n * d, 1) / size) * bytes;
        offset += padded(total);
    }
    w.bytes(new Uint8Array(padded(w.length) - w.length));
    yield w.joined();
    for (const { data } of tensors) {
        if (!data) return;
        const bytes = data();
        yield bytes;
        yield new Uint8Array(padded(bytes.length) - bytes.length);
    }
}

const padded = (/** @type {number} */ n) =>
    Math.ceil(n / ALIGNMENT) * ALIGNMENT;

/** @param {Iterable<Uint8Array>} pieces @returns {Uint8Array<ArrayBuffer>} */
export function joined(pieces) {
    const w = new Writer();
    for (const piece of pieces) w.bytes(piece);
    return w.joined();
}
