/** `pipit_kv_type` of pipit.h, by the names that callers use. */
export const kvTypes = { auto: 0, f16: 1, f32: 2, q8: 3 } as const;
