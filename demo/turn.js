// A question and its answer on the screen.
import { AnswerText } from "./answer.js";
import { button, copyText, element, icon } from "./dom.js";
import { formatCount, formatDuration, formatRate } from "./format.js";

/** @typedef {import("./chat-file.js").TurnRecord} TurnRecord */

/** How an answer ended, where that needs a word. @type {Record<string, string>} */
const endings = {
    length: "It ends here: the longest answer of the settings is reached.",
    context:
        "The context is full. Begin a new chat, or choose a longer context " +
        "in the settings.",
    aborted: "Stopped.",
    failed: "There was no answer.",
    empty: "The model had nothing to say.",
    before: "Stopped; this is the answer from before.",
    found: "Found by rules, as it stands in the text, not by the model.",
    nothing: "There is nothing of the kind in the text.",
    unfound:
        "Nothing in the documents fits this question, so the model was not " +
        "asked. Other words may help.",
};

/** @param {import("./chat-file.js").Figures} figures */
function figuresLine({ completionTokens, rate, firstMs }) {
    if (completionTokens === 0) return undefined;
    const parts = [
        `${formatCount(completionTokens)} token${completionTokens === 1 ? "" : "s"}`,
        ...(rate > 0 ? [`${formatRate(rate)} tokens/s`] : []),
        `first after ${formatDuration(firstMs)}`,
    ];
    const line = element("span", { class: "figures-line" });
    parts.forEach((part, i) =>
        line.append(i ? " · " : "", element("span", {}, part)),
    );
    return line;
}

/** @param {string} who @param {string} kind @param {Node[]} parts */
function message(who, kind, ...parts) {
    const heading = element("h2", { class: "sr-only" }, who);
    return element("li", { class: `message ${kind}` }, heading, ...parts);
}

/**
 * What a turn needs of the page.
 * @typedef {object} TurnTools
 * @property {(words: string) => void} announce
 * @property {(source: import("./grounding.js").Source, question: string) => void} openSource
 * @property {import("./speaker.js").Speaker} speaker
 */

/** Between two drawings of an answer that is being written. */
const DRAW_MS = 60;

