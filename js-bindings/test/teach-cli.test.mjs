// `pipit train` and `pipit evaluate`, as a user runs them, with a tiny model.
import assert from "node:assert/strict";
import { spawn, spawnSync } from "node:child_process";
import * as fs from "node:fs";
import * as os from "node:os";
import * as path from "node:path";
import { after, test } from "node:test";
import { fileURLToPath } from "node:url";
import { inspect } from "pipit";
import { tinyModel } from "../../tests/tools/tiny-model.mjs";

const bin = fileURLToPath(new URL("../bin/pipit.js", import.meta.url));
const folder = fs.mkdtempSync(path.join(os.tmpdir(), "pipit-teach-"));
after(() => fs.rmSync(folder, { recursive: true }));
const file = (/** @type {string} */ name) => path.join(folder, name);
const env = { ...process.env, PIPIT_CACHE: file("cache") };

const model = file("tiny.gguf");
fs.writeFileSync(model, tinyModel({ type: "Q4_0", context: 1024 }));
const chat = (/** @type {string} */ question, /** @type {string} */ answer) =>
    JSON.stringify({
        messages: [
            { role: "user", content: question },
            { role: "assistant", content: answer },
        ],
    });
const rows = Array.from({ length: 20 }, (_, i) =>
    chat(`mail ${i % 2 ? "cat" : "house"} ${i}`, `{"cat": ${i % 2 === 1}}`),
);
const data = file("data.jsonl");
fs.writeFileSync(data, rows.join("\n"));
const unseen = file("unseen.jsonl");
fs.writeFileSync(
    unseen,
    [
        chat("mail cat 51", '{"cat": true}'),
        chat("mail house 52", '{"cat": false}'),
    ].join("\n"),
);

/** @param {string[]} words */
function pipit(words) {
    const { status, stdout, stderr } = spawnSync(
        process.execPath,
        [bin, ...words, "--model", model, "--threads", "1"],
        { encoding: "utf8", timeout: 240_000, env },
    );
    return { status, stdout, stderr };
}
const quick = ["--epochs", "12", "--rate", "0.01", "--batch", "4"];

