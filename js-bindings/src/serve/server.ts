/* server.ts — OpenAI's interface over HTTP: a `fetch` behind node:http, with
 * what an open port needs around it. */
import { createHash, timingSafeEqual } from "node:crypto";
import {
    createServer,
    type IncomingMessage,
    type Server,
    type ServerResponse,
} from "node:http";
import type { AddressInfo } from "node:net";
import { OpenAIError } from "../openai/errors.js";
import { errorBody } from "../openai/fetch.js";

export interface ServeOptions {
    /** 0 takes a free one. */
    readonly port: number;
    readonly host: string;
    /** What `Authorization: Bearer …` has to say; undefined: nothing. */
    readonly apiKey: string | undefined;
    /** The origin whose pages may ask, or "*"; undefined: none. */
    readonly cors: string | undefined;
    /** Bytes of a request's body. */
    readonly maxRequest: number;
    /** Milliseconds that answers have to end in when the server stops. */
    readonly graceMs: number;
    /** Milliseconds that a client may take to send a request, or to take what
     * it was sent. */
    readonly patienceMs: number;
}

const loopback = ["localhost", "127.0.0.1", "::1"];

const digest = (text: string) => createHash("sha256").update(text).digest();

/** By events: leaving a loop over the request would close its connection, and
 * with it the way for saying why. */
function readBody(
    request: IncomingMessage,
    most: number,
): Promise<Uint8Array<ArrayBuffer>> {
    return new Promise((resolve, reject) => {
        const parts: Uint8Array[] = [];
        let size = Number(request.headers["content-length"] ?? 0);
        const refuse = () => {
            request.off("data", take).pause();
            const message = `the request is larger than ${most} bytes`;
            reject(
                new OpenAIError(413, { message, code: "request_too_large" }),
            );
        };
        const take = (part: Uint8Array) => {
            size += part.length;
            if (size > most) refuse();
            else parts.push(part);
        };
        if (size > most) return refuse();
        size = 0;
        request.on("data", take);
        request.once("end", () =>
            resolve(new Uint8Array(Buffer.concat(parts))),
        );
        request.once("error", reject);
        request.once("close", () => reject(new Error("the client left")));
    });
}

/** Reads on past what is refused, for a while: a connection that closes while
 * its client still writes takes with it the answer that the client has not read. */
async function discard(request: IncomingMessage, ms: number): Promise<void> {
    if (request.complete || request.destroyed) return;
    await new Promise<void>((resolve) => {
        const end = () => {
            clearTimeout(timer);
            resolve();
        };
        const timer = setTimeout(end, ms);
        request.once("end", end).once("close", end).once("error", end);
        request.resume();
    });
}

/** Until the other end has taken what was written; false if it does not. */
const taken = (response: ServerResponse, ms: number): Promise<boolean> =>
    new Promise((resolve) => {
        const end = (fine: boolean) => {
            clearTimeout(timer);
            response.off("drain", drained).off("close", closed);
            resolve(fine);
        };
        const drained = () => end(true);
        const closed = () => end(false);
        const timer = setTimeout(closed, ms);
        response.on("drain", drained).on("close", closed);
    });

/** Writes no faster than the other end reads, and gives up on one that does not:
 * it would keep a session from others. */
async function send(
    reply: Response,
    response: ServerResponse,
    patienceMs: number,
): Promise<void> {
    response.writeHead(reply.status, Object.fromEntries(reply.headers));
    for await (const part of reply.body ?? []) {
        if (response.destroyed) return;
        if (response.write(part)) continue;
        if (!(await taken(response, patienceMs))) {
            response.destroy();
            return;
        }
    }
    response.end();
}

export class OpenAIServer {
    readonly #fetch: typeof fetch;
    readonly #options: ServeOptions;
    readonly #server: Server;
    readonly #running = new Set<AbortController>();
    #stopping = false;
    #idle = () => {};

