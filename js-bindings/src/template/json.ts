/* json.ts — the filter tojson: Python's json.dumps. */
import { chargeText, repeated } from "./budget.js";
import {
    compare,
    fail,
    Float,
    floatText,
    isInt,
    isNumber,
    iterate,
    str,
    Tuple,
    truthy,
    typeName,
    type Value,
} from "./value.js";

interface Style {
    readonly ascii: boolean;
    readonly indent: string | undefined;
    readonly between: string;
    readonly colon: string;
    readonly sorted: boolean;
}

function quoted(text: string, ascii: boolean): string {
    const plain = JSON.stringify(text);
    if (!ascii) return plain;
    return plain.replace(
        /[\x7f-\uffff]/g,
        (c) => `\\u${c.charCodeAt(0).toString(16).padStart(4, "0")}`,
    );
}

function number(v: number | bigint | Float): string {
    if (!(v instanceof Float)) return String(v);
    if (Number.isFinite(v.value)) return floatText(v.value);
    if (Number.isNaN(v.value)) return "NaN";
    return v.value > 0 ? "Infinity" : "-Infinity";
}

function keyText(k: Value): string {
    if (typeof k === "string") return k;
    if (k === null) return "null";
    if (isInt(k) || k instanceof Float) return number(k);
    if (typeof k === "boolean") return String(k);
    return fail(
        "keys must be str, int, float, bool or None, not " + typeName(k),
    );
}

function group(
    [open, close]: readonly [string, string],
    members: readonly string[],
    style: Style,
    depth: number,
): string {
    if (members.length === 0) return open + close;
    const { indent, between } = style;
    const text =
        indent === undefined
            ? open + members.join(between) + close
            : [
                  open,
                  `\n${indent.repeat(depth + 1)}`,
                  members.join(`${between}\n${indent.repeat(depth + 1)}`),
                  `\n${indent.repeat(depth)}`,
                  close,
              ].join("");
    chargeText(text.length);
    return text;
}

function dump(v: Value, style: Style, depth: number): string {
    if (v === null) return "null";
    if (typeof v === "boolean") return String(v);
    if (isInt(v) || v instanceof Float) return number(v);
    if (typeof v === "string") return quoted(v, style.ascii);
    if (Array.isArray(v) || v instanceof Tuple) {
        const members = iterate(v).map((item) => dump(item, style, depth + 1));
        return group(["[", "]"], members, style, depth);
    }
    if (!(v instanceof Map))
        return fail(`Object of type ${typeName(v)} is not JSON serializable`);
    const entries = [...v];
    if (style.sorted) entries.sort(([a], [b]) => compare(a, b));
    const members = entries.map(
        ([k, item]) =>
            quoted(keyText(k), style.ascii) +
            style.colon +
            dump(item, style, depth + 1),
    );
    return group(["{", "}"], members, style, depth);
}

export interface DumpOptions {
    readonly ensureAscii?: Value | undefined;
    readonly indent?: Value | undefined;
    readonly separators?: Value | undefined;
    readonly sortKeys?: Value | undefined;
}

export function dumps(v: Value, options: DumpOptions = {}): string {
    const { indent = null, separators = null } = options;
    const step =
        indent === null
            ? undefined
            : isNumber(indent)
              ? repeated(" ", Number(str(indent === true ? 1 : indent)))
              : str(indent);
    const [between = "", colon = ""] =
        separators === null
            ? [step === undefined ? ", " : ",", ": "]
            : iterate(separators).map(str);
    const style: Style = {
        ascii: truthy(options.ensureAscii ?? false),
        indent: step,
        between,
        colon,
        sorted: truthy(options.sortKeys ?? false),
    };
    return dump(v, style, 0);
}
