// Asks llama.cpp for the logits of the models of family-models.mjs and writes
// tests/golden/families.json. llama.cpp is the npm package node-llama-cpp: its
// libraries and, in a git bundle, their headers. Needs Linux on x64, git and a C
// compiler.
//
//   node tests/tools/llama-oracle.mjs [FAMILY...]
import { execFileSync } from "node:child_process";
import * as fs from "node:fs";
import * as os from "node:os";
import * as path from "node:path";
import { fileURLToPath } from "node:url";
import { families, familyModel, positions, tokens } from "./family-models.mjs";

const VERSION = "3.22.1";
const here = fileURLToPath(new URL(".", import.meta.url));
const golden = path.join(here, "../golden/families.json");
const cache = path.join(
    process.env.PIPIT_CACHE ??
        path.join(
            process.env.XDG_CACHE_HOME ?? path.join(os.homedir(), ".cache"),
            "pipit",
        ),
    "llama-oracle",
);

/** @param {string} program @param {string[]} words */
const run = (program, words) =>
    execFileSync(program, words, {
        cwd: cache,
        maxBuffer: 2 ** 28,
        stdio: ["ignore", "pipe", "inherit"],
    });

/** The program, and the library that computes. */
function build() {
    fs.mkdirSync(cache, { recursive: true });
    const modules = path.join(cache, "node_modules");
    const bins = path.join(modules, "@node-llama-cpp/linux-x64/bins/linux-x64");
    const program = path.join(cache, "llama-logits");
    const backend = path.join(bins, "libggml-cpu-x64.so");
    if (fs.existsSync(program)) return { program, backend };
    if (!fs.existsSync(bins))
        run("npm", [
            ...["install", "--ignore-scripts", "--prefix", "."],
            `node-llama-cpp@${VERSION}`,
        ]);
    const source = path.join(cache, "llama.cpp");
    if (!fs.existsSync(source))
        run("git", [
            ...["clone", "--quiet"],
            path.join(modules, "node-llama-cpp/llama/gitRelease.bundle"),
            source,
        ]);
    const libraries = fs
        .readdirSync(bins)
        .filter((name) => /^lib(llama|ggml|ggml-base)(\.v.*)?\.so$/.test(name));
    run("cc", [
        ...["-O1", "-I", path.join(source, "include")],
        ...["-I", path.join(source, "ggml/include")],
        path.join(here, "llama-logits.c"),
        ...["-o", program, `-Wl,-rpath,${bins}`],
        "-Wl,--allow-shlib-undefined",
        ...libraries.map((name) => path.join(bins, name)),
    ]);
    return { program, backend };
}

const { program, backend } = build();
const known = fs.existsSync(golden)
    ? JSON.parse(fs.readFileSync(golden, "utf8"))
    : {};
const wanted = process.argv.slice(2);
for (const name of wanted.length > 0 ? wanted : Object.keys(families)) {
    const file = path.join(cache, `${name}.gguf`);
    // Of ternary matrices, what they are with activations as they are.
    fs.writeFileSync(file, familyModel(name, {}, { plain: true }));
    const logits = run(program, [backend, file, ...tokens.map(String)]);
    const row = logits.length / tokens.length;
    known[name] = positions.map((position) =>
        logits
            .subarray(position * row, (position + 1) * row)
            .toString("base64"),
    );
    console.log(`${name}: ${row / 4} logits at ${positions.length} positions`);
}
fs.writeFileSync(golden, JSON.stringify(known, null, 1) + "\n");
