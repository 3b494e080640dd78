/* record.ts — what the store knows of a whole file, in `ID.json` beside it. */

/** The folder in OPFS, the name of the cache. */
export const FOLDER = "pipit-models";

/** What stands in `ID.json`: the file is whole and checked. */
export interface StoreRecord {
    readonly key: string;
    readonly file: string;
    readonly url: string | undefined;
    readonly size: number;
    readonly sha256: string;
    readonly storedAt: number;
    /** The name of the data. */
    readonly data: string;
}

/** Undefined for what is torn or not ours. */
export function parseRecord(text: string | undefined): StoreRecord | undefined {
    try {
        const record = JSON.parse(
            text ?? "null",
        ) as Partial<StoreRecord> | null;
        const { key, data, size, sha256 } = record ?? {};
        return typeof key === "string" &&
            typeof data === "string" &&
            typeof size === "number" &&
            typeof sha256 === "string"
            ? (record as StoreRecord)
            : undefined;
    } catch {
        return undefined;
    }
}
