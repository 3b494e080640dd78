// A second oracle for byte-level BPE: Hugging Face's own tokenizers, given the
// vocabulary of the file and the pre-tokenizer as its makers write it.
import assert from "node:assert/strict";
import * as fs from "node:fs";
import * as os from "node:os";
import * as path from "node:path";
import { test } from "node:test";
import { gunzipSync } from "node:zlib";
import { gguf } from "@huggingface/gguf";
import { Tokenizer } from "@huggingface/tokenizers";
import { loadTokenizer } from "pipit";
import { randomFrom } from "../tools/gguf-writer.mjs";
import { tinyModel } from "../tools/tiny-model.mjs";
import { peerdata, pulledModel } from "./reference.mjs";

const split = (/** @type {string} */ Regex) => ({
    type: "Sequence",
    pretokenizers: [
        {
            type: "Split",
            pattern: { Regex },
            behavior: "Isolated",
            invert: false,
        },
        { type: "ByteLevel", add_prefix_space: false, use_regex: false },
    ],
});
const byteLevel = { type: "ByteLevel", add_prefix_space: false };
const contraction = "(?i:'s|'t|'re|'ve|'m|'ll|'d)";
const rest = " ?[^\\s\\p{L}\\p{N}]+[\\r\\n]*|\\s*[\\r\\n]+|\\s+(?!\\S)|\\s+";
const letters = "[^\\r\\n\\p{L}\\p{N}]?\\p{L}+";

/** As in the tokenizer.json of the models these names stand for. */
const kinds = {
    "gpt-2": { pre_tokenizer: byteLevel },
    smollm: {
        pre_tokenizer: {
            type: "Sequence",
            pretokenizers: [
                { type: "Digits", individual_digits: true },
                byteLevel,
            ],
        },
    },
    "llama-bpe": {
        pre_tokenizer: split(`${contraction}|${letters}|\\p{N}{1,3}|${rest}`),
        ignore_merges: true,
    },
    qwen2: {
        normalizer: { type: "NFC" },
        pre_tokenizer: split(`${contraction}|${letters}|\\p{N}|${rest}`),
    },
};
const CONTROL = 3;
const USER_DEFINED = 4;

/** @param {Record<string, any>} metadata */
function oracleOf(metadata) {
    const pre = metadata["tokenizer.ggml.pre"];
    const { ignore_merges = false, ...steps } = /** @type {any} */ (kinds)[pre];
    const tokens = metadata["tokenizer.ggml.tokens"];
    const types = metadata["tokenizer.ggml.token_type"];
    const added = (
        /** @type {string} */ content,
        /** @type {number} */ id,
    ) => ({
        id,
        content,
        special: types[id] === CONTROL,
        normalized: false,
        single_word: false,
        lstrip: false,
        rstrip: false,
    });
    return new Tokenizer(
        {
            version: "1.0",
            normalizer: null,
            post_processor: null,
            decoder: { type: "ByteLevel" },
            ...steps,
            added_tokens: tokens
                .map(added)
                .filter((/** @type {any} */ { id }) =>
                    [CONTROL, USER_DEFINED].includes(types[id]),
                ),
            model: {
                type: "BPE",
                ignore_merges,
                vocab: Object.fromEntries(
                    tokens.map(
                        (/** @type {string} */ t, /** @type {number} */ i) => [
                            t,
                            i,
                        ],
                    ),
                ),
                merges: metadata["tokenizer.ggml.merges"],
            },
        },
        {},
    );
}

/** Prose, code, numbers, scripts, spaces; and mixtures of them. This oracle
 * takes U+FEFF for a space and only 0 to 9 for digits where the others ask
 * Unicode: such characters are left to the goldens of llama.cpp. */
const parts = [
    ..." the| cat|mouse|Don't| we'LL|naïve| Ünïcödé|e\u0301|1234567|3.14".split(
        "|",
    ),
    ..." for (int i = 0; i < n; ++i)|\t\treturn;|{}|/* … */|=>|!?…|$%&".split(
        "|",
    ),
    ..."中文字|ひらがな|한국어|Привет| мир|שלום|مرحبا| नमस्ते|ไทย|😀|👍🏽|\u200d".split(
        "|",
    ),
    ..." |  |   |\n|\n\n|\r\n|\t|\u00a0|\u3000|<|im_start|>|<s>|<|endoftext".split(
        /(?<!<)\|(?!>)/,
    ),
];

function texts() {
    const dice = randomFrom(7);
    const pick = () => parts[Math.floor(dice() * parts.length)];
    return Array.from({ length: 500 }, (_, i) =>
        Array.from({ length: 1 + (i % 12) }, pick).join(""),
    );
}

/** @param {string} name @param {() => string | false} find a path, if there */
function agrees(name, find) {
    const file = find();
    const skip = file === false && `no vocabulary: ${name}`;
    test(`${name} as Hugging Face has it`, { skip }, async (t) => {
        const { metadata } = await gguf(String(file), { allowLocalFile: true });
        const oracle = oracleOf(metadata);
        const tokenizer = await loadTokenizer(String(file));
        t.after(() => tokenizer.close());
        for (const text of texts()) {
            const { ids } = oracle.encode(text, { add_special_tokens: false });
            const ours = await tokenizer.tokenize(text, {
                addSpecial: false,
                parseSpecial: true,
            });
            assert.deepEqual([...ours], ids, JSON.stringify(text));
        }
    });
}

const folder = fs.mkdtempSync(path.join(os.tmpdir(), "pipit-vocabularies-"));
process.on("exit", () => fs.rmSync(folder, { recursive: true, force: true }));

/** @param {string} name @param {Uint8Array} bytes */
function written(name, bytes) {
    const file = path.join(folder, name);
    fs.writeFileSync(file, bytes);
    return file;
}

const reference = (/** @type {string} */ name) => {
    const file = peerdata("tokenizer", name);
    if (!fs.existsSync(file)) return false;
    return file.endsWith(".gz")
        ? written(name.slice(0, -3), gunzipSync(fs.readFileSync(file)))
        : file;
};
agrees("a tiny vocabulary", () => written("tiny.gguf", tinyModel()));
agrees("gpt-2", () => reference("ggml-vocab-gpt-2.gguf"));
agrees("llama-bpe", () => reference("vocab-llama-bpe.gguf.gz"));
agrees("smollm", () => pulledModel("smollm2-135m-instruct-q4_1") ?? false);
agrees(
    "qwen2",
    () => pulledModel("qwen2.5-coder-0.5b-instruct-q4_k_m") ?? false,
);
