/* stored.ts — records as callers see them: one model, however many files. */
import type { OnProgress } from "../types.js";
import type { StoreRecord } from "./record.js";
import type { StoredModel } from "./types.js";

const partOf = /-(\d{5})-of-(\d{5})(?=\.gguf(?:$|[?#]))/i;

export function described(records: readonly StoreRecord[]): StoredModel {
    const [first] = records as [StoreRecord];
    return {
        source: first.key,
        file: first.file,
        size: records.reduce((sum, { size }) => sum + size, 0),
        sha256: first.sha256,
        url: first.url,
        storedAt: Math.max(...records.map(({ storedAt }) => storedAt)),
        parts: records.length,
    };
}

/** Models of which every file is there. */
export function whole(records: readonly StoreRecord[]): StoredModel[] {
    const byKey = new Map(records.map((record) => [record.key, record]));
    return records.flatMap((record) => {
        const [, part, parts] = partOf.exec(record.key) ?? [];
        if (part === undefined) return [described([record])];
        if (Number(part) !== 1) return [];
        const all = Array.from({ length: Number(parts) }, (_, i) => {
            const name = `-${String(i + 1).padStart(5, "0")}-of-${parts}`;
            return byKey.get(record.key.replace(partOf, name));
        }).filter((found) => found !== undefined);
        return all.length === Number(parts) ? [described(all)] : [];
    });
}

/** Progress of one file, as progress of all: those before it are `done`. The
 * total is known with the last one. */
export function sumProgress(
    done: readonly StoreRecord[],
    files: readonly unknown[],
    onProgress: OnProgress | undefined,
): OnProgress | undefined {
    if (!onProgress || files.length === 1) return onProgress;
    const before = done.reduce((sum, { size }) => sum + size, 0);
    const isLast = done.length + 1 === files.length;
    return ({ phase, loaded, total, rate }) =>
        onProgress({
            phase,
            loaded: before + loaded,
            total: isLast ? before + total : 0,
            rate,
        });
}
