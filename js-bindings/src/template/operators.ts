/* operators.ts — Python's operators. */
import { chargeList, repeated, sumOf } from "./budget.js";
import { formatPercent } from "./format.js";
import {
    compare,
    contains,
    equal,
    fail,
    Float,
    isInt,
    isNumber,
    real,
    str,
    truthy,
    Tuple,
    typeName,
    Undefined,
    whole,
    type Value,
} from "./value.js";

/** Bits of a whole number; more can't be printed in time. */
const LONGEST_INT = 1 << 16;

function arithmetic(
    operator: string,
    a: number | bigint | boolean,
    b: number | bigint | boolean,
): Value | undefined {
    const [x, y] = [BigInt(a), BigInt(b)];
    switch (operator) {
        case "+":
            return whole(x + y);
        case "-":
            return whole(x - y);
        case "*":
            return bounded(x * y);
        case "//":
            return whole((x - modulo(x, y)) / y);
        case "%":
            return whole(modulo(x, y));
        case "**":
            if (y < 0n) return undefined;
            if (BigInt(x.toString(2).length) * y > BigInt(LONGEST_INT))
                return fail("a whole number is too large");
            return whole(x ** y);
    }
    return undefined;
}

function bounded(n: bigint): number | bigint {
    if (n.toString(16).length * 4 > LONGEST_INT)
        fail("a whole number is too large");
    return whole(n);
}

function modulo(x: bigint, y: bigint): bigint {
    if (y === 0n) fail("integer division or modulo by zero");
    const rest = x % y;
    return rest !== 0n && rest < 0n !== y < 0n ? rest + y : rest;
}

function floating(operator: string, x: number, y: number): Value {
    if (y === 0 && "//%".includes(operator))
        fail(operator === "/" ? "division by zero" : "float modulo by zero");
    const rest = x - y * Math.floor(x / y);
    const results: Readonly<Record<string, number>> = {
        "+": x + y,
        "-": x - y,
        "*": x * y,
        "/": x / y,
        "//": Math.floor(x / y),
        "%": rest,
        "**": x ** y,
    };
    return new Float(results[operator] ?? NaN);
}

function times(v: Value, n: number): Value | undefined {
    if (typeof v === "string") return repeated(v, n);
    const items = Array.isArray(v) ? v : v instanceof Tuple ? v.items : null;
    if (!items) return undefined;
    const count = Math.max(0, n);
    chargeList(items.length * count);
    const all = Array.from({ length: count }, () => items).flat() as Value[];
    return Array.isArray(v) ? all : new Tuple(all);
}

function sum(a: Value, b: Value): Value | undefined {
    if (typeof a === "string" && typeof b === "string") return sumOf(a, b);
    if (Array.isArray(a) && Array.isArray(b)) {
        chargeList(a.length + b.length);
        return [...a, ...b];
    }
    if (a instanceof Tuple && b instanceof Tuple)
        return new Tuple([...a.items, ...b.items]);
    if (a instanceof Undefined) a.fail();
    if (b instanceof Undefined) b.fail();
    for (const kind of ["str", "list", "tuple"])
        if (typeName(a) === kind)
            fail(
                `can only concatenate ${kind} (not "${typeName(b)}") to ${kind}`,
            );
    return undefined;
}

function calculate(operator: string, a: Value, b: Value): Value {
    if (isNumber(a) && isNumber(b)) {
        const exact =
            a instanceof Float || b instanceof Float
                ? undefined
                : arithmetic(operator, a, b);
        return exact ?? floating(operator, real(a), real(b));
    }
    let result: Value | undefined;
    if (operator === "+") result = sum(a, b);
    else if (operator === "%" && typeof a === "string")
        result = formatPercent(a, b);
    else if (operator === "*") {
        if (isInt(b) || typeof b === "boolean") result = times(a, Number(b));
        else if (isInt(a) || typeof a === "boolean")
            result = times(b, Number(a));
    }
    if (result !== undefined) return result;
    for (const v of [a, b]) if (v instanceof Undefined) v.fail();
    if (operator === "*")
        for (const [v, by] of [
            [a, b],
            [b, a],
        ] as const)
            if (typeof v === "string" || Array.isArray(v) || v instanceof Tuple)
                fail(
                    "can't multiply sequence by non-int of type " +
                        `'${typeName(by)}'`,
                );
    const name = operator === "**" ? "** or pow()" : operator;
    return fail(
        `unsupported operand type(s) for ${name}: ` +
            `'${typeName(a)}' and '${typeName(b)}'`,
    );
}

/** All but `and` and `or`. */
export function binary(operator: string, a: Value, b: Value): Value {
    switch (operator) {
        case "==":
            return equal(a, b);
        case "!=":
            return !equal(a, b);
        case "in":
            return contains(b, a);
        case "not in":
            return !contains(b, a);
        case "<":
            return compare(a, b, operator) < 0;
        case "<=":
            return compare(a, b, operator) <= 0;
        case ">":
            return compare(a, b, operator) > 0;
        case ">=":
            return compare(a, b, operator) >= 0;
        case "~":
            return sumOf(str(a), str(b));
    }
    return calculate(operator, a, b);
}

export function unary(operator: string, v: Value): Value {
    if (operator === "not") return !truthy(v);
    if (v instanceof Undefined) return v.fail();
    if (!isNumber(v))
        return fail(`bad operand type for unary ${operator}: '${typeName(v)}'`);
    const sign = operator === "-" ? -1 : 1;
    if (v instanceof Float) return new Float(sign * v.value);
    return whole(BigInt(v) * BigInt(sign));
}
