/* codec.ts — text and tokens: what a tokenizer and a model have in common. */
import {
    ADD_SPECIAL,
    DROP_LEADING_SPACE,
    KEEP_CONTROL,
    PARSE_SPECIAL,
} from "../engine/tokenizer.js";
import { PipitError } from "../errors.js";
import type { Vocabulary } from "../protocol.js";
import type {
    DetokenizeOptions,
    Metadata,
    SpecialTokens,
    TextCodec,
    TokenizeOptions,
    Tokens,
} from "../types.js";
import type { Connection } from "./connection.js";
import { readable } from "./metadata.js";
import { refuse, tokenArray } from "./options.js";

/* The net for what was never closed. Node's process does not wait for it. */
const abandoned = new FinalizationRegistry<Connection>((connection) => {
    void connection.close(new PipitError("closed", "nobody held it"));
});

export class LoadedTokenizer implements TextCodec {
    readonly connection: Connection;
    readonly vocabulary: Vocabulary;
    readonly metadata: Metadata;
    #closed: Promise<void> | undefined;

    constructor(connection: Connection, vocabulary: Vocabulary) {
        this.connection = connection;
        this.vocabulary = vocabulary;
        this.metadata = readable(vocabulary.metadata, (key) =>
            connection.call("metadataArray", { key }),
        );
        abandoned.register(this, connection, this);
    }

    get vocabularySize(): number {
        return this.vocabulary.size;
    }

    get specialTokens(): SpecialTokens {
        return this.vocabulary.special;
    }

    get closed(): boolean {
        return this.connection.closed;
    }

    async tokenize(
        text: string | Uint8Array,
        options: TokenizeOptions = {},
    ): Promise<Uint32Array> {
        if (typeof text !== "string" && !(text instanceof Uint8Array))
            refuse("text must be a string or UTF-8 bytes in a Uint8Array");
        const { addSpecial = true, parseSpecial = false, signal } = options;
        const flags =
            (addSpecial ? ADD_SPECIAL : 0) | (parseSpecial ? PARSE_SPECIAL : 0);
        return this.connection.call("tokenize", { text, flags }, { signal });
    }

    async detokenize(
        tokens: Tokens,
        options: DetokenizeOptions = {},
    ): Promise<string> {
        const bytes = await this.detokenizeBytes(tokens, options);
        return new TextDecoder("utf-8", { ignoreBOM: true }).decode(bytes);
    }

    async detokenizeBytes(
        tokens: Tokens,
        options: DetokenizeOptions = {},
    ): Promise<Uint8Array> {
        const {
            keepControl = true,
            dropLeadingSpace = false,
            signal,
        } = options;
        const flags =
            (keepControl ? KEEP_CONTROL : 0) |
            (dropLeadingSpace ? DROP_LEADING_SPACE : 0);
        return this.connection.call(
            "detokenize",
            { tokens: tokenArray(tokens), flags },
            { signal },
        );
    }

    close(): Promise<void> {
        abandoned.unregister(this);
        this.#closed ??= this.connection.close(
            new PipitError("closed", "it was closed"),
        );
        return this.#closed;
    }

    [Symbol.asyncDispose](): Promise<void> {
        return this.close();
    }
}
