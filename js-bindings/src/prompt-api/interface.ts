/* interface.ts — what Web IDL gives to an interface and a class lacks: members
 * that can be listed, and how many arguments each needs. */

type Members = Readonly<Record<string, number>>;

function list(target: object, members: Members): void {
    for (const [name, needed] of Object.entries(members)) {
        const found = Object.getOwnPropertyDescriptor(target, name);
        if (!found) throw new TypeError(`no member ${name}`);
        if (typeof found.value === "function")
            Object.defineProperty(found.value, "length", {
                ...{ value: needed, configurable: true },
            });
        Object.defineProperty(target, name, { ...found, enumerable: true });
    }
}

/** @param members name to number of arguments; attributes have 0 */
export function asInterface(
    made: { readonly prototype: object },
    name: string,
    members: Members,
    statics: Members = {},
): void {
    list(made.prototype, members);
    list(made, statics);
    // Bundlers may have renamed the class.
    Object.defineProperty(made, "name", { value: name, configurable: true });
    Object.defineProperty(made, "length", { value: 0, configurable: true });
    Object.defineProperty(made.prototype, Symbol.toStringTag, {
        ...{ value: name, configurable: true },
    });
}
