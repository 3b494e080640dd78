/** The middle one, of an even number the upper. @param {number[]} all */
export const median = (all) =>
    [...all].sort((a, b) => a - b)[all.length >> 1] ?? NaN;
