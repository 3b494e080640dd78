// The page: which of its views is shown, the one model it holds, and the chat
// that is open. What is shown stands in the address behind the #.
import { loadModel } from "./pipit/index.js";
import { Announcer } from "./announcer.js";
import { isAsking } from "./ask.js";
import { ChatData } from "./chat-data.js";
import { ChatList } from "./chat-list.js";
import { ChatStore } from "./chat-store.js";
import { ChatView } from "./chat-view.js";
import { Composer } from "./composer.js";
import { Conversation } from "./conversation.js";
import { openDatabase } from "./database.js";
import { Documents } from "./documents.js";
import { byId, started } from "./dom.js";
import { acceptDrops } from "./drop.js";
import { codeOf } from "./failure.js";
import { LibraryView } from "./library-view.js";
import { isMenuOpen } from "./menu.js";
import { lastModel, ModelPicker, rememberModel } from "./model-picker.js";
import { describePlace } from "./place.js";
import { LoadProgress } from "./progress.js";
import { Offline } from "./offline.js";
import { Scope } from "./scope.js";
import { Settings } from "./settings.js";
import { Speaker } from "./speaker.js";
import { Stats } from "./stats.js";
import { isKept, keepModel, StoredModels } from "./stored-models.js";
import { Viewer } from "./viewer.js";

/** @typedef {import("./model-picker.js").Choice} Choice */
/** @typedef {"choose" | "loading" | "chat" | "library"} View */

/** @type {View[]} */
const views = ["choose", "loading", "chat", "library"];

const database = await openDatabase();

