// The examples of the package's README, run as they stand: each a module in a
// folder where the package was installed. Names that an example does not
// explain (`model`, `messages`, …) are put before it; models are tiny ones.
import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { existsSync, readFileSync } from "node:fs";
import { mkdir, symlink, writeFile } from "node:fs/promises";
import { createServer } from "node:http";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { installPacked, useFolder } from "../tools/packed.mjs";
import { tinyModel } from "../tools/tiny-model.mjs";

const root = fileURLToPath(new URL("../..", import.meta.url));
const readme = readFileSync(join(root, "js-bindings/README.md"), "utf8");

/** @type {{ section: string, n: number, code: string }[]} */
const examples = readme.split(/^## /m).flatMap((section, i) => {
    const [heading = ""] = section.split("\n");
    const blocks = [...section.matchAll(/^```js\n(.*?)^```/gms)];
    return blocks.map(([, code = ""], n) => ({
        section: i === 0 ? "beginning" : heading,
        n: n + 1,
        code,
    }));
});

/** What a reader has around an example, by name. @type {[string, string][]} */
const surroundings = [
    ["fs", 'await import("node:fs")'],
    ["show", "() => {}"],
    ["write", "() => {}"],
    ["onProgress", "() => {}"],
    ["signal", "new AbortController().signal"],
    ["headers", "{}"],
    ["mirrors", "[]"],
    ["sha256", "undefined"],
    ["source", '"ADDRESS/tiny.gguf"'],
    ["messages", '[{ role: "user", content: "Hello" }]'],
    ["weather", '{ type: "function", function: { name: "weather" } }'],
    ["template", '"{{ bos_token }}{{ messages | length }}"'],
    ["inspect", "pipit.inspect"],
    ["loadModel", "pipit.loadModel"],
    ["renderChatTemplate", "pipit.renderChatTemplate"],
    ["OpenAI", '(await import("openai")).default'],
    ["file", 'new File([fs.readFileSync("model.gguf")], "own.gguf")'],
    [
        "model",
        'await pipit.loadModel("model.gguf", { threads: 1, training: true })',
    ],
    ["session", "await model.createSession()"],
    ["other", 'await model.loadAdapter("tickets.gguf")'],
    ["notes", '{ "general.name": "tickets" }'],
    ["adapter", 'await model.loadAdapter("tickets.gguf")'],
    ["examples", '[{ prompt: "the", completion: "{\\"topic\\": 1}" }]'],
];

/** Where a section means something else by a name.
 * @type {Record<string, [string, string][]>} */
const own = {
    Training: [["file", 'fs.readFileSync("examples.jsonl")']],
    Evaluation: [["other", 'await pipit.loadModel("model.gguf")']],
};

/** Whether the code names it, other than after a dot or as a key. */
const uses = (/** @type {string} */ code, /** @type {string} */ name) =>
    new RegExp(`(?<![.\\w"'-])${name}\\b(?!:)(?!["'])`).test(
        code.replace(/\/\/.*$/gm, ""),
    );

/** Whether the code makes it. */
const makes = (/** @type {string} */ code, /** @type {string} */ name) =>
    new RegExp(`(const|let) (\\{[^}]*\\b${name}\\b|${name}\\b)`).test(code);

/** @param {{ section: string, code: string }} example
 * @param {string} address of a server that has the files */
function program({ section, code }, address) {
    const imports = /^import [^;]*;$/gm;
    const heads = code.match(imports) ?? [];
    const body = code.replace(imports, "");
    /** @type {string[]} */
    let before = [];
    let all = body;
    // The last first: one may need another.
    const given = new Map([...surroundings, ...(own[section] ?? [])]);
    for (const [name, value] of [...given].reverse())
        if (
            uses(all, name) &&
            !(uses(body, name) && makes(body, name)) &&
            !heads.some((head) => uses(head, name))
        ) {
            before = [`const ${name} = ${value};`, ...before];
            all += value;
        }
    return [
        ...heads,
        'import * as pipit from "pipit";',
        before.join("\n"),
        `{${body}}`,
        // What the example leaves open ends with it.
        'console.log("\\nEND");',
        "process.exit(0);",
    ]
        .join("\n")
        .replaceAll(/"smollm2-135m-instruct[^"]*"/g, '"ADDRESS/tiny.gguf"')
        .replaceAll('"hf:owner/repo/file.gguf"', '"ADDRESS/file.gguf"')
        .replaceAll("ADDRESS", address);
}

const folder = useFolder();
let address = "";

/** @param {string} name @param {string} text */
async function run(name, text) {
    await writeFile(join(folder, name), text);
    const { stdout } = await promisify(execFile)(process.execPath, [name], {
        cwd: folder,
        env: { ...process.env, PIPIT_CACHE: join(folder, "cache") },
    });
    return stdout;
}

const server = createServer((request, response) => {
    const file = join(folder, String(request.url));
    if (!existsSync(file)) return response.writeHead(404).end();
    const text = readFileSync(file);
    response.setHeader("Content-Length", text.length).end(text);
});
after(() => {
    server.closeAllConnections();
    server.close();
});

before(async () => {
    await installPacked(folder);
    await symlink(
        join(root, "node_modules/openai"),
        join(folder, "node_modules/openai"),
    );
    const bytes = tinyModel({ context: 4096 });
    for (const name of ["model.gguf", "file.gguf", "tiny.gguf"])
        await writeFile(join(folder, name), bytes);
    await new Promise((done) =>
        server.listen(0, "127.0.0.1", () => done(undefined)),
    );
    const bound = server.address();
    address = `http://127.0.0.1:${typeof bound === "object" ? bound?.port : 0}`;
    const line = '{ "prompt": "the", "completion": " end" }\n';
    await writeFile(
        join(folder, "examples.jsonl"),
        Array.from({ length: 12 }, (_, i) =>
            line.replace("end", `end ${i}`).replace("the", `the ${i}`),
        ).join(""),
    );
    await mkdir(join(folder, "cache"), { recursive: true });
    await run(
        "adapter.mjs",
        `import { writeFileSync } from "node:fs";
        import { loadModel } from "pipit";
        import { trainAdapter } from "pipit/train";
        const model = await loadModel("model.gguf", { training: true });
        const examples = [{ prompt: "the", completion: " end" }];
        const { bytes } = await trainAdapter(model, examples, { rank: 1 });
        writeFileSync("tickets.gguf", bytes);
        await model.close();`,
    );
});

test("there are examples of every entry", () => {
    const text = examples.map(({ code }) => code).join("\n");
    for (const entry of [
        "",
        "inline",
        "models",
        "openai",
        "prompt-api",
        "train",
        "bench",
    ])
        assert.ok(
            text.includes(`from "pipit${entry && `/${entry}`}"`),
            `pipit/${entry}`,
        );
});

for (const [i, example] of examples.entries())
    test(`${example.section} ${example.n}`, async () => {
        const text = program(example, address);
        const told = await run(`example-${i}.mjs`, text).catch((error) =>
            assert.fail(`${text}\n${error.stderr}`),
        );
        assert.match(told, /\nEND\n$/);
    });
