// The page without a network: its service worker, and what a new version of it
// asks of the user.
import { button, byId } from "./dom.js";

const RELOADED = "pipit-isolated";

/** Whether the user has begun something: typed, chosen or dropped. */
let touched = false;
for (const kind of ["input", "change", "drop"])
    addEventListener(kind, () => (touched = true), { capture: true });

/** Once, and only while nothing can be lost: the headers that the service worker
 * adds come with the next load. @param {() => boolean} isFresh */
function isolate(isFresh) {
    if (crossOriginIsolated || touched || !isFresh()) return;
    if (sessionStorage.getItem(RELOADED)) return;
    sessionStorage.setItem(RELOADED, "once");
    location.reload();
}

/** @param {ServiceWorkerRegistration} registration @param {(worker: ServiceWorker) => void} told */
function whenWaiting(registration, told) {
    if (registration.waiting) told(registration.waiting);
    registration.addEventListener("updatefound", () => {
        const worker = registration.installing;
        worker?.addEventListener("statechange", () => {
            const isUpdate = navigator.serviceWorker.controller !== null;
            if (worker.state === "installed" && isUpdate) told(worker);
        });
    });
}

export class Offline {
    #notice = byId("new-version");
    #isFresh;
    #isIdle;
    #announce;
    #asked = false;

    /**
     * @param {object} page
     * @param {() => boolean} page.isFresh there is no model that a reload ends
     * @param {() => boolean} page.isIdle nothing is loading, no answer comes
     * @param {(words: string) => void} announce
     */
    constructor({ isFresh, isIdle }, announce) {
        this.#isFresh = isFresh;
        this.#isIdle = isIdle;
        this.#announce = announce;
        void this.#start().catch(() => {
            // A private window may refuse: then the page needs its host.
        });
    }

    async #start() {
        const { serviceWorker } = navigator;
        if (!serviceWorker) return;
        serviceWorker.addEventListener("controllerchange", () => {
            if (this.#asked) location.reload();
            else isolate(this.#isFresh);
        });
        serviceWorker.addEventListener("message", ({ data }) => {
            if (data?.type === "others-open")
                this.#say("Close the other tabs with Pipit first.");
        });
        const registration = await serviceWorker.register("sw.js", {
            updateViaCache: "none",
        });
        whenWaiting(registration, (worker) => this.#offer(worker));
        if (serviceWorker.controller) isolate(this.#isFresh);
    }

    /** It waits until every tab is closed; sooner when the user says so, and
     * never while an answer comes. Chats are kept: the same one opens again.
     * @param {ServiceWorker} worker */
    #offer(worker) {
        const begin = button("Start it now", () => {
            if (!this.#isIdle()) {
                this.#announce("It starts when the answer is complete.");
                setTimeout(() => begin.click(), 500);
                return;
            }
            this.#asked = true;
            worker.postMessage({ type: "begin" });
        });
        begin.className = "small";
        this.#say("A new version of Pipit is ready for the next start.");
        this.#notice.append(begin);
    }

    /** @param {string} words */
    #say(words) {
        const later = button("Later", () => (this.#notice.hidden = true), {
            class: "small quiet",
        });
        this.#notice.hidden = false;
        this.#notice.replaceChildren(words, " ", later);
        this.#announce(words);
    }
}
