// The command, as a user runs it: the real program, a tiny model in a file, and
// the default model when it is pulled.
import assert from "node:assert/strict";
import { spawn, spawnSync } from "node:child_process";
import * as fs from "node:fs";
import * as os from "node:os";
import * as path from "node:path";
import { after, test } from "node:test";
import { fileURLToPath } from "node:url";
import { tinyModel } from "../../tests/tools/tiny-model.mjs";
import { pulledModel } from "../../tests/golden/reference.mjs";

const bin = fileURLToPath(new URL("../bin/pipit.js", import.meta.url));
const folder = fs.mkdtempSync(path.join(os.tmpdir(), "pipit-cli-"));
after(() => fs.rmSync(folder, { recursive: true }));
const tiny = path.join(folder, "tiny.gguf");
fs.writeFileSync(tiny, tinyModel());

/** @param {string[]} words */
function pipit(words, input = "") {
    const { status, stdout, stderr } = spawnSync(
        process.execPath,
        [bin, ...words],
        { input, encoding: "utf8", timeout: 240_000 },
    );
    return { status, stdout, stderr };
}

test("--help and --version", () => {
    const help = pipit(["--help"]);
    assert.equal(help.status, 0);
    for (const word of ["chat", "run", "pull", "score", "--threads", "exit"])
        assert.match(help.stdout, new RegExp(word));
    const { stdout } = pipit(["--version"]);
    assert.match(stdout, /^\d+\.\d+\.\d+\n$/);
});

test("wrong words are exit code 2, with a suggestion", () => {
    const command = pipit(["rnu"]);
    assert.equal(command.status, 2);
    assert.match(command.stderr, /did you mean run/);
    const option = pipit(["run", "--temprature", "1", "x"]);
    assert.equal(option.status, 2);
    assert.match(option.stderr, /did you mean temperature/);
    const value = pipit(["run", "--threads", "many", "x"]);
    assert.equal(value.status, 2);
    assert.match(value.stderr, /--threads many/);
    assert.equal(pipit([]).status, 2);
    assert.equal(pipit(["run", "--model", tiny], " ").status, 2);
});

test("files and models that are not usable are exit code 3", () => {
    const torn = path.join(folder, "torn.gguf");
    fs.writeFileSync(torn, fs.readFileSync(tiny).subarray(0, -500));
    const cases = [
        [path.join(folder, "none.gguf"), /none\.gguf/],
        [bin, /GGUF/],
        [torn, /tensor|ends/],
    ];
    for (const [file, words] of cases) {
        const { status, stderr, stdout } = pipit([
            ...["run", "--model", String(file), "--raw", "x"],
        ]);
        assert.equal(status, 3, stderr);
        assert.match(stderr, /** @type {RegExp} */ (words));
        assert.equal(stdout, "");
    }
});

test("run: text only, from words or standard input, the same each time", () => {
    const words = ["--model", tiny, "--raw", "--max-tokens", "12"];
    const first = pipit(["run", ...words, "Once upon a time"]);
    assert.equal(first.status, 0, first.stderr);
    assert.ok(first.stdout.length > 1 && first.stdout.endsWith("\n"));
    assert.doesNotMatch(first.stdout + first.stderr, /\x1b/);
    const second = pipit(["run", ...words], "Once upon a time");
    assert.equal(second.stdout, first.stdout);
    const seeded = ["--temperature", "1.2", "--seed", "5"];
    const a = pipit(["run", ...words, ...seeded, "Once"]);
    const b = pipit(["run", ...words, ...seeded, "--threads", "1", "Once"]);
    assert.equal(a.stdout, b.stdout);
});

test("info, tokenize and score as JSON", () => {
    const info = JSON.parse(pipit(["info", tiny, "--json"]).stdout);
    assert.equal(info.architecture, "llama");
    assert.ok(info.forecast.total > info.forecast.weights);
    assert.ok(info.tensors.length > 5);
    const text = "ab c";
    const tokens = JSON.parse(
        pipit(["tokenize", "--model", tiny, "--json", text]).stdout,
    );
    assert.equal(tokens.pieces.join(""), text);
    const file = path.join(folder, "text.txt");
    fs.writeFileSync(file, "some text to score");
    const score = JSON.parse(
        pipit(["score", file, "--model", tiny, "--json"]).stdout,
    );
    assert.ok(score.perplexity > 1 && score.scored > 3);
    assert.equal(score.tokens.length, score.scored + 1);
    const mean =
        score.tokens.reduce(
            (/** @type {number} */ sum, /** @type {any} */ t) =>
                sum + (t.logprob ?? 0),
            0,
        ) / score.scored;
    assert.ok(Math.abs(Math.exp(-mean) - score.perplexity) < 1e-3);
});

