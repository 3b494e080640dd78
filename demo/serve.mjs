// The demo's server, of Node's own modules: the pages, the package under /pipit/,
// libraries under /vendor/ and the models already pulled under /models/.
// Nothing else need be reachable.
//
//   npm run demo -- [--port N] [--host NAME] [--no-isolation] [--models FOLDER]
//   npm run demo -- --export FOLDER
import { createReadStream } from "node:fs";
import { access, readFile, realpath, stat } from "node:fs/promises";
import { createServer } from "node:http";
import { homedir } from "node:os";
import { extname, join, resolve, sep } from "node:path";
import { pipeline } from "node:stream/promises";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { apiFolder, apiPolicy, buildApi, hasApi } from "./api.mjs";
import { composePage } from "./pages.mjs";
import { exportSite, serviceWorker, vendored } from "./shell.mjs";

const here = fileURLToPath(new URL(".", import.meta.url));
const packageFolder = join(here, "../js-bindings/dist");
const manifestFile = join(here, "../models/manifest.json");

const USAGE = `npm run demo -- [options]
  --port N         the first port to try (8080)
  --host NAME      the address to listen at (127.0.0.1)
  --no-isolation   without the two headers that threads need
  --models FOLDER  folder of GGUF files (the cache of \`pipit pull\`)
  --export FOLDER  write what a static host serves, and end`;

/** What is served, by the end of its name. @type {Record<string, string>} */
const contentTypes = {
    ".html": "text/html; charset=utf-8",
    ".css": "text/css; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".svg": "image/svg+xml",
    ".png": "image/png",
    ".webmanifest": "application/manifest+json",
    ".jsonl": "application/jsonl",
    ".wasm": "application/wasm",
    ".gguf": "application/octet-stream",
    ".bcmap": "application/octet-stream",
    ".txt": "text/plain; charset=utf-8",
};

/* The same policy stands in the pages, but for what only a header may say. A
 * worker has the policy it was served with, so it goes with every answer.
 * connect-src: a model may be fetched from an address that the user types. */
const POLICY = [
    "default-src 'self'",
    "script-src 'self' 'wasm-unsafe-eval'",
    "connect-src 'self' https: http://localhost:* http://127.0.0.1:*",
    "object-src 'none'",
    "base-uri 'none'",
    "form-action 'none'",
    "frame-ancestors 'none'",
].join("; ");

const commonHeaders = {
    "Content-Security-Policy": POLICY,
    "Cache-Control": "no-cache",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
};

const isolationHeaders = {
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Embedder-Policy": "require-corp",
    "Cross-Origin-Resource-Policy": "same-origin",
};

/** As the command `pipit` has it. */
function modelFolder() {
    const { PIPIT_CACHE, XDG_CACHE_HOME } = process.env;
    const cache = PIPIT_CACHE
        ? resolve(PIPIT_CACHE)
        : join(XDG_CACHE_HOME ?? join(homedir(), ".cache"), "pipit");
    return join(cache, "models");
}

/**
 * @typedef {object} ServerOptions
 * @property {number} [port] 0 takes any
 * @property {string} [host]
 * @property {boolean} [isolation] send the isolation headers
 * @property {string} [models] folder of GGUF files
 * @property {string} [page] folder of another page than the demo's
 */

/**
 * Where the three parts of the addresses lie.
 * @typedef {{ page: string, pipit: string, models: string }} Folders
 */

/**
 * The file that an address names; undefined when there is none, or when it
 * would lie outside of the folder that the address may name.
 * @param {string} pathname
 * @param {Folders} folders
 */
