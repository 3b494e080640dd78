// Where the user writes. Enter sends, Shift+Enter begins a line; while an answer
// comes the button stops it, and the next message can be written already.
import { byId, icon } from "./dom.js";
import { canDictate, Dictation } from "./speech.js";

const DRAFT = "pipit-draft";

function readDraft() {
    try {
        return sessionStorage.getItem(DRAFT) ?? "";
    } catch {
        return "";
    }
}

export class Composer {
    #input = /** @type {HTMLTextAreaElement} */ (byId("message"));
    #button = byId("send");
    #busy = false;
    #onSend;
    #onStop;
    #onProblem;

    /**
     * @param {(text: string) => void} onSend
     * @param {() => void} onStop
     * @param {(words: string) => void} onProblem
     */
    constructor(onSend, onStop, onProblem) {
        this.#onSend = onSend;
        this.#onStop = onStop;
        this.#onProblem = onProblem;
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
        this.#input.addEventListener("input", () => this.#changed());
        // A reload, for a new version say, takes nothing away.
        this.text = readDraft();
        this.setBusy(false);
        void this.#offerDictation();
    }

    #send() {
        const text = this.#input.value.trim();
        if (!text) return this.focus();
        this.text = "";
        this.#onSend(text);
    }

    get text() {
        return this.#input.value;
    }

    set text(text) {
        this.#input.value = text;
        this.#changed();
    }

    #changed() {
        this.#fit();
        try {
            sessionStorage.setItem(DRAFT, this.#input.value);
        } catch {
            // Storage may be refused.
        }
    }

    /** Only where speech is understood on this device. */
    async #offerDictation() {
        if (!(await canDictate())) return;
        const button = byId("dictate");
        let before = "";
        const dictation = new Dictation(
            (text, final) => {
                this.text = `${before}${before && " "}${text.trim()}`;
                if (final) before = this.text;
            },
            (listening, problem) => {
                button.setAttribute("aria-pressed", String(listening));
                button.title = listening ? "Stop dictating" : "Dictate";
                if (problem) this.#onProblem(problem);
                if (!listening) this.focus();
            },
        );
        button.hidden = false;
        button.addEventListener("click", () => {
            before = this.text.trim();
            if (dictation.isListening) dictation.stop();
            else dictation.start();
        });
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
        this.#input.focus({ preventScroll: true });
    }
}
