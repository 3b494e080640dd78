// A static host of an exported site that knows what was asked of it, and can be
// killed and started again at the same address.
import { readFile } from "node:fs/promises";
import { createServer } from "node:http";
import { extname, join, normalize } from "node:path";

/** @type {Record<string, string>} */
const types = {
    ".html": "text/html; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".css": "text/css; charset=utf-8",
    ".svg": "image/svg+xml",
    ".png": "image/png",
    ".wasm": "application/wasm",
    ".json": "application/json",
    ".webmanifest": "application/manifest+json",
};

const isolation = {
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-embedder-policy": "require-corp",
    "cross-origin-resource-policy": "same-origin",
};

/**
 * @typedef {object} Site
 * @property {string} url ends in a slash
 * @property {string[]} requests paths, since the start or the last restart
 * @property {() => Promise<void>} kill
 * @property {() => Promise<void>} restart
 */

/**
 * @param {{ after: (end: () => unknown) => void }} t the test, which ends it
 * @param {string} folder
 * @param {Record<string, string>} [headers] of every answer
 * @param {import("node:http").RequestListener} [bad] answers what is under bad/
 * @returns {Promise<Site>}
 */
export async function startSite(t, folder, headers = {}, bad) {
    /** @type {string[]} */
    const requests = [];
    const create = () =>
        createServer(async (request, response) => {
            const { pathname } = new URL(String(request.url), "http://site/");
            if (bad && pathname.startsWith("/bad/")) {
                request.url = String(request.url).slice("/bad".length);
                return void bad(request, response);
            }
            requests.push(pathname);
            const path = normalize(pathname).replace(/\/$/, "/index.html");
            try {
                const bytes = await readFile(join(folder, path));
                response.writeHead(200, {
                    ...headers,
                    "content-type":
                        types[extname(path)] ?? "application/octet-stream",
                    "content-length": bytes.length,
                });
                response.end(bytes);
            } catch {
                response.writeHead(404, headers).end();
            }
        });
    let server = create();
    const listen = (/** @type {number} */ port) =>
        new Promise((done, fail) => {
            server.once("error", fail);
            server.listen(port, "127.0.0.1", () => done(undefined));
        });
    const kill = () =>
        new Promise((/** @type {(value: void) => void} */ done) => {
            server.close(() => done());
            server.closeAllConnections();
        });
    await listen(0);
    const { port } = /** @type {import("node:net").AddressInfo} */ (
        server.address()
    );
    t.after(() => (server.listening ? kill() : undefined));
    return {
        url: `http://127.0.0.1:${port}/`,
        requests,
        kill,
        async restart() {
            requests.length = 0;
            server = create();
            await listen(port);
        },
    };
}

/** What a page with threads needs. */
export const isolated = isolation;

/** As strict as the demo's, and as a package's reader may have it. */
export const policy = {
    "content-security-policy":
        "default-src 'self'; script-src 'self' 'wasm-unsafe-eval'; " +
        "connect-src 'self' http://127.0.0.1:*",
};
