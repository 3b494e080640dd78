// What is kept on this device: adapters, and a job that has not ended.
import { storage } from "./pipit/train.js";
import { button, byId, element } from "./dom.js";
import { formatBytes } from "./format.js";

export const CHECKPOINT = "teach-checkpoint";
const JOB = "teach-job";

/** @typedef {import("./teach.js").Job} Job */

/** @param {Job} job */
export async function storeJob(job) {
    const bytes = new TextEncoder().encode(JSON.stringify(job));
    await storage.put(JOB, bytes);
}

/** Only while there is something learned. @returns {Promise<Job | undefined>} */
export async function readJob() {
    try {
        if (!(await storage.get(CHECKPOINT))) return undefined;
        const bytes = await storage.get(JOB);
        return bytes && JSON.parse(new TextDecoder().decode(bytes));
    } catch {
        return undefined;
    }
}

export async function forgetJob() {
    await storage.remove(JOB);
    await storage.remove(CHECKPOINT);
}

/** @param {string} name @param {Uint8Array<ArrayBuffer>} bytes */
function download(name, bytes) {
    const address = URL.createObjectURL(new Blob([bytes]));
    element("a", { href: address, download: name }).click();
    setTimeout(() => URL.revokeObjectURL(address), 1000);
}

/**
 * @typedef {object} Told
 * @property {(words: string) => void} announce
 * @property {(kept: { name: string, bytes: Uint8Array<ArrayBuffer> }) => void} onTry
 * @property {() => unknown} onDeleted
 * @property {(error: unknown) => void} onFailure
 */

export class KeptAdapters {
    #told;

    /** @param {Told} told */
    constructor(told) {
        this.#told = told;
        const all = byId("delete-all");
        all.addEventListener("click", () => {
            // A second click within a moment, instead of a dialog.
            if (all.dataset.sure) return void this.#deleteAll();
            all.dataset.sure = "yes";
            all.textContent = "Really delete everything?";
            setTimeout(() => this.#calm(), 4000);
        });
    }

    #calm() {
        const all = byId("delete-all");
        delete all.dataset.sure;
        all.textContent = "Delete everything";
    }

    /** @param {string} name @param {Uint8Array<ArrayBuffer>} bytes */
    async keep(name, bytes) {
        await storage.put(name, bytes);
        await this.show();
    }

    async show() {
        try {
            const files = await storage.list();
            const adapters = files.filter(({ name }) => /\.gguf$/.test(name));
            const others = files.length - adapters.length;
            const kind = await storage.kind();
            byId("kept").hidden = files.length === 0;
            byId("kept-text").textContent =
                (adapters.length > 0
                    ? "Adapters on this device. llama.cpp and its programs load the files too."
                    : "No adapter yet.") +
                (others > 0
                    ? " A training that has not ended is kept too."
                    : "") +
                (kind === "memory"
                    ? " This browser keeps them only until the page is left."
                    : "");
            byId("kept-list").replaceChildren(
                ...adapters.map((file) => this.#row(file)),
            );
        } catch (error) {
            this.#told.onFailure(error);
        }
    }

    /** @param {import("pipit/train").StoredFile} file */
    #row({ name, bytes }) {
        const act = (
            /** @type {string} */ label,
            /** @type {() => Promise<void>} */ work,
        ) => {
            const made = button(
                label,
                () => work().catch((error) => this.#told.onFailure(error)),
                { class: "small" },
            );
            made.setAttribute("aria-label", `${label} ${name}`);
            return made;
        };
        const whole = async () => {
            const found = await storage.get(name);
            if (!found) throw new Error(`${name} is gone`);
            return found;
        };
        return element(
            "li",
            {},
            element("span", { dir: "auto" }, `${name}, ${formatBytes(bytes)}`),
            act("Try", async () =>
                this.#told.onTry({ name, bytes: await whole() }),
            ),
            act("Download", async () => download(name, await whole())),
            act("Delete", async () => {
                await storage.remove(name);
                this.#told.announce(`${name} was deleted.`);
                await this.show();
            }),
        );
    }

    async #deleteAll() {
        this.#calm();
        try {
            for (const { name } of await storage.list())
                await storage.remove(name);
            await this.#told.onDeleted();
        } catch (error) {
            this.#told.onFailure(error);
        }
        await this.show();
    }
}
