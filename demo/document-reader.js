// A file of the user as passages: text, Markdown, HTML, CSV and PDF. Nothing of
// it leaves the page; the reader of PDF is loaded when the first one comes.
import { splitPassages } from "./passages.js";
import { decodeText, markdownSections, plainSections } from "./plain-text.js";
import { tableSections } from "./table-text.js";

/** @typedef {import("./passages.js").Section} Section */

/**
 * @typedef {object} DocumentRecord
 * @property {string} id
 * @property {string} owner   a chat's id, or "library"
 * @property {string} name
 * @property {string} kind    "pdf", "text", …
 * @property {number} size    bytes of the file
 * @property {number} addedAt
 * @property {import("./passages.js").Passage[]} passages
 */

/** @typedef {"document-kind" | "document-empty" | "document-large" | "document-locked" | "document-broken" | "document-reader"} DocumentErrorCode */

export class DocumentError extends Error {
    name = "DocumentError";
    /** @param {DocumentErrorCode} code @param {string} message */
    constructor(code, message) {
        super(message);
        this.code = code;
    }
}

const MOST_BYTES = 64e6;
const MOST_PAGES = 3000;
const MOST_PASSAGES = 20_000;

/** @type {Record<string, string>} */
const kinds = {
    pdf: "pdf",
    md: "markdown",
    markdown: "markdown",
    html: "html",
    htm: "html",
    xhtml: "html",
    csv: "table",
    tsv: "table",
};

/** For the `accept` of a form. */
export const acceptedFiles =
    ".txt,.text,.md,.markdown,.html,.htm,.xhtml,.csv,.tsv,.pdf,.log,.json,.rst,text/*,application/pdf";

/** @param {string} name */
const endingOf = (name) => /\.([^./\\]+)$/.exec(name)?.[1]?.toLowerCase() ?? "";

/** @param {Blob & { name?: string }} file */
export const isPdf = (file) =>
    file.type === "application/pdf" || endingOf(file.name ?? "") === "pdf";

/** What is no text to look at, skipped in folders. @param {string} name */
export const looksReadable = (name) =>
    !/^\.|\/\./.test(name) &&
    /^(|txt|text|md|markdown|html?|xhtml|csv|tsv|pdf|log|json|rst|adoc|tex|srt|vtt)$/.test(
        endingOf(name),
    );

const headings = /^H[1-6]$/;
const skipped = /^(SCRIPT|STYLE|NOSCRIPT|TEMPLATE|SVG|NAV|IFRAME|OBJECT)$/;
const blocks =
    /^(P|DIV|LI|TR|TABLE|SECTION|ARTICLE|BLOCKQUOTE|PRE|UL|OL|DL|DT|DD|BR|HR|FIGURE|FIGCAPTION|MAIN|HEADER|FOOTER|ASIDE|ADDRESS)$/;

/** Parsed without running or fetching anything. @param {string} html @returns {Section[]} */
export function htmlSections(html) {
    const parsed = new DOMParser().parseFromString(html, "text/html");
    /** @type {Section[]} */
    const sections = [];
    let place = parsed.title.trim();
    let text = "";
    const close = () => {
        const tidy = text
            .replace(/[ \t]+/g, " ")
            .replace(/ ?\n[ \n]*\n ?/g, "\n\n")
            .trim();
        if (tidy) sections.push({ text: tidy, place });
        text = "";
    };
    const walker = parsed.createTreeWalker(
        parsed.body,
        NodeFilter.SHOW_ELEMENT | NodeFilter.SHOW_TEXT,
        (node) =>
            skipped.test(node.nodeName.toUpperCase())
                ? NodeFilter.FILTER_REJECT
                : NodeFilter.FILTER_ACCEPT,
    );
    for (let node = walker.nextNode(); node; node = walker.nextNode()) {
        const name = node.nodeName;
        if (headings.test(name)) {
            close();
            place = (node.textContent ?? "").replace(/\s+/g, " ").trim();
        } else if (name === "TD" || name === "TH") {
            text += " | ";
        } else if (blocks.test(name)) {
            text += "\n\n";
        } else if (node.nodeType === Node.TEXT_NODE) {
            const inHeading = node.parentElement?.closest("h1,h2,h3,h4,h5,h6");
            const inPre = node.parentElement?.closest("pre");
            if (!inHeading)
                text += inPre
                    ? node.nodeValue
                    : (node.nodeValue ?? "").replace(/\s+/g, " ");
        }
    }
    close();
    return sections;
}

/** @type {Promise<any> | undefined} */
let pdfReader;

/** Once, when the first PDF comes. */
async function loadPdfReader() {
    pdfReader ??= import("./vendor/pdf.js");
    try {
        const reader = await pdfReader;
        const worker = new URL("vendor/pdf.worker.js", document.baseURI).href;
        reader.GlobalWorkerOptions.workerSrc = worker;
        return reader;
    } catch {
        pdfReader = undefined;
        throw new DocumentError(
            "document-reader",
            "The reader of PDF files could not be loaded.",
        );
    }
}

