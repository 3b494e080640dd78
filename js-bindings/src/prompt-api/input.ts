/* input.ts — what callers pass, read twice: first as Web IDL converts it (a
 * wrong kind is a TypeError before anything else happens), then clause by clause
 * as the draft validates it. */

export interface PromptMessage {
    readonly role: "system" | "user" | "assistant";
    readonly content:
        string | readonly { readonly type: "text"; readonly value: string }[];
    /** The last message, of the assistant: the answer goes on from it. */
    readonly prefix?: boolean | undefined;
}

export type PromptInput = string | readonly PromptMessage[];

/** A message with its texts joined. */
export interface PlainMessage {
    readonly role: string;
    readonly content: string;
    readonly prefix: boolean;
}

interface Part {
    readonly type: string;
    /** An object where it is a picture, a sound or bytes. */
    readonly value: string | object;
}

interface Message {
    readonly role: string;
    readonly content: string | readonly Part[];
    readonly prefix: boolean;
}

/** An input after its conversion. */
export type Converted = string | readonly Message[];

export type Dictionary = Readonly<Record<string, unknown>>;

const roles = ["system", "user", "assistant"];
const types = ["text", "image", "audio", "tool-call", "tool-response"];
const media = [
    ...["Blob", "ImageData", "ImageBitmap", "VideoFrame", "OffscreenCanvas"],
    ...["HTMLImageElement", "SVGImageElement", "HTMLCanvasElement"],
    ...["HTMLVideoElement", "AudioBuffer"],
];

export const failure = (name: string, message: string, cause?: unknown) => {
    const error = new DOMException(message, name);
    if (cause !== undefined)
        Object.defineProperty(error, "cause", { value: cause });
    return error;
};

export const notSupported = (message: string) =>
    failure("NotSupportedError", message);

// ---- conversion --------------------------------------------------------------

const isObject = (value: unknown): value is object =>
    (typeof value === "object" && value !== null) ||
    typeof value === "function";

/** Not `String`: it would take symbols. */
const textOf = (value: unknown) => `${value as string}`;

/** null and undefined have no members. */
export function dictionary(value: unknown): Dictionary {
    if (value === undefined || value === null) return {};
    if (isObject(value)) return value as Dictionary;
    throw new TypeError("the value is not an object");
}

export function oneOf(value: unknown, known: readonly string[], what: string) {
    const text = textOf(value);
    if (known.includes(text)) return text;
    throw new TypeError(`${what}: "${text}" is none of ${known.join(", ")}`);
}

const isSequence = (value: unknown): value is Iterable<unknown> =>
    isObject(value) &&
    typeof (value as Partial<Iterable<unknown>>)[Symbol.iterator] ===
        "function";

/** Far above any input that could be of use: an iterator may have no end. */
const MOST = 1_000_000;

export function sequence(value: unknown, what: string): unknown[] {
    if (!isSequence(value)) throw new TypeError(`${what} is not a sequence`);
    const items: unknown[] = [];
    for (const item of value)
        if (items.push(item) > MOST)
            throw new TypeError(`${what} has more than ${MOST} items`);
    return items;
}

export function signalOf(options: Dictionary): AbortSignal | undefined {
    const { signal } = options;
    if (signal === undefined || signal instanceof AbortSignal) return signal;
    throw new TypeError("signal is not an AbortSignal");
}

function isMedia(value: unknown): value is object {
    if (!isObject(value)) return false;
    if (value instanceof ArrayBuffer || ArrayBuffer.isView(value)) return true;
    return media.some((name) => {
        const known = (globalThis as Dictionary)[name];
        return typeof known === "function" && value instanceof known;
    });
}

function convertPart(part: unknown): Part {
    const { type, value } = dictionary(part);
    if (type === undefined || value === undefined)
        throw new TypeError("a part of a content has a type and a value");
    return {
        type: oneOf(type, types, "type"),
        value: isMedia(value) ? value : textOf(value),
    };
}

