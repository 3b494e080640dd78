// The test command: sets up what is needed, runs every part, says once more what
// failed and why, and ends with one line `N passed, N failed, N skipped` over
// all of them.
//
//   npm test                    all parts, in the order of `parts`
//   npm test -- unit browser    these parts
import { spawn, spawnSync } from "node:child_process";
import * as fs from "node:fs";
import * as path from "node:path";
import { build, fetchModel } from "../web/setup.mjs";
import { root, run } from "../web/build.mjs";
import { installPackages } from "../web/toolchain.mjs";

/** @typedef {{ passed: number, failed: number, skipped: number }} Counts */

/** @returns {Counts} */
const none = () => ({ passed: 0, failed: 0, skipped: 0 });
/** @param {Counts} a @param {Counts} b @returns {Counts} */
const sum = (a, b) => ({
    passed: a.passed + b.passed,
    failed: a.failed + b.failed,
    skipped: a.skipped + b.skipped,
});
/** @returns {Counts} */
const oneFailed = () => ({ ...none(), failed: 1 });

/** What failed, said again at the end: the last page of a log tells all.
 * @type {string[]} */
const failures = [];

const LAST_LINES = 150;

/** @param {string} what @param {string} text why */
function failed(what, text) {
    const lines = text.trim().split("\n");
    const left = lines.length - LAST_LINES;
    const shown = left > 0 ? [`(${left} lines above)`] : [];
    shown.push(...lines.slice(-LAST_LINES));
    failures.push(`--- ${what}\n${shown.join("\n")}`);
}

/**
 * Runs a program, showing what it writes.
 * @param {string} program
 * @param {string[]} words
 * @returns {Promise<{ code: number, output: string }>}
 */
function show(program, words) {
    return new Promise((resolve) => {
        const child = spawn(program, words, {
            cwd: root,
            stdio: ["ignore", "pipe", "pipe"],
        });
        let output = "";
        for (const name of /** @type {const} */ (["stdout", "stderr"]))
            child[name].setEncoding("utf8").on("data", (text) => {
                output += text;
                process[name].write(text);
            });
        child.on("error", (error) => {
            console.log(error.message);
            resolve({ code: 1, output: error.message });
        });
        child.on("close", (code) => resolve({ code: code ?? 1, output }));
    });
}

/**
 * Configures and builds natively, then runs the C tests with these labels.
 * @param {string} folder
 * @param {string[]} options of CMake
 * @param {string} labels a regular expression
 * @returns {Promise<Counts>}
 */
