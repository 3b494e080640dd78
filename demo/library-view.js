// The documents that answers may come from: given, found, shown, removed.
import { confirmAction } from "./ask.js";
import { button, byId, element, icon } from "./dom.js";
import { acceptedFiles, looksReadable } from "./document-reader.js";
import { LIBRARY } from "./documents.js";
import { codeOf, describeFailure } from "./failure.js";
import { formatBytes, formatCount } from "./format.js";

const MOST_FILES = 2000;
const SNIPPET = 260;
const HITS = 8;

/** A file with the path it has in what was given. @typedef {{ file: File, path: string }} Given */

/** @param {any} entry of a folder that was dropped @returns {Promise<Given[]>} */
async function filesOfEntry(entry) {
    if (!entry) return [];
    if (entry.isFile) {
        const file = await new Promise((done, fail) => entry.file(done, fail));
        return [{ file, path: entry.fullPath.replace(/^\//, "") }];
    }
    const reader = entry.createReader();
    const found = [];
    for (;;) {
        // It gives some at a time, and none at the end.
        const some = await new Promise((done, fail) =>
            reader.readEntries(done, fail),
        );
        if (some.length === 0) return found;
        for (const one of some) found.push(...(await filesOfEntry(one)));
        if (found.length > MOST_FILES) return found;
    }
}

/** What was dropped, folders with all that is in them. @param {DataTransfer} transfer @returns {Promise<Given[]>} */
export async function droppedFiles(transfer) {
    const entries = [...transfer.items]
        .filter(({ kind }) => kind === "file")
        .map((item) => item.webkitGetAsEntry?.() ?? null);
    if (entries.some((entry) => entry?.isDirectory))
        return (await Promise.all(entries.map(filesOfEntry))).flat();
    return [...transfer.files].map((file) => ({ file, path: file.name }));
}

/** @param {FileList | null} files @returns {Given[]} */
const chosenFiles = (files) =>
    [...(files ?? [])].map((file) => ({
        file,
        path: file.webkitRelativePath || file.name,
    }));

export class LibraryView {
    #documents;
    #viewer;
    #announce;
    #onChange;
    /** @type {AbortController | undefined} */
    #working;
    #words = /** @type {HTMLInputElement} */ (byId("library-words"));

    /**
     * @param {import("./documents.js").Documents} documents
     * @param {import("./viewer.js").Viewer} viewer
     * @param {object} tools
     * @param {(words: string) => void} tools.announce
     * @param {() => void} tools.onAsk
     * @param {(count: number) => void} tools.onChange
     */
    constructor(documents, viewer, { announce, onAsk, onChange }) {
        this.#documents = documents;
        this.#viewer = viewer;
        this.#announce = announce;
        this.#onChange = onChange;
        const several = /** @type {HTMLInputElement} */ (byId("library-files"));
        const folder = /** @type {HTMLInputElement} */ (byId("library-folder"));
        several.accept = acceptedFiles;
        for (const input of [several, folder])
            input.addEventListener("change", () => {
                void this.add(chosenFiles(input.files));
                input.value = "";
            });
        byId("library-stop").addEventListener("click", () =>
            this.#working?.abort(),
        );
        byId("library-ask").addEventListener("click", onAsk);
        byId("library-clear").addEventListener("click", () => this.#clear());
        byId("library-search").addEventListener("submit", (event) =>
            event.preventDefault(),
        );
        this.#words.addEventListener("input", () => this.#search());
        void this.show();
    }

    async show() {
        const list = await this.#documents.library();
        const passages = list.reduce((n, one) => n + one.passages.length, 0);
        byId("library-full").hidden = list.length === 0;
        byId("library-facts").textContent =
            `${formatCount(list.length)} document${list.length === 1 ? "" : "s"}, ` +
            `${formatCount(passages)} passage${passages === 1 ? "" : "s"}`;
        byId("library-list").replaceChildren(
            ...list.map((document) => this.#row(document)),
        );
        const count = byId("library-count");
        count.hidden = list.length === 0;
        count.textContent = formatCount(list.length);
        this.#onChange(list.length);
        await this.#search();
    }

    /** @param {import("./document-reader.js").DocumentRecord} document */
    #row(document) {
        const { id, name, kind, size, passages } = document;
        const open = button(name, () => void this.#viewer.openDocument(id), {
            icon: "file",
            class: "document-name",
        });
        open.dir = "auto";
        const remove = button("", () => this.#remove(document), {
            icon: "trash",
            class: "quiet small",
        });
        remove.setAttribute("aria-label", `Remove ${name}`);
        const n = passages.length;
        const facts =
            `${kind}, ${formatBytes(size)}, ` +
            `${formatCount(n)} passage${n === 1 ? "" : "s"}`;
        return element(
            "li",
            {},
            open,
            element("span", { class: "document-facts" }, facts),
            remove,
        );
    }

    /** @param {import("./document-reader.js").DocumentRecord} document */
    async #remove(document) {
        await this.#documents.removeFromLibrary([document]);
        this.#announce(`${document.name} was removed.`);
        await this.show();
    }

    async #clear() {
        const sure = await confirmAction(
            "Remove all documents?",
            "They and their index are deleted from Pipit; the files " +
                "themselves stay where they are.",
            "Remove all",
        );
        if (!sure) return;
        await this.#documents.removeFromLibrary(
            await this.#documents.library(),
        );
        this.#announce("All documents were removed.");
        await this.show();
    }

    async #search() {
        const words = this.#words.value.trim();
        const box = byId("library-hits");
        if (!words) return box.replaceChildren();
        const found = await this.#documents.searchLibrary(words);
        if (words !== this.#words.value.trim()) return; // typed on meanwhile
        box.replaceChildren(
            ...found.slice(0, HITS).map((source) => this.#hit(source, words)),
        );
        if (found.length === 0)
            box.append(element("li", { class: "none" }, "Nothing found."));
    }

    /** @param {import("./grounding.js").Source} source @param {string} words */
    #hit(source, words) {
        const { name, place, text } = source;
        const at = [name, place].filter(Boolean).join(" · ");
        const cut = text.length > SNIPPET ? `${text.slice(0, SNIPPET)}…` : text;
        const open = button("", () => this.#viewer.open(source, words));
        open.append(
            element("strong", { dir: "auto" }, at),
            element("span", { dir: "auto" }, cut),
        );
        return element("li", {}, open);
    }

    /** @param {readonly Given[]} given */
    async add(given) {
        if (this.#working)
            return this.#announce("The files before are still being read.");
        if (given.length === 0) return;
        const wanted = given.filter(({ path }) => looksReadable(path));
        const controller = new AbortController();
        this.#working = controller;
        const { signal } = controller;
        const bar = /** @type {HTMLProgressElement} */ (byId("library-bar"));
        const phase = byId("library-phase");
        byId("library-work").hidden = false;
        byId("library-problems").replaceChildren();
        const read = [];
        const problems = [];
        const some = wanted.slice(0, MOST_FILES);
        for (const [i, { file, path }] of some.entries()) {
            if (signal.aborted) break;
            const show = (/** @type {string} */ words, part = 0) => {
                phase.textContent = `${i + 1} of ${some.length}: ${path}${words && `: ${words}`}`;
                bar.value = (i + part) / some.length;
            };
            show("");
            try {
                read.push(
                    await this.#documents.read(file, LIBRARY, {
                        name: path,
                        signal,
                        onProgress: show,
                    }),
                );
            } catch (error) {
                if (!signal.aborted) problems.push({ path, error });
            }
        }
        phase.textContent = "Writing the index";
        bar.removeAttribute("value");
        try {
            if (read.length > 0) await this.#documents.addToLibrary(read);
        } catch (error) {
            problems.push({ path: "The index", error });
        }
        this.#working = undefined;
        byId("library-work").hidden = true;
        this.#report(read.length, given.length - some.length, problems);
        await this.show();
    }

    /**
     * @param {number} read
     * @param {number} skipped
     * @param {{ path: string, error: unknown }[]} problems
     */
    #report(read, skipped, problems) {
        const words = [
            `${read} document${read === 1 ? " was" : "s were"} read.`,
            skipped
                ? `${skipped} file${skipped === 1 ? " was" : "s were"} left out: ` +
                  "no text that Pipit reads."
                : "",
            problems.length ? `${problems.length} could not be read.` : "",
        ].filter(Boolean);
        this.#announce(words.join(" "));
        const box = byId("library-problems");
        if (read > 0 || skipped > 0)
            box.append(
                element(
                    "p",
                    { class: "library-news" },
                    icon("check"),
                    words.join(" "),
                ),
            );
        // A folder may hold many that fail alike: one card each kind.
        const codes = new Map(
            problems.map((problem) => [codeOf(problem.error), problem]),
        );
        for (const [code, { error }] of codes) {
            const names = problems
                .filter((problem) => codeOf(problem.error) === code)
                .map(({ path }) => path);
            const { card, heading } = describeFailure(error, [], "h2");
            heading.prepend(`${names.slice(0, 3).join(", ")}: `);
            box.append(card);
        }
    }
}
