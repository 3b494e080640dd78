// `pipit/models` in Node: what pull, has, list, import and remove do to the cache
// folder, and every way in which a server can be wrong.
import assert from "node:assert/strict";
import { execFileSync, spawn } from "node:child_process";
import { createHash } from "node:crypto";
import * as fs from "node:fs";
import * as os from "node:os";
import * as path from "node:path";
import { after, before, beforeEach, describe, test } from "node:test";
import { loadModel } from "pipit";
import { models } from "pipit/models";
import { impatient, startBadServer } from "../../tests/tools/bad-server.mjs";
import { program, rejects, tinyModel } from "./support.mjs";

const work = fs.mkdtempSync(path.join(os.tmpdir(), "pipit-store-"));
const body = Buffer.from(tinyModel({ layers: 2, embedding: 128 }));
const limits = impatient;
const manifest = JSON.parse(
    fs.readFileSync(
        new URL("../../models/manifest.json", import.meta.url),
        "utf8",
    ),
);

/** @type {import("../../tests/tools/bad-server.mjs").BadServer} */
let server;

before(async () => {
    server = await startBadServer(body);
});
after(async () => {
    await server.close();
    fs.rmSync(work, { recursive: true, force: true });
});
beforeEach(() => {
    process.env.PIPIT_CACHE = fs.mkdtempSync(path.join(work, "cache-"));
    server.requests.length = 0;
});

const folder = () => path.join(String(process.env.PIPIT_CACHE), "models");
const at = (/** @type {string} */ way) => `${server.url}${way}/tiny.gguf`;

/** Nothing that a load could take for a model. */
function assertNoModel() {
    const names = fs.existsSync(folder()) ? fs.readdirSync(folder()) : [];
    assert.deepEqual(
        names.filter((name) => /\.(gguf|lock)$/.test(name)),
        [],
    );
}

describe("an address", () => {
    test("is pulled once, loads without a request, is listed", async () => {
        const url = at("good");
        /** @type {number[]} */
        const loaded = [];
        const stored = await models.pull(url, {
            onProgress: (progress) => loaded.push(progress.loaded),
        });
        assert.equal(loaded.at(-1), body.length);
        assert.equal(stored.source, url);
        assert.equal(stored.size, body.length);
        assert.equal((await models.pull(url)).sha256, stored.sha256);
        const model = await loadModel(url, { threads: 1 });
        await model.close();
        assert.equal(server.requests.length, 1);
        assert.deepEqual(await models.list(), [stored]);
        assert.equal((await models.usage()).models, body.length);
        assert.equal(await models.remove(url), true);
        assert.equal(await models.has(url), false);
        assert.equal(await models.remove(url), false);
        assert.deepEqual(fs.readdirSync(folder()), []);
    });

    test("asked for twice at once is downloaded once", async () => {
        const url = at("slow");
        await Promise.all([models.pull(url), models.pull(url)]);
        assert.equal(server.requests.length, 1);
    });

    test("of a private server is asked with headers", async () => {
        const url = at("secret");
        const error = await rejects(models.pull(url, { limits }), "network");
        assert.equal(error.details.status, 401);
        const headers = { authorization: "Bearer key" };
        await models.pull(url, { headers });
    });

    test("of the hub comes from a mirror", async () => {
        const source = "hf:owner/repo/tiny.gguf";
        const mirrors = [`${server.url}404`, `${server.url}good`];
        const stored = await models.pull(source, { mirrors, limits });
        assert.equal(
            server.requests.at(-1)?.path,
            "/good/owner/repo/resolve/main/tiny.gguf",
        );
        assert.ok(await models.has(source));
        assert.ok(await models.has(stored.source));
        await (await loadModel(source, { threads: 1 })).close();
    });

    test("has to have the sha256 that is expected", async () => {
        const sha256 = "0".repeat(64);
        await rejects(
            models.pull(at("good"), { sha256, limits }),
            "checksum",
            /sha256/,
        );
        assertNoModel();
    });
});

