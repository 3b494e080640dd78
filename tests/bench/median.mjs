/** The middle one, of an even number the upper. @param {number[]} all */
export const median = (all) =>
    [...all].sort((a, b) => a - b)[all.length >> 1] ?? NaN;

/**
 * Of things of one shape: the median of each number in them, the last of anything
 * else. What only some have counts where it is.
 * @template T @param {T[]} all @returns {T}
 */
export function medianOfEach(all) {
    const last = /** @type {any} */ (all.at(-1));
    const each = (/** @type {string} */ key) =>
        medianOfEach(
            all.flatMap((/** @type {any} */ one) =>
                key in one ? [one[key]] : [],
            ),
        );
    if (typeof last === "number")
        return /** @type {any} */ (median(/** @type {any} */ (all)));
    if (Array.isArray(last))
        return /** @type {any} */ (Object.keys(last).map(each));
    if (typeof last !== "object" || !last) return last;
    const keys = new Set(all.flatMap((one) => Object.keys(Object(one))));
    return /** @type {any} */ (
        Object.fromEntries([...keys].map((key) => [key, each(key)]))
    );
}
