/* lexer.ts — a template as the tokens that the library's parser takes. Where
 * blocks swallow white space, what a string's escapes mean and which words are
 * operators is as in Jinja2's own lexer, with the options that chat templates
 * are written for (trim_blocks, lstrip_blocks). */
import { TemplateError } from "./failure.js";

export interface Token {
    value: string;
    type: string;
    /** The bracket or tag that holds it: operators of one expression that no
     * bracket separates have the same. */
    group: number;
}

const fail = (what: string, at: number, source: string): never => {
    const line = source.slice(0, at).split("\n").length;
    throw new TemplateError(`line ${line} of the template: ${what}`);
};

const escapes: Readonly<Record<string, string>> = {
    a: "\x07",
    b: "\b",
    f: "\f",
    n: "\n",
    r: "\r",
    t: "\t",
    v: "\v",
    "\n": "",
    "\\": "\\",
    "'": "'",
    '"': '"',
};

/** Python's "unicode-escape"; what it does not know stays as it is. */
function unescaped(text: string): string {
    return text.replace(
        /\\(?:x([0-9a-f]{2})|u([0-9a-f]{4})|U([0-9a-f]{8})|([0-7]{1,3})|([^]))/gi,
        (whole, x, u, long, octal, letter: string | undefined) => {
            if (letter !== undefined) return escapes[letter] ?? whole;
            const hex = whole[1] === "X" ? undefined : (x ?? u ?? long);
            if (hex === undefined && octal === undefined) return whole;
            const code = octal ? parseInt(octal, 8) : parseInt(hex, 16);
            return code > 0x10ffff ? whole : String.fromCodePoint(code);
        },
    );
}

/** The parser tells floats by their point. */
function numeral(text: string): string {
    const digits = text.replaceAll("_", "");
    if (/^0[xbo]/i.test(digits)) return BigInt(digits).toString();
    if (!/[.e]/i.test(digits)) return digits;
    const n = Number(digits);
    const plain = Number.isFinite(n) ? String(n) : "1e999";
    if (plain.includes(".")) return plain;
    const [mantissa = "", exponent] = plain.split("e");
    return `${mantissa}.0${exponent ? `e${exponent}` : ""}`;
}

const space = /\s+/y;
const word = /[\p{L}\p{Nl}_][\p{L}\p{N}\p{Mn}\p{Mc}\p{Pc}_]*/uy;
const float =
    /(?:\d+_)*\d+(?:(?:\.(?:\d+_)*\d+)?e[+-]?(?:\d+_)*\d+|\.(?:\d+_)*\d+)/iy;
const integer = /0b(?:_?[01])+|0o(?:_?[0-7])+|0x(?:_?[\da-f])+|\d(?:_?\d)*/iy;
const string = /'(?:[^'\\]|\\[^])*'|"(?:[^"\\]|\\[^])*"/y;
const operator = /\/\/|\*\*|==|!=|>=|<=|[-+/*%~[\](){}><=.:|,]/y;

const operatorTypes: Readonly<Record<string, string>> = {
    "(": "OpenParen",
    ")": "CloseParen",
    "[": "OpenSquareBracket",
    "]": "CloseSquareBracket",
    "{": "OpenCurlyBracket",
    "}": "CloseCurlyBracket",
    ",": "Comma",
    ".": "Dot",
    ":": "Colon",
    "|": "Pipe",
    "=": "Equals",
    "**": "ExponentiationBinaryOperator",
};

function operatorType(value: string): string {
    const type = operatorTypes[value];
    if (type) return type;
    if (/^[-+~]$/.test(value)) return "AdditiveBinaryOperator";
    if (/^(\*|\/\/?|%)$/.test(value)) return "MultiplicativeBinaryOperator";
    return "ComparisonBinaryOperator";
}

const partner: Readonly<Record<string, string>> = {
    ")": "(",
    "]": "[",
    "}": "{",
};

/** A parser calls itself for each bracket; Python's own stops at about this. */
const DEEPEST = 150;

const tagEnd = /(?:-%\}\s*|\+%\}|%\}\n?)/y;
const variableEnd = /(?:-\}\}\s*|\}\})/y;
const commentEnd = /-#\}\s*|\+#\}|#\}\n?/g;
const rawStart = /\{%[-+]?\s*raw\s*(?:-%\}\s*|\+%\}|%\}\n?)/y;
const rawEnd = /\{%([-+]?)\s*endraw\s*(?:-%\}\s*|\+%\}|%\}\n?)/g;

class Lexer {
    readonly #source: string;
    readonly #tokens: Token[] = [];
    #at = 0;
    #groups = 0;