describe("a bad server", () => {
    test("long: the sha256 tells", async () => {
        const sha256 = createHash("sha256").update(body).digest("hex");
        const pulling = models.pull(at("long"), { sha256, limits });
        await rejects(pulling, "checksum");
        assertNoModel();
    });

    for (const [way, code, status] of /** @type {const} */ ([
        ["404", "not-found", 404],
        ["410", "not-found", 410],
        ["403", "network", 403],
        ["500", "network", 500],
        ["html", "invalid-file", undefined],
        ["text", "invalid-file", undefined],
        ["short", "network", undefined],
        ["loop", "network", undefined],
    ]))
        test(`${way}: ${code}`, async () => {
            const error = await rejects(
                models.pull(at(way), { limits }),
                code,
                new RegExp(way === "text" ? "GGUF" : way),
            );
            assert.equal(error.details.status, status);
            assertNoModel();
        });

    for (const way of ["torn", "changing", "silent"])
        test(`${way}: repaired`, async () => {
            const stored = await models.pull(at(way), { limits });
            const found = fs.readFileSync(
                path.join(folder(), fs.readdirSync(folder())[0] ?? ""),
            );
            assert.ok(body.equals(found));
            assert.equal(stored.size, body.length);
            const [, second] = server.requests;
            assert.match(String(second?.range), /^bytes=[1-9]\d*-$/);
        });
});

test("a killed process loses nothing of a download", async () => {
    const url = at("slow");
    const child = spawn(process.execPath, [
        program("pulling.mjs").pathname,
        url,
    ]);
    await new Promise((resolve) => child.stdout.once("data", resolve));
    child.kill("SIGKILL");
    await new Promise((resolve) => child.once("exit", resolve));
    const { partial } = await models.usage();
    assert.ok(partial > 0 && partial < body.length);
    assert.deepEqual(await models.list(), []);
    // Its lock counts until it was not touched for ten seconds.
    const [lock = ""] = fs
        .readdirSync(folder())
        .filter((name) => name.endsWith(".lock"));
    fs.utimesSync(path.join(folder(), lock), 0, 0);
    await models.pull(url);
    assert.match(String(server.requests.at(-1)?.range), /^bytes=[1-9]\d*-$/);
    assert.ok(await models.has(url));
});

test("an aborted download goes on", async () => {
    const url = at("slow");
    const controller = new AbortController();
    const { signal } = controller;
    const onProgress = () => controller.abort();
    await rejects(models.pull(url, { signal, onProgress }), "aborted");
    await models.pull(url);
    assert.match(String(server.requests.at(-1)?.range), /^bytes=[1-9]\d*-$/);
});

test("what was cut or changed in the store is not used", async () => {
    const url = at("good");
    await models.pull(url);
    const [file = ""] = fs.readdirSync(folder());
    fs.truncateSync(path.join(folder(), file), 1000);
    assert.equal(await models.has(url), false);
    await (await loadModel(url, { threads: 1 })).close(); // from the server
    await models.pull(url);
    assert.ok(await models.has(url));
});

