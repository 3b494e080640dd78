// A tiny GGUF of the architecture llama: random weights, a byte-level BPE
// vocabulary and a chat template, so that everything can be tried without a
// download. The same options give the same bytes.
//
//   node tests/tools/tiny-model.mjs OUT.gguf [TYPE]
import { writeFileSync } from "node:fs";
import { pathToFileURL } from "node:url";
import {
    ALIGNMENT,
    blockSize,
    gguf,
    joined,
    randomFrom,
    tensorTypes,
    weights,
} from "./gguf-writer.mjs";

export { tensorTypes };

export const chatMl =
    "{% for message in messages %}" +
    "{{'<|im_start|>' + message['role'] + '\n' + message['content'] " +
    "+ '<|im_end|>' + '\n'}}{% endfor %}" +
    "{% if add_generation_prompt %}{{ '<|im_start|>assistant\n' }}{% endif %}";

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

/** A model that never ends an answer: no token of its vocabulary says so. */
export const endless = (() => {
    const size = 290;
    const tokens = Array.from(
        { length: size },
        (_, i) => byteLetters[i] ?? (i === 256 ? "Ġt" : `word${i} `),
    );
    return {
        layers: 4,
        embedding: 256,
        context: 8192,
        metadata: {
            "tokenizer.ggml.tokens": tokens,
            "tokenizer.ggml.token_type": tokens.map(() => 1),
            "tokenizer.ggml.merges": ["Ġ t"],
            "tokenizer.ggml.bos_token_id": undefined,
            "tokenizer.ggml.eos_token_id": undefined,
        },
    };
})();

/** @param {TinyOptions} [options] */
export function tinyModel(options = {}) {
    const { metadata, tensors } = describe(options);
    return joined(gguf(metadata, tensors));
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
        joined(
            gguf(
                [
                    ...(no === 0 ? metadata : []),
                    ["split.no", no],
                    ["split.count", count],
                    ["split.tensors.count", tensors.length],
                ],
                tensors.slice(no * most, (no + 1) * most),
            ),
        ),
    );
}

/** Keys and tensors with their data, where it is wanted. */
function describe(/** @type {TinyOptions} */ options) {
    const { type = "F32", types = {} } = options;
    const wide = [type, ...Object.values(types)].some(
        (t) => blockSize(t) === 256,
    );
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
    const data =
        (/** @type {(typeof tensors)[0]} */ { shape, type, deviation }) =>
        () =>
            deviation === 0
                ? new Uint8Array(new Float32Array(shape[0]).fill(1).buffer)
                : weights(type, shape[0] * shape[1], deviation, random);
    return {
        metadata,
        tensors: tensors.map((tensor) => ({
            ...tensor,
            data: o.headerOnly ? undefined : data(tensor),
        })),
    };
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
