/* ensemble.ts — the answers being written at the same time. A step of the module
 * is one of all of them, so that they share its passes over the weights. */
import type { SampledItem } from "../protocol.js";
import type { FinishReason } from "../types.js";
import type { Generation, Slots, Status } from "./exports.js";
import { OK, PENDING, type Instance } from "./instance.js";
import type { Task } from "./task.js";

/** What pipit_generations_step takes, and the bytes it fills for each. */
const MOST = 32;
const ITEM_BYTES = 64;

/* In the order of pipit_finish. */
const reasons: readonly (FinishReason | undefined)[] = [
    undefined,
    "end",
    "stop",
    "length",
    "context",
];

export interface Part {
    readonly generation: Generation;
    /** As in GenerateSpec. */
    readonly logprobs: number;
    readonly task: Task;
    /** Sends what was sampled: messages are about to be served. */
    flush(): void;
}

/** A token, or the status for which there is none: OK where the task was stopped
 * or aborted. */
type Outcome = SampledItem | Status;

export class Ensemble {
    readonly #instance: Instance;
    readonly #fatal: (cause: unknown) => void;
    /** Those without their next token, in the order of asking. */
    readonly #waiting = new Map<Part, (outcome: Outcome) => void>();
    #playing = false;

    /** @param fatal is told of a trap: the instance is not to be used */
    constructor(instance: Instance, fatal: (cause: unknown) => void) {
        this.#instance = instance;
        this.#fatal = fatal;
    }

    next(part: Part): Promise<Outcome> {
        return new Promise((resolve) => {
            this.#waiting.set(part, resolve);
            if (!this.#playing) this.#play(part.task).catch(this.#fatal);
        });
    }

    async #play({ pace }: Task): Promise<void> {
        this.#playing = true;
        for (;;) {
            // Whoever got a token asks for the next one now.
            await undefined;
            if (this.#waiting.size === 0) break;
            if (pace.due) {
                for (const part of this.#waiting.keys()) part.flush();
                await pace.turn();
            }
            for (const part of this.#waiting.keys())
                if (part.task.stopped || part.task.signal.aborted)
                    this.#settle(part, OK);
            this.#step([...this.#waiting.keys()].slice(0, MOST));
        }
        this.#playing = false;
    }

    #settle(part: Part, outcome: Outcome): void {
        this.#waiting.get(part)?.(outcome);
        this.#waiting.delete(part);
    }

    #step(parts: readonly Part[]): void {
        const { x, heap, out } = this.#instance;
        const at = (i: number) => (out + ITEM_BYTES * i) as Slots;
        parts.forEach((part, i) => heap.putAddress(at(i), part.generation));
        x.pipit_generations_step(out, parts.length);
        parts.forEach((part, i) => {
            const status = heap.slot(at(i));
            if (status === OK) this.#settle(part, this.#read(part, at(i)));
            else if (status !== PENDING) this.#settle(part, status);
        });
    }

    #read({ logprobs }: Part, slots: Slots): SampledItem {
        const { heap } = this.#instance;
        return {
            token: heap.slot(slots, 1),
            finishReason: reasons[heap.slot(slots, 2)],
            text: heap.text(slots, 3),
            logprob: logprobs >= 0 ? heap.real(slots, 5) : undefined,
            logprobs:
                logprobs > 0
                    ? heap.pairs(heap.slot(slots, 6), heap.slot(slots, 7))
                    : undefined,
        };
    }
}
