/* meter.ts — how far a download is, and how fast. */
import type { OnProgress } from "../types.js";

/** Reports bytes with their rate over the last seconds, ten times a second. */
export function progressMeter(
    total: number | undefined,
    onProgress: OnProgress | undefined,
): (bytes: number, total?: number) => void {
    const WINDOW_MS = 3000;
    const PERIOD_MS = 100;
    let marks: { at: number; loaded: number }[] = [];
    let reported = -Infinity;
    return (bytes: number, whole = total ?? 0) => {
        const at = performance.now();
        const loaded = whole > 0 ? Math.min(bytes, whole) : bytes;
        const last = marks.at(-1);
        if (last && loaded < last.loaded) marks = []; // started over
        if (loaded !== whole && at - reported < PERIOD_MS) return;
        reported = at;
        marks = marks.filter((mark) => at - mark.at < WINDOW_MS);
        marks.push({ at, loaded });
        const first = marks[0] ?? { at, loaded };
        const seconds = (at - first.at) / 1000;
        const rate = seconds > 0 ? (loaded - first.loaded) / seconds : 0;
        onProgress?.({ phase: "download", loaded, total: whole, rate });
    };
}
