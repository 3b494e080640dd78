// The package's worker, whose further threads die instead of working.
import { parentPort } from "node:worker_threads";
import "../../dist/worker.node.js";

parentPort?.on("message", (message) => {
    if (message.type === "thread") throw new Error("a thread died on purpose");
});
