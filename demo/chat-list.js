// The list of chats at the side: open, rename, export, delete.
import { confirmAction, askText } from "./ask.js";
import { chatToMarkdown, chatsToJSON, fileName } from "./chat-file.js";
import { button, byId, element, saveFile } from "./dom.js";
import { ageOf } from "./history.js";
import { openMenu } from "./menu.js";

/** @typedef {import("./chat-file.js").ChatRecord} ChatRecord */

export class ChatList {
    #box = byId("chat-list");
    #nav = byId("chats");
    #opener = byId("open-chats");
    #veil = byId("chats-veil");
    #store;
    #announce;
    #onRemoved;
    #onRename;
    /** @type {string | undefined} */
    #current;

    /**
     * @param {import("./chat-store.js").ChatStore} store
     * @param {object} tools
     * @param {(words: string) => void} tools.announce
     * @param {(id: string) => void} tools.onRemoved
     * @param {(id: string, title: string) => Promise<boolean>} tools.onRename
     *     whether it was the open chat
     */
    constructor(store, { announce, onRemoved, onRename }) {
        this.#store = store;
        this.#announce = announce;
        this.#onRemoved = onRemoved;
        this.#onRename = onRename;
        this.#opener.addEventListener("click", () =>
            this.isOpen ? this.close() : this.#open(),
        );
        byId("close-chats").addEventListener("click", () => this.close());
        this.#veil.addEventListener("click", () => this.close());
        this.#nav.addEventListener("click", (event) => {
            const target = /** @type {Element} */ (event.target);
            if (target.closest("a")) this.close(false);
        });
        byId("chat-menu").addEventListener("click", () => {
            if (this.#current)
                void this.#menu(this.#current, byId("chat-menu"));
        });
        matchMedia("(min-width: 64rem)").addEventListener("change", () =>
            this.close(false),
        );
    }

    // ---- the drawer of narrow screens --------------------------------------

    get isOpen() {
        return document.body.classList.contains("chats-open");
    }

    #open() {
        document.body.classList.add("chats-open");
        this.#opener.setAttribute("aria-expanded", "true");
        this.#veil.hidden = false;
        this.#others((part) => (part.inert = true));
        byId("close-chats").focus();
    }

    /** @param {boolean} [focus] gives the focus back */
    close(focus = true) {
        if (!this.isOpen) return;
        document.body.classList.remove("chats-open");
        this.#opener.setAttribute("aria-expanded", "false");
        this.#veil.hidden = true;
        this.#others((part) => (part.inert = false));
        if (focus) this.#opener.focus();
    }

    /** @param {(part: HTMLElement) => void} act */
    #others(act) {
        for (const part of document.querySelectorAll("header.bar, main"))
            act(/** @type {HTMLElement} */ (part));
    }

    // ---- the list ----------------------------------------------------------

    /** @param {string} [current] the open chat */
    async show(current = this.#current) {
        this.#current = current;
        const chats = await this.#store.list();
        document.body.classList.toggle("has-chats", chats.length > 0);
        const now = Date.now();
        /** @type {Map<string, ChatRecord[]>} */
        const groups = new Map();
        for (const chat of chats) {
            const age = ageOf(chat.updatedAt, now);
            groups.set(age, [...(groups.get(age) ?? []), chat]);
        }
        const focused = document.activeElement?.id;
        this.#box.replaceChildren(
            ...[...groups].flatMap(([age, some]) => [
                element("h2", { class: "age" }, age),
                element("ul", {}, ...some.map((chat) => this.#row(chat))),
            ]),
        );
        if (chats.length === 0)
            this.#box.append(
                element("p", { class: "none" }, "Your chats appear here."),
            );
        if (focused && this.#box.querySelector(`#${CSS.escape(focused)}`))
            byId(focused).focus();
    }

    /** @param {ChatRecord} chat */
    #row({ id, title }) {
        const link = element(
            "a",
            { href: `#/chat/${id}`, dir: "auto", title, id: `chat-${id}` },
            title,
        );
        if (id === this.#current) link.setAttribute("aria-current", "page");
        const more = button("", () => void this.#menu(id, more), {
            class: "quiet row-menu",
            icon: "more",
        });
        more.id = `chat-${id}-more`;
        more.setAttribute("aria-label", `${title}: rename, export, delete`);
        more.setAttribute("aria-expanded", "false");
        return element("li", { class: "chat-row" }, link, more);
    }

    /** @param {string} id @param {HTMLElement} at */
    async #menu(id, at) {
        const whole = await this.#store.open(id);
        if (!whole) return this.show();
        const { title } = whole.chat;
        openMenu(at, title, [
            {
                label: "Rename",
                icon: "pencil",
                act: () => void this.#rename(id, title),
            },
            {
                label: "Export as Markdown",
                icon: "download",
                act: () =>
                    saveFile(
                        fileName(title, "md"),
                        chatToMarkdown(whole),
                        "text/markdown",
                    ),
            },
            {
                label: "Export as JSON",
                icon: "download",
                act: () =>
                    saveFile(
                        fileName(title, "json"),
                        chatsToJSON([whole]),
                        "application/json",
                    ),
            },
            {
                label: "Delete",
                icon: "trash",
                danger: true,
                act: () => void this.#remove(id, title),
            },
        ]);
    }

    /** @param {string} id @param {string} before */
    async #rename(id, before) {
        const title = await askText(
            "Rename the chat",
            "Name",
            before,
            "Rename",
        );
        if (!title || title === before) return;
        if (!(await this.#onRename(id, title)))
            await this.#store.update(id, { title });
        this.#announce(`The chat is called ${title}.`);
    }

    /** @param {string} id @param {string} title */
    async #remove(id, title) {
        const sure = await confirmAction(
            "Delete this chat?",
            `“${title}” and its files are deleted from this device.`,
            "Delete",
        );
        if (!sure) return;
        this.#onRemoved(id);
        await this.#store.remove(id);
        this.#announce(`${title} was deleted.`);
    }
}