describe("import", () => {
    test("of a path and of a Blob", async () => {
        const file = path.join(work, "mine.gguf");
        fs.writeFileSync(file, body);
        const stored = await models.import(file);
        assert.equal(stored.source, "local:mine.gguf");
        await models.import(new Blob([body]), { name: "other.gguf" });
        assert.equal((await models.list()).length, 2);
        await (await loadModel(stored.source, { threads: 1 })).close();
        await models.remove(stored.source);
        await rejects(loadModel(stored.source), "not-found");
    });

    test("a name without an ending is one like any other", async () => {
        const stored = await models.import(new Blob([body]), { name: "tiny" });
        assert.equal(stored.source, "local:tiny");
        assert.deepEqual(await models.list(), [stored]);
        assert.ok(await models.has("local:tiny"));
        assert.equal((await models.usage()).models, body.length);
        await (await loadModel("local:tiny", { threads: 1 })).close();
        assert.equal(await models.remove("local:tiny"), true);
        assert.deepEqual(await models.list(), []);
        for (const name of ["tiny.verified", "a.partial", "a.lock", ""])
            await rejects(
                models.import(new Blob([body]), { name }),
                "invalid-argument",
            );
    });

    test("what is called as a model of the manifest must be it", async () => {
        const { file } = /** @type {any} */ (manifest.models[0]);
        fs.mkdirSync(folder(), { recursive: true });
        fs.writeFileSync(path.join(folder(), file), "what was there");
        await rejects(
            models.import(new Blob([body]), { name: file }),
            "invalid-argument",
            /by another name/,
        );
        assert.deepEqual(fs.readdirSync(folder()), [file]);
        assert.equal(
            fs.readFileSync(path.join(folder(), file), "utf8"),
            "what was there",
        );
    });

    test("refuses what is no model, and names that lead elsewhere", async () => {
        const name = "bad.gguf";
        await rejects(
            models.import(new Blob(["no"]), { name }),
            "invalid-file",
        );
        await rejects(models.import("/nowhere/x.gguf"), "not-found");
        const away = { name: "../x.gguf" };
        await rejects(
            models.import(new Blob([body]), away),
            "invalid-argument",
        );
        assertNoModel();
    });
});

test("a model in several files is one model", async () => {
    const first = `${server.url}good/m-00001-of-00003.gguf`;
    const stored = await models.pull(first);
    assert.equal(stored.parts, 3);
    assert.equal(stored.size, 3 * body.length);
    assert.deepEqual(await models.list(), [stored]);
    await models.remove(first);
    assert.deepEqual(await models.list(), []);
});

test("the folder is PIPIT_CACHE's, else XDG's, else one at home", () => {
    const file = path.join(work, "placed.gguf");
    fs.writeFileSync(file, body);
    const code =
        'import { models } from "pipit/models";' +
        "await models.import(process.argv[1]);" +
        "console.log(await models.persist(), (await models.usage()).kind)";
    const place = (/** @type {string} */ name) => path.join(work, name);
    const [own, xdg, home] = [place("own"), place("xdg"), place("home")];
    for (const [env, folder] of /** @type {const} */ ([
        [{ PIPIT_CACHE: own, XDG_CACHE_HOME: xdg, HOME: home }, own],
        [{ XDG_CACHE_HOME: xdg, HOME: home }, path.join(xdg, "pipit")],
        [{ HOME: home }, path.join(home, ".cache/pipit")],
    ])) {
        const words = ["--input-type=module", "-e", code, file];
        const text = execFileSync(process.execPath, words, {
            cwd: new URL("..", import.meta.url),
            env,
            encoding: "utf8",
        });
        assert.equal(text, "true folder\n");
        const stored = path.join(folder, "models/placed.gguf");
        assert.ok(body.equals(fs.readFileSync(stored)), stored);
    }
});

test("bad sources are named", async () => {
    await rejects(models.pull("hf:owner/tiny.gguf"), "invalid-argument");
    await rejects(models.has("no-such-model"), "not-found", /smollm2/);
});

test("the command pulls an address and lists it", async () => {
    const url = at("good");
    const file = await pipit("pull", url, "--quiet");
    const listed = await pipit("list");
    assert.ok(body.equals(fs.readFileSync(file.trim())));
    assert.ok(listed.includes(`* ${url}`), listed);
});

/** What the command writes. @param {string[]} words @returns {Promise<string>} */
function pipit(...words) {
    const command = new URL("../bin/pipit.js", import.meta.url).pathname;
    const child = spawn(process.execPath, [command, ...words]);
    let text = "";
    child.stdout.on("data", (piece) => (text += piece));
    return new Promise((resolve, reject) =>
        child.once("close", (code) =>
            code === 0 ? resolve(text) : reject(new Error(`exit ${code}`)),
        ),
    );
}
