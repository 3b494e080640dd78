// What the page asked of a network since its model was ready, with the evidence:
// the browser's own list of what the page fetched, and the service worker's,
// which sees the requests of workers too.

/**
 * @typedef {object} SeenRequest
 * @property {string} url
 * @property {"network" | "device"} from
 * @property {"page" | "service worker"} by who counted it
 * @property {number} at   milliseconds since 1970
 */

export class Requests {
    /** @type {SeenRequest[]} */
    #seen = [];
    #since = Date.now();
    #onChange;

    /** @param {() => void} onChange */
    constructor(onChange) {
        this.#onChange = onChange;
        const { serviceWorker } = navigator;
        serviceWorker?.addEventListener("message", ({ data }) => {
            if (data?.type !== "request") return;
            const { url, from, at } = data;
            this.#add({ url, from, at, by: "service worker" });
        });
        if (typeof PerformanceObserver === "undefined") return;
        new PerformanceObserver((list) => {
            for (const entry of list.getEntries())
                this.#note(/** @type {PerformanceResourceTiming} */ (entry));
        }).observe({ type: "resource", buffered: true });
    }

    /** @param {PerformanceResourceTiming} entry */
    #note({ name, startTime, transferSize, workerStart, decodedBodySize }) {
        if (!/^https?:/.test(name)) return;
        // The service worker says itself where its answers are from. What has
        // a body and took no byte came from the browser's own cache.
        const cached = transferSize === 0 && decodedBodySize > 0;
        const from = workerStart > 0 || cached ? "device" : "network";
        const at = performance.timeOrigin + startTime;
        this.#add({ url: name, from, at, by: "page" });
    }

    /** @param {SeenRequest} request */
    #add(request) {
        this.#seen = [...this.#seen.slice(-999), request];
        this.#onChange();
    }

    /** From here on there is nothing left to ask for. */
    begin() {
        this.#since = Date.now();
        this.#onChange();
    }

    get since() {
        return new Date(this.#since);
    }

    /** Whether workers are counted too. */
    get countsWorkers() {
        return Boolean(navigator.serviceWorker?.controller);
    }

    /** @param {"network" | "device"} from @param {boolean} before */
    #of(from, before) {
        return this.#seen.filter(
            (request) =>
                request.from === from && request.at < this.#since === before,
        );
    }

    /** To a network, since then. */
    get sent() {
        return this.#of("network", false);
    }

    /** Answered on this device, since then. */
    get answeredHere() {
        return this.#of("device", false);
    }

    /** To a network, before that: the page and its model. */
    get before() {
        return this.#of("network", true);
    }

    /** How many each of the two saw to a network since then. */
    get counts() {
        const by = (/** @type {string} */ who) =>
            this.sent.filter((request) => request.by === who).length;
        return { page: by("page"), serviceWorker: by("service worker") };
    }
}
