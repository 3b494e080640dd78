// files.mjs — the models that the goals name: the real file where it is there,
// else one of the same shape and types with random weights (speed does not
// depend on the values).
import { createWriteStream, existsSync, linkSync, copyFileSync } from "node:fs";
import { mkdirSync, renameSync } from "node:fs";
import { basename, join } from "node:path";
import { Readable } from "node:stream";
import { pipeline } from "node:stream/promises";
import { gguf, randomFrom, weights } from "../../tools/gguf-writer.mjs";
import { byteLetters, chatMl, special } from "../../tools/tiny-model.mjs";
import { cache, peers, runs } from "./places.mjs";

/**
 * @typedef {object} Shape as MODELS of these sizes have it
 * @property {string} architecture
 * @property {number} layers
 * @property {number} width
 * @property {number} hidden
 * @property {number} heads
 * @property {number} kvHeads
 * @property {number} headSize
 * @property {number} vocabulary
 * @property {(name: string, layer: number) => string} type of a matrix
 */

/* Files called Q4_K_M: rows that 256 does not divide are Q5_0 or Q8_0, of the
 * others half are Q6_K. */
const moreBits = (/** @type {number} */ layer) => layer % 2 === 0;
/** @param {string} name @param {number} layer */
function mixed(name, layer) {
    if (name === "attn_v") return moreBits(layer) ? "Q8_0" : "Q5_0";
    if (name === "ffn_down") return moreBits(layer) ? "Q6_K" : "Q4_K";
    return "Q5_0";
}

/** @type {Record<string, Shape>} */
const shapes = {
    "qwen2.5-coder-0.5b": {
        ...{ architecture: "qwen2", layers: 24, width: 896, hidden: 4864 },
        ...{ heads: 14, kvHeads: 2, headSize: 64, vocabulary: 151936 },
        type: (name, layer) =>
            name === "output" ? "Q8_0" : mixed(name, layer),
    },
    "gemma-3-270m": {
        ...{ architecture: "gemma3", layers: 18, width: 640, hidden: 2048 },
        ...{ heads: 4, kvHeads: 1, headSize: 256, vocabulary: 262144 },
        type: (name, layer) =>
            name === "token_embd"
                ? "Q8_0"
                : name === "attn_output"
                  ? "Q4_K"
                  : mixed(name, layer),
    },
};

/**
 * What is measured. `kind` chooses the goals, `preset` is of gen-gguf.mjs.
 * @typedef {{ name: string, kind: "Q4_1" | "Q4_0" | "Q8_0" | "K",
 *     real?: string, preset?: [string, string], shape?: string }} Subject
 */

/** @type {Subject[]} */
export const subjects = [
    {
        ...{ name: "SmolLM2-135M Q4_1", kind: "Q4_1" },
        real: "SmolLM2-135M-Instruct.Q4_1.gguf",
    },
    {
        ...{ name: "SmolLM2-135M Q4_0", kind: "Q4_0" },
        preset: ["smollm2-135m", "q4_0"],
    },
    {
        ...{ name: "SmolLM2-135M Q8_0", kind: "Q8_0" },
        preset: ["smollm2-135m", "q8_0"],
    },
    { name: "130M Q4_K", kind: "K", preset: ["kq-130m", "q4_k"] },
    {
        ...{ name: "Qwen2.5-Coder-0.5B Q4_K_M", kind: "K" },
        real: "qwen2.5-coder-0.5b-instruct-q4_k_m.gguf",
        shape: "qwen2.5-coder-0.5b",
    },
    {
        ...{ name: "Gemma-3-270M Q4_K_M", kind: "K" },
        real: "gemma-3-270m-q4_k_m.gguf",
        shape: "gemma-3-270m",
    },
];

/** One piece of random weights of each type, repeated.
 * @param {string} type @param {number} bytes of the piece */
const pieceOf = (type, bytes = 1 << 18) =>
    weights(type, bytes, 0.02, randomFrom(1));

