// Counts the instructions of a small fixed workload on the native build: a
// regression check that needs no quiet machine. More than 3 % above the accepted
// count fails; a reasoned change is accepted by
//
//   node tests/instructions.mjs --accept
//
// Counts belong to a compiler: under another one there is nothing to compare
// with, and the check says so.
import { execFileSync, spawnSync } from "node:child_process";
import * as fs from "node:fs";
import * as os from "node:os";
import * as path from "node:path";
import { fileURLToPath } from "node:url";
import { tinyModel } from "./tools/tiny-model.mjs";

const TOLERANCE = 1.03;
const root = fileURLToPath(new URL("..", import.meta.url));
const tool = path.join(root, "build/native/pipit");
const accepted = path.join(root, "tests/bench/instructions.json");
const folder = fs.mkdtempSync(path.join(os.tmpdir(), "pipit-instructions-"));
process.on("exit", () => fs.rmSync(folder, { recursive: true, force: true }));

const shape = { embedding: 256, layers: 4, heads: 4, feedForward: 768 };
const prompt = Array.from({ length: 64 }, (_, i) => (i * 37) % 250).join(",");
const words = "the cat and the mouse were on the lower house. ";

/** @param {string} type */
function model(type) {
    const file = path.join(folder, `${type}.gguf`);
    if (!fs.existsSync(file))
        fs.writeFileSync(file, tinyModel({ type, ...shape }));
    return file;
}
const one = ["--threads", "1", "--kernels", "relaxed-dot16"];
/** @type {Record<string, string[]>} */
const workloads = {
    "load and prompt, Q4_1": [
        "hash",
        model("Q4_1"),
        "--tokens",
        prompt,
        ...one,
    ],
    "load and prompt, Q4_K": [
        "hash",
        model("Q4_K"),
        "--tokens",
        prompt,
        ...one,
    ],
    "load and prompt, Q8_0": [
        "hash",
        model("Q8_0"),
        "--tokens",
        prompt,
        ...one,
    ],
    "24 tokens, Q4_1": [
        ...["run", model("Q4_1"), "the cat", "--max-tokens", "24"],
        ...one,
    ],
    "tokenize 47 kB": ["tokenize", model("Q4_1"), words.repeat(1000)],
};

/** @param {string[]} command */
function count(command) {
    const { stderr, status } = spawnSync(
        "valgrind",
        [
            ...["--tool=callgrind", "--callgrind-out-file=/dev/null"],
            ...[tool, ...command],
        ],
        { encoding: "utf8", maxBuffer: 2 ** 26 },
    );
    const found = /Collected : (\d+)/.exec(stderr);
    if (status !== 0 || !found) throw new Error(stderr.trim());
    return Number(found[1]);
}

const compiler = execFileSync("cc", ["--version"], { encoding: "utf8" })
    .split("\n")[0]
    ?.trim();
const counts = Object.fromEntries(
    Object.entries(workloads).map(([name, command]) => [name, count(command)]),
);
if (process.argv.includes("--accept")) {
    const text = JSON.stringify({ compiler, counts }, null, 4);
    fs.writeFileSync(accepted, `${text}\n`);
    console.log(`accepted for ${compiler}`);
    process.exit(0);
}
const before = JSON.parse(fs.readFileSync(accepted, "utf8"));
const same = before.compiler === compiler;
if (!same)
    console.log(`counts were accepted for ${before.compiler}: none to compare`);
let failed = false;
for (const [name, now] of Object.entries(counts)) {
    const ratio = now / (before.counts[name] ?? NaN);
    const tooMany = same && !(ratio <= TOLERANCE);
    failed ||= tooMany;
    console.log(
        `${name.padEnd(24)} ${String(now).padStart(12)} instructions  ` +
            `${ratio.toFixed(3)} x${tooMany ? "  too many" : ""}`,
    );
}
if (failed)
    console.log(
        "more than 3 % above what was accepted; a change with a reason: " +
            "node tests/instructions.mjs --accept",
    );
process.exit(failed ? 1 : 0);
