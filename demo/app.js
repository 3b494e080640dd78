// The page: which of its three views is shown, and the one model it holds.
import { loadModel } from "./pipit/index.js";
import { Announcer } from "./announcer.js";
import { ChatView } from "./chat-view.js";
import { Composer } from "./composer.js";
import { Conversation } from "./conversation.js";
import { byId } from "./dom.js";
import { codeOf } from "./failure.js";
import { ModelPicker } from "./model-picker.js";
import { describePlace } from "./place.js";
import { LoadProgress } from "./progress.js";
import { Offline } from "./offline.js";
import { Settings } from "./settings.js";
import { Stats } from "./stats.js";
import { keepModel, StoredModels } from "./stored-models.js";

/** @typedef {import("./model-picker.js").Choice} Choice */
/** @typedef {"choose" | "loading" | "chat"} View */

class App {
    #announcer = new Announcer();
    #stats = new Stats();
    #settings = new Settings(() => this.#reload());
    #picker = new ModelPicker(this.#announcer, (choice) => this.#load(choice));
    #progress = new LoadProgress(this.#announcer, () => this.#cancel());
    #composer = new Composer(
        (text) => this.#conversation.send(text),
        () => this.#conversation.stop(),
    );
    #view = new ChatView(
        (words) => this.#announcer.announce(words),
        (text) => this.#ask(text),
    );
    #conversation = new Conversation({
        view: this.#view,
        composer: this.#composer,
        stats: this.#stats,
        announcer: this.#announcer,
        settings: this.#settings,
        onModelLost: () => this.#reload(),
    });
    /** @type {import("pipit").Model | undefined} */
    #model;
    /** @type {Choice | undefined} */
    #choice;
    /** @type {AbortController | undefined} */
    #loading;

    constructor() {
        const announce = (/** @type {string} */ words) =>
            this.#announcer.announce(words);
        for (const place of document.querySelectorAll(".place"))
            place.append(describePlace(announce));
        byId("model").addEventListener("click", () => this.#show("choose"));
        byId("back").addEventListener("click", () => this.#show("chat"));
        byId("new-chat").addEventListener("click", () => this.#newChat());
        addEventListener("keydown", (event) => this.#escape(event));
        new StoredModels((source, label) => {
            this.#settings.close();
            void this.#load({ source, label });
        }, announce);
        new Offline(() => !this.#model && !this.#loading, announce);
        this.#show("choose", false);
    }

    /** @param {View} view @param {boolean} [focus] move the focus there */
    #show(view, focus = true) {
        document.body.dataset.view = view;
        for (const name of ["choose", "loading", "chat"])
            byId(name).hidden = name !== view;
        const ready = this.#model !== undefined;
        byId("model").hidden = byId("new-chat").hidden = view !== "chat";
        byId("back").hidden = !ready;
        if (!focus) return;
        scrollTo({ top: 0 });
        if (view === "chat") this.#composer.focus();
        if (view === "choose") byId("load-default").focus();
    }

    /** @param {Choice} choice */
    async #load(choice) {
        if (this.#loading) return;
        const controller = new AbortController();
        this.#loading = controller;
        this.#choice = choice;
        this.#picker.clearFailure();
        this.#show("loading");
        this.#progress.begin(choice.label);
        try {
            // Never two models at once: a phone would not hold them.
            await this.#closeModel();
            await this.#open(choice, controller.signal);
            this.#show("chat");
            this.#announcer.announce(`${choice.label} is ready.`);
        } catch (error) {
            await this.#closeModel();
            this.#show("choose");
            if (codeOf(error) === "aborted")
                this.#announcer.announce("Loading was cancelled.");
            else this.#picker.showFailure(error, choice);
        } finally {
            this.#loading = undefined;
        }
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
        await this.#conversation.begin(model);
        this.#settings.modelLoaded();
        byId("model-name").textContent = label;
        document.title = `${label} · Pipit`;
    }

    async #closeModel() {
        const model = this.#model;
        this.#model = undefined;
        await this.#conversation.end();
        await model?.close();
    }

    #cancel() {
        this.#loading?.abort();
    }

    #reload() {
        if (this.#choice) void this.#load(this.#choice);
    }

    async #newChat() {
        if (!this.#model) return;
        await this.#conversation.begin(this.#model);
        this.#announcer.announce("A new chat.");
        this.#composer.focus();
    }

    /** @param {string} text */
    #ask(text) {
        this.#conversation.send(text);
        this.#composer.focus();
    }

    /** @param {KeyboardEvent} event */
    #escape(event) {
        if (event.key !== "Escape" || event.isComposing) return;
        if (this.#settings.isOpen) return; // it closes by itself
        this.#cancel();
        this.#conversation.stop();
    }
}

new App();
