// The examples: a file of the user or the sample, what is wrong with it, some of
// it to look at, and a part set aside that the model does not see.
import { checkExamples, compareExamples, readExamples } from "./pipit/train.js";
import { byId, element } from "./dom.js";
import { formatBytes, formatCount } from "./format.js";

/**
 * @typedef {import("pipit/train").TrainingExample} Example
 * @typedef {import("pipit/train").DataProblem} Problem
 * @typedef {{ name: string, learned: Example[], unseen: Example[] }} ExampleSet
 */

const SHOWN_PROBLEMS = 8;
const SHOWN_EXAMPLES = 5;
/** Of the user's file, and not more than so many. */
const SET_ASIDE = 0.2;
const MOST_UNSEEN = 100;
/** Nobody's examples are larger. */
const MOST_BYTES = 64e6;

/** @param {Example} example @returns {{ question: string, answer: string }} */
export function wordsOf(example) {
    if ("messages" in example) {
        const text = (/** @type {any} */ content) =>
            typeof content === "string" ? content : JSON.stringify(content);
        const asked = example.messages.filter(({ role }) => role === "user");
        return {
            question: text(asked.at(-1)?.content ?? ""),
            answer: text(example.messages.at(-1)?.content ?? ""),
        };
    }
    return {
        question: String(example.prompt),
        answer: String(example.completion),
    };
}

export class TeachData {
    /** @type {(set: ExampleSet | undefined) => void} */
    onChange = () => {};
    #announce;
    /** @type {ExampleSet | undefined} */
    #set;
    /** What was chosen, to be read again with other columns. @type {File | undefined} */
    #file;
    #turn = 0;

    /** @param {(words: string) => void} announce */
    constructor(announce) {
        this.#announce = announce;
        const input = /** @type {HTMLInputElement} */ (byId("data-file"));
        input.addEventListener("change", () => {
            const [file] = input.files ?? [];
            if (file) this.#choose(file);
        });
        byId("sample").addEventListener("click", () => void this.#sample());
        for (const id of ["prompt-column", "completion-column", "system"])
            byId(id).addEventListener("change", () => void this.#read(false));
        this.#acceptDrops();
    }

    get set() {
        return this.#set;
    }

    /** @param {boolean} yes */
    set disabled(yes) {
        for (const id of ["data-file", "sample", "system"])
            /** @type {HTMLInputElement} */ (byId(id)).disabled = yes;
        for (const id of ["prompt-column", "completion-column"])
            /** @type {HTMLSelectElement} */ (byId(id)).disabled = yes;
    }

    clear() {
        this.#file = this.#set = undefined;
        /** @type {HTMLInputElement} */ (byId("data-file")).value = "";
        /** @type {HTMLInputElement} */ (byId("system")).value = "";
        byId("data-options").hidden = byId("preview").hidden = true;
        byId("data-facts").replaceChildren();
        byId("data-problems").replaceChildren();
    }

    #acceptDrops() {
        const veil = byId("drop");
        const holdsFile = (/** @type {DragEvent} */ event) =>
            event.dataTransfer?.types.includes("Files") === true;
        addEventListener("dragover", (event) => {
            if (!holdsFile(event)) return;
            event.preventDefault();
            veil.hidden = false;
        });
        addEventListener("dragleave", (event) => {
            if (event.relatedTarget === null) veil.hidden = true;
        });
        addEventListener("drop", (event) => {
            if (!holdsFile(event)) return;
            event.preventDefault();
            veil.hidden = true;
            const file = event.dataTransfer?.files[0];
            const input = /** @type {HTMLInputElement} */ (byId("data-file"));
            if (file && !input.disabled) this.#choose(file);
        });
    }

    /** @param {File} file */
    #choose(file) {
        this.#file = file;
        void this.#read(true);
    }

