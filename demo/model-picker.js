// Which model: the suggested one, a file, or an address.
import { button, byId, element } from "./dom.js";
import { models } from "./pipit/models.js";
import { isKept } from "./stored-models.js";
import { describeFailure } from "./failure.js";
import { formatBytes, formatCount } from "./format.js";

/**
 * @typedef {object} Choice
 * @property {string} label
 * @property {import("pipit").ModelSource} source
 * @property {URL} [modelBase]
 */

/** What the page knows without a manifest; a manifest beside it knows more. */
const fallback = {
    name: "smollm2-135m-instruct-q4_1",
    title: "SmolLM2 135M Instruct",
    description: "Small chat model in English; answers in a second.",
    size: 98_362_432,
    contextLength: 8192,
    licence: { name: "Apache-2.0" },
    /** @type {boolean | undefined} */
    here: undefined,
};

async function readSuggested() {
    try {
        const response = await fetch("models/manifest.json");
        if (!response.ok) return fallback;
        const manifest = await response.json();
        const link = document.querySelector("#api-link");
        if (manifest.api) link?.removeAttribute("hidden");
        const isDefault = (/** @type {{ name: string }} */ { name }) =>
            name === manifest.default;
        return { ...fallback, ...manifest.models.find(isDefault) };
    } catch {
        return fallback;
    }
}

/** The address of the file where people copy that of the page about it. */
function directAddress(/** @type {URL} */ url) {
    if (url.hostname === "huggingface.co")
        url.pathname = url.pathname.replace("/blob/", "/resolve/");
    return url;
}

/** @param {string} text @returns {URL | undefined} */
function parseAddress(text) {
    try {
        const url = new URL(text, document.baseURI);
        const isWeb = url.protocol === "https:" || url.protocol === "http:";
        return text && isWeb ? directAddress(url) : undefined;
    } catch {
        return undefined;
    }
}

/** The last part of a path, readable. @param {URL} url */
function nameOf(url) {
    const last = url.pathname.split("/").at(-1) || url.hostname;
    try {
        return decodeURIComponent(last);
    } catch {
        return last;
    }
}

const LAST = "pipit-last-model";

/** The one that answered last. @returns {{ source: string, label: string } | undefined} */
export function lastModel() {
    try {
        const { source, label } = JSON.parse(localStorage.getItem(LAST) ?? "");
        return typeof source === "string" ? { source, label } : undefined;
    } catch {
        return undefined;
    }
}

/** @param {{ source: string, label: string }} model */
export function rememberModel(model) {
    try {
        localStorage.setItem(LAST, JSON.stringify(model));
    } catch {
        // Then it is asked for.
    }
}

export class ModelPicker {
    #suggested = fallback;
    #failureBox = byId("load-failure");
    #onChoose;
    #announcer;

    /**
     * @param {import("./announcer.js").Announcer} announcer
     * @param {(choice: Choice) => void} onChoose
     */
    constructor(announcer, onChoose) {
        this.#announcer = announcer;
        this.#onChoose = onChoose;
        byId("load-default").addEventListener("click", () =>
            this.#chooseSuggested(),
        );
        const input = /** @type {HTMLInputElement} */ (byId("file"));
        input.addEventListener("change", () => {
            const [file] = input.files ?? [];
            if (file) this.chooseFile(file);
            input.value = ""; // the same file may be chosen again
        });
        byId("url-form").addEventListener("submit", (event) => {
            event.preventDefault();
            this.#chooseAddress();
        });
        void this.#showSuggested();
    }

    async #showSuggested() {
        this.#suggested = await readSuggested();
        await this.#showFacts();
    }

    async #showFacts() {
        const kept = await isKept(this.#suggested.name);
        const { title, description, size, contextLength, licence, here } =
            this.#suggested;
        byId("load-default").textContent = kept ? "Open" : "Load the model";
        byId("default-name").textContent = title;
        byId("default-description").textContent = description;
        const facts = [
            formatBytes(size) +
                (kept
                    ? " on this device"
                    : here === false
                      ? " to download"
                      : ""),
            licence.name,
            `${formatCount(contextLength)} tokens of context`,
        ];
        byId("default-facts").replaceChildren(
            ...facts.map((fact) => element("li", {}, fact)),
        );
    }

    #chooseSuggested() {
        const { name, title, here } = this.#suggested;
        const modelBase = new URL("models/", document.baseURI);
        this.#onChoose({
            label: title,
            source: name,
            ...(here !== false && { modelBase }),
        });
    }

    /** @param {File} file */
    chooseFile(file) {
        this.#onChoose({ label: file.name, source: file });
    }

    #chooseAddress() {
        const input = /** @type {HTMLInputElement} */ (byId("url"));
        const problem = byId("url-problem");
        const url = parseAddress(input.value.trim());
        problem.hidden = url !== undefined;
        input.setAttribute("aria-invalid", String(url === undefined));
        if (url) {
            this.#onChoose({ label: nameOf(url), source: url });
            return;
        }
        problem.textContent =
            "An address begins with https:// and ends in .gguf";
        this.#announcer.announce(problem.textContent);
        input.focus();
    }

    /** The suggested model, when it is on this device. @returns {Promise<Choice | undefined>} */
    async suggestedIfNear() {
        const { name, title } = this.#suggested;
        const near = await isKept(name);
        return near ? { label: title, source: name } : undefined;
    }

    /** Those on this device. @param {unknown} [inUse] the source of the one in use */
    async showKept(inUse) {
        const all = await models.list().catch(() => []);
        const { name } = this.#suggested;
        const list = all.filter(({ source }) => source !== name);
        void this.#showFacts();
        byId("kept").hidden = list.length === 0;
        byId("kept-models").replaceChildren(
            ...list.map(({ source, file, size }) => {
                const open = button(file, () =>
                    this.#onChoose({ label: file, source }),
                );
                open.setAttribute("aria-label", `Use ${file}`);
                open.append(
                    element("span", { class: "facts-line" }, formatBytes(size)),
                );
                if (source === inUse) open.setAttribute("aria-current", "true");
                return element("li", {}, open);
            }),
        );
    }

    clearFailure() {
        this.#failureBox.replaceChildren();
    }

    /** @param {unknown} error @param {Choice} choice that failed */
    showFailure(error, choice) {
        const again = button("Try again", () => this.#onChoose(choice), {
            icon: "retry",
        });
        const { card, heading } = describeFailure(error, [again], "h2");
        this.#failureBox.replaceChildren(card);
        heading.focus();
        this.#announcer.announce(`${choice.label}: ${heading.textContent}.`);
    }
}
