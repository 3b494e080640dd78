/* format.ts — Python's two ways to put values into text: "%s" % v and
 * "{}".format(v). */
import { chargeText, joined, repeated } from "./budget.js";
import {
    characters,
    fail,
    Float,
    floatText,
    isInt,
    isNumber,
    real,
    repr,
    str,
    Tuple,
    typeName,
    type Kwargs,
    type Value,
} from "./value.js";

interface Spec {
    readonly fill?: string | undefined;
    readonly align?: string | undefined;
    readonly sign?: string | undefined;
    readonly alternate?: string | undefined;
    readonly zero?: string | undefined;
    readonly width?: string | undefined;
    readonly comma?: string | undefined;
    readonly precision?: string | undefined;
    readonly type?: string | undefined;
}

function fixed(x: number, digits: number): string {
    if (!Number.isFinite(x)) return floatText(x);
    if (digits > 100) fail("precision too big");
    return Object.is(x, -0) ? `-${(0).toFixed(digits)}` : tied(x, digits);
}

/** toFixed, with Python's rounding of exact halves to the even neighbour. */
function tied(x: number, digits: number): string {
    const doubled = x * 2 ** (digits + 1);
    const isTie =
        Number.isInteger(doubled) && Math.abs((x * 10 ** digits) % 1) === 0.5;
    if (!isTie) return x.toFixed(digits);
    const even = 2 * Math.round((x * 10 ** digits) / 2);
    return (even / 10 ** digits).toFixed(digits);
}

/** Python's round(x, digits). */
export function rounded(x: number, digits: number): number {
    if (!Number.isFinite(x)) return x;
    const unit = 10 ** Math.max(0, -digits);
    const near = Number(tied(x / unit, Math.min(Math.max(0, digits), 100)));
    return near === 0 && x < 0 ? -0 : near * unit;
}

function exponential(x: number, digits: number): string {
    const [mantissa = "", exponent = "0"] = x.toExponential(digits).split("e");
    const sign = exponent.startsWith("-") ? "-" : "+";
    return `${mantissa}e${sign}${exponent.slice(1).padStart(2, "0")}`;
}

function general(x: number, precision: number): string {
    const digits = Math.max(1, precision);
    if (!Number.isFinite(x) || x === 0) return x === 0 ? "0" : floatText(x);
    const exponent = Number(x.toExponential(digits - 1).split("e")[1]);
    const text =
        exponent < -4 || exponent >= digits
            ? exponential(x, digits - 1)
            : x.toFixed(Math.max(0, digits - 1 - exponent));
    return text.replace(/(\.\d*?)0+(?=e|$)/, "$1").replace(/\.(?=e|$)/, "");
}

const bases: Readonly<Record<string, number>> = { b: 2, o: 8, x: 16, X: 16 };

function numberText(v: number | bigint | boolean | Float, spec: Spec): string {
    const { type = "", precision } = spec;
    const digits = precision === undefined ? 6 : Number(precision);
    if (type in bases) {
        const text = BigInt(wholeOf(v)).toString(bases[type]);
        return type === "X" ? text.toUpperCase() : text;
    }
    switch (type) {
        case "c":
            return String.fromCodePoint(Number(real(v)));
        case "d":
        case "i":
        case "u":
            return String(wholeOf(v));
        case "e":
        case "E":
            return exponential(real(v), Math.min(digits, 100));
        case "f":
        case "F":
            return fixed(real(v), digits);
        case "g":
        case "G":
            return general(real(v), Math.min(digits, 100));
        case "%":
            return `${fixed(real(v) * 100, digits)}%`;
    }
    if (!(v instanceof Float)) return String(Number.isNaN(v) ? v : wholeOf(v));
    return precision === undefined
        ? floatText(v.value)
        : general(v.value, digits);
}

function wholeOf(v: number | bigint | boolean | Float): number | bigint {
    if (v instanceof Float) return BigInt(Math.trunc(v.value));
    return typeof v === "boolean" ? Number(v) : v;
}

function padded(text: string, spec: Spec, right: boolean): string {
    const width = Number(spec.width ?? 0);
    const missing = width - characters(text).length;
    if (missing <= 0) return text;
    const sign = /^[-+ ]?/.exec(text)?.[0] ?? "";
    const isZero = spec.zero !== undefined && spec.align === undefined;
    const align = spec.align ?? (isZero ? "=" : right ? ">" : "<");
    const fill = repeated(spec.fill ?? (isZero ? "0" : " "), missing);
    if (align === "<") return text + fill;
    if (align === ">") return fill + text;
    if (align === "=") return sign + fill + text.slice(sign.length);
    const left = fill.slice(0, missing >> 1);
    return left + text + fill.slice(missing >> 1);
}

function signed(text: string, spec: Spec): string {
    let out = text;
    if (spec.comma)
        out = out.replace(/^-?\d+/, (digits) =>
            digits.replace(/\B(?=(\d{3})+$)/g, spec.comma as string),
        );
    if (spec.alternate && /^[box]$/i.test(spec.type ?? ""))
        out = out.replace(/^-?/, (minus) => `${minus}0${spec.type}`);
    const plus = spec.sign === "+" || spec.sign === " ";
    return plus && !out.startsWith("-") ? spec.sign + out : out;
}

// ---- "%s" % v --------------------------------------------------------------

