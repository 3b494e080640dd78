// The native tool gives the bits that the modules give: one hash of the logits
// per model, for every implementation, any threads, any batches.
import assert from "node:assert/strict";
import { execFileSync, spawnSync } from "node:child_process";
import * as fs from "node:fs";
import * as os from "node:os";
import * as path from "node:path";
import { after, before, describe, test } from "node:test";
import { fileURLToPath } from "node:url";
import { loadModel } from "pipit";
import { familyModel } from "../tools/family-models.mjs";
import { tinyModel } from "../tools/tiny-model.mjs";
import { pulledModel } from "./reference.mjs";

const tool = fileURLToPath(
    new URL("../../build/native/pipit", import.meta.url),
);
const skip = fs.existsSync(tool) ? false : "build/native/pipit is not built";
const tokens = [5, 17, 3, 99, 42, 7, 7, 63, 21, 8, 30];
const folder = fs.mkdtempSync(path.join(os.tmpdir(), "pipit-golden-"));
after(() => fs.rmSync(folder, { recursive: true }));

/** 64-bit FNV-1a of the bits. @param {Float32Array} numbers */
function fnv(numbers) {
    let hash = 14695981039346656037n;
    for (const byte of new Uint8Array(
        numbers.buffer,
        numbers.byteOffset,
        numbers.byteLength,
    ))
        hash = ((hash ^ BigInt(byte)) * 1099511628211n) & 0xffffffffffffffffn;
    return hash.toString(16).padStart(16, "0");
}

/** @param {string} file */
async function packageHash(file) {
    const model = await loadModel(file, { threads: 2 });
    const session = await model.createSession();
    await session.eval(tokens);
    const hash = fnv(await session.logits());
    await model.close();
    return hash;
}

/** @param {string} file @param {string[]} options */
const nativeHash = (file, ...options) =>
    execFileSync(
        tool,
        ["hash", file, "--tokens", tokens.join(","), ...options],
        { encoding: "utf8" },
    ).trim();

const kernels = skip
    ? []
    : execFileSync(tool, ["kernels"], { encoding: "utf8" }).trim().split("\n");

const tiny = [
    ...["F32", "F16", "Q4_1", "Q8_0", "Q6_K"].map((type) => ({
        name: type,
        bytes: () => tinyModel({ type }),
    })),
    ...["lfm2-Q4_0", "qwen3moe-Q8_0", "exaone4-windows", "bitnet-TQ2_0"].map(
        (name) => ({
            name,
            bytes: () => familyModel(name),
        }),
    ),
];
for (const { name: model, bytes } of tiny)
    test(`${model}: native bits are the package's`, { skip }, async () => {
        const file = path.join(folder, `${model}.gguf`);
        fs.writeFileSync(file, bytes());
        const expected = await packageHash(file);
        for (const name of kernels)
            for (const threads of ["1", "2", "4"])
                for (const split of ["0", "1", "7"])
                    assert.equal(
                        nativeHash(
                            file,
                            ...["--kernels", name],
                            ...["--threads", threads, "--split", split],
                        ),
                        expected,
                        `${name}, ${threads} threads, split ${split}`,
                    );
    });

const real = pulledModel("smollm2-135m-instruct-q4_1");
describe("SmolLM2", { skip: skip || (real ? false : "not pulled") }, () => {
    let expected = "";
    before(async () => {
        expected = await packageHash(/** @type {string} */ (real));
    });
    for (const name of kernels)
        test(`${name} gives the package's bits`, () => {
            const more =
                name === "scalar"
                    ? [["1", "0"]]
                    : [
                          ["1", "0"],
                          ["3", "7"],
                      ];
            for (const [threads = "", split = ""] of more)
                assert.equal(
                    nativeHash(
                        /** @type {string} */ (real),
                        ...["--kernels", name],
                        ...["--threads", threads, "--split", split],
                    ),
                    expected,
                );
        });
    test("answers", () => {
        const text = execFileSync(
            tool,
            ["run", real, "What is the capital of France?", "--chatml"],
            { encoding: "utf8" },
        );
        assert.equal(text, "The capital of France is Paris.\n");
    });
});

test("failures are named and have exit codes", { skip }, () => {
    const fail = (/** @type {string[]} */ ...words) => {
        const { status, stderr } = spawnSync(tool, words, { encoding: "utf8" });
        return { status, stderr };
    };
    assert.equal(fail("abacus").status, 2);
    assert.equal(fail("run", "m.gguf", "x", "--threads", "many").status, 2);
    const missing = fail("info", path.join(folder, "none.gguf"));
    assert.equal(missing.status, 1);
    assert.match(missing.stderr, /can't open/);
    const wrong = path.join(folder, "wrong.gguf");
    fs.writeFileSync(wrong, "not a model at all, and long enough to tell");
    const refused = fail("info", wrong);
    assert.equal(refused.status, 1);
    assert.match(refused.stderr, /PIPIT_E_FORMAT/);
});

test(
    "the example of src/README.md compiles and continues a text",
    { skip },
    () => {
        const root = fileURLToPath(new URL("../..", import.meta.url));
        const readme = fs.readFileSync(
            path.join(root, "src/README.md"),
            "utf8",
        );
        const code = /```c\n([^]*?)```/.exec(readme)?.[1] ?? "";
        const source = path.join(folder, "example.c");
        const program = path.join(folder, "example");
        fs.writeFileSync(source, code);
        execFileSync("cc", [
            ...["-std=c11", "-Wall", "-Wextra", `-I${root}/src`, source],
            ...[`${root}/build/native/libpipit.a`, "-lpthread", "-o", program],
        ]);
        const file = path.join(folder, "example.gguf");
        fs.writeFileSync(file, tinyModel({ type: "Q4_0" }));
        const text = execFileSync(program, [file, "Once"], {
            encoding: "utf8",
        });
        assert.ok(text.length > 0);
    },
);
