/* reasoning.ts — an answer cut in two as it comes: what is said between <think>
 * and </think> at its beginning, and what is said after. */

const OPEN = "<think>";
const CLOSE = "</think>";

/** The longest end of the text that could begin the mark. */
function begun(text: string, mark: string): number {
    for (let n = Math.min(text.length, mark.length - 1); n > 0; n--)
        if (text.endsWith(mark.slice(0, n))) return n;
    return 0;
}

export interface Parts {
    readonly reasoning: string;
    readonly answer: string;
}

const nothing: Parts = { reasoning: "", answer: "" };

export class ReasoningSplitter {
    #state: "start" | "reasoning" | "gap" | "answer";
    /** What can't be told yet: a part of a mark, or white space before it. */
    #held = "";

    /** @param prompt where it ends in the mark, as some templates do, the
     * answer begins with reasoning */
    constructor(prompt: string) {
        const opened = prompt.trimEnd().endsWith(OPEN);
        this.#state = opened ? "reasoning" : "start";
        if (opened) this.#leading = true;
    }

    /** White space before the reasoning's first word is not part of it. */
    #leading = false;

    add(piece: string): Parts {
        this.#held += piece;
        let { reasoning, answer } = nothing;
        for (;;) {
            const before = this.#state;
            const parts = this.#step();
            reasoning += parts.reasoning;
            answer += parts.answer;
            if (this.#state === before) return { reasoning, answer };
        }
    }

    /** What was held back; after this there is no more. */
    end(): Parts {
        const held = this.#held;
        this.#held = "";
        if (this.#state === "reasoning") return { reasoning: held, answer: "" };
        return this.#state === "gap"
            ? nothing
            : { reasoning: "", answer: held };
    }

    #step(): Parts {
        switch (this.#state) {
            case "start": {
                const text = this.#held.trimStart();
                if (text.startsWith(OPEN)) {
                    this.#held = text.slice(OPEN.length);
                    this.#leading = true;
                    this.#state = "reasoning";
                } else if (!OPEN.startsWith(text)) this.#state = "answer";
                return nothing;
            }
            case "reasoning":
                return { reasoning: this.#reason(), answer: "" };
            case "gap":
                this.#held = this.#held.trimStart();
                if (this.#held !== "") this.#state = "answer";
                return nothing;
            case "answer": {
                const answer = this.#held;
                this.#held = "";
                return { reasoning: "", answer };
            }
        }
    }

    #reason(): string {
        if (this.#leading) {
            this.#held = this.#held.trimStart();
            if (this.#held === "") return "";
            this.#leading = false;
        }
        const end = this.#held.indexOf(CLOSE);
        if (end >= 0) {
            const text = this.#held.slice(0, end).trimEnd();
            this.#held = this.#held.slice(end + CLOSE.length);
            this.#state = "gap";
            return text;
        }
        const text = this.#held.slice(
            0,
            this.#held.length - begun(this.#held, CLOSE),
        );
        // White space at its end waits for what follows.
        const kept = text.trimEnd();
        this.#held = this.#held.slice(kept.length);
        return kept;
    }
}
