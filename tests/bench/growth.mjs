// Tokens per second times weights, from 15 million to a billion: constant where
// the cost is the weights. A prompt's token is multiplied by all but the (tied)
// embeddings, a decoded one by these too. Files of the architecture llama in the
// shapes of known models, all Q4_0, random weights; written once.
//
//   node tests/bench/growth.mjs [--threads 1] [--sizes 15M,110M,135M,360M,1.1B]
//                               [--folder FOLDER] [--write] [--cpu]
//                               [--save FILE]
//
// --cpu counts the time of the processor instead of the clock's, for a machine
// with other work; with one thread only.
import { createWriteStream, existsSync, mkdirSync } from "node:fs";
import { renameSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Readable } from "node:stream";
import { pipeline } from "node:stream/promises";
import { parseArgs } from "node:util";
import { allowRelaxedSimd } from "../tools/relaxed-simd.mjs";
import { loadModel } from "pipit";
import { gguf, randomFrom, weights } from "../tools/gguf-writer.mjs";
import { byteLetters, chatMl, special } from "../tools/tiny-model.mjs";
import { median } from "./median.mjs";

allowRelaxedSimd();
const { values } = parseArgs({
    options: {
        threads: { type: "string", default: "1" },
        sizes: { type: "string", default: "15M,42M,110M,135M,360M,1.1B" },
        folder: { type: "string", default: join(tmpdir(), "pipit-growth") },
        write: { type: "boolean", default: false },
        cpu: { type: "boolean", default: false },
        save: { type: "string" },
    },
});

/** Layers, embedding, heads, heads of keys, feed-forward, vocabulary.
 * @type {Record<string, [number, number, number, number, number, number]>} */
const shapes = {
    "15M": [6, 288, 6, 6, 768, 32000],
    "42M": [8, 512, 8, 8, 1376, 32000],
    "110M": [12, 768, 12, 12, 2048, 32000],
    "135M": [30, 576, 9, 3, 1536, 49152],
    "360M": [32, 960, 15, 5, 2560, 49152],
    "1.1B": [22, 2048, 32, 4, 5632, 32000],
};
const BLOCK = 32;
const BLOCK_BYTES = 18;

/** Speed does not depend on the values: one piece, repeated. */
const piece = weights("Q4_0", 1 << 20, 0.02, randomFrom(1));

/** @param {number} count */
function filled(count) {
    const bytes = new Uint8Array((count / BLOCK) * BLOCK_BYTES);
    for (let at = 0; at < bytes.length; at += piece.length)
        bytes.set(piece.subarray(0, bytes.length - at), at);
    return bytes;
}

