// One answer at a time is read aloud; the button that began it ends it.
import { icon } from "./dom.js";
import { readAloud, whenSpeaks } from "./speech.js";

export class Speaker {
    /** Whether a voice is on this device. */
    canSpeak = false;
    /** @type {(() => void) | undefined} */
    #stop;

    constructor() {
        whenSpeaks(() => {
            this.canSpeak = true;
            document.body.classList.add("speaks");
        });
    }

    /** @param {string} text @param {HTMLButtonElement} on */
    toggle(text, on) {
        const isThis = on.getAttribute("aria-pressed") === "true";
        this.stop();
        if (isThis) return;
        const show = (/** @type {boolean} */ reading) => {
            on.setAttribute("aria-pressed", String(reading));
            on.replaceChildren(
                icon(reading ? "stop" : "speaker"),
                reading ? "Stop reading" : "Read aloud",
            );
        };
        show(true);
        this.#stop = readAloud(text, () => {
            this.#stop = undefined;
            show(false);
        });
    }

    stop() {
        this.#stop?.();
    }
}