/** @param {string} name @param {string} path */
async function writeShape(name, path) {
    const shape = shapes[name];
    if (!shape) throw new Error(`no shape ${name}`);
    const { architecture, layers, width, hidden, headSize } = shape;
    const gemma = architecture === "gemma3";
    const q = shape.heads * headSize;
    const kv = shape.kvHeads * headSize;
    /** @type {Map<string, Uint8Array>} */
    const pieces = new Map();
    const vector = (/** @type {string} */ id, n = width, value = 1) => ({
        ...{ name: id, shape: [n], type: "F32" },
        data: () => new Uint8Array(new Float32Array(n).fill(value).buffer),
    });
    const matrix = (
        /** @type {string} */ id,
        /** @type {number} */ columns,
        /** @type {number} */ rows,
    ) => {
        const [, layer, own] = /^blk\.(\d+)\.(.*)$/.exec(id) ?? [, "0", id];
        const type = shape.type(own ?? id, Number(layer));
        const piece = pieces.get(type) ?? pieceOf(type);
        pieces.set(type, piece);
        const count = columns * rows;
        return {
            ...{ name: `${id}.weight`, shape: [columns, rows], type },
            data() {
                const each = piece.length / (1 << 18);
                const bytes = new Uint8Array(count * each);
                for (let at = 0; at < bytes.length; at += piece.length)
                    bytes.set(piece.subarray(0, bytes.length - at), at);
                return bytes;
            },
        };
    };
    const tensors = [
        matrix("token_embd", width, shape.vocabulary),
        vector("output_norm.weight"),
    ];
    if (!gemma) tensors.push(matrix("output", width, shape.vocabulary));
    for (let i = 0; i < layers; i++) {
        const of = (/** @type {string} */ id) => `blk.${i}.${id}`;
        tensors.push(
            vector(of("attn_norm.weight")),
            matrix(of("attn_q"), width, q),
            matrix(of("attn_k"), width, kv),
            matrix(of("attn_v"), width, kv),
            matrix(of("attn_output"), q, width),
            vector(of("ffn_norm.weight")),
            matrix(of("ffn_gate"), width, hidden),
            matrix(of("ffn_up"), width, hidden),
            matrix(of("ffn_down"), hidden, width),
            ...(gemma
                ? [
                      vector(of("attn_q_norm.weight"), headSize),
                      vector(of("attn_k_norm.weight"), headSize),
                      vector(of("post_attention_norm.weight")),
                      vector(of("post_ffw_norm.weight")),
                  ]
                : [
                      vector(of("attn_q.bias"), q, 0),
                      vector(of("attn_k.bias"), kv, 0),
                      vector(of("attn_v.bias"), kv, 0),
                  ]),
        );
    }
    const metadata = metadataOf(name, shape);
    const passing = `${path}.part`;
    await pipeline(
        Readable.from(gguf(metadata, tensors)),
        createWriteStream(passing),
    );
    renameSync(passing, path);
}

/** @param {string} name @param {Shape} shape @returns {[string, any][]} */
function metadataOf(name, shape) {
    const { architecture: of, vocabulary } = shape;
    const gemma = of === "gemma3";
    const tokens = [...byteLetters, ...special, "ĠĠ"];
    while (tokens.length < vocabulary) tokens.push(`<unused${tokens.length}>`);
    const first = byteLetters.length;
    return [
        ["general.architecture", of],
        ["general.name", `${name}, random weights`],
        [`${of}.context_length`, 32768],
        [`${of}.embedding_length`, shape.width],
        [`${of}.block_count`, shape.layers],
        [`${of}.feed_forward_length`, shape.hidden],
        [`${of}.attention.head_count`, shape.heads],
        [`${of}.attention.head_count_kv`, shape.kvHeads],
        [`${of}.attention.layer_norm_rms_epsilon`, 1e-6 + 1e-12],
        [`${of}.rope.freq_base`, 1000000.5],
        ...(gemma
            ? /** @type {[string, any][]} */ ([
                  [`${of}.attention.key_length`, shape.headSize],
                  [`${of}.attention.value_length`, shape.headSize],
                  [`${of}.attention.sliding_window`, 512],
              ])
            : []),
        ["tokenizer.ggml.model", "gpt2"],
        ["tokenizer.ggml.pre", "qwen2"],
        ["tokenizer.ggml.tokens", tokens],
        [
            "tokenizer.ggml.token_type",
            tokens.map((_, i) => (i < first ? 1 : i < first + 3 ? 3 : 5)),
        ],
        ["tokenizer.ggml.merges", ["Ġ Ġ"]],
        ["tokenizer.ggml.bos_token_id", first],
        ["tokenizer.ggml.eos_token_id", first + 2],
        ["tokenizer.ggml.add_bos_token", false],
        ["tokenizer.chat_template", chatMl],
    ];
}

/** Where the peers find it too: under their own folder.
 * @param {Subject} subject
 * @returns {Promise<{ path: string, real: boolean }>} */
export async function fileOf({ real, preset, shape }) {
    const folder = join(peers, "models");
    mkdirSync(folder, { recursive: true });
    const pulled = real && join(cache, "models", real);
    if (pulled && existsSync(pulled)) {
        const copy = join(folder, basename(pulled));
        if (!existsSync(copy))
            try {
                linkSync(pulled, copy);
            } catch {
                copyFileSync(pulled, copy); // on another disk
            }
        return { path: copy, real: true };
    }
    if (preset) {
        const path = join(folder, `${preset.join("-")}.gguf`);
        if (!existsSync(path))
            await runs(process.execPath, ["gen-gguf.mjs", ...preset, path], {
                cwd: peers,
            });
        return { path, real: false };
    }
    if (!shape) throw new Error(`${real} is not there: npm run setup`);
    const path = join(folder, `${shape}-shape.gguf`);
    if (!existsSync(path)) await writeShape(shape, path);
    return { path, real: false };
}
