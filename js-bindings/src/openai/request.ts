/* request.ts — what clients ask for, checked key by key. A key that is not
 * offered is refused: an answer that ignores it would be a wrong one. */
import type { GenerateOptions, ChatMessage } from "../types.js";
import { refuse } from "./errors.js";

type Body = Readonly<Record<string, unknown>>;

/** A request, in the words of sessions. */
export interface Wanted {
    readonly sampling: GenerateOptions;
    readonly n: number;
    readonly stream: boolean;
    readonly includeUsage: boolean;
}

export interface WantedChat extends Wanted {
    readonly messages: readonly ChatMessage[];
    readonly variables: Body;
}

export interface WantedCompletion extends Wanted {
    readonly prompts: readonly (string | readonly number[])[];
}

/** Keys that change nothing in an answer. */
const noted = ["user", "metadata", "safety_identifier", "prompt_cache_key"];

const common = [
    ...["model", "stream", "stream_options", "temperature", "top_p"],
    ...["presence_penalty", "frequency_penalty", "logit_bias", "seed"],
    ...["stop", "n", "max_tokens", "logprobs"],
    ...["top_k", "min_p", "repetition_penalty"],
    ...noted,
];
const ofChat = [
    ...[...common, "messages", "max_completion_tokens", "top_logprobs"],
    "chat_template_kwargs",
];
/** Options of the rendering, which are no variables of a template. */
const ofRendering = [
    ...["template", "tools", "addGenerationPrompt", "continueFinalMessage"],
    ...["signal", "now", "workerUrl", "messages", "bos_token", "eos_token"],
];
const ofCompletion = [...common, "prompt"];

/** Keys that are not offered, and the values with which they say nothing. */
const harmless: Readonly<Record<string, (value: unknown) => boolean>> = {
    tools: (value) => Array.isArray(value) && value.length === 0,
    functions: (value) => Array.isArray(value) && value.length === 0,
    tool_choice: (value) => value === "none" || value === "auto",
    function_call: (value) => value === "none" || value === "auto",
    response_format: (value) => isObject(value) && value["type"] === "text",
    modalities: (value) => Array.isArray(value) && value.join() === "text",
    store: (value) => value === false,
    service_tier: (value) => value === "auto" || value === "default",
    parallel_tool_calls: (value) => typeof value === "boolean",
    echo: (value) => value === false,
    best_of: (value) => value === 1,
    suffix: (value) => value === "",
};

function isObject(value: unknown): value is Body {
    return typeof value === "object" && value !== null && !Array.isArray(value);
}

function checkKeys(body: unknown, known: readonly string[]): Body {
    if (!isObject(body)) return refuse("body", "must be a JSON object");
    for (const [key, value] of Object.entries(body)) {
        if (value === undefined || value === null || known.includes(key))
            continue;
        // Own keys: a body may have one that every object inherits.
        const isHarmless = Object.hasOwn(harmless, key) && harmless[key];
        if (isHarmless && isHarmless(value)) continue;
        if (isHarmless)
            refuse(key, "not offered by this model", "unsupported_parameter");
        refuse(key, "unknown or not offered", "unsupported_parameter");
    }
    return body;
}

function number(
    body: Body,
    key: string,
    least: number,
    most: number,
    whole = false,
): number | undefined {
    const value = body[key] ?? undefined;
    if (value === undefined) return undefined;
    if (
        typeof value === "number" &&
        value >= least &&
        value <= most &&
        (!whole || Number.isInteger(value))
    )
        return value;
    const kind = whole ? "a whole number" : "a number";
    return refuse(key, `must be ${kind} from ${least} to ${most}`);
}

function boolean(body: Body, key: string): boolean {
    const value = body[key] ?? false;
    return typeof value === "boolean"
        ? value
        : refuse(key, "must be true or false");
}

function stopTexts(body: Body): string[] | undefined {
    const { stop } = body;
    if (stop === undefined || stop === null) return undefined;
    const texts: unknown[] = Array.isArray(stop) ? stop : [stop];
    if (texts.length > 16) refuse("stop", "at most 16 texts");
    if (!texts.every((text) => typeof text === "string" && text !== ""))
        refuse("stop", "must be a text or a list of texts, none empty");
    return texts as string[];
}

function logitBias(body: Body): Map<number, number> | undefined {
    const bias = body["logit_bias"] ?? undefined;
    if (bias === undefined) return undefined;
    if (!isObject(bias)) return refuse("logit_bias", "must be an object");
    const pairs = Object.entries(bias).map(([id, value]) => {
        const isId = /^\d{1,9}$/.test(id);
        const ok = typeof value === "number" && Math.abs(value) <= 100;
        if (!isId || !ok)
            refuse("logit_bias", "token ids with numbers from -100 to 100");
        return [
            Number(id),
            value === -100 ? -Infinity : Number(value),
        ] as const;
    });
    return new Map(pairs);
}

