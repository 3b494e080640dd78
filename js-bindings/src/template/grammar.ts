/* grammar.ts — what Jinja2's grammar has and the library's parser lacks, written
 * in words that it knows:
 *
 *   x is TEST(a)  x is TEST a    →  x | is:TEST(a)   (or "not:TEST")
 *   (a,)  ()                     →  :tuple(a)  :tuple()
 *   with a = 1 … endwith         →  if :scope; set a = 1; … endif
 *   filter a | b … endfilter     →  set :filtered | a | b … endset; :filtered
 *   generation, block … end…     →  if :scope … endif
 *   for … recursive              →  a comment ":recursive" begins the body
 *
 * A colon can't be in a name, so that no template can say these itself. */
import { parse } from "@huggingface/jinja";
import { tokens, type Token } from "./lexer.js";
import type { Node } from "./syntax.js";
import { TemplateError } from "./failure.js";

export const SCOPE = ":scope";
export const TUPLE = ":tuple";
export const RECURSIVE = ":recursive";
const FILTERED = ":filtered";

const identifier = (value: string, group = 0): Token => ({
    value,
    type: "Identifier",
    group,
});
const token = (value: string, type: string, group = 0): Token => ({
    value,
    type,
    group,
});

const opens = (t: Token | undefined) =>
    /^[([{]$/.test(t?.value ?? "") && t?.type.startsWith("Open");
const closes = (t: Token | undefined) =>
    /^[)\]}]$/.test(t?.value ?? "") && t?.type.startsWith("Close");

/** Index after the bracket that closes the one at i. */
function afterBracket(list: readonly Token[], i: number): number {
    let depth = 0;
    for (let at = i; at < list.length; at++) {
        if (opens(list[at])) depth++;
        if (closes(list[at]) && --depth === 0) return at + 1;
    }
    return list.length;
}

const noArgument = /^(not|and|or|in|is|if|else|elif|recursive)$/;

/** Index after the operand that begins at i, or i if none does. */
function afterOperand(list: readonly Token[], i: number): number {
    const first = list[i];
    if (!first) return i;
    const isName = first.type === "Identifier" && !noArgument.test(first.value);
    const isLiteral =
        first.type === "NumericLiteral" || first.type === "StringLiteral";
    let at = i;
    if (opens(first)) at = afterBracket(list, i);
    else if (isName || isLiteral) at = i + 1;
    else return i;
    for (;;) {
        const next = list[at];
        if (next?.type === "Dot") at += 2;
        else if (
            next?.type === "OpenParen" ||
            next?.type === "OpenSquareBracket"
        )
            at = afterBracket(list, at);
        else return at;
    }
}

/** `is` and `is not` with an argument, as filters. */
function withTests(list: readonly Token[]): Token[] {
    const out: Token[] = [];
    for (let i = 0; i < list.length; i++) {
        const here = list[i] as Token;
        const isTest =
            here.type === "Identifier" &&
            here.value === "is" &&
            list[i - 1]?.type !== "Dot" &&
            list[i - 1]?.type !== "Pipe" &&
            !/^Open/.test(list[i - 1]?.type ?? "Open");
        if (!isTest) {
            out.push(here);
            continue;
        }
        const negated = list[i + 1]?.value === "not";
        const nameAt = i + (negated ? 2 : 1);
        const name = list[nameAt];
        const isName =
            name?.type === "Identifier" ||
            (name?.type === "ComparisonBinaryOperator" && name.value === "in");
        if (!name || !isName) {
            // `is not in x` came as one word.
            if (list[i + 1]?.value !== "not in") {
                out.push(here);
                continue;
            }
        }
        const both = list[i + 1]?.value === "not in";
        const test = both ? "in" : (name as Token).value;
        const prefix = negated || both ? "not:" : "is:";
        const from = (both ? i + 1 : nameAt) + 1;
        const end =
            list[from]?.type === "OpenParen"
                ? afterBracket(list, from)
                : afterOperand(list, from);
        out.push(token("|", "Pipe", here.group));
        out.push(identifier(prefix + test, here.group));
        const argument = withTests(list.slice(from, end));
        if (list[from]?.type === "OpenParen") out.push(...argument);
        else if (end > from)
            out.push(
                token("(", "OpenParen"),
                ...argument,
                token(")", "CloseParen"),
            );
        i = end - 1;
    }
    return out;
}

const keywordBefore =
    /^(in|not in|is|and|or|not|if|elif|else|set|for|call|filter|recursive)$/;

