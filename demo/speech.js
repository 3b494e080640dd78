// Dictation and reading aloud, only where the browser does both on this device.

/** What a browser calls it, if it has it. @type {any} */
const Recognition = /** @type {any} */ (globalThis).SpeechRecognition;

const language = () => document.documentElement.lang && navigator.language;

/** Whether speech is understood without a server. */
export async function canDictate() {
    if (!Recognition || typeof Recognition.available !== "function")
        return false;
    if (!("processLocally" in Recognition.prototype)) return false;
    try {
        const options = { langs: [language()], processLocally: true };
        return (await Recognition.available(options)) === "available";
    } catch {
        return false;
    }
}

export class Dictation {
    /** @type {any} */
    #recognition;
    #onText;
    #onState;

    /**
     * @param {(text: string, final: boolean) => void} onText
     * @param {(listening: boolean, problem: string) => void} onState
     */
    constructor(onText, onState) {
        this.#onText = onText;
        this.#onState = onState;
    }

    get isListening() {
        return this.#recognition !== undefined;
    }

    start() {
        if (this.#recognition) return;
        const recognition = new Recognition();
        recognition.processLocally = true;
        recognition.lang = language();
        recognition.continuous = true;
        recognition.interimResults = true;
        let problem = "";
        recognition.onresult = (
            /** @type {any} */ { results, resultIndex },
        ) => {
            for (let i = resultIndex; i < results.length; i++)
                this.#onText(results[i][0].transcript, results[i].isFinal);
        };
        recognition.onerror = (/** @type {any} */ { error }) => {
            problem =
                error === "not-allowed"
                    ? "The microphone was not allowed."
                    : error === "no-speech" || error === "aborted"
                      ? ""
                      : `Dictation ended: ${error}`;
        };
        recognition.onend = () => {
            this.#recognition = undefined;
            this.#onState(false, problem);
        };
        this.#recognition = recognition;
        recognition.start();
        this.#onState(true, "");
    }

    stop() {
        this.#recognition?.stop();
    }
}

/** Voices that speak without a server. */
const localVoices = () =>
    (globalThis.speechSynthesis?.getVoices() ?? []).filter(
        ({ localService }) => localService,
    );

/** Tells when there are such voices, which may take a moment. @param {() => void} told */
export function whenSpeaks(told) {
    const { speechSynthesis } = globalThis;
    if (!speechSynthesis) return;
    const look = () => {
        if (localVoices().length === 0) return false;
        told();
        return true;
    };
    if (look()) return;
    const changed = () => {
        if (look())
            speechSynthesis.removeEventListener("voiceschanged", changed);
    };
    speechSynthesis.addEventListener("voiceschanged", changed);
}

/** Long texts are cut by some voices, so it goes sentence by sentence. @param {string} text */
export const sentencesOf = (text) =>
    (text.replace(/[`*#]/g, "").match(/[^.!?。！？\n]+[.!?。！？]*/g) ?? [])
        .map((sentence) => sentence.trim())
        .filter(Boolean);

/**
 * Reads aloud; what is being read ends.
 * @param {string} text
 * @param {() => void} onEnd
 * @returns {() => void} ends it
 */
export function readAloud(text, onEnd) {
    const { speechSynthesis } = globalThis;
    speechSynthesis.cancel();
    const voices = localVoices();
    const wanted = navigator.language.toLowerCase();
    const voice =
        voices.find(({ lang }) => lang.toLowerCase() === wanted) ??
        voices.find(({ lang }) => lang.slice(0, 2) === wanted.slice(0, 2)) ??
        voices[0];
    const sentences = sentencesOf(text);
    let ended = sentences.length === 0 || !voice;
    const end = () => {
        if (ended) return;
        ended = true;
        onEnd();
    };
    if (ended || !voice) {
        onEnd();
        return () => {};
    }
    sentences.forEach((sentence, i) => {
        const said = new SpeechSynthesisUtterance(sentence);
        said.voice = voice;
        said.lang = voice.lang;
        if (i === sentences.length - 1) said.onend = end;
        said.onerror = end;
        speechSynthesis.speak(said);
    });
    return () => {
        speechSynthesis.cancel();
        end();
    };
}
