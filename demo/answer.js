// An answer as elements: its blocks, and inside of them `code`, **strong** and
// marks of passages. Text stays text: no markup of a model is ever parsed.
import { headingText, listItems, splitBlocks } from "./answer-blocks.js";
import { button, copyText, element } from "./dom.js";

/** @typedef {import("./answer-blocks.js").Block} Block */

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

/** Lists in lists by how far the items stand in.
 * @param {string} text @param {Cite} cite */
function listElement(text, cite) {
    const items = listItems(text);
    /** @type {{ indent: number, list: HTMLElement }[]} from the outer inwards */
    const open = [];
    for (const { indent, number, text } of items) {
        while (open.length > 1 && Number(open.at(-1)?.indent) > indent)
            open.pop();
        const inner = open.at(-1);
        if (!inner || indent > inner.indent + 1) {
            const list = element(number === null ? "ul" : "ol", {
                class: "points",
                ...(inner ? {} : { dir: "auto" }),
                ...((number ?? 1) !== 1 && { start: String(number) }),
            });
            inner?.list.lastElementChild?.append(list);
            open.push({ indent, list });
        }
        const item = element("li", {}, ...inline(text, cite));
        open.at(-1)?.list.append(item);
    }
    return open[0]?.list ?? element("ul");
}

/** @param {Block} block @param {Cite} cite @param {(words: string) => void} announce */
function blockElement(block, cite, announce) {
    const { kind, text } = block;
    if (kind === "code") return codeElement(block, announce);
    if (kind === "list") return listElement(text, cite);
    const isHeading = kind === "heading";
    const words = inline(isHeading ? headingText(text) : text.trim(), cite);
    return element(isHeading ? "h2" : "p", { dir: "auto" }, ...words);
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
        const made = blockElement(block, this.#cite, this.#announce);
        if (place) place.replaceWith(made);
        else this.box.append(made);
    }
}
