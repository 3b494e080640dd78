/* connection.ts — calls to the worker of a model, from the caller's side. Every
 * call ends: with its result, its error, or that of the worker's end. */
import { PipitError, type PipitErrorDetails } from "../errors.js";
import type {
    Args,
    CallMessage,
    ErrorData,
    FromWorker,
    Method,
    Result,
    SampledItem,
} from "../protocol.js";
import type { OnProgress } from "../types.js";
import type { ByteSource } from "../engine/source.js";
import type { WorkerGroup } from "./group.js";

export function aborted(
    signal: AbortSignal,
    details: PipitErrorDetails = {},
): PipitError {
    const { reason: cause } = signal;
    return new PipitError("aborted", "aborted", { cause, details });
}

export function throwIfAborted(signal: AbortSignal | undefined): void {
    if (signal?.aborted) throw aborted(signal);
}

export interface CallOptions {
    readonly signal?: AbortSignal | undefined;
    readonly onProgress?: OnProgress | undefined;
    /** Of generate. */
    readonly onTokens?: (items: readonly SampledItem[]) => void;
    /** Answers the worker's requests for pieces. */
    readonly source?: ByteSource | undefined;
}

interface Pending extends CallOptions {
    readonly resolve: (result: never) => void;
    readonly reject: (error: PipitError) => void;
}

function revive(data: ErrorData, signal?: AbortSignal): PipitError {
    if (data.code === "aborted" && signal?.aborted)
        return aborted(signal, data.details);
    return new PipitError(data.code, data.message, { details: data.details });
}

/** Pieces are copied out of the caller's buffers, which stay the caller's. */
const PIECE_BYTES = 1 << 20;

export class Connection {
    readonly #group: WorkerGroup;
    readonly #pending = new Map<number, Pending>();
    #lastId = 0;
    #end: PipitError | undefined;

    constructor(group: WorkerGroup) {
        this.#group = group;
        group.onMessage = (message) => this.#receive(message);
        group.onDeath = (error) => this.#fail(error);
    }

    get closed(): boolean {
        return this.#end !== undefined;
    }

    throwIfClosed(): void {
        if (this.#end) throw this.#end;
    }

    /** With the id under which the worker knows the call. */
    start<M extends Method>(
        method: M,
        args: Args<M>,
        options: CallOptions = {},
    ): { id: number; result: Promise<Result<M>> } {
        const id = ++this.#lastId;
        const result = this.#run(id, method, args, options);
        return { id, result };
    }

    call<M extends Method>(
        method: M,
        args: Args<M>,
        options: CallOptions = {},
    ): Promise<Result<M>> {
        return this.start(method, args, options).result;
    }

    taken(id: number, n: number): void {
        this.#group.post({ type: "taken", id, n });
    }

    stop(id: number): void {
        this.#group.post({ type: "stop", id });
    }

    async close(reason: PipitError): Promise<void> {
        this.#fail(reason);
        await this.#group.end();
    }

    async #run<M extends Method>(
        id: number,
        method: M,
        args: Args<M>,
        options: CallOptions,
    ): Promise<Result<M>> {
        const { signal } = options;
        this.throwIfClosed();
        throwIfAborted(signal);
        const abort = () => this.#group.post({ type: "abort", id });
        signal?.addEventListener("abort", abort, { once: true });
        try {
            return await new Promise<Result<M>>((resolve, reject) => {
                this.#pending.set(id, { ...options, resolve, reject });
                this.#group.hold(true);
                this.#group.post({
                    type: "call",
                    id,
                    method,
                    args,
                } as CallMessage);
            });
        } finally {
            signal?.removeEventListener("abort", abort);
            this.#pending.delete(id);
            if (this.#pending.size === 0) this.#group.hold(false);
        }
    }

    #receive(message: FromWorker): void {
        if (message.type === "fatal") {
            void this.close(revive(message.error));
            return;
        }
        if (!("id" in message)) return;
        const pending = this.#pending.get(message.id);
        if (!pending) return;
        switch (message.type) {
            case "result":
                pending.resolve(message.result as never);
                break;
            case "error":
                pending.reject(revive(message.error, pending.signal));
                break;
            case "progress":
                pending.onProgress?.(message.progress);
                break;
            case "tokens":
                pending.onTokens?.(message.items);
                break;
            case "pull":
                void this.#sendPiece(message.id, pending.source);
                break;
        }
    }

    async #sendPiece(id: number, source: ByteSource | undefined) {
        let piece: Uint8Array<ArrayBuffer> | ErrorData | null = null;
        try {
            if (source && (await source.pull())) {
                const buffer = new Uint8Array(PIECE_BYTES);
                piece = buffer.subarray(0, source.take(buffer));
            }
        } catch (failure) {
            if (!(failure instanceof PipitError)) throw failure;
            const { code, message, details } = failure;
            piece = { code, message, details };
        }
        const transfer = piece instanceof Uint8Array ? [piece.buffer] : [];
        this.#group.post({ type: "piece", id, piece }, transfer);
    }

    #fail(error: PipitError): void {
        this.#end ??= error;
        for (const { reject } of this.#pending.values()) reject(error);
        this.#pending.clear();
    }
}
