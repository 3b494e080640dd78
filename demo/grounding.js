// An answer from documents: which passages the model reads, and in what words.
import { describePlaces } from "./passages.js";

/** @typedef {import("./passages.js").Passage} Passage */
/** @typedef {"ask" | "summarize" | "extract"} Task */

/**
 * A passage that was given to the model.
 * @typedef {object} Source
 * @property {string} document
 * @property {string} name of the document
 * @property {number} n
 * @property {string} place
 * @property {string} text
 */

/** What is extracted: the question, and where to look for it. */
export const extracts = {
    facts: {
        label: "Key facts",
        ask: "List the key facts in the text, one in each line.",
        pattern: /\d|\b(must|shall|is|are)\b/gi,
    },
    dates: {
        label: "Dates",
        ask: "List every date in the text, each with what happens on it.",
        pattern:
            /\b\d{1,4}[./-]\d{1,2}[./-]\d{1,4}\b|\b(?:19|20)\d\d\b|\b(?:jan|feb|mar|apr|may|jun|jul|aug|sep|oct|nov|dec)[a-z]*\.? \d/gi,
    },
    amounts: {
        label: "Amounts",
        ask: "List every amount of money or quantity in the text, each with what it is for.",
        pattern:
            /[$€£¥]\s?\d|\d[\d.,]*\s?(?:%|€|\$|£|EUR|USD|GBP|kg|km|percent)/gi,
    },
    people: {
        label: "People",
        ask: "List the people and organisations in the text, each with their part in it.",
        pattern: /\b\p{Lu}\p{Ll}+ \p{Lu}\p{Ll}+\b/gu,
    },
    contacts: {
        label: "Contacts",
        ask: "List every e-mail address, telephone number and web address in the text.",
        pattern:
            /[\w.+-]+@[\w-]+\.\w+|https?:\/\/\S+|(?!\d{4}-\d\d-\d\d)\+?\b\d[\d ()/-]{7,}\d/g,
    },
};

/**
 * Those with most of what the pattern finds first.
 * @template {{ text: string }} T
 * @param {readonly T[]} passages
 * @param {RegExp} pattern
 */
export function rankByPattern(passages, pattern) {
    return passages
        .map((passage) => ({
            passage,
            n: passage.text.match(pattern)?.length ?? 0,
        }))
        .filter(({ n }) => n > 0)
        .sort((a, b) => b.n - a.n)
        .map(({ passage }) => passage);
}

/**
 * An order of reading for a whole: the beginning, the end, and then what lies
 * in the middle of what was not taken, so that any number of them is spread.
 * @template T
 * @param {readonly T[]} items
 * @returns {T[]}
 */
export function spread(items) {
    /** @type {T[]} */
    const order = [];
    const seen = new Set();
    const take = (/** @type {number} */ i) => {
        if (seen.has(i) || i < 0 || i >= items.length) return;
        seen.add(i);
        order.push(/** @type {T} */ (items[i]));
    };
    take(0);
    take(items.length - 1);
    for (let parts = 2; seen.size < items.length; parts *= 2)
        for (let k = 1; k < parts; k++)
            take(Math.round((k * (items.length - 1)) / parts));
    return order;
}

/**
 * As many as fit, in the order given.
 * @template {{ text: string }} T
 * @param {readonly T[]} ranked
 * @param {number} budget tokens
 * @param {(text: string) => Promise<number>} count tokens of a text
 */
export async function takeWhatFits(ranked, budget, count) {
    /** @type {T[]} */
    const taken = [];
    let left = budget;
    let misses = 0;
    for (const item of ranked) {
        const tokens = (await count(item.text)) + MARK_TOKENS;
        if (tokens <= left) {
            taken.push(item);
            left -= tokens;
        } else if (++misses >= 3) {
            break;
        }
    }
    return taken;
}

/** Of the mark and the place before each passage. */
const MARK_TOKENS = 16;

/** Tokens for the words around the passages. */
export const FRAME_TOKENS = 96;

/** @param {readonly Source[]} sources */
function passagesText(sources) {
    const severalFiles = new Set(sources.map(({ document }) => document)).size;
    return sources
        .map(({ name, place, text }, i) => {
            const at = [severalFiles > 1 ? name : "", place].filter(Boolean);
            return `[${i + 1}]${at.length ? ` ${at.join(", ")}` : ""}\n${text}`;
        })
        .join("\n\n");
}

/**
 * What the model is asked. Small models read the last words best, so the
 * question stands there.
 * @param {Task} task
 * @param {string} question
 * @param {readonly Source[]} sources in the order of the document
 */
export function writePrompt(task, question, sources) {
    const text = passagesText(sources);
    if (task === "summarize")
        return `Here is a text:\n\n${text}\n\n${question}`;
    if (task === "extract")
        return (
            `Here is a text:\n\n${text}\n\n${question} ` +
            "Use only what the text says."
        );
    return (
        `Here are passages from documents:\n\n${text}\n\n` +
        "Answer the question from these passages only, in a few sentences. If " +
        `they do not answer it, say so.\n\nQuestion: ${question}`
    );
}

/**
 * What was used, for the user.
 * @param {readonly Source[]} sources
 * @param {number} total passages that there were
 */
export function describeUse(sources, total) {
    const files = [...new Set(sources.map(({ name }) => name))];
    if (files.length > 1)
        return `From ${sources.length} passages of ${files.length} documents`;
    const [name = "the document"] = files;
    if (sources.length >= total) return `From all of ${name}`;
    const where = describePlaces(sources);
    return (
        `From ${sources.length} of ${total} passages of ${name}` +
        (where ? `: ${where}` : "")
    );
}