test("train: from a file to an adapter, with a table and a plot", async () => {
    const out = file("one.gguf");
    const { status, stdout, stderr } = pipit([
        ...["train", data, "--out", out, "--test", unseen, ...quick],
        ...["--rank", "4", "--plot", file("one.svg")],
    ]);
    assert.equal(status, 0, stderr);
    assert.match(stderr, /20 examples to learn, 2 to test; [\d.]+ [kM]B/);
    assert.match(stderr, /training {2}\[#+-*\] {2}\d+ of 60 {2}loss [\d.]+/);
    assert.match(stdout, /^ +before +after$/m);
    assert.match(stdout, /^right \(json\) +0\.0 % +100\.0 %$/m);
    assert.match(stdout, /^ +cat +0\.0 % +100\.0 %$/m);
    assert.match(fs.readFileSync(file("one.svg"), "utf8"), /^<svg .*<\/svg>$/s);
    const { metadata } = await inspect(out);
    assert.equal(metadata["pipit.training.examples"], "20");
    assert.match(String(metadata["pipit.base.sha256"]), /^[0-9a-f]{64}$/);
    assert.deepEqual(fs.readdirSync(file("cache/training")), []);
});

test("evaluate: adapters side by side, the wrong ones by their line", () => {
    const out = file("one.gguf");
    const words = ["evaluate", unseen, "--adapter", "none", "--adapter", out];
    const { status, stdout, stderr } = pipit([...words, "--learned", data]);
    assert.equal(status, 0, stderr);
    assert.match(stdout, /^ +none +one\.gguf$/m);
    assert.match(stderr, /wrong with none:\n {2}line 1: /);
    const json = pipit([...words, "--json", "--metric", "exact"]);
    const { metric, candidates } = JSON.parse(json.stdout);
    assert.equal(metric, "exact");
    assert.deepEqual(
        candidates.map((/** @type {any} */ one) => [one.accuracy, one.wrong]),
        [
            [0, [1, 2]],
            [1, []],
        ],
    );
    const both = pipit(["evaluate", data, "--learned", data, "--limit", "1"]);
    assert.match(
        both.stderr,
        /data\.jsonl:20: warning: also learned, from line 20/,
    );
    assert.match(both.stdout, /^examples +1$/m);
    const wrong = pipit([...words, "--adapter", data]);
    assert.equal(wrong.status, 3);
});

test("killed and started again: the same file as without", async () => {
    const words = ["train", data, "--test", unseen, ...quick, "--out"];
    const whole = file("whole.gguf");
    assert.equal(pipit([...words, whole]).status, 0);
    const torn = file("torn.gguf");
    const child = spawn(
        process.execPath,
        [bin, ...words, torn, "--model", model, "--threads", "1"],
        { env, stdio: ["ignore", "ignore", "pipe"] },
    );
    let text = "";
    child.stderr.on("data", (piece) => {
        text += piece;
        if (/ 3\d of 60/.test(text)) child.kill("SIGKILL");
    });
    await new Promise((resolve) => child.on("close", resolve));
    assert.ok(!fs.existsSync(torn));
    const kept = fs.readdirSync(file("cache/training"));
    assert.equal(kept.filter((name) => !name.endsWith(".arriving")).length, 1);
    const again = pipit([...words, torn]);
    assert.equal(again.status, 0);
    const [, step] = /goes on after step (\d+)/.exec(again.stderr) ?? [];
    assert.ok(Number(step) >= 25, again.stderr);
    assert.ok(fs.readFileSync(torn).equals(fs.readFileSync(whole)));
});

test("Ctrl-C keeps where it was; --fresh begins anew", async () => {
    const out = file("stopped.gguf");
    const words = [
        ...["train", data, "--out", out, "--hold-out", "0", "--epochs", "400"],
        ...["--model", model, "--threads", "1"],
    ];
    const child = spawn(process.execPath, [bin, ...words], {
        env,
        stdio: ["ignore", "ignore", "pipe"],
    });
    let text = "";
    let sent = false;
    child.stderr.on("data", (piece) => {
        text += piece;
        if (!sent && /training/.test(text)) sent = child.kill("SIGINT");
    });
    const code = await new Promise((resolve) => child.on("close", resolve));
    assert.equal(code, 130, text);
    const [, step] = /kept after step (\d+)/.exec(text) ?? [];
    assert.ok(Number(step) >= 200, text);
    const fresh = pipit([
        ...["train", data, "--out", out, "--hold-out", "0", "--epochs", "1"],
        "--fresh",
    ]);
    assert.equal(fresh.status, 0, fresh.stderr);
    assert.doesNotMatch(fresh.stderr, /goes on/);
    assert.doesNotMatch(fresh.stdout, /right/); // nothing was set aside
});

test("mistakes in the data by file and line, exit code 3; in words, 2", () => {
    const bad = file("bad.jsonl");
    fs.writeFileSync(
        bad,
        [rows[0], '{"messages": [{"role": "usr"', rows[1], rows[0]].join("\n"),
    );
    const out = ["--out", file("x.gguf")];
    const refused = pipit(["train", bad, ...out]);
    assert.equal(refused.status, 3);
    assert.match(refused.stderr, /bad\.jsonl:2: error: no JSON/);
    assert.match(
        refused.stderr,
        /bad\.jsonl:4: warning: the same example as in line 1/,
    );
    assert.match(refused.stderr, /line 2.*--skip-bad/);
    const left = pipit(["train", bad, ...out, "--skip-bad", "--hold-out", "0"]);
    assert.equal(left.status, 0, left.stderr);
    const long = pipit(["train", data, ...out, "--max-length", "8"]);
    assert.equal(long.status, 3);
    assert.match(long.stderr, /data\.jsonl:1: error: \d+ tokens, more than 8/);
    for (const [words, message] of /** @type {const} */ ([
        [["train", data], /--out/],
        [["train", ...out], /file of examples is missing/],
        [["train", data, data, ...out], /one file/],
        [["train", data, ...out, "--rank", "0"], /--rank 0/],
        [["train", data, ...out, "--schedule", "x"], /--schedule/],
        [["train", data, ...out, "--metric", "x"], /--metric/],
        [["evaluate"], /missing/],
    ])) {
        const { status, stderr } = pipit([...words]);
        assert.equal(status, 2, stderr);
        assert.match(stderr, message);
    }
    const nowhere = ["--out", file("none/x.gguf")];
    assert.equal(pipit(["train", data, ...nowhere]).status, 3);
    assert.equal(pipit(["train", file("none"), ...out]).status, 3);
});

test("a table with columns by name; a rate that is too high", () => {
    const table = file("table.csv");
    const lines = rows.map(
        (_, i) => `"mail, ${i}";${i % 2 ? "cat" : "no cat"}`,
    );
    fs.writeFileSync(table, ["what;kind", ...lines].join("\n"));
    const words = [
        ...["train", table, "--out", file("table.gguf")],
        ...["--prompt-column", "what", "--completion-column", "kind"],
        ...["--system", "Is there a cat?", "--json", "--batch", "2"],
    ];
    const { status, stdout, stderr } = pipit([...words, "--epochs", "2"]);
    assert.equal(status, 0, stderr);
    const report = JSON.parse(stdout);
    assert.equal(report.metric, "exact");
    assert.equal(report.losses.length, 18);
    assert.equal(report.candidates.length, 2);
    assert.equal(report.finishReason, "done");
    const lost = pipit([
        ...[...words, "--epochs", "10", "--rate", "30"],
        ...["--warmup", "20", "--clip", "0"],
    ]);
    assert.equal(lost.status, 1, lost.stderr);
    assert.match(lost.stderr, /try a third of that rate/);
    const names = pipit(["train", table, "--out", file("x.gguf")]);
    assert.equal(names.status, 3);
    assert.match(
        names.stderr,
        /table\.csv:1: error: no column.*"what", "kind"/,
    );
});
