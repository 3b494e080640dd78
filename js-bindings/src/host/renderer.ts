/* renderer.ts — chat templates, rendered in a worker that can be ended: a
 * template has a second, whatever it does, and 16 MB, which the worker counts. */
import { startWorker } from "#platform";
import { PipitError } from "../errors.js";
import type { WorkerHandle } from "../platform/types.js";
import type { RenderReply, RenderRequest } from "../protocol.js";
import type { RenderTemplateOptions } from "../types.js";
import { aborted, throwIfAborted } from "./connection.js";
import { refuse } from "./options.js";

const LIMIT_MS = 1000;
/** A worker's program that does not arrive. */
const START_MS = 30_000;

type Listener = (reply: RenderReply | PipitError) => void;

/** One render at a time; the next waits. */
export class Renderer {
    #worker: WorkerHandle | undefined;
    #listener: Listener = () => {};
    #tail: Promise<unknown> = Promise.resolve();
    #lastId = 0;
    #closed = false;
    readonly #workerUrl: string | URL | undefined;

    /** The program lies beside the worker's. */
    constructor(workerUrl: string | URL | undefined) {
        this.#workerUrl = workerUrl;
    }

    render(
        template: string,
        variables: Readonly<Record<string, unknown>>,
        options: RenderTemplateOptions = {},
    ): Promise<string> {
        const work = () => this.#render(template, variables, options);
        const result = this.#tail.then(work, work);
        this.#tail = result.catch(() => {});
        return result;
    }

    async close(): Promise<void> {
        this.#closed = true;
        this.#listener(new PipitError("closed", "the model was closed"));
        await this.#end();
    }

    async #render(
        template: string,
        variables: Readonly<Record<string, unknown>>,
        { signal, now }: RenderTemplateOptions,
    ): Promise<string> {
        throwIfAborted(signal);
        if (typeof template !== "string") refuse("a template is a string");
        if (this.#closed) throw new PipitError("closed", "the model is closed");
        const worker = this.#worker ?? (await this.#start(signal));
        const id = ++this.#lastId;
        const reply = await this.#exchange(worker, LIMIT_MS, signal, () =>
            worker.post({
                id,
                template,
                variables,
                now: now === undefined ? undefined : Number(now),
            } satisfies RenderRequest),
        );
        if (reply.type !== "rendered")
            throw new PipitError(
                "template",
                "message" in reply ? reply.message : "the template failed",
            );
        return reply.text;
    }

    async #start(signal: AbortSignal | undefined): Promise<WorkerHandle> {
        let worker: WorkerHandle;
        try {
            worker = startWorker("template", this.#workerUrl);
        } catch (cause) {
            throw new PipitError("environment", "can't start a worker", {
                cause,
            });
        }
        this.#worker = worker;
        worker.onMessage((reply) => this.#listener(reply as RenderReply));
        worker.onDeath((cause) => {
            if (this.#worker === worker) this.#worker = undefined;
            const why = cause instanceof Error ? cause.message : String(cause);
            this.#listener(
                new PipitError("template", `the renderer died: ${why}`, {
                    cause,
                }),
            );
        });
        await this.#exchange(worker, START_MS, signal, () => {});
        return worker;
    }

    /** The worker's next reply. When it does not come in time, the worker is
     * ended and the next render starts another. */
    async #exchange(
        worker: WorkerHandle,
        limitMs: number,
        signal: AbortSignal | undefined,
        send: () => void,
    ): Promise<RenderReply> {
        let timer: ReturnType<typeof setTimeout> | undefined;
        let abort: (() => void) | undefined;
        worker.hold(true);
        try {
            const reply = await new Promise<RenderReply | PipitError>(
                (resolve) => {
                    this.#listener = resolve;
                    abort = () => resolve(aborted(signal as AbortSignal));
                    signal?.addEventListener("abort", abort);
                    timer = setTimeout(
                        () =>
                            resolve(
                                new PipitError(
                                    "template",
                                    `not rendered after ${limitMs} ms`,
                                ),
                            ),
                        limitMs,
                    );
                    try {
                        send();
                    } catch (cause) {
                        const what = "template variables must be plain data";
                        resolve(
                            new PipitError("invalid-argument", what, { cause }),
                        );
                    }
                },
            );
            if (!(reply instanceof PipitError)) return reply;
            if (reply.code !== "invalid-argument") await this.#end();
            throw reply;
        } finally {
            clearTimeout(timer);
            if (abort) signal?.removeEventListener("abort", abort);
            this.#listener = () => {};
            worker.hold(false);
        }
    }

    async #end(): Promise<void> {
        const worker = this.#worker;
        this.#worker = undefined;
        await worker?.terminate();
    }
}
