// The programs of demo/examples/ for Node, with the default model; and that all
// of them are as short as they claim.
import assert from "node:assert/strict";
import { execFile, spawn } from "node:child_process";
import { once } from "node:events";
import { readdirSync, readFileSync } from "node:fs";
import { cp, writeFile } from "node:fs/promises";
import { createServer } from "node:net";
import { join } from "node:path";
import { before, describe, test } from "node:test";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { pulledModel } from "../golden/reference.mjs";
import { installPacked, useFolder } from "../tools/packed.mjs";

const examples = fileURLToPath(new URL("../../demo/examples", import.meta.url));
const skip = pulledModel("smollm2-135m-instruct-q4_1")
    ? false
    : "the default model was not pulled";

test("each is under thirty lines, and in the list", () => {
    const list = readFileSync(join(examples, "README.md"), "utf8");
    const names = readdirSync(examples, { recursive: true })
        .map(String)
        .filter((name) => /\.\w+$/.test(name) && !name.endsWith(".md"));
    assert.ok(names.length >= 10);
    for (const name of names) {
        const text = readFileSync(join(examples, name), "utf8");
        assert.ok(text.split("\n").length - 1 < 30, name);
        const [first = ""] = name.split("/");
        assert.ok(list.includes(`](${first}`), `${name} is not in the list`);
    }
});

describe("in Node", { skip }, () => {
    const folder = useFolder();
    before(async () => {
        await cp(examples, folder, { recursive: true });
        await installPacked(folder);
    });

    test("a script", async () => {
        const text =
            "The library opens at nine. Books can be kept for three weeks. " +
            "Whoever needs them longer asks at the desk.\n";
        await writeFile(join(folder, "notes.txt"), text);
        const { stdout } = await promisify(execFile)(
            process.execPath,
            ["script.mjs", "notes.txt"],
            { cwd: folder },
        );
        assert.match(stdout, /^\S.{20,}\n$/s);
        assert.match(stdout, /library|books/i);
    });

    test("a server", async (t) => {
        const free = createServer().listen(0);
        await once(free, "listening");
        const address = free.address();
        const port = typeof address === "object" ? address?.port : 0;
        free.close();
        const server = spawn(process.execPath, ["server.mjs"], {
            cwd: folder,
            env: { ...process.env, PORT: String(port) },
            stdio: "inherit",
        });
        t.after(() => server.kill());
        const url = `http://127.0.0.1:${port}`;
        const ask = (
            /** @type {string} */ body,
            /** @type {AbortSignal} */ signal,
        ) => fetch(url, { method: "POST", body, signal: signal ?? null });
        const patience = AbortSignal.timeout(120_000);
        for (;;) {
            const up = await fetch(url, { method: "HEAD" }).then(
                () => true,
                () => false,
            );
            if (up) break;
            patience.throwIfAborted();
            assert.equal(server.exitCode, null);
            await new Promise((done) => setTimeout(done, 100));
        }
        const question = "What is the capital of France?";
        const reply = await ask(question, patience);
        assert.match(await reply.text(), /Paris/);
        // Two at once; one goes away, the other is answered.
        const leave = new AbortController();
        const left = ask("Tell me a long story.", leave.signal);
        const other = ask(question, patience);
        const stream = (await left).body;
        await stream?.getReader().read();
        leave.abort();
        assert.match(await (await other).text(), /Paris/);
        assert.equal((await ask("x".repeat(20_000), patience)).status, 413);
    });
});
