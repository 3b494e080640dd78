// What happens, in numbers: of the answer that comes and of the model.
import { byId } from "./dom.js";
import {
    formatBytes,
    formatCount,
    formatDuration,
    formatParameters,
    formatRate,
} from "./format.js";

export class Stats {
    #rate = byId("stat-rate");
    #first = byId("stat-first");
    #memory = byId("stat-memory");
    #context = byId("stat-context");
    #contextBar = /** @type {HTMLProgressElement} */ (byId("context-bar"));
    #prompt = byId("stat-prompt");
    #answer = byId("stat-answer");

    constructor() {
        const more = /** @type {HTMLDetailsElement} */ (byId("stats-more"));
        const wide = matchMedia("(min-width: 64rem)");
        const follow = () => (more.open = wide.matches);
        wide.addEventListener("change", follow);
        follow();
    }

    /** @param {import("pipit").Model} model */
    showModel(model) {
        const { threads, kernels, parameters, architecture } = model;
        byId("stat-load").textContent = formatDuration(
            model.loadTimings.totalMs,
        );
        byId("stat-model").textContent =
            `${architecture}, ${formatParameters(parameters)}`;
        byId("stat-kernels").textContent = kernels;
        byId("stat-threads").textContent = String(threads);
        for (const figure of [
            this.#rate,
            this.#first,
            this.#prompt,
            this.#answer,
        ])
            figure.textContent = "–";
        this.showMemory(model);
    }

    /** @param {import("pipit").Model} model */
    showMemory(model) {
        this.#memory.textContent = formatBytes(model.memory.total);
    }

    /** @param {import("pipit").Session} session */
    showContext({ length, contextLength }) {
        this.#context.textContent = `${formatCount(length)} of ${formatCount(contextLength)}`;
        this.#contextBar.value = length / contextLength;
    }

    /**
     * While an answer comes: pieces of text are nearly tokens.
     * @param {number} firstMs
     * @param {number} pieces
     * @param {number} ms since the first
     */
    showRunning(firstMs, pieces, ms) {
        this.#first.textContent = formatDuration(firstMs);
        this.#answer.textContent = `${formatCount(pieces)} tokens`;
        if (pieces > 1 && ms > 0)
            this.#rate.textContent = formatRate((1000 * (pieces - 1)) / ms);
    }

    showWaiting() {
        for (const figure of [this.#rate, this.#first, this.#answer])
            figure.textContent = "–";
    }

    /** @param {import("pipit").ChatTurn} turn */
    showTurn({ timings, promptTokens, cachedTokens, completionTokens }) {
        const { firstTokenMs, completionTokensPerSecond: rate } = timings;
        this.#rate.textContent = rate > 0 ? formatRate(rate) : "–";
        this.#first.textContent =
            firstTokenMs > 0 ? formatDuration(firstTokenMs) : "–";
        this.#answer.textContent = `${formatCount(completionTokens)} tokens`;
        const fresh = promptTokens - cachedTokens;
        this.#prompt.textContent = `${formatCount(fresh)} new, ${formatCount(cachedTokens)} kept`;
    }
}