async function nativeTests(folder, options, labels) {
    await run("cmake", ["-S", ".", "-B", folder, ...options]);
    await run("cmake", ["--build", folder, "--parallel", "2"]);
    const { code, output } = await show("ctest", [
        ...["--test-dir", folder, "-L", labels],
        ...["--output-on-failure", "--no-tests=error"],
    ]);
    const counts = none();
    // "1/9 Test #1: unit/gguf ....   Passed    0.01 sec"
    for (const [line] of output.matchAll(/^ *\d+\/\d+ Test +#\d+: .*$/gm)) {
        if (/ Passed /.test(line)) counts.passed++;
        else if (/\*\*\*Skipped/.test(line)) counts.skipped++;
        else counts.failed++;
    }
    // A crash of ctest itself, or no test at all.
    if (code !== 0 && counts.failed === 0) counts.failed++;
    if (counts.failed > 0) failed(`ctest in ${folder}`, ctestFailures(output));
    return counts;
}

/** The failed tests of ctest, each with what it wrote. @param {string} output */
function ctestFailures(output) {
    const blocks = output.split(/^(?= *(?:Start +\d+|\d+\/\d+ Test +#\d+):)/m);
    const bad = blocks.filter((block) =>
        /^ *\d+\/\d+ .*\*\*\*(?!Skip)/.test(block),
    );
    return bad.length > 0 ? bad.join("") : output;
}

/** A file that hangs is named, not waited for. Node 20.11 and newer can. */
const timeLimit = () => {
    const [major = 0, minor = 0] = process.versions.node.split(".").map(Number);
    const can = major > 20 || (major === 20 && minor >= 11);
    return can ? ["--test-timeout=900000"] : [];
};

/**
 * Runs the *.test.mjs of a folder under node:test, one file at a time: several
 * of them load models.
 * @param {string} folder
 * @returns {Promise<Counts>}
 */
async function nodeTests(folder) {
    const full = path.join(root, folder);
    const files = fs.existsSync(full)
        ? fs.readdirSync(full).filter((name) => name.endsWith(".test.mjs"))
        : [];
    if (files.length === 0) {
        console.log(`${folder} holds no tests`);
        failed(folder, "it holds no tests");
        return oneFailed();
    }
    const report = path.join(
        root,
        "build/test",
        `${path.basename(folder)}.tap`,
    );
    fs.mkdirSync(path.dirname(report), { recursive: true });
    fs.rmSync(report, { force: true });
    const { code, output } = await show(process.execPath, [
        "--test",
        ...["--test-concurrency=1", ...timeLimit()],
        ...["--test-reporter=spec", "--test-reporter-destination=stdout"],
        ...["--test-reporter=tap", `--test-reporter-destination=${report}`],
        ...files.sort().map((name) => path.join(folder, name)),
    ]);
    const tap = fs.existsSync(report) ? fs.readFileSync(report, "utf8") : "";
    const count = (/** @type {string} */ word) =>
        Number(new RegExp(`^# ${word} (\\d+)$`, "m").exec(tap)?.[1] ?? 0);
    const counts = {
        passed: count("pass"),
        failed: count("fail") + count("cancelled"),
        skipped: count("skipped") + count("todo"),
    };
    if (code !== 0 && counts.failed === 0) counts.failed++;
    // The reporter lists them at its end, if it came so far.
    const list = output.lastIndexOf("failing tests:");
    if (counts.failed > 0) failed(folder, output.slice(Math.max(list, 0)));
    return counts;
}

/**
 * A script that exits with 0 when all is well.
 * @param {string} file
 * @returns {Promise<Counts>}
 */
async function script(file) {
    const name = path.join("tests", file);
    const { code, output } = await show(process.execPath, [name]);
    if (code === 0) return { ...none(), passed: 1 };
    failed(name, output);
    return oneFailed();
}

/**
 * Installs Debian packages where we may; says so where we may not.
 * @param {boolean} present
 * @param {string} name
 */
async function wantPackage(present, name) {
    if (present) return;
    if (process.getuid?.() === 0 && fs.existsSync("/etc/debian_version")) {
        console.log(`installing ${name}`);
        await installPackages([name]);
    } else {
        console.log(`${name} is not installed`);
    }
}

const onPath = (/** @type {string} */ name) =>
    spawnSync("sh", ["-c", `command -v ${name}`]).status === 0;

const findChromium = () =>
    process.env.CHROMIUM ??
    ["chromium", "chromium-browser", "google-chrome"].find(
        (name) => spawnSync(name, ["--version"]).status === 0,
    );

/** @returns {Promise<Counts>} */
async function browserTests() {
    await wantPackage(findChromium() !== undefined, "chromium");
    const { debianPackages, findPrograms } =
        await import("./browser/drivers.mjs");
    const found = findPrograms();
    for (const name of /** @type {const} */ (["firefox", "webkit"]))
        for (const wanted of debianPackages[name])
            await wantPackage(found[name] !== undefined, wanted);
    // Voices, and a screen for the browser that reads aloud.
    for (const [program, name] of [
        ["Xvfb", "xvfb"],
        ["speech-dispatcher", "speech-dispatcher-espeak-ng"],
        ["espeak-ng", "espeak-ng"],
    ])
        await wantPackage(onPath(program), name);
    if (findChromium() !== undefined) return nodeTests("tests/browser");
    const message = "no Chromium: set CHROMIUM to its path";
    console.log(message);
    if (process.env.CI) failed("browser", message);
    return process.env.CI ? oneFailed() : { ...none(), skipped: 1 };
}

/** Whether the C tests can run the vector kernels. */
const wantSimde = () =>
    wantPackage(
        ["/usr/include", "/usr/local/include"].some((folder) =>
            fs.existsSync(`${folder}/simde/wasm/relaxed-simd.h`),
        ),
        "libsimde-dev",
    );

/** @returns {Promise<Counts>} */
async function countInstructions() {
    const has = () => spawnSync("valgrind", ["--version"]).status === 0;
    await wantPackage(has(), "valgrind");
    if (!has()) return { ...none(), skipped: 1 };
    await run("cmake", ["-S", ".", "-B", "build/native"]);
    await run("cmake", ["--build", "build/native", "--parallel", "2"]);
    return script("instructions.mjs");
}

/**
 * built: needs the modules and the package; model: needs the default model too.
 * @type {{ name: string, title: string, needs: "nothing" | "built" | "model",
 *          run: () => Promise<Counts> }[]}
 */
const parts = [
    {
        name: "layers",
        title: "layers: includes of src/ point one way",
        needs: "nothing",
        run: () => script("layers.mjs"),
    },
    {
        name: "unit",
        title: "unit: C tests, native",
        needs: "model",
        run: async () => {
            await wantSimde();
            return nativeTests("build/native", [], ".");
        },
    },
    {
        name: "sanitize",
        title: "sanitize: C tests under ASan and UBSan",
        needs: "nothing",
        run: async () => {
            await wantSimde();
            const options = ["-DPIPIT_SANITIZE=ON"];
            return nativeTests("build/asan", options, "^(unit|kernels)$");
        },
    },
    {
        name: "instructions",
        title: "instructions: a fixed workload, counted",
        needs: "nothing",
        run: countInstructions,
    },
    {
        name: "exports",
        title: "exports: modules, header and types agree",
        needs: "built",
        run: () => script("exports.mjs"),
    },
    {
        name: "size",
        title: "size: what a page fetches",
        needs: "built",
        run: () => script("size.mjs"),
    },
    {
        name: "package",
        title: "package: js-bindings in Node, packed and installed",
        needs: "model",
        run: async () =>
            sum(
                await nodeTests("js-bindings/test"),
                await nodeTests("tests/package"),
            ),
    },
    {
        name: "wasm",
        title: "wasm: modules against native",
        needs: "model",
        run: () => nodeTests("tests/wasm"),
    },
    {
        name: "bench",
        title: "bench: the benches run, without times",
        needs: "model",
        run: () => nodeTests("tests/bench"),
    },
    {
        name: "golden",
        title: "golden: logits and answers against references",
        needs: "model",
        run: () => nodeTests("tests/golden"),
    },
    {
        name: "demo",
        title: "demo: modules of the page in Node",
        needs: "built",
        run: () => nodeTests("tests/demo"),
    },
    {
        name: "browser",
        title: "browser: package and page in Chromium, Firefox, WebKit",
        needs: "model",
        run: browserTests,
    },
];

/** @param {string[]} names @returns {Promise<number>} exit code */
async function main(names) {
    const known = parts.map((part) => part.name);
    const wrong = names.find((name) => !known.includes(name));
    if (wrong !== undefined) {
        console.error(`no part "${wrong}"; there are: ${known.join(", ")}`);
        return 2;
    }
    const chosen = parts.filter(
        (part) => names.length === 0 || names.includes(part.name),
    );
    const total = none();
    let setUp = false;
    let setUpFailed = false;
    /** @type {string[]} */
    const table = [];
    for (const part of chosen) {
        console.log(`\n=== ${part.title}`);
        const start = performance.now();
        let counts;
        try {
            if (part.needs !== "nothing") {
                if (setUpFailed)
                    throw new Error("the set-up failed, see above");
                if (!setUp) {
                    setUpFailed = true;
                    await build((line) => console.log(line));
                    await fetchModel();
                    setUpFailed = false;
                }
                setUp = true;
            }
            counts = await part.run();
        } catch (error) {
            const message = String(
                error instanceof Error ? error.message : error,
            );
            console.log(message);
            failed(part.name, message);
            counts = oneFailed();
        }
        total.passed += counts.passed;
        total.failed += counts.failed;
        total.skipped += counts.skipped;
        const seconds = Math.round((performance.now() - start) / 1000);
        table.push(`${part.name.padEnd(10)} ${line(counts)} (${seconds} s)`);
    }
    if (failures.length > 0)
        console.log(`\n=== what failed\n${failures.join("\n\n")}`);
    console.log(`\n=== all\n${table.join("\n")}\n${line(total)}`);
    return total.failed === 0 ? 0 : 1;
}

/** @param {Counts} counts */
const line = ({ passed, failed, skipped }) =>
    `${passed} passed, ${failed} failed, ${skipped} skipped`;

process.exitCode = await main(process.argv.slice(2));
