// One question, two answers: the model as it was, and with the adapter.
import { byId } from "./dom.js";
import { wordsOf } from "./teach-data.js";

const MOST_TOKENS = 200;
/** Positions; two hundred words and their answer take less. */
const CONTEXT = 2048;

export class TryBoth {
    #onFailure;
    /** @type {import("pipit").Model | undefined} */
    #model;
    /** @type {import("pipit").Adapter | undefined} */
    #adapter;
    /** @type {import("pipit/train").TrainingExample | undefined} */
    #pattern;
    /** @type {AbortController | undefined} */
    #asking;

    /** @param {(error: unknown) => void} onFailure */
    constructor(onFailure) {
        this.#onFailure = onFailure;
        byId("try-form").addEventListener("submit", (event) => {
            event.preventDefault();
            void this.#ask();
        });
        byId("question").addEventListener("keydown", (event) => {
            if (event.key !== "Enter" || event.shiftKey || event.isComposing)
                return;
            event.preventDefault();
            void this.#ask();
        });
    }

    /**
     * @param {import("pipit").Model} model
     * @param {import("pipit").Adapter} adapter
     * @param {import("pipit/train").TrainingExample | undefined} pattern an
     *     example that shows how the job is asked
     */
    open(model, adapter, pattern) {
        this.#model = model;
        this.#adapter = adapter;
        this.#pattern = pattern;
        byId("try").hidden = false;
        const box = /** @type {HTMLTextAreaElement} */ (byId("question"));
        if (pattern) box.placeholder = wordsOf(pattern).question;
        for (const id of ["answer-base", "answer-taught"])
            byId(id).textContent = "–";
    }

    async close() {
        this.#asking?.abort();
        this.#model = this.#adapter = undefined;
        byId("try").hidden = true;
    }

    async #ask() {
        const model = this.#model;
        const adapter = this.#adapter;
        const box = /** @type {HTMLTextAreaElement} */ (byId("question"));
        const question = box.value.trim() || box.placeholder;
        if (!model || !adapter || !question) return;
        this.#asking?.abort();
        const { signal } = (this.#asking = new AbortController());
        try {
            for (const [id, adapters] of /** @type {const} */ ([
                ["answer-base", []],
                ["answer-taught", [{ adapter }]],
            ])) {
                byId(id).textContent = "…";
                await this.#answer(model, adapters, question, id, signal);
            }
        } catch (error) {
            if (!signal.aborted) this.#onFailure(error);
        }
    }

    /**
     * @param {import("pipit").Model} model
     * @param {readonly import("pipit").AdapterUse[]} adapters
     * @param {string} question @param {string} id
     * @param {AbortSignal} signal
     */
    async #answer(model, adapters, question, id, signal) {
        const contextLength = Math.min(model.contextLength, CONTEXT);
        const session = await model.createSession({
            ...{ adapters, signal, contextLength },
        });
        try {
            const tokens = await this.#prompt(model, question);
            let text = "";
            for await (const sampled of session.generate({
                ...{ tokens, signal, maxTokens: MOST_TOKENS, temperature: 0 },
            })) {
                text += sampled.text;
                byId(id).textContent = text || "…";
            }
            byId(id).textContent = text.trim() || "(nothing)";
        } finally {
            await session.close();
        }
    }

    /** As the examples ask. @param {import("pipit").Model} model @param {string} question */
    async #prompt(model, question) {
        const pattern = this.#pattern;
        if (pattern && !("messages" in pattern))
            return model.tokenize(question, { parseSpecial: false });
        const before = (pattern?.messages ?? []).filter(
            ({ role }) => role === "system" || role === "developer",
        );
        const messages = [...before, { role: "user", content: question }];
        return (await model.applyChatTemplate(messages)).tokens;
    }
}
