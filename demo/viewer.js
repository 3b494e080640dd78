// A document as text, opened at a passage.
import { byId, element } from "./dom.js";
import { askedWord, plainWord, wordsOf } from "./search-index.js";

/** Passages around the one that is shown, so that a book opens at once. */
const AROUND = 60;

/** The words of the question are marked. @param {string} text @param {Set<string>} words */
function marked(text, words) {
    if (words.size === 0) return [text];
    return text
        .split(/([\p{L}\p{N}]+)/u)
        .map((part, i) =>
            i % 2 && part.length > 2 && words.has(plainWord(part))
                ? element("mark", {}, part)
                : part,
        );
}

export class Viewer {
    #dialog = /** @type {HTMLDialogElement} */ (byId("viewer"));
    #title = byId("viewer-title");
    #text = byId("viewer-text");
    #documents;

    /** @param {import("./documents.js").Documents} documents */
    constructor(documents) {
        this.#documents = documents;
        this.#dialog.addEventListener("click", (event) => {
            if (event.target === this.#dialog) this.#dialog.close();
        });
    }

    get isOpen() {
        return this.#dialog.open;
    }

    /**
     * @param {{ document: string, name: string, n: number, text: string,
     *     place: string }} source
     * @param {string} [question]
     */
    async open(source, question = "") {
        const found = await this.#documents.get(source.document);
        const words = new Set(
            wordsOf(question).flatMap((word) => askedWord(word) ?? []),
        );
        this.#title.textContent = source.name;
        if (found) this.#show(found.passages, source.n, words);
        else {
            // The document is gone; the passage is kept with the answer.
            this.#text.replaceChildren(
                element(
                    "p",
                    { class: "gone" },
                    "The document is no longer kept; this is the passage.",
                ),
                this.#passage(source, true, words),
            );
        }
        this.#dialog.showModal();
        const here = this.#text.querySelector(".here");
        if (here) here.scrollIntoView({ block: "center" });
        else this.#text.scrollTop = 0;
    }

    /** A whole document. @param {string} id */
    async openDocument(id) {
        const found = await this.#documents.get(id);
        if (!found) return;
        await this.open({
            document: id,
            name: found.name,
            n: -1,
            text: "",
            place: "",
        });
    }

    /**
     * @param {readonly import("./passages.js").Passage[]} passages
     * @param {number} n the one to show, -1: from the beginning
     * @param {Set<string>} words
     */
    #show(passages, n, words) {
        const first = Math.max(0, n - AROUND);
        const last = Math.min(passages.length, Math.max(n, 0) + AROUND + 1);
        const more = (/** @type {number} */ count, /** @type {string} */ at) =>
            element("p", { class: "gone" }, `${count} passages ${at} this.`);
        this.#text.replaceChildren(
            ...(first > 0 ? [more(first, "before")] : []),
            ...passages
                .slice(first, last)
                .map((passage, i) =>
                    this.#passage(
                        passage,
                        passage.n === n,
                        words,
                        passages[first + i - 1]?.place,
                    ),
                ),
            ...(last < passages.length
                ? [more(passages.length - last, "after")]
                : []),
        );
    }

    /** @param {{ text: string, place: string }} passage @param {boolean} here @param {Set<string>} words @param {string} [before] the place of the one before */
    #passage({ text, place }, here, words, before) {
        const parts = here ? marked(text, words) : [text];
        const block = element("p", { dir: "auto" }, ...parts);
        const wrap = element("div", {
            class: here ? "passage here" : "passage",
        });
        if (place && (here || place !== before))
            wrap.append(element("h3", { dir: "auto" }, place));
        wrap.append(block);
        return wrap;
    }
}
