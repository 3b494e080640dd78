// The work: loading, testing, learning; its plan, its figures and its plot.
import { lossPlot } from "./pipit/train.js";
import { byId } from "./dom.js";
import { formatBytes, formatDuration, formatRate } from "./format.js";
import { CHECKPOINT } from "./teach-kept.js";

/**
 * @typedef {{ epochs: number, rank: number, learningRate: number, batchSize: number }} Plan
 * @typedef {import("./teach.js").Job} Job
 */

/** Of the form's fields. */
const fields = {
    epochs: { id: "epochs", least: 1, most: 100, whole: true },
    rank: { id: "rank", least: 1, most: 256, whole: true },
    learningRate: { id: "rate", least: 1e-7, most: 10, whole: false },
    batchSize: { id: "batch", least: 1, most: 64, whole: true },
};

/** An answer that is JSON is judged as such. @param {Job} job */
export function metricOf({ unseen }) {
    const isJson = (
        /** @type {import("pipit/train").TrainingExample} */ one,
    ) => {
        const text =
            "messages" in one ? one.messages.at(-1)?.content : one.completion;
        if (typeof text !== "string" || !/^\s*[{[]/.test(text)) return false;
        try {
            JSON.parse(text);
            return true;
        } catch {
            return false;
        }
    };
    return unseen.every(isJson) ? "json" : "exact";
}

export class TeachRun {
    #announce;
    /** @type {(() => void) | undefined} */
    #goOn;
    /** @type {Promise<void> | undefined} */
    #pause;
    #tenth = 0;

    /** @param {(words: string) => void} announce */
    constructor(announce) {
        this.#announce = announce;
        byId("pause").addEventListener("click", () => this.#togglePause());
        byId("lower-rate").addEventListener("click", () => this.#lowerRate());
    }

    /** @returns {Plan} */
    readPlan() {
        const entries = Object.entries(fields).map(([name, field]) => {
            const input = /** @type {HTMLInputElement} */ (byId(field.id));
            const value = Number(input.value.trim().replace(",", "."));
            const fits = value >= field.least && value <= field.most;
            if (fits && input.value.trim() && (!field.whole || value % 1 === 0))
                return [name, value];
            input.closest("details")?.setAttribute("open", "");
            input.focus();
            throw new RangeError(
                `${input.labels?.[0]?.textContent?.trim()}: a ${field.whole ? "whole " : ""}` +
                    `number from ${field.least} to ${field.most}`,
            );
        });
        return Object.fromEntries(entries);
    }

    /** @param {Plan} plan */
    writePlan(plan) {
        for (const [name, { id }] of Object.entries(fields))
            /** @type {HTMLInputElement} */ (byId(id)).value = String(
                plan[/** @type {keyof Plan} */ (name)],
            );
    }

    /** @param {string} words */
    showProblem(words) {
        const box = byId("plan-problem");
        box.hidden = false;
        box.textContent = words;
    }

    /**
     * Why it ended before its last step; nothing where it did not.
     * @param {import("pipit/train").TrainedAdapter} trained
     */
    showEnd({ finishReason, message = "" }) {
        const lost = finishReason === "diverged";
        byId("ended").hidden = finishReason === "done";
        byId("lower-rate").hidden = !lost;
        byId("ended-title").textContent = lost
            ? "The learning rate was too high."
            : "It was learned early.";
        byId("ended-text").textContent =
            `${message.slice(0, 1).toUpperCase()}${message.slice(1)}.`;
    }

    #lowerRate() {
        const input = /** @type {HTMLInputElement} */ (
            byId(fields.learningRate.id)
        );
        const third = Number(input.value.trim().replace(",", ".")) / 3;
        input.value = String(Number(third.toPrecision(2)));
        input.closest("details")?.setAttribute("open", "");
        input.focus();
    }

    begin() {
        byId("ended").hidden = true;
        byId("plan-problem").hidden = true;
        byId("start").hidden = true;
        byId("cancel").hidden = false;
        byId("work").hidden = false;
        byId("cancel").focus();
        this.#figures({});
        this.#say("Starting the engine", 0);
    }

    end() {
        byId("start").hidden = false;
        byId("cancel").hidden = byId("pause").hidden = true;
        byId("work").hidden = true;
        this.#resume();
    }

    clear() {
        this.end();
        byId("ended").hidden = true;
        byId("plot").hidden = true;
        byId("plot").replaceChildren();
    }

    /** @param {string} text @param {number} [share] as it is */
    #say(text, share) {
        const box = byId("work-text");
        if (box.textContent !== text) box.textContent = text;
        const bar = /** @type {HTMLProgressElement} */ (byId("work-bar"));
        bar.value = share ?? bar.value;
    }

    /** @param {Partial<Record<"step" | "loss" | "rate" | "left" | "memory", string>>} texts */
    #figures(texts) {
        for (const name of /** @type {const} */ ([
            "step",
            "loss",
            "rate",
            "left",
            "memory",
        ]))
            byId(`work-${name}`).textContent = texts[name] ?? "–";
    }

    /** @param {import("pipit").Progress} progress */
    showLoading({ phase, loaded, total }) {
        const what =
            phase === "download" ? "Fetching the model" : "Loading the model";
        this.#say(what, total > 0 ? loaded / total : 0);
        const left = total > 0 ? `${formatBytes(total - loaded)}` : "–";
        this.#figures({ left });
    }

    /**
     * @param {import("pipit").Model} model
     * @param {Job} job
     * @param {readonly import("pipit").AdapterUse[]} adapters
     * @param {"before" | "after"} when
     * @param {AbortSignal} signal
     */
    async judge(model, job, adapters, when, signal) {
        if (job.unseen.length === 0) return undefined;
        this.#say(
            when === "before"
                ? "Testing what it can do before"
                : "Testing what it has learned",
            0,
        );
        this.#figures({});
        return model.evaluate(job.unseen, {
            ...{ adapters, signal, metric: metricOf(job) },
            onProgress: ({ done, total, secondsLeft }) => {
                this.#say(byId("work-text").textContent ?? "", done / total);
                this.#figures({
                    step: `${done} of ${total}`,
                    left: formatDuration(1000 * secondsLeft),
                });
            },
        });
    }

    /**
     * @param {import("pipit").Model} model
     * @param {Job} job
     * @param {AbortSignal} signal
     */
    async train(model, { learned, plan, name }, signal) {
        /** @type {number[]} */
        const losses = [];
        this.#tenth = 0;
        byId("pause").hidden = false;
        this.#say("Learning", 0);
        const goOn = () => this.#resume();
        signal.addEventListener("abort", goOn, { once: true });
        try {
            const trained = await model.trainAdapter(learned, {
                ...plan,
                ...{ signal, checkpoint: CHECKPOINT, notes: { name } },
                onProgress: (progress) => {
                    const { step, steps, loss, memory } = progress;
                    losses[step - 1] = loss;
                    this.#say("Learning", step / steps);
                    this.#figures({
                        step: `${step} of ${steps}`,
                        loss: loss.toFixed(3),
                        rate: formatRate(progress.tokensPerSecond),
                        left: formatDuration(1000 * progress.secondsLeft),
                        memory: formatBytes(memory),
                    });
                    this.#plot(losses, steps);
                    this.#tell(step, steps, loss);
                    return this.#pause;
                },
            });
            this.#plot(trained.losses, trained.losses.length);
            return trained;
        } finally {
            signal.removeEventListener("abort", goOn);
            byId("pause").hidden = true;
        }
    }

    /** @param {number} step @param {number} steps @param {number} loss */
    #tell(step, steps, loss) {
        const tenth = Math.floor((5 * step) / steps);
        if (tenth === this.#tenth) return;
        this.#tenth = tenth;
        this.#announce(`Step ${step} of ${steps}, loss ${loss.toFixed(2)}.`);
    }

    /** @param {readonly number[]} losses @param {number} steps */
    #plot(losses, steps) {
        const known = Array.from(losses, (loss) => loss ?? NaN);
        const svg = new DOMParser().parseFromString(
            lossPlot(known, { title: "Loss", steps }),
            "image/svg+xml",
        );
        byId("plot").hidden = false;
        byId("plot").replaceChildren(
            document.importNode(svg.documentElement, true),
        );
    }

    #togglePause() {
        if (this.#pause) return this.#resume();
        this.#pause = new Promise((resolve) => {
            this.#goOn = resolve;
        });
        byId("pause").textContent = "Continue";
        this.#say("Paused");
        this.#announce("Paused after this step.");
    }

    #resume() {
        this.#goOn?.();
        this.#goOn = this.#pause = undefined;
        byId("pause").textContent = "Pause";
        this.#say("Learning");
    }
}
