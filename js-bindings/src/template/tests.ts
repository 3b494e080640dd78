/* tests.ts — what can follow `is`. */
import { binary } from "./operators.js";
import {
    Callable,
    compare,
    contains,
    equal,
    fail,
    Float,
    isInt,
    isNumber,
    Iter,
    Namespace,
    repr,
    str,
    Thing,
    Tuple,
    Range,
    Undefined,
    View,
    type Kwargs,
    type Value,
} from "./value.js";

type Test = (v: Value, ...others: Value[]) => boolean;

const equalTo: Test = (a, b = null) => equal(a, b);
const less: Test = (a, b = null) => compare(a, b, "<") < 0;
const atMost: Test = (a, b = null) => compare(a, b, "<=") <= 0;
const more: Test = (a, b = null) => compare(a, b, ">") > 0;
const atLeast: Test = (a, b = null) => compare(a, b, ">=") >= 0;
const unequal: Test = (a, b = null) => !equal(a, b);

const isSequence: Test = (v) =>
    typeof v === "string" ||
    Array.isArray(v) ||
    v instanceof Map ||
    v instanceof Tuple ||
    v instanceof Range ||
    v instanceof Undefined;

const rest = (v: Value, by: Value) => binary("%", v, by);
const cased = (s: string) => s.toLowerCase() !== s.toUpperCase();

export const tests: Readonly<Record<string, Test>> = {
    boolean: (v) => typeof v === "boolean",
    callable: (v) =>
        v instanceof Callable || (v instanceof Thing && v.call !== undefined),
    defined: (v) => !(v instanceof Undefined),
    divisibleby: (v, by = null) => equal(rest(v, by), 0),
    eq: equalTo,
    "==": equalTo,
    equalto: equalTo,
    escaped: () => false,
    even: (v) => equal(rest(v, 2), 0),
    false: (v) => v === false,
    float: (v) => v instanceof Float,
    ge: atLeast,
    ">=": atLeast,
    greaterthan: more,
    gt: more,
    ">": more,
    in: (v, container = null) => contains(container, v),
    integer: (v) => isInt(v),
    iterable: (v) => isSequence(v) || v instanceof View || v instanceof Iter,
    le: atMost,
    "<=": atMost,
    lessthan: less,
    lt: less,
    "<": less,
    lower: (v) => cased(str(v)) && str(v) === str(v).toLowerCase(),
    mapping: (v) => v instanceof Map,
    ne: unequal,
    "!=": unequal,
    none: (v) => v === null,
    number: (v) => isNumber(v),
    odd: (v) => equal(rest(v, 2), 1),
    sameas: (v, other = null) =>
        v instanceof Namespace || typeof v === "object"
            ? v === other
            : typeof v === typeof other && equal(v, other),
    sequence: isSequence,
    string: (v) => typeof v === "string",
    true: (v) => v === true,
    undefined: (v) => v instanceof Undefined,
    upper: (v) => cased(str(v)) && str(v) === str(v).toUpperCase(),
};

export function runTest(
    name: string,
    v: Value,
    others: readonly Value[],
    kwargs: Kwargs,
): boolean {
    if (!Object.hasOwn(tests, name))
        return fail(`No test named ${repr(name)}.`);
    if (kwargs.size > 0) fail(`the test ${name} takes no names`);
    return (tests[name] as Test)(v, ...others);
}
