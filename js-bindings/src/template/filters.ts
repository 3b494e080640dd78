/* filters.ts — Jinja's filters. */
import { chargeList, chargeText, joined, repeated } from "./budget.js";
import { formatPercent, rounded } from "./format.js";
import { getItem, onlyAttribute } from "./items.js";
import { dumps } from "./json.js";
import {
    bind,
    capitalized,
    integer,
    justify,
    lines,
    replaced,
    strip,
} from "./methods.js";
import { binary } from "./operators.js";
import { runTest, tests } from "./tests.js";
import {
    characters,
    compare,
    equal,
    fail,
    Float,
    isInt,
    isNumber,
    iterate,
    Iter,
    length,
    real,
    repr,
    str,
    truthy,
    Tuple,
    typeName,
    Undefined,
    whole,
    type Kwargs,
    type Value,
} from "./value.js";

type Given = readonly (Value | undefined)[];
type Filter = readonly [
    parameters: readonly string[],
    apply: (v: Value, given: Given) => Value,
];
/** Takes its arguments as they come. */
type OpenFilter = (v: Value, args: readonly Value[], kwargs: Kwargs) => Value;

// ---- helpers ---------------------------------------------------------------

/** None is given, too. */
const given = (v: Value | undefined, fallback: Value) =>
    v === undefined ? fallback : v;
const yes = (v: Value | undefined) => v !== undefined && truthy(v);

function folded(v: Value, sensitive: Value | undefined): Value {
    return typeof v === "string" && !yes(sensitive) ? v.toLowerCase() : v;
}

/** `"a.b.0"`: a path of items. */
function getter(
    path: Value | undefined,
    fallback?: Value,
): (v: Value) => Value {
    if (path === undefined || path === null) return (v) => v;
    const parts =
        typeof path === "string"
            ? path.split(".").map((p) => (/^\d+$/.test(p) ? Number(p) : p))
            : [path];
    return (v) => {
        let found = v;
        for (const part of parts) {
            found = getItem(found, part);
            if (fallback !== undefined && found instanceof Undefined)
                found = fallback;
        }
        return found;
    };
}

function sortedBy(
    items: readonly Value[],
    keyOf: (v: Value) => Value,
    reverse: boolean,
): Value[] {
    const sign = reverse ? -1 : 1;
    return items
        .map((v) => [keyOf(v), v] as const)
        .sort(([a], [b]) => sign * compare(a, b))
        .map(([, v]) => v);
}

/** `sort(attribute="a,b")` sorts by both. */
function sortKey(attribute: Value | undefined, sensitive: Value | undefined) {
    const paths =
        typeof attribute === "string" ? attribute.split(",") : [attribute];
    const getters = paths.map((path) => getter(path));
    return (v: Value) => {
        const keys = getters.map((get) => folded(get(v), sensitive));
        return keys.length === 1 ? (keys[0] as Value) : keys;
    };
}

function extreme(v: Value, [sensitive, attribute]: Given, sign: 1 | -1) {
    const keyOf = (item: Value) => folded(getter(attribute)(item), sensitive);
    const [first, ...rest] = iterate(v);
    if (first === undefined)
        return new Undefined("No aggregated item, sequence was empty.");
    return rest.reduce(
        (best: Value, item) =>
            sign * compare(keyOf(item), keyOf(best)) > 0 ? item : best,
        first,
    );
}