    constructor(answers: typeof fetch, options: ServeOptions) {
        this.#fetch = answers;
        this.#options = options;
        const { patienceMs } = options;
        this.#server = createServer(
            {
                ...{ requestTimeout: patienceMs, headersTimeout: patienceMs },
                connectionsCheckingInterval: Math.min(patienceMs, 5000),
            },
            (request, response) => void this.#serve(request, response),
        );
    }

    /** Whether only this machine can ask. */
    get isLocal(): boolean {
        return loopback.includes(this.#options.host);
    }

    /** @returns the base address for clients */
    async start(): Promise<string> {
        const { host, port } = this.#options;
        await new Promise<void>((resolve, reject) => {
            this.#server.once("error", reject);
            this.#server.listen(port, host, resolve);
        });
        const bound = this.#server.address() as AddressInfo;
        const name = host.includes(":") ? `[${host}]` : host;
        return `http://${name}:${bound.port}/v1`;
    }

    /** Takes no more requests; lets answers end, but not for ever. */
    async stop(): Promise<void> {
        this.#stopping = true;
        const closed = new Promise((resolve) => this.#server.close(resolve));
        const abort = () => {
            for (const one of this.#running) one.abort();
        };
        const timer = setTimeout(abort, this.#options.graceMs);
        if (this.#running.size > 0)
            await new Promise<void>((resolve) => (this.#idle = resolve));
        clearTimeout(timer);
        this.#server.closeAllConnections();
        await closed;
    }

    async #serve(
        request: IncomingMessage,
        response: ServerResponse,
    ): Promise<void> {
        const running = new AbortController();
        this.#running.add(running);
        // Before its end: nobody reads the answer any more.
        response.once("close", () => running.abort());
        try {
            if (this.#stopping)
                throw new OpenAIError(503, {
                    message: "the server stops",
                    code: "stopping",
                });
            this.#allow(request, response);
            if (request.method === "OPTIONS" && this.#options.cors) {
                response.writeHead(204).end();
                return;
            }
            await this.#answer(request, response, running.signal);
        } catch (cause) {
            await this.#fail(request, response, cause);
        } finally {
            this.#running.delete(running);
            if (this.#stopping && this.#running.size === 0)
                setImmediate(this.#idle);
        }
    }

    #allow(request: IncomingMessage, response: ServerResponse): void {
        const { cors, apiKey } = this.#options;
        const named = request.headers.host?.replace(/:\d+$/, "") ?? "";
        const bare = named.replace(/^\[|\]$/g, "").toLowerCase();
        // A page whose own name was pointed at this machine.
        if (this.isLocal && !loopback.includes(bare))
            throw new OpenAIError(403, {
                message: "this server answers to the name localhost only",
            });
        if (cors) {
            response.setHeader("access-control-allow-origin", cors);
            response.setHeader(
                "access-control-allow-headers",
                "*, authorization",
            );
            response.setHeader("access-control-allow-methods", "GET, POST");
            if (cors !== "*") response.setHeader("vary", "origin");
            // Asked by pages of the internet for a server of this machine.
            const network = "access-control-request-private-network";
            if (request.headers[network] === "true")
                response.setHeader(
                    "access-control-allow-private-network",
                    "true",
                );
        }
        if (apiKey === undefined || request.method === "OPTIONS") return;
        const given = request.headers.authorization ?? "";
        if (!timingSafeEqual(digest(given), digest(`Bearer ${apiKey}`)))
            throw new OpenAIError(401, {
                message: "the API key is missing or wrong",
                code: "invalid_api_key",
            });
    }

    async #answer(
        request: IncomingMessage,
        response: ServerResponse,
        signal: AbortSignal,
    ): Promise<void> {
        const { method = "GET", headers, url = "/" } = request;
        let body: Uint8Array<ArrayBuffer> | undefined;
        if (method === "POST") {
            // Other types need no preflight: any page could send them.
            if (!/^application\/json\b/i.test(headers["content-type"] ?? ""))
                throw new OpenAIError(415, {
                    message: "the content type must be application/json",
                });
            body = await readBody(request, this.#options.maxRequest);
        }
        if (!/^(GET|HEAD|POST|PUT|PATCH|DELETE)$/.test(method))
            throw new OpenAIError(405, { message: `${method}: not offered` });
        if (!URL.canParse(url, "http://localhost"))
            throw new OpenAIError(400, { message: "no such address" });
        const asked = new URL(url, "http://localhost");
        const reply = await this.#fetch(asked, {
            method,
            signal,
            ...(body && { body }),
        });
        await send(reply, response, this.#options.patienceMs);
    }

    async #fail(
        request: IncomingMessage,
        response: ServerResponse,
        cause: unknown,
    ): Promise<void> {
        if (response.headersSent || response.destroyed) {
            response.destroy();
            return;
        }
        const { status, body } = errorBody(cause);
        const text = JSON.stringify(body);
        response.writeHead(status, {
            "content-type": "application/json",
            "content-length": Buffer.byteLength(text),
            connection: "close",
        });
        // Whole before the rest of the request is read: clients that look stop
        // sending; the others are listened to until they have sent it all.
        response.write(text);
        await discard(request, Math.min(this.#options.patienceMs, 5000));
        response.end();
    }
}
