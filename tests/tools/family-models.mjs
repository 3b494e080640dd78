// Tiny models with random weights of the families that the reference data does
// not hold. llama-oracle.mjs asks llama.cpp for their logits, tests/golden
// compares ours. The same name gives the same bytes.
import {
    blockSize,
    gguf,
    joined,
    randomFrom,
    ternaryNumbers,
    weights,
} from "./gguf-writer.mjs";
import { byteLetters, special } from "./tiny-model.mjs";

/** 24 tokens of the vocabulary. */
export const tokens = Array.from({ length: 24 }, (_, i) => (i * 67 + 40) % 256);
/** Those whose logits are kept. */
export const positions = [0, 1, 7, 15, 23];

const vocabulary = [...byteLetters, "ĠĠ", ...special];
const E = 64; // embedding
const H = 4; // heads
const K = 2; // of keys and values
const D = E / H;
const F = 96; // feed-forward

/**
 * @typedef {object} Family
 * @property {string} arch
 * @property {number} layers
 * @property {Record<string, any>} [metadata] after the name of the architecture
 * @property {Record<string, [string, number[]][]>} tensors of a layer, by kind
 * @property {(layer: number) => string[]} [kinds] of a layer; all if not told
 * @property {string} [outputNorm]
 * @property {boolean} [tied]
 * @property {[string, number[]][]} [more] tensors of no layer
 * @property {string} [type] of the matrices; F32 if not told
 * @property {boolean} [plain] the ternary matrices' numbers as F32
 * @property {number} [spread] of the matrices; 3 keeps the size of what they
 *     multiply
 */

/** @type {[string, number[]][]} */
const preNorms = [
    ["attn_norm.weight", [E]],
    ["ffn_norm.weight", [E]],
];
/** @type {[string, number[]][]} */
const postNorms = [
    ["post_attention_norm.weight", [E]],
    ["post_ffw_norm.weight", [E]],
];
/** @type {[string, number[]][]} */
const headNorms = [
    ["attn_q_norm.weight", [D]],
    ["attn_k_norm.weight", [D]],
];
/** @type {[string, number[]][]} */
const attention = [
    ["attn_q.weight", [E, E]],
    ["attn_k.weight", [E, K * D]],
    ["attn_v.weight", [E, K * D]],
    ["attn_output.weight", [E, E]],
];
/** @type {[string, number[]][]} */
const feedForward = [
    ["ffn_gate.weight", [E, F]],
    ["ffn_up.weight", [E, F]],
    ["ffn_down.weight", [F, E]],
];
const dense = { preNorms, attention, feedForward };

