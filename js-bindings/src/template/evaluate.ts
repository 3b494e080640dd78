/* evaluate.ts — a template's syntax tree, evaluated as Jinja2 does it. */
import { checkLength, joined, step } from "./budget.js";
import { runFilter } from "./filters.js";
import { RECURSIVE, SCOPE, TUPLE } from "./grammar.js";
import { getAttribute, getItem } from "./items.js";
import { Loop } from "./loop.js";
import { bindMacro, signature, type Parameter } from "./macro.js";
import { binary, unary } from "./operators.js";
import { slice } from "./slices.js";
import type {
    BinaryNode,
    CallBlockNode,
    CallNode,
    ForNode,
    Name,
    Node,
    SetNode,
} from "./syntax.js";
import {
    Callable,
    fail,
    Float,
    isNumber,
    iterate,
    key,
    Namespace,
    str,
    Thing,
    truthy,
    Tuple,
    typeName,
    Undefined,
    type Value,
} from "./value.js";

const constants: ReadonlyMap<string, Value> = new Map<string, Value>([
    ["true", true],
    ["True", true],
    ["false", false],
    ["False", false],
    ["none", null],
    ["None", null],
]);

const sums = /^[-+~]$/;
const comparisons = /^(==|!=|<=?|>=?|in|not in)$/;

/** Macros in macros. */
const DEEPEST_CALL = 400;

/** What ends a loop's body before its end. */
type Flow = "break" | "continue" | undefined;

class Scope {
    readonly variables = new Map<string, Value>();

    constructor(readonly parent?: Scope) {}

    get(name: string): Value | undefined {
        for (let at: Scope | undefined = this; at; at = at.parent) {
            const v = at.variables.get(name);
            if (v !== undefined) return v;
        }
        return undefined;
    }
}

export class Evaluator {
    #out: string[] = [];
    #letters = 0;
    #calls = 0;
    readonly #globals: Scope;

    constructor(globals: ReadonlyMap<string, Value>) {
        this.#globals = new Scope();
        for (const [name, v] of globals) this.#globals.variables.set(name, v);
    }

    run(program: readonly Node[]): string {
        this.#block(program, new Scope(this.#globals));
        return this.#out.join("");
    }

    // ---- statements --------------------------------------------------------

    #write(text: string): void {
        this.#letters += text.length;
        checkLength(this.#letters);
        this.#out.push(text);
    }