function streamOptions(body: Body, stream: boolean): boolean {
    const options = body["stream_options"] ?? undefined;
    if (options === undefined) return false;
    if (!isObject(options))
        return refuse("stream_options", "must be an object");
    if (!stream) refuse("stream_options", "is for stream: true only");
    const { include_obfuscation, ...rest } = options;
    if (include_obfuscation === true)
        refuse("stream_options.include_obfuscation", "not offered");
    const other = Object.keys(rest).find((key) => key !== "include_usage");
    if (other) refuse(`stream_options.${other}`, "unknown or not offered");
    return boolean(options, "include_usage");
}

function commonOf(body: Body, sampling: GenerateOptions): Wanted {
    const stream = boolean(body, "stream");
    return {
        stream,
        includeUsage: streamOptions(body, stream),
        n: number(body, "n", 1, 16, true) ?? 1,
        sampling: {
            temperature: number(body, "temperature", 0, 2),
            topP: number(body, "top_p", 0, 1),
            topK: number(body, "top_k", 0, 1e6, true),
            minP: number(body, "min_p", 0, 1),
            presencePenalty: number(body, "presence_penalty", -2, 2),
            frequencyPenalty: number(body, "frequency_penalty", -2, 2),
            repetitionPenalty: number(body, "repetition_penalty", 0.01, 100),
            logitBias: logitBias(body),
            seed: number(
                body,
                "seed",
                Number.MIN_SAFE_INTEGER,
                Number.MAX_SAFE_INTEGER,
                true,
            ),
            stop: stopTexts(body),
            ...sampling,
        },
    };
}

const MOST = 0xffffffff;

function textOf(content: unknown, at: string): string {
    if (typeof content === "string") return content;
    if (!Array.isArray(content) || content.length === 0)
        return refuse(at, "must be a text or a list of text parts");
    const texts = content.map((part: unknown, i) => {
        const type = isObject(part) ? part["type"] : undefined;
        if (!isObject(part) || type !== "text")
            return refuse(
                `${at}[${i}]`,
                `parts of the type ${JSON.stringify(type)} are not offered, ` +
                    "text is",
                "unsupported_value",
            );
        return typeof part["text"] === "string"
            ? part["text"]
            : refuse(`${at}[${i}].text`, "must be a string");
    });
    return texts.join("\n");
}

const roles = ["system", "developer", "user", "assistant"];
const ofMessage = ["role", "content", "name", "reasoning_content"];

function messageOf(message: unknown, i: number): ChatMessage {
    const at = `messages[${i}]`;
    if (!isObject(message)) return refuse(at, "must be an object");
    const { role, name, reasoning_content } = message;
    if (typeof role !== "string" || !roles.includes(role))
        return refuse(
            `${at}.role`,
            `must be one of ${roles.join(", ")}`,
            "unsupported_value",
        );
    for (const [key, value] of Object.entries(message)) {
        const empty =
            value === undefined ||
            value === null ||
            (Array.isArray(value) && value.length === 0);
        if (!empty && !ofMessage.includes(key))
            refuse(`${at}.${key}`, "not offered", "unsupported_parameter");
    }
    return {
        role: role === "developer" ? "system" : role,
        content: textOf(message["content"], `${at}.content`),
        ...(typeof name === "string" && { name }),
        ...(typeof reasoning_content === "string" && { reasoning_content }),
    };
}

export function wantedChat(given: unknown): WantedChat {
    const body = checkKeys(given, ofChat);
    const { messages, chat_template_kwargs: variables } = body;
    if (!Array.isArray(messages) || messages.length === 0)
        return refuse("messages", "must be a list of at least one message");
    if (variables !== undefined && variables !== null && !isObject(variables))
        return refuse("chat_template_kwargs", "must be an object");
    for (const key of ofRendering)
        if (isObject(variables) && Object.hasOwn(variables, key))
            refuse(`chat_template_kwargs.${key}`, "not offered");
    const logprobs = boolean(body, "logprobs");
    const top = number(body, "top_logprobs", 0, 20, true);
    if (top !== undefined && !logprobs)
        refuse("top_logprobs", "needs logprobs: true");
    const maxTokens =
        number(body, "max_completion_tokens", 1, MOST, true) ??
        number(body, "max_tokens", 1, MOST, true);
    return {
        ...commonOf(body, {
            maxTokens,
            logprobs: logprobs ? (top ?? 0) : undefined,
        }),
        messages: messages.map(messageOf),
        variables: (variables as Body | null | undefined) ?? {},
    };
}

const isTokens = (value: unknown): value is number[] =>
    Array.isArray(value) &&
    value.length > 0 &&
    value.every((id) => Number.isInteger(id) && id >= 0 && id <= MOST);

export function wantedCompletion(given: unknown): WantedCompletion {
    const body = checkKeys(given, ofCompletion);
    const { prompt } = body;
    const prompts: unknown[] =
        Array.isArray(prompt) && !isTokens(prompt) ? prompt : [prompt];
    const fine = prompts.every(
        (one) => (typeof one === "string" && one !== "") || isTokens(one),
    );
    if (!fine || prompts.length === 0 || prompts.length > 64)
        refuse("prompt", "must be a text, tokens, or 1 to 64 of them");
    return {
        ...commonOf(body, {
            maxTokens: number(body, "max_tokens", 1, MOST, true) ?? 16,
            logprobs: number(body, "logprobs", 0, 20, true),
        }),
        prompts: prompts as (string | number[])[],
    };
}
