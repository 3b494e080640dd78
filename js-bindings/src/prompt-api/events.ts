/* events.ts — handlers, the monitor of a download, and the error of a full
 * context. */
import { asInterface } from "./interface.js";

/** ProgressEvent, which Node lacks and where older browsers round. */
class DownloadProgress extends Event {
    readonly lengthComputable = true;
    readonly total = 1;
    constructor(readonly loaded: number) {
        super("downloadprogress");
    }
}

function progressEvent(loaded: number): Event {
    if (typeof ProgressEvent === "function") {
        const init = { lengthComputable: true, loaded, total: 1 };
        const event = new ProgressEvent("downloadprogress", init);
        if (event.loaded === loaded) return event;
    }
    return new DownloadProgress(loaded);
}

type Handler = ((event: Event) => unknown) | null;

/** `onNAME` attributes: one listener that can be changed. It has its place among
 * the others from when it is first set. */
export class HandlerSlot {
    readonly #target: EventTarget;
    readonly #type: string;
    #handler: object | null = null;
    #listens = false;

    constructor(target: EventTarget, type: string) {
        this.#target = target;
        this.#type = type;
    }

    get handler(): Handler {
        return this.#handler as Handler;
    }

    /** Objects that can't be called are kept, and do nothing. */
    set handler(handler: unknown) {
        const isSome =
            typeof handler === "function" || typeof handler === "object";
        this.#handler = isSome ? (handler as object | null) : null;
        if (this.#handler === null || this.#listens) return;
        this.#listens = true;
        this.#target.addEventListener(this.#type, (event) => {
            const called: unknown = this.#handler;
            if (typeof called === "function") called.call(this.#target, event);
        });
    }
}

/** Parts of the whole that are told apart, and milliseconds between two. */
const STEPS = 65536;
const PAUSE_MS = 50;

export class CreateMonitor extends EventTarget {
    readonly #slot = new HandlerSlot(this, "downloadprogress");
    #loaded = -1;
    #toldAt = -Infinity;

    get ondownloadprogress(): Handler {
        return this.#slot.handler;
    }

    set ondownloadprogress(handler: Handler) {
        this.#slot.handler = handler;
    }

    /** Rises; 0 and 1 are always told, others not too often. */
    static tell(monitor: CreateMonitor, loaded: number): void {
        const rounded = Math.floor(Math.min(1, loaded) * STEPS) / STEPS;
        if (!(rounded > monitor.#loaded)) return;
        const now = performance.now();
        const isEnd = rounded === 0 || rounded === 1;
        if (!isEnd && now - monitor.#toldAt < PAUSE_MS) return;
        monitor.#loaded = rounded;
        monitor.#toldAt = now;
        monitor.dispatchEvent(progressEvent(rounded));
    }
}

asInterface(CreateMonitor, "CreateMonitor", { ondownloadprogress: 0 });

/** QuotaExceededError as it is an interface of its own in newer browsers. */
class QuotaExceeded extends DOMException {
    constructor(
        message: string,
        readonly requested: number,
        readonly quota: number,
    ) {
        super(message, "QuotaExceededError");
    }
}

export function quotaExceeded(requested: number, quota: number): DOMException {
    const message = `${requested} tokens, the context window has ${quota}`;
    const own = (globalThis as { QuotaExceededError?: unknown })
        .QuotaExceededError as
        (new (message: string, options: object) => DOMException) | undefined;
    return typeof own === "function"
        ? new own(message, { requested, quota })
        : new QuotaExceeded(message, requested, quota);
}
