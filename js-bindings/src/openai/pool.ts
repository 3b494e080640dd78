/* pool.ts — the sessions behind the stateless requests. A conversation comes
 * back each time as a whole; it is given the session that holds most of it.
 *
 * Invariant: a session is leased to one request at a time; what it holds while
 * it is free is in `tokens`. */
import type { Model, Session } from "../types.js";
import { OpenAIError } from "./errors.js";

interface Slot {
    readonly session: Session;
    tokens: Uint32Array;
    /** Text that was evaluated, with its tokens as they were sampled. */
    known: Known;
    busy: boolean;
    usedAt: number;
}

export interface Known {
    readonly text: string;
    readonly tokens: readonly number[];
}

export interface Lease {
    readonly session: Session;
    /** @param known what the session now holds, if it ended a turn */
    release(known?: Known): Promise<void>;
}

const nothing: Known = { text: "", tokens: [] };

function commonLength(a: Uint32Array, b: Uint32Array): number {
    const most = Math.min(a.length, b.length);
    let n = 0;
    while (n < most && a[n] === b[n]) n++;
    return n;
}

export interface PoolOptions {
    readonly sessions: number;
    /** Requests that may wait. */
    readonly queue: number;
    readonly contextLength: number | undefined;
}

export class SessionPool {
    readonly #model: Model;
    readonly #options: PoolOptions;
    readonly #slots: Slot[] = [];
    readonly #waiting: (() => void)[] = [];
    /** Whose turn it is, and who has not yet taken it. */
    #woken = 0;
    #opening = 0;
    #clock = 0;
    #contextLength: Promise<number> | undefined;
    #closed = false;

    constructor(model: Model, options: PoolOptions) {
        this.#model = model;
        this.#options = options;
    }

    /** Positions of every session; opens the first to know. */
    contextLength(): Promise<number> {
        this.#contextLength ??= this.#open(false).then(
            ({ session }) => session.contextLength,
        );
        this.#contextLength.catch(() => (this.#contextLength = undefined));
        return this.#contextLength;
    }

    /** The longest text evaluated here that this one goes on from. */
    known(text: string): Known {
        let best = nothing;
        for (const { known } of this.#slots)
            if (known.text.length > best.text.length)
                if (text.startsWith(known.text)) best = known;
        return best;
    }

    /** Waits for a session, in the order of asking. */
    async lease(tokens: Uint32Array, signal: AbortSignal): Promise<Lease> {
        const isFirst = this.#waiting.length === 0 && this.#woken === 0;
        let slot = isFirst && (await this.#choose(tokens));
        while (!slot) {
            await this.#turn(signal);
            try {
                slot = await this.#choose(tokens);
            } catch (cause) {
                this.#waiting.shift()?.();
                throw cause;
            } finally {
                this.#woken--;
            }
        }
        return this.#leased(slot);
    }

    async close(): Promise<void> {
        this.#closed = true;
        for (const wake of this.#waiting.splice(0)) wake();
        await Promise.all(this.#slots.map(({ session }) => session.close()));
    }

    #throwIfClosed(): void {
        if (this.#closed)
            throw new OpenAIError(503, {
                message: "the server is closed",
                code: "closed",
            });
    }

    /** A free session that knows the beginning, a new one, or the one that was
     * used longest ago; false when all are busy. */
    async #choose(tokens: Uint32Array): Promise<Slot | false> {
        this.#throwIfClosed();
        const free = this.#slots
            .filter(({ busy, session }) => !busy && !session.closed)
            .map((slot) => ({ slot, n: commonLength(slot.tokens, tokens) }))
            .sort((a, b) => b.n - a.n || a.slot.usedAt - b.slot.usedAt);
        const best = free[0];
        // Another conversation's end is worth more than its beginning, which
        // the engine copies from one session to another.
        if (best && best.n * 2 >= best.slot.tokens.length)
            return this.#take(best.slot);
        if (this.#slots.length + this.#opening < this.#options.sessions)
            try {
                return await this.#open(true);
            } catch (cause) {
                if (!free.some(({ slot }) => !slot.busy)) throw cause;
            }
        const oldest = free
            .map(({ slot }) => slot)
            .filter(({ busy }) => !busy)
            .sort((a, b) => a.usedAt - b.usedAt)[0];
        return oldest ? this.#take(oldest) : false;
    }

    #take(slot: Slot): Slot {
        slot.busy = true;
        return slot;
    }

    async #open(busy: boolean): Promise<Slot> {
        this.#opening++;
        try {
            const { contextLength } = this.#options;
            const session = await this.#model.createSession({ contextLength });
            const tokens = new Uint32Array();
            const slot = {
                ...{ session, tokens, known: nothing },
                ...{ busy, usedAt: 0 },
            };
            this.#slots.push(slot);
            return slot;
        } finally {
            this.#opening--;
        }
    }

    #turn(signal: AbortSignal): Promise<void> {
        signal.throwIfAborted();
        if (this.#waiting.length >= this.#options.queue)
            throw new OpenAIError(429, {
                message: "too many requests wait already: try again later",
                type: "requests",
                code: "rate_limit_exceeded",
            });
        return new Promise((resolve, reject) => {
            const wake = () => {
                signal.removeEventListener("abort", leave);
                this.#woken++;
                resolve();
            };
            const leave = () => {
                const at = this.#waiting.indexOf(wake);
                if (at >= 0) this.#waiting.splice(at, 1);
                reject(signal.reason as Error);
            };
            signal.addEventListener("abort", leave, { once: true });
            this.#waiting.push(wake);
        });
    }

    #leased(slot: Slot): Lease {
        const release = async (known = nothing) => {
            try {
                slot.tokens = await slot.session.tokens();
                slot.known = known;
            } catch {
                // The session is lost: the next request opens another.
                this.#slots.splice(this.#slots.indexOf(slot), 1);
                await slot.session.close().catch(() => {});
            }
            slot.usedAt = ++this.#clock;
            slot.busy = false;
            this.#waiting.shift()?.();
        };
        return { session: slot.session, release };
    }
}