async function findFile(pathname, { page, pipit, models }) {
    let path;
    try {
        path = decodeURIComponent(pathname);
    } catch {
        return undefined;
    }
    const [, first = "", ...rest] = path.split("/");
    const mounts = new Map(Object.entries({ pipit, models, api: apiFolder }));
    const mounted = mounts.get(first);
    const names = mounted ? rest : [first || "index.html", ...rest];
    const wrong = /^$|^\.|[\0\\]/;
    const kind = extname(names.at(-1) ?? "");
    if (names.some((name) => wrong.test(name))) return undefined;
    if (!Object.hasOwn(contentTypes, kind)) return undefined;
    if (first === "vendor") return findVendored(rest);
    if (mounted === models && (names.length > 1 || kind !== ".gguf"))
        return undefined;
    try {
        const folder = await realpath(mounted ?? page);
        const file = await realpath(join(folder, ...names));
        const facts = await stat(file);
        // A link in the cache may lead anywhere: the user put it there.
        const inside = mounted === models || file.startsWith(folder + sep);
        const isPage = !mounted && kind === ".html";
        return facts.isFile() && inside ? { file, facts, isPage } : undefined;
    } catch {
        return undefined;
    }
}

/** A file of the libraries. @param {string[]} names below vendor/ */
async function findVendored([first = "", ...rest]) {
    const found = Object.entries(vendored).find(([name]) => name === first);
    if (!found || rest.length > 1) return undefined;
    const file = join(found[1], ...rest);
    const facts = await stat(file).catch(() => undefined);
    return facts?.isFile() ? { file, facts, isPage: false } : undefined;
}

/**
 * One range of bytes, both ends included.
 * @param {string | undefined} header
 * @param {number} size
 * @returns {{ start: number, end: number } | "all" | "none"}
 */
function parseRange(header, size) {
    const [, from = "", to = ""] =
        /^bytes=(\d*)-(\d*)$/.exec(header ?? "") ?? [];
    if (from === "" && to === "") return "all";
    if (from === "") {
        const length = Math.min(Number(to), size);
        return length === 0 ? "none" : { start: size - length, end: size - 1 };
    }
    const start = Number(from);
    const end = to === "" ? size - 1 : Math.min(Number(to), size - 1);
    if (start >= size) return "none";
    return start > end ? "all" : { start, end };
}

/** The manifest, with what is already here marked. @param {Folders} folders */
async function manifestFor(folders) {
    const manifest = JSON.parse(await readFile(manifestFile, "utf8"));
    for (const model of manifest.models) {
        const found = await findFile(`/models/${model.file}`, folders);
        model.here = found?.facts.size === model.size;
    }
    manifest.api = await hasApi();
    return JSON.stringify(manifest);
}

/**
 * @typedef {import("node:http").IncomingMessage} Request
 * @typedef {import("node:http").ServerResponse} Response
 */

/**
 * @param {Request} request
 * @param {Response} response
 * @param {{ file: string, facts: import("node:fs").Stats }} found
 */
async function sendFile(request, response, { file, facts }) {
    const { size, mtimeMs } = facts;
    const etag = `"${size.toString(36)}-${Math.floor(mtimeMs).toString(36)}"`;
    const kind = extname(file).replace(/^\.mjs$/, ".js");
    const type = contentTypes[kind] ?? "application/octet-stream";
    const { headers } = request;
    response.setHeader("ETag", etag);
    response.setHeader("Accept-Ranges", "bytes");
    response.setHeader("Content-Type", type);
    if (headers["if-none-match"] === etag) {
        response.writeHead(304).end();
        return;
    }
    const asked = headers["if-range"] ?? etag;
    const range = asked === etag ? parseRange(headers.range, size) : "all";
    if (range === "none") {
        response.writeHead(416, { "Content-Range": `bytes */${size}` }).end();
        return;
    }
    const { start, end } =
        range === "all" ? { start: 0, end: size - 1 } : range;
    response.setHeader("Content-Length", end - start + 1);
    if (range !== "all")
        response.setHeader("Content-Range", `bytes ${start}-${end}/${size}`);
    response.statusCode = range === "all" ? 200 : 206;
    if (request.method === "HEAD" || size === 0) {
        response.end();
        return;
    }
    const highWaterMark = 2 ** 18;
    const bytes = createReadStream(file, { start, end, highWaterMark });
    // A tab that is closed while it reads is nothing to speak of.
    await pipeline(bytes, response).catch(() => response.destroy());
}

/** @param {Response} response @param {number} status @param {string} text */
function sendText(response, status, text) {
    response.writeHead(status, { "Content-Type": "text/plain; charset=utf-8" });
    response.end(`${text}\n`);
}

