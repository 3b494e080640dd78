/* value.ts — what a template computes with, as Python has it: what is true,
 * equal, less, iterable, and how it is printed. Strings are JavaScript's, but
 * count in code points. Whole numbers are numbers or, beyond 2^53, bigints;
 * every other number is a `Float`. None is null. */

import { chargeText, spend } from "./budget.js";
import { fail, TemplateError } from "./failure.js";

export { fail, TemplateError };

export class Float {
    constructor(readonly value: number) {}
}

/** Frozen by what can be done to it, not by itself. */
export class Tuple {
    constructor(
        readonly items: readonly Value[],
        readonly names: readonly string[] = [],
    ) {}
}

/** What `dict.items()` and its like return: live in Python, a copy here, which
 * no template can tell since nothing in it changes a dict. */
export class View {
    constructor(
        readonly name: "dict_items" | "dict_keys" | "dict_values",
        readonly items: readonly Value[],
    ) {}
}

/** A generator or iterator: true whatever it holds, without a length, and empty
 * after it was read once. */
export class Iter {
    #items: readonly Value[];

    constructor(items: readonly Value[]) {
        spend(8 * items.length);
        this.#items = items;
    }

    take(): readonly Value[] {
        const items = this.#items;
        this.#items = [];
        return items;
    }
}

export class Range {
    readonly length: number;

    constructor(
        readonly start: number,
        readonly stop: number,
        readonly step: number,
    ) {
        this.length = Math.max(0, Math.ceil((stop - start) / step));
    }

    items(): number[] {
        const at = (_: unknown, i: number) => this.start + i * this.step;
        return Array.from({ length: this.length }, at);
    }
}

export class Namespace {
    constructor(readonly attributes: Map<string, Value>) {}
}

/** A name or an item that is not there; the error comes with its first use. */
export class Undefined {
    constructor(readonly hint: string) {}

    fail(): never {
        return fail(this.hint);
    }
}

export type Kwargs = ReadonlyMap<string, Value>;
export type Call = (args: readonly Value[], kwargs: Kwargs) => Value;

export class Callable {
    constructor(
        readonly name: string,
        readonly call: Call,
    ) {}
}

/** Things of the environment's own, such as `loop`. */
export abstract class Thing {
    abstract readonly name: string;
    abstract attribute(name: string): Value | undefined;
    call?: Call;
}

export type Dict = Map<Value, Value>;
export type Value =
    | null
    | boolean
    | number
    | bigint
    | string
    | Float
    | Tuple
    | View
    | Iter
    | Range
    | Namespace
    | Undefined
    | Callable
    | Thing
    | Value[]
    | Dict;

// ---- kinds -----------------------------------------------------------------

export const isInt = (v: unknown): v is number | bigint =>
    typeof v === "number" || typeof v === "bigint";

export const isNumber = (v: unknown): v is number | bigint | boolean | Float =>
    isInt(v) || typeof v === "boolean" || v instanceof Float;

export function real(v: number | bigint | boolean | Float): number {
    return v instanceof Float ? v.value : Number(v);
}

/** A bigint becomes a number where it can. */
export function whole(n: bigint): number | bigint {
    const small = Number(n);
    return Number.isSafeInteger(small) ? small : n;
}

export function typeName(v: Value): string {
    if (v === null) return "NoneType";
    if (typeof v === "boolean") return "bool";
    if (isInt(v)) return "int";
    if (typeof v === "string") return "str";
    if (v instanceof Float) return "float";
    if (Array.isArray(v)) return "list";
    if (v instanceof Map) return "dict";
    if (v instanceof Tuple) return "tuple";
    if (v instanceof View) return v.name;
    if (v instanceof Iter) return "generator";
    if (v instanceof Range) return "range";
    if (v instanceof Namespace) return "Namespace";
    if (v instanceof Undefined) return "Undefined";
    return v instanceof Thing ? v.name : "function";
}

/** As Jinja names it in "… has no attribute". */
export function describe(v: Value): string {
    if (v instanceof Namespace) return "jinja2.utils.Namespace object";
    return v === null ? "None" : `${typeName(v)} object`;
}

// ---- text ------------------------------------------------------------------

const surrogate = /[\ud800-\udfff]/;

/** Characters as Python counts them. */
export function characters(text: string): readonly string[] | string {
    return surrogate.test(text) ? Array.from(text) : text;
}

