// The documents that are kept: the library, with its index, and the files of
// chats. Answers take their passages from here.
import { newId } from "./chat-store.js";
import { readDocument } from "./document-reader.js";
import { SearchIndex } from "./search-index.js";

/** @typedef {import("./document-reader.js").DocumentRecord} DocumentRecord */
/** @typedef {import("./grounding.js").Source} Source */

export const LIBRARY = "library";

const loadSearch = async () => (await import("./vendor/minisearch.js")).default;

/** @param {DocumentRecord} document @param {number} n @returns {Source[]} */
function sourceOf({ id, name, passages }, n) {
    const passage = passages[n];
    return passage ? [{ document: id, name, ...passage }] : [];
}

export class Documents {
    #database;
    /** @type {SearchIndex | undefined} of the library, when it was needed */
    #index;
    #channel;

    /**
     * @param {import("./database.js").Database} database
     * @param {() => void} onChange
     */
    constructor(database, onChange) {
        this.#database = database;
        this.#channel = new BroadcastChannel("pipit-documents");
        this.#channel.addEventListener("message", () => {
            // Another tab has the newer index.
            this.#index = undefined;
            onChange();
        });
    }

    /** @param {string} id @returns {Promise<DocumentRecord | undefined>} */
    get(id) {
        return this.#database.get("documents", id);
    }

    /** By name. @returns {Promise<DocumentRecord[]>} */
    async library() {
        const list = await this.#database.all("documents", LIBRARY);
        return list.sort((a, b) => a.name.localeCompare(b.name));
    }

    /**
     * @param {File} file
     * @param {string} owner
     * @param {{ name?: string, signal?: AbortSignal,
     *     onProgress?: (words: string, part: number) => void }} [options]
     */
    async read(file, owner, options = {}) {
        return readDocument(file, { id: newId(), owner, ...options });
    }

    /** A file of a chat, which is kept before. @param {DocumentRecord} document */
    keep(document) {
        const needed = {
            store: /** @type {const} */ ("chats"),
            key: document.owner,
        };
        return this.#database.change(
            [{ store: "documents", put: document }],
            needed,
        );
    }

    /** Takes documents into the library; one of the same name is replaced. @param {DocumentRecord[]} added */
    async addToLibrary(added) {
        const names = new Set(added.map(({ name }) => name));
        const before = (await this.library()).filter(({ name }) =>
            names.has(name),
        );
        const index = await this.#library();
        for (const document of before) index.remove(document);
        for (const document of added) index.add(document);
        await this.#changeLibrary([
            ...before.map(({ id }) => ({
                store: /** @type {const} */ ("documents"),
                remove: id,
            })),
            ...added.map((document) => ({
                store: /** @type {const} */ ("documents"),
                put: document,
            })),
        ]);
    }

    /** @param {readonly DocumentRecord[]} removed */
    async removeFromLibrary(removed) {
        const index = await this.#library();
        for (const document of removed) index.remove(document);
        await this.#changeLibrary(
            removed.map(({ id }) => ({ store: "documents", remove: id })),
        );
    }

    /** The documents and the index change together. @param {import("./database.js").Change[]} changes */
    async #changeLibrary(changes) {
        const index = await this.#library();
        try {
            await this.#database.change([
                ...changes,
                {
                    store: "indexes",
                    put: { id: LIBRARY, index: index.toJSON() },
                },
            ]);
        } catch (error) {
            this.#index = undefined; // what is kept holds
            throw error;
        }
        this.#channel.postMessage("changed");
    }

    async #library() {
        if (this.#index) return this.#index;
        const MiniSearch = await loadSearch();
        const kept = await this.#database.get("indexes", LIBRARY);
        try {
            this.#index = new SearchIndex(MiniSearch, kept?.index);
        } catch {
            // Of another version: it is made anew from the documents.
            this.#index = new SearchIndex(MiniSearch);
            for (const document of await this.library())
                this.#index.add(document);
        }
        return this.#index;
    }

    /** The best passages of the library. @param {string} question */
    async searchLibrary(question) {
        const index = await this.#library();
        /** @type {Map<string, DocumentRecord | undefined>} */
        const open = new Map();
        /** @type {(Source & { score: number })[]} */
        const sources = [];
        for (const { document, n, score } of index.search(question)) {
            if (!open.has(document))
                open.set(document, await this.get(document));
            const found = open.get(document);
            for (const source of found ? sourceOf(found, n) : [])
                sources.push({ ...source, score });
        }
        return sources;
    }

    /** The best passages of these documents. @param {readonly DocumentRecord[]} documents @param {string} question */
    async search(documents, question) {
        const index = new SearchIndex(await loadSearch());
        for (const document of documents) index.add(document);
        return index.search(question).flatMap(({ document, n, score }) => {
            const found = documents.find(({ id }) => id === document);
            const sources = found ? sourceOf(found, n) : [];
            return sources.map((source) => ({ ...source, score }));
        });
    }
}

/** All passages of documents, in order. @param {readonly DocumentRecord[]} documents */
export const allSources = (documents) =>
    documents.flatMap((document) =>
        document.passages.flatMap(({ n }) => sourceOf(document, n)),
    );