const escapes: Readonly<Record<string, string>> = {
    "&": "&amp;",
    "<": "&lt;",
    ">": "&gt;",
    "'": "&#39;",
    '"': "&#34;",
};
const escapeFilter: Filter = [
    [],
    (v) => str(v).replace(/[&<>'"]/g, (c) => escapes[c] ?? c),
];

function toInt(v: Value, fallback: Value, base: number): Value {
    if (typeof v === "boolean" || isInt(v)) return Number(v);
    if (v instanceof Float)
        return Number.isFinite(v.value)
            ? whole(BigInt(Math.trunc(v.value)))
            : fallback;
    if (v instanceof Undefined) return v.fail();
    if (typeof v !== "string") return fallback;
    const text = strip(v, null, "both").replaceAll(/(?<=\w)_(?=\w)/g, "");
    const digits = text.replace(/^[-+]?(0[xob])?/i, "").toLowerCase();
    const valid = [...digits].every((d) => parseInt(d, 36) < base);
    if (digits !== "" && valid) {
        const n = base === 10 ? BigInt(digits) : BigInt(parseInt(digits, base));
        return whole(text.startsWith("-") ? -n : n);
    }
    const asFloat = toFloat(text, null);
    return asFloat instanceof Float ? toInt(asFloat, fallback, 10) : fallback;
}

function toFloat(v: Value, fallback: Value): Value {
    if (isNumber(v)) return new Float(real(v));
    if (v instanceof Undefined) return v.fail();
    if (typeof v !== "string") return fallback;
    const text = strip(v, null, "both").toLowerCase();
    const special = /^([-+]?)(inf|infinity|nan)$/.exec(text);
    if (special)
        return new Float(
            special[2] === "nan"
                ? NaN
                : special[1] === "-"
                  ? -Infinity
                  : Infinity,
        );
    const valid = /^[-+]?(\d[\d_]*\.?[\d_]*|\.\d[\d_]*)(e[-+]?\d+)?$/.test(
        text,
    );
    return valid ? new Float(Number(text.replaceAll("_", ""))) : fallback;
}

function round(v: Value, [precision, method]: Given): Value {
    if (!isNumber(v))
        return v instanceof Undefined
            ? v.fail()
            : fail(`type ${typeName(v)} doesn't define __round__ method`);
    const digits = integer(precision, 0);
    const how = method ?? "common";
    if (how === "common")
        return v instanceof Float
            ? new Float(rounded(v.value, digits))
            : Number(rounded(Number(v), Math.min(digits, 0)));
    if (how !== "ceil" && how !== "floor")
        return fail("method must be common, ceil or floor");
    return new Float(Math[how](real(v) * 10 ** digits) / 10 ** digits);
}

function indent(v: Value, [width, first, empty]: Given): string {
    const step =
        typeof width === "string" ? width : repeated(" ", integer(width, 4));
    const [head = "", ...rest] = lines(`${str(v)}\n`);
    const line = (text: string) =>
        text !== "" || yes(empty) ? step + text : text;
    const all = [yes(first) ? step + head : head, ...rest.map(line)];
    return joined(all, "\n");
}

function truncate(v: Value, given: Given): string {
    const [size, kill, end, leeway] = given;
    const all = [...characters(str(v))];
    const most = integer(size, 255);
    const tail = str(end ?? "...");
    if (all.length <= most + integer(leeway, 5)) return str(v);
    const kept = all.slice(0, Math.max(0, most - tail.length)).join("");
    if (yes(kill)) return kept + tail;
    const space = kept.lastIndexOf(" ");
    return (space < 0 ? kept : kept.slice(0, space)) + tail;
}

function batches(items: readonly Value[], size: number, fill?: Value) {
    const out: Value[] = [];
    if (size < 1) fail("a batch has at least one item");
    for (let i = 0; i < items.length; i += size) {
        const batch = items.slice(i, i + size);
        const missing =
            fill === undefined || fill === null ? 0 : size - batch.length;
        chargeList(size);
        out.push([...batch, ...new Array<Value>(missing).fill(fill ?? null)]);
    }
    return new Iter(out);
}

function slices(items: readonly Value[], count: number, fill?: Value) {
    if (count < 1) fail("at least one slice");
    chargeList(count);
    const each = Math.floor(items.length / count);
    const longer = items.length % count;
    const out = Array.from({ length: count }, (_, i) => {
        const start = i * each + Math.min(i, longer);
        const part: Value[] = items.slice(
            start,
            start + each + (i < longer ? 1 : 0),
        );
        if (fill !== undefined && fill !== null && i >= longer) part.push(fill);
        return part;
    });
    return new Iter(out);
}

function grouped(v: Value, [attribute, fallback, sensitive]: Given): Value {
    const get = getter(attribute, fallback);
    const keyOf = (item: Value) => folded(get(item), sensitive);
    const groups: { key: Value; first: Value; items: Value[] }[] = [];
    for (const item of sortedBy(iterate(v), keyOf, false)) {
        const last = groups.at(-1);
        if (last && equal(last.key, keyOf(item))) last.items.push(item);
        else
            groups.push({
                key: keyOf(item),
                first: get(item),
                items: [item],
            });
    }
    return groups.map(
        ({ first, items }) => new Tuple([first, items], ["grouper", "list"]),
    );
}

function uniques(v: Value, [sensitive, attribute]: Given): Value {
    const get = getter(attribute);
    const seen: Value[] = [];
    const known = new Set<Value>();
    return new Iter(
        iterate(v).filter((item) => {
            const k = folded(get(item), sensitive);
            const isKnown =
                known.has(k) ||
                (typeof k === "object" && seen.some((old) => equal(old, k)));
            known.add(k);
            if (!isKnown) seen.push(k);
            return !isKnown;
        }),
    );
}

function dictsort(v: Value, [sensitive, by, reverse]: Given): Value {
    if (!(v instanceof Map))
        return v instanceof Undefined
            ? v.fail()
            : fail(`'${describeKind(v)}' has no attribute 'items'`);
    const which = by ?? "key";
    if (which !== "key" && which !== "value")
        return fail('You can only sort by either "key" or "value"');
    const at = which === "key" ? 0 : 1;
    const pairs = [...v].map((pair) => new Tuple(pair));
    return sortedBy(
        pairs,
        (pair) => folded((pair as Tuple).items[at] as Value, sensitive),
        yes(reverse),
    );
}

const describeKind = (v: Value) => `${typeName(v)} object`;

function total(v: Value, [attribute, start]: Given): Value {
    const get = getter(attribute);
    return iterate(v).reduce(
        (sum: Value, item) => binary("+", sum, get(item)),
        start ?? 0,
    );
}

function urlencoded(v: Value): string {
    const quote = (text: string, keep: RegExp) =>
        encodeURIComponent(text)
            .replace(
                /[!'()*]/g,
                (c) => `%${c.charCodeAt(0).toString(16).toUpperCase()}`,
            )
            .replace(keep, "/");
    if (!(v instanceof Map)) return quote(str(v), /%2F/g);
    return [...v]
        .map((pair) =>
            pair
                .map((x) => quote(str(x), /$^/g).replaceAll("%20", "+"))
                .join("="),
        )
        .join("&");
}

const asList = (v: Value): Value[] => {
    const items = iterate(v);
    chargeList(items.length);
    return [...items];
};

function title(v: Value): string {
    return str(v)
        .split(/([-\s({[<]+)/)
        .map((w) => {
            const [first = "", ...rest] = characters(w);
            return first.toUpperCase() + rest.join("").toLowerCase();
        })
        .join("");
}

function reversed(v: Value): Value {
    if (typeof v === "string") return [...characters(v)].reverse().join("");
    return new Iter([...iterate(v)].reverse());
}

function first(v: Value): Value {
    const [found] = iterate(v);
    return found === undefined
        ? new Undefined("No first item, sequence was empty.")
        : found;
}

function last(v: Value): Value {
    const found = iterate(v).at(-1);
    return found === undefined
        ? new Undefined("No last item, sequence was empty.")
        : found;
}

// ---- the table -------------------------------------------------------------

const count: Filter = [[], (v) => length(v)];
const fallbackFilter: Filter = [
    ["default_value", "boolean"],
    (v, [other, isBoolean]) =>
        v instanceof Undefined || (yes(isBoolean) && !truthy(v))
            ? given(other, "")
            : v,
];

const closed: Readonly<Record<string, Filter>> = {
    abs: [
        [],
        (v) => {
            if (v instanceof Float) return new Float(Math.abs(v.value));
            if (!isNumber(v))
                return fail(`bad operand type for abs(): '${typeName(v)}'`);
            return compare(v, 0) < 0 ? binary("*", v, -1) : v;
        },
    ],
    attr: [["name"], (v, [name]) => onlyAttribute(v, str(name ?? null))],
    batch: [
        ["linecount", "fill_with"],
        (v, [n, fill]) => batches(iterate(v), integer(n, 1), fill),
    ],
    capitalize: [[], (v) => capitalized(str(v))],
    center: [
        ["width"],
        (v, [width]) => justify(str(v), integer(width, 80), " ", "center"),
    ],
    count,
    d: fallbackFilter,
    default: fallbackFilter,
    dictsort: [["case_sensitive", "by", "reverse"], dictsort],
    e: escapeFilter,
    escape: escapeFilter,
    forceescape: escapeFilter,
    first: [[], first],
    float: [
        ["default"],
        (v, [other]) => toFloat(v, given(other, new Float(0))),
    ],
    groupby: [["attribute", "default", "case_sensitive"], grouped],
    indent: [["width", "first", "blank"], indent],
    int: [
        ["default", "base"],
        (v, [other, base]) => toInt(v, given(other, 0), integer(base, 10)),
    ],
    items: [
        [],
        (v) => {
            if (v instanceof Undefined) return new Iter([]);
            if (v instanceof Map)
                return new Iter([...v].map((pair) => new Tuple(pair)));
            return fail("Can only get item pairs from a mapping.");
        },
    ],
    join: [
        ["d", "attribute"],
        (v, [by, attribute]) =>
            joined(
                iterate(v).map((item) => str(getter(attribute)(item))),
                str(by ?? ""),
            ),
    ],
    last: [[], last],
    length: count,
    list: [[], asList],
    lower: [[], (v) => str(v).toLowerCase()],
    max: [["case_sensitive", "attribute"], (v, given) => extreme(v, given, 1)],
    min: [["case_sensitive", "attribute"], (v, given) => extreme(v, given, -1)],
    pprint: [[], (v) => repr(v)],
    replace: [
        ["old", "new", "count"],
        (v, [old, by, most]) =>
            replaced(str(v), str(old ?? ""), str(by ?? ""), integer(most, -1)),
    ],
    reverse: [[], reversed],
    round: [["precision", "method"], round],
    safe: [[], (v) => str(v)],
    slice: [
        ["slices", "fill_with"],
        (v, [n, fill]) => slices(iterate(v), integer(n, 1), fill),
    ],
    sort: [
        ["reverse", "case_sensitive", "attribute"],
        (v, [reverse, sensitive, attribute]) =>
            sortedBy(iterate(v), sortKey(attribute, sensitive), yes(reverse)),
    ],
    string: [[], (v) => str(v)],
    striptags: [
        [],
        (v) =>
            str(v)
                .replace(/<!--[^]*?-->|<[^>]*>/g, "")
                .split(/\s+/)
                .filter(Boolean)
                .join(" "),
    ],
    sum: [["attribute", "start"], total],
    title: [[], title],
    tojson: [
        ["ensure_ascii", "indent", "separators", "sort_keys"],
        (v, [ensureAscii, indentBy, separators, sortKeys]) =>
            dumps(v, {
                ensureAscii,
                indent: indentBy,
                separators,
                sortKeys,
            }),
    ],
    trim: [["chars"], (v, [letters]) => strip(str(v), letters, "both")],
    truncate: [["length", "killwords", "end", "leeway"], truncate],
    unique: [["case_sensitive", "attribute"], uniques],
    upper: [[], (v) => str(v).toUpperCase()],
    urlencode: [[], urlencoded],
    wordcount: [[], (v) => str(v).match(/[\p{L}\p{N}_]+/gu)?.length ?? 0],
};

/** @param keeps whether those that pass stay, or those that don't
 * @param hasAttribute whether the first argument is one */
function choose(keeps: boolean, hasAttribute: boolean): OpenFilter {
    return (v, args, kwargs) => {
        const rest = hasAttribute ? args.slice(1) : args;
        if (hasAttribute && args.length === 0)
            fail("Missing parameter for attribute name");
        const get = hasAttribute ? getter(args[0]) : (item: Value) => item;
        const [name, ...others] = rest;
        const passes = (item: Value) =>
            name === undefined
                ? truthy(get(item))
                : runTest(str(name), get(item), others, kwargs);
        return new Iter(iterate(v).filter((item) => passes(item) === keeps));
    };
}

const map: OpenFilter = (v, args, kwargs) => {
    const attribute = kwargs.get("attribute");
    const [name, ...rest] = args;
    if (name === undefined && attribute !== undefined) {
        const get = getter(attribute, kwargs.get("default"));
        return new Iter(iterate(v).map(get));
    }
    if (name === undefined) return fail("map requires a filter argument");
    return new Iter(
        iterate(v).map((item) => runFilter(str(name), item, rest, kwargs)),
    );
};

const open: Readonly<Record<string, OpenFilter>> = {
    map,
    select: choose(true, false),
    reject: choose(false, false),
    selectattr: choose(true, true),
    rejectattr: choose(false, true),
    format: (v, args, kwargs) => {
        if (args.length > 0 && kwargs.size > 0)
            fail(
                "can't handle positional and keyword arguments at the same time",
            );
        const text = formatPercent(
            str(v),
            new Tuple(args),
            kwargs.size > 0 ? kwargs : undefined,
        );
        chargeText(text.length);
        return text;
    },
};

export function runFilter(
    name: string,
    v: Value,
    args: readonly Value[],
    kwargs: Kwargs,
): Value {
    const named = /^(is|not):(.+)$/.exec(name);
    if (named?.[2] === "filter" || named?.[2] === "test")
        return isKnown(named[2], str(v)) === (named[1] === "is");
    if (named)
        return (
            runTest(named[2] as string, v, args, kwargs) === (named[1] === "is")
        );
    if (Object.hasOwn(open, name))
        return (open[name] as OpenFilter)(v, args, kwargs);
    if (!Object.hasOwn(closed, name))
        return fail(`No filter named ${repr(name)}.`);
    const [parameters, apply] = closed[name] as Filter;
    return apply(v, bind(name, parameters, args, kwargs));
}

function isKnown(kind: "filter" | "test", name: string): boolean {
    if (kind === "test") return Object.hasOwn(tests, name);
    return Object.hasOwn(open, name) || Object.hasOwn(closed, name);
}
