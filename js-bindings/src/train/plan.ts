/* plan.ts — which examples a step takes, and how fast it learns: functions of
 * the step alone, so that a resumed training goes on as it would have. */

/** splitmix32: small, and the same everywhere. */
function random(seed: number): () => number {
    let state = seed >>> 0;
    return () => {
        state = (state + 0x9e3779b9) >>> 0;
        let z = state;
        z = Math.imul(z ^ (z >>> 16), 0x21f0aaad);
        z = Math.imul(z ^ (z >>> 15), 0x735a2d97);
        return ((z ^ (z >>> 15)) >>> 0) / 2 ** 32;
    };
}

/** 0 … n - 1 in the order of an epoch. */
export function orderOf(
    n: number,
    seed: number,
    epoch: number,
    shuffle: boolean,
): number[] {
    const order = Array.from({ length: n }, (_, i) => i);
    if (!shuffle) return order;
    const next = random(seed + 7919 * epoch);
    for (let i = n - 1; i > 0; i--) {
        const j = Math.floor(next() * (i + 1));
        [order[i], order[j]] = [order[j]!, order[i]!];
    }
    return order;
}

/** Of the step counted from 0. */
export function rateAt(
    step: number,
    steps: number,
    rate: number,
    schedule: "constant" | "linear" | "cosine",
    warmup: number,
): number {
    if (step < warmup) return (rate * (step + 1)) / (warmup + 1);
    const share = (step - warmup) / Math.max(steps - warmup, 1);
    if (schedule === "linear") return rate * (1 - share);
    if (schedule === "cosine")
        return (rate * (1 + Math.cos(Math.PI * share))) / 2;
    return rate;
}
