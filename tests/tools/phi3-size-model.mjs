// A file of the shape and size of Phi-3 mini with random weights: 3.8 billion
// parameters, Q4_K with a Q6_K output, some 2.3 GB. It answers nonsense, but
// loads and computes as the real one. Not part of `npm test`.
//
//   node tests/tools/phi3-size-model.mjs OUT.gguf [LAYERS]
import { createWriteStream } from "node:fs";
import { Readable } from "node:stream";
import { pipeline } from "node:stream/promises";
import { gguf, randomFrom, weights } from "./gguf-writer.mjs";
import { byteLetters, chatMl, special } from "./tiny-model.mjs";

const [out, layers = "32"] = process.argv.slice(2);
if (!out) {
    console.error("usage: phi3-size-model.mjs OUT.gguf [LAYERS]");
    process.exit(2);
}
const nLayers = Number(layers);
const embedding = 3072;
const feedForward = 8192;
const vocabulary = 32064;
const tokens = [...byteLetters, ...special, "ĠĠ"];
while (tokens.length < vocabulary) tokens.push(`<unused${tokens.length}>`);

const random = randomFrom(1);
const norm = (/** @type {string} */ name) => ({
    name,
    shape: [embedding],
    type: "F32",
    data: () => new Uint8Array(new Float32Array(embedding).fill(1).buffer),
});
const matrix = (
    /** @type {string} */ name,
    /** @type {number} */ columns,
    /** @type {number} */ rows,
    type = "Q4_K",
) => ({
    name,
    shape: [columns, rows],
    type,
    data: () => weights(type, columns * rows, 1 / Math.sqrt(columns), random),
});
const layer = (/** @type {number} */ i) => [
    norm(`blk.${i}.attn_norm.weight`),
    matrix(`blk.${i}.attn_qkv.weight`, embedding, 3 * embedding),
    matrix(`blk.${i}.attn_output.weight`, embedding, embedding),
    norm(`blk.${i}.ffn_norm.weight`),
    matrix(`blk.${i}.ffn_up.weight`, embedding, 2 * feedForward),
    matrix(`blk.${i}.ffn_down.weight`, feedForward, embedding),
];
const tensors = [
    matrix("token_embd.weight", embedding, vocabulary),
    ...Array.from({ length: nLayers }, (_, i) => layer(i)).flat(),
    norm("output_norm.weight"),
    matrix("output.weight", embedding, vocabulary, "Q6_K"),
];
/** @type {[string, any][]} */
const metadata = [
    ["general.architecture", "phi3"],
    ["general.name", "phi3-size, random weights"],
    ["phi3.context_length", 4096],
    ["phi3.rope.scaling.original_context_length", 4096],
    ["phi3.embedding_length", embedding],
    ["phi3.block_count", nLayers],
    ["phi3.feed_forward_length", feedForward],
    ["phi3.attention.head_count", 32],
    ["phi3.attention.head_count_kv", 32],
    ["phi3.attention.layer_norm_rms_epsilon", 1e-5 + 1e-12],
    ["phi3.attention.sliding_window", 2047],
    ["phi3.rope.dimension_count", 96],
    ["tokenizer.ggml.model", "gpt2"],
    ["tokenizer.ggml.pre", "gpt-2"],
    ["tokenizer.ggml.tokens", tokens],
    [
        "tokenizer.ggml.token_type",
        tokens.map((_, i) =>
            i < byteLetters.length
                ? 1
                : i < byteLetters.length + special.length
                  ? 3
                  : 5,
        ),
    ],
    ["tokenizer.ggml.merges", ["Ġ Ġ"]],
    ["tokenizer.ggml.bos_token_id", byteLetters.length + 1],
    ["tokenizer.ggml.eos_token_id", byteLetters.length + 2],
    ["tokenizer.ggml.add_bos_token", false],
    ["tokenizer.chat_template", chatMl],
];
await pipeline(Readable.from(gguf(metadata, tensors)), createWriteStream(out));
