/* input.ts — what callers pass, checked in the words of the draft: which error,
 * of which name, for which clause. */

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

const roles = ["system", "user", "assistant"];
const types = ["text", "image", "audio", "tool-call", "tool-response"];

export const failure = (name: string, message: string, cause?: unknown) => {
    const error = new DOMException(message, name);
    if (cause !== undefined)
        Object.defineProperty(error, "cause", { value: cause });
    return error;
};

export const notSupported = (message: string) =>
    failure("NotSupportedError", message);

/** A member of a dictionary, as IDL reads it: null and undefined are none. */
export function dictionary(value: unknown): Readonly<Record<string, unknown>> {
    if (value === undefined || value === null) return {};
    if (typeof value === "object" || typeof value === "function")
        return value as Readonly<Record<string, unknown>>;
    throw new TypeError("the options are not an object");
}

export function oneOf(value: unknown, known: readonly string[], what: string) {
    const text = String(value);
    if (known.includes(text)) return text;
    throw new TypeError(`${what}: "${text}" is none of ${known.join(", ")}`);
}

export function sequence(value: unknown, what: string): unknown[] {
    if (typeof value === "object" && value !== null)
        if (Symbol.iterator in value) return [...(value as Iterable<unknown>)];
    throw new TypeError(`${what} is not a sequence`);
}

export function signalOf(
    options: Readonly<Record<string, unknown>>,
): AbortSignal | undefined {
    const { signal } = options;
    if (signal === undefined || signal instanceof AbortSignal) return signal;
    throw new TypeError("signal is not an AbortSignal");
}

function contentText(content: unknown, role: string): string {
    if (typeof content !== "object" || content === null) return String(content);
    const texts = sequence(content, "content").map((part) => {
        const { type, value } = dictionary(part);
        if (type === undefined || value === undefined)
            throw new TypeError("a part of a content has a type and a value");
        const kind = oneOf(type, types, "type");
        if (kind !== "text")
            throw notSupported(`${kind} in a message of the ${role}`);
        if (typeof value !== "string")
            throw new TypeError("the value of a text is not a string");
        return value;
    });
    return texts.join("");
}

/** @param appended whether the session holds anything already: a system message
 *     comes only as the very first */
export function messagesOf(input: unknown, appended: boolean): PlainMessage[] {
    const isSequence =
        typeof input === "object" && input !== null && Symbol.iterator in input;
    const plain = (content: string): PlainMessage[] => [
        { role: "user", content, prefix: false },
    ];
    if (!isSequence) return plain(String(input));
    const given = sequence(input, "input").map(dictionary);
    if (given.length === 0) return plain("");
    // IDL converts all of them before the first clause is looked at.
    const converted = given.map(({ role, content, prefix }) => {
        if (role === undefined || content === undefined)
            throw new TypeError("a message has a role and a content");
        return {
            role: oneOf(role, roles, "role"),
            prefix: Boolean(prefix),
            content,
        };
    });
    return converted.map(({ role, prefix, content }, i) => {
        if (prefix && role !== "assistant")
            throw failure("SyntaxError", "prefix is for the assistant only");
        if (prefix && i !== converted.length - 1)
            throw failure("SyntaxError", "prefix is for the last message only");
        if (role === "system" && (appended || i > 0))
            throw new TypeError("a system message comes first, or not at all");
        return { role, prefix, content: contentText(content, role) };
    });
}

/** Languages are checked, and any is taken; types are text or nothing. */
export function supported(options: Readonly<Record<string, unknown>>): boolean {
    let fine = true;
    for (const key of ["expectedInputs", "expectedOutputs"]) {
        if (options[key] === undefined) continue;
        for (const expected of sequence(options[key], key)) {
            const { type, languages } = dictionary(expected);
            if (type === undefined) throw new TypeError(`${key}: no type`);
            if (oneOf(type, types, key) !== "text") fine = false;
            if (languages !== undefined)
                Intl.getCanonicalLocales(
                    sequence(languages, "languages").map(String),
                );
        }
    }
    if (options["tools"] !== undefined)
        for (const tool of sequence(options["tools"], "tools")) {
            const { name, description, inputSchema, execute } =
                dictionary(tool);
            if (name === undefined || description === undefined)
                throw new TypeError("a tool has a name and a description");
            if (typeof inputSchema !== "object" || inputSchema === null)
                throw new TypeError("a tool's inputSchema is an object");
            if (typeof execute !== "function")
                throw new TypeError("a tool's execute is a function");
            fine = false;
        }
    return fine;
}

/** @throws where a constraint is given: of a wrong kind, or not offered */
export function checkConstraint(options: Readonly<Record<string, unknown>>) {
    const { responseConstraint: constraint } = options;
    if (constraint === undefined) {
        if (options["omitResponseConstraintInput"])
            throw new TypeError(
                "omitResponseConstraintInput needs a responseConstraint",
            );
        return;
    }
    if (typeof constraint !== "object" || constraint === null)
        throw new TypeError("responseConstraint is a JSON Schema or a RegExp");
    throw notSupported("responseConstraint is not offered yet");
}
