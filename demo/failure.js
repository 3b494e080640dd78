// What went wrong, in plain words, with what can be done about it.
import { element, icon } from "./dom.js";

/**
 * @typedef {object} Words
 * @property {string} title
 * @property {string} advice
 */

/** By `PipitError.code`. @type {Record<string, Words>} */
const known = {
    "invalid-file": {
        title: "This is not a model file",
        advice: "Pipit reads the GGUF format. Is it the right file, and whole?",
    },
    "truncated-file": {
        title: "The file ends too early",
        advice: "It was cut short, perhaps while it was copied. Get it again.",
    },
    unsupported: {
        title: "Pipit does not know this kind of model yet",
        advice:
            "The file is sound, but of an architecture or a number type that " +
            "this version can't compute. Try another one.",
    },
    "invalid-model": {
        title: "The model contradicts itself",
        advice: "Parts of it are missing or misshapen. Get the file again.",
    },
    "invalid-vocabulary": {
        title: "The model's vocabulary is broken",
        advice: "Get the file again, or try another one.",
    },
    "out-of-memory": {
        title: "There is not enough memory",
        advice:
            "Close other tabs, choose a shorter context in the settings, or " +
            "take a smaller model.",
    },
    "too-large": {
        title: "The model is too large for a tab",
        advice: "A page can hold 4 GB at most. Take a smaller model.",
    },
    "context-overflow": {
        title: "The conversation is too long for the model",
        advice:
            "Begin a new chat, write less at once, or choose a longer context " +
            "in the settings.",
    },
    template: {
        title: "This model does not chat",
        advice:
            "Its file has no usable chat template: base models complete text " +
            "and answer nobody. Look for an “instruct” or “chat” model.",
    },
    network: {
        title: "The model could not be fetched",
        advice:
            "Is the device online? A server may also refuse to be read from " +
            "other sites; then save the file and open it from this device.",
    },
    "not-found": {
        title: "There is no model at this address",
        advice: "Check the address for a slip of the pen.",
    },
    "disk-full": {
        title: "There is no room for the model",
        advice:
            "Remove a model in the settings, or free space on this device. " +
            "What was stored is still there.",
    },
    checksum: {
        title: "The file is not the one that was expected",
        advice: "It was refused and deleted. Try again, or another address.",
    },
    io: {
        title: "The file could not be read",
        advice: "It may have been moved or changed since it was chosen.",
    },
    "worker-died": {
        title: "The engine stopped",
        advice: "The browser ended it, often for want of memory. Load it again.",
    },
    environment: {
        title: "This browser can't run the engine",
        advice: "It needs WebAssembly with SIMD: any browser of 2023 or newer.",
    },
    "document-kind": {
        title: "This is no document that Pipit reads",
        advice: "Text, Markdown, HTML, CSV and PDF files are read.",
    },
    "document-empty": {
        title: "There is no text in this file",
        advice: "Scanned pages are pictures: Pipit can't read those.",
    },
    "document-large": {
        title: "The file is too large",
        advice: "Take a part of it.",
    },
    "document-locked": {
        title: "The file is locked",
        advice: "Save it without its password first.",
    },
    "document-broken": {
        title: "The file could not be read",
        advice: "It may be damaged, or was moved since it was chosen.",
    },
    "document-reader": {
        title: "The reader of PDF files is not here yet",
        advice:
            "It is fetched from this page's own server when the first PDF is " +
            "opened, and kept. Go online once.",
    },
    "chat-file": {
        title: "This is no file of chats",
        advice: "Nothing was taken from it.",
    },
    closed: {
        title: "The model was closed",
        advice: "Load it again.",
    },
};

/** @type {Words} */
const unknown = {
    title: "Something went wrong",
    advice: "That should not happen. Trying again may help.",
};

/** The code of an error, "internal" for what is no PipitError. */
export function codeOf(/** @type {unknown} */ error) {
    const code = /** @type {{ code?: unknown }} */ (error)?.code;
    return typeof code === "string" ? code : "internal";
}

/** @param {unknown} error @returns {Words} */
export const wordsFor = (error) => known[codeOf(error)] ?? unknown;

/** @typedef {{ card: HTMLElement, heading: HTMLElement }} Failure */

/**
 * @param {unknown} error
 * @param {HTMLButtonElement[]} actions
 * @param {"h2" | "h3"} level of its heading, where it stands
 * @returns {Failure}
 */
export function describeFailure(error, actions, level) {
    const code = codeOf(error);
    const { title, advice } = wordsFor(error);
    const message = error instanceof Error ? error.message : String(error);
    const heading = element(level, { tabindex: "-1" }, title);
    const card = element(
        "div",
        { class: "failure", role: "group", "data-code": code },
        icon("warning"),
        element(
            "div",
            {},
            heading,
            element("p", {}, advice),
            element(
                "p",
                { class: "cause" },
                element("code", {}, code),
                element("span", { dir: "auto" }, message),
            ),
            element("div", { class: "choices" }, ...actions),
        ),
    );
    return { card, heading };
}
