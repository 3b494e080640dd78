/* metadata.ts — a file's keys, whose long arrays are read when asked for. */
import type { LongArray, Metadata, MetadataValue } from "../types.js";
import { isLongArray } from "../engine/file.js";

/** @param read all elements of the array of that key */
export function readable(
    metadata: Metadata,
    read: (key: string) => Promise<readonly MetadataValue[]>,
): Metadata {
    const entries = Object.entries(metadata).map(([key, value]) => {
        if (!isLongArray(value)) return [key, value] as const;
        const array: LongArray = { ...value, values: () => read(key) };
        // Not listed when printed or turned to JSON.
        Object.defineProperty(array, "values", { enumerable: false });
        return [key, array] as const;
    });
    return Object.fromEntries(entries);
}
