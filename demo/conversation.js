// One conversation: what is asked, answered, stopped, asked again, and kept.
import { newId } from "./chat-store.js";
import { button } from "./dom.js";
import { codeOf, describeFailure } from "./failure.js";
import { firstSeen, messagesOf, titleOf } from "./history.js";

/** @typedef {import("./turn.js").Turn} Turn */
/** @typedef {import("./chat-file.js").ChatRecord} ChatRecord */
/** @typedef {import("./chat-file.js").TurnRecord} TurnRecord */
/** @typedef {import("./grounding.js").Task} Task */
/** @typedef {{ model: import("pipit").Model, label: string, source: string | null }} Loaded */

/**
 * What is asked.
 * @typedef {object} Question
 * @property {string} text   as it is shown
 * @property {Task} [task]   with files; "ask" if not told
 * @property {string} [ask]  what the model is told to do, if not the text
 * @property {RegExp} [pattern] what passages to look for
 * @property {boolean} [exact] all that the pattern finds is the answer: no model
 */

/** Tokens that count as lately said: longer ones ban a talk's own subject. */
const PENALTY_WINDOW = 256;

/** A question to documents takes little of the talk before it along. */
const TURNS_WITH_DOCUMENTS = 2;

/** Tokens of a message that are not its text. */
const MESSAGE_TOKENS = 8;

/** Tokens of the words around passages, and some to spare. */
const FRAME = 128;

/** An answer that comes is kept so often. */
const SAVE_EVERY_MS = 500;

/** Figures that change faster can't be read, and each frame costs tokens. */
const TELL_EVERY_MS = 250;

