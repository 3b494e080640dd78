/* budget.ts — how much a template may build, so that none takes more memory
 * than the page can spare before its second is over. */
import { TemplateError } from "./failure.js";

/** Letters of one text, the output included. */
const LONGEST_TEXT = 16 << 20;
/** Elements of one list. */
const LONGEST_LIST = 1 << 20;
/** Letters and elements made in all, far above what an honest template makes. */
const TOTAL = 1 << 29;

/** Steps between two looks at the clock. */
const STEPS = 4096;

let spent = 0;
let steps = 0;
let limitMs = Infinity;
let deadline = Infinity;

/** Where nobody can end the program from outside, it ends itself. */
export function limitTime(ms: number): void {
    limitMs = ms;
}

/** Before each render. */
export function renewBudget(): void {
    spent = steps = 0;
    deadline = performance.now() + limitMs;
}

/** With every value and every round of a loop. */
export function step(): void {
    if (++steps % STEPS === 0 && performance.now() > deadline)
        throw new TemplateError(`not rendered after ${limitMs} ms`);
}

/** Call before n letters or words of memory are taken. */
export function spend(n: number): void {
    spent += n;
    if (spent > TOTAL)
        throw new TemplateError("the template takes too much memory");
}

export function checkLength(n: number): void {
    if (!(n <= LONGEST_TEXT))
        throw new TemplateError("the template makes a text of over 16 MB");
}

/** Call before a text of n letters is made. */
export function chargeText(n: number): void {
    checkLength(n);
    spend(n);
}

/** Call before a list of n elements is made. */
export function chargeList(n: number): void {
    if (!(n <= LONGEST_LIST))
        throw new TemplateError(
            `the template makes a list of over ${LONGEST_LIST} elements`,
        );
    spend(32 * n);
}

/** Engines keep the parts of a sum, so that appending costs what is appended. */
export function sumOf(a: string, b: string): string {
    checkLength(a.length + b.length);
    spend(16 + Math.min(a.length, b.length));
    return a + b;
}

export function joined(pieces: readonly string[], separator = ""): string {
    const between = Math.max(0, pieces.length - 1) * separator.length;
    chargeText(pieces.reduce((n, piece) => n + piece.length, between));
    return pieces.join(separator);
}

export function repeated(text: string, n: number): string {
    if (n <= 0) return "";
    chargeText(text.length * n);
    return text.repeat(n);
}
