// Tokens against llama.cpp's, in a module and natively: 300 texts, many of them
// malformed, times four vocabularies times four combinations of flags; llama.cpp's
// own pairs of texts and tokens; and the texts of the real models. Where the two
// differ, for Qwen, against the Hugging Face tokenizers.
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import * as fs from "node:fs";
import * as path from "node:path";
import { before, describe, test } from "node:test";
import { gunzipSync } from "node:zlib";
import { loadTokenizer } from "pipit";
import { root } from "../../web/build.mjs";
import {
    peerdata,
    pulledModel,
    readJson,
    skipWithout,
} from "../golden/reference.mjs";

/**
 * @typedef {{ text: Uint8Array, addSpecial: boolean, parseSpecial: boolean }}
 *     Request
 * @typedef {{ tokens: number[], decoded: Buffer }} Answer
 */

const scratch = path.join(root, "build/test");
const library = path.join(root, "build/native/libpipit.a");
const driver = path.join(scratch, "tokenizer-driver");

/** The native driver, linked with the library that the C tests build. */
function buildDriver() {
    fs.mkdirSync(scratch, { recursive: true });
    const { status, stderr } = spawnSync(
        process.env.CC ?? "cc",
        [
            ...["-std=c11", "-O2", "-Isrc", "tests/tokenizer/driver.c"],
            ...[library, "-lpthread", "-lm", "-o", driver],
        ],
        { cwd: root, encoding: "utf8" },
    );
    assert.equal(status, 0, stderr);
}

/** @param {string} file @param {Request[]} requests @returns {Answer[]} */
function askNative(file, requests) {
    const input = requests.flatMap(({ text, addSpecial, parseSpecial }) => {
        const head = Buffer.alloc(8);
        head.writeUInt32LE(Number(addSpecial) | (Number(parseSpecial) << 1));
        head.writeUInt32LE(text.length, 4);
        return [head, text];
    });
    const { status, stdout, stderr } = spawnSync(driver, [file], {
        input: Buffer.concat(input),
        maxBuffer: 1 << 28,
    });
    assert.equal(status, 0, String(stderr));
    let at = 0;
    const number = () => stdout.readUInt32LE((at += 4) - 4);
    return requests.map(() => {
        const tokens = Array.from({ length: number() }, number);
        const n = number();
        return { tokens, decoded: stdout.subarray(at, (at += n)) };
    });
}

/** @param {string} file @param {Request[]} requests @returns {Promise<Answer[]>} */
async function askModule(file, requests) {
    const tokenizer = await loadTokenizer(fs.readFileSync(file));
    try {
        const answers = [];
        for (const { text, addSpecial, parseSpecial } of requests) {
            const options = { addSpecial, parseSpecial };
            const tokens = await tokenizer.tokenize(text, options);
            const decoded = await tokenizer.detokenizeBytes(tokens, {
                keepControl: true,
                dropLeadingSpace: true,
            });
            answers.push({
                tokens: [...tokens],
                decoded: Buffer.from(decoded),
            });
        }
        return answers;
    } finally {
        await tokenizer.close();
    }
}

const engines = [
    { name: "module", ask: askModule, skip: false },
    {
        name: "native",
        ask: askNative,
        skip: fs.existsSync(library) ? false : "the C tests were not built",
    },
];

/** The vocabulary's path; llama-bpe is unpacked. @param {string} name */
function vocabulary(name) {
    const packed = peerdata("tokenizer", `vocab-${name}.gguf.gz`);
    if (!fs.existsSync(packed))
        return peerdata("tokenizer", `ggml-vocab-${name}.gguf`);
    const file = path.join(scratch, `vocab-${name}.gguf`);
    fs.mkdirSync(scratch, { recursive: true });
    fs.writeFileSync(file, gunzipSync(fs.readFileSync(packed)));
    return file;
}

/**
 * What llama.cpp's detokenizer does after decoding byte-level BPE: it takes out
 * spaces before "?!.,", around single apostrophes and before contractions. It
 * changes what a model wrote, so we don't; here it is done to compare the rest.
 * @param {Buffer} bytes
 */