test("bench as JSON", () => {
    const { stdout, status, stderr } = pipit([
        ...["bench", "--model", tiny, "--json", "--threads", "1,2"],
        ...["--prompt", "16", "--decode", "8", "--reps", "1"],
    ]);
    assert.equal(status, 0, stderr);
    const { results } = JSON.parse(stdout);
    assert.deepEqual(
        results.map((r) => r.threads),
        [1, 2],
    );
    for (const result of results) {
        assert.ok(result.prompt[16] > 0 && result.decode[0] > 0);
        assert.ok(result.memoryBytes > 0 && result.loadMs > 0);
    }
    // Relaxed SIMD, also where Node hides it. Each load chooses by measuring.
    assert.ok(results.some(({ kernels }) => kernels.startsWith("relaxed")));
    assert.equal(stderr, "");
});

test("bench saves, plots and compares", () => {
    const saved = path.join(folder, "report.json");
    const plot = path.join(folder, "plot.svg");
    const words = [
        ...["bench", "--model", tiny, "--threads", "1", "--reps", "1"],
        ...["--prompt", "16", "--decode", "8", "--contexts", "0,40"],
    ];
    const first = pipit([...words, "--save", saved, "--plot", plot]);
    assert.equal(first.status, 0);
    assert.match(first.stderr, /1 of 3: 1 thread, prompt of 16/);
    assert.match(first.stderr, /3 of 3: 1 thread, decoding after 40/);
    const report = JSON.parse(fs.readFileSync(saved, "utf8"));
    assert.deepEqual(Object.keys(report.results[0].decode), ["0", "40"]);
    const svg = fs.readFileSync(plot, "utf8");
    assert.match(svg, /^<svg .*decoding after 40, 1 thread.*<\/svg>$/s);
    for (const what of ["prompt of 16", "load", "memory"])
        assert.ok(svg.includes(`>${what}, 1 thread</text>`), what);
    // Twice as fast as that.
    report.results[0].prompt[16] /= 2;
    fs.writeFileSync(saved, JSON.stringify(report));
    const { stdout, status } = pipit([...words, "--compare", saved]);
    assert.equal(status, 0);
    assert.match(stdout, /prompt of 16 +[\d.]+ tokens\/s +[\d.]+ x/);
    assert.match(stdout, /memory +\d+ MB +1\.00 x/);
    const wrong = pipit([...words, "--compare", plot]);
    assert.equal(wrong.status, 2);
    assert.match(wrong.stderr, /plot\.svg/);
});

test("list names the manifest's models", () => {
    const rows = JSON.parse(pipit(["list", "--json"]).stdout);
    assert.equal(rows.filter((row) => row.default).length, 1);
    assert.equal(rows.length, 3);
    const unknown = pipit(["pull", "no-such-model"]);
    assert.equal(unknown.status, 3);
    assert.match(unknown.stderr, /smollm2/);
});

test("chat: commands and answers from a pipe", () => {
    const { stdout, stderr, status } = pipit(
        ["chat", "--model", tiny, "--max-tokens", "5"],
        "hello\n/stats\n/help\n/exit\n",
    );
    assert.equal(status, 0, stderr);
    assert.ok(stdout.length > 0);
    assert.match(stderr, /tokens\/s/);
    assert.match(stderr, /\/retry/);
});

test("a reader that leaves is no failure", async () => {
    const child = spawn(
        process.execPath,
        [bin, "run", "--model", tiny, "--raw", "--max-tokens", "200", "x"],
        { stdio: ["ignore", "pipe", "pipe"] },
    );
    child.stdout.once("data", () => child.stdout.destroy());
    const code = await new Promise((resolve) => child.on("close", resolve));
    assert.equal(code, 0);
});

const real = pulledModel("smollm2-135m-instruct-q4_1");
test("the default model answers", { skip: real ? false : "not pulled" }, () => {
    const { stdout, status } = pipit(["run", "What is the capital of France?"]);
    assert.equal(status, 0);
    assert.equal(stdout, "The capital of France is Paris.\n");
});

test(
    "Ctrl-C stops an answer with 130",
    { skip: real ? false : "not pulled" },
    async () => {
        const child = spawn(
            process.execPath,
            [bin, "run", "--raw", "--max-tokens", "4000", "Once upon a time"],
            { stdio: ["ignore", "pipe", "pipe"] },
        );
        child.stdout.once("data", () => child.kill("SIGINT"));
        const code = await new Promise((resolve) => child.on("close", resolve));
        assert.equal(code, 130);
    },
);
