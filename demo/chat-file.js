// Chats as a file: JSON that can be read back, and Markdown for people.

/**
 * @typedef {object} Figures of an answer
 * @property {number} promptTokens
 * @property {number} cachedTokens
 * @property {number} completionTokens
 * @property {number} rate      tokens per second of the answer
 * @property {number} firstMs   to the first token
 */

/**
 * A question and its answer.
 * @typedef {object} TurnRecord
 * @property {string} id
 * @property {string} chat
 * @property {number} at        milliseconds since 1970
 * @property {string} question
 * @property {string} answer
 * @property {string} [reasoning]
 * @property {string} [ended]   how, where it was not by itself: "aborted", …
 * @property {string} [model]   its label
 * @property {import("./grounding.js").Task} [task]
 * @property {import("./grounding.js").Source[]} [sources]
 * @property {string} [used]    what of the documents, in words
 * @property {Figures} [figures]
 */

/**
 * @typedef {object} ChatRecord
 * @property {string} id
 * @property {string} title
 * @property {number} createdAt
 * @property {number} updatedAt
 * @property {{ source: string | null, label: string } | null} model
 *     the source is null when it was a file of the user
 * @property {string[]} files   ids of the documents that answers come from
 * @property {boolean} library  answers come from the library
 */

/** @typedef {{ chat: ChatRecord, turns: TurnRecord[] }} WholeChat */

const FORMAT = "pipit-chats";
const VERSION = 1;

export class ChatFileError extends Error {
    name = "ChatFileError";
    code = "chat-file";
    /** @param {string} message @param {string} key where in the file */
    constructor(message, key) {
        super(key ? `${key}: ${message}` : message);
        this.key = key;
    }
}

/** @param {readonly WholeChat[]} chats */
export function chatsToJSON(chats) {
    const content = {
        format: FORMAT,
        version: VERSION,
        chats: chats.map(({ chat, turns }) => ({
            title: chat.title,
            createdAt: chat.createdAt,
            updatedAt: chat.updatedAt,
            model: chat.model?.label ?? null,
            turns: turns.map(({ id: _, chat: __, ...turn }) => turn),
        })),
    };
    return JSON.stringify(content, null, 2);
}

/** A quote in Markdown. @param {string} text */
const quoted = (text) => text.replace(/^/gm, "> ");

/** @param {WholeChat} whole */
export function chatToMarkdown({ chat, turns }) {
    const parts = [`# ${chat.title}`];
    for (const turn of turns) {
        parts.push(quoted(turn.question));
        if (turn.answer) parts.push(turn.answer.trim());
        if (turn.sources?.length)
            parts.push(
                turn.sources
                    .map(
                        ({ name, place }, i) =>
                            `${i + 1}. ${name}${place ? `, ${place}` : ""}`,
                    )
                    .join("\n"),
            );
    }
    const models = new Set(turns.map(({ model }) => model).filter(Boolean));
    if (models.size > 0)
        parts.push(`*Answered on this device by ${[...models].join(", ")}.*`);
    return `${parts.join("\n\n")}\n`;
}

