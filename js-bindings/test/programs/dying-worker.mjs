// The package's worker, that dies in the middle of an evaluation.
import { parentPort } from "node:worker_threads";
import "../../dist/worker.node.js";

parentPort?.on("message", (message) => {
    if (message.method === "eval") setImmediate(() => process.exit(3));
});
