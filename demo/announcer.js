// What a screen reader says, and when: short news at once, an answer sentence by
// sentence as it comes, so that neither single words nor nothing is heard.
import { button, byId, element } from "./dom.js";

/** The end of a sentence or a line, with what closes it. */
const sentenceEnd = /[.!?…。！？][)"'”’»]*\s|\n/gu;

export class Announcer {
    #news = byId("announcer");
    #reader = byId("reader");
    #spoken = 0;

    /** @param {string} words */
    announce(words) {
        // The same words twice are said twice.
        this.#news.replaceChildren(element("p", {}, words));
    }

    /** What has to be seen too. @param {string} words */
    warn(words) {
        const close = button("Close", () => (box.hidden = true), {
            class: "small",
        });
        const box = byId("warning");
        box.hidden = false;
        box.replaceChildren(words, " ", close);
        this.announce(words);
    }

    beginAnswer() {
        this.#reader.replaceChildren();
        this.#spoken = 0;
        this.announce("Pipit is answering.");
    }

    /** All of the answer so far. @param {string} text */
    readAnswer(text) {
        let end = this.#spoken;
        sentenceEnd.lastIndex = this.#spoken;
        for (const found of text.matchAll(sentenceEnd))
            end = found.index + found[0].length;
        this.#read(text, end);
    }

    /** @param {string} text @param {string} news */
    endAnswer(text, news) {
        this.#read(text, text.length);
        this.announce(news);
    }

    /** @param {string} text @param {number} end */
    #read(text, end) {
        const words = text.slice(this.#spoken, end).trim();
        if (words) this.#reader.append(element("p", { dir: "auto" }, words));
        this.#spoken = end;
    }
}
