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

const month =
    "(?:jan(?:uary)?|feb(?:ruary)?|mar(?:ch)?|apr(?:il)?|may|june?|july?|" +
    "aug(?:ust)?|sept?(?:ember)?|oct(?:ober)?|nov(?:ember)?|dec(?:ember)?)" +
    "(?!\\p{L})\\.?";
const dates = [
    String.raw`\d{4}-\d{2}-\d{2}`,
    String.raw`\d{1,2}[./]\s?\d{1,2}[./]\s?(?:\d{4}|\d{2})(?!\d)`,
    String.raw`\d{1,2}(?:st|nd|rd|th)?\.?\s+${month}(?:,?\s+\d{4})?`,
    String.raw`${month}\s+\d{1,2}(?:st|nd|rd|th)?(?!\d)(?:,?\s+\d{4})?`,
    String.raw`${month}\s+\d{4}`,
];
const number = String.raw`\d[\d.,]*(?:\s(?:million|billion|thousand))?`;
const unit =
    "(?:%|percent|€|\\$|£|¥|EUR|USD|GBP|CHF|euros?|dollars?|pounds|cents?|" +
    "kg|g|mg|km|cm|mm|m²|m³|litres?|liters?|hours?|minutes?|days?|weeks?|" +
    "months?|years?|kWh|kW|W|°C)";

/**
 * What is extracted. Dates, amounts and contacts are found by rules, so that
 * they are exact and none is missed in a long text; the rest by the model.
 * @type {Record<string, { label: string, pattern: RegExp, ask?: string }>}
 */
export const extracts = {
    facts: {
        label: "Key facts",
        ask: "List the key facts in the text, one in each line.",
        pattern: /\d|\b(must|shall|is|are)\b/gi,
    },
    people: {
        label: "People",
        ask:
            "Who is named in the text? List each person and organisation in a " +
            "line, with what they do.",
        pattern: /\b\p{Lu}\p{Ll}+ \p{Lu}\p{Ll}+\b/gu,
    },
    dates: {
        label: "Dates",
        pattern: new RegExp(`(?<![\\w-])(?:${dates.join("|")})`, "giu"),
    },
    amounts: {
        label: "Amounts",
        pattern: new RegExp(
            `[€$£¥]\\s?${number}|(?<![\\w.,-])${number}\\s?${unit}(?!\\p{L})`,
            "gu",
        ),
    },
    contacts: {
        label: "Contacts",
        pattern:
            /[\w.+-]+@[\w-]+(?:\.[\w-]+)+|(?:https?:\/\/|www\.)[^\s)>\]]+|(?<![\w-])(?!\d{4}-\d\d-\d\d)\+?\(?\d[\d ()/-]{6,}\d/g,
    },
};

const MOST_FOUND = 200;

/** The sentence around a place in a text. @param {string} text @param {number} at */
function sentenceAt(text, at) {
    const before = text.slice(0, at).split(/\n|(?<=[.!?])\s+(?=\p{Lu})/u);
    const after = text.slice(at).split(/\n|(?<=[.!?])\s+(?=\p{Lu})/u);
    const sentence = `${before.at(-1) ?? ""}${after[0] ?? ""}`.trim();
    return sentence.length > 240 ? `${sentence.slice(0, 240)}…` : sentence;
}

/**
 * All that a pattern finds, each with its sentence and the number of its
 * passage; and those passages.
 * @template {{ text: string }} T
 * @param {readonly T[]} passages
 * @param {RegExp} pattern
 */
export function findAll(passages, pattern) {
    /** @type {T[]} */
    const sources = [];
    const lines = [];
    const seen = new Set();
    for (const passage of passages) {
        const { text } = passage;
        for (const found of text.matchAll(pattern)) {
            const sentence = sentenceAt(text, found.index);
            const words = found[0].replace(/[\s.,;:]+$/, "");
            const key = `${words}\n${sentence}`;
            if (seen.has(key) || lines.length >= MOST_FOUND) continue;
            seen.add(key);
            if (sources.at(-1) !== passage) sources.push(passage);
            const more = sentence === words ? "" : `: ${sentence}`;
            lines.push(`**${words}**${more} [${sources.length}]`);
        }
    }
    return { answer: lines.join("\n\n"), sources };
}

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

/** Those near the best, and only a few: the rest would distract a small model. @template {{ score: number }} T @param {readonly T[]} hits @param {number} most */
export const bestOf = (hits, most) =>
    hits
        .filter(({ score }) => score >= NEAR * (hits[0]?.score ?? 0))
        .slice(0, most);

/** Of the best one's score. */
const NEAR = 0.35;

/**
 * What the model is asked. What is read last is remembered best, so the question
 * stands at the end and the best passage before it.
 * @param {Task} task
 * @param {string} question
 * @param {readonly Source[]} sources the best first, or in order
 * @param {boolean} marks numbers that the answer can name: for models that
 *     are not confused by them
 */
export function writePrompt(task, question, sources, marks) {
    const passages = sources.map(({ text, place, name }, i) => {
        // A heading often says what its text is about; a page number does not.
        const about = /^(page|rows?|line) \d/.test(place) ? "" : place;
        const head = [marks ? `[${i + 1}]` : "", marks ? name : "", about];
        return [head.filter(Boolean).join(" "), text]
            .filter(Boolean)
            .join("\n");
    });
    if (task !== "ask") return `${passages.join("\n\n")}\n\n${question}`;
    const text = passages.reverse().join("\n\n");
    if (marks)
        return (
            `${text}\n\nQuestion: ${question}\nAnswer from the passages above ` +
            "only, and name the number of the passage, such as [1]. If they do " +
            "not answer it, say so."
        );
    return `${text}\n\nQuestion: ${question}\nGive a short answer from the text above.`;
}

/**
 * What was used, for the user. `total` is 0 where it does not matter.
 * @param {readonly Source[]} sources
 * @param {number} total passages that there were
 */
export function describeUse(sources, total) {
    const files = [...new Set(sources.map(({ name }) => name))];
    if (files.length > 1)
        return `From ${sources.length} passages of ${files.length} documents`;
    const [name = "the document"] = files;
    const n = sources.length;
    if (total === 0)
        return `From ${n === 1 ? "a passage" : `${n} passages`} of ${name}`;
    if (n >= total) return `From all of ${name}`;
    const where = describePlaces(sources);
    return (
        `From ${n} of ${total} passages of ${name}` +
        (where ? `: ${where}` : "")
    );
}