export class Turn {
    /** What the model thought before it answered. */
    #reasoning = element("p", { class: "reasoning-text", dir: "auto" });
    #thought = element(
        "details",
        { class: "reasoning" },
        element("summary", {}, "Reasoning"),
        this.#reasoning,
    );
    #body = element("div", { class: "answer-text" });
    #answer;
    #sources = element("div", { class: "sources" });
    #foot = element("div", { class: "foot" });
    #waiting = element(
        "p",
        { class: "waiting" },
        ...[1, 2, 3].map(() => element("span", { class: "dot" })),
        element("span", { class: "waiting-text" }),
    );
    #tools;
    /** Of what is to be drawn; 0: nothing is. */
    #timer = 0;
    #drawnAt = 0;

    /**
     * @param {TurnRecord} record
     * @param {TurnTools} tools
     */
    constructor(record, tools) {
        this.record = record;
        this.#tools = tools;
        this.#answer = new AnswerText(this.#body, tools.announce, (n) => {
            const source = this.record.sources?.[n - 1];
            return source && (() => this.#open(source));
        });
        this.elements = [
            message(
                "You",
                "user",
                element("p", { dir: "auto" }, record.question),
            ),
            message(
                "Pipit",
                "assistant",
                icon("bird"),
                element(
                    "div",
                    { class: "body" },
                    this.#body,
                    this.#sources,
                    this.#foot,
                ),
            ),
        ];
    }

    /** One that is kept: as it was. */
    restore() {
        const { reasoning, answer, ended } = this.record;
        if (reasoning) this.showReasoning(reasoning);
        this.#answer.show(answer);
        this.showSources();
        this.end(ended ?? (answer ? "" : "aborted"));
    }

    /** Before a first or another answer. */
    begin() {
        this.#thought.remove();
        this.#reasoning.textContent = "";
        this.#answer.show("");
        this.#sources.replaceChildren();
        this.#body.after(this.#waiting);
        this.showReading(0, 0);
        this.#foot.replaceChildren();
    }

    /** @param {string} words */
    showWaiting(words) {
        const place = this.#waiting.querySelector(".waiting-text");
        if (place) place.textContent = words;
    }

    /** @param {number} tokens @param {number} total */
    showReading(tokens, total) {
        // Short messages are read before anyone could read this.
        this.showWaiting(
            total > 64 ? `Reading ${tokens} of ${total} tokens` : "",
        );
    }

    /** A further piece of it, folded away above the answer. @param {string} text */
    showReasoning(text) {
        if (!this.#thought.isConnected) this.#body.before(this.#thought);
        this.#reasoning.append(text);
    }

    /**
     * Draws some times a second: on few processors each frame is taken from the
     * answer's own pace. @param {string} text the whole answer
     */
    showText(text) {
        this.record.answer = text;
        this.#waiting.remove();
        if (this.#timer) return;
        const draw = () => {
            if (!this.#timer) return;
            this.#timer = 0;
            this.#drawnAt = performance.now();
            this.#answer.show(this.record.answer);
        };
        this.#timer = window.setTimeout(
            () => requestAnimationFrame(draw),
            this.#drawnAt + DRAW_MS - performance.now(),
        );
    }

    /** @param {import("./grounding.js").Source} source */
    #open(source) {
        this.#tools.openSource(source, this.record.question);
    }

    /** The passages that the answer comes from. */
    showSources() {
        const { sources = [], used } = this.record;
        if (sources.length === 0) return this.#sources.replaceChildren();
        const names = new Set(sources.map(({ name }) => name)).size;
        const links = sources.map((source, i) => {
            const words = [
                names > 1 || !source.place ? source.name : "",
                source.place,
            ];
            const link = button(words.filter(Boolean).join(" · "), () =>
                this.#open(source),
            );
            link.className = "source";
            link.prepend(element("span", { class: "mark" }, String(i + 1)));
            link.title = source.text.slice(0, 300);
            return element("li", {}, link);
        });
        this.#sources.replaceChildren(
            element("p", { class: "used", dir: "auto" }, used ?? "Passages"),
            element("ol", {}, ...links),
        );
    }

    /** @param {string} ended of `endings`, "" when by itself */
    end(ended) {
        const { answer, figures } = this.record;
        const note = endings[ended] ?? "";
        clearTimeout(this.#timer);
        this.#timer = 0;
        this.#waiting.remove();
        this.#answer.show(answer);
        this.#foot.replaceChildren();
        if (note) this.#foot.append(element("p", { class: "ended" }, note));
        const actions = element("div", { class: "turn-actions" });
        if (answer) actions.append(...this.#actions(answer));
        const line = figures && ended !== "before" && figuresLine(figures);
        if (line) actions.append(line);
        this.#foot.append(actions);
        return note;
    }

    /** @param {string} text */
    #actions(text) {
        const { announce, speaker } = this.#tools;
        const look = { class: "quiet small" };
        const copy = button("Copy", () => copyText(copy, text, announce), {
            ...look,
            icon: "copy",
        });
        // Hidden by the style until there is a voice on this device.
        const read = button("Read aloud", () => speaker.toggle(text, read), {
            class: `${look.class} read-aloud`,
            icon: "speaker",
        });
        return [copy, read];
    }

    /** @param {HTMLElement} card */
    fail(card) {
        this.#waiting.remove();
        this.#answer.show(this.record.answer);
        this.#foot.replaceChildren(card);
    }

    /** @param {() => void} retry */
    offerRetry(retry) {
        const again = button("Try again", retry, {
            icon: "retry",
            class: "quiet small again",
        });
        const copy = this.#foot.querySelector(".turn-actions button");
        if (copy) copy.after(again);
        else this.#foot.querySelector(".turn-actions")?.prepend(again);
    }

    withdrawRetry() {
        this.#foot.querySelector(".again")?.remove();
    }
}
