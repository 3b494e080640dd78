/* group.ts — the workers of one model: the engine's and its further threads.
 * They live and die together, and whoever dies is noticed here: the engine's
 * worker could not, for it may be waiting for that very thread. */
import { startWorker } from "#platform";
import { createMemory } from "../engine/instance.js";
import { PipitError } from "../errors.js";
import type { WorkerHandle } from "../platform/types.js";
import type { FromWorker, ThreadStart, ToWorker } from "../protocol.js";

export interface GroupOptions {
    /** Whether the module's memory is shared: with threads. */
    readonly shared: boolean;
    readonly threads: number;
    readonly workerUrl: string | URL | undefined;
}

export class WorkerGroup {
    readonly #options: GroupOptions;
    readonly #memory: WebAssembly.Memory | undefined;
    readonly #engine: WorkerHandle;
    readonly #further: WorkerHandle[] = [];
    #module: WebAssembly.Module | undefined;
    #ended = false;
    #readyThreads = 0;
    /** Set by the owner before any message can arrive. */
    onMessage: (message: FromWorker) => void = () => {};
    onDeath: (error: PipitError) => void = () => {};

    constructor(options: GroupOptions) {
        this.#options = options;
        const { shared, threads } = options;
        this.#memory = shared ? createMemory(true) : undefined;
        this.#engine = this.#start();
        // The threads' programs load beside the engine's.
        for (let i = 1; i < threads; i++) this.#further.push(this.#start());
        this.#engine.onMessage((data) => this.#receive(data as FromWorker));
        for (const worker of this.#further)
            worker.onMessage((data) => this.#receiveThread(data as FromWorker));
    }

    /** Throws where shared memory can't be posted. */
    start(module: WebAssembly.Module): void {
        this.#module = module;
        const { threads } = this.#options;
        const memory = this.#memory;
        this.post({ type: "start", module, memory, threads });
    }

    post(message: ToWorker, transfer?: readonly ArrayBuffer[]): void {
        if (!this.#ended) this.#engine.post(message, transfer);
    }

    /** Whether the process waits for the model (Node). */
    hold(on: boolean): void {
        if (!this.#ended) this.#engine.hold(on);
    }

    async end(): Promise<void> {
        if (this.#ended) return;
        this.#ended = true;
        const workers = [this.#engine, ...this.#further];
        await Promise.all(workers.map((worker) => worker.terminate()));
    }

    #start(): WorkerHandle {
        try {
            const worker = startWorker("engine", this.#options.workerUrl);
            worker.onDeath((cause) => this.#died(cause));
            return worker;
        } catch (cause) {
            throw new PipitError("environment", "can't start a worker", {
                cause,
            });
        }
    }

    #receive(message: FromWorker): void {
        if (this.#ended) return;
        if (message.type === "threads") this.#startThreads(message.starts);
        else this.onMessage(message);
    }

    #startThreads(starts: readonly ThreadStart[]): void {
        const module = this.#module as WebAssembly.Module;
        const memory = this.#memory as WebAssembly.Memory;
        starts.forEach((start, i) => {
            this.#further[i]?.post({
                type: "thread",
                module,
                memory,
                ...start,
            });
        });
    }

    #receiveThread(message: FromWorker): void {
        if (this.#ended) return;
        if (message.type === "fatal") this.onMessage(message);
        else if (++this.#readyThreads === this.#further.length)
            this.post({ type: "threads-ready" });
    }

    #died(cause: unknown): void {
        if (this.#ended) return;
        const why = cause instanceof Error ? cause.message : String(cause);
        void this.end();
        this.onDeath(
            new PipitError(
                "worker-died",
                `a worker of the model died: ${why}`,
                {
                    cause,
                },
            ),
        );
    }
}