/** @type {Record<string, Family>} */
export const families = {
    gemma: {
        arch: "gemma",
        layers: 3,
        spread: 2,
        tied: true,
        metadata: {
            "attention.key_length": 32,
            "attention.value_length": 32,
        },
        tensors: {
            preNorms,
            feedForward,
            attention: [
                ["attn_q.weight", [E, H * 32]],
                ["attn_k.weight", [E, K * 32]],
                ["attn_v.weight", [E, K * 32]],
                ["attn_output.weight", [H * 32, E]],
            ],
        },
    },
    gemma2: {
        arch: "gemma2",
        layers: 4,
        spread: 1.5,
        tied: true,
        metadata: {
            "attention.sliding_window": 6,
            attn_logit_softcapping: 50.5,
            final_logit_softcapping: 30.5,
        },
        tensors: { ...dense, postNorms },
    },
    "llama-linear": {
        arch: "llama",
        layers: 2,
        metadata: { "rope.scaling.type": "linear", "rope.scaling.factor": 4.5 },
        tensors: dense,
    },
    "llama-yarn": {
        arch: "llama",
        layers: 2,
        metadata: {
            "rope.scaling.type": "yarn",
            "rope.scaling.factor": 4.5,
            "rope.scaling.original_context_length": 64,
        },
        tensors: dense,
    },
    "phi3-longrope": {
        arch: "phi3",
        layers: 2,
        metadata: {
            "rope.scaling.original_context_length": 64,
            "rope.scaling.attn_factor": 1.19,
            "rope.dimension_count": 12,
        },
        more: [
            ["rope_factors_long.weight", [6]],
            ["rope_factors_short.weight", [6]],
        ],
        tensors: {
            preNorms,
            fused: [
                ["attn_qkv.weight", [E, E + 2 * K * D]],
                ["attn_output.weight", [E, E]],
                ["ffn_up.weight", [E, 2 * F]],
                ["ffn_down.weight", [F, E]],
            ],
        },
    },
    granite: {
        arch: "granite",
        layers: 3,
        metadata: {
            embedding_scale: 12.5,
            residual_scale: 0.22,
            "attention.scale": 0.0625,
            logit_scale: 6.5,
        },
        tensors: dense,
        tied: true,
    },
    olmo2: {
        arch: "olmo2",
        layers: 3,
        tensors: {
            postNorms,
            attention,
            feedForward,
            wideNorms: [
                ["attn_q_norm.weight", [E]],
                ["attn_k_norm.weight", [K * D]],
            ],
        },
    },
    "olmo2-windows": {
        arch: "olmo2",
        layers: 5,
        metadata: {
            "attention.sliding_window": 6,
            "rope.scaling.type": "yarn",
            "rope.scaling.factor": 8.5,
            "rope.scaling.original_context_length": 16,
        },
        tensors: {
            postNorms,
            attention,
            feedForward,
            wideNorms: [
                ["attn_q_norm.weight", [E]],
                ["attn_k_norm.weight", [K * D]],
            ],
        },
    },
    minicpm: {
        arch: "minicpm",
        layers: 3,
        metadata: { embedding_scale: 8.5, residual_scale: 0.35 },
        tensors: dense,
        tied: true,
    },
    "minicpm-early": { arch: "minicpm", layers: 3, tensors: dense, tied: true },
    internlm2: { arch: "internlm2", layers: 3, tensors: dense },
    exaone: {
        arch: "exaone",
        layers: 3,
        tensors: dense,
        more: [["rope_freqs.weight", [D / 2]]],
    },
    ernie4_5: { arch: "ernie4_5", layers: 3, tensors: dense, tied: true },
    "hunyuan-alpha": {
        arch: "hunyuan-dense",
        layers: 2,
        metadata: { "rope.scaling.alpha": 50.5 },
        tensors: { ...dense, headNorms },
        tied: true,
    },
    "hunyuan-dense": {
        arch: "hunyuan-dense",
        layers: 3,
        tensors: { ...dense, headNorms },
        tied: true,
    },
    exaone4: {
        arch: "exaone4",
        layers: 3,
        tensors: { postNorms, attention, headNorms, feedForward },
    },
    "exaone4-windows": {
        arch: "exaone4",
        layers: 64,
        metadata: { "attention.sliding_window": 6 },
        more: [["rope_freqs.weight", [D / 2]]],
        tensors: { postNorms, attention, headNorms, feedForward },
    },
    bitnet: {
        arch: "bitnet",
        layers: 3,
        tied: true,
        tensors: {
            ...dense,
            subNorms: [
                ["attn_sub_norm.weight", [E]],
                ["ffn_sub_norm.weight", [F]],
            ],
            scales: [
                ["attn_q.scale", [1]],
                ["attn_k.scale", [1]],
                ["attn_v.scale", [1]],
                ["attn_output.scale", [1]],
                ["ffn_gate.scale", [1]],
                ["ffn_up.scale", [1]],
                ["ffn_down.scale", [1]],
            ],
        },
    },
    lfm2: {
        arch: "lfm2",
        layers: 4,
        outputNorm: "token_embd_norm",
        tied: true,
        metadata: {
            "attention.head_count_kv": [0, K, 0, K],
            "shortconv.l_cache": 3,
        },
        kinds: (layer) =>
            layer % 2 === 0
                ? ["preNorms", "convolution", "feedForward"]
                : ["preNorms", "attention", "headNorms", "feedForward"],
        tensors: {
            ...dense,
            headNorms,
            convolution: [
                ["shortconv.conv.weight", [3, E]],
                ["shortconv.in_proj.weight", [E, 3 * E]],
                ["shortconv.out_proj.weight", [E, E]],
            ],
        },
    },
    qwen3moe: {
        arch: "qwen3moe",
        layers: 3,
        metadata: {
            expert_count: 8,
            expert_used_count: 3,
            expert_feed_forward_length: 48,
        },
        tensors: {
            preNorms,
            attention,
            headNorms,
            experts: [
                ["ffn_gate_inp.weight", [E, 8]],
                ["ffn_gate_exps.weight", [E, 48, 8]],
                ["ffn_up_exps.weight", [E, 48, 8]],
                ["ffn_down_exps.weight", [48, E, 8]],
            ],
        },
    },
};

