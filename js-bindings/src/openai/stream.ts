/* stream.ts — chunks as they come, in the shape of the `openai` client's own. */

export class ChunkStream<C> implements AsyncIterable<C> {
    /** `controller.abort()` ends the answer. */
    readonly controller = new AbortController();
    readonly #run: (signal: AbortSignal) => AsyncGenerator<C, void, void>;
    readonly #signal: AbortSignal | undefined;
    #taken = false;

    constructor(
        signal: AbortSignal | undefined,
        run: (signal: AbortSignal) => AsyncGenerator<C, void, void>,
    ) {
        this.#signal = signal;
        this.#run = run;
    }

    /** Once. Leaving the loop ends the answer. */
    async *[Symbol.asyncIterator](): AsyncGenerator<C, void, void> {
        if (this.#taken) throw new TypeError("the stream was read already");
        this.#taken = true;
        const abort = () => this.controller.abort(this.#signal?.reason);
        this.#signal?.addEventListener("abort", abort, { once: true });
        if (this.#signal?.aborted) abort();
        try {
            yield* this.#run(this.controller.signal);
        } finally {
            this.#signal?.removeEventListener("abort", abort);
        }
    }
}
