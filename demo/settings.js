// The settings: each says what it does, is kept on this device, and holds from
// the next message; only threads need the model loaded again.
import { button, byId, element } from "./dom.js";
import { canThread, likelyThreads, threadsRefused } from "./place.js";

/**
 * @typedef {object} Values
 * @property {number} temperature
 * @property {number} topP
 * @property {number} repetitionPenalty
 * @property {number} maxTokens
 * @property {number | null} seed      null: a new one each time
 * @property {string} system           "": the model file's own
 * @property {number} contextLength
 * @property {number} passageTokens
 * @property {number | null} threads   null: what the package chooses
 */

/** @type {Values} */
const defaults = {
    temperature: 0.2,
    topP: 0.9,
    repetitionPenalty: 1.1,
    maxTokens: 512,
    seed: null,
    system: "",
    contextLength: 4096,
    passageTokens: 1000,
    threads: null,
};

/**
 * @typedef {object} Field
 * @property {keyof Values} key
 * @property {"range" | "number" | "text"} kind
 * @property {string} label
 * @property {string} help
 * @property {number} [min]
 * @property {number} [max]
 * @property {number} [step]
 * @property {string} [empty] what is meant when nothing is written
 */

/** @type {{ title: string, fields: Field[] }[]} */
const groups = [
    {
        title: "Answers",
        fields: [
            {
                key: "system",
                kind: "text",
                label: "System prompt",
                help:
                    "Tells the model who it is and how to answer. The " +
                    "conversation so far is read again when it changes.",
                empty: "The model's own",
            },
            {
                key: "temperature",
                kind: "range",
                label: "Temperature",
                help:
                    "How freely words are chosen. 0 always takes the " +
                    "likeliest, so the same question has the same answer. " +
                    "Answers from documents begin with 0; trying again " +
                    "takes this.",
                min: 0,
                max: 2,
                step: 0.05,
            },
            {
                key: "topP",
                kind: "range",
                label: "Top-p",
                help:
                    "Leaves the unlikeliest words out: only the best that " +
                    "together have this probability may be chosen. 1 leaves " +
                    "none out.",
                min: 0.05,
                max: 1,
                step: 0.05,
            },
            {
                key: "repetitionPenalty",
                kind: "range",
                label: "Repetition penalty",
                help:
                    "Makes words that came lately less likely. Without one, " +
                    "1, small models repeat themselves; with much of it " +
                    "they lose the thread. Answers from documents go " +
                    "without: they are to repeat the text.",
                min: 1,
                max: 1.5,
                step: 0.05,
            },
            {
                key: "maxTokens",
                kind: "number",
                label: "Longest answer",
                help:
                    "In tokens; one is about three quarters of an English " +
                    "word. An answer ends here at the latest.",
                min: 1,
                max: 32768,
                step: 1,
            },
            {
                key: "seed",
                kind: "number",
                label: "Seed",
                help:
                    "Starts the dice. The same seed, settings and " +
                    "conversation give the same answer on every device.",
                min: 0,
                max: Number.MAX_SAFE_INTEGER,
                step: 1,
                empty: "A new one each time",
            },
        ],
    },
    {
        title: "Documents",
        fields: [
            {
                key: "passageTokens",
                kind: "number",
                label: "Read from documents",
                help:
                    "How many tokens of passages the model reads for one " +
                    "answer. More may tell it more, takes longer, and " +
                    "confuses small models.",
                min: 100,
                max: 32768,
                step: 1,
            },
        ],
    },
    {
        title: "Engine",
        fields: [
            {
                key: "contextLength",
                kind: "number",
                label: "Context length",
                help:
                    "How many tokens of the conversation the model can see, " +
                    "its answer included. More takes more memory.",
                min: 64,
                max: 131072,
                step: 1,
            },
            {
                key: "threads",
                kind: "number",
                label: "Threads",
                help:
                    "How many processors compute at once. It changes how " +
                    "fast answers come, never what they say.",
                min: 1,
                max: 64,
                step: 1,
                empty: canThread ? `Automatic: ${likelyThreads}` : "1",
            },
        ],
    },
];

const storageKey = "pipit-settings";