/** A name for a file that any system takes. @param {string} title @param {string} kind */
export function fileName(title, kind) {
    const plain = title
        .replace(/[\p{C}<>:"/\\|?*]+/gu, " ")
        .replace(/\s+/g, " ")
        .trim()
        .slice(0, 60)
        .replace(/^\.+|[. ]+$/g, "");
    return `${plain || "chat"}.${kind}`;
}

const MOST_TEXT = 4_000_000;

/**
 * @param {any} value
 * @param {string} key
 * @param {boolean} [optional]
 * @returns {string}
 */
function text(value, key, optional = false) {
    if (optional && (value === undefined || value === null)) return "";
    if (typeof value !== "string") throw new ChatFileError("is no text", key);
    if (value.length > MOST_TEXT) throw new ChatFileError("is too long", key);
    return value;
}

/** @param {any} value @param {string} key */
function time(value, key) {
    if (typeof value !== "number" || !(value >= 0 && value < 8.64e15))
        throw new ChatFileError("is no time", key);
    return value;
}

/** @param {any} value @param {string} key @returns {any[]} */
function list(value, key) {
    if (!Array.isArray(value)) throw new ChatFileError("is no list", key);
    return value;
}

/** @param {any} value @param {string} key @returns {Record<string, any>} */
function object(value, key) {
    if (typeof value !== "object" || value === null || Array.isArray(value))
        throw new ChatFileError("is no object", key);
    return value;
}

/** @param {any} value @param {string} key */
function figuresOf(value, key) {
    const found = object(value, key);
    const number = (/** @type {string} */ name) => {
        const one = found[name];
        if (typeof one !== "number" || !Number.isFinite(one) || one < 0)
            throw new ChatFileError("is no number", `${key}.${name}`);
        return one;
    };
    return {
        promptTokens: number("promptTokens"),
        cachedTokens: number("cachedTokens"),
        completionTokens: number("completionTokens"),
        rate: number("rate"),
        firstMs: number("firstMs"),
    };
}

/** @param {any} value @param {string} key */
function sourceOf(value, key) {
    const found = object(value, key);
    return {
        // The document itself is not in the file.
        document: "",
        name: text(found.name, `${key}.name`),
        n: Number.isInteger(found.n) ? found.n : 0,
        place: text(found.place, `${key}.place`, true),
        text: text(found.text, `${key}.text`),
    };
}

/** @param {any} value @param {string} key @param {string} chat @param {() => string} newId @returns {TurnRecord} */
function turnOf(value, key, chat, newId) {
    const found = object(value, key);
    const at = (/** @type {string} */ name) => `${key}.${name}`;
    /** @type {TurnRecord} */
    const turn = {
        id: newId(),
        chat,
        at: time(found.at, at("at")),
        question: text(found.question, at("question")),
        answer: text(found.answer, at("answer")),
    };
    for (const name of /** @type {const} */ ([
        "reasoning",
        "ended",
        "model",
        "used",
    ]))
        if (found[name]) turn[name] = text(found[name], at(name));
    if (["ask", "summarize", "extract"].includes(found.task))
        turn.task = found.task;
    if (found.sources)
        turn.sources = list(found.sources, at("sources")).map((source, i) =>
            sourceOf(source, `${at("sources")}[${i}]`),
        );
    if (found.figures) turn.figures = figuresOf(found.figures, at("figures"));
    return turn;
}

/**
 * What `chatsToJSON` wrote, checked, with new ids. Nothing is taken from a file
 * that is wrong anywhere.
 * @param {string} json
 * @param {() => string} newId
 * @returns {WholeChat[]}
 */
export function parseChats(json, newId) {
    let content;
    try {
        content = JSON.parse(json);
    } catch (error) {
        const why = error instanceof Error ? error.message : "";
        throw new ChatFileError(`This is no JSON: ${why}`, "");
    }
    const found = object(content, "file");
    if (found.format !== FORMAT)
        throw new ChatFileError(`is not "${FORMAT}"`, "format");
    if (found.version !== VERSION)
        throw new ChatFileError(
            `is ${JSON.stringify(found.version)}, this page reads ${VERSION}`,
            "version",
        );
    return list(found.chats, "chats").map((value, i) => {
        const key = `chats[${i}]`;
        const one = object(value, key);
        const id = newId();
        const label = text(one.model, `${key}.model`, true);
        const turns = list(one.turns, `${key}.turns`);
        return {
            chat: {
                id,
                title: text(one.title, `${key}.title`).slice(0, 200) || "Chat",
                createdAt: time(one.createdAt, `${key}.createdAt`),
                updatedAt: time(one.updatedAt, `${key}.updatedAt`),
                model: label ? { source: null, label } : null,
                files: [],
                library: false,
            },
            turns: turns.map((turn, k) =>
                turnOf(turn, `${key}.turns[${k}]`, id, newId),
            ),
        };
    });
}
