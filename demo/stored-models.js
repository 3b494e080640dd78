// The models that are kept on this device: in the settings, and before a load.
import { models } from "./pipit/models.js";
import { button, byId, element } from "./dom.js";
import { codeOf, wordsFor } from "./failure.js";
import { formatBytes } from "./format.js";

/** A store that fails so does not stop a model from being used. */
const ofTheStore = ["disk-full", "io", "worker-died", "invalid-state"];

/**
 * Brings a model into the store, unless it is there. Files of the user stay
 * where they are.
 * @param {import("./model-picker.js").Choice} choice
 * @param {AbortSignal} signal
 * @param {import("pipit").OnProgress} onProgress
 */
export async function keepModel({ source, modelBase }, signal, onProgress) {
    if (typeof source !== "string" && !(source instanceof URL)) return;
    const mirrors = modelBase ? [modelBase] : [];
    try {
        await models.pull(source, { mirrors, signal, onProgress });
    } catch (error) {
        if (!ofTheStore.includes(codeOf(error))) throw error;
        console.info(`not kept: ${error}`);
    }
}

/** @param {string} source */
export const isKept = (source) => models.has(source).catch(() => false);

export class StoredModels {
    #box = byId("stored-models");
    #onOpen;
    #announce;
    #onChange;

    /**
     * @param {(source: string, label: string) => void} onOpen
     * @param {(words: string) => void} announce
     * @param {() => void} onChange
     */
    constructor(onOpen, announce, onChange) {
        this.#onOpen = onOpen;
        this.#announce = announce;
        this.#onChange = onChange;
        byId("open-settings").addEventListener("click", () => this.show());
    }

    async show() {
        this.#onChange();
        try {
            const [list, usage] = await Promise.all([
                models.list(),
                models.usage(),
            ]);
            this.#render(list, usage);
        } catch (error) {
            const why = error instanceof Error ? error.message : String(error);
            this.#fill(element("p", {}, `They can't be read: ${why}`));
        }
    }

    /** @param {...Node} content */
    #fill(...content) {
        const legend = element("legend", {}, "Models on this device");
        this.#box.replaceChildren(legend, ...content);
    }

    /**
     * @param {import("pipit/models").StoredModel[]} list
     * @param {import("pipit/models").StoreUsage} usage
     */
    #render(list, { kind, models: bytes, partial, persisted }) {
        const rows = list.map((model) => this.#row(model));
        const words =
            list.length === 0
                ? "None yet. A model that was fetched is kept here."
                : `${formatBytes(bytes)} in all.`;
        const unfinished =
            partial > 0
                ? ` ${formatBytes(partial)} of downloads that did not end; ` +
                  "they go on when the model is chosen again."
                : "";
        const brief =
            kind === "memory"
                ? " This browser keeps them only until the page is left."
                : "";
        const facts = element("p", {}, words + unfinished + brief);
        const add = this.#importer();
        if (persisted || kind === "memory" || list.length === 0)
            return this.#fill(facts, element("ul", {}, ...rows), add);
        const keep = button("Keep when space is short", () => this.#persist(), {
            class: "small",
        });
        this.#fill(facts, element("ul", {}, ...rows), keep, add);
    }

    /** Takes a file of the user's into the store. */
    #importer() {
        const input = element("input", { type: "file", accept: ".gguf" });
        const label = element("span", { class: "button small" }, "Add a file");
        input.addEventListener("change", async () => {
            const file = input.files?.[0];
            if (!file) return;
            input.disabled = true;
            try {
                await models.import(file, {
                    onProgress: ({ loaded, total }) => {
                        label.textContent = `Copying: ${formatBytes(loaded)} of ${formatBytes(total)}`;
                    },
                });
                this.#announce(`${file.name} is kept on this device.`);
                await this.show();
            } catch (error) {
                const { title, advice } = wordsFor(error);
                label.textContent = `${title}. ${advice}`;
                this.#announce(label.textContent);
                input.disabled = false;
            }
        });
        return element("label", { class: "picker" }, input, label);
    }

    /** @param {import("pipit/models").StoredModel} model */
    #row({ source, file, size }) {
        const label = `${file}, ${formatBytes(size)}`;
        const open = button("Open", () => this.#onOpen(source, file), {
            class: "small",
        });
        const remove = button("Remove", () => this.#remove(source, file), {
            class: "small",
        });
        open.setAttribute("aria-label", `Open ${file}`);
        remove.setAttribute("aria-label", `Remove ${file}`);
        return element("li", {}, element("span", {}, label), open, remove);
    }

    /** @param {string} source @param {string} file */
    async #remove(source, file) {
        try {
            await models.remove(source);
            this.#announce(`${file} was removed from this device.`);
        } catch (error) {
            this.#announce(error instanceof Error ? error.message : "Failed");
        }
        await this.show();
    }

    async #persist() {
        const kept = await models.persist();
        this.#announce(
            kept
                ? "The browser will keep the models."
                : "The browser did not agree; it may clear them.",
        );
        await this.show();
    }
}