function convertMessage(message: unknown): Message {
    const { role, content, prefix } = dictionary(message);
    if (role === undefined || content === undefined)
        throw new TypeError("a message has a role and a content");
    return {
        content: isSequence(content)
            ? sequence(content, "content").map(convertPart)
            : textOf(content),
        prefix: Boolean(prefix),
        role: oneOf(role, roles, "role"),
    };
}

export const convertMessages = (value: unknown, what: string): Message[] =>
    sequence(value, what).map(convertMessage);

export const convertPrompt = (input: unknown): Converted =>
    isSequence(input) ? convertMessages(input, "the input") : textOf(input);

interface Expected {
    readonly type: string;
    readonly languages: readonly string[] | undefined;
}

export interface Core {
    readonly expected: readonly Expected[];
    readonly tools: number;
}

function convertTool(tool: unknown): void {
    const { name, description, inputSchema, execute } = dictionary(tool);
    if (name === undefined || description === undefined)
        throw new TypeError("a tool has a name and a description");
    textOf(name);
    textOf(description);
    if (!isObject(inputSchema))
        throw new TypeError("a tool's inputSchema is an object");
    if (typeof execute !== "function")
        throw new TypeError("a tool's execute is a function");
}

export function convertCore(options: Dictionary): Core {
    const expected = ["expectedInputs", "expectedOutputs"].flatMap((key) => {
        if (options[key] === undefined) return [];
        return sequence(options[key], key).map((one) => {
            const { type, languages } = dictionary(one);
            if (type === undefined) throw new TypeError(`${key}: no type`);
            return {
                languages:
                    languages === undefined
                        ? undefined
                        : sequence(languages, "languages").map(textOf),
                type: oneOf(type, types, key),
            };
        });
    });
    const { tools } = options;
    const listed = tools === undefined ? [] : sequence(tools, "tools");
    for (const tool of listed) convertTool(tool);
    return { expected, tools: listed.length };
}

/** @returns whether a constraint is given */
export function convertConstraint(options: Dictionary): boolean {
    const { responseConstraint: constraint } = options;
    if (constraint !== undefined && !isObject(constraint))
        throw new TypeError("responseConstraint is a JSON Schema or a RegExp");
    if (constraint === undefined && options["omitResponseConstraintInput"])
        throw new TypeError(
            "omitResponseConstraintInput needs a responseConstraint",
        );
    return constraint !== undefined;
}

// ---- validation --------------------------------------------------------------

function contentText({ role, content }: Message): string {
    if (typeof content === "string") return content;
    const texts = content.map(({ type, value }) => {
        if (type !== "text")
            throw notSupported(`${type} in a message of the ${role}`);
        if (typeof value !== "string")
            throw new TypeError("the value of a text is not a string");
        return value;
    });
    return texts.join("");
}

/** @param appended whether the session holds anything already: a system message
 *     comes only as the very first */
export function validated(input: Converted, appended: boolean): PlainMessage[] {
    if (typeof input === "string" || input.length === 0) {
        const content = typeof input === "string" ? input : "";
        return [{ role: "user", content, prefix: false }];
    }
    return input.map((message, i) => {
        const { role, prefix } = message;
        if (prefix && role !== "assistant")
            throw failure("SyntaxError", "prefix is for the assistant only");
        if (prefix && i !== input.length - 1)
            throw failure("SyntaxError", "prefix is for the last message only");
        if (role === "system" && (appended || i > 0))
            throw new TypeError("a system message comes first, or not at all");
        return { role, prefix, content: contentText(message) };
    });
}

/** Any language is taken, if it is one.
 * @throws RangeError */
export function validateLanguages({ expected }: Core): void {
    for (const { languages = [] } of expected)
        Intl.getCanonicalLocales([...languages]);
}

/** Text is offered, and no tools yet. */
export const isOffered = ({ expected, tools }: Core): boolean =>
    tools === 0 && expected.every(({ type }) => type === "text");
