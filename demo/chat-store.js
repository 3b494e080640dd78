// The chats that are kept: turns are records of their own, so that two tabs add
// to one chat and neither takes from the other.
import { chatsToJSON, parseChats } from "./chat-file.js";

/** @typedef {import("./chat-file.js").ChatRecord} ChatRecord */
/** @typedef {import("./chat-file.js").TurnRecord} TurnRecord */
/** @typedef {import("./chat-file.js").WholeChat} WholeChat */

export const newId = () =>
    // Pages without TLS have no randomUUID.
    Array.from(crypto.getRandomValues(new Uint8Array(12)), (byte) =>
        byte.toString(16).padStart(2, "0"),
    ).join("");

export class ChatStore {
    #database;
    #channel;
    #onChange;

    /**
     * @param {import("./database.js").Database} database
     * @param {() => void} onChange by this tab or another
     */
    constructor(database, onChange) {
        this.#database = database;
        this.#onChange = onChange;
        this.#channel = new BroadcastChannel("pipit-chats");
        this.#channel.addEventListener("message", onChange);
    }

    #changed() {
        this.#channel.postMessage("changed");
        this.#onChange();
    }

    /** @returns {Promise<ChatRecord[]>} the last used first */
    async list() {
        const chats = await this.#database.all("chats");
        return chats.sort((a, b) => b.updatedAt - a.updatedAt);
    }

    /** @param {string} id @returns {Promise<WholeChat | undefined>} */
    async open(id) {
        const chat = await this.#database.get("chats", id);
        if (!chat) return undefined;
        const turns = await this.#database.all("turns", id);
        turns.sort((a, b) => a.at - b.at);
        return { chat, turns };
    }

    /** @param {ChatRecord} chat */
    async save(chat) {
        await this.#database.change([{ store: "chats", put: chat }]);
        this.#changed();
    }

    /** @param {string} id @param {Partial<ChatRecord>} values */
    async update(id, values) {
        const chat = await this.#database.get("chats", id);
        if (chat) await this.save({ ...chat, ...values });
    }

    /** Unless the chat was deleted meanwhile, in another tab say. @param {TurnRecord} turn */
    async saveTurn(turn) {
        const needed = {
            store: /** @type {const} */ ("chats"),
            key: turn.chat,
        };
        return this.#database.change([{ store: "turns", put: turn }], needed);
    }

    /** With its turns and the files that belong to it. @param {string} id */
    async remove(id) {
        const [turns, documents] = await Promise.all([
            this.#database.all("turns", id),
            this.#database.all("documents", id),
        ]);
        await this.#database.change([
            { store: "chats", remove: id },
            ...turns.map((turn) => ({
                store: /** @type {const} */ ("turns"),
                remove: turn.id,
            })),
            ...documents.map((document) => ({
                store: /** @type {const} */ ("documents"),
                remove: document.id,
            })),
        ]);
        this.#changed();
    }

    /** All chats as a file. */
    async exportAll() {
        const whole = [];
        for (const { id } of await this.list()) {
            const found = await this.open(id);
            if (found) whole.push(found);
        }
        return chatsToJSON(whole);
    }

    /** All of the file's chats or, when anything is wrong with it, none. @param {string} json */
    async import(json) {
        const chats = parseChats(json, newId);
        await this.#database.change(
            chats.flatMap(({ chat, turns }) => [
                { store: /** @type {const} */ ("chats"), put: chat },
                ...turns.map((turn) => ({
                    store: /** @type {const} */ ("turns"),
                    put: turn,
                })),
            ]),
        );
        this.#changed();
        return chats.length;
    }
}