class App {
    #announcer = new Announcer();
    #announce = (/** @type {string} */ words) =>
        this.#announcer.announce(words);
    #stats = new Stats();
    #settings = new Settings(() => this.#reload());
    #picker = new ModelPicker(this.#announcer, (choice) => this.#load(choice));
    #progress = new LoadProgress(this.#announcer, () => this.#cancel());
    #store = new ChatStore(database, () => void this.#list.show());
    #documents = new Documents(database, () => void this.#library.show());
    #viewer = new Viewer(this.#documents);
    #scope = new Scope(this.#documents, {
        announce: this.#announce,
        onAsk: (question) => void this.#conversation.send(question),
        onChange: () => void this.#conversation.scopeChanged(),
        onOpen: (id) => void this.#viewer.openDocument(id),
    });
    #composer = new Composer(
        (text) => this.#send(text),
        () => this.#conversation.stop(),
        (words) => this.#announcer.warn(words),
    );
    #speaker = new Speaker();
    #view = new ChatView(
        {
            announce: this.#announce,
            openSource: (source, question) =>
                void this.#viewer.open(source, question),
            speaker: this.#speaker,
        },
        (text) => this.#send(text),
    );
    #conversation = new Conversation({
        view: this.#view,
        composer: this.#composer,
        stats: this.#stats,
        announcer: this.#announcer,
        settings: this.#settings,
        store: this.#store,
        scope: this.#scope,
        wantModel: () => this.#wantModel(),
        onModelLost: () => this.#reload(),
        onChat: (chat) => this.#showChat(chat),
    });
    #list = new ChatList(this.#store, {
        announce: this.#announce,
        onRemoved: (id) => {
            if (this.#conversation.record?.id === id) void this.#openChat();
        },
        onRename: async (id, title) => {
            if (this.#conversation.record?.id !== id) return false;
            await this.#conversation.change({ title });
            return true;
        },
    });
    #library = new LibraryView(this.#documents, this.#viewer, {
        announce: this.#announce,
        onAsk: () => void this.#askLibrary(),
        onChange: (n) => document.body.classList.toggle("has-documents", n > 0),
    });
    #chats = new ChatData(this.#store, {
        announce: this.#announce,
        closeAll: () => this.#closeAll(),
    });
    #stored = new StoredModels(
        (source, label) => {
            this.#settings.close();
            void this.#load({ source, label });
        },
        this.#announce,
        () => this.#picker.showKept(this.#choice?.source),
    );
    /** @type {import("pipit").Model | undefined} */
    #model;
    /** @type {Choice | undefined} */
    #choice;
    /** @type {AbortController | undefined} */
    #loading;

    constructor() {
        for (const place of document.querySelectorAll(".place"))
            place.append(describePlace(this.#announce));
        byId("model").addEventListener("click", () => this.#go("/models"));
        byId("back").addEventListener("click", () => this.#goToChat());
        byId("new-chat").addEventListener("click", () => this.#newChat());
        addEventListener("keydown", (event) => this.#escape(event));
        addEventListener("hashchange", () => void this.#route());
        acceptDrops(byId("drop"), {
            onModel: (file) => this.#picker.chooseFile(file),
            onChats: async (file) =>
                this.#announcer.warn(await this.#chats.import(file)),
            onDocuments: (given) => {
                if (this.#shown === "library")
                    return void this.#library.add(given);
                if (this.#shown !== "chat") this.#show("chat");
                void this.#scope.addFiles(given.map(({ file }) => file));
            },
        });
        new Offline(
            {
                isFresh: () => !this.#model && !this.#loading,
                isIdle: () => !this.#loading && !this.#conversation.isRunning,
            },
            this.#announce,
        );
        if (database.kind === "memory")
            this.#announcer.warn(
                "This browser keeps chats only until the page is left.",
            );
        void this.#stored.show();
        void this.#route(false).finally(started);
    }

    // ---- views -------------------------------------------------------------

    /** @returns {View} */
    get #shown() {
        return /** @type {View} */ (document.body.dataset.view);
    }

    /** @param {View} view @param {boolean} [focus] move the focus there */
    #show(view, focus = true) {
        document.body.dataset.view = view;
        for (const name of views) byId(name).hidden = name !== view;
        const { record } = this.#conversation;
        byId("model").hidden = view !== "chat" && view !== "library";
        byId("new-chat").hidden = view === "choose" || view === "loading";
        byId("back").hidden = !this.#model && !record;
        const links = { choose: "#/models", library: "#/documents" };
        for (const link of document.querySelectorAll("#chats .nav-row"))
            if (link.getAttribute("href") === Object(links)[view])
                link.setAttribute("aria-current", "page");
            else link.removeAttribute("aria-current");
        if (view !== "chat") void this.#list.show("");
        else void this.#list.show(record?.id ?? "");
        if (!focus) return;
        if (view === "chat") {
            this.#view.scrollToEnd();
            this.#composer.focus();
            return;
        }
        scrollTo({ top: 0 });
        if (view === "choose") byId("load-default").focus();
        if (view === "library") byId("library-title").focus();
    }

    /** @param {string} path behind the # */
    #go(path) {
        if (location.hash === `#${path}`) void this.#route();
        else location.hash = path;
    }

    #goToChat() {
        const { record } = this.#conversation;
        this.#go(record ? `/chat/${record.id}` : "/chat");
    }

    /** Shows what the address says. @param {boolean} [focus] */
    async #route(focus = true) {
        const [, first = "", id] =
            /^#\/(\w*)(?:\/(\w+))?$/.exec(location.hash) ?? [];
        // Other fragments are places on the page.
        if (location.hash && !location.hash.startsWith("#/")) {
            if (this.#shown) return;
        }
        if (first !== "chat") this.#cancel();
        if (first === "documents") return this.#show("library", focus);
        if (first !== "chat") return this.#show("choose", focus);
        const { record } = this.#conversation;
        if (id && id !== record?.id) return this.#openChat(id);
        if (!id && record) return this.#openChat();
        if (!this.#loading) this.#show("chat", focus);
    }

    /** @param {string} [id] a new one without */
    async #openChat(id) {
        const whole = id ? await this.#store.open(id) : undefined;
        if (id && !whole) this.#announcer.warn("This chat was deleted.");
        await this.#conversation.open(whole);
        if (!this.#loading) this.#show("chat");
    }

    /** The open chat is this one now, or is called so. @param {import("./chat-file.js").ChatRecord | undefined} chat */
    #showChat(chat) {
        const path = chat ? `#/chat/${chat.id}` : "#/chat";
        byId("chat-title").textContent = chat?.title ?? "New chat";
        byId("chat-menu").hidden = !chat;
        const inChat = location.hash.startsWith("#/chat");
        if (this.#shown === "chat" || inChat)
            history.replaceState(null, "", path);
        this.#name();
        if (this.#shown === "chat") void this.#list.show(chat?.id ?? "");
    }

    /** What the bar and the window are called. */
    #name() {
        const { record } = this.#conversation;
        const label = this.#model ? this.#choice?.label : undefined;
        byId("model-name").textContent = label ?? "Choose a model";
        const parts = [record?.title, label, "Pipit"].filter(Boolean);
        document.title =
            parts.length > 1
                ? parts.join(" · ")
                : "Pipit: a language model in this tab";
    }

    // ---- the model ---------------------------------------------------------

    /** @param {Choice} choice @returns {Promise<boolean>} whether it is there */
    async #load(choice) {
        if (this.#loading) return false;
        const controller = new AbortController();
        this.#loading = controller;
        this.#choice = choice;
        this.#picker.clearFailure();
        this.#show("loading");
        this.#progress.begin(choice.label);
        let loaded = false;
        try {
            // Never two models at once: a phone would not hold them.
            await this.#closeModel();
            await this.#open(choice, controller.signal);
            loaded = true;
        } catch (error) {
            await this.#closeModel();
            const left = this.#shown !== "loading";
            if (!left) this.#toModels();
            if (codeOf(error) === "aborted")
                this.#announce("Loading was cancelled.");
            else this.#picker.showFailure(error, choice);
        } finally {
            this.#loading = undefined;
        }
        void this.#stored.show();
        if (!loaded) return false;
        const { record } = this.#conversation;
        history.replaceState(
            null,
            "",
            `#/chat${record ? `/${record.id}` : ""}`,
        );
        this.#name();
        this.#show("chat");
        this.#announce(`${choice.label} is ready.`);
        return true;
    }

    #toModels() {
        history.replaceState(null, "", "#/models");
        this.#show("choose");
    }

    /** @param {Choice} choice @param {AbortSignal} signal */
    async #open(choice, signal) {
        const { source, modelBase, label } = choice;
        const onProgress = (/** @type {import("pipit").Progress} */ progress) =>
            this.#progress.show(progress);
        await keepModel(choice, signal, onProgress);
        const model = await loadModel(source, {
            signal,
            threads: this.#settings.threads,
            modelBase,
            onProgress,
        });
        this.#model = model;
        this.#stats.showModel(model);
        const kept =
            typeof source === "string"
                ? source
                : source instanceof URL
                  ? source.href
                  : null;
        await this.#conversation.begin({ model, label, source: kept });
        this.#settings.modelLoaded();
        if (kept) rememberModel({ source: kept, label });
    }

    async #closeModel() {
        const model = this.#model;
        this.#model = undefined;
        await this.#conversation.end();
        await model?.close();
        this.#name();
    }

    /** Before everything is deleted. */
    async #closeAll() {
        await this.#closeModel();
        database.close();
    }

    #cancel() {
        this.#loading?.abort();
    }

    #reload() {
        if (this.#choice) void this.#load(this.#choice);
    }

    /** A model to answer with: that of the chat, the last one, the suggested one,
     * if no download is needed; else the user is asked. @returns {Promise<boolean>} */
    async #wantModel() {
        const { record } = this.#conversation;
        const near = [record?.model, lastModel()];
        for (const one of near)
            if (one?.source && (await isKept(one.source)))
                return this.#load({ source: one.source, label: one.label });
        if (this.#choice) return this.#load(this.#choice);
        const suggested = await this.#picker.suggestedIfNear();
        if (suggested) return this.#load(suggested);
        this.#toModels();
        this.#announcer.warn("Choose a model first: it answers then.");
        return false;
    }

    // ---- the chat ----------------------------------------------------------

    async #newChat() {
        if (this.#loading) return;
        await this.#openChat();
        history.replaceState(null, "", "#/chat");
        this.#announce("A new chat.");
    }

    async #askLibrary() {
        await this.#newChat();
        this.#scope.setLibrary(true);
    }

    /** @param {string} text */
    async #send(text) {
        const sent = await this.#conversation.send({ text });
        if (sent) {
            this.#composer.focus();
            return;
        }
        // Nobody was asked: what was written is still there.
        if (!this.#composer.text) this.#composer.text = text;
    }

    /** @param {KeyboardEvent} event */
    #escape(event) {
        if (event.key !== "Escape" || event.isComposing) return;
        // These close by themselves.
        if (this.#settings.isOpen || this.#viewer.isOpen) return;
        if (isAsking() || isMenuOpen()) return;
        if (this.#list.isOpen) return this.#list.close();
        this.#cancel();
        this.#conversation.stop();
        this.#speaker.stop();
    }
}

new App();
