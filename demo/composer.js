// Where the user writes. Enter sends, Shift+Enter begins a line; while an answer
// comes the button stops it, and the next message can be written already.
import { byId, icon } from "./dom.js";

export class Composer {
    #input = /** @type {HTMLTextAreaElement} */ (byId("message"));
    #button = byId("send");
    #busy = false;
    #onSend;
    #onStop;

    /**
     * @param {(text: string) => void} onSend
     * @param {() => void} onStop
     */
    constructor(onSend, onStop) {
        this.#onSend = onSend;
        this.#onStop = onStop;
        byId("composer").addEventListener("submit", (event) => {
            event.preventDefault();
            if (this.#busy) this.#onStop();
            else this.#send();
        });
        this.#input.addEventListener("keydown", (event) => {
            // Enter also ends a composition of an input method.
            if (event.key !== "Enter" || event.shiftKey || event.isComposing)
                return;
            event.preventDefault();
            if (!this.#busy) this.#send();
        });
        this.#input.addEventListener("input", () => this.#fit());
        this.setBusy(false);
    }

    #send() {
        const text = this.#input.value.trim();
        if (!text) return this.focus();
        this.#input.value = "";
        this.#fit();
        this.#onSend(text);
    }

    /** As high as its text, as far as the style allows. */
    #fit() {
        this.#input.style.height = "auto";
        this.#input.style.height = `${this.#input.scrollHeight}px`;
    }

    /** @param {boolean} busy */
    setBusy(busy) {
        this.#busy = busy;
        const label = busy ? "Stop" : "Send";
        this.#button.setAttribute("aria-label", label);
        this.#button.title = busy ? "Stop (Esc)" : "Send (Enter)";
        this.#button.replaceChildren(icon(busy ? "stop" : "send"));
    }

    focus() {
        this.#input.focus();
    }
}