/** As its real files: ternary matrices of whole blocks. */
const ternary = {
    ...families.bitnet,
    metadata: { embedding_length: 256, feed_forward_length: 512 },
    tensors: {
        preNorms: widened(preNorms),
        attention: widened(attention),
        feedForward: widened(feedForward),
        subNorms: widened(families.bitnet.tensors.subNorms),
    },
};
families["bitnet-TQ1_0"] = { ...ternary, type: "TQ1_0" };
families["bitnet-TQ2_0"] = { ...ternary, type: "TQ2_0" };
families["bitnet-plain"] = { ...ternary, type: "TQ2_0", plain: true };
families["lfm2-Q4_0"] = { ...families.lfm2, type: "Q4_0" };
families["qwen3moe-Q8_0"] = { ...families.qwen3moe, type: "Q8_0" };

/**
 * @param {string} name of a family
 * @param {Record<string, any>} [changes] of the metadata; undefined removes
 * @param {Partial<Family>} [others] than the family's
 * @returns {Uint8Array<ArrayBuffer>}
 */
export function familyModel(name, changes = {}, others = {}) {
    const family = { ...families[name], ...others };
    const { arch, layers, kinds = () => Object.keys(family.tensors) } = family;
    const random = randomFrom(layers);
    const keys = {
        context_length: 1024,
        embedding_length: E,
        block_count: layers,
        feed_forward_length: F,
        "attention.head_count": H,
        "attention.head_count_kv": K,
        "attention.layer_norm_rms_epsilon": 1e-5 + 1e-12,
        "rope.freq_base": 10000.5,
        ...family.metadata,
    };
    const width = keys.embedding_length;
    const metadata = {
        "general.architecture": arch,
        ...Object.fromEntries(
            Object.entries(keys).map(([key, v]) => [`${arch}.${key}`, v]),
        ),
        "tokenizer.ggml.model": "gpt2",
        "tokenizer.ggml.pre": "gpt-2",
        "tokenizer.ggml.tokens": vocabulary,
        "tokenizer.ggml.token_type": vocabulary.map((token) =>
            special.includes(token) ? 3 : 1,
        ),
        "tokenizer.ggml.merges": ["Ġ Ġ"],
        "tokenizer.ggml.bos_token_id": 258,
        "tokenizer.ggml.eos_token_id": 259,
        ...changes,
    };
    /** @type {[string, number[]][]} */
    const list = [
        ["token_embd.weight", [width, vocabulary.length]],
        ...Array.from({ length: layers }, (_, layer) =>
            kinds(layer)
                .flatMap((kind) => family.tensors[kind])
                .map(([tensor, shape]) => [`blk.${layer}.${tensor}`, shape]),
        ).flat(),
        [`${family.outputNorm ?? "output_norm"}.weight`, [width]],
        ...(family.more ?? []),
        ...(family.tied ? [] : [["output.weight", [width, vocabulary.length]]]),
    ];
    return joined(
        gguf(
            Object.entries(metadata).filter(([, v]) => v !== undefined),
            list.map(([tensor, shape]) => {
                const block = blockSize(family.type ?? "F32");
                const rows = shape.length > 1 && shape[0] % block === 0;
                const type = (rows && family.type) || "F32";
                const data = () =>
                    values(type, shape, family.spread ?? 3, random);
                if (family.plain && (type === "TQ1_0" || type === "TQ2_0"))
                    return {
                        name: tensor,
                        shape,
                        type: "F32",
                        data: () =>
                            new Uint8Array(ternaryNumbers(type, data()).buffer),
                    };
                return { name: tensor, shape, type, data };
            }),
        ),
    );
}

/** To an embedding of 256 and a feed-forward network of 512.
 * @param {[string, number[]][]} tensors @returns {[string, number[]][]} */
function widened(tensors) {
    return tensors.map(([name, shape]) => [
        name,
        shape.map((n) => (n === F ? 512 : 4 * n)),
    ]);
}

/** Vectors around 1, matrices around 0.
 * @param {string} type @param {number[]} shape @param {number} spread @param {() => number} random */
function values(type, shape, spread, random) {
    const n = shape.reduce((a, b) => a * b);
    if (type !== "F32")
        return weights(type, n, 1.7 / Math.sqrt(shape[0]), random);
    const around = shape.length === 1 ? 1 : 0;
    const width = shape.length === 1 ? 0.4 : spread / Math.sqrt(shape[0]);
    const all = Float32Array.from(
        { length: n },
        () => around + (2 * random() - 1) * width,
    );
    return new Uint8Array(all.buffer);
}