export class Conversation {
    #parts;
    /** @type {Loaded | undefined} */
    #loaded;
    /** @type {ChatRecord | undefined} none before the first question */
    #record;
    /** @type {Turn[]} */
    #turns = [];
    /** @type {Map<string, Question>} by turn, for another try */
    #questions = new Map();
    /** @type {import("pipit").Chat | undefined} */
    #chat;
    /** Turns that were asked already. @type {WeakSet<Turn>} */
    #tried = new WeakSet();
    /** The settings that the chat was made with. */
    #madeWith = "";
    /** Facts of the answer before this one. */
    #lastBefore = /** @type {import("pipit").ChatTurn | undefined} */ (
        undefined
    );
    /** The first turn that the model sees. */
    #firstSeen = 0;
    /** Tokens of turns. @type {WeakMap<TurnRecord, { answer: string, n: number }>} */
    #lengths = new WeakMap();
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
     * @param {import("./chat-store.js").ChatStore} parts.store
     * @param {import("./scope.js").Scope} parts.scope
     * @param {() => Promise<boolean>} parts.wantModel loads one
     * @param {() => void} parts.onModelLost
     * @param {(chat: ChatRecord | undefined) => void} parts.onChat it is another
     */
    constructor(parts) {
        this.#parts = parts;
        // The last moment that a page on a telephone may have.
        document.addEventListener("visibilitychange", () => {
            const record = this.#turns.at(-1)?.record;
            if (document.hidden && this.isRunning && record)
                void this.#keep(() => parts.store.saveTurn({ ...record }));
        });
    }

    get isRunning() {
        return this.#running !== undefined;
    }

    get record() {
        return this.#record;
    }

    /**
     * Goes on with this model; fails when it can't chat.
     * @param {Loaded} loaded
     */
    async begin(loaded) {
        await this.end();
        this.#loaded = loaded;
        this.#lengths = new WeakMap();
        // Here, so that a model that can't chat says so before it is asked.
        await this.#makeChat([]);
    }

    /** Without a model; what was said stays on the screen. */
    async end() {
        this.stop();
        await this.#turnEnded;
        const chat = this.#chat;
        this.#loaded = this.#chat = undefined;
        await chat?.close();
    }

    /** Another chat, or a new one. @param {import("./chat-file.js").WholeChat} [whole] */
    async open(whole) {
        this.stop();
        await this.#turnEnded;
        const { view, scope, onChat } = this.#parts;
        this.#record = whole?.chat;
        this.#firstSeen = 0;
        this.#questions.clear();
        view.clear();
        this.#turns = (whole?.turns ?? []).map((record) => {
            const turn = view.addTurn(record);
            turn.restore();
            return turn;
        });
        const last = this.#turns.at(-1);
        if (last && !["found", "nothing"].includes(last.record.ended ?? ""))
            this.#offerRetry(last);
        await scope.open(whole?.chat);
        onChat(whole?.chat);
    }

    stop() {
        this.#running?.abort();
    }

    /** @param {Question} question @returns {Promise<boolean>} whether it is asked */
    async send(question) {
        if (this.isRunning) return false;
        const needsModel = !question.exact && !this.#loaded;
        if (needsModel && !(await this.#parts.wantModel())) return false;
        if (this.isRunning) return false;
        this.#turns.at(-1)?.withdrawRetry();
        const chat = this.#record ?? this.#newChat(question.text);
        /** @type {TurnRecord} */
        const record = {
            id: newId(),
            chat: chat.id,
            at: Math.max(Date.now(), (this.#turns.at(-1)?.record.at ?? 0) + 1),
            question: question.text,
            answer: "",
        };
        if (question.task) record.task = question.task;
        const turn = this.#parts.view.addTurn(record);
        this.#turns.push(turn);
        this.#questions.set(record.id, question);
        this.#start(turn);
        return true;
    }

    /** @param {string} firstQuestion */
    #newChat(firstQuestion) {
        const { scope, onChat } = this.#parts;
        const now = Date.now();
        this.#record = {
            id: scope.owner,
            title: titleOf(firstQuestion),
            createdAt: now,
            updatedAt: now,
            model: null,
            ...scope.kept,
        };
        onChat(this.#record);
        return this.#record;
    }

    /** The name of the chat or what its answers come from is another now. @param {Partial<ChatRecord>} values */
    async change(values) {
        if (!this.#record) return;
        this.#record = { ...this.#record, ...values };
        await this.#keep(() => this.#saveChat());
        this.#parts.onChat(this.#record);
    }

    /** Files were added or taken away: with files it is a chat already. */
    async scopeChanged() {
        const { scope } = this.#parts;
        if (this.#record) return this.change(scope.kept);
        if (scope.name) this.#newChat(scope.name);
        await this.#keep(() => this.#saveChat());
    }

    async #saveChat() {
        const { store, scope } = this.#parts;
        if (!this.#record) return;
        await store.save(this.#record);
        await scope.keepFiles();
    }

    /** What can't be kept is said, and does not end an answer. @param {() => Promise<unknown>} act */
    async #keep(act) {
        try {
            await act();
        } catch (error) {
            const full = /** @type {Error} */ (error)?.name;
            this.#parts.announcer.warn(
                full === "QuotaExceededError"
                    ? "There is no room to keep this chat: free some in the settings."
                    : `This chat could not be kept: ${error}`,
            );
        }
    }

    /** @param {Turn} turn */
    #start(turn) {
        this.#turnEnded = this.#run(turn);
    }

    // ---- what the model sees ---------------------------------------------

    /** The context that chats are made with. */
    get #contextLength() {
        const { contextLength } = this.#parts.settings.values;
        const most = this.#loaded?.model.contextLength || contextLength;
        return Math.min(contextLength, most);
    }

    /** Tokens that are left free for the answer. */
    get #reserve() {
        const { maxTokens } = this.#parts.settings.values;
        return Math.min(maxTokens, Math.floor(this.#contextLength / 4));
    }

    /** @param {string} text */
    async #count(text) {
        return (await this.#loaded?.model.tokenize(text))?.length ?? 0;
    }

    /** @param {TurnRecord} record */
    async #lengthOf(record) {
        const kept = this.#lengths.get(record);
        if (kept?.answer === record.answer) return kept.n;
        const text = `${record.question}\n${record.answer}`;
        const n = (await this.#count(text)) + 2 * MESSAGE_TOKENS;
        this.#lengths.set(record, { answer: record.answer, n });
        return n;
    }

    /** Messages from this turn on, before another. @param {number} from @param {Turn} [before] */
    #history(from, before) {
        const end = before ? this.#turns.indexOf(before) : this.#turns.length;
        return messagesOf(
            this.#turns.slice(from, end).map(({ record }) => record),
        );
    }

    /** Tokens that are there for the talk, with this prompt. @param {string} prompt */
    async #room(prompt) {
        const { system } = this.#parts.settings.values;
        const fixed = (await this.#count(prompt)) + (await this.#count(system));
        return this.#contextLength - this.#reserve - fixed - 4 * MESSAGE_TOKENS;
    }

    /** The talk before a turn, as much of it as fits. @param {Turn} turn @param {string} prompt */
    async #seen(turn, prompt) {
        const before = this.#turns.slice(0, this.#turns.indexOf(turn));
        const lengths = [];
        for (const { record } of before)
            lengths.push(record.answer ? await this.#lengthOf(record) : 0);
        const room = await this.#room(prompt);
        if (turn.record.sources) {
            const few = Math.max(0, before.length - TURNS_WITH_DOCUMENTS);
            return this.#history(firstSeen(lengths, room, few), turn);
        }
        this.#firstSeen = firstSeen(lengths, room, this.#firstSeen);
        return this.#history(this.#firstSeen, turn);
    }

    #wish() {
        const { system } = this.#parts.settings.values;
        return JSON.stringify([system, this.#contextLength]);
    }

    /** @param {readonly import("pipit").ChatMessage[]} messages */
    async #makeChat(messages) {
        const { model } = /** @type {Loaded} */ (this.#loaded);
        const { system } = this.#parts.settings.values;
        const before = this.#chat;
        this.#chat = undefined;
        await before?.close();
        this.#chat = await model.createChat({
            contextLength: this.#contextLength,
            messages,
            ...(system && { system }),
        });
        this.#madeWith = this.#wish();
        this.#parts.stats.showContext(this.#chat.session);
        this.#parts.stats.showMemory(model);
        return this.#chat;
    }

    /**
     * The chat at this point of the talk, made anew where it holds something
     * else; and whether it has answered this prompt already.
     * @param {readonly { role: string, content: string }[]} history
     * @param {string} prompt
     */
    async #chatAt(history, prompt) {
        const held = (this.#chat?.messages ?? []).filter(
            ({ role }) => role !== "system",
        );
        const same =
            this.#madeWith === this.#wish() &&
            history.every(
                ({ role, content }, i) =>
                    held[i]?.role === role && held[i]?.content === content,
            );
        const rest = held.slice(history.length);
        const answered = rest.length === 2 && rest[0]?.content === prompt;
        if (this.#chat && same && (rest.length === 0 || answered))
            return { chat: this.#chat, answered };
        return { chat: await this.#makeChat(history), answered: false };
    }

    // ---- one turn --------------------------------------------------------

    /** @param {Turn} turn @param {AbortSignal} signal */
    #options(turn, signal) {
        const { temperature, topP, repetitionPenalty, maxTokens, seed } =
            this.#parts.settings.values;
        // What is read in passages is to be repeated, and nothing made up.
        const fromPassages = turn.record.sources !== undefined;
        const isFirst = !this.#tried.has(turn);
        this.#tried.add(turn);
        return {
            temperature: fromPassages && isFirst ? 0 : temperature,
            topP,
            repetitionPenalty: fromPassages ? 1 : repetitionPenalty,
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

    /** @param {Turn} turn */
    async #run(turn) {
        const { announcer, composer, stats } = this.#parts;
        const { record } = turn;
        const controller = new AbortController();
        const before = { ...record };
        this.#running = controller;
        composer.setBusy(true);
        stats.showWaiting();
        announcer.beginAnswer();
        turn.begin();
        record.answer = "";
        delete record.reasoning;
        delete record.figures;
        record.ended = "aborted"; // until it is whole
        try {
            await this.#keep(() => this.#saveChat());
            await this.#keep(() => this.#parts.store.saveTurn(before));
            await this.#stream(turn, controller.signal);
            this.#finish(turn, before);
        } catch (error) {
            if (codeOf(error) === "aborted") this.#finish(turn, before);
            else this.#fail(turn, error);
        } finally {
            await this.#keepTurn(turn);
            this.#running = undefined;
            composer.setBusy(false);
            if (this.#chat) stats.showContext(this.#chat.session);
            if (this.#loaded) stats.showMemory(this.#loaded.model);
        }
    }

    /** @param {Turn} turn */
    async #keepTurn({ record }) {
        if (!this.#record) return;
        this.#record = { ...this.#record, updatedAt: Date.now() };
        const chat = this.#record;
        await this.#keep(async () => {
            // False: it was deleted meanwhile, and stays so.
            if (await this.#parts.store.saveTurn(record))
                await this.#parts.store.save(chat);
        });
    }

    /** What the model is asked; undefined when no document has anything to it. @param {Turn} turn @param {AbortSignal} signal */
    async #promptOf(turn, signal) {
        const { scope, settings } = this.#parts;
        const { record } = turn;
        const question = this.#questions.get(record.id) ?? {
            text: record.question,
            task: record.task,
        };
        delete record.sources;
        delete record.used;
        if (!scope.isSet) return question.ask ?? question.text;
        turn.showWaiting("Looking for passages");
        const most = (await this.#room(question.text)) - FRAME;
        const found = await scope.ground(
            question,
            Math.min(settings.values.passageTokens, most),
            (text) => this.#count(text),
            this.#loaded?.model.parameters ?? 0,
        );
        signal.throwIfAborted();
        if (!found) return undefined;
        record.sources = found.sources;
        record.used = found.used;
        turn.showSources();
        turn.showWaiting("");
        return found.prompt;
    }

    /**
     * @param {Turn} turn
     * @param {AbortSignal} signal
     */
    async #stream(turn, signal) {
        const { announcer, stats, store } = this.#parts;
        const { record } = turn;
        const startedAt = performance.now();
        this.#lastBefore = this.#chat?.last;
        const { pattern, exact } = this.#questions.get(record.id) ?? {};
        if (exact && pattern) {
            Object.assign(record, this.#parts.scope.find(pattern));
            record.ended = record.answer ? "found" : "nothing";
            turn.showSources();
            return;
        }
        const prompt = await this.#promptOf(turn, signal);
        if (prompt === undefined) {
            record.ended = "unfound";
            return;
        }
        const history = await this.#seen(turn, prompt);
        const { chat, answered } = await this.#chatAt(history, prompt);
        record.model = this.#loaded?.label ?? "";
        if (this.#record && this.#loaded)
            this.#record = {
                ...this.#record,
                model: {
                    source: this.#loaded.source,
                    label: this.#loaded.label,
                },
            };
        this.#lastBefore = chat.last;
        const options = this.#options(turn, signal);
        const pieces = answered
            ? chat.retry(options)
            : chat.send(prompt, options);
        let firstAt = 0;
        let savedAt = 0;
        let toldAt = 0;
        let n = 0;
        let text = "";
        for await (const piece of pieces) {
            const now = performance.now();
            firstAt ||= now;
            text += piece;
            turn.showText(text);
            announcer.readAnswer(text);
            n++;
            if (now - toldAt >= TELL_EVERY_MS) {
                stats.showRunning(firstAt - startedAt, n, now - firstAt);
                toldAt = now;
            }
            if (now - savedAt < SAVE_EVERY_MS) continue;
            savedAt = now;
            void this.#keep(() => store.saveTurn({ ...record }));
        }
    }

    /** @param {Turn} turn @param {TurnRecord} before */
    #finish(turn, before) {
        const { announcer, stats } = this.#parts;
        const { record } = turn;
        const { last: newest } = this.#chat ?? {};
        const last = newest === this.#lastBefore ? undefined : newest;
        const unasked = ["unfound", "found", "nothing"].includes(
            record.ended ?? "",
        );
        if (!unasked) {
            const reason = last?.finishReason ?? "aborted";
            record.ended = reason === "end" || reason === "stop" ? "" : reason;
            if (last) this.#note(turn, last);
        }
        if (!record.answer && before.answer) {
            // Stopped before its first word: the old one holds.
            Object.assign(record, before);
            turn.showSources();
            record.ended = "before";
        } else if (!record.answer && !record.ended) {
            record.ended = "empty";
        }
        const note = turn.end(record.ended ?? "");
        if (record.ended === "before") record.ended = before.ended ?? "";
        if (!unasked) this.#offerRetry(turn);
        announcer.endAnswer(record.answer, note || "The answer is complete.");
        void stats.showStorage();
    }

    /** The figures of an answer. @param {Turn} turn @param {import("pipit").ChatTurn} last */
    #note({ record }, last) {
        const { stats } = this.#parts;
        const { timings, promptTokens, cachedTokens, completionTokens } = last;
        const { firstTokenMs, completionTokensPerSecond } = timings;
        stats.showTurn(last, this.#loaded?.model.memory.total ?? 0);
        if (last.reasoning) record.reasoning = last.reasoning;
        if (!record.answer) return;
        record.figures = {
            promptTokens,
            cachedTokens,
            completionTokens,
            rate: completionTokensPerSecond,
            firstMs: firstTokenMs,
        };
    }

    /** @param {Turn} turn @param {unknown} error */
    #fail(turn, error) {
        const { announcer, onModelLost } = this.#parts;
        const lost = ["worker-died", "closed"].includes(codeOf(error));
        const act = lost
            ? button("Load the model again", onModelLost, { icon: "retry" })
            : button("Try again", () => this.#retry(turn), { icon: "retry" });
        const { card, heading } = describeFailure(error, [act], "h3");
        turn.record.ended = "failed";
        turn.fail(card);
        announcer.announce(`${heading.textContent}.`);
    }

    /** @param {Turn | undefined} turn the last one */
    #offerRetry(turn) {
        turn?.offerRetry(() => void this.#retry(turn));
    }

    /** @param {Turn} turn */
    async #retry(turn) {
        if (this.isRunning || turn !== this.#turns.at(-1)) return;
        if (!this.#loaded && !(await this.#parts.wantModel())) return;
        if (this.isRunning || turn !== this.#turns.at(-1)) return;
        this.#start(turn);
        this.#parts.composer.focus();
    }
}
