/* local.ts — a worker's program on the caller's own thread, where a content
 * security policy allows no workers from here. It serves events every few
 * milliseconds, so the page stays usable; threads it can't have. */
import type {
    WorkerHandle,
    WorkerPort,
    WorkerProgram,
} from "../platform/types.js";
import type { ToWorker } from "../protocol.js";
import { limitTime } from "../template/budget.js";
import { runTemplates } from "../template/program.js";
import { runEngine } from "../worker/program.js";

/** As a worker's renderer has. */
const TEMPLATE_MS = 1000;

function portOf(port: MessagePort): WorkerPort {
    return {
        post: (message, transfer = []) =>
            port.postMessage(message, [...transfer]),
        onMessage(told) {
            port.onmessage = ({ data }) => told(data);
        },
    };
}

/** Messages are cloned, as between threads: neither side sees the other's
 * objects. */
export function startHere(program: WorkerProgram): WorkerHandle {
    const { port1, port2 } = new MessageChannel();
    const calls: number[] = [];
    if (program === "engine") runEngine(portOf(port2));
    else {
        limitTime(TEMPLATE_MS);
        runTemplates(portOf(port2));
    }
    const { post, onMessage } = portOf(port1);
    return {
        post(message, transfer) {
            const { type, id } = message as Partial<
                Extract<ToWorker, { type: "call" }>
            >;
            if (type === "call" && id !== undefined) calls.push(id);
            post(message, transfer);
        },
        onMessage,
        onDeath() {},
        async terminate() {
            // Nobody ends the program: what it is at ends at its next turn.
            port1.onmessage = null;
            for (const id of calls) port1.postMessage({ type: "abort", id });
            port1.close();
        },
        hold() {},
    };
}