    #block(nodes: readonly Node[], scope: Scope): Flow {
        for (const node of nodes) {
            const flow = this.#statement(node, scope);
            if (flow) return flow;
        }
        return undefined;
    }

    #statement(node: Node, scope: Scope): Flow {
        switch (node.type) {
            case "Comment":
                return undefined;
            case "StringLiteral":
                this.#write(node.value);
                return undefined;
            case "If": {
                const { test, body, alternate } = node;
                if (test.type === "Identifier" && test.value === SCOPE)
                    return this.#block(body, new Scope(scope));
                const branch = truthy(this.#value(test, scope))
                    ? body
                    : alternate;
                return this.#block(branch, scope);
            }
            case "For":
                this.#for(node, scope);
                return undefined;
            case "Break":
                return "break";
            case "Continue":
                return "continue";
            case "Set":
                this.#set(node, scope);
                return undefined;
            case "Macro": {
                const { name, args, body } = node;
                const macro = this.#macro(name.value, args, body, scope);
                scope.variables.set(name.value, macro);
                return undefined;
            }
            case "CallStatement":
                this.#write(str(this.#callBlock(node, scope)));
                return undefined;
            default:
                this.#write(str(this.#value(node, scope)));
                return undefined;
        }
    }

    #captured(body: readonly Node[], scope: Scope): string {
        return this.#capture(() => void this.#block(body, scope));
    }

    /** What the work writes, instead of writing it. */
    #capture(work: () => void): string {
        const [out, letters] = [this.#out, this.#letters];
        this.#out = [];
        try {
            work();
            return joined(this.#out);
        } finally {
            this.#out = out;
            this.#letters = letters;
        }
    }

    #for(node: ForNode, scope: Scope): void {
        const { iterable } = node;
        const [first] = node.body;
        const recursive =
            first?.type === "Comment" && first.value === RECURSIVE;
        const source =
            iterable.type === "SelectExpression" ? iterable.lhs : iterable;
        const test =
            iterable.type === "SelectExpression" ? iterable.test : undefined;
        const run = (over: Value, depth: number): void => {
            const items = this.#passing(node.loopvar, over, test, scope);
            const again = recursive
                ? (args: readonly Value[]) =>
                      this.#nested(() =>
                          this.#capture(() => run(args[0] ?? null, depth + 1)),
                      )
                : undefined;
            this.#loop(node, items, new Loop(items, depth, again), scope);
        };
        run(this.#value(source, scope), 0);
    }

    #passing(
        target: Node,
        over: Value,
        test: Node | undefined,
        scope: Scope,
    ): readonly Value[] {
        const items = iterate(over);
        if (!test) return items;
        return items.filter((item) => {
            const inner = new Scope(scope);
            this.#assign(target, item, inner);
            return truthy(this.#value(test, inner));
        });
    }

    #loop(
        node: ForNode,
        items: readonly Value[],
        loop: Loop,
        scope: Scope,
    ): void {
        if (items.length === 0) {
            this.#block(node.defaultBlock, new Scope(scope));
            return;
        }
        for (const [i, item] of items.entries()) {
            step();
            loop.index0 = i;
            const inner = new Scope(scope);
            inner.variables.set("loop", loop);
            this.#assign(node.loopvar, item, inner);
            if (this.#block(node.body, inner) === "break") return;
        }
    }

    #set({ assignee, value, body }: SetNode, scope: Scope): void {
        if (value) {
            this.#assign(assignee, this.#value(value, scope), scope);
            return;
        }
        const text = this.#captured(body, new Scope(scope));
        const filters = [];
        let target = assignee;
        while (target.type === "FilterExpression") {
            filters.unshift(target.filter);
            target = target.operand;
        }
        const v = filters.reduce(
            (v: Value, filter) => this.#filter(filter, v, scope),
            text,
        );
        this.#assign(target, v, scope);
    }

    #assign(target: Node, v: Value, scope: Scope): void {
        if (target.type === "Identifier") {
            scope.variables.set(target.value, v);
        } else if (target.type === "TupleLiteral") {
            if (v === null || isNumber(v))
                fail(`cannot unpack non-iterable ${typeName(v)} object`);
            const items = iterate(v);
            const { length } = target.value;
            if (items.length > length)
                fail(`too many values to unpack (expected ${length})`);
            if (items.length < length)
                fail(
                    `not enough values to unpack (expected ${length}, ` +
                        `got ${items.length})`,
                );
            for (const [i, part] of target.value.entries())
                this.#assign(part, items[i] as Value, scope);
        } else if (target.type === "MemberExpression") {
            const space = this.#value(target.object, scope);
            const { property } = target;
            if (!(space instanceof Namespace) || property.type !== "Identifier")
                return fail("cannot assign attribute on non-namespace object");
            space.attributes.set(property.value, v);
        } else fail("can't assign to this");
    }

    // ---- macros ------------------------------------------------------------

    #macro(
        name: string,
        parameters: readonly Parameter[],
        body: Node[],
        scope: Scope,
    ): Callable {
        const macro = signature(name, parameters, body);
        return new Callable(name, (args, kwargs) =>
            this.#nested(() => {
                const inner = new Scope(scope);
                bindMacro(
                    macro,
                    args,
                    kwargs,
                    (key, v) => inner.variables.set(key, v),
                    (node) => this.#value(node, inner),
                );
                return this.#captured(body, inner);
            }),
        );
    }

    #nested<R>(work: () => R): R {
        if (++this.#calls > DEEPEST_CALL)
            fail("maximum recursion depth exceeded");
        try {
            return work();
        } finally {
            this.#calls--;
        }
    }

    #callBlock({ call, callerArgs, body }: CallBlockNode, scope: Scope): Value {
        const caller = this.#macro("caller", callerArgs ?? [], body, scope);
        return this.#call(call, scope, [["caller", caller]]);
    }

    // ---- expressions -------------------------------------------------------

    #value(node: Node, scope: Scope): Value {
        step();
        switch (node.type) {
            case "Identifier":
                return this.#name(node, scope);
            case "StringLiteral":
            case "IntegerLiteral":
                return node.value;
            case "FloatLiteral":
                return new Float(node.value);
            case "ArrayLiteral":
                return node.value.map((item) => this.#value(item, scope));
            case "TupleLiteral":
                return new Tuple(
                    node.value.map((item) => this.#value(item, scope)),
                );
            case "ObjectLiteral":
                return new Map(
                    [...node.value].map(([k, v]) => [
                        key(this.#value(k, scope)),
                        this.#value(v, scope),
                    ]),
                );
            case "MemberExpression":
                return this.#member(node, scope);
            case "CallExpression":
                return this.#call(node, scope, []);
            case "FilterExpression": {
                const { filter, operand } = node;
                return this.#filter(filter, this.#value(operand, scope), scope);
            }
            case "Ternary": {
                const { condition, trueExpr, falseExpr } = node;
                const test = truthy(this.#value(condition, scope));
                return this.#value(test ? trueExpr : falseExpr, scope);
            }
            case "SelectExpression":
                return truthy(this.#value(node.test, scope))
                    ? this.#value(node.lhs, scope)
                    : new Undefined(
                          "the inline if-expression evaluated to false and " +
                              "no else section was defined.",
                      );
            case "UnaryExpression": {
                const v = this.#value(node.argument, scope);
                return unary(node.operator.value, v);
            }
            case "BinaryExpression":
                return this.#binary(node, scope);
            default:
                return fail(`a template can't have ${node.type} here`);
        }
    }

    #name({ value: name }: Name, scope: Scope): Value {
        const constant = constants.get(name);
        if (constant !== undefined) return constant;
        const v = scope.get(name);
        return v === undefined ? new Undefined(`'${name}' is undefined`) : v;
    }

    #member(
        { object, property, computed }: Node & { type: "MemberExpression" },
        scope: Scope,
    ): Value {
        const v = this.#value(object, scope);
        if (property.type === "SliceExpression") {
            const bound = (node: Node | undefined) =>
                node ? this.#value(node, scope) : null;
            const { start, stop, step } = property;
            return slice(v, bound(start), bound(stop), bound(step));
        }
        if (!computed && property.type === "Identifier")
            return getAttribute(v, property.value);
        return getItem(v, this.#value(property, scope));
    }

    #arguments(nodes: readonly Node[], scope: Scope) {
        const args: Value[] = [];
        const kwargs = new Map<string, Value>();
        for (const node of nodes) {
            if (node.type === "KeywordArgumentExpression")
                kwargs.set(node.key.value, this.#value(node.value, scope));
            else if (node.type === "SpreadExpression")
                args.push(...iterate(this.#value(node.argument, scope)));
            else if (node.type === "KeywordSpreadExpression") {
                const v = this.#value(node.argument, scope);
                if (!(v instanceof Map))
                    return fail("argument after ** must be a mapping");
                for (const [k, item] of v) kwargs.set(str(k), item);
            } else args.push(this.#value(node, scope));
        }
        return { args, kwargs };
    }

    #call(
        { callee, args: nodes }: CallNode,
        scope: Scope,
        more: readonly (readonly [string, Value])[],
    ): Value {
        const { args, kwargs } = this.#arguments(nodes, scope);
        for (const [name, v] of more) kwargs.set(name, v);
        if (callee.type === "Identifier" && callee.value === TUPLE)
            return new Tuple(args);
        const f = this.#value(callee, scope);
        if (f instanceof Undefined) return f.fail();
        if (f instanceof Callable || (f instanceof Thing && f.call))
            return (f.call as NonNullable<typeof f.call>)(args, kwargs);
        return fail(`'${typeName(f)}' object is not callable`);
    }

    #filter(filter: Name | CallNode, v: Value, scope: Scope): Value {
        if (filter.type === "Identifier")
            return runFilter(filter.value, v, [], new Map());
        const { args, kwargs } = this.#arguments(filter.args, scope);
        return runFilter((filter.callee as Name).value, v, args, kwargs);
    }

    #binary(node: BinaryNode, scope: Scope): Value {
        const { operator } = node;
        if (operator.value === "and" || operator.value === "or") {
            const left = this.#value(node.left, scope);
            return truthy(left) === (operator.value === "or")
                ? left
                : this.#value(node.right, scope);
        }
        if (comparisons.test(operator.value)) return this.#chain(node, scope);
        if (sums.test(operator.value)) return this.#sum(node, scope);
        const left = this.#value(node.left, scope);
        return binary(operator.value, left, this.#value(node.right, scope));
    }

    /** `a < b < c` is `a < b and b < c`. */
    #chain(node: BinaryNode, scope: Scope): Value {
        const links = linksOf(node, comparisons);
        let left = this.#value((links[0] as BinaryNode).left, scope);
        let result: Value = true;
        for (const { operator, right: next } of links) {
            const right = this.#value(next, scope);
            result = binary(operator.value, left, right);
            if (!truthy(result)) return result;
            left = right;
        }
        return result;
    }

    /** `~` binds tighter than `+` and `-`, which the parser does not know. */
    #sum(node: BinaryNode, scope: Scope): Value {
        const links = linksOf(node, sums);
        let before: { operator: string; sum: Value } | undefined;
        let term = this.#value((links[0] as BinaryNode).left, scope);
        const sum = () =>
            before ? binary(before.operator, before.sum, term) : term;
        for (const { operator, right } of links) {
            const next = this.#value(right, scope);
            if (operator.value === "~") term = binary("~", term, next);
            else {
                before = { operator: operator.value, sum: sum() };
                term = next;
            }
        }
        return sum();
    }
}

/** Operators of one kind that no bracket separates, from left to right. */
function linksOf(node: BinaryNode, kind: RegExp): BinaryNode[] {
    const links = [node];
    let { left } = node;
    while (
        left.type === "BinaryExpression" &&
        kind.test(left.operator.value) &&
        left.operator.group === node.operator.group
    ) {
        links.push(left);
        left = left.left;
    }
    return links.reverse();
}
