/* pace.ts — many tasks on one event loop. Each calls `pace.turn` between its
 * steps; when its slice is over, messages are served and other tasks run. */

/** Milliseconds without looking at messages. */
const SLICE_MS = 8;

export class Pace {
    readonly #yieldToEvents: () => Promise<void>;
    #since = performance.now();

    constructor(yieldToEvents: () => Promise<void>) {
        this.#yieldToEvents = yieldToEvents;
    }

    get due(): boolean {
        return performance.now() - this.#since > SLICE_MS;
    }

    async turn(): Promise<void> {
        await this.#yieldToEvents();
        this.#since = performance.now();
    }
}
