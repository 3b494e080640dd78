// Bytes as text, and Markdown and plain text as sections.

/** @typedef {import("./passages.js").Section} Section */

/** The text in these bytes, undefined when they are none. @param {Uint8Array} bytes */
export function decodeText(bytes) {
    const [a, b] = bytes;
    if (a === 0xff && b === 0xfe) return decode(bytes, "utf-16le");
    if (a === 0xfe && b === 0xff) return decode(bytes, "utf-16be");
    if (bytes.subarray(0, 65536).includes(0)) return undefined;
    try {
        return new TextDecoder("utf-8", { fatal: true }).decode(bytes);
    } catch {
        // Older files of Europe; every byte is a letter there, so look at it.
        const text = decode(bytes, "windows-1252");
        const strange = text.match(/[\x01-\x08\x0e-\x1f\x7f-\x9f]/g) ?? [];
        return strange.length > text.length / 100 ? undefined : text;
    }
}

/** @param {Uint8Array} bytes @param {string} encoding */
const decode = (bytes, encoding) => new TextDecoder(encoding).decode(bytes);

/** Under its headings. @param {string} text @returns {Section[]} */
export function markdownSections(text) {
    /** @type {Section[]} */
    const sections = [];
    let place = "";
    /** @type {string[]} */
    let lines = [];
    let fence = false;
    const close = () => {
        const joined = lines.join("\n").trim();
        if (joined) sections.push({ text: joined, place });
        lines = [];
    };
    for (const line of text.replace(/\r\n?/g, "\n").split("\n")) {
        if (/^ {0,3}(```|~~~)/.test(line)) fence = !fence;
        const [, heading] = /^ {0,3}#{1,6}\s+(.+?)\s*#*$/.exec(line) ?? [];
        if (heading !== undefined && !fence) {
            close();
            place = heading.replace(/[*_`]/g, "");
        } else {
            lines.push(line);
        }
    }
    close();
    return sections;
}

const LINES_TOGETHER = 40;

/** By its lines. @param {string} text @returns {Section[]} */
export function plainSections(text) {
    const lines = text.replace(/\r\n?/g, "\n").split("\n");
    const isShort = lines.length <= LINES_TOGETHER;
    if (isShort) return [{ text, place: "" }];
    /** @type {Section[]} */
    const sections = [];
    let start = 0;
    for (let i = 1; i <= lines.length; i++) {
        // Sections end at a blank line where there is one in time.
        const n = i - start;
        const blank = lines[i]?.trim() === "" && n >= LINES_TOGETHER / 2;
        if (i < lines.length && !blank && n < LINES_TOGETHER) continue;
        const some = lines.slice(start, i).join("\n");
        if (some.trim())
            sections.push({ text: some, place: `line ${start + 1}` });
        start = i;
    }
    return sections;
}
