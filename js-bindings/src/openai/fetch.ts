/* fetch.ts — `fetch` that asks no network: OpenAI's addresses, answered here. */
import type { Client } from "./client.js";
import { OpenAIError, translated } from "./errors.js";
import { ChunkStream } from "./stream.js";

const encoder = new TextEncoder();

const json = (value: unknown, status = 200, headers = {}) =>
    new Response(JSON.stringify(value), {
        status,
        headers: { "content-type": "application/json", ...headers },
    });

export function errorBody(cause: unknown): {
    readonly status: number;
    readonly body: { readonly error: OpenAIError["error"] };
} {
    const known = translated(cause);
    const message = cause instanceof Error ? cause.message : String(cause);
    const error =
        known instanceof OpenAIError
            ? known
            : new OpenAIError(500, { message, code: "internal" });
    return { status: error.status, body: { error: error.error } };
}

const isAborted = (cause: unknown, signal: AbortSignal) =>
    signal.aborted && !(cause instanceof OpenAIError);

const abortError = (signal: AbortSignal): unknown =>
    (signal.reason as unknown) ?? new DOMException("aborted", "AbortError");

/** Server-sent events, once there is one: what fails before it has a status of
 * its own. An error half way is an event too. */
async function events(
    stream: ChunkStream<unknown>,
    signal: AbortSignal,
): Promise<Response> {
    const chunks = stream[Symbol.asyncIterator]();
    let first: IteratorResult<unknown, void> | undefined = await chunks.next();
    const event = (text: string) => encoder.encode(`data: ${text}\n\n`);
    const body = new ReadableStream<Uint8Array>({
        async pull(controller) {
            try {
                const next = first ?? (await chunks.next());
                first = undefined;
                const text = next.done ? "[DONE]" : JSON.stringify(next.value);
                controller.enqueue(event(text));
                if (next.done) controller.close();
            } catch (cause) {
                if (isAborted(cause, signal))
                    return controller.error(abortError(signal));
                const { body } = errorBody(cause);
                controller.enqueue(event(JSON.stringify(body)));
                controller.close();
            }
        },
        async cancel() {
            // A generator that waits for a token ends by its signal only.
            stream.controller.abort();
            await chunks.return().catch(() => {});
        },
    });
    const headers = {
        "content-type": "text/event-stream",
        "cache-control": "no-cache",
    };
    return new Response(body, { headers });
}

function decoded(text: string): string {
    try {
        return decodeURIComponent(text);
    } catch (cause) {
        const message = `${text} is no part of an address`;
        throw new OpenAIError(400, { message, param: "model" }, { cause });
    }
}

async function readBody(request: Request): Promise<unknown> {
    try {
        return await request.json();
    } catch (cause) {
        const why = cause instanceof Error ? cause.message : String(cause);
        throw new OpenAIError(
            400,
            { message: `the body is not JSON: ${why}` },
            { cause },
        );
    }
}

async function reply(client: Client, request: Request): Promise<Response> {
    const { pathname } = new URL(request.url);
    const [, route] =
        /\/(chat\/completions|completions|models(?:\/.+)?)\/?$/.exec(
            pathname,
        ) ?? [];
    const method = route?.startsWith("models") ? "GET" : "POST";
    if (route === undefined)
        throw new OpenAIError(404, {
            message: `${request.method} ${pathname}: not offered`,
            code: "not_found",
        });
    if (request.method !== method) {
        const message = `${pathname} takes ${method}`;
        const { body } = errorBody(new OpenAIError(405, { message }));
        return json(body, 405, { allow: method });
    }
    if (route.startsWith("models")) {
        const model = {
            ...{ id: client.name, object: "model" },
            ...{ created: 0, owned_by: "pipit" },
        };
        if (route === "models") return json({ object: "list", data: [model] });
        const asked = decoded(route.slice("models/".length));
        client.checkModel({ model: asked });
        return json(model);
    }
    const body = await readBody(request);
    const wants = (body as { stream?: unknown } | null)?.stream === true;
    const { signal } = request;
    const answered =
        route === "completions"
            ? await client.complete(body, wants, signal)
            : await client.chat(body, wants, signal);
    return answered instanceof ChunkStream
        ? events(answered as ChunkStream<unknown>, signal)
        : json(answered);
}

/** A `fetch` over the client. Rejects only where a request is aborted. */
export function fetchOver(client: Client): typeof fetch {
    return async (input, init) => {
        const request = new Request(input, init);
        try {
            return await reply(client, request);
        } catch (cause) {
            if (isAborted(cause, request.signal))
                throw abortError(request.signal);
            const { status, body } = errorBody(cause);
            return json(body, status);
        }
    };
}
