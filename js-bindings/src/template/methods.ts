/* methods.ts — the methods of Python's values that a template may call. */
import { chargeList, joined, repeated } from "./budget.js";
import { slice } from "./slices.js";
import {
    Callable,
    characters,
    equal,
    fail,
    Float,
    isInt,
    iterate,
    key,
    Tuple,
    typeName,
    View,
    type Kwargs,
    type Value,
} from "./value.js";

/** Arguments by position or by name; what was not given is undefined. */
export function bind(
    name: string,
    parameters: readonly string[],
    args: readonly Value[],
    kwargs: Kwargs,
): (Value | undefined)[] {
    if (args.length > parameters.length)
        fail(
            `${name}() takes at most ${parameters.length} ` +
                `arguments (${args.length} given)`,
        );
    const bound: (Value | undefined)[] = [...args];
    for (const [given, v] of kwargs) {
        const i = parameters.indexOf(given as string);
        if (i < 0)
            fail(`${name}() got an unexpected keyword argument '${given}'`);
        if (i < args.length)
            fail(`${name}() got multiple values for argument '${given}'`);
        bound[i] = v;
    }
    return bound;
}

export function text(v: Value | undefined, where: string): string {
    if (typeof v === "string") return v;
    return fail(`${where} must be str, not ${typeName(v ?? null)}`);
}

export function integer(v: Value | undefined, fallback: number): number {
    if (v === undefined || v === null) return fallback;
    if (isInt(v) || typeof v === "boolean") return Number(v);
    return fail(`'${typeName(v)}' object cannot be interpreted as an integer`);
}

// ---- str -------------------------------------------------------------------

/* Python's white space; JavaScript's \s has U+FEFF too and lacks U+1C to 1F
 * and U+85. */
const blank =
    "[\\t-\\r\\x1c-\\x20\\x85\\xa0\\u1680\\u2000-\\u200a\\u2028\\u2029\\u202f\\u205f\\u3000]";
const blankStart = new RegExp(`^${blank}+`);
const blankLetter = new RegExp(blank);

export function strip(
    s: string,
    letters: Value | undefined,
    sides: "both" | "left" | "right",
): string {
    if (letters instanceof Map || Array.isArray(letters))
        fail(`strip arg must be None or str`);
    const set =
        typeof letters === "string" ? new Set(characters(letters)) : null;
    const all = characters(s);
    const goes = (letter: string | undefined) =>
        letter !== undefined &&
        (set ? set.has(letter) : blankLetter.test(letter));
    let start = 0;
    let end = all.length;
    if (sides !== "right") while (start < end && goes(all[start])) start++;
    if (sides !== "left") while (end > start && goes(all[end - 1])) end--;
    const kept = all.slice(start, end);
    return typeof kept === "string" ? kept : kept.join("");
}

function split(
    s: string,
    separator: Value | undefined,
    most: number,
): string[] {
    if (separator === undefined || separator === null) {
        let rest = s.replace(blankStart, "");
        if (most < 0) {
            const words = rest.split(new RegExp(`${blank}+`));
            if (words.at(-1) === "") words.pop();
            return words;
        }
        const out: string[] = [];
        while (rest !== "" && out.length < most) {
            const end = rest.search(blankLetter);
            if (end < 0) break;
            out.push(rest.slice(0, end));
            rest = rest.slice(end).replace(blankStart, "");
        }
        return rest === "" ? out : [...out, rest];
    }
    const by = text(separator, "separator");
    if (by === "") fail("empty separator");
    const parts = s.split(by);
    if (most < 0 || parts.length <= most + 1) return parts;
    return [...parts.slice(0, most), parts.slice(most).join(by)];
}

function splitRight(
    s: string,
    separator: Value | undefined,
    most: number,
): string[] {
    if (most < 0) return split(s, separator, -1);
    const mirrored = (t: string) => [...characters(t)].reverse().join("");
    const by = typeof separator === "string" ? mirrored(separator) : separator;
    return split(mirrored(s), by, most).map(mirrored).reverse();
}

export function lines(s: string, keepEnds = false): string[] {
    const found = s.match(
        /[^\n\r\v\f\x1c-\x1e\x85\u2028\u2029]*(?:\r\n|[\n\r\v\f\x1c-\x1e\x85\u2028\u2029])|[^\n\r\v\f\x1c-\x1e\x85\u2028\u2029]+$/g,
    );
    if (!found || keepEnds) return found ?? [];
    return found.map((line) =>
        line.replace(/(?:\r\n|[\n\r\v\f\x1c-\x1e\x85\u2028\u2029])$/, ""),
    );
}

export function capitalized(s: string): string {
    const [first = "", ...rest] = characters(s);
    const [upper = "", ...more] = first.toUpperCase();
    return upper + more.join("").toLowerCase() + rest.join("").toLowerCase();
}

const titled = (s: string) =>
    s.replace(/\p{L}+/gu, (word) => capitalized(word));

