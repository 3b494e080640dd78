/* slices.ts — v[start:stop:step]. */
import { chargeList } from "./budget.js";
import {
    characters,
    describe,
    fail,
    isInt,
    Range,
    Tuple,
    Undefined,
    type Value,
} from "./value.js";

const isIndex = (v: Value) => v === null || isInt(v) || typeof v === "boolean";

function bound(v: Value, fallback: number, length: number, low: number) {
    if (v === null) return fallback;
    const i = Number(v);
    const from = i < 0 ? i + length : i;
    return Math.max(low, Math.min(from, length + low));
}

export function slice(v: Value, start: Value, stop: Value, step: Value): Value {
    if (v instanceof Undefined) return v.fail();
    const items =
        typeof v === "string"
            ? characters(v)
            : v instanceof Tuple
              ? v.items
              : v instanceof Range
                ? v.items()
                : v;
    const isSequence = typeof items === "string" || Array.isArray(items);
    if (!isSequence || ![start, stop, step].every(isIndex))
        return new Undefined(`'${describe(v)}' can't be sliced`);
    const by = step === null ? 1 : Number(step);
    if (by === 0) fail("slice step cannot be zero");
    const { length } = items;
    const low = by < 0 ? -1 : 0;
    const first = bound(start, by < 0 ? length - 1 : 0, length, low);
    const last = bound(stop, by < 0 ? -1 : length, length, low);
    if (typeof items === "string" && by === 1)
        return items.slice(first, Math.max(first, last));
    const picked: Value[] = [];
    chargeList(Math.max(0, Math.ceil((last - first) / by)));
    for (let i = first; by > 0 ? i < last : i > last; i += by)
        picked.push(items[i] as Value);
    if (typeof v === "string") return (picked as string[]).join("");
    return v instanceof Tuple ? new Tuple(picked) : picked;
}
