// Full-text search over passages. MiniSearch is handed in: the page has it from
// vendor/, a test from the package.

/** @typedef {import("./passages.js").Passage} Passage */

/**
 * A passage as it is found.
 * @typedef {object} Hit
 * @property {string} document
 * @property {number} n
 * @property {number} score
 */

/** Words that say nothing about what is asked. */
const small = new Set(
    (
        "a an and are as at be by can did do does for from had has have how i " +
        "if in is it its me my no not of on or our shall should so than that " +
        "the their them then there these they this to was we were what when " +
        "where which who whom whose why will with would you your about tell " +
        "please"
    ).split(" "),
);

/** Letters of scripts that put no spaces between words. */
const unspaced = /[\p{sc=Han}\p{sc=Hira}\p{sc=Kana}\p{sc=Thai}\p{sc=Khmer}]/u;

/** @type {Intl.Segmenter | undefined} */
let segmenter;

/** @param {string} text */
export function wordsOf(text) {
    if (!unspaced.test(text) || !globalThis.Intl?.Segmenter)
        return text.match(/[\p{L}\p{N}]+/gu) ?? [];
    segmenter ??= new Intl.Segmenter(undefined, { granularity: "word" });
    return [...segmenter.segment(text)]
        .filter(({ isWordLike }) => isWordLike)
        .map(({ segment }) => segment);
}

/** One form for those of a word that differ little. @param {string} word */
export function plainWord(word) {
    const plain = word.normalize("NFKD").replace(/\p{M}/gu, "").toLowerCase();
    if (plain.length > 4 && plain.endsWith("ies"))
        return plain.slice(0, -3) + "y";
    if (plain.length > 3 && /[^s]s$/.test(plain)) return plain.slice(0, -1);
    return plain;
}

/** As it is looked for; null: it says nothing. @param {string} word */
export function askedWord(word) {
    const plain = plainWord(word);
    return small.has(word.toLowerCase()) || small.has(plain) ? null : plain;
}

const options = {
    idField: "id",
    fields: ["text", "place", "name"],
    storeFields: [],
    tokenize: wordsOf,
    processTerm: plainWord,
};

const searchOptions = {
    tokenize: wordsOf,
    processTerm: askedWord,
    boost: { place: 1.5, name: 1.2 },
    prefix: (/** @type {string} */ term) => term.length > 3,
    fuzzy: (/** @type {string} */ term) => (term.length > 5 ? 0.2 : false),
    weights: { prefix: 0.5, fuzzy: 0.3 },
};

/** @param {string} document @param {number} n */
const idOf = (document, n) => `${document}#${n}`;

export class SearchIndex {
    #index;

    /**
     * @param {any} MiniSearch the class
     * @param {unknown} [kept] what `toJSON` gave
     */
    constructor(MiniSearch, kept) {
        this.#index = kept
            ? MiniSearch.loadJS(kept, options)
            : new MiniSearch(options);
    }

    /** Passages in it. */
    get size() {
        return this.#index.documentCount;
    }

    /** @param {{ id: string, name: string, passages: readonly Passage[] }} document */
    add({ id, name, passages }) {
        for (const { n, text, place } of passages)
            if (!this.#index.has(idOf(id, n)))
                this.#index.add({ id: idOf(id, n), text, place, name });
    }

    /** @param {{ id: string, passages: readonly { n: number }[] }} document */
    remove({ id, passages }) {
        const ids = passages
            .map(({ n }) => idOf(id, n))
            .filter((one) => this.#index.has(one));
        for (const one of ids) this.#index.discard(one);
    }

    /**
     * The best first.
     * @param {string} question
     * @param {number} [most]
     * @returns {Hit[]}
     */
    search(question, most = 24) {
        const found = this.#index.search(question, searchOptions);
        return found.slice(0, most).map((/** @type {any} */ { id, score }) => {
            const at = id.lastIndexOf("#");
            return { document: id.slice(0, at), n: +id.slice(at + 1), score };
        });
    }

    /** For `structuredClone`, and for the constructor later. */
    toJSON() {
        return JSON.parse(JSON.stringify(this.#index));
    }
}
