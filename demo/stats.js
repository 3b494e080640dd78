// What happens, in numbers: of the answer that comes, of the model and of what
// is stored; plots over the last answers; and what was asked of a network.
import { models } from "./pipit/models.js";
import { byId, element } from "./dom.js";
import {
    formatBytes,
    formatCount,
    formatDuration,
    formatParameters,
    formatRate,
} from "./format.js";
import { drawPlot, median } from "./plot.js";
import { Requests } from "./requests.js";
import { Samples } from "./samples.js";

const SHOWN_REQUESTS = 20;

export class Stats {
    #rate = byId("stat-rate");
    #first = byId("stat-first");
    #memory = byId("stat-memory");
    #context = byId("stat-context");
    #contextBar = /** @type {HTMLProgressElement} */ (byId("context-bar"));
    #prompt = byId("stat-prompt");
    #answer = byId("stat-answer");
    #samples = new Samples();
    #willShow = false;
    // Last: WebKit tells it what is there at once.
    #requests = new Requests(() => this.#showRequestsSoon());

    constructor() {
        const more = /** @type {HTMLDetailsElement} */ (byId("stats-more"));
        const wide = matchMedia("(min-width: 80rem)");
        const follow = () => (more.open = wide.matches);
        wide.addEventListener("change", follow);
        follow();
        this.#showPlots();
        this.#showRequests();
        void this.showStorage();
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
        void this.showStorage();
        this.#requests.begin();
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

    /** @param {import("pipit").ChatTurn} turn @param {number} memory bytes */
    showTurn(
        { timings, promptTokens, cachedTokens, completionTokens },
        memory,
    ) {
        const { firstTokenMs, completionTokensPerSecond: rate } = timings;
        this.#rate.textContent = rate > 0 ? formatRate(rate) : "–";
        this.#first.textContent =
            firstTokenMs > 0 ? formatDuration(firstTokenMs) : "–";
        this.#answer.textContent = `${formatCount(completionTokens)} tokens`;
        const fresh = promptTokens - cachedTokens;
        this.#prompt.textContent = `${formatCount(fresh)} new, ${formatCount(cachedTokens)} kept`;
        if (rate > 0 && firstTokenMs > 0)
            this.#samples.add({ rate, firstMs: firstTokenMs, memory });
        this.#showPlots();
    }

    // ---- plots -----------------------------------------------------------

    #showPlots() {
        const { list } = this.#samples;
        const rows = [
            this.#plot(
                "Tokens per second",
                list.map(({ rate }) => rate),
                formatRate,
            ),
            this.#plot(
                "First token",
                list.map(({ firstMs }) => firstMs),
                formatDuration,
            ),
            this.#plot(
                "Memory",
                list.map(({ memory }) => memory),
                formatBytes,
            ),
        ];
        // One answer is no plot.
        byId("plots").hidden = list.length < 2;
        byId("plots").replaceChildren(
            element("h3", {}, `The last ${list.length} answers`),
            ...rows,
        );
    }

    /** @param {string} name @param {number[]} values @param {(n: number) => string} format */
    #plot(name, values, format) {
        const middle = values.length ? format(median(values)) : "–";
        return element(
            "div",
            { class: "plot-row" },
            element(
                "p",
                { "aria-hidden": "true" },
                element("span", {}, name),
                element("span", {}, `median ${middle}`),
            ),
            drawPlot(name, values, format),
        );
    }

    // ---- storage ---------------------------------------------------------

    async showStorage() {
        try {
            const [usage, estimate] = await Promise.all([
                models.usage(),
                navigator.storage?.estimate?.(),
            ]);
            const bytes = usage.models + usage.partial;
            byId("stat-stored").textContent = formatBytes(bytes);
            const all = estimate?.usage;
            byId("stat-other").textContent =
                all === undefined ? "–" : formatBytes(Math.max(0, all - bytes));
        } catch {
            byId("stat-stored").textContent = "–";
        }
    }

    // ---- requests --------------------------------------------------------

    #showRequestsSoon() {
        if (this.#willShow) return;
        this.#willShow = true;
        setTimeout(() => this.#showRequests(), 100);
    }

    #showRequests() {
        this.#willShow = false;
        const { sent, answeredHere, before, counts, since, countsWorkers } =
            this.#requests;
        const n = Math.max(counts.page, counts.serviceWorker);
        const line = byId("evidence-line");
        line.textContent = `${n} request${n === 1 ? "" : "s"} since load`;
        byId("evidence").classList.toggle("some", n > 0);
        const time = since.toLocaleTimeString();
        const seen = countsWorkers
            ? `${counts.serviceWorker} through the service worker, which ` +
              "sees those of the engine too"
            : "the service worker does not run here, so those of the " +
              "engine are not counted";
        const words = [
            element(
                "p",
                {},
                `Since the model was ready at ${time}: ${counts.page} in the ` +
                    `browser's own list of what the page fetched; ${seen}.`,
            ),
            element(
                "p",
                {},
                `Before that ${before} were sent, for the page and the ` +
                    `model. ${answeredHere} since then were answered ` +
                    "on this device. Not among them: the browser itself " +
                    "looks now and then for a newer version of this page.",
            ),
        ];
        const list = sent
            .slice(-SHOWN_REQUESTS)
            .map(({ url, by }) => element("li", {}, `${url} (${by})`));
        if (list.length > 0)
            words.push(
                /** @type {any} */ (element("ul", { class: "sent" }, ...list)),
            );
        byId("evidence-more").replaceChildren(...words);
    }
}
