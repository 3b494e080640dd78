// A document as passages: pieces of a few sentences, each with the place it
// stands at, small enough that several fit into what a model can read.

/**
 * What stands together: a page, what is under a heading, rows of a table.
 * @typedef {object} Section
 * @property {string} text
 * @property {string} place in words, such as "page 3"; "" where there is none
 */

/**
 * @typedef {object} Passage
 * @property {number} n     its place in the document, from 0
 * @property {string} text
 * @property {string} place
 */

/** Letters of a passage: some 170 tokens of English. */
export const PASSAGE_LENGTH = 700;

/** Where a text may be cut, the best first. */
const cuts = [/\n\s*\n/g, /\n/g, /[.!?…。！？]["'”’)]*\s+|[。！？]/g, /\s+/g];

/**
 * Pieces of at most `size` letters, cut where it hurts least.
 * @param {string} text
 * @param {number} size
 * @param {number} [kind] of `cuts`
 * @returns {string[]}
 */
function cutText(text, size, kind = 0) {
    if (text.length <= size) return [text];
    const pattern = cuts[kind];
    if (!pattern) {
        // One word without an end: cut between whole characters.
        const letters = Array.from(text);
        const pieces = [];
        for (let i = 0; i < letters.length; i += size)
            pieces.push(letters.slice(i, i + size).join(""));
        return pieces;
    }
    const parts = [];
    let start = 0;
    for (const found of text.matchAll(pattern)) {
        const end = found.index + found[0].length;
        parts.push(text.slice(start, end));
        start = end;
    }
    parts.push(text.slice(start));
    /** @type {string[]} */
    const pieces = [];
    let piece = "";
    for (const part of parts) {
        if (piece && piece.length + part.length > size) {
            pieces.push(piece);
            piece = "";
        }
        if (part.length > size) {
            const smaller = cutText(part, size, kind + 1);
            piece = smaller.pop() ?? "";
            pieces.push(...smaller);
        } else {
            piece += part;
        }
    }
    if (piece) pieces.push(piece);
    return pieces;
}

/**
 * @param {readonly Section[]} sections
 * @param {number} [size] letters of a passage at most
 * @returns {Passage[]}
 */
export function splitPassages(sections, size = PASSAGE_LENGTH) {
    /** @type {Passage[]} */
    const passages = [];
    for (const { text, place } of sections)
        for (const piece of cutText(text.trim(), size)) {
            const trimmed = piece.trim();
            if (!trimmed) continue;
            const last = passages.at(-1);
            // Short neighbours of one place stay together.
            if (
                last?.place === place &&
                last.text.length + trimmed.length < size / 2
            )
                last.text += `\n${trimmed}`;
            else passages.push({ n: passages.length, text: trimmed, place });
        }
    return passages;
}

/**
 * Where passages stand, in one line: "pages 2, 3 and 7", "Costs; Delivery".
 * @param {readonly { place: string }[]} passages
 * @param {number} [most] places that are named
 */
export function describePlaces(passages, most = 4) {
    const places = [...new Set(passages.map(({ place }) => place))].filter(
        Boolean,
    );
    const pages = places.map((place) => /^page (\d+)$/.exec(place)?.[1]);
    const arePages = pages.length > 0 && pages.every(Boolean);
    const names = arePages ? /** @type {string[]} */ (pages) : places;
    if (names.length === 0) return "";
    const word = arePages ? (names.length > 1 ? "pages " : "page ") : "";
    const rest = names.length - most;
    const shown = rest > 0 ? names.slice(0, most) : names;
    const last = rest > 0 ? `${rest} more` : shown.length > 1 && shown.pop();
    const list =
        shown.join(arePages ? ", " : "; ") + (last ? ` and ${last}` : "");
    return word + list;
}
