// An answer cut into blocks: paragraphs, headings, lists, fenced code. Only what
// models write often; all else stays a paragraph as it was written.

/**
 * @typedef {object} Block
 * @property {"text" | "code" | "list" | "heading"} kind
 * @property {string} text     of lists and headings with their marks
 * @property {string} language of code; "" for all else
 */

/**
 * @typedef {object} ListItem
 * @property {number} indent  spaces before it
 * @property {number | null} number of an ordered list
 * @property {string} text
 */

const ITEM = /^( *)(?:[-*•+]|(\d{1,3})[.)]) +(\S.*)$/;
const HEADING = /^ {0,3}#{1,6} +(\S.*?)(?: +#+)?$/;

/** @param {string} text @returns {string} */
export const headingText = (text) => HEADING.exec(text)?.[1] ?? text;

/** @param {string} text of a block of kind "list" @returns {ListItem[]} */
export function listItems(text) {
    /** @type {ListItem[]} */
    const items = [];
    for (const line of text.split("\n")) {
        const [, indent = "", number, words = ""] = ITEM.exec(line) ?? [];
        const last = items.at(-1);
        if (words)
            items.push({
                indent: indent.length,
                number: number === undefined ? null : Number(number),
                text: words,
            });
        else if (last && line.trim()) last.text += `\n${line.trim()}`;
    }
    return items;
}

/** Lines without an empty one between. @param {string[]} lines @returns {Block[]} */
function splitLines(lines) {
    /** @type {Block[]} */
    const blocks = [];
    for (const line of lines) {
        const last = blocks.at(-1);
        const kind = HEADING.test(line)
            ? "heading"
            : ITEM.test(line) || last?.kind === "list"
              ? "list"
              : "text";
        if (last?.kind === kind && kind !== "heading") last.text += `\n${line}`;
        else blocks.push({ kind, text: line, language: "" });
    }
    return blocks;
}

/** Items that empty lines part are one list. @param {Block[]} blocks @param {Block[]} more */
function join(blocks, more) {
    const last = blocks.at(-1);
    const [first] = more;
    if (last?.kind !== "list" || first?.kind !== "list") {
        blocks.push(...more);
        return;
    }
    const kindOf = (/** @type {Block} */ block) =>
        listItems(block.text)[0]?.number === null;
    const isInner = /^ /.test(first.text);
    if (!isInner && kindOf(last) !== kindOf(first)) {
        blocks.push(...more);
        return;
    }
    last.text += `\n\n${first.text}`;
    blocks.push(...more.slice(1));
}

/** @param {string} text @returns {Block[]} */
export function splitBlocks(text) {
    /** @type {Block[]} */
    const blocks = [];
    /** @type {string[]} */
    let lines = [];
    let fence = "";
    let language = "";
    const close = () => {
        if (fence)
            blocks.push({ kind: "code", text: lines.join("\n"), language });
        else join(blocks, splitLines(lines));
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
