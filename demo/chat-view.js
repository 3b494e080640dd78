// The conversation on the screen: turns, each a question and its answer.
import { AnswerText } from "./answer.js";
import { button, byId, copyText, element, icon } from "./dom.js";

const starters = [
    "What is the capital of France?",
    "Explain how rain forms to a ten-year-old.",
    "Write a poem about a small bird.",
    "Give me three tips for good sleep.",
];

/** @param {string} who @param {string} kind @param {Node[]} parts */
function message(who, kind, ...parts) {
    const heading = element("h2", { class: "sr-only" }, who);
    return element("li", { class: `message ${kind}` }, heading, ...parts);
}

/** A question and its answer on the screen. */
export class Turn {
    text = "";
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
    #foot = element("div", { class: "foot" });
    #waiting = element(
        "p",
        { class: "waiting" },
        ...[1, 2, 3].map(() => element("span", { class: "dot" })),
        element("span", { class: "waiting-text" }),
    );
    #announce;
    #drawn = true;

    /**
     * @param {string} question
     * @param {(words: string) => void} announce
     */
    constructor(question, announce) {
        this.question = question;
        this.#announce = announce;
        this.#answer = new AnswerText(this.#body, announce);
        this.elements = [
            message("You", "user", element("p", { dir: "auto" }, question)),
            message(
                "Pipit",
                "assistant",
                icon("bird"),
                element("div", { class: "body" }, this.#body, this.#foot),
            ),
        ];
    }

    /** Before a first or another answer. */
    begin() {
        this.text = "";
        this.#thought.remove();
        this.#reasoning.textContent = "";
        this.#answer.show("");
        this.#body.after(this.#waiting);
        this.showReading(0, 0);
        this.#foot.replaceChildren();
    }

    /** @param {number} tokens @param {number} total */
    showReading(tokens, total) {
        const words = this.#waiting.querySelector(".waiting-text");
        // Short messages are read before anyone could read this.
        if (words)
            words.textContent =
                total > 64 ? `Reading ${tokens} of ${total} tokens` : "";
    }

    /** A further piece of it, folded away above the answer. */
    showReasoning(/** @type {string} */ text) {
        if (!this.#thought.isConnected) this.#body.before(this.#thought);
        this.#reasoning.append(text);
    }

    /** Draws at most once a frame. @param {string} text the whole answer */
    showText(text) {
        this.text = text;
        this.#waiting.remove();
        if (!this.#drawn) return;
        this.#drawn = false;
        requestAnimationFrame(() => {
            this.#drawn = true;
            this.#answer.show(this.text);
        });
    }

    /**
     * @param {string} note how it ended; "" when there is nothing to say
     * @param {string} figures
     */
    end(note, figures) {
        this.#waiting.remove();
        this.#answer.show(this.text);
        this.#foot.replaceChildren();
        if (note) this.#foot.append(element("p", { class: "ended" }, note));
        const actions = element("div", { class: "turn-actions" });
        if (this.text) {
            const copy = button(
                "Copy",
                () => copyText(copy, this.text, this.#announce),
                { icon: "copy", class: "quiet small" },
            );
            actions.append(copy);
        }
        if (figures)
            actions.append(element("span", { class: "figures-line" }, figures));
        this.#foot.append(actions);
    }

    /** @param {HTMLElement} card */
    fail(card) {
        this.#waiting.remove();
        this.#answer.show(this.text);
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

export class ChatView {
    #list = byId("messages");
    #empty = byId("empty");
    #latest = byId("latest");
    #announce;
    #follows = true;
    #top = 0;

    /**
     * @param {(words: string) => void} announce
     * @param {(text: string) => void} onStarter
     */
    constructor(announce, onStarter) {
        this.#announce = announce;
        byId("starters").append(
            ...starters.map((text) =>
                element(
                    "li",
                    {},
                    button(text, () => onStarter(text)),
                ),
            ),
        );
        this.#latest.addEventListener("click", () => this.scrollToEnd());
        addEventListener("scroll", () => this.#noteScroll(), { passive: true });
        new ResizeObserver(() => this.#followGrowth()).observe(this.#list);
    }

    clear() {
        this.#list.replaceChildren();
        this.#empty.hidden = false;
        this.#follows = true;
    }

    /** @param {string} question */
    addTurn(question) {
        this.#empty.hidden = true;
        const turn = new Turn(question, this.#announce);
        this.#list.append(...turn.elements);
        this.scrollToEnd();
        return turn;
    }

    /** Takes a turn out that the conversation does not hold. */
    removeTurn(/** @type {Turn} */ turn) {
        for (const part of turn.elements) part.remove();
    }

    scrollToEnd() {
        this.#follows = true;
        scrollTo({ top: document.documentElement.scrollHeight });
    }

    #noteScroll() {
        const { scrollHeight, clientHeight, scrollTop } =
            document.documentElement;
        // Only who scrolls up stays behind: an answer that grows does not.
        if (scrollHeight - clientHeight - scrollTop < 64) this.#follows = true;
        else if (scrollTop < this.#top) this.#follows = false;
        this.#top = scrollTop;
        this.#latest.hidden = this.#follows;
    }

    #followGrowth() {
        if (!this.#list.hasChildNodes()) return;
        if (this.#follows) this.scrollToEnd();
        else this.#noteScroll();
    }
}
