/* divergence.ts — when a training is lost, from its losses so far. The noise of
 * batches is not enough, nor is one bad batch. */

/** Steps of a window, and between two copies of the parameters to fall back on. */
export const WINDOW = 10;

/** Steps that are looked at while there is no window yet. */
const FEW = 3;
/** What may be noise, however low the loss began. */
const NOISE = 1;

const mean = (list: readonly number[]) =>
    list.reduce((a, b) => a + b, 0) / list.length;

/** Means of the whole windows. */
function windows(losses: readonly number[]): number[] {
    const n = Math.floor(losses.length / WINDOW);
    return Array.from({ length: n }, (_, i) =>
        mean(losses.slice(i * WINDOW, (i + 1) * WINDOW)),
    );
}

/** The least mean of half a window, wherever it stood: a loss that falls at once
 * and leaps back spoils every window that it is in. */
function lowest(losses: readonly number[]): number {
    const half = WINDOW / 2;
    let least = Infinity;
    for (let i = half; i <= losses.length; i++)
        least = Math.min(least, mean(losses.slice(i - half, i)));
    return least;
}

/** Whether a window has just ended that is the best so far. */
export function isGood(losses: readonly number[]): boolean {
    if (losses.length % WINDOW !== 0) return false;
    const all = windows(losses);
    return all.at(-1) === Math.min(...all);
}

/** Why it is lost; "" while it is not: the loss is twice what it began with, or
 * has lost half of what was won. */
export function isDiverging(losses: readonly number[]): string {
    const rose = (from: number, to: number) =>
        `the loss rose from ${from.toFixed(2)} to ${to.toFixed(2)}`;
    if (losses.length < 2 * FEW) return "";
    const first = mean(losses.slice(0, FEW));
    const few = mean(losses.slice(-FEW));
    if (few > 2 * Math.max(first, NOISE)) return rose(first, few);
    const best = lowest(losses);
    const last = mean(losses.slice(-WINDOW));
    const isLost = last - best > Math.max(NOISE, (first - best) / 2);
    return losses.length >= 2 * WINDOW && isLost ? rose(best, last) : "";
}