const percent =
    /%(?:\((.*?)\))?([-+ #0]*)(\*|\d+)?(?:\.(\*|\d+))?[hlL]?([diouxXeEfFgGcrsa%])|%/gs;

function badFormat(pattern: string, at: number): never {
    const code = pattern.codePointAt(at);
    if (code === undefined) return fail("incomplete format");
    return fail(
        `unsupported format character '${String.fromCodePoint(code)}' ` +
            `(0x${code.toString(16)}) at index ${at}`,
    );
}

export function formatPercent(
    pattern: string,
    values: Value,
    kwargs?: Kwargs,
): string {
    const list = values instanceof Tuple ? values.items : [values];
    const names = kwargs ?? (values instanceof Map ? values : undefined);
    let used = 0;
    const next = () => {
        if (used >= list.length) fail("not enough arguments for format string");
        return list[used++] as Value;
    };
    const out: string[] = [];
    let from = 0;
    for (const found of pattern.matchAll(percent)) {
        const [whole, name, flags = "", width, precision, type] = found;
        out.push(pattern.slice(from, found.index));
        from = found.index + whole.length;
        if (type === undefined) badFormat(pattern, found.index + 1);
        if (type === "%") {
            out.push("%");
            continue;
        }
        const wide = width === "*" ? str(next()) : width;
        const exact = precision === "*" ? str(next()) : precision;
        if (name !== undefined && !names) fail("format requires a mapping");
        const v = name === undefined ? next() : named(names as Kwargs, name);
        const spec: Spec = {
            align: flags.includes("-") ? "<" : undefined,
            sign: /[+ ]/.exec(flags)?.[0],
            alternate: flags.includes("#") ? "#" : undefined,
            zero: flags.includes("0") && !flags.includes("-") ? "0" : undefined,
            width: wide,
            precision: exact,
            type,
        };
        out.push(percentValue(v, spec));
    }
    out.push(pattern.slice(from));
    if (used < list.length && !names)
        fail("not all arguments converted during string formatting");
    return joined(out);
}

function named(names: ReadonlyMap<Value, Value>, name: string): Value {
    const v = names.get(name);
    return v === undefined ? fail(repr(name)) : v;
}

function percentValue(v: Value, spec: Spec): string {
    const { type = "s", precision } = spec;
    if (/[rsa]/.test(type) || (type === "c" && typeof v === "string")) {
        const text = type === "r" || type === "a" ? repr(v) : str(v);
        const most = precision === undefined ? Infinity : Number(precision);
        const cut = [...characters(text).slice(0, most)].join("");
        return padded(cut, { ...spec, zero: undefined }, true);
    }
    if (!isNumber(v))
        return fail(
            `%${type} format: a real number is required, not ${typeName(v)}`,
        );
    return padded(signed(numberText(v, spec), spec), spec, true);
}

// ---- "{}".format(v) --------------------------------------------------------

const braces = /\{\{|\}\}|\{([^{}!:]*)(?:!([rsa]))?(?::([^{}]*))?\}|[{}]/g;
const specification =
    /^(?:([^])?([<>=^]))?([-+ ])?(#)?(0)?(\d+)?([,_])?(?:\.(\d+))?([bcdeEfFgGnosxX%])?$/u;

/** @param item of `{a[b].c}`: how Jinja reads it */
export function formatBraces(
    pattern: string,
    args: readonly Value[],
    kwargs: Kwargs,
    item: (v: Value, name: Value, dotted: boolean) => Value,
): string {
    let used = 0;
    const field = (path: string): Value => {
        const [head = ""] = /^[^.[]*/.exec(path) ?? [];
        const index = head === "" ? used++ : Number(head);
        const isName = Number.isNaN(index);
        let v = isName ? kwargs.get(head) : args[index];
        if (v === undefined)
            return fail(
                isName
                    ? repr(head)
                    : `Replacement index ${index} out of range for positional args tuple`,
            );
        const rest = path.slice(head.length);
        for (const [, dotted, inside] of rest.matchAll(
            /\.([^.[]+)|\[([^\]]*)\]/g,
        )) {
            const name = dotted ?? inside ?? "";
            const isIndex = dotted === undefined && /^\d+$/.test(name);
            v = item(v, isIndex ? Number(name) : name, dotted !== undefined);
        }
        return v;
    };
    const text = pattern.replace(
        braces,
        (whole, path: string, conversion: string, spec = "") => {
            if (whole === "{{" || whole === "}}") return whole.slice(1);
            if (whole.length === 1)
                return fail(`Single '${whole}' encountered in format string`);
            const v = field(path);
            const shown =
                conversion === undefined
                    ? v
                    : conversion === "s"
                      ? str(v)
                      : repr(v);
            return formatValue(shown, spec);
        },
    );
    chargeText(text.length);
    return text;
}

function formatValue(v: Value, text: string): string {
    if (text === "") return str(v);
    const found = specification.exec(text);
    if (!found) return fail("Invalid format specifier");
    const [
        ,
        fill,
        align,
        sign,
        alternate,
        zero,
        width,
        comma,
        precision,
        type,
    ] = found;
    const spec: Spec = {
        fill,
        align,
        sign,
        alternate,
        zero,
        width,
        comma,
        precision,
        type,
    };
    if (isNumber(v) && type !== "s") {
        const asFloat = isInt(v) && precision !== undefined && !type;
        const shown = numberText(asFloat ? new Float(Number(v)) : v, spec);
        return padded(signed(shown, spec), spec, true);
    }
    const most = precision === undefined ? Infinity : Number(precision);
    return padded([...characters(str(v)).slice(0, most)].join(""), spec, false);
}
