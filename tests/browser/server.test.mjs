// The demo's server: what it gives out, in which pieces, and what it keeps.
import assert from "node:assert/strict";
import { mkdtemp, rm, symlink, writeFile } from "node:fs/promises";
import { request } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { startServer } from "../../demo/serve.mjs";

const bytes = Uint8Array.from({ length: 1000 }, (_, i) => i % 251);
let folder = "";
/** @type {Awaited<ReturnType<typeof startServer>>} */
let server;

before(async () => {
    folder = await mkdtemp(join(tmpdir(), "pipit-server-"));
    await writeFile(join(folder, "some.gguf"), bytes);
    await writeFile(join(folder, "secret.txt"), "secret");
    await symlink(join(folder, "some.gguf"), join(folder, "linked.gguf"));
    server = await startServer({ models: folder });
});
after(async () => {
    await server.close();
    await rm(folder, { recursive: true });
});

/** @param {string} path @param {RequestInit} [options] */
const get = (path, options) => fetch(new URL(path, server.url), options);

/** The status for an address as it stands. @param {string} path */
function statusOf(path) {
    const { hostname, port } = new URL(server.url);
    return new Promise((resolve, reject) => {
        request({ hostname, port, path }, (response) => {
            response.resume();
            resolve(response.statusCode);
        })
            .on("error", reject)
            .end();
    });
}

test("the page and the package, with the headers", async () => {
    const page = await get("/");
    assert.equal(page.status, 200);
    assert.match(await page.text(), /<title>Pipit/);
    const types = {
        "/": "text/html; charset=utf-8",
        "/app.js": "text/javascript; charset=utf-8",
        "/pipit/index.js": "text/javascript; charset=utf-8",
        "/pipit/worker.js": "text/javascript; charset=utf-8",
        "/pipit/pipit-simd128.wasm": "application/wasm",
    };
    for (const [path, type] of Object.entries(types)) {
        const { headers } = await get(path, { method: "HEAD" });
        assert.equal(headers.get("content-type"), type);
        const policy = headers.get("content-security-policy") ?? "";
        assert.match(policy, /^default-src 'self'; script-src 'self' 'wasm-/);
        assert.doesNotMatch(policy, /'unsafe-(inline|eval)'|data:|blob:/);
        assert.equal(headers.get("cross-origin-opener-policy"), "same-origin");
        assert.equal(
            headers.get("cross-origin-embedder-policy"),
            "require-corp",
        );
        assert.equal(headers.get("x-content-type-options"), "nosniff");
    }
});

test("without isolation those two are missing, the policy is not", async (t) => {
    const plain = await startServer({ isolation: false });
    t.after(plain.close);
    const { headers } = await fetch(plain.url);
    assert.equal(headers.get("cross-origin-opener-policy"), null);
    assert.equal(headers.get("cross-origin-embedder-policy"), null);
    assert.ok(headers.get("content-security-policy"));
});

/** [range, status, first byte, length] */
const ranges = /** @type {const} */ ([
    ["bytes=0-0", 206, 0, 1],
    ["bytes=10-19", 206, 10, 10],
    ["bytes=990-", 206, 990, 10],
    ["bytes=-7", 206, 993, 7],
    ["bytes=-5000", 206, 0, 1000],
    ["bytes=900-99999", 206, 900, 100],
    ["bytes=1000-", 416, 0, 0],
    ["bytes=-0", 416, 0, 0],
    ["bytes=20-10", 200, 0, 1000],
    ["bytes=0-1,5-6", 200, 0, 1000],
    ["lines=1-2", 200, 0, 1000],
]);

for (const [range, status, start, length] of ranges)
    test(`${range} of a model gives ${status}`, async () => {
        const reply = await get("/models/some.gguf", {
            headers: { range },
        });
        assert.equal(reply.status, status);
        const body = new Uint8Array(await reply.arrayBuffer());
        assert.deepEqual(body, bytes.slice(start, start + length));
        const contentRange = {
            200: null,
            206: `bytes ${start}-${start + length - 1}/1000`,
            416: "bytes */1000",
        }[status];
        assert.equal(reply.headers.get("content-range"), contentRange);
    });

test("a range holds for the same file only", async () => {
    const whole = await get("/models/some.gguf", { method: "HEAD" });
    const etag = whole.headers.get("etag") ?? "";
    assert.equal(whole.headers.get("accept-ranges"), "bytes");
    assert.equal(whole.headers.get("content-length"), "1000");
    const resume = (/** @type {string} */ ifRange) =>
        get("/models/some.gguf", {
            headers: { range: "bytes=10-", "if-range": ifRange },
        });
    assert.equal((await resume(etag)).status, 206);
    assert.equal((await resume('"another"')).status, 200);
    const again = await get("/models/some.gguf", {
        headers: { "if-none-match": etag, "cache-control": "no-cache" },
    });
    assert.equal(again.status, 304);
});

test("the manifest says which models are here", async () => {
    const manifest = await (await get("/models/manifest.json")).json();
    assert.ok(manifest.models.length >= 1);
    for (const model of manifest.models) assert.equal(model.here, false);
    assert.equal(typeof manifest.default, "string");
});

test("nothing else is given out", async () => {
    for (const path of [
        "/missing.js",
        "/serve.mjs",
        "/README.md",
        "/models/",
        "/models/secret.txt",
        "/models/some.gguf/more",
        "/models/../serve.mjs",
        "/models/%2e%2e/secret.txt",
        "/../package.json",
        "/%2e%2e/package.json",
        "/pipit/../package.json",
        "/pipit/..%2f..%2fmodels%2fmanifest.json",
        "/pipit//etc/passwd",
        "/css",
        "/%",
        "/a%00b.js",
        "/__proto__/x.js",
    ])
        assert.equal(await statusOf(path), 404, path);
    assert.equal(await statusOf("/models/linked.gguf"), 200);
    assert.equal((await get("/", { method: "POST" })).status, 405);
});

test("many at once, and readers that leave", async () => {
    const leave = new AbortController();
    const left = get("/pipit/pipit-relaxed.wasm", { signal: leave.signal });
    leave.abort();
    await assert.rejects(left);
    const replies = await Promise.all(
        Array.from({ length: 50 }, () => get("/models/some.gguf")),
    );
    for (const reply of replies)
        assert.equal((await reply.arrayBuffer()).byteLength, 1000);
});