/**
 * Lines and paragraphs of a page of PDF.
 * @param {readonly { str?: string, hasEOL?: boolean, height?: number, transform?: number[] }[]} items
 */
export function textOfItems(items) {
    let text = "";
    let lastY = Number.NaN;
    let lastHeight = 0;
    for (const { str = "", hasEOL, height = 0, transform } of items) {
        const y = transform?.[5] ?? Number.NaN;
        const gap = Math.abs(lastY - y);
        if (str && gap > 1.8 * Math.max(height, lastHeight, 1))
            text = `${text.trimEnd()}\n\n`;
        text += str;
        if (hasEOL) text += "\n";
        if (str) {
            lastY = y;
            lastHeight = height;
        }
    }
    return (
        text
            // Words that were parted at the end of a line.
            .replace(/(\p{Ll})[-\u00ad]\n(?=\p{Ll})/gu, "$1")
            .replace(/[ \t]+/g, " ")
            .trim()
    );
}

/**
 * @param {Uint8Array} bytes
 * @param {AbortSignal | undefined} signal
 * @param {((words: string, part: number) => void) | undefined} onProgress
 */
async function pdfSections(bytes, signal, onProgress) {
    onProgress?.("Loading the reader of PDF files", 0);
    const reader = await loadPdfReader();
    signal?.throwIfAborted();
    const task = reader.getDocument({
        data: bytes,
        cMapUrl: new URL("vendor/cmaps/", document.baseURI).href,
        cMapPacked: true,
        // Text alone is wanted: no fonts, no pictures.
        disableFontFace: true,
        useSystemFonts: false,
        isOffscreenCanvasSupported: false,
        useWasm: false,
        verbosity: 0,
    });
    const stop = () => void task.destroy();
    signal?.addEventListener("abort", stop);
    try {
        const pdf = await task.promise;
        if (pdf.numPages > MOST_PAGES)
            throw new DocumentError(
                "document-large",
                `${pdf.numPages} pages; ${MOST_PAGES} at most`,
            );
        /** @type {Section[]} */
        const sections = [];
        for (let n = 1; n <= pdf.numPages; n++) {
            signal?.throwIfAborted();
            onProgress?.(
                `Reading page ${n} of ${pdf.numPages}`,
                (n - 1) / pdf.numPages,
            );
            const page = await pdf.getPage(n);
            const { items } = await page.getTextContent();
            const text = textOfItems(items);
            if (text) sections.push({ text, place: `page ${n}` });
            page.cleanup();
        }
        if (sections.length === 0)
            throw new DocumentError(
                "document-empty",
                "Its pages hold pictures and no text.",
            );
        return sections;
    } catch (error) {
        signal?.throwIfAborted();
        if (error instanceof DocumentError) throw error;
        const { name, message } = /** @type {Error} */ (error);
        if (name === "PasswordException")
            throw new DocumentError("document-locked", "It has a password.");
        throw new DocumentError("document-broken", message);
    } finally {
        signal?.removeEventListener("abort", stop);
        await task.destroy();
    }
}

/** @param {string} text @param {string} kind @returns {Section[]} */
function textSections(text, kind) {
    if (kind === "html") return htmlSections(text);
    if (kind === "table") return tableSections(text);
    if (kind === "markdown") return markdownSections(text);
    return plainSections(text);
}

/**
 * @param {File} file
 * @param {{ id: string, owner: string, name?: string, signal?: AbortSignal,
 *     onProgress?: (words: string, part: number) => void }} options
 *     part: from 0 to 1
 * @returns {Promise<DocumentRecord>} fails with a DocumentError
 */
export async function readDocument(file, options) {
    const { id, owner, name = file.name, signal, onProgress } = options;
    if (file.size > MOST_BYTES)
        throw new DocumentError(
            "document-large",
            `${Math.round(file.size / 1e6)} MB; 64 MB at most`,
        );
    const kind = isPdf(file) ? "pdf" : (kinds[endingOf(name)] ?? "text");
    const bytes = new Uint8Array(
        await file.arrayBuffer().catch((error) => {
            throw new DocumentError("document-broken", String(error.message));
        }),
    );
    signal?.throwIfAborted();
    let sections;
    if (kind === "pdf") {
        sections = await pdfSections(bytes, signal, onProgress);
    } else {
        const text = decodeText(bytes);
        if (text === undefined)
            throw new DocumentError("document-kind", "Its bytes are no text.");
        sections = textSections(text, kind);
    }
    const passages = splitPassages(sections);
    if (passages.length === 0)
        throw new DocumentError("document-empty", "There is no text in it.");
    if (passages.length > MOST_PASSAGES)
        throw new DocumentError(
            "document-large",
            `${passages.length} passages; ${MOST_PASSAGES} at most`,
        );
    return {
        id,
        owner,
        name,
        kind,
        size: file.size,
        addedAt: Date.now(),
        passages,
    };
}
