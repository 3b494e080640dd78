/* whole-file.ts — a file that has its name only once it is whole. */
import * as fs from "node:fs/promises";
import { storeError } from "./partial-file.js";

const ARRIVING = ".arriving";

/** Whether a name is of a file that was torn on its way. */
export const isArriving = (name: string): boolean => name.endsWith(ARRIVING);

/** Synced before it gets its name: a torn file never has it. */
export async function writeWhole(
    target: string,
    bytes: Uint8Array,
): Promise<void> {
    const arriving = target + ARRIVING;
    try {
        const handle = await fs.open(arriving, "w");
        try {
            await handle.writeFile(bytes);
            await handle.sync();
        } finally {
            await handle.close();
        }
        await fs.rename(arriving, target);
    } catch (cause) {
        await fs.rm(arriving, { force: true }).catch(() => undefined);
        throw storeError(cause, `can't write ${target}`);
    }
}