/** @param {Field} field @param {unknown} value from a form or a store */
function checked(field, value) {
    const { key, kind, min = 0, max = 0, empty } = field;
    if (kind === "text") return typeof value === "string" ? value : "";
    if (value === "" || value === null) return empty ? null : defaults[key];
    const number = Number(value);
    if (!Number.isFinite(number)) return defaults[key];
    const bounded = Math.min(Math.max(number, min), max);
    return kind === "range" ? bounded : Math.round(bounded);
}

const allFields = groups.flatMap((group) => group.fields);

/** @returns {Values} */
function readStored() {
    const values = { ...defaults };
    try {
        const stored = JSON.parse(localStorage.getItem(storageKey) ?? "{}");
        for (const field of allFields)
            if (Object.hasOwn(stored, field.key))
                Object.assign(values, {
                    [field.key]: checked(field, stored[field.key]),
                });
    } catch {
        // Nothing is stored, or it may not be read: the defaults hold.
    }
    return values;
}

export class Settings {
    values = readStored();
    #dialog = /** @type {HTMLDialogElement} */ (byId("settings"));
    #reload;
    /** @type {number | null} threads that the model was loaded with */
    #loadedThreads = null;
    #isLoaded = false;

    /** @param {() => void} onReload */
    constructor(onReload) {
        this.#reload = button(
            "Load the model again now",
            () => {
                this.#dialog.close();
                onReload();
            },
            { class: "small" },
        );
        this.#build();
        byId("open-settings").addEventListener("click", () =>
            this.#dialog.showModal(),
        );
        // A click outside of the sheet lands on the dialog itself.
        this.#dialog.addEventListener("click", (event) => {
            if (event.target === this.#dialog) this.#dialog.close();
        });
        byId("settings-reset").addEventListener("click", () => {
            this.values = { ...defaults };
            this.#build();
            this.#changed();
        });
    }

    close() {
        this.#dialog.close();
    }

    get isOpen() {
        return this.#dialog.open;
    }

    /** Threads as the package wants them. */
    get threads() {
        return canThread ? (this.values.threads ?? undefined) : undefined;
    }

    /** The model in use was loaded with the settings of now. */
    modelLoaded() {
        this.#isLoaded = true;
        this.#loadedThreads = this.values.threads;
        this.#changed();
    }

    #changed() {
        this.#reload.hidden =
            !this.#isLoaded || this.values.threads === this.#loadedThreads;
        try {
            localStorage.setItem(storageKey, JSON.stringify(this.values));
        } catch {
            // Then they hold until the page is left.
        }
    }

    #build() {
        byId("settings-fields").replaceChildren(
            ...groups.map(({ title, fields }) =>
                element(
                    "fieldset",
                    {},
                    element("legend", {}, title),
                    ...fields.map((field) => this.#row(field)),
                ),
            ),
        );
    }

    /** @param {Field} field */
    #row(field) {
        const { key, kind, label, help } = field;
        const id = `setting-${key}`;
        const refused = key === "threads" ? threadsRefused : "";
        const control = this.#control(field, id);
        const output = element("output", { for: id });
        const show = () => (output.value = String(this.values[key]));
        show();
        control.addEventListener("input", show);
        if (refused) control.disabled = true;
        const row = element(
            "div",
            { class: `field ${kind}` },
            element("label", { for: id }, label),
            control,
            element("p", { id: `${id}-help` }, refused || help),
        );
        if (kind === "range") control.before(output);
        if (key === "threads") row.append(this.#reload);
        return row;
    }

    /** @param {Field} field @param {string} id */
    #control(field, id) {
        const { key, kind, min, max, step, empty } = field;
        const control =
            kind === "text"
                ? element("textarea", { rows: "3", dir: "auto" })
                : element("input", { type: kind });
        for (const [name, value] of Object.entries({ min, max, step }))
            if (value !== undefined) control.setAttribute(name, String(value));
        control.id = id;
        control.setAttribute("aria-describedby", `${id}-help`);
        control.value = String(this.values[key] ?? "");
        if (empty && !(control.type === "range")) control.placeholder = empty;
        const take = () => {
            const value = checked(field, control.value);
            this.values = { ...this.values, [key]: value };
            this.#changed();
        };
        control.addEventListener("input", take);
        // What was out of bounds is shown as it was taken.
        control.addEventListener("change", () => {
            control.value = String(this.values[key] ?? "");
        });
        return control;
    }
}