/**
 * @param {Request} request
 * @param {Response} response
 * @param {Folders} folders
 */
async function answer(request, response, folders) {
    const { method = "GET", url = "/" } = request;
    if (method !== "GET" && method !== "HEAD") {
        response.setHeader("Allow", "GET, HEAD");
        return sendText(response, 405, "only GET and HEAD");
    }
    const [pathname = "/"] = url.split("?");
    if (pathname === "/models/manifest.json") {
        response.setHeader("Content-Type", "application/json");
        return void response.end(await manifestFor(folders));
    }
    if (pathname === "/sw.js" && folders.page === resolve(here)) {
        response.setHeader("Content-Type", contentTypes[".js"] ?? "");
        return void response.end(await serviceWorker(folders));
    }
    if (pathname.startsWith("/api/"))
        response.setHeader("Content-Security-Policy", apiPolicy);
    const found = await findFile(pathname, folders);
    if (found?.isPage) {
        response.setHeader("Content-Type", contentTypes[".html"] ?? "");
        return void response.end(await composePage(found.file));
    }
    if (found) return sendFile(request, response, found);
    return sendText(response, 404, "there is no such file");
}

/**
 * Starts the server; `close` ends it with all that it is sending.
 * @param {ServerOptions} [options]
 * @returns {Promise<{ url: string, close: () => Promise<void> }>}
 */
export async function startServer(options = {}) {
    const { port = 0, host = "127.0.0.1", isolation = true } = options;
    const folders = {
        page: resolve(options.page ?? here),
        pipit: packageFolder,
        models: resolve(options.models ?? modelFolder()),
    };
    const headers = { ...commonHeaders, ...(isolation && isolationHeaders) };
    const server = createServer((request, response) => {
        for (const [name, value] of Object.entries(headers))
            response.setHeader(name, value);
        answer(request, response, folders).catch((error) => {
            console.error(error);
            if (response.headersSent) response.destroy();
            else sendText(response, 500, "the server failed");
        });
    });
    await new Promise((done, fail) => {
        server.once("error", fail);
        server.listen(port, host, () => done(undefined));
    });
    const address = server.address();
    const bound = typeof address === "object" ? address?.port : port;
    const name = host.includes(":") ? `[${host}]` : host;
    return {
        url: `http://${name}:${bound}/`,
        close: () =>
            new Promise((done) => {
                server.close(() => done());
                server.closeAllConnections();
            }),
    };
}

/** The first free port from this one on. @param {ServerOptions} options */
async function startAtFreePort(options) {
    const first = options.port ?? 8080;
    for (let port = first; ; port++) {
        try {
            return await startServer({ ...options, port });
        } catch (error) {
            const { code } = /** @type {NodeJS.ErrnoException} */ (error);
            if (code !== "EADDRINUSE" || port >= first + 20) throw error;
        }
    }
}

/** @param {string[]} args */
async function main(args) {
    const { values } = parseArgs({
        args,
        options: {
            port: { type: "string", default: "8080" },
            host: { type: "string", default: "127.0.0.1" },
            models: { type: "string" },
            "no-isolation": { type: "boolean", default: false },
            export: { type: "string" },
            help: { type: "boolean", short: "h", default: false },
        },
    });
    if (values.help) return void console.log(USAGE);
    if (!/^\d{1,5}$/.test(values.port)) throw new Error("--port is a number");
    await access(join(packageFolder, "index.js"));
    if (values.export !== undefined) {
        const page = resolve(here);
        const sources = { page, pipit: packageFolder, manifest: manifestFile };
        await buildApi();
        return exportSite(sources, resolve(values.export));
    }
    const isolation = !values["no-isolation"];
    const { url, close } = await startAtFreePort({
        port: Number(values.port),
        host: values.host,
        isolation,
        ...(values.models && { models: values.models }),
    });
    console.log(
        `${url}${isolation ? "" : "   (without isolation: one thread)"}`,
    );
    for (const signal of ["SIGINT", "SIGTERM"])
        process.once(signal, () => void close());
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
    try {
        await main(process.argv.slice(2));
    } catch (error) {
        console.error(error instanceof Error ? error.message : error);
        process.exitCode = 1;
    }
}
