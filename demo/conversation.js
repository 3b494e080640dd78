// One conversation: what is asked, answered, stopped, asked again.
import { button } from "./dom.js";
import { codeOf, describeFailure } from "./failure.js";
import { formatDuration, formatRate } from "./format.js";

/** @typedef {import("./chat-view.js").Turn} Turn */

/** Tokens that count as lately said: longer ones ban a talk's own subject. */
const PENALTY_WINDOW = 256;

/** How an answer ended, where that needs a word. @type {Record<string, string>} */
const endings = {
    length: "It ends here: the longest answer of the settings is reached.",
    context:
        "The context is full. Begin a new chat, or choose a longer context " +
        "in the settings.",
    aborted: "Stopped.",
};

/** @param {import("pipit").ChatTurn} turn */
function figuresOf({ timings, completionTokens }) {
    if (completionTokens === 0) return "";
    const rate = timings.completionTokensPerSecond;
    return [
        `${completionTokens} token${completionTokens === 1 ? "" : "s"}`,
        ...(rate > 0 ? [`${formatRate(rate)} tokens/s`] : []),
        `first after ${formatDuration(timings.firstTokenMs)}`,
    ].join(" · ");
}

export class Conversation {
    #parts;
    /** @type {import("pipit").Model | undefined} */
    #model;
    /** @type {import("pipit").Chat | undefined} */
    #chat;
    /** What a chat that can't be made, for want of memory say, was to hold.
     * @type {readonly import("pipit").ChatMessage[]} */
    #carried = [];
    /** The settings that the chat was made with. */
    #madeWith = "";
    /** @type {Turn | undefined} */
    #lastTurn;
    /** @type {AbortController | undefined} */
    #running;
    /** @type {Promise<void>} */
    #turnEnded = Promise.resolve();

    /**
     * @param {object} parts
     * @param {import("./chat-view.js").ChatView} parts.view
     * @param {import("./composer.js").Composer} parts.composer
     * @param {import("./stats.js").Stats} parts.stats
     * @param {import("./announcer.js").Announcer} parts.announcer
     * @param {import("./settings.js").Settings} parts.settings
     * @param {() => void} parts.onModelLost
     */
    constructor(parts) {
        this.#parts = parts;
    }

    get isRunning() {
        return this.#running !== undefined;
    }

    /**
     * Begins over a model; fails when it can't chat.
     * @param {import("pipit").Model} model
     */
    async begin(model) {
        await this.end();
        this.#model = model;
        this.#parts.view.clear();
        await this.#makeChat([]);
    }

    async end() {
        this.stop();
        await this.#turnEnded;
        const chat = this.#chat;
        this.#model = this.#chat = this.#lastTurn = undefined;
        await chat?.close();
    }

    stop() {
        this.#running?.abort();
    }

    /** @param {string} text */
    send(text) {
        if (!this.#model || this.isRunning) return;
        this.#lastTurn?.withdrawRetry();
        const turn = this.#parts.view.addTurn(text);
        this.#lastTurn = turn;
        this.#start(turn, false);
    }

    /** @param {Turn} turn @param {boolean} again its answer is replaced */
    #start(turn, again) {
        this.#turnEnded = this.#run(turn, again);
    }

