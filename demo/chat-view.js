// The conversation on the screen, and how it scrolls.
import { button, byId, element } from "./dom.js";
import { Turn } from "./turn.js";

const starters = [
    "What is the capital of France?",
    "Explain how rain forms to a ten-year-old.",
    "Write a poem about a small bird.",
    "Give me three tips for good sleep.",
];

/** A wheel's scrolling may still be under way when the end is asked for. */
const SETTLE_MS = 400;

export class ChatView {
    #list = byId("messages");
    #empty = byId("empty");
    #latest = byId("latest");
    #tools;
    #follows = true;
    #top = 0;
    #heldUntil = 0;

    /**
     * @param {import("./turn.js").TurnTools} tools
     * @param {(text: string) => void} onStarter
     */
    constructor(tools, onStarter) {
        this.#tools = tools;
        byId("starters").append(
            ...starters.map((text) =>
                element(
                    "li",
                    {},
                    button(text, () => onStarter(text)),
                ),
            ),
        );
        this.#latest.addEventListener("click", () => {
            this.#heldUntil = performance.now() + SETTLE_MS;
            this.scrollToEnd();
        });
        addEventListener("scroll", () => this.#noteScroll(), { passive: true });
        new ResizeObserver(() => this.#followGrowth()).observe(this.#list);
    }

    clear() {
        this.#list.replaceChildren();
        this.#empty.hidden = false;
        this.#follows = true;
    }

    /** @param {import("./chat-file.js").TurnRecord} record */
    addTurn(record) {
        this.#empty.hidden = true;
        const turn = new Turn(record, this.#tools);
        this.#list.append(...turn.elements);
        this.scrollToEnd();
        return turn;
    }

    scrollToEnd() {
        this.#follows = true;
        const { scrollHeight } = document.documentElement;
        scrollTo({ top: this.#list.hasChildNodes() ? scrollHeight : 0 });
    }

    #noteScroll() {
        const { scrollHeight, clientHeight, scrollTop } =
            document.documentElement;
        // Only who scrolls up stays behind: an answer that grows does not.
        if (scrollHeight - clientHeight - scrollTop < 64) this.#follows = true;
        else if (performance.now() < this.#heldUntil) this.scrollToEnd();
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