function cleanSpaces(bytes) {
    const text = bytes.toString("latin1");
    const cleaned = text
        .replace(/ (?=[?!.,])/g, "")
        .replace(/ ' /g, "'")
        .replace(/ (?='(?:s|m|re|ve))/g, "");
    return Buffer.from(cleaned, "latin1");
}

/** A few of what differs, for a message that can be read.
 * @param {string[]} differences */
function none(differences) {
    const shown = differences.slice(0, 5).join("\n");
    assert.equal(differences.length, 0, `${differences.length}:\n${shown}`);
}

describe("tokens of llama.cpp", { skip: skipWithout("tokenizer") }, () => {
    /** @type {any} */
    let golden;
    before(() => {
        const packed = fs.readFileSync(peerdata("tokenizer", "golden.json.gz"));
        golden = JSON.parse(gunzipSync(packed).toString());
        if (fs.existsSync(library)) buildDriver();
    });

    for (const { name: engine, ask, skip } of engines)
        for (const name of ["gpt-2", "llama-bpe", "llama-spm", "phi-3"]) {
            test(`${name}, ${engine}`, { skip }, async () => {
                const requests = [];
                /** @type {{ tokens: number[], decoded?: Buffer }[]} */
                const right = [];
                for (const [i, { hex }] of golden.texts.entries()) {
                    const { ids, detok } = golden.vocabs[name][i];
                    for (const add of [0, 1])
                        for (const parse of [0, 1]) {
                            requests.push({
                                text: Buffer.from(hex, "hex"),
                                addSpecial: Boolean(add),
                                parseSpecial: Boolean(parse),
                            });
                            // null: as the first one
                            const tokens = ids[add][parse] ?? ids[0][0];
                            right.push(
                                add || parse
                                    ? { tokens }
                                    : {
                                          tokens,
                                          decoded: Buffer.from(detok, "hex"),
                                      },
                            );
                        }
                }
                const clean = name === "gpt-2" || name === "llama-bpe";
                const answers = await ask(vocabulary(name), requests);
                assert.equal(answers.length, 1200);
                /** @type {string[]} */
                const differences = [];
                answers.forEach(({ tokens, decoded }, i) => {
                    const hex = Buffer.from(requests[i].text).toString("hex");
                    if (`${tokens}` !== `${right[i].tokens}`)
                        differences.push(
                            `${hex}: ${tokens}, not ${right[i].tokens}`,
                        );
                    const shown = clean ? cleanSpaces(decoded) : decoded;
                    if (right[i].decoded && !shown.equals(right[i].decoded))
                        differences.push(`${hex} decodes to ${shown}`);
                });
                none(differences);
            });

            test(
                `${name}, llama.cpp's pairs, ${engine}`,
                { skip },
                async () => {
                    const base = `ggml-vocab-${name}.gguf`;
                    const read = (/** @type {string} */ end) =>
                        fs.readFileSync(
                            peerdata("tokenizer", base + end),
                            "utf8",
                        );
                    const requests = read(".inp")
                        .split("\n__ggml_vocab_test__\n")
                        .map((text) => ({
                            text: Buffer.from(text),
                            addSpecial: false,
                            parseSpecial: false,
                        }));
                    const lines = read(".out").split("\n");
                    const answers = await ask(vocabulary(name), requests);
                    answers.forEach(({ tokens }, i) =>
                        assert.equal(tokens.join(" "), lines[i].trim()),
                    );
                },
            );
        }
});

describe("tokens of real models", { skip: skipWithout("real") }, () => {
    for (const name of [
        "smollm2-135m-instruct-q4_1",
        "gemma-3-270m-q4_k_m",
        "qwen2.5-coder-0.5b-instruct-q4_k_m",
    ]) {
        const file = pulledModel(name);
        const skip = file ? false : `${name} is not pulled`;
        test(name, { skip }, async () => {
            const { texts } = readJson(peerdata("real", `${name}.json`));
            const tokenizer = await loadTokenizer(/** @type {string} */ (file));
            for (const text of texts) {
                const tokens = await tokenizer.tokenize(text.input, {
                    addSpecial: text.add_special,
                    parseSpecial: text.parse_special,
                });
                assert.deepEqual([...tokens], text.tokens, text.text);
            }
            await tokenizer.close();
        });
    }
});

describe("tokens of the Hugging Face tokenizers", () => {
    const name = "qwen2.5-coder-0.5b-instruct-q4_k_m";
    const file = pulledModel(name);
    const skip = file ? false : `${name} is not pulled`;
    test("Qwen: NFC, special tokens, plain </s>", { skip }, async () => {
        const rows = readJson(
            path.join(root, "tests/tokenizer/data/qwen2.json"),
        );
        const tokenizer = await loadTokenizer(/** @type {string} */ (file));
        for (const [text, right] of rows) {
            const tokens = await tokenizer.tokenize(text, {
                addSpecial: false,
                parseSpecial: true,
            });
            assert.deepEqual([...tokens], right, JSON.stringify(text));
        }
        await tokenizer.close();
    });
});
