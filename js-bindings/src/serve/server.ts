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
}

const loopback = ["localhost", "127.0.0.1", "::1"];

const digest = (text: string) => createHash("sha256").update(text).digest();

async function readBody(
    request: IncomingMessage,
    most: number,
): Promise<Uint8Array<ArrayBuffer>> {
    const tooLarge = () =>
        new OpenAIError(413, {
            message: `the request is larger than ${most} bytes`,
            code: "request_too_large",
        });
    if (Number(request.headers["content-length"] ?? 0) > most) throw tooLarge();
    const parts: Uint8Array[] = [];
    let size = 0;
    for await (const part of request as AsyncIterable<Uint8Array>) {
        size += part.length;
        if (size > most) throw tooLarge();
        parts.push(part);
    }
    return new Uint8Array(Buffer.concat(parts));
}

/** Writes no faster than the other end reads. */
async function send(reply: Response, response: ServerResponse): Promise<void> {
    response.writeHead(reply.status, Object.fromEntries(reply.headers));
    for await (const part of reply.body ?? [])
        if (!response.write(part) && !response.destroyed)
            await new Promise<void>((resolve) => {
                const go = () => {
                    response.off("drain", go).off("close", go);
                    resolve();
                };
                response.on("drain", go).on("close", go);
            });
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
        this.#server = createServer((request, response) => {
            void this.#serve(request, response);
        });
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
            this.#allow(request, response);
            if (request.method === "OPTIONS" && this.#options.cors) {
                response.writeHead(204).end();
                return;
            }
            await this.#answer(request, response, running.signal);
        } catch (cause) {
            this.#fail(response, cause);
        } finally {
            this.#running.delete(running);
            if (this.#stopping && this.#running.size === 0)
                setImmediate(this.#idle);
        }
    }

    #allow(request: IncomingMessage, response: ServerResponse): void {
        const { host, cors, apiKey } = this.#options;
        const named = request.headers.host?.replace(/:\d+$/, "") ?? "";
        const bare = named.replace(/^\[|\]$/g, "").toLowerCase();
        // A page whose own name was pointed at this machine.
        if (loopback.includes(host) && !loopback.includes(bare))
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
        await send(reply, response);
    }

    #fail(response: ServerResponse, cause: unknown): void {
        if (response.headersSent || response.destroyed) {
            response.destroy();
            return;
        }
        const { status, body } = errorBody(cause);
        // What is left of a body that was not read is not worth reading.
        response.writeHead(status, {
            "content-type": "application/json",
            connection: "close",
        });
        response.end(JSON.stringify(body));
    }
}
