// What answers come from: nothing but the model, files of this chat, or the
// library; and what can be done with files.
import { allSources } from "./documents.js";
import { newId } from "./chat-store.js";
import { acceptedFiles } from "./document-reader.js";
import { button, byId, element } from "./dom.js";
import { describeFailure } from "./failure.js";
import {
    bestOf,
    describeUse,
    extracts,
    findAll,
    rankByPattern,
    spread,
    takeWhatFits,
    writePrompt,
} from "./grounding.js";
import { openMenu } from "./menu.js";

/** @typedef {import("./document-reader.js").DocumentRecord} DocumentRecord */
/** @typedef {import("./grounding.js").Source} Source */
/** @typedef {import("./conversation.js").Question} Question */

/** Models of fewer parameters are confused by marks and many passages. */
const SMALL = 4e8;

export class Scope {
    #documents;
    #announce;
    #onAsk;
    #onChange;
    #onOpen;
    /** The chat that files belong to, or will. */
    owner = newId();
    /** @type {DocumentRecord[]} */
    #files = [];
    #library = false;
    /** @type {Set<string>} files that are kept already */
    #kept = new Set();
    #input = /** @type {HTMLInputElement} */ (byId("attach-input"));
    /** @type {AbortController | undefined} */
    #reading;

    /**
     * @param {import("./documents.js").Documents} documents
     * @param {object} tools
     * @param {(words: string) => void} tools.announce
     * @param {(question: Question) => void} tools.onAsk
     * @param {() => void} tools.onChange
     * @param {(id: string) => void} tools.onOpen shows a document
     */
    constructor(documents, { announce, onAsk, onChange, onOpen }) {
        this.#documents = documents;
        this.#announce = announce;
        this.#onAsk = onAsk;
        this.#onChange = onChange;
        this.#onOpen = onOpen;
        this.#input.accept = acceptedFiles;
        this.#input.addEventListener("change", () => {
            void this.addFiles([...(this.#input.files ?? [])]);
            this.#input.value = "";
        });
        byId("attach").addEventListener("click", () => this.#showMenu());
        byId("empty-file").addEventListener("click", () => this.choose());
    }

    /** Asks for files. */
    choose() {
        this.#input.click();
    }

    async #showMenu() {
        const n = (await this.#documents.library()).length;
        openMenu(byId("attach"), "What answers come from", [
            {
                label: "Add files to this chat",
                icon: "clip",
                act: () => this.choose(),
            },
            this.#library
                ? {
                      label: "Without my documents",
                      icon: "close",
                      act: () => this.setLibrary(false),
                  }
                : {
                      label: n
                          ? `Answer from my documents (${n})`
                          : "Give me documents to answer from",
                      icon: "books",
                      act: () =>
                          n
                              ? this.setLibrary(true)
                              : void (location.hash = "#/documents"),
                  },
        ]);
    }

    /** @param {import("./chat-file.js").ChatRecord} [chat] */
    async open(chat) {
        this.#reading?.abort();
        this.owner = chat?.id ?? newId();
        this.#library = chat?.library ?? false;
        const files = await Promise.all(
            (chat?.files ?? []).map((id) => this.#documents.get(id)),
        );
        this.#files = files.filter((file) => file !== undefined);
        this.#kept = new Set(this.#files.map(({ id }) => id));
        this.#show();
    }

    get isSet() {
        return this.#library || this.#files.length > 0;
    }

    /** Of the first file, "" without. */
    get name() {
        return this.#files[0]?.name ?? "";
    }

    /** What the chat's record says of it. */
    get kept() {
        return {
            files: this.#files.map(({ id }) => id),
            library: this.#library,
        };
    }

    /** After the chat itself was. */
    async keepFiles() {
        for (const file of this.#files) {
            if (this.#kept.has(file.id)) continue;
            this.#kept.add(file.id);
            await this.#documents.keep(file);
        }
    }

    /** @param {boolean} on */
    setLibrary(on) {
        this.#library = on;
        this.#show();
        this.#announce(
            on
                ? "Answers come from your documents."
                : "Answers come from the model alone.",
        );
        this.#onChange();
        byId("message").focus();
    }

    /** @param {readonly File[]} files */
    async addFiles(files) {
        if (files.length === 0) return;
        this.#reading?.abort();
        const controller = new AbortController();
        this.#reading = controller;
        const { signal } = controller;
        const line = byId("reading-file");
        const problems = [];
        for (const file of files) {
            line.hidden = false;
            const say = (/** @type {string} */ words) => {
                const stop = button("Stop", () => controller.abort(), {
                    class: "small quiet",
                });
                line.replaceChildren(`${file.name}: ${words} `, stop);
            };
            say("reading");
            try {
                const read = await this.#documents.read(file, this.owner, {
                    signal,
                    onProgress: say,
                });
                signal.throwIfAborted();
                this.#files = [...this.#files, read];
                this.#announce(`${file.name} was read.`);
            } catch (error) {
                if (signal.aborted) break;
                problems.push({ file, error });
            }
        }
        if (this.#reading !== controller) return;
        this.#reading = undefined;
        line.replaceChildren();
        for (const { file, error } of problems) {
            const close = button("Close", () => {
                card.remove();
                line.hidden = !line.hasChildNodes();
            });
            const { card, heading } = describeFailure(error, [close], "h3");
            heading.prepend(`${file.name}: `);
            line.append(card);
            this.#announce(heading.textContent ?? "");
        }
        line.hidden = problems.length === 0;
        this.#show();
        this.#onChange();
        byId("message").focus();
    }

    /** @param {DocumentRecord} file */
    #remove(file) {
        this.#files = this.#files.filter((one) => one !== file);
        this.#announce(`${file.name} is no longer part of this chat.`);
        this.#show();
        this.#onChange();
        byId("message").focus();
    }

    #show() {
        const chips = this.#files.map((file) =>
            this.#chip("file", file.name, {
                open: () => this.#onOpen(file.id),
                remove: () => this.#remove(file),
            }),
        );
        if (this.#library)
            chips.push(
                this.#chip("books", "My documents", {
                    open: () => (location.hash = "#/documents"),
                    remove: () => this.setLibrary(false),
                }),
            );
        byId("scope-chips").replaceChildren(...chips);
        byId("scope-tasks").replaceChildren(...this.#tasks());
        byId("scope").hidden = !this.isSet;
        const message = /** @type {HTMLTextAreaElement} */ (byId("message"));
        message.placeholder = this.#files.length
            ? "Ask about the file"
            : this.#library
              ? "Ask your documents"
              : "Write a message";
    }

    /** @param {string} picture @param {string} name @param {{ open: () => void, remove: () => void }} acts */
    #chip(picture, name, { open, remove }) {
        const show = button(name, open, { icon: picture, class: "chip-name" });
        show.title = `Show ${name}`;
        const close = button("", remove, {
            icon: "close",
            class: "chip-close",
        });
        close.setAttribute("aria-label", `Without ${name}`);
        return element("li", { class: "scope-chip" }, show, close);
    }

    #tasks() {
        if (this.#files.length === 0) return [];
        const name =
            this.#files.length === 1
                ? (this.#files[0]?.name ?? "")
                : `${this.#files.length} files`;
        const summarize = button(
            "Summarize",
            () =>
                this.#onAsk({
                    text: `Summarize ${name}`,
                    task: "summarize",
                    ask: "Summarize this text in a few sentences.",
                }),
            { class: "small", icon: "list" },
        );
        const extract = button(
            "Extract",
            () =>
                openMenu(
                    extract,
                    "What to extract",
                    Object.values(extracts).map(({ label, ask, pattern }) => ({
                        label,
                        icon: "list",
                        act: () =>
                            this.#onAsk({
                                text: `${label} of ${name}`,
                                task: "extract",
                                pattern,
                                ...(ask ? { ask } : { exact: true }),
                            }),
                    })),
                ),
            { class: "small", icon: "down" },
        );
        extract.setAttribute("aria-expanded", "false");
        return [summarize, extract];
    }

    /**
     * The passages for a question and the prompt with them; undefined when
     * nothing in the library fits.
     * @param {Question} question
     * @param {number} budget tokens
     * @param {(text: string) => Promise<number>} count
     * @param {number} parameters of the model
     */
    async ground(question, budget, count, parameters) {
        const { text, task = "ask", ask = text } = question;
        const isSmall = parameters < SMALL;
        const all = allSources(this.#files);
        const ranked = await this.#rank(question, all, isSmall);
        if (ranked.length === 0) return undefined;
        const taken = await takeWhatFits(ranked, budget, count);
        // A question is asked even if there is hardly room for a passage.
        const some = taken.length ? taken : ranked.slice(0, 1);
        const sources = task === "ask" ? some : inOrder(some);
        return {
            sources,
            used: describeUse(sources, this.#library ? 0 : all.length),
            prompt: writePrompt(task, ask, sources, !isSmall),
        };
    }

    /** What the rules find in all of the files. @param {RegExp} pattern */
    find(pattern) {
        const all = allSources(this.#files);
        const { answer, sources } = findAll(all, pattern);
        return { answer, sources, used: describeUse(all, all.length) };
    }

    /** The passages to take first, first. @param {Question} question @param {Source[]} all of the files @param {boolean} isSmall */
    async #rank({ text, task = "ask", pattern }, all, isSmall) {
        if (task === "summarize") return spread(all);
        if (task === "extract" && pattern) {
            const found = rankByPattern(all, pattern);
            return found.length > 0 ? found : spread(all);
        }
        const most = isSmall ? 3 : 6;
        const found = [
            ...bestOf(await this.#documents.search(this.#files, text), most),
            ...(this.#library
                ? bestOf(await this.#documents.searchLibrary(text), most)
                : []),
        ];
        // A question like "What is this about?" has no words to look for.
        return found.length > 0 ? found : spread(all);
    }
}

/** As they stand in their documents, the documents as they were found. @param {readonly Source[]} sources */
function inOrder(sources) {
    const documents = [...new Set(sources.map(({ document }) => document))];
    return [...sources].sort(
        (a, b) =>
            documents.indexOf(a.document) - documents.indexOf(b.document) ||
            a.n - b.n,
    );
}
