/* source.ts — bytes in file order, copied where the caller wants them.
 *
 * `pull` waits until bytes are at hand, `take` copies some of them without
 * waiting: so that no view of linear memory is held across a wait. */
import { PipitError } from "../errors.js";

export interface ByteSource {
    /** Bytes in all; 0 when unknown. */
    readonly total: number;
    /** False at the end. */
    pull(): Promise<boolean>;
    /** Copies at most target.length bytes and says how many. */
    take(target: Uint8Array): number;
    close(): Promise<void>;
}

/** A source from a function that gives the next piece, null at the end. */
export class PieceSource implements ByteSource {
    readonly total: number;
    readonly #next: () => Promise<Uint8Array | null>;
    readonly #close: () => Promise<void>;
    #piece: Uint8Array = new Uint8Array(0);

    constructor(
        total: number,
        next: () => Promise<Uint8Array | null>,
        close: () => Promise<void> = async () => {},
    ) {
        this.total = total;
        this.#next = next;
        this.#close = close;
    }

    async pull(): Promise<boolean> {
        while (this.#piece.length === 0) {
            const piece = await this.#next();
            if (piece === null) return false;
            this.#piece = piece;
        }
        return true;
    }

    take(target: Uint8Array): number {
        const n = Math.min(target.length, this.#piece.length);
        target.set(this.#piece.subarray(0, n));
        this.#piece = this.#piece.subarray(n);
        return n;
    }

    close(): Promise<void> {
        return this.#close();
    }
}

/** A connection that says nothing for this long is lost. */
const SILENCE_MS = 60_000;

async function orSilence<T>(promise: Promise<T>, url: string): Promise<T> {
    let timer: ReturnType<typeof setTimeout> | undefined;
    const silence = new Promise<never>((_, reject) => {
        timer = setTimeout(
            () =>
                reject(
                    new PipitError(
                        "network",
                        `${url}: nothing came for ${SILENCE_MS / 1000} s`,
                    ),
                ),
            SILENCE_MS,
        );
    });
    try {
        return await Promise.race([promise, silence]);
    } finally {
        clearTimeout(timer);
    }
}

function networkError(url: string, cause: unknown): PipitError {
    if (cause instanceof PipitError) return cause;
    const why = cause instanceof Error ? cause.message : String(cause);
    return new PipitError("network", `${url}: ${why}`, { cause });
}

export async function openUrl(
    url: string,
    headers: Readonly<Record<string, string>>,
    signal: AbortSignal,
): Promise<ByteSource> {
    const fetching = fetch(url, { headers: { ...headers }, signal });
    const response = await orSilence(fetching, url).catch((cause) => {
        throw networkError(url, cause);
    });
    const { status, body } = response;
    if (!response.ok || !body) {
        throw new PipitError(
            status === 404 || status === 410 ? "not-found" : "network",
            `${url}: HTTP ${status} ${response.statusText}`.trimEnd(),
            { details: { status } },
        );
    }
    const encoded = response.headers.has("content-encoding");
    const length = Number(response.headers.get("content-length"));
    const reader = body.getReader();
    return new PieceSource(
        encoded || !Number.isSafeInteger(length) ? 0 : length,
        async () => {
            try {
                const { value } = await orSilence(reader.read(), url);
                return value ?? null;
            } catch (cause) {
                throw networkError(url, cause);
            }
        },
        () => reader.cancel().catch(() => {}),
    );
}

const BLOB_PIECE = 4 << 20;

/** Reads one piece ahead: a browser fetches it from another process. */
export function openBlob(blob: Blob): ByteSource {
    let offset = 0;
    const read = () => {
        if (offset >= blob.size) return undefined;
        const piece = blob.slice(offset, offset + BLOB_PIECE).arrayBuffer();
        offset += BLOB_PIECE;
        piece.catch(() => {}); // told when it is awaited
        return piece;
    };
    let next: Promise<ArrayBuffer> | undefined;
    return new PieceSource(blob.size, async () => {
        const piece = next ?? read();
        if (!piece) return null;
        next = read();
        try {
            return new Uint8Array(await piece);
        } catch (cause) {
            throw new PipitError("io", "the file can no longer be read", {
                cause,
            });
        }
    });
}

export function openBytes(bytes: Uint8Array): ByteSource {
    let rest: Uint8Array | null = bytes;
    return new PieceSource(bytes.length, async () => {
        const piece = rest;
        rest = null;
        return piece;
    });
}

export function openStream(stream: ReadableStream<Uint8Array>): ByteSource {
    const reader = stream.getReader();
    return new PieceSource(
        0,
        async () => {
            let value: unknown;
            try {
                ({ value } = await reader.read());
            } catch (cause) {
                throw new PipitError("io", "the stream failed", { cause });
            }
            if (value === undefined) return null;
            if (value instanceof Uint8Array) return value;
            throw new PipitError(
                "invalid-argument",
                "a chunk of the stream is no Uint8Array",
            );
        },
        () => reader.cancel().catch(() => {}),
    );
}
