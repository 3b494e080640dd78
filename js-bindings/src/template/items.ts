/* items.ts — Jinja's two ways to a part of a value: v.name and v[index]. */
import { formatBraces } from "./format.js";
import { method } from "./methods.js";
import {
    Callable,
    characters,
    describe,
    isInt,
    key,
    Namespace,
    Range,
    repr,
    Thing,
    Tuple,
    typeName,
    Undefined,
    type Value,
} from "./value.js";

function at(items: ArrayLike<Value>, index: number): Value | undefined {
    return items[index < 0 ? index + items.length : index];
}

function element(v: Value, index: Value): Value | undefined {
    if (v instanceof Map) {
        if (Array.isArray(index) || index instanceof Map) return undefined;
        return v.get(key(index));
    }
    if (!isInt(index) && typeof index !== "boolean") return undefined;
    const i = Number(index);
    if (typeof v === "string") return at(characters(v), i);
    if (Array.isArray(v)) return at(v, i);
    if (v instanceof Tuple) return at(v.items, i);
    if (v instanceof Range) return at(v.items(), i);
    return undefined;
}

/** Attributes that Jinja's sandbox keeps from templates. */
const changing: Readonly<Record<string, RegExp>> = {
    list: /^(append|extend|insert|pop|remove|reverse|sort|clear)$/,
    dict: /^(clear|pop|popitem|setdefault|update)$/,
};

function attribute(v: Value, name: string): Value | undefined {
    if (v instanceof Namespace) return v.attributes.get(name);
    if (v instanceof Thing) return v.attribute(name);
    if (v instanceof Callable && name === "name") return v.name;
    if (v instanceof Tuple && v.names.includes(name))
        return v.items[v.names.indexOf(name)];
    const kind = typeName(v);
    if (changing[kind]?.test(name) || name.startsWith("__"))
        return new Undefined(
            `access to attribute '${name}' of '${kind}' object is unsafe.`,
        );
    if (typeof v === "string" && name === "format") return formatOf(v);
    return method(v, name);
}

function formatOf(pattern: string): Callable {
    return new Callable("format", (args, kwargs) =>
        formatBraces(pattern, args, kwargs, (v, name, dotted) =>
            dotted ? getAttribute(v, name as string) : getItem(v, name),
        ),
    );
}

function missing(v: Value, name: Value): Undefined {
    return new Undefined(
        typeof name === "string"
            ? `'${describe(v)}' has no attribute ${repr(name)}`
            : `${describe(v)} has no element ${repr(name)}`,
    );
}

/** `v.name`: the attribute, else the item. */
export function getAttribute(v: Value, name: string): Value {
    if (v instanceof Undefined) return v.fail();
    const found = attribute(v, name);
    if (found !== undefined) return found;
    const item = element(v, name);
    return item === undefined ? missing(v, name) : item;
}

/** `v[index]`: the item, else the attribute. */
export function getItem(v: Value, index: Value): Value {
    if (v instanceof Undefined) return v.fail();
    const item = element(v, index);
    if (item !== undefined) return item;
    const found = typeof index === "string" ? attribute(v, index) : undefined;
    return found === undefined ? missing(v, index) : found;
}

/** Only the attribute, as the filter `attr` has it. */
export function onlyAttribute(v: Value, name: string): Value {
    const found = v instanceof Undefined ? undefined : attribute(v, name);
    return found === undefined ? missing(v, name) : found;
}
