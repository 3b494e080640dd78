/* loop.ts — the variable `loop`, and `cycler` and `joiner` that are like it. */
import {
    Callable,
    equal,
    fail,
    Thing,
    Undefined,
    type Call,
    type Value,
} from "./value.js";

export class Loop extends Thing {
    override readonly name = "LoopContext";
    index0 = 0;
    readonly #items: readonly Value[];
    readonly #depth0: number;
    #changed: readonly Value[] | undefined;

    /** @param call of a recursive loop */
    constructor(items: readonly Value[], depth0: number, call?: Call) {
        super();
        this.#items = items;
        this.#depth0 = depth0;
        this.call =
            call ??
            (() =>
                fail(
                    "The loop must have the 'recursive' marker to be called recursively.",
                ));
    }

    attribute(name: string): Value | undefined {
        const { index0: i } = this;
        const { length } = this.#items;
        switch (name) {
            case "index0":
                return i;
            case "index":
                return i + 1;
            case "revindex0":
                return length - i - 1;
            case "revindex":
                return length - i;
            case "first":
                return i === 0;
            case "last":
                return i === length - 1;
            case "length":
                return length;
            case "depth0":
                return this.#depth0;
            case "depth":
                return this.#depth0 + 1;
            case "previtem":
                return (
                    this.#items[i - 1] ?? this.#none(i > 0, "no previous item")
                );
            case "nextitem":
                return (
                    this.#items[i + 1] ??
                    this.#none(i + 1 < length, "no next item")
                );
            case "cycle":
                return new Callable(name, (args) => {
                    if (args.length === 0) fail("no items for cycling given");
                    return args[i % args.length] as Value;
                });
            case "changed":
                return new Callable(name, (args) => this.#isNew(args));
        }
        return undefined;
    }

    /** None is an item, too. */
    #none(isItem: boolean, hint: string): Value {
        return isItem ? null : new Undefined(hint);
    }

    #isNew(values: readonly Value[]): boolean {
        const old = this.#changed;
        this.#changed = values;
        return (
            old?.length !== values.length ||
            values.some((v, i) => !equal(v, old[i] as Value))
        );
    }
}

export class Cycler extends Thing {
    override readonly name = "Cycler";
    #at = 0;

    constructor(readonly items: readonly Value[]) {
        super();
        if (items.length === 0) fail("at least one item has to be provided");
    }

    attribute(name: string): Value | undefined {
        const current = this.items[this.#at] as Value;
        if (name === "current") return current;
        if (name === "reset")
            return new Callable(name, () => {
                this.#at = 0;
                return null;
            });
        if (name !== "next") return undefined;
        return new Callable(name, () => {
            const item = this.items[this.#at] as Value;
            this.#at = (this.#at + 1) % this.items.length;
            return item;
        });
    }
}

export function joiner(separator: Value): Callable {
    let used = false;
    return new Callable("Joiner", () => {
        const now = used ? separator : "";
        used = true;
        return now;
    });
}
