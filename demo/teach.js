// The page that teaches: examples, learning, before and after, trying, keeping.
// One model and at most one adapter are held at a time.
import { loadModel } from "./pipit/index.js";
import { Announcer } from "./announcer.js";
import { button, byId, started } from "./dom.js";
import { codeOf, describeFailure } from "./failure.js";
import { formatBytes } from "./format.js";
import { Offline } from "./offline.js";
import { keepModel } from "./stored-models.js";
import { TeachData } from "./teach-data.js";
import { forgetJob, KeptAdapters, readJob, storeJob } from "./teach-kept.js";
import { TeachResults } from "./teach-results.js";
import { TeachRun } from "./teach-run.js";
import { TryBoth } from "./teach-try.js";

/**
 * What is taught, and all that is needed to go on with it another day.
 * @typedef {object} Job
 * @property {string} name of the data
 * @property {import("pipit/train").TrainingExample[]} learned
 * @property {import("pipit/train").TrainingExample[]} unseen
 * @property {import("./teach-run.js").Plan} plan
 * @property {string | null} source of the model; null: a file of the user
 */

class Teach {
    #announcer = new Announcer();
    #data = new TeachData((words) => this.#announcer.announce(words));
    #results = new TeachResults();
    #run = new TeachRun((words) => this.#announcer.announce(words));
    #try = new TryBoth((error) => this.#fail(error));
    #kept = new KeptAdapters({
        announce: (words) => this.#announcer.announce(words),
        onTry: (kept) => void this.#busy(() => this.#tryKept(kept)),
        onDeleted: () => this.#reset(),
        onFailure: (error) => this.#fail(error),
    });
    /** @type {import("pipit").Model | undefined} */
    #model;
    /** Of the model that is loaded. @type {unknown} */
    #source;
    /** @type {import("pipit").Adapter | undefined} */
    #adapter;
    /** @type {AbortController | undefined} */
    #working;

    constructor() {
        const isFree = () => !this.#model && !this.#working;
        new Offline({ isFresh: isFree, isIdle: isFree }, (words) =>
            this.#announcer.announce(words),
        );
        this.#data.onChange = (set) => {
            byId("learn").hidden = set === undefined;
        };
        byId("plan").addEventListener("submit", (event) => {
            event.preventDefault();
            void this.#busy(() => this.#start());
        });
        byId("cancel").addEventListener("click", () => this.#working?.abort());
        byId("model-file").addEventListener("change", () => {
            const own = document.querySelector("[name=model][value=file]");
            /** @type {HTMLInputElement} */ (own).checked = true;
        });
        addEventListener("keydown", (event) => {
            if (event.key === "Escape") this.#working?.abort();
        });
        void this.#begin().finally(started);
    }

    async #begin() {
        await this.#kept.show();
        await this.#offerToGoOn();
    }

    /** One work at a time; its failure is shown. @param {() => Promise<void>} work */
    async #busy(work) {
        if (this.#working) return;
        this.#working = new AbortController();
        byId("failure").replaceChildren();
        document.body.dataset.busy = "yes";
        this.#data.disabled = true;
        try {
            await work();
        } catch (error) {
            this.#fail(error);
        } finally {
            this.#working = undefined;
            delete document.body.dataset.busy;
            this.#data.disabled = false;
            this.#run.end();
            await this.#kept.show();
            await this.#offerToGoOn();
        }
    }

    /** @param {unknown} error */
    #fail(error) {
        if (codeOf(error) === "aborted") {
            this.#announcer.announce("Stopped.");
            return;
        }
        if (error instanceof RangeError) {
            this.#run.showProblem(error.message);
            return;
        }
        const { card, heading } = describeFailure(error, [], "h2");
        byId("failure").replaceChildren(card);
        heading.focus();
    }

    get #signal() {
        return /** @type {AbortController} */ (this.#working).signal;
    }

    // ---- the model --------------------------------------------------------

    /** What the form says: a source of the package. */
    #chosenModel() {
        const form = /** @type {HTMLFormElement} */ (byId("plan"));
        if (new FormData(form).get("model") === "default")
            return { source: "smollm2-135m-instruct-q4_1", file: undefined };
        const { files } = /** @type {HTMLInputElement} */ (byId("model-file"));
        const file = files?.[0];
        if (!file) throw new RangeError("Choose the model’s file first.");
        return { source: null, file };
    }

    /** @param {string | null} source @param {File | undefined} file */
    async #open(source, file) {
        const wanted = source ?? file;
        if (!wanted) throw new RangeError("Choose the model’s file first.");
        if (this.#model && !this.#model.closed && this.#source === wanted)
            return this.#model;
        await this.#close();
        const modelBase = new URL("models/", document.baseURI);
        const onProgress = (/** @type {import("pipit").Progress} */ progress) =>
            this.#run.showLoading(progress);
        if (typeof wanted === "string")
            await keepModel(
                { source: wanted, modelBase, label: wanted },
                this.#signal,
                onProgress,
            );
        this.#model = await loadModel(wanted, {
            ...{ training: true, modelBase, onProgress, signal: this.#signal },
        });
        this.#source = wanted;
        return this.#model;
    }

    async #close() {
        await this.#try.close();
        await this.#model?.close();
        this.#model = this.#adapter = this.#source = undefined;
    }

    // ---- learning ---------------------------------------------------------

    async #start() {
        const set = this.#data.set;
        if (!set) return;
        let plan;
        let chosen;
        try {
            plan = this.#run.readPlan();
            chosen = this.#chosenModel();
        } catch (error) {
            if (!(error instanceof RangeError)) throw error;
            this.#run.showProblem(error.message);
            return;
        }
        await this.#learn({ ...set, plan, source: chosen.source }, chosen.file);
    }

    /** @param {Job} job @param {File | undefined} file */
    async #learn(job, file) {
        const signal = this.#signal;
        this.#run.begin();
        this.#results.hide();
        byId("try").hidden = true;
        const model = await this.#open(job.source, file);
        await this.#try.close();
        await this.#adapter?.close();
        const { learned } = await this.#data.checkLengths(model, job, signal);
        await storeJob(job);
        const before = await this.#run.judge(model, job, [], "before", signal);
        this.#results.showBefore(before, job);
        const trained = await this.#run.train(
            model,
            { ...job, learned },
            signal,
        );
        this.#run.showEnd(trained);
        await this.#kept.keep(`${job.name}.gguf`, trained.bytes);
        await forgetJob();
        this.#adapter = await trained.load();
        const uses = [{ adapter: this.#adapter }];
        const after = await this.#run.judge(model, job, uses, "after", signal);
        this.#results.showAfter(before, after, job);
        this.#try.open(model, this.#adapter, job.learned[0]);
        const share = Math.round(100 * (after?.candidates[0]?.accuracy ?? 0));
        const lost = trained.finishReason === "diverged";
        this.#announcer.announce(
            (lost ? "The learning rate was too high. " : "Done. ") +
                `${share} percent right on what it has not seen. ` +
                `The adapter has ${formatBytes(trained.bytes.length)}.`,
        );
        byId("results-title").focus();
    }

    /** What a closed tab left unfinished. */
    async #offerToGoOn() {
        const box = byId("unfinished");
        const job = await readJob();
        box.hidden = job === undefined;
        if (!job) return;
        const goOn = button("Go on", () =>
            this.#busy(async () => {
                byId("learn").hidden = false;
                const file =
                    job.source === null ? this.#chosenModel().file : undefined;
                this.#run.writePlan(job.plan);
                await this.#learn(job, file);
            }),
        );
        const forget = button("Forget it", async () => {
            await forgetJob();
            await this.#offerToGoOn();
        });
        goOn.className = forget.className = "small";
        const needs =
            job.source === null ? " Choose the model’s file below first." : "";
        if (job.source === null) byId("learn").hidden = false;
        box.replaceChildren(
            `“${job.name}” was not finished. It goes on where it was.${needs} `,
            goOn,
            " ",
            forget,
        );
    }

    // ---- adapters that are kept -------------------------------------------

    /** @param {{ name: string, bytes: Uint8Array<ArrayBuffer> }} kept */
    async #tryKept({ bytes }) {
        byId("learn").hidden = false;
        this.#run.begin();
        const { source, file } = this.#chosenModel();
        const model = await this.#open(source, file);
        await this.#try.close();
        await this.#adapter?.close();
        this.#adapter = await model.loadAdapter(bytes);
        this.#try.open(model, this.#adapter, this.#data.set?.learned[0]);
        byId("try-title").focus();
    }

    async #reset() {
        this.#working?.abort();
        await this.#close();
        this.#data.clear();
        this.#results.hide();
        this.#run.clear();
        for (const id of ["learn", "try", "unfinished"]) byId(id).hidden = true;
        this.#announcer.announce("Everything was deleted.");
        byId("data-title").focus();
    }
}

new Teach();
