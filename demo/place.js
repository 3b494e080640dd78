// What this place lets the engine do, in words.
import { button, copyText, element, icon } from "./dom.js";

const HEADERS = `Cross-Origin-Opener-Policy: same-origin
Cross-Origin-Embedder-Policy: require-corp`;

/** As many as the package takes where it may. */
export const likelyThreads = Math.min(navigator.hardwareConcurrency || 1, 8);

/** Whether memory can be shared with threads: the package asks the same. */
export const canThread =
    globalThis.crossOriginIsolated === true &&
    typeof SharedArrayBuffer === "function";

function whyNot() {
    return globalThis.crossOriginIsolated === true
        ? "This browser does not share memory with workers."
        : "This page is served without the two isolation headers.";
}

/** What threads would bring, for places that have none. */
function gain() {
    return likelyThreads > 1
        ? `With them Pipit could use ${likelyThreads} threads of this machine ` +
              `and answer up to ${likelyThreads} times as fast.`
        : "This machine has one processor, so they would change little.";
}

/** Why the choice of threads is closed here; "" when it is open. */
export const threadsRefused = canThread ? "" : `${whyNot()} ${gain()}`;

/**
 * A line, or a note with what could be better.
 * @param {(words: string) => void} announce
 */
export function describePlace(announce) {
    if (canThread) {
        const threads = likelyThreads === 1 ? "thread" : "threads";
        return element(
            "p",
            { class: "place-line" },
            icon("check"),
            `Isolated page: up to ${likelyThreads} ${threads} here.`,
        );
    }
    const note = element("div", { class: "note" });
    const text = element("div");
    const title = element("strong", {}, "Everything works, on one thread.");
    text.append(element("p", {}, title, ` ${whyNot()} ${gain()}`));
    if (globalThis.crossOriginIsolated !== true) {
        const copy = button("Copy", () => copyText(copy, HEADERS, announce), {
            icon: "copy",
            class: "quiet small",
        });
        const details = element("details", {});
        details.append(
            element("summary", {}, "The two headers"),
            element("pre", { tabindex: "0" }, element("code", {}, HEADERS)),
            copy,
        );
        text.append(details);
    }
    note.append(icon("info"), text);
    return note;
}
