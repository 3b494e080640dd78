// What the page asked of a network since its model was ready, with the evidence:
// the browser's own list of what the page fetched, and the service worker's,
// which sees the requests of workers too.

/**
 * @typedef {object} SeenRequest
 * @property {string} url
 * @property {"network" | "device" | "worker"} from  worker: the service worker
 *     was asked, and says itself where its answer is from
 * @property {"page" | "service worker"} by who counted it
 * @property {number} at   milliseconds since 1970
 */

/** The clocks of a page and of its worker may differ by this. */
const CLOCKS_MS = 50;

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
        // What has a body and took no byte came from the browser's own cache.
        const cached = transferSize === 0 && decodedBodySize > 0;
        const near = cached ? "device" : "network";
        const from = workerStart > 0 ? "worker" : near;
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

    /** What the service worker said of a request of the page, a moment later.
     * @param {SeenRequest} request */
    #source({ url, from, at, by }) {
        if (by !== "page") return from;
        // Not every browser says in its list that the worker was asked.
        const said = this.#seen.find(
            (one) =>
                one.by === "service worker" &&
                one.url === url &&
                one.at >= at - CLOCKS_MS,
        );
        return said?.from ?? (from === "worker" ? "device" : from);
    }

    /** @param {"network" | "device"} from @param {boolean} before */
    #of(from, before) {
        return this.#seen.filter(
            (request) =>
                request.at < this.#since === before &&
                this.#source(request) === from,
        );
    }

    /** To a network, since then. */
    get sent() {
        return this.#of("network", false);
    }

    /** How many were answered on this device since then. */
    get answeredHere() {
        return seenByEither(this.#of("device", false));
    }

    /** How many went to a network before that: the page and its model. */
    get before() {
        return seenByEither(this.#of("network", true));
    }

    /** How many each of the two saw to a network since then. */
    get counts() {
        return countBy(this.sent);
    }
}

/** @param {SeenRequest[]} requests */
function countBy(requests) {
    const of = (/** @type {string} */ who) =>
        requests.filter(({ by }) => by === who).length;
    return { page: of("page"), serviceWorker: of("service worker") };
}

/** Both see what the page itself sends. @param {SeenRequest[]} requests */
function seenByEither(requests) {
    const { page, serviceWorker } = countBy(requests);
    return Math.max(page, serviceWorker);
}
