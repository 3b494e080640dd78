/* macro.ts — what a macro makes of the arguments of a call. */
import { fail, Tuple, Undefined, type Kwargs, type Value } from "./value.js";
import type { KeywordNode, MacroNode, Name, Node } from "./syntax.js";

export type Parameter = Name | KeywordNode;

/** Names that a body uses without declaring them change what it accepts. */
function uses(body: unknown, name: string): boolean {
    if (Array.isArray(body)) return body.some((part) => uses(part, name));
    if (typeof body !== "object" || body === null) return false;
    if (body instanceof Map) return [...body].some((pair) => uses(pair, name));
    const node = body as Node;
    if (node.type === "Identifier") return node.value === name;
    return Object.values(node).some((part) => uses(part, name));
}

export interface Signature {
    readonly name: string;
    readonly parameters: readonly Parameter[];
    readonly varargs: boolean;
    readonly kwargs: boolean;
    readonly caller: boolean;
}

const signatures = new WeakMap<object, Signature>();

export function signature(
    name: string,
    parameters: readonly Parameter[],
    body: MacroNode["body"],
): Signature {
    const known = signatures.get(body);
    if (known) return known;
    const made = {
        name,
        parameters,
        varargs: uses(body, "varargs"),
        kwargs: uses(body, "kwargs"),
        caller: uses(body, "caller"),
    };
    signatures.set(body, made);
    return made;
}

export const parameterName = (parameter: Parameter) =>
    parameter.type === "Identifier" ? parameter.value : parameter.key.value;

/** The variables of a call; defaults are `evaluate`d where nothing is given,
 * with those before them already set. */
export function bindMacro(
    macro: Signature,
    args: readonly Value[],
    kwargs: Kwargs,
    set: (name: string, v: Value) => void,
    evaluate: (node: Node) => Value,
): void {
    const { name, parameters } = macro;
    const rest = new Map(kwargs);
    if (args.length > parameters.length && !macro.varargs)
        fail(
            `macro '${name}' takes not more than ${parameters.length} argument(s)`,
        );
    const declared = parameters.map(parameterName);
    if (macro.caller && !declared.includes("caller"))
        set("caller", rest.get("caller") ?? new Undefined("No caller defined"));
    if (macro.caller) rest.delete("caller");
    for (const [i, parameter] of parameters.entries()) {
        const key = parameterName(parameter);
        const given = i < args.length ? args[i] : rest.get(key);
        rest.delete(key);
        if (given !== undefined) set(key, given);
        else if (parameter.type === "Identifier")
            set(key, new Undefined(`parameter '${key}' was not provided`));
        else set(key, evaluate(parameter.value));
    }
    if (macro.varargs) set("varargs", new Tuple(args.slice(parameters.length)));
    if (macro.kwargs) set("kwargs", rest as Map<Value, Value>);
    else
        for (const key of rest.keys())
            fail(`macro '${name}' takes no keyword argument '${key}'`);
}
