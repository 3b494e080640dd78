/* events.ts — the monitor of a download, and the error of a full context. */

/** ProgressEvent, which Node lacks. */
class DownloadProgress extends Event {
    readonly lengthComputable = true;
    readonly total = 1;
    constructor(readonly loaded: number) {
        super("downloadprogress");
    }
}

type Handler = ((event: Event) => unknown) | null;

/** `onNAME` attributes: one listener that can be changed. */
export class HandlerSlot {
    #handler: Handler = null;

    constructor(target: EventTarget, type: string) {
        target.addEventListener(type, (event) => {
            this.#handler?.call(target, event);
        });
    }

    get handler(): Handler {
        return this.#handler;
    }

    set handler(handler: unknown) {
        this.#handler =
            typeof handler === "function" ? (handler as Handler) : null;
    }
}

export class CreateMonitor extends EventTarget {
    readonly #slot = new HandlerSlot(this, "downloadprogress");
    #loaded = -1;

    get ondownloadprogress(): Handler {
        return this.#slot.handler;
    }

    set ondownloadprogress(handler: Handler) {
        this.#slot.handler = handler;
    }

    /** Rises from 0 to 1; at most a thousand events. */
    static tell(monitor: CreateMonitor, loaded: number): void {
        const rounded = Math.floor(Math.min(1, loaded) * 1000) / 1000;
        if (rounded <= monitor.#loaded) return;
        monitor.#loaded = rounded;
        monitor.dispatchEvent(new DownloadProgress(rounded));
    }
}

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
