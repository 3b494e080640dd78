/* inline-node.ts — #platform of Node for `pipit/inline`. */
import { moduleBytes, programText } from "../inline/assets.js";
import * as node from "./node.js";
import type { Platform, WorkerProgram } from "./types.js";

export * from "./node.js";

let addresses: Record<WorkerProgram, URL> | undefined;

const addressOf = (text: string): URL =>
    new URL(
        `data:text/javascript;base64,${Buffer.from(text).toString("base64")}`,
    );

/** Before anything is started: it unpacks the workers' programs. */
export async function prepare(): Promise<void> {
    addresses ??= {
        engine: addressOf(await programText("engine")),
        template: addressOf(await programText("template")),
    };
}

export const startWorker: Platform["startWorker"] = (program, url) =>
    url || !addresses
        ? node.startWorker(program, url)
        : node.startAt(program, addresses[program]);

export const fetchModule: Platform["fetchModule"] = moduleBytes;
