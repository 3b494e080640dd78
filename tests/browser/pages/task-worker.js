// The same tasks in a module worker of the page: a worker with workers.
import { tasks } from "./tasks.js";

addEventListener("message", async ({ data: { name, options } }) => {
    try {
        postMessage({ result: await tasks[name]?.(options) });
    } catch (error) {
        postMessage({ error: String(error) });
    }
});
