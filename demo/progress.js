// The wait while a model loads: bytes, rate, time left, and a way out.
import { byId } from "./dom.js";
import { formatBytes, formatDuration } from "./format.js";

/** @type {Record<string, string>} */
const phases = {
    download: "Downloading",
    header: "Reading the header",
    weights: "Reading the weights",
};

export class LoadProgress {
    #bar = /** @type {HTMLProgressElement} */ (byId("loading-bar"));
    #title = byId("loading-title");
    #phase = byId("loading-phase");
    #bytes = byId("loading-bytes");
    #rate = byId("loading-rate");
    #left = byId("loading-left");
    #announcer;
    #quarter = 0;

    /**
     * @param {import("./announcer.js").Announcer} announcer
     * @param {() => void} onCancel
     */
    constructor(announcer, onCancel) {
        this.#announcer = announcer;
        byId("cancel").addEventListener("click", onCancel);
    }

    /** @param {string} name of what is loaded */
    begin(name) {
        this.#quarter = 0;
        this.#title.textContent = name;
        this.#phase.textContent = "Starting the engine";
        this.#bar.removeAttribute("value");
        for (const figure of [this.#bytes, this.#rate, this.#left])
            figure.textContent = "–";
        this.#title.focus();
        this.#announcer.announce(`Loading ${name}. Escape cancels.`);
    }

    /** @param {import("pipit").Progress} progress */
    show({ phase, loaded, total, rate }) {
        this.#phase.textContent = phases[phase] ?? "Loading";
        this.#bytes.textContent =
            total > 0
                ? `${formatBytes(loaded)} of ${formatBytes(total)}`
                : formatBytes(loaded);
        this.#rate.textContent = rate > 0 ? `${formatBytes(rate)}/s` : "–";
        if (total <= 0) return;
        this.#bar.value = loaded / total;
        const left = rate > 0 ? (1000 * (total - loaded)) / rate : undefined;
        if (left !== undefined)
            this.#left.textContent =
                left < 1000 ? "almost done" : formatDuration(left);
        const quarter = Math.floor((4 * loaded) / total);
        if (quarter <= this.#quarter || quarter >= 4) return;
        this.#quarter = quarter;
        this.#announcer.announce(`${25 * quarter} percent loaded.`);
    }
}
