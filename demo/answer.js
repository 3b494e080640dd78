// An answer as elements: paragraphs and fenced code, and inside of paragraphs
// `code`, **strong** and marks of passages. Text stays text: no markup of a model is ever parsed.
import { button, copyText, element } from "./dom.js";

/**
 * @typedef {object} Block
 * @property {"text" | "code"} kind
 * @property {string} text
 * @property {string} language of code; "" for text
 */

/** @param {string} text @returns {Block[]} */
export function splitBlocks(text) {
    /** @type {Block[]} */
    const blocks = [];
    /** @type {string[]} */
    let lines = [];
    let fence = "";
    let language = "";
    const close = () => {
        const joined = lines.join("\n");
        if (fence) blocks.push({ kind: "code", text: joined, language });
        else if (joined.trim())
            blocks.push({ kind: "text", text: joined.trim(), language: "" });
        lines = [];
    };
    for (const line of text.split("\n")) {
        const [, marks = "", rest = ""] =
            /^ {0,3}(`{3,})(.*)$/.exec(line) ?? [];
        if (fence ? marks.length >= fence.length && !rest.trim() : marks) {
            close();
            fence = fence ? "" : marks;
            language = rest.trim();
        } else if (!fence && line.trim() === "") {
            close();
        } else {
            lines.push(line);
        }
    }
    close();
    return blocks;
}

/** What a mark such as [2] leads to; undefined: it stays text.
 * @typedef {(n: number) => (() => void) | undefined} Cite */

/** @param {string} text @param {Cite} cite @returns {(Node | string)[]} */
function inline(text, cite) {
    const marked = /(`[^`\n]+`|\*\*[^*\n]+\*\*|\[\d{1,2}\])/;
    return text.split(marked).map((part, i) => {
        if (i % 2 === 0) return part;
        if (part.startsWith("`")) return element("code", {}, part.slice(1, -1));
        if (part.startsWith("*"))
            return element("strong", {}, part.slice(2, -2));
        const n = Number(part.slice(1, -1));
        const open = cite(n);
        if (!open) return part;
        const mark = button(String(n), open, { class: "cite" });
        mark.setAttribute("aria-label", `Passage ${n}`);
        return mark;
    });
}

/**
 * @param {Block} block
 * @param {(words: string) => void} announce
 */
function codeElement({ text, language }, announce) {
    const code = element("code", { dir: "ltr" }, text);
    const copy = button(
        "Copy",
        () => copyText(copy, code.textContent ?? "", announce),
        { icon: "copy", class: "quiet small" },
    );
    return element(
        "div",
        { class: "code" },
        element("div", { class: "code-bar" }, language || "code", copy),
        element("pre", { tabindex: "0" }, code),
    );
}

/** The elements of one answer, kept in step with its text. */
export class AnswerText {
    /** @type {Block[]} */
    #blocks = [];
    #announce;
    #cite;

    /**
     * @param {HTMLElement} box
     * @param {(words: string) => void} announce
     * @param {Cite} [cite]
     */
    constructor(box, announce, cite = () => undefined) {
        this.box = box;
        this.#announce = announce;
        this.#cite = cite;
    }

    /** Touches only what is new. @param {string} text */
    show(text) {
        const blocks = splitBlocks(text);
        blocks.forEach((block, i) => this.#showBlock(block, i));
        while (this.box.children.length > blocks.length)
            this.box.lastElementChild?.remove();
        this.#blocks = blocks;
    }

    /** @param {Block} block @param {number} i */
    #showBlock(block, i) {
        const before = this.#blocks[i];
        const place = this.box.children[i];
        const alike =
            before?.kind === block.kind && before.language === block.language;
        if (alike && before.text === block.text) return;
        if (place && alike && block.kind === "code") {
            const code = place.querySelector("code");
            if (code) code.textContent = block.text;
            return;
        }
        const made =
            block.kind === "code"
                ? codeElement(block, this.#announce)
                : element(
                      "p",
                      { dir: "auto" },
                      ...inline(block.text, this.#cite),
                  );
        if (place) place.replaceWith(made);
        else this.box.append(made);
    }
}