export function replaced(
    s: string,
    old: Value | undefined,
    by: Value | undefined,
    most: number,
): string {
    const parts = split2(s, text(old, "replace() argument 1"), most);
    return joined(parts, text(by, "replace() argument 2"));
}

/** Cut at each `by`; at "" between all characters and at both ends. */
function split2(s: string, by: string, most: number): string[] {
    if (by !== "") return split(s, by, most);
    const parts = ["", ...characters(s), ""];
    if (most < 0 || parts.length <= most + 1) return parts;
    return [...parts.slice(0, most), parts.slice(most).join("")];
}

function affix(
    s: string,
    v: Value | undefined,
    name: "startsWith" | "endsWith",
): boolean {
    const any = v instanceof Tuple ? v.items : [v];
    const python = name.toLowerCase();
    return any.some((item) => {
        if (typeof item === "string") return s[name](item);
        return fail(
            `${python} first arg must be str or a tuple of str, not ` +
                typeName(item ?? null),
        );
    });
}

function found(
    s: string,
    [part, start, end]: readonly (Value | undefined)[],
    last: boolean,
): number {
    const what = text(part, "argument 1");
    const from = slice(s, start ?? null, end ?? null, null) as string;
    const at = last ? from.lastIndexOf(what) : from.indexOf(what);
    if (at < 0) return -1;
    const all = characters(s).length;
    const first = integer(start, 0);
    const skipped = first < 0 ? Math.max(0, all + first) : first;
    return skipped + characters(from.slice(0, at)).length;
}

function partition(s: string, v: Value | undefined, last: boolean): Tuple {
    const by = text(v, "separator");
    if (by === "") fail("empty separator");
    const at = last ? s.lastIndexOf(by) : s.indexOf(by);
    if (at < 0) return new Tuple(last ? ["", "", s] : [s, "", ""]);
    return new Tuple([s.slice(0, at), by, s.slice(at + by.length)]);
}

/** Fills up to a width, in characters. */
export function justify(
    s: string,
    width: number,
    fill: string,
    side: "left" | "right" | "center",
): string {
    const missing = width - characters(s).length;
    if (missing <= 0) return s;
    const all = repeated(fill, missing);
    if (side === "left") return s + all;
    if (side === "right") return all + s;
    const odd = missing & width & 1;
    const left = (missing >> 1) + odd;
    return repeated(fill, left) + s + repeated(fill, missing - left);
}

const cased = (s: string) => s.toLowerCase() !== s.toUpperCase();
const every = (pattern: RegExp) => (s: string) => pattern.test(s);

type Given = readonly (Value | undefined)[];
type StringMethod = readonly [
    parameters: readonly string[],
    call: (s: string, given: Given) => Value,
];
const plain = (call: (s: string) => Value): StringMethod => [[], call];
const filler = (side: "left" | "right" | "center"): StringMethod => [
    ["width", "fillchar"],
    (s, [width, fill]) =>
        justify(s, integer(width, 0), text(fill ?? " ", "fillchar"), side),
];