    constructor(source: string) {
        const lines = source.replace(/\r\n?/g, "\n");
        this.#source = lines.endsWith("\n") ? lines.slice(0, -1) : lines;
    }

    run(): Token[] {
        const source = this.#source;
        const opening = /\{[%{#]/g;
        while (this.#at < source.length) {
            opening.lastIndex = this.#at;
            const found = opening.exec(source);
            if (!found) {
                this.#text(source.slice(this.#at));
                break;
            }
            this.#open(found.index, found[0]);
        }
        return this.#tokens;
    }

    #push(value: string, type: string, group = 0): void {
        this.#tokens.push({ value, type, group });
    }

    #text(text: string): void {
        if (text !== "") this.#push(text, "Text");
    }

    #take(pattern: RegExp): RegExpExecArray | null {
        pattern.lastIndex = this.#at;
        const found = pattern.exec(this.#source);
        if (found) this.#at = found.index + found[0].length;
        return found;
    }

    /** The text before a tag, without what the tag strips from it. */
    #before(end: number, sign: string, isVariable: boolean): void {
        const text = this.#source.slice(this.#at, end);
        if (sign === "-") return this.#text(text.trimEnd());
        if (sign === "+" || isVariable) return this.#text(text);
        const line = text.lastIndexOf("\n") + 1;
        const begins =
            line > 0 || this.#at === 0 || this.#source[this.#at - 1] === "\n";
        const blank = begins && text.slice(line).trim() === "";
        this.#text(blank ? text.slice(0, line) : text);
    }

    #open(at: number, bracket: string): void {
        const sign = /[-+]/.exec(this.#source[at + 2] ?? "")?.[0] ?? "";
        this.#before(at, sign, bracket === "{{");
        this.#at = at;
        if (bracket === "{#") {
            this.#at += 2;
            if (this.#take(commentEnd)) return;
            fail("a comment has no end", at, this.#source);
        }
        if (bracket === "{%" && this.#take(rawStart)) return this.#raw(at);
        this.#at += 2 + sign.length;
        this.#inside(bracket === "{{");
    }

    #raw(at: number): void {
        const start = this.#at;
        const end = this.#take(rawEnd);
        if (!end) return fail("raw has no end", at, this.#source);
        const after = this.#at;
        this.#at = start;
        this.#before(end.index, end[1] ?? "", false);
        this.#at = after;
    }

    #inside(isVariable: boolean): void {
        const source = this.#source;
        const start = this.#at;
        const kind = isVariable ? "Expression" : "Statement";
        const end = isVariable ? variableEnd : tagEnd;
        const open: { bracket: string; group: number }[] = [];
        let group = ++this.#groups;
        this.#push(isVariable ? "{{" : "{%", `Open${kind}`, group);
        for (;;) {
            this.#take(space);
            if (this.#at >= source.length)
                fail("a tag has no end", start, source);
            if (open.length === 0 && this.#take(end)) break;
            const at = this.#at;
            if (!this.#atom(group)) {
                const value = this.#take(operator)?.[0];
                if (value === undefined)
                    return fail(`unexpected '${source[at]}'`, at, source);
                if ("([{".includes(value)) {
                    open.push({ bracket: value, group });
                    if (open.length > DEEPEST)
                        fail("brackets nest too deeply", at, source);
                    group = ++this.#groups;
                } else if (partner[value]) {
                    const last = open.pop();
                    if (last?.bracket !== partner[value])
                        return fail(`unexpected '${value}'`, at, source);
                    group = last.group;
                }
                this.#push(value, operatorType(value), group);
            }
        }
        this.#push(isVariable ? "}}" : "%}", `Close${kind}`, group);
    }

    /** A number, a string, or a name. */
    #atom(group: number): boolean {
        const afterDot = this.#tokens.at(-1)?.type === "Dot";
        const number =
            (afterDot ? null : this.#take(float)) ?? this.#take(integer);
        if (number) {
            this.#push(numeral(number[0]), "NumericLiteral", group);
            return true;
        }
        const text = this.#take(string);
        if (text) {
            const inside = unescaped(text[0].slice(1, -1));
            this.#push(inside, "StringLiteral", group);
            return true;
        }
        const name = this.#take(word);
        if (!name) return false;
        const last = this.#tokens.at(-1);
        if (
            name[0] === "in" &&
            last?.type === "Identifier" &&
            last.value === "not"
        ) {
            last.value = "not in";
            last.type = "ComparisonBinaryOperator";
        } else this.#push(name[0], "Identifier", group);
        return true;
    }
}

export function tokens(source: string): Token[] {
    return new Lexer(source).run();
}