    /** @param {readonly import("pipit").ChatMessage[]} messages */
    async #makeChat(messages) {
        const model = /** @type {import("pipit").Model} */ (this.#model);
        const { system, contextLength } = this.#parts.settings.values;
        const most = model.contextLength || contextLength;
        const before = this.#chat;
        this.#carried = messages;
        this.#chat = undefined;
        await before?.close();
        this.#chat = await model.createChat({
            contextLength: Math.min(contextLength, most),
            messages,
            ...(system && { system }),
        });
        this.#madeWith = this.#wish();
        this.#parts.stats.showContext(this.#chat.session);
        this.#parts.stats.showMemory(model);
    }

    #wish() {
        const { system, contextLength } = this.#parts.settings.values;
        return JSON.stringify([system, contextLength]);
    }

    /** The chat, made anew with its messages when the settings ask for it. */
    async #currentChat() {
        if (!this.#chat || this.#madeWith !== this.#wish()) {
            const messages = this.#chat?.messages ?? this.#carried;
            await this.#makeChat(
                messages.filter(({ role }) => role !== "system"),
            );
        }
        return /** @type {import("pipit").Chat} */ (this.#chat);
    }

    /** @param {Turn} turn @param {AbortSignal} signal */
    #options(turn, signal) {
        const { temperature, topP, repetitionPenalty, maxTokens, seed } =
            this.#parts.settings.values;
        return {
            temperature,
            topP,
            repetitionPenalty,
            penaltyWindow: PENALTY_WINDOW,
            maxTokens,
            signal,
            onReasoning: (/** @type {string} */ text) =>
                turn.showReasoning(text),
            ...(seed !== null && { seed }),
            onProgress: (
                /** @type {import("pipit").Progress} */ { loaded, total },
            ) => turn.showReading(loaded, total),
        };
    }

    /** @param {Turn} turn @param {boolean} again */
    async #run(turn, again) {
        const { announcer, composer, stats } = this.#parts;
        const controller = new AbortController();
        const before = turn.text;
        this.#running = controller;
        composer.setBusy(true);
        stats.showWaiting();
        announcer.beginAnswer();
        turn.begin();
        try {
            await this.#stream(turn, again, controller.signal);
            this.#finish(turn, before);
        } catch (error) {
            if (codeOf(error) === "aborted") this.#finish(turn, before);
            else this.#fail(turn, error);
        } finally {
            this.#running = undefined;
            composer.setBusy(false);
            if (this.#chat) stats.showContext(this.#chat.session);
            if (this.#model) stats.showMemory(this.#model);
        }
    }

    /**
     * @param {Turn} turn
     * @param {boolean} again
     * @param {AbortSignal} signal
     */
    async #stream(turn, again, signal) {
        const { announcer, stats } = this.#parts;
        const startedAt = performance.now();
        const chat = await this.#currentChat();
        const options = this.#options(turn, signal);
        const pieces = again
            ? chat.retry(options)
            : chat.send(turn.question, options);
        let firstAt = 0;
        let n = 0;
        let text = "";
        for await (const piece of pieces) {
            const now = performance.now();
            firstAt ||= now;
            text += piece;
            turn.showText(text);
            announcer.readAnswer(text);
            stats.showRunning(firstAt - startedAt, ++n, now - firstAt);
        }
    }

    /** @param {Turn} turn @param {string} before the answer it had */
    #finish(turn, before) {
        const { announcer, stats } = this.#parts;
        const last = this.#chat?.last;
        const reason = last?.finishReason ?? "aborted";
        let note = endings[reason] ?? "";
        if (last) stats.showTurn(last);
        if (!turn.text && before) {
            // Stopped before its first word: the conversation has the old one.
            turn.showText(before);
            note = "Stopped; this is the answer from before.";
        } else if (!turn.text) {
            note ||= "The model had nothing to say.";
        }
        turn.end(note, last && turn.text !== before ? figuresOf(last) : "");
        turn.offerRetry(() => this.#retry(turn));
        announcer.endAnswer(turn.text, note || "The answer is complete.");
    }

    /** @param {Turn} turn @param {unknown} error */
    #fail(turn, error) {
        const { announcer, onModelLost } = this.#parts;
        const lost = ["worker-died", "closed"].includes(codeOf(error));
        const act = lost
            ? button("Load the model again", onModelLost, { icon: "retry" })
            : button("Try again", () => this.#retry(turn), { icon: "retry" });
        const { card, heading } = describeFailure(error, [act], "h3");
        turn.fail(card);
        announcer.announce(`${heading.textContent}.`);
    }

    /** Asks again; what the conversation does not hold is sent anew. */
    #retry(/** @type {Turn} */ turn) {
        if (this.isRunning || turn !== this.#lastTurn) return;
        const messages = this.#chat?.messages ?? [];
        const [asked, answered] = messages.slice(-2);
        const held =
            answered?.role === "assistant" && asked?.content === turn.question;
        this.#start(turn, held && turn.text !== "");
        this.#parts.composer.focus();
    }
}
