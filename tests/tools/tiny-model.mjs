// A tiny GGUF of the architecture llama: random weights, a byte-level BPE
// vocabulary and a chat template, so that everything can be tried without a
// download. The same options give the same bytes.
//
//   node tests/tools/tiny-model.mjs OUT.gguf [TYPE]
import { writeFileSync } from "node:fs";
import { pathToFileURL } from "node:url";

const ALIGNMENT = 32;

/** Numbers of a block, bytes of a block, GGUF's number; a block of random bytes
 * whose half-precision fields (byte: factor of the scale) are set has weights of
 * the standard deviation `deviation` times the scale, around 0. */
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

export const chatMl =
    "{% for message in messages %}" +
    "{{'<|im_start|>' + message['role'] + '\n' + message['content'] " +
    "+ '<|im_end|>' + '\n'}}{% endfor %}" +
    "{% if add_generation_prompt %}{{ '<|im_start|>assistant\n' }}{% endif %}";

/** Uniform in [0, 1): mulberry32. */
function randomFrom(/** @type {number} */ seed) {
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

/** GPT-2's letters for the 256 bytes. */
export const byteLetters = (() => {
    let next = 256;
    return Array.from({ length: 256 }, (_, byte) => {
        const shown =
            (byte >= 33 && byte <= 126) ||
            (byte >= 161 && byte <= 172) ||
            byte >= 174;
        return String.fromCodePoint(shown ? byte : next++);
    });
})();

const merges = [
    "Ġ t",
    "h e",
    "i n",
    "Ġt he",
    "e r",
    "Ġ a",
    "o u",
    "Ġ s",
    "r e",
    "o n",
    "Ġ w",
    "n d",
    "Ġa nd",
    "in g",
    "Ġ l",
    "l o",
    "Ġ h",
    "l l",
    "Ġh e",
    "Ġhe ll",
    "Ġ c",
    "a t",
    "Ġc at",
    "e s",
    "Ġ o",
    "Ġo n",
    "u se",
    "s e",
    "ou se",
    "Ġ m",
    "Ġm ouse",
];
export const special = ["<|endoftext|>", "<|im_start|>", "<|im_end|>"];

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

    pad() {
        this.bytes(
            new Uint8Array((ALIGNMENT - (this.length % ALIGNMENT)) % 32),
        );
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

/** n weights of about this standard deviation. */
function weights(
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
    for (let i = 0; i < bytes.length; i++) bytes[i] = random() * 256;
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
 * @typedef {object} TinyOptions
 * @property {number} [seed]
 * @property {string} [type] of all matrices, "F32" if not told
 * @property {Record<string, string>} [types] of tensors whose name has this in
 * @property {number} [layers]
 * @property {number} [embedding]
 * @property {number} [heads]
 * @property {number} [kvHeads]
 * @property {number} [feedForward]
 * @property {number} [context]
 * @property {boolean} [tied] the output is the embedding
 * @property {string | null} [template] null: none
 * @property {Record<string, any>} [metadata] added or, when undefined, removed
 * @property {string[]} [without] names of tensors to leave out
 * @property {boolean} [headerOnly] without the weights, so of any size
 */

/** @param {TinyOptions} [options] */
export function tinyModel(options = {}) {
    return writeFile(describe(options));
}

/**
 * The same in several files, as llama.cpp's gguf-split cuts them: the metadata
 * in the first, tensors in all.
 * @param {TinyOptions} options @param {number} count
 */
export function tinyParts(options, count) {
    const { metadata, tensors } = describe(options);
    const most = Math.ceil(tensors.length / count);
    return Array.from({ length: count }, (_, no) =>
        writeFile({
            metadata: [
                ...(no === 0 ? metadata : []),
                ["split.no", no],
                ["split.count", count],
                ["split.tensors.count", tensors.length],
            ],
            tensors: tensors.slice(no * most, (no + 1) * most),
        }),
    );
}

/** Keys and tensors with their data, where it is wanted. */
function describe(/** @type {TinyOptions} */ options) {
    const { type = "F32", types = {} } = options;
    const wide = [type, ...Object.values(types)].some((t) => t.endsWith("_K"));
    const o = {
        seed: 1,
        layers: 2,
        embedding: wide ? 256 : 64,
        heads: 4,
        kvHeads: 2,
        context: 512,
        tied: false,
        template: chatMl,
        metadata: {},
        without: [],
        headerOnly: false,
        ...options,
    };
    const feedForward = options.feedForward ?? 2 * o.embedding;
    const tokens = [
        ...byteLetters,
        ...merges.map((merge) => merge.replace(" ", "")),
        ...special,
    ];
    const end = tokens.length - 1;
    const metadata = Object.entries({
        "general.architecture": "llama",
        "general.name": "tiny",
        "general.alignment": ALIGNMENT,
        "llama.context_length": o.context,
        "llama.embedding_length": o.embedding,
        "llama.block_count": o.layers,
        "llama.feed_forward_length": feedForward,
        "llama.attention.head_count": o.heads,
        "llama.attention.head_count_kv": o.kvHeads,
        "llama.attention.layer_norm_rms_epsilon": 1e-5 + 1e-12,
        "llama.rope.freq_base": 10000.5,
        "llama.vocab_size": tokens.length,
        "tokenizer.ggml.model": "gpt2",
        "tokenizer.ggml.pre": "gpt-2",
        "tokenizer.ggml.tokens": tokens,
        "tokenizer.ggml.token_type": tokens.map((_, i) =>
            i > end - special.length ? 3 : 1,
        ),
        "tokenizer.ggml.merges": merges,
        "tokenizer.ggml.bos_token_id": end - 1,
        "tokenizer.ggml.eos_token_id": end,
        "tokenizer.ggml.add_bos_token": false,
        "tokenizer.chat_template": o.template ?? undefined,
        ...o.metadata,
    }).filter(([, value]) => value !== undefined);
    const tensors = listTensors(o, feedForward, tokens.length)
        .filter(({ name }) => !o.without.includes(name))
        .map((tensor) => ({ ...tensor, type: typeOf(tensor, type, types) }));
    const random = randomFrom(o.seed);
    const data = (/** @type {(typeof tensors)[0]} */ tensor) =>
        tensor.deviation === 0
            ? new Uint8Array(new Float32Array(tensor.shape[0]).fill(1).buffer)
            : weights(
                  tensor.type,
                  tensor.shape[0] * tensor.shape[1],
                  tensor.deviation,
                  random,
              );
    return {
        metadata,
        tensors: tensors.map((tensor) => ({
            ...tensor,
            data: o.headerOnly ? undefined : data(tensor),
        })),
    };
}

/**
 * @param {{ metadata: [string, any][], tensors: { name: string,
 *     shape: number[], type: string, data?: Uint8Array }[] }} file
 * @returns {Uint8Array<ArrayBuffer>}
 */
function writeFile({ metadata, tensors }) {
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
        offset += Math.ceil(total / ALIGNMENT) * ALIGNMENT;
    }
    w.pad();
    for (const { data } of tensors)
        if (data) {
            w.pad();
            w.bytes(data);
        }
    return w.joined();
}

/** Norms (deviation 0) are ones, in F32. */
function listTensors(
    /** @type {any} */ o,
    /** @type {number} */ feedForward,
    /** @type {number} */ vocabulary,
) {
    const { embedding: d } = o;
    const kv = (d / o.heads) * o.kvHeads;
    const matrix = (
        /** @type {string} */ name,
        /** @type {number} */ columns,
        /** @type {number} */ rows,
    ) => ({ name, shape: [columns, rows], deviation: 1 / Math.sqrt(columns) });
    const norm = (/** @type {string} */ name) => ({
        name,
        shape: [d],
        deviation: 0,
    });
    const layer = (/** @type {number} */ i) => [
        norm(`blk.${i}.attn_norm.weight`),
        matrix(`blk.${i}.attn_q.weight`, d, d),
        matrix(`blk.${i}.attn_k.weight`, d, kv),
        matrix(`blk.${i}.attn_v.weight`, d, kv),
        matrix(`blk.${i}.attn_output.weight`, d, d),
        norm(`blk.${i}.ffn_norm.weight`),
        matrix(`blk.${i}.ffn_gate.weight`, d, feedForward),
        matrix(`blk.${i}.ffn_up.weight`, d, feedForward),
        matrix(`blk.${i}.ffn_down.weight`, feedForward, d),
    ];
    return [
        { ...matrix("token_embd.weight", d, vocabulary), deviation: 1 },
        ...Array.from({ length: o.layers }, (_, i) => layer(i)).flat(),
        norm("output_norm.weight"),
        ...(o.tied ? [] : [matrix("output.weight", d, vocabulary)]),
    ];
}

function typeOf(
    /** @type {{ name: string, deviation: number }} */ { name, deviation },
    /** @type {string} */ type,
    /** @type {Record<string, string>} */ types,
) {
    if (deviation === 0) return "F32";
    const part = Object.keys(types).find((key) => name.includes(key));
    return part === undefined ? type : types[part];
}

if (import.meta.url === pathToFileURL(process.argv[1] ?? "").href) {
    const [out, type = "F32"] = process.argv.slice(2);
    if (!out) {
        console.error("usage: tiny-model.mjs OUT.gguf [TYPE]");
        process.exit(2);
    }
    writeFileSync(out, tinyModel({ type }));
}