/** @param {string} name @param {string} path */
async function write(name, path) {
    const [layers, d, heads, kvHeads, hidden, vocabulary] = shapes[name] ?? [];
    if (!layers || !d || !heads || !kvHeads || !hidden || !vocabulary)
        throw new Error(`no shape ${name}`);
    const kv = (d / heads) * kvHeads;
    const tokens = [...byteLetters, ...special, "ĠĠ"];
    while (tokens.length < vocabulary) tokens.push(`<unused${tokens.length}>`);
    const norm = (/** @type {string} */ id) => ({
        ...{ name: `${id}.weight`, shape: [d], type: "F32" },
        data: () => new Uint8Array(new Float32Array(d).fill(1).buffer),
    });
    const matrix = (
        /** @type {string} */ id,
        /** @type {number} */ columns,
        /** @type {number} */ rows,
    ) => ({
        ...{ name: `${id}.weight`, shape: [columns, rows], type: "Q4_0" },
        data: () => filled(columns * rows),
    });
    const tensors = [matrix("token_embd", d, vocabulary), norm("output_norm")];
    for (let i = 0; i < layers; i++)
        tensors.push(
            norm(`blk.${i}.attn_norm`),
            matrix(`blk.${i}.attn_q`, d, d),
            matrix(`blk.${i}.attn_k`, d, kv),
            matrix(`blk.${i}.attn_v`, d, kv),
            matrix(`blk.${i}.attn_output`, d, d),
            norm(`blk.${i}.ffn_norm`),
            matrix(`blk.${i}.ffn_gate`, d, hidden),
            matrix(`blk.${i}.ffn_up`, d, hidden),
            matrix(`blk.${i}.ffn_down`, hidden, d),
        );
    /** @type {[string, any][]} */
    const metadata = [
        ["general.architecture", "llama"],
        ["general.name", `${name}, random weights`],
        ["llama.context_length", 2048],
        ["llama.embedding_length", d],
        ["llama.block_count", layers],
        ["llama.feed_forward_length", hidden],
        ["llama.attention.head_count", heads],
        ["llama.attention.head_count_kv", kvHeads],
        ["llama.attention.layer_norm_rms_epsilon", 1e-5 + 1e-12],
        ["llama.rope.freq_base", 10000.5],
        ["llama.vocab_size", vocabulary],
        ["tokenizer.ggml.model", "gpt2"],
        ["tokenizer.ggml.pre", "gpt-2"],
        ["tokenizer.ggml.tokens", tokens],
        ["tokenizer.ggml.token_type", tokens.map(() => 1)],
        ["tokenizer.ggml.merges", ["Ġ Ġ"]],
        ["tokenizer.ggml.bos_token_id", byteLetters.length],
        ["tokenizer.ggml.add_bos_token", false],
        ["tokenizer.chat_template", chatMl],
    ];
    const passing = `${path}.part`;
    const bytes = Readable.from(gguf(metadata, tensors));
    await pipeline(bytes, createWriteStream(passing));
    renameSync(passing, path);
}

/** Milliseconds. */
const now = () =>
    values.cpu ? process.cpuUsage().user / 1000 : performance.now();

/** Tokens per second, medians of three; the first of each is thrown away.
 * @param {import("pipit").Model} model */
async function measure(model) {
    const session = await model.createSession({ contextLength: 256 });
    const tokens = Uint32Array.from({ length: 128 }, (_, i) => 300 + i * 7);
    const prefills = [];
    const decodes = [];
    for (let i = 0; i < 4; i++) {
        await session.rewind(0);
        let since = now();
        await session.eval(tokens);
        prefills.push(128_000 / (now() - since));
        await session.rewind(1);
        await session.sync(tokens.subarray(0, 1));
        since = now();
        for await (const _ of session.generate({
            ...{ maxTokens: 24, temperature: 0, promptLookup: false },
            ignoreEndOfGeneration: true,
        }));
        decodes.push(24_000 / (now() - since));
    }
    return {
        prefill: median(prefills.slice(1)),
        decode: median(decodes.slice(1)),
    };
}

/** @type {Record<string, number>[]} */
const all = [];
mkdirSync(values.folder, { recursive: true });
console.log(
    "size   parameters  prefill  x multiplied    decode   x multiplied  GB/s",
);
for (const name of values.sizes.split(",")) {
    const path = join(values.folder, `${name}.gguf`);
    if (!existsSync(path)) await write(name, path);
    if (values.write) continue;
    const model = await loadModel(path, { threads: Number(values.threads) });
    const { prefill, decode } = await measure(model);
    const { parameters } = model;
    await model.close();
    const [, width = NaN, , , , vocabulary = NaN] = shapes[name] ?? [];
    const body = parameters - width * vocabulary;
    all.push({ parameters, body, prefill, decode });
    const giga = (/** @type {number} */ rate, /** @type {number} */ weights) =>
        `${((rate * weights) / 1e9).toFixed(1)} G/s`.padStart(13);
    const read = (decode * parameters * BLOCK_BYTES) / BLOCK / 1e9;
    console.log(
        [
            name.padEnd(6),
            (parameters / 1e6).toFixed(1).padStart(8) + " M",
            prefill.toFixed(1).padStart(9),
            giga(prefill, body),
            decode.toFixed(1).padStart(9),
            giga(decode, parameters),
            read.toFixed(1).padStart(6),
        ].join(" "),
    );
}
if (values.save) writeFileSync(values.save, JSON.stringify(all));
