/* workers.ts — whether workers can be started from this file's own text, found
 * out once by starting one. */
import { programText } from "./assets.js";
import type { WorkerProgram } from "../platform/types.js";

/** A worker that says nothing for so long is not coming. */
const PATIENCE_MS = 5000;

function addressOf(text: string): string {
    return URL.createObjectURL(new Blob([text], { type: "text/javascript" }));
}

function tryOne(): Promise<boolean> {
    return new Promise((resolve) => {
        const address = addressOf("postMessage(0)");
        let worker: Worker | undefined;
        const end = (works: boolean) => {
            clearTimeout(timer);
            worker?.terminate();
            URL.revokeObjectURL(address);
            resolve(works);
        };
        const timer = setTimeout(end, PATIENCE_MS, false);
        try {
            worker = new Worker(address);
            worker.onmessage = () => end(true);
            worker.onerror = (event) => {
                event.preventDefault();
                end(false);
            };
        } catch {
            end(false);
        }
    });
}

let addresses: Promise<Record<WorkerProgram, string> | undefined> | undefined;

async function find(): Promise<Record<WorkerProgram, string> | undefined> {
    if (!(await tryOne())) return undefined;
    const [engine, template] = await Promise.all([
        programText("engine"),
        programText("template"),
    ]);
    return { engine: addressOf(engine), template: addressOf(template) };
}

/** Addresses of the programs; undefined where there can be no workers. */
export function workerAddresses() {
    addresses ??= find();
    return addresses;
}
