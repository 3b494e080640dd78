// A real HTTP server that gives one file in every wrong way: by path.
import { createServer } from "node:http";

/**
 * @typedef {object} BadServer
 * @property {string} url without a path, ends in a slash
 * @property {{ path: string, range: string | undefined }[]} requests
 * @property {() => Promise<void>} close
 */

const limits = { connectMs: 20_000, stallMs: 1000, attempts: 3, retryMs: 5 };

/** Little patience, for tests. */
export const impatient = limits;

/**
 * `/good/…` is honest. The others: status numbers, `html`, `long` and `short`
 * (of the length they name), `changing` (another etag for each request, and the
 * first of them torn), `torn` (the first request ends half way), `rangeless` (so
 * too, and then no ranges), `unsatisfied` (so too, and then 416 to any), `silent`
 * (half a file, then nothing), `loop` (redirects to itself), `slow` (a piece at a
 * time).
 * @param {Uint8Array} body
 * @returns {Promise<BadServer>}
 */
export async function startBadServer(body) {
    const { answer, requests } = badAnswers(body);
    const server = createServer(answer);
    await new Promise((done) =>
        server.listen(0, "127.0.0.1", () => done(undefined)),
    );
    const { port } = /** @type {import("node:net").AddressInfo} */ (
        server.address()
    );
    return {
        url: `http://127.0.0.1:${port}/`,
        requests,
        close: () =>
            new Promise((done) => {
                server.close(() => done());
                server.closeAllConnections();
            }),
    };
}

/**
 * The same for a server that has more to give: the site that asks.
 * @param {Uint8Array} body
 */
export function badAnswers(body) {
    /** @type {BadServer["requests"]} */
    const requests = [];
    const half = body.length >> 1;
    /** @type {import("node:http").RequestListener} */
    const answer = (request, response) => {
        const path = request.url ?? "/";
        const { range } = request.headers;
        response.setHeader("access-control-allow-origin", "*");
        response.setHeader(
            "access-control-expose-headers",
            "etag, content-range",
        );
        response.setHeader("access-control-allow-headers", "*, authorization");
        response.setHeader("cross-origin-resource-policy", "cross-origin");
        if (request.method === "OPTIONS") return void response.end();
        requests.push({ path, range });
        const nth = requests.filter((past) => past.path === path).length;
        const [, way = ""] = path.split("/");
        const etag = way === "changing" ? `"v${nth}"` : '"v1"';
        if (way === "unsatisfied" && range)
            return void response.writeHead(416).end();
        const ifRange =
            way === "rangeless" ? "no" : (request.headers["if-range"] ?? etag);
        const from = ifRange === etag ? Number(/\d+/.exec(range ?? "")) : 0;

        /** @param {number} length promised */
        const head = (length) => {
            if (from > 0)
                response.setHeader(
                    "content-range",
                    `bytes ${from}-${length - 1}/${length}`,
                );
            response.writeHead(from > 0 ? 206 : 200, {
                etag,
                "content-length": length - from,
                "content-type": "application/octet-stream",
            });
        };
        if (/^\d+$/.test(way))
            return void response.writeHead(Number(way)).end("no");
        if (way === "secret" && request.headers.authorization !== "Bearer key")
            return void response.writeHead(401).end("no");
        if (way === "loop")
            return void response
                .writeHead(302, { location: String(path.split("/").at(-1)) })
                .end();
        if (way === "html") {
            response.writeHead(200, { "content-type": "text/html" });
            return void response.end("<!doctype html><p>Please log in.");
        }
        if (way === "text") return void response.end("this is no model");
        if (way === "unnamed") return void response.end(body); // no validator
        if (way === "halves") {
            // No validator, and the first time half of what it promised.
            response.setHeader("content-length", body.length);
            if (nth > 1) return void response.end(body);
            response.write(body.subarray(0, half));
            return void setTimeout(() => response.destroy(), 50);
        }
        head(way === "long" ? body.length + 10 : body.length);
        if (way === "short") {
            // Less than it promised, and the connection ends.
            response.write(body.subarray(from, half));
            return void setTimeout(() => response.destroy(), 20);
        }
        const isFirst = nth === 1;
        if (way === "silent" && isFirst)
            return void response.write(body.subarray(from, half));
        const tears = ["torn", "changing", "rangeless", "unsatisfied"];
        if (tears.includes(way) && isFirst) {
            response.write(body.subarray(from, half));
            return void setTimeout(() => response.destroy(), 50);
        }
        if (way === "slow") return void drip(response, body, from);
        response.write(body.subarray(from));
        return void response.end(way === "long" ? Buffer.alloc(10) : "");
    };
    return { answer, requests };
}

/**
 * @param {import("node:http").ServerResponse} response
 * @param {Uint8Array} body
 * @param {number} from
 */
function drip(response, body, from) {
    const step = Math.ceil(body.length / 40);
    const timer = setInterval(() => {
        response.write(body.subarray(from, from + step));
        from += step;
        if (from < body.length) return;
        clearInterval(timer);
        response.end();
    }, 50);
    response.on("close", () => clearInterval(timer));
}
