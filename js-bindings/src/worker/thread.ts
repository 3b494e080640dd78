/* thread.ts — the life of a further thread: an instance of the same module over
 * the same memory, with a stack and thread-local variables of its own. */
import type { Engine } from "../engine/exports.js";
import { instantiate } from "../engine/instance.js";
import type { ToWorker } from "../protocol.js";

/** Returns when the engine closes; until then the thread serves no messages. */
export async function runThread(
    start: Extract<ToWorker, { type: "thread" }>,
    onReady: () => void,
): Promise<void> {
    const x = await instantiate(start.module, start.memory);
    x.__stack_pointer.value = start.stackTop;
    x.__wasm_init_tls(start.tls);
    onReady();
    x.pipit_engine_worker(start.engine as Engine, start.index);
}