const stringMethods: Readonly<Record<string, StringMethod>> = {
    upper: plain((s) => s.toUpperCase()),
    lower: plain((s) => s.toLowerCase()),
    casefold: plain((s) => s.toLowerCase().replaceAll("ß", "ss")),
    capitalize: plain(capitalized),
    title: plain(titled),
    swapcase: plain((s) =>
        [...s]
            .map((c) =>
                c === c.toLowerCase() ? c.toUpperCase() : c.toLowerCase(),
            )
            .join(""),
    ),
    strip: [["chars"], (s, [chars]) => strip(s, chars, "both")],
    lstrip: [["chars"], (s, [chars]) => strip(s, chars, "left")],
    rstrip: [["chars"], (s, [chars]) => strip(s, chars, "right")],
    split: [
        ["sep", "maxsplit"],
        (s, [by, most]) => split(s, by, integer(most, -1)),
    ],
    rsplit: [
        ["sep", "maxsplit"],
        (s, [by, most]) => splitRight(s, by, integer(most, -1)),
    ],
    splitlines: [["keepends"], (s, [keep]) => lines(s, keep === true)],
    replace: [
        ["old", "new", "count"],
        (s, [old, by, most]) => replaced(s, old, by, integer(most, -1)),
    ],
    startswith: [
        ["prefix", "start", "end"],
        (s, [v, start, end]) =>
            affix(
                slice(s, start ?? null, end ?? null, null) as string,
                v,
                "startsWith",
            ),
    ],
    endswith: [
        ["suffix", "start", "end"],
        (s, [v, start, end]) =>
            affix(
                slice(s, start ?? null, end ?? null, null) as string,
                v,
                "endsWith",
            ),
    ],
    find: [["sub", "start", "end"], (s, given) => found(s, given, false)],
    rfind: [["sub", "start", "end"], (s, given) => found(s, given, true)],
    index: [
        ["sub", "start", "end"],
        (s, given) => {
            const at = found(s, given, false);
            return at < 0 ? fail("substring not found") : at;
        },
    ],
    count: [
        ["sub"],
        (s, [part]) => split2(s, text(part, "argument 1"), -1).length - 1,
    ],
    join: [
        ["iterable"],
        (s, [items]) =>
            joined(
                iterate(items ?? null).map((v, i) =>
                    typeof v === "string"
                        ? v
                        : fail(
                              `sequence item ${i}: expected str instance, ` +
                                  `${typeName(v)} found`,
                          ),
                ),
                s,
            ),
    ],
    partition: [["sep"], (s, [by]) => partition(s, by, false)],
    rpartition: [["sep"], (s, [by]) => partition(s, by, true)],
    removeprefix: [
        ["prefix"],
        (s, [v]) => {
            const prefix = text(v, "removeprefix() argument");
            return s.startsWith(prefix) ? s.slice(prefix.length) : s;
        },
    ],
    removesuffix: [
        ["suffix"],
        (s, [v]) => {
            const suffix = text(v, "removesuffix() argument");
            const goes = suffix !== "" && s.endsWith(suffix);
            return goes ? s.slice(0, -suffix.length) : s;
        },
    ],
    ljust: filler("left"),
    rjust: filler("right"),
    center: filler("center"),
    zfill: [
        ["width"],
        (s, [width]) => {
            const sign = /^[-+]?/.exec(s)?.[0] ?? "";
            const rest = s.slice(sign.length);
            return (
                sign +
                justify(rest, integer(width, 0) - sign.length, "0", "right")
            );
        },
    ],
    isdigit: plain(every(/^[\p{Nd}\u00b2\u00b3\u00b9\u2070-\u2089]+$/u)),
    isdecimal: plain(every(/^\p{Nd}+$/u)),
    isnumeric: plain(every(/^\p{N}+$/u)),
    isalpha: plain(every(/^\p{L}+$/u)),
    isalnum: plain(every(/^[\p{L}\p{N}]+$/u)),
    isascii: plain(every(/^[\0-\x7f]*$/)),
    isspace: plain(every(new RegExp(`^${blank}+$`))),
    isidentifier: plain(every(/^[\p{L}_][\p{L}\p{N}_]*$/u)),
    isupper: plain((s) => cased(s) && s === s.toUpperCase()),
    islower: plain((s) => cased(s) && s === s.toLowerCase()),
    istitle: plain((s) => cased(s) && s === titled(s)),
};

// ---- the others ------------------------------------------------------------

function listMethod(items: readonly Value[], name: string): Callable | null {
    if (name === "count")
        return new Callable(name, ([v = null]) => {
            return items.filter((item) => equal(item, v)).length;
        });
    if (name !== "index") return null;
    return new Callable(name, ([v = null]) => {
        const at = items.findIndex((item) => equal(item, v));
        return at < 0 ? fail("value is not in list") : at;
    });
}

function dictMethod(
    dict: ReadonlyMap<Value, Value>,
    name: string,
): Callable | null {
    switch (name) {
        case "items":
            return new Callable(name, () => {
                chargeList(dict.size);
                const pairs = [...dict].map((pair) => new Tuple(pair));
                return new View("dict_items", pairs);
            });
        case "keys":
            return new Callable(
                name,
                () => new View("dict_keys", [...dict.keys()]),
            );
        case "values":
            return new Callable(
                name,
                () => new View("dict_values", [...dict.values()]),
            );
        case "get":
            return new Callable(name, (args, kwargs) => {
                const [k, fallback] = bind(
                    name,
                    ["key", "default"],
                    args,
                    kwargs,
                );
                const v = dict.get(key(k ?? null));
                return v === undefined ? (fallback ?? null) : v;
            });
        case "copy":
            return new Callable(name, () => new Map(dict));
    }
    return null;
}

function textMethod(s: string, name: string): Callable | null {
    const known = Object.hasOwn(stringMethods, name)
        ? stringMethods[name]
        : undefined;
    if (!known) return null;
    const [parameters, call] = known;
    return new Callable(name, (args, kwargs) =>
        call(s, bind(name, parameters, args, kwargs)),
    );
}

export function method(v: Value, name: string): Value | undefined {
    if (typeof v === "string") return textMethod(v, name) ?? undefined;
    if (v instanceof Map) return dictMethod(v, name) ?? undefined;
    if (Array.isArray(v)) {
        if (name === "copy") return new Callable(name, () => [...v]);
        return listMethod(v, name) ?? undefined;
    }
    if (v instanceof Tuple) return listMethod(v.items, name) ?? undefined;
    if (name === "is_integer" && (isInt(v) || v instanceof Float))
        return new Callable(name, () => isInt(v) || Number.isInteger(v.value));
    return undefined;
}
