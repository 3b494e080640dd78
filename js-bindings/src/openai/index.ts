/* index.ts — `pipit/openai`: a model behind OpenAI's interface, in this process.
 * Nothing is sent anywhere. */
/// <reference lib="esnext.disposable" preserve="true" />
import type { CancelOptions, Model } from "../types.js";
import { Client } from "./client.js";
import { translated } from "./errors.js";
import { fetchOver } from "./fetch.js";
import type { ChunkStream } from "./stream.js";
import type * as api from "./types.js";

export { OpenAIError, type ErrorBody } from "./errors.js";
export type { ChunkStream } from "./stream.js";
export type * from "./types.js";

export interface OpenAIOptions {
    /** What `model` of requests is to say. Default: the file's own name. */
    readonly name?: string | undefined;
    /** Conversations kept evaluated, each with the memory of a session, and
     * requests answered at the same time. Default 2. */
    readonly sessions?: number | undefined;
    /** Requests that may wait for a session; further ones are refused with
     * status 429. Default 64. */
    readonly queue?: number | undefined;
    /** Positions of each session. Default: that of `loadModel`. */
    readonly contextLength?: number | undefined;
}

/** Overloads: a whole reply, or its chunks where `stream` is true. */
export interface Create<Params, Whole, Chunk> {
    (
        params: Params & { readonly stream: true },
        options?: CancelOptions,
    ): Promise<ChunkStream<Chunk>>;
    (
        params: Params & { readonly stream?: false | null | undefined },
        options?: CancelOptions,
    ): Promise<Whole>;
    (
        params: Params,
        options?: CancelOptions,
    ): Promise<Whole | ChunkStream<Chunk>>;
}

export interface OpenAILike {
    readonly chat: {
        readonly completions: {
            readonly create: Create<
                api.ChatParams,
                api.ChatCompletion,
                api.ChatCompletionChunk
            >;
        };
    };
    readonly completions: {
        readonly create: Create<
            api.CompletionParams,
            api.Completion,
            api.CompletionChunk
        >;
    };
    /** For clients that take one: `new OpenAI({ fetch, baseURL, apiKey })`.
     * The address may be any; its end says what is asked. */
    readonly fetch: typeof fetch;
    /** The name that requests may give as `model`. */
    readonly model: string;
    /** Closes the sessions, not the model. */
    close(): Promise<void>;
    [Symbol.asyncDispose](): Promise<void>;
}

function count(name: string, value: number, least: number): number {
    if (Number.isInteger(value) && value >= least && value <= 1024)
        return value;
    throw new RangeError(
        `${name} must be a whole number from ${least} to 1024`,
    );
}

/** @param model stays the caller's; its other sessions work beside. */
export function createOpenAI(
    model: Model,
    options: OpenAIOptions = {},
): OpenAILike {
    const name = options.name ?? (model.name || "pipit");
    const client = new Client(
        model,
        name,
        {
            sessions: count("sessions", options.sessions ?? 2, 1),
            queue: count("queue", options.queue ?? 64, 0),
            contextLength: options.contextLength,
        },
        `pipit-${model.architecture}-${model.parameters}`,
    );
    const create =
        (work: "chat" | "complete") =>
        async (
            params: { stream?: unknown },
            { signal }: CancelOptions = {},
        ) => {
            try {
                const stream = params?.stream === true;
                return await client[work](params, stream, signal);
            } catch (cause) {
                throw translated(cause);
            }
        };
    const close = () => client.pool.close();
    return {
        chat: {
            completions: {
                create: create(
                    "chat",
                ) as OpenAILike["chat"]["completions"]["create"],
            },
        },
        completions: {
            create: create("complete") as OpenAILike["completions"]["create"],
        },
        fetch: fetchOver(client),
        model: name,
        close,
        [Symbol.asyncDispose]: close,
    };
}
