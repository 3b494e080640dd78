/* program.ts — one worker runs the model and answers calls, the others are its
 * further threads: the first message says which. */
import { PipitError } from "../errors.js";
import type { WorkerPort } from "../platform/types.js";
import type { FromWorker, ToWorker } from "../protocol.js";
import { errorData, Server } from "./server.js";
import { runThread } from "./thread.js";

export function runEngine(port: WorkerPort): void {
    const post = (message: FromWorker, transfer?: ArrayBuffer[]) =>
        port.post(message, transfer);

    const fatal = (cause: unknown): void => {
        const error =
            cause instanceof PipitError
                ? cause
                : new PipitError("worker-died", `the engine failed: ${cause}`);
        post({ type: "fatal", error: errorData(error) });
    };

    /* Calls may arrive before the module is ready. */
    let server: Promise<Server> | undefined;

    port.onMessage((data) => {
        const message = data as ToWorker;
        if (message.type === "thread") {
            runThread(message, () => post({ type: "thread-ready" })).catch(
                fatal,
            );
        } else if (message.type === "start") {
            server = Server.start(message, { post, fatal });
            server.catch(fatal);
        } else {
            server?.then(
                (started) => started.receive(message),
                () => {},
            );
        }
    });
}
