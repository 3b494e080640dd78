/* tokenizer.ts — text to tokens and back, in the module. */
import type { SpecialTokens } from "../types.js";
import type { Vocabulary } from "../protocol.js";
import type { Bytes, TokenArray, Tokenizer } from "./exports.js";
import type { HeaderFile } from "./file.js";
import type { Instance } from "./instance.js";

export const ADD_SPECIAL = 1;
export const PARSE_SPECIAL = 2;
export const KEEP_CONTROL = 1;
export const DROP_LEADING_SPACE = 2;

const NO_TOKEN = 0xffffffff;
/* In the order of pipit_special. */
const roles = ["bos", "eos", "eot", "unknown", "padding"] as const;

const encoder = new TextEncoder();

export class TokenizerHandle {
    readonly #instance: Instance;
    readonly pointer: Tokenizer;

    constructor(instance: Instance, file: HeaderFile) {
        this.#instance = instance;
        const { x, heap, out, error } = instance;
        instance.check(x.pipit_tokenizer_open(file.pointer, out, error));
        this.pointer = heap.slot(out) as Tokenizer;
    }

    tokenize(text: string | Uint8Array, flags: number): Uint32Array {
        const bytes = typeof text === "string" ? encoder.encode(text) : text;
        const { x, heap, out, error } = this.#instance;
        return heap.lend(bytes, (lent) => {
            const run = (tokens: TokenArray, capacity: number) => {
                this.#instance.check(
                    x.pipit_tokenize(
                        this.pointer,
                        lent,
                        bytes.length,
                        flags,
                        tokens,
                        capacity,
                        out,
                        error,
                    ),
                );
                return heap.slot(out);
            };
            // Nearly always enough: at most one token a byte, and BOS and EOS.
            const likely = bytes.length + 8;
            const short = this.#attempt(likely, run);
            return short instanceof Uint32Array
                ? short
                : (this.#attempt(short, run) as Uint32Array);
        });
    }

    /** The tokens, or how many there are when they don't fit. */
    #attempt(
        capacity: number,
        run: (tokens: TokenArray, capacity: number) => number,
    ): Uint32Array | number {
        const { heap } = this.#instance;
        return heap.scratch<TokenArray, Uint32Array | number>(
            4 * capacity,
            (tokens) => {
                const n = run(tokens, capacity);
                return n <= capacity ? heap.tokens(tokens, n) : n;
            },
        );
    }

    detokenize(tokens: Uint32Array, flags: number): Uint8Array {
        const { x, heap, out, error } = this.#instance;
        return heap.lendTokens(tokens, (lent) => {
            const run = (bytes: Bytes, capacity: number) => {
                this.#instance.check(
                    x.pipit_detokenize(
                        this.pointer,
                        lent,
                        tokens.length,
                        flags,
                        bytes,
                        capacity,
                        out,
                        error,
                    ),
                );
                return heap.slot(out);
            };
            const n = run(0 as Bytes, 0);
            return heap.scratch<Bytes, Uint8Array>(n, (bytes) => {
                run(bytes, n);
                return heap.copy(bytes, n);
            });
        });
    }

    describe(file: HeaderFile): Vocabulary {
        const { x, heap, out } = this.#instance;
        const special: Record<string, number | undefined> = {};
        const texts: Record<string, string> = {};
        roles.forEach((role, i) => {
            const id = x.pipit_tokenizer_special(this.pointer, i) >>> 0;
            special[role] = id === NO_TOKEN ? undefined : id;
            texts[role] = "";
            if (id === NO_TOKEN) return;
            const status = x.pipit_tokenizer_text(this.pointer, id, out);
            this.#instance.checkThat(status, `token ${id} has no text`);
            texts[role] = heap.text(out);
        });
        return {
            metadata: file.metadata(),
            size: x.pipit_tokenizer_n_tokens(this.pointer),
            special: special as unknown as SpecialTokens,
            texts: texts as Vocabulary["texts"],
        };
    }
}
