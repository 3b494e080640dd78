/* main.ts — the program of an engine's workers: one runs the model and answers
 * calls, the others are its further threads. */
import { workerPort } from "#platform";
import { PipitError } from "../errors.js";
import type { FromWorker, ToWorker } from "../protocol.js";
import { errorData, Server } from "./server.js";
import { runThread } from "./thread.js";

const port = workerPort();
const post = (message: FromWorker, transfer?: ArrayBuffer[]) =>
    port.post(message, transfer);

function fatal(cause: unknown): void {
    const error =
        cause instanceof PipitError
            ? cause
            : new PipitError("worker-died", `the engine failed: ${cause}`);
    post({ type: "fatal", error: errorData(error) });
}

/* Calls may arrive before the module is ready. */
let server: Promise<Server> | undefined;

port.onMessage((data) => {
    const message = data as ToWorker;
    if (message.type === "thread") {
        runThread(message, () => post({ type: "thread-ready" })).catch(fatal);
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