/** `()` and `(a,)`, where the parenthesis is not a call's. */
function withTuples(list: readonly Token[]): Token[] {
    const out: Token[] = [];
    const open: { at: number; commas: number; isCall: boolean }[] = [];
    for (const [i, here] of list.entries()) {
        const before = list[i - 1];
        if (opens(here)) {
            const isCall =
                here.type !== "OpenParen" ||
                before?.type === "CloseParen" ||
                before?.type === "CloseSquareBracket" ||
                before?.type === "StringLiteral" ||
                (before?.type === "Identifier" &&
                    !keywordBefore.test(before.value));
            open.push({ at: out.length, commas: 0, isCall });
        } else if (here.type === "Comma") {
            const last = open.at(-1);
            if (last) last.commas++;
        } else if (closes(here)) {
            const last = open.pop();
            const empty = out.length - 1 === last?.at;
            const trailing = before?.type === "Comma";
            if (last && !last.isCall && (empty || trailing)) {
                if (trailing) out.pop();
                out.splice(last.at, 0, identifier(TUPLE, here.group));
            }
        }
        out.push(here);
    }
    return out;
}

/** The tokens of tags that only make a scope, or loops that call themselves. */
function withTags(list: readonly Token[]): Token[] {
    const out: Token[] = [];
    const tag = (...inside: Token[]) => [
        token("{%", "OpenStatement"),
        ...inside,
        token("%}", "CloseStatement"),
    ];
    for (let i = 0; i < list.length; i++) {
        const here = list[i] as Token;
        if (here.type !== "OpenStatement") {
            out.push(here);
            continue;
        }
        let end = i;
        while (list[end]?.type !== "CloseStatement") end++;
        const inside = list.slice(i + 1, end);
        const name = inside[0]?.value;
        if (name === "with" || name === "generation" || name === "block") {
            out.push(...tag(identifier("if"), identifier(SCOPE)));
            if (name === "with" && inside.length > 1)
                out.push(...tag(identifier("set"), ...assignment(inside)));
        } else if (/^end(with|generation|block)$/.test(name ?? ""))
            out.push(...tag(identifier("endif")));
        else if (name === "filter")
            out.push(
                ...tag(
                    identifier("set"),
                    identifier(FILTERED),
                    token("|", "Pipe"),
                    ...inside.slice(1),
                ),
            );
        else if (name === "endfilter")
            out.push(
                ...tag(identifier("endset")),
                token("{{", "OpenExpression"),
                identifier(FILTERED),
                token("}}", "CloseExpression"),
            );
        else if (name === "for" && inside.at(-1)?.value === "recursive")
            out.push(
                ...tag(...inside.slice(0, -1)),
                token(RECURSIVE, "Comment"),
            );
        else out.push(...list.slice(i, end + 1));
        i = end;
    }
    return out;
}

/** `with a = 1, b = 2` as `a, b = 1, 2`: no value sees the new names. */
function assignment([, ...list]: readonly Token[]): Token[] {
    const targets: Token[] = [];
    const values: Token[] = [];
    let side = targets;
    let depth = 0;
    for (const here of list) {
        if (opens(here)) depth++;
        if (closes(here)) depth--;
        if (depth === 0 && here.type === "Equals" && side === targets)
            side = values;
        else if (depth === 0 && here.type === "Comma") {
            targets.push(here);
            values.push(here);
            side = targets;
        } else side.push(here);
    }
    return [...targets, token("=", "Equals"), ...values];
}

const DEEPEST_BLOCK = 150;

function checkNesting(list: readonly Token[]): void {
    let depth = 0;
    for (const [i, here] of list.entries()) {
        if (here.type !== "OpenStatement") continue;
        const name = list[i + 1]?.value ?? "";
        if (/^(if|for|macro|call|filter|with)$/.test(name)) depth++;
        else if (/^end/.test(name)) depth--;
        if (depth > DEEPEST_BLOCK)
            throw new TemplateError("the template's blocks nest too deeply");
    }
}

export function program(source: string): readonly Node[] {
    const list = withTags(withTuples(withTests(tokens(source))));
    checkNesting(list);
    try {
        return parse(list as never).body as unknown as Node[];
    } catch (cause) {
        if (/call stack|recursion/.test(String(cause))) throw cause;
        const tag = /Unknown statement type: (\w+)/.exec(String(cause))?.[1];
        if (tag) throw new TemplateError(`Encountered unknown tag '${tag}'.`);
        const why = cause instanceof SyntaxError ? `: ${cause.message}` : "";
        throw new TemplateError(
            `the template can't be read${why || ": it ends too early"}`,
        );
    }
}
