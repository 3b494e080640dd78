// What the settings do with chats: all to a file and back, and the end of it all.
import { confirmAction } from "./ask.js";
import { byId, saveFile } from "./dom.js";
import { deleteEverything } from "./erase.js";
import { fileName } from "./chat-file.js";

export class ChatData {
    #store;
    #announce;
    #news = byId("chats-news");

    /**
     * @param {import("./chat-store.js").ChatStore} store
     * @param {object} tools
     * @param {(words: string) => void} tools.announce
     * @param {() => Promise<void>} tools.closeAll
     */
    constructor(store, { announce, closeAll }) {
        this.#store = store;
        this.#announce = announce;
        byId("export-chats").addEventListener("click", () => this.#export());
        const input = /** @type {HTMLInputElement} */ (byId("import-chats"));
        input.addEventListener("change", () => {
            const file = input.files?.[0];
            if (file) void this.import(file);
            input.value = "";
        });
        byId("erase").addEventListener("click", () => this.#erase(closeAll));
        // Another tab deleted everything: what is shown here is gone too.
        const channel = new BroadcastChannel("pipit-erased");
        channel.addEventListener("message", () => location.replace("./"));
    }

    async #export() {
        const date = new Date().toISOString().slice(0, 10);
        const json = await this.#store.exportAll();
        saveFile(
            fileName(`pipit chats ${date}`, "json"),
            json,
            "application/json",
        );
    }

    /** @param {File} file */
    async import(file) {
        let words;
        try {
            const n = await this.#store.import(await file.text());
            words = `${n} chat${n === 1 ? " was" : "s were"} imported.`;
        } catch (error) {
            const why = error instanceof Error ? error.message : String(error);
            words = `Nothing was imported from ${file.name}. ${why}`;
        }
        this.#news.textContent = words;
        return words;
    }

    /** @param {() => Promise<void>} closeAll */
    async #erase(closeAll) {
        const sure = await confirmAction(
            "Delete everything?",
            "All models, chats, documents and settings of Pipit on this " +
                "device. Models would have to be downloaded again.",
            "Delete everything",
        );
        if (!sure) return;
        this.#announce("Deleting everything.");
        const left = await deleteEverything(closeAll);
        if (left.length > 0) {
            this.#news.textContent = `Not deleted: ${left.join(", ")}. Close other tabs with Pipit and try again.`;
            return;
        }
        new BroadcastChannel("pipit-erased").postMessage("erased");
        location.replace("./");
    }
}
