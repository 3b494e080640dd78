/* inline.ts — #platform of pages for `pipit/inline`: everything out of its own
 * text. `prepare` comes first, for what is asked here can't wait. */
import { moduleBytes } from "../inline/assets.js";
import { startHere } from "../inline/local.js";
import { workerAddresses } from "../inline/workers.js";
import * as browser from "./browser.js";
import type { Platform, WorkerProgram } from "./types.js";

export * from "./browser.js";

let addresses: Record<WorkerProgram, string> | undefined;
/** Whether the next ones to start are workers. */
let threads = true;

/** @param workerUrl what the caller gives instead of what is in here */
export async function prepare(
    workerUrl: string | URL | undefined,
): Promise<void> {
    if (!workerUrl) addresses = await workerAddresses();
    threads = workerUrl !== undefined || addresses !== undefined;
}

export const startWorker: Platform["startWorker"] = (program, url) => {
    if (url) return browser.startAt(program, url);
    if (!addresses) return startHere(program);
    return browser.handleOf(new Worker(addresses[program]));
};

export const canShareMemory: Platform["canShareMemory"] = () =>
    threads && browser.canShareMemory();

export const fetchModule: Platform["fetchModule"] = moduleBytes;