    async #sample() {
        const turn = ++this.#turn;
        this.#file = undefined;
        byId("data-options").hidden = true;
        try {
            const fetched = async (/** @type {string} */ name) => {
                const response = await fetch(`examples-data/${name}`);
                if (!response.ok) throw new Error(`HTTP ${response.status}`);
                return readExamples(await response.text());
            };
            const learned = await fetched("tickets.jsonl");
            const unseen = await fetched("tickets-unseen.jsonl");
            if (turn !== this.#turn) return;
            this.#show(
                "bicycle-workshop",
                [...learned.examples],
                [...unseen.examples],
                [...learned.problems, ...compareExamples(learned, unseen)],
            );
        } catch (error) {
            this.#refuse(`The mails could not be fetched: ${error}`);
        }
    }

    /** @param {boolean} isNew not only other columns of the same file */
    async #read(isNew) {
        const file = this.#file;
        if (!file) return;
        const turn = ++this.#turn;
        if (file.size > MOST_BYTES)
            return this.#refuse(
                `${file.name} has ${formatBytes(file.size)}; that is too much to learn here.`,
            );
        const value = (/** @type {string} */ id) =>
            /** @type {HTMLInputElement} */ (byId(id)).value || undefined;
        if (isNew) {
            byId("prompt-column").replaceChildren();
            byId("completion-column").replaceChildren();
        }
        const system = value("system");
        const isTable = /\.(csv|tsv)$/i.test(file.name);
        try {
            const found = await readExamples(file, {
                format: isTable ? "csv" : undefined,
                chat: isTable || system !== undefined,
                system,
                promptColumn: value("prompt-column"),
                completionColumn: value("completion-column"),
            });
            if (turn !== this.#turn) return;
            this.#showOptions(found);
            const { learned, unseen } = setAside([...found.examples]);
            const name = file.name
                .replace(/\.\w+$/, "")
                .replace(/[^\w-]+/g, "-")
                .replace(/^-+/, "")
                .slice(0, 40);
            this.#show(name || "examples", learned, unseen, found.problems);
        } catch (error) {
            if (turn === this.#turn)
                this.#refuse(
                    `${file.name}: ${error instanceof Error ? error.message : error}`,
                );
        }
    }

    /** @param {import("pipit/train").ExampleFile} found */
    #showOptions({ columns, format, examples }) {
        byId("data-options").hidden = false;
        for (const label of document.querySelectorAll(".table-only"))
            /** @type {HTMLElement} */ (label).hidden = format !== "csv";
        if (!columns) return;
        const fill = (
            /** @type {string} */ id,
            /** @type {number} */ guess,
        ) => {
            const select = /** @type {HTMLSelectElement} */ (byId(id));
            if (select.options.length > 0) return;
            select.replaceChildren(
                ...columns.map((name) =>
                    element("option", { value: name }, name || "(no name)"),
                ),
            );
            select.selectedIndex = guess;
        };
        if (examples.length > 0 || byId("prompt-column").children.length > 0) {
            fill("prompt-column", 0);
            fill("completion-column", Math.min(1, columns.length - 1));
            return;
        }
        // No usual names: the first two columns, to begin with.
        fill("prompt-column", 0);
        fill("completion-column", Math.min(1, columns.length - 1));
        if (columns.length > 1) void this.#read(false);
    }

    /** @param {string} words */
    #refuse(words) {
        this.#set = undefined;
        this.onChange(undefined);
        byId("preview").hidden = true;
        byId("data-facts").replaceChildren();
        byId("data-problems").replaceChildren(
            element("p", { class: "problem", role: "alert" }, words),
        );
    }

    /**
     * @param {string} name @param {Example[]} learned @param {Example[]} unseen
     * @param {readonly Problem[]} problems
     */
    #show(name, learned, unseen, problems) {
        this.#showProblems(problems);
        if (learned.length === 0) {
            this.#set = undefined;
            this.onChange(undefined);
            byId("preview").hidden = true;
            byId("data-facts").replaceChildren(
                "There is no example that can be used.",
            );
            return;
        }
        this.#set = { name, learned, unseen };
        const facts =
            `${name}: ${formatCount(learned.length)} examples to learn, ` +
            `${formatCount(unseen.length)} set aside to test it.` +
            (learned.length < 50
                ? " That is few: some hundred are better."
                : "");
        byId("data-facts").replaceChildren(facts);
        const rows = learned.slice(0, SHOWN_EXAMPLES).map((example) => {
            const { question, answer } = wordsOf(example);
            return element(
                "tr",
                {},
                element("td", { dir: "auto" }, question),
                element("td", { dir: "auto" }, answer),
            );
        });
        const head = element(
            "tr",
            {},
            element("th", { scope: "col" }, "Asked"),
            element("th", { scope: "col" }, "To be answered"),
        );
        byId("preview").replaceChildren(
            element(
                "table",
                {},
                element("thead", {}, head),
                element("tbody", {}, ...rows),
            ),
        );
        byId("preview").hidden = false;
        this.onChange(this.#set);
        this.#announce(facts);
    }

    /** @param {readonly Problem[]} problems */
    #showProblems(problems) {
        const box = byId("data-problems");
        if (problems.length === 0) return box.replaceChildren();
        const count = (/** @type {string} */ severity) =>
            problems.filter((one) => one.severity === severity).length;
        const parts = [];
        if (count("error")) parts.push(`${count("error")} left out`);
        if (count("warning")) parts.push(`${count("warning")} doubtful`);
        const items = problems
            .slice(0, SHOWN_PROBLEMS)
            .map(({ line, severity, message }) =>
                element(
                    "li",
                    { class: severity },
                    element("strong", {}, `Line ${line}`),
                    ` ${message}`,
                ),
            );
        const more = problems.length - items.length;
        if (more > 0) items.push(element("li", {}, `and ${more} more`));
        const details = element("details", { class: "problems" });
        details.open = count("error") > 0;
        details.append(
            element("summary", {}, parts.join(", ")),
            element("ul", {}, ...items),
        );
        box.replaceChildren(details);
    }

    /**
     * Without those that the model can't take.
     * @param {import("pipit").Model} model @param {ExampleSet} set
     * @param {AbortSignal} signal
     */
    async checkLengths(model, { learned }, signal) {
        const list = { examples: learned };
        const { problems } = await checkExamples(model, list, { signal });
        const bad = new Set(problems.map(({ line }) => line));
        if (bad.size === learned.length) {
            const [first] = problems;
            throw new RangeError(
                `No example fits the model: ${first?.message ?? ""}`,
            );
        }
        if (bad.size > 0) {
            this.#showProblems(problems);
            this.#announce(`${bad.size} examples were left out.`);
        }
        return { learned: learned.filter((_, i) => !bad.has(i + 1)) };
    }
}

/** Every fifth, but not too many. @param {Example[]} all */
function setAside(all) {
    const n = Math.min(MOST_UNSEEN, Math.floor(all.length * SET_ASIDE));
    const share = n / Math.max(all.length, 1);
    /** @type {{ learned: Example[], unseen: Example[] }} */
    const split = { learned: [], unseen: [] };
    for (const [i, example] of all.entries()) {
        const isUnseen =
            Math.floor((i + 1) * share + 1e-9) > Math.floor(i * share + 1e-9);
        split[isUnseen ? "unseen" : "learned"].push(example);
    }
    return split;
}
