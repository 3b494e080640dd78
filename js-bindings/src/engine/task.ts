/* task.ts — one call being worked on: its signal, its reports, its place in the
 * queue of a session. */
import { PipitError } from "../errors.js";
import type { SampledItem } from "../protocol.js";
import type { Progress } from "../types.js";
import type { Pace } from "./pace.js";

/** Between two reports of progress. */
const REPORT_MS = 16;

export interface TaskEvents {
    progress(progress: Progress): void;
    tokens(items: readonly SampledItem[]): void;
    /** Asks the caller for the next piece of its source. */
    pull(): Promise<Uint8Array | null>;
}

export class Task {
    readonly #abort = new AbortController();
    readonly #started = performance.now();
    readonly events: TaskEvents;
    readonly pace: Pace;
    #reported = -Infinity;
    /** Of generate: tokens the caller took, and whether it wants no more. */
    taken = 0;
    stopped = false;
    /** Waiting for another task's end. */
    queued = false;
    #wake: (() => void) | undefined;

    constructor(events: TaskEvents, pace: Pace) {
        this.events = events;
        this.pace = pace;
    }

    get signal(): AbortSignal {
        return this.#abort.signal;
    }

    /** Ends the task with this error at its next turn. */
    abort(reason: PipitError): void {
        this.#abort.abort(reason);
        this.wake();
    }

    /** Ends generate where it is, without an error. */
    stop(): void {
        this.stopped = true;
        if (this.queued) this.abort(new PipitError("aborted", "stopped"));
        this.wake();
    }

    throwIfAborted(): void {
        if (this.signal.aborted) throw this.signal.reason;
    }

    /** Serves messages; throws when one of them aborted this task. */
    async turn(): Promise<void> {
        await this.pace.turn();
        this.throwIfAborted();
    }

    /** Until the caller took tokens, stopped or aborted. */
    async wait(): Promise<void> {
        await new Promise<void>((resolve) => {
            this.#wake = resolve;
        });
        this.throwIfAborted();
    }

    wake(): void {
        this.#wake?.();
        this.#wake = undefined;
    }

    report(phase: Progress["phase"], loaded: number, total: number): void {
        const now = performance.now();
        if (loaded !== total && now - this.#reported < REPORT_MS) return;
        this.#reported = now;
        const seconds = (now - this.#started) / 1000;
        const rate = seconds > 0 ? loaded / seconds : 0;
        this.events.progress({ phase, loaded, total, rate });
    }
}

/** First come, first served; who is aborted while waiting leaves at once. */
export class Queue {
    #busy = false;
    readonly #waiting: (() => void)[] = [];

    async run<R>(task: Task, work: () => Promise<R>): Promise<R> {
        task.throwIfAborted();
        if (this.#busy) await this.#turnOf(task);
        this.#busy = true;
        try {
            return await work();
        } finally {
            this.#busy = false;
            this.#waiting.shift()?.();
        }
    }

    #turnOf(task: Task): Promise<void> {
        task.queued = true;
        const turn = new Promise<void>((resolve, reject) => {
            const go = () => {
                task.signal.removeEventListener("abort", leave);
                // Nobody may slip in before the microtask that goes on.
                this.#busy = true;
                resolve();
            };
            const leave = () => {
                const at = this.#waiting.indexOf(go);
                if (at >= 0) this.#waiting.splice(at, 1);
                reject(task.signal.reason);
            };
            this.#waiting.push(go);
            task.signal.addEventListener("abort", leave, { once: true });
        });
        return turn.finally(() => {
            task.queued = false;
        });
    }
}
