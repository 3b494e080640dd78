// Serves a folder over HTTP as any static host does, with whatever headers a
// test wants.
import { readFile, realpath } from "node:fs/promises";
import { createServer } from "node:http";
import { extname, join, sep } from "node:path";

/** @type {Record<string, string>} */
const types = {
    ".html": "text/html; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".mjs": "text/javascript; charset=utf-8",
    ".svg": "image/svg+xml",
    ".wasm": "application/wasm",
};

/** The headers that threads need. */
export const isolation = {
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Embedder-Policy": "require-corp",
    "Cross-Origin-Resource-Policy": "cross-origin",
};

/**
 * @param {{ after(work: () => unknown): void }} t
 * @param {string} folder
 * @param {Record<string, string>} [headers] of every answer
 * @returns {Promise<string>} its address, with a slash at the end
 */
export async function serveFolder(t, folder, headers = {}) {
    const root = await realpath(folder);
    const server = createServer(async (request, response) => {
        const { pathname } = new URL(request.url ?? "/", "http://x");
        const name = decodeURIComponent(pathname).replace(/\/$/, "/index.html");
        for (const [key, value] of Object.entries(headers))
            response.setHeader(key, value);
        try {
            const file = await realpath(join(root, name));
            if (!file.startsWith(root + sep)) throw new Error("outside");
            const bytes = await readFile(file);
            const type = types[extname(file)] ?? "application/octet-stream";
            response.writeHead(200, { "Content-Type": type }).end(bytes);
        } catch {
            response.writeHead(404).end("there is no such file\n");
        }
    });
    await new Promise((done) =>
        server.listen(0, "127.0.0.1", () => done(undefined)),
    );
    t.after(() => {
        server.closeAllConnections();
        server.close();
    });
    const address = server.address();
    const port = typeof address === "object" ? address?.port : 0;
    return `http://127.0.0.1:${port}/`;
}
