// Closes a model, in a process that has nothing else to wait for. News that a
// worker is online may come when its end was asked for: here it always does.
import { loadModel } from "pipit";
import { tinyModel } from "../../../tests/tools/tiny-model.mjs";

process.on("worker", (worker) => {
    const emit = worker.emit.bind(worker);
    const terminate = worker.terminate.bind(worker);
    worker.emit = (/** @type {any} */ name, /** @type {any[]} */ ...news) =>
        name === "online" ? true : emit(name, ...news);
    worker.terminate = () => {
        const ended = terminate();
        emit("online");
        return ended;
    };
});

const model = await loadModel(tinyModel(), { threads: 2 });
await model.close();
console.log("done");
