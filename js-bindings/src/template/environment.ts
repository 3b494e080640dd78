/* environment.ts — the names that a template finds: Jinja's own and those that
 * transformers adds. */
import { Cycler, joiner } from "./loop.js";
import { bind, integer } from "./methods.js";
import {
    Callable,
    fail,
    fromHost,
    iterate,
    key,
    Namespace,
    Range,
    str,
    TemplateError,
    type Call,
    type Dict,
    type Kwargs,
    type Value,
} from "./value.js";

const days = [
    "Sunday",
    "Monday",
    "Tuesday",
    "Wednesday",
    "Thursday",
    "Friday",
    "Saturday",
];
const months = [
    "January",
    "February",
    "March",
    "April",
    "May",
    "June",
    "July",
    "August",
    "September",
    "October",
    "November",
    "December",
];

function two(n: number): string {
    return String(n).padStart(2, "0");
}

function dayOfYear(time: Date): number {
    const start = Date.UTC(time.getFullYear(), 0, 1);
    const day = Date.UTC(time.getFullYear(), time.getMonth(), time.getDate());
    return (day - start) / 86_400_000 + 1;
}

const formats: Readonly<Record<string, (t: Date) => string>> = {
    a: (t) => (days[t.getDay()] ?? "").slice(0, 3),
    A: (t) => days[t.getDay()] ?? "",
    b: (t) => (months[t.getMonth()] ?? "").slice(0, 3),
    B: (t) => months[t.getMonth()] ?? "",
    d: (t) => two(t.getDate()),
    e: (t) => String(t.getDate()).padStart(2, " "),
    F: (t) => `${t.getFullYear()}-${two(t.getMonth() + 1)}-${two(t.getDate())}`,
    H: (t) => two(t.getHours()),
    I: (t) => two(t.getHours() % 12 || 12),
    j: (t) => String(dayOfYear(t)).padStart(3, "0"),
    m: (t) => two(t.getMonth() + 1),
    M: (t) => two(t.getMinutes()),
    p: (t) => (t.getHours() < 12 ? "AM" : "PM"),
    S: (t) => two(t.getSeconds()),
    T: (t) =>
        `${two(t.getHours())}:${two(t.getMinutes())}:${two(t.getSeconds())}`,
    c: (t) => strftime(t, "%a %b %e %H:%M:%S %Y"),
    D: (t) => strftime(t, "%m/%d/%y"),
    h: (t) => strftime(t, "%b"),
    k: (t) => String(t.getHours()).padStart(2, " "),
    l: (t) => String(t.getHours() % 12 || 12).padStart(2, " "),
    n: () => "\n",
    R: (t) => strftime(t, "%H:%M"),
    t: () => "\t",
    u: (t) => String(t.getDay() || 7),
    U: (t) => two(Math.floor((dayOfYear(t) + 6 - t.getDay()) / 7)),
    W: (t) => two(Math.floor((dayOfYear(t) + 6 - ((t.getDay() + 6) % 7)) / 7)),
    w: (t) => String(t.getDay()),
    x: (t) => strftime(t, "%m/%d/%y"),
    X: (t) => strftime(t, "%H:%M:%S"),
    y: (t) => two(t.getFullYear() % 100),
    Y: (t) => String(t.getFullYear()),
    "%": () => "%",
};

/** Python's strftime, in local time; "-" drops the leading zero. */
export function strftime(time: Date, format: string): string {
    return format.replace(
        /%(-?)([a-zA-Z%])/g,
        (whole, dash: string, letter: string) => {
            const text = formats[letter]?.(time);
            if (text === undefined) return whole;
            return dash ? text.replace(/^[0 ]+(?=.)/, "") : text;
        },
    );
}

/** Jinja's own limit in its sandbox. */
const LONGEST_RANGE = 100_000;

function range(args: readonly Value[]): Range {
    const [a, b, c] = args.map((v) => integer(v, 0));
    if (a === undefined)
        return fail("range expected at least 1 argument, got 0");
    if (args.length > 3)
        fail(`range expected at most 3 arguments, got ${args.length}`);
    if (c === 0) fail("range() arg 3 must not be zero");
    const made = b === undefined ? new Range(0, a, 1) : new Range(a, b, c ?? 1);
    if (made.length > LONGEST_RANGE)
        fail(
            "Range too big. The sandbox blocks ranges larger than " +
                `MAX_RANGE (${LONGEST_RANGE}).`,
        );
    return made;
}

/** dict(…): of pairs or another dict, and of names. */
function dict([source]: readonly Value[], kwargs: Kwargs): Dict {
    const pairs =
        source instanceof Map
            ? [...source]
            : iterate(source ?? []).map((pair) => iterate(pair));
    const made: Dict = new Map();
    for (const [k, v] of [...pairs, ...kwargs])
        made.set(key(k ?? null), v ?? null);
    return made;
}

const calls: Readonly<Record<string, Call>> = {
    range,
    dict,
    namespace: (args, kwargs) =>
        new Namespace(dict(args, kwargs) as Map<string, Value>),
    cycler: (args) => new Cycler(args),
    joiner: (args, kwargs) => {
        const [separator] = bind("joiner", ["sep"], args, kwargs);
        return joiner(separator ?? ", ");
    },
    raise_exception: ([message]) => {
        throw new TemplateError(str(message ?? null));
    },
};

/** Variables of the caller win. */
export function environment(
    variables: Readonly<Record<string, unknown>>,
    now: Date,
): ReadonlyMap<string, Value> {
    const names = new Map<string, Value>();
    for (const [name, call] of Object.entries(calls))
        names.set(name, new Callable(name, call));
    const clock: Call = ([format]) => strftime(now, str(format ?? null));
    names.set("strftime_now", new Callable("strftime_now", clock));
    for (const [name, v] of Object.entries(variables))
        if (v !== undefined) names.set(name, fromHost(v));
    return names;
}
