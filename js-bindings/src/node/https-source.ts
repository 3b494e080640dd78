/* https-source.ts — a file by HTTP, resumed where it broke off.
 *
 * Range with If-Range asks for the rest of the same version: 206 continues, 200
 * starts over, 416 says that what we hold is no prefix. A silent connection is
 * given up and resumed; as long as attempts bring bytes they go on. */
import { PipitError } from "../errors.js";
import type { Origin, PartialFile } from "./partial-file.js";

export interface HttpsLimits {
    /** Until the answer's head has come. */
    readonly connectMs: number;
    /** Between two pieces of the body. */
    readonly stallMs: number;
    /** Attempts in a row that bring no byte. */
    readonly attempts: number;
    /** Before the second attempt; doubles. */
    readonly retryMs: number;
}

export const defaultLimits: HttpsLimits = {
    connectMs: 5_000,
    stallMs: 20_000,
    attempts: 4,
    retryMs: 500,
};

export interface DownloadOptions {
    readonly size: number;
    readonly limits: HttpsLimits;
    readonly signal?: AbortSignal | undefined;
    readonly onBytes: (loaded: number) => void;
}

/** A failure that another attempt may cure. */
class Transient extends PipitError {
    /** Whether the server was heard at all. */
    readonly answered: boolean;

    constructor(message: string, answered = true, cause?: unknown) {
        super("network", message, { cause });
        this.answered = answered;
    }
}

/** Aborts the request when nothing was heard for a time. */
class Watchdog {
    readonly #controller = new AbortController();
    readonly #outer: AbortSignal | undefined;
    readonly #forward = () => this.#controller.abort(this.#outer?.reason);
    #timer: NodeJS.Timeout | undefined;
    expired = false;

    constructor(outer: AbortSignal | undefined) {
        this.#outer = outer;
        if (outer?.aborted) this.#forward();
        else outer?.addEventListener("abort", this.#forward);
    }

    get signal(): AbortSignal {
        return this.#controller.signal;
    }

    feed(ms: number): void {
        clearTimeout(this.#timer);
        this.#timer = setTimeout(() => {
            this.expired = true;
            this.#controller.abort();
        }, ms);
    }

    stop(): void {
        clearTimeout(this.#timer);
        this.#outer?.removeEventListener("abort", this.#forward);
    }
}

function describe(cause: unknown): string {
    if (!(cause instanceof Error)) return String(cause);
    // fetch says only "fetch failed"; the reason is in its cause.
    const inner = cause.cause instanceof Error ? cause.cause : cause;
    return (inner as NodeJS.ErrnoException).code ?? inner.message;
}

function pause(ms: number, signal?: AbortSignal): Promise<void> {
    return new Promise((resolve, reject) => {
        const done = () => {
            signal?.removeEventListener("abort", stop);
            resolve();
        };
        const timer = setTimeout(done, ms);
        const stop = () => {
            clearTimeout(timer);
            reject(signal?.reason);
        };
        signal?.addEventListener("abort", stop, { once: true });
    });
}

function requestHeaders(file: PartialFile, origin: Origin | undefined) {
    const headers: Record<string, string> = { "accept-encoding": "identity" };
    if (file.length > 0 && origin) {
        headers["range"] = `bytes=${file.length}-`;
        headers["if-range"] = origin.validator;
    }
    return headers;
}

/** A weak ETag promises no equal bytes, so it can't stand behind If-Range. */
function validatorOf(response: Response): string | undefined {
    const etag = response.headers.get("etag");
    if (etag && !etag.startsWith("W/")) return etag;
    return response.headers.get("last-modified") ?? undefined;
}

/** Puts the file's end where the body will go on. */
async function position(
    response: Response,
    url: string,
    file: PartialFile,
    size: number,
): Promise<void> {
    const { status, headers } = response;
    if (status === 206) {
        const range = /^bytes (\d+)-\d+\/(\d+|\*)$/.exec(
            headers.get("content-range") ?? "",
        );
        const total = range?.[2] === "*" ? size : Number(range?.[2]);
        if (Number(range?.[1]) === file.length && total === size) return;
        await file.restart();
        throw new Transient(`${url}: answered with another range`);
    }
    if (status === 416) {
        await file.restart();
        throw new Transient(`${url}: has no such range`);
    }
    if (status === 200) {
        const length = headers.get("content-length");
        if (length !== null && Number(length) !== size)
            throw new PipitError(
                "checksum",
                `${url}: refused: it has ${length} bytes, ` +
                    `the manifest says ${size}`,
            );
        const validator = validatorOf(response);
        return file.restart(validator ? { url, validator } : undefined);
    }
    const message = `${url}: HTTP status ${status}`;
    if (status === 408 || status === 429 || status >= 500)
        throw new Transient(message);
    throw new PipitError("network", message, { details: { status } });
}

/** One request, to the end of the body or the first failure. */
async function attempt(
    url: string,
    file: PartialFile,
    options: DownloadOptions,
): Promise<void> {
    const { limits, signal, size, onBytes } = options;
    const watchdog = new Watchdog(signal);
    let response: Response | undefined;
    try {
        const origin = await file.origin();
        if (origin?.url !== url) await file.restart();
        watchdog.feed(limits.connectMs);
        response = await fetch(url, {
            headers: requestHeaders(file, origin),
            signal: watchdog.signal,
        });
        await position(response, url, file, size);
        watchdog.feed(limits.stallMs);
        if (response.body)
            for await (const bytes of response.body) {
                await file.write(bytes);
                onBytes(file.length);
                watchdog.feed(limits.stallMs);
            }
    } catch (cause) {
        signal?.throwIfAborted();
        if (cause instanceof PipitError) throw cause;
        const what = watchdog.expired
            ? response
                ? `nothing came for ${limits.stallMs / 1000} s`
                : `no answer within ${limits.connectMs / 1000} s`
            : describe(cause);
        throw new Transient(`${url}: ${what}`, response !== undefined, cause);
    } finally {
        watchdog.stop();
        await response?.body?.cancel().catch(() => undefined);
    }
    if (file.length < size)
        throw new Transient(`${url}: ended after ${file.length} bytes`);
}

/** Fetches url into file. Throws PipitError, or the signal's reason. */
export async function download(
    url: string,
    file: PartialFile,
    options: DownloadOptions,
): Promise<void> {
    const { limits, signal } = options;
    let fruitless = 0;
    let answered = false;
    for (;;) {
        const before = file.length;
        try {
            return await attempt(url, file, options);
        } catch (error) {
            if (!(error instanceof Transient)) throw error;
            answered ||= error.answered;
            fruitless = file.length > before ? 0 : fruitless + 1;
            // Where nobody ever answered, another source is the better hope.
            if (!answered || fruitless >= limits.attempts) throw error;
            await pause(limits.retryMs * 2 ** fruitless, signal);
        }
    }
}
