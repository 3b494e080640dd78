/* render.ts — a template and its variables to text. */
import { renewBudget } from "./budget.js";
import { environment } from "./environment.js";
import { Evaluator } from "./evaluate.js";
import { fail, TemplateError } from "./failure.js";
import { program } from "./grammar.js";
import type { Node } from "./syntax.js";

let parsed: { source: string; program: readonly Node[] } | undefined;

/** Fails with a TemplateError, whatever the template does, but may take for
 * ever.
 * @param now the time that strftime_now tells */
export function render(
    source: string,
    variables: Readonly<Record<string, unknown>>,
    now: Date,
): string {
    renewBudget();
    try {
        if (parsed?.source !== source)
            parsed = { source, program: program(source) };
        return new Evaluator(environment(variables, now)).run(parsed.program);
    } catch (cause) {
        if (cause instanceof TemplateError) throw cause;
        const what = String(cause);
        // In the words of V8 and JavaScriptCore, and of SpiderMonkey.
        if (/call stack|recursion/.test(what))
            fail("the template nests too deeply");
        if (cause instanceof RangeError)
            fail("the template takes too much memory");
        throw new TemplateError(`the template failed: ${what}`, {
            cause,
        });
    }
}