export function compareText(a: string, b: string): number {
    if (!surrogate.test(a) && !surrogate.test(b))
        return a < b ? -1 : a > b ? 1 : 0;
    const [left, right] = [Array.from(a), Array.from(b)];
    const i = left.findIndex((letter, at) => letter !== right[at]);
    if (i < 0) return left.length - right.length;
    const code = (letter: string | undefined) => letter?.codePointAt(0) ?? -1;
    return code(left[i]) - code(right[i]);
}

const named: Readonly<Record<string, string>> = {
    "\n": "\\n",
    "\r": "\\r",
    "\t": "\\t",
    "\\": "\\\\",
};

function escaped(letter: string): string {
    const code = letter.codePointAt(0) ?? 0;
    const hex = code.toString(16);
    if (code < 0x100) return `\\x${hex.padStart(2, "0")}`;
    if (code < 0x10000) return `\\u${hex.padStart(4, "0")}`;
    return `\\U${hex.padStart(8, "0")}`;
}

function quoted(text: string): string {
    const quote = text.includes("'") && !text.includes('"') ? '"' : "'";
    const inside = text.replace(
        /[\\'\p{C}\p{Zl}\p{Zp}]|(?! )\p{Zs}/gu,
        (letter) =>
            letter === "'"
                ? quote === "'"
                    ? "\\'"
                    : "'"
                : (named[letter] ?? escaped(letter)),
    );
    return quote + inside + quote;
}

export function floatText(x: number): string {
    if (Number.isNaN(x)) return "nan";
    if (!Number.isFinite(x)) return x > 0 ? "inf" : "-inf";
    if (Object.is(x, -0)) return "-0.0";
    const size = Math.abs(x);
    if (size !== 0 && (size >= 1e16 || size < 1e-4)) {
        const [digits = "", exponent = "0"] = x.toExponential().split("e");
        const sign = exponent.startsWith("-") ? "-" : "+";
        return `${digits}e${sign}${exponent.slice(1).padStart(2, "0")}`;
    }
    return Number.isInteger(x) ? `${x}.0` : String(x);
}

function together(parts: readonly string[]): string {
    const text = parts.join(", ");
    chargeText(text.length);
    return text;
}

const listed = (items: readonly Value[]) => together(items.map(repr));

export function repr(v: Value): string {
    if (v === null) return "None";
    if (typeof v === "boolean") return v ? "True" : "False";
    if (isInt(v)) return String(v);
    if (typeof v === "string") return quoted(v);
    if (v instanceof Float) return floatText(v.value);
    if (Array.isArray(v)) return `[${listed(v)}]`;
    if (v instanceof Map) return `{${pairs(v)}}`;
    if (v instanceof Tuple)
        return `(${listed(v.items)}${v.items.length === 1 ? "," : ""})`;
    if (v instanceof View) return `${v.name}([${listed(v.items)}])`;
    if (v instanceof Iter) return "<generator object>";
    if (v instanceof Range)
        return v.step === 1
            ? `range(${v.start}, ${v.stop})`
            : `range(${v.start}, ${v.stop}, ${v.step})`;
    if (v instanceof Namespace) return `<Namespace {${pairs(v.attributes)}}>`;
    if (v instanceof Undefined) return "Undefined";
    return `<${typeName(v)} ${v.name}>`;
}

function pairs(map: ReadonlyMap<Value, Value>): string {
    return together([...map].map(([k, v]) => `${repr(k)}: ${repr(v)}`));
}

export function str(v: Value): string {
    if (typeof v === "string") return v;
    return v instanceof Undefined ? "" : repr(v);
}

// ---- relations -------------------------------------------------------------

export function truthy(v: Value): boolean {
    if (v instanceof Float) return v.value !== 0;
    if (Array.isArray(v)) return v.length > 0;
    if (v instanceof Map) return v.size > 0;
    if (v instanceof Tuple || v instanceof View) return v.items.length > 0;
    if (v instanceof Range) return v.length > 0;
    if (v instanceof Undefined) return false;
    return typeof v === "object" ? v !== null : Boolean(v);
}

function sequence(v: Value): readonly Value[] | undefined {
    if (Array.isArray(v)) return v;
    return v instanceof Tuple ? v.items : undefined;
}

const sameItems = (a: readonly Value[], b: readonly Value[]) =>
    a.length === b.length && a.every((v, i) => equal(v, b[i] as Value));

export function equal(a: Value, b: Value): boolean {
    if (a === b) return true;
    if (isNumber(a) && isNumber(b)) {
        if (isInt(a) && isInt(b)) return BigInt(a) === BigInt(b);
        return real(a) === real(b);
    }
    if (a instanceof Undefined) return b instanceof Undefined;
    if (Array.isArray(a)) return Array.isArray(b) && sameItems(a, b);
    if (a instanceof Tuple)
        return b instanceof Tuple && sameItems(a.items, b.items);
    if (a instanceof Range && b instanceof Range)
        return sameItems(a.items(), b.items());
    if (a instanceof View && b instanceof View)
        return a.name === b.name && sameItems(a.items, b.items);
    if (!(a instanceof Map && b instanceof Map)) return false;
    return (
        a.size === b.size &&
        [...a].every(([k, v]) => b.has(k) && equal(v, b.get(k) as Value))
    );
}

/** Below, at or above 0; NaN is none of them.
 * @param operator of the error when there is no order */
export function compare(a: Value, b: Value, operator = "<"): number {
    if (isNumber(a) && isNumber(b)) {
        const [x, y] =
            isInt(a) && isInt(b) ? ([a, b] as const) : [real(a), real(b)];
        return x < y ? -1 : x > y ? 1 : x == y ? 0 : NaN;
    }
    if (typeof a === "string" && typeof b === "string")
        return compareText(a, b);
    const [left, right] = [sequence(a), sequence(b)];
    if (left && right && Array.isArray(a) === Array.isArray(b)) {
        const i = left.findIndex(
            (v, at) => at >= right.length || !equal(v, right[at] as Value),
        );
        if (i < 0 || i >= right.length) return left.length - right.length;
        return compare(left[i] as Value, right[i] as Value, operator);
    }
    for (const v of [a, b]) if (v instanceof Undefined) v.fail();
    return fail(
        `'${operator}' not supported between instances of ` +
            `'${typeName(a)}' and '${typeName(b)}'`,
    );
}

export function contains(container: Value, item: Value): boolean {
    if (typeof container === "string") {
        if (typeof item === "string") return container.includes(item);
        return fail(
            "'in <string>' requires string as left operand, not " +
                typeName(item),
        );
    }
    if (container instanceof Map) return container.has(key(item));
    if (container === null || isNumber(container))
        return fail(
            `argument of type '${typeName(container)}' is not iterable`,
        );
    return iterate(container).some((v) => equal(v, item));
}

export function iterate(v: Value): readonly Value[] {
    if (Array.isArray(v)) return v;
    if (typeof v === "string") {
        spend(8 * v.length);
        return Array.from(v);
    }
    if (v instanceof Map) return [...v.keys()];
    if (v instanceof Tuple || v instanceof View) return v.items;
    if (v instanceof Iter) return v.take();
    if (v instanceof Range) return v.items();
    if (v instanceof Undefined) return [];
    return fail(`'${typeName(v)}' object is not iterable`);
}

export function length(v: Value): number {
    if (typeof v === "string") return characters(v).length;
    if (v instanceof Map) return v.size;
    if (v instanceof Range) return v.length;
    if (v instanceof Undefined) return 0;
    if (Array.isArray(v)) return v.length;
    if (v instanceof Tuple || v instanceof View) return v.items.length;
    return fail(`object of type '${typeName(v)}' has no len()`);
}

/** As the key of a dict: 1, 1.0 and True are one. */
export function key(v: Value): Value {
    if (typeof v === "boolean") return Number(v);
    if (v instanceof Float && Number.isInteger(v.value)) return v.value;
    if (Array.isArray(v) || v instanceof Map)
        return fail(`unhashable type: '${typeName(v)}'`);
    return v;
}

// ---- from outside ----------------------------------------------------------

/** Plain data of JavaScript as a template sees it. */
export function fromHost(v: unknown): Value {
    if (v === null || v === undefined) return null;
    if (typeof v === "number")
        return Number.isSafeInteger(v) ? v + 0 : new Float(v);
    if (typeof v === "bigint") return whole(v);
    if (typeof v === "string" || typeof v === "boolean") return v;
    if (Array.isArray(v)) return v.map(fromHost);
    const entries = v instanceof Map ? [...v] : Object.entries(v);
    return new Map(
        entries
            .filter(([, item]) => item !== undefined)
            .map(([k, item]) => [key(fromHost(k)), fromHost(item)]),
    );
}
