/* download.ts — a file by HTTP, resumed where it broke off; for pages and Node.
 *
 * Range with If-Range asks for the rest of the same version: 206 continues, 200
 * starts over, 416 says that what we hold is no prefix. A silent connection is
 * given up and resumed; as long as attempts bring bytes they go on. */
import { PipitError, type PipitErrorDetails } from "../errors.js";

/** What a resumed request must match. */
export interface Origin {
    readonly url: string;
    /** ETag or Last-Modified, for If-Range; "": the server named none, and only
     * the sha256 tells whether the rest fits. */
    readonly validator: string;
}

/** Where the bytes go. Its errors are the store's and end the download. */
export interface Sink {
    /** Bytes held so far. */
    readonly length: number;
    /** Bytes of the whole; undefined until it is known. */
    readonly size: number | undefined;
    /** Whether a wrong file would be found out in the end. */
    readonly isChecked: boolean;
    origin(): Promise<Origin | undefined>;
    /** Forgets what is there. A file without an origin is not resumed. */
    restart(origin?: Origin): Promise<void>;
    /** The server said how large the whole is, or did not say. Throws where
     * there is no room. */
    expect(size: number | undefined): Promise<void>;
    write(bytes: Uint8Array): Promise<void>;
}

export interface DownloadLimits {
    /** Until the answer's head has come. */
    readonly connectMs: number;
    /** Between two pieces of the body. */
    readonly stallMs: number;
    /** Attempts in a row that bring no byte. */
    readonly attempts: number;
    /** Before the second attempt; doubles. */
    readonly retryMs: number;
}

export const defaultLimits: DownloadLimits = {
    connectMs: 5_000,
    stallMs: 20_000,
    attempts: 4,
    retryMs: 500,
};

export interface DownloadOptions {
    readonly limits: DownloadLimits;
    readonly headers?: Readonly<Record<string, string>> | undefined;
    readonly signal?: AbortSignal | undefined;
    readonly onBytes: (loaded: number) => void;
}

/** A failure that another attempt may cure. */
class Transient extends PipitError {
    /** Whether the server was heard at all. */
    readonly answered: boolean;

    constructor(
        message: string,
        answered = true,
        cause?: unknown,
        details: PipitErrorDetails = {},
    ) {
        super("network", message, { cause, details });
        this.answered = answered;
    }
}

/** Aborts the request when nothing was heard for a time. */
class Watchdog {
    readonly #controller = new AbortController();
    readonly #outer: AbortSignal | undefined;
    readonly #forward = () => this.#controller.abort(this.#outer?.reason);
    #timer: ReturnType<typeof setTimeout> | undefined;
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

/** A page is told when the device has no network; Node is not. */
const isOffline = () =>
    (globalThis as { navigator?: Navigator }).navigator?.onLine === false;

function comingOnline(signal?: AbortSignal): Promise<void> {
    return new Promise((resolve, reject) => {
        const stop = () => reject(signal?.reason);
        signal?.addEventListener("abort", stop, { once: true });
        globalThis.addEventListener("online", () => resolve(), { once: true });
        if (!isOffline()) resolve();
    });
}

function describe(cause: unknown): string {
    if (!(cause instanceof Error)) return String(cause);
    // fetch says only "fetch failed"; the reason is in its cause.
    const inner = cause.cause instanceof Error ? cause.cause : cause;
    return (inner as { code?: string }).code ?? inner.message;
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

/** Another site's server is asked by Range alone, for If-Range would cost a
 * preflight that few allow; there the answer's validator is compared. */
function isForeign(url: string): boolean {
    const page = (globalThis as { location?: Location }).location;
    return page !== undefined && new URL(url).origin !== page.origin;
}

function requestHeaders(file: Sink, url: string, origin: Origin | undefined) {
    const headers: Record<string, string> = {};
    if (!("location" in globalThis)) headers["accept-encoding"] = "identity";
    if (file.length > 0 && origin) {
        headers["range"] = `bytes=${file.length}-`;
        if (origin.validator && !isForeign(url))
            headers["if-range"] = origin.validator;
    }
    return headers;
}

/** A weak ETag promises no equal bytes, so it can't stand behind If-Range. */
function validatorOf({ headers }: Response): string {
    const etag = headers.get("etag");
    if (etag && !etag.startsWith("W/")) return etag;
    return headers.get("last-modified") ?? "";
}

/** Bytes of the body, as far as another site lets us see them. */
function bodyBytes({ headers }: Response): number | undefined {
    const encoding = headers.get("content-encoding") ?? "identity";
    const length = headers.get("content-length");
    if (length === null || encoding !== "identity") return undefined;
    return Number.isSafeInteger(Number(length)) ? Number(length) : undefined;
}

/** Whether a 206 goes on where the file ends, and with the same version. */
function continues(response: Response, file: Sink, origin: Origin | undefined) {
    const header = response.headers.get("content-range");
    const validator = validatorOf(response);
    const isSame = validator === "" || validator === origin?.validator;
    if (!isSame) return false;
    if (validator === "" && isForeign(response.url) && !file.isChecked)
        return false;
    if (header === null) {
        const rest = bodyBytes(response);
        return rest !== undefined && file.length + rest === file.size;
    }
    const range = /^bytes (\d+)-\d+\/(\d+|\*)$/.exec(header);
    const total = range?.[2] === "*" ? file.size : Number(range?.[2]);
    return Number(range?.[1]) === file.length && total === file.size;
}

/** Puts the file's end where the body will go on. */
async function position(
    response: Response,
    url: string,
    file: Sink,
    origin: Origin | undefined,
): Promise<void> {
    const { status, headers } = response;
    if (status === 206) {
        if (continues(response, file, origin)) return;
        await file.restart();
        throw new Transient(`${url}: answered with another range`);
    }
    if (status === 416) {
        await file.restart();
        throw new Transient(`${url}: has no such range`);
    }
    if (status === 200) {
        if (/^text\/html/i.test(headers.get("content-type") ?? ""))
            throw new PipitError(
                "invalid-file",
                `${url}: refused: it is a web page, not a model`,
            );
        await expectSize(url, file, bodyBytes(response));
        const validator = validatorOf(response);
        const resumable = file.isChecked || validator !== "";
        return file.restart(resumable ? { url, validator } : undefined);
    }
    const message = `${url}: HTTP status ${status}`;
    const details = { status };
    if (status === 408 || status === 429 || status >= 500)
        throw new Transient(message, true, undefined, details);
    const absent = status === 404 || status === 410;
    throw new PipitError(absent ? "not-found" : "network", message, {
        details,
    });
}

async function expectSize(url: string, file: Sink, length: number | undefined) {
    const { isChecked, size } = file;
    if (isChecked && size !== undefined && (length ?? size) !== size)
        throw new PipitError(
            "checksum",
            `${url}: refused: it has ${length} bytes, ` +
                `the manifest says ${size}`,
        );
    await file.expect(length);
}

/** One request, to the end of the body or the first failure. */
async function attempt(
    url: string,
    file: Sink,
    options: DownloadOptions,
): Promise<void> {
    const { limits, signal, onBytes } = options;
    const watchdog = new Watchdog(signal);
    let response: Response | undefined;
    let reader: ReadableStreamDefaultReader<Uint8Array> | undefined;
    try {
        const origin = await file.origin();
        if (origin?.url !== url) await file.restart();
        watchdog.feed(limits.connectMs);
        response = await fetch(url, {
            headers: {
                ...options.headers,
                ...requestHeaders(file, url, origin),
            },
            // The store is the cache: the browser need not keep it again.
            cache: "no-store",
            signal: watchdog.signal,
        });
        await position(response, url, file, origin);
        watchdog.feed(limits.stallMs);
        reader = response.body?.getReader();
        for (;;) {
            const piece = await reader?.read();
            if (!piece || piece.done) break;
            await file.write(piece.value);
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
        await (reader ?? response?.body)?.cancel().catch(() => undefined);
    }
    // Without a length the end of the body is the end of the file.
    if (file.size === undefined) await file.expect(file.length);
    else if (file.length < file.size)
        throw new Transient(`${url}: ended after ${file.length} bytes`);
}

/** Fetches url into file. Throws PipitError, or the signal's reason. */
export async function download(
    url: string,
    file: Sink,
    options: DownloadOptions,
): Promise<void> {
    const { limits, signal } = options;
    // It was torn between its last byte and its check.
    const last = await file.origin();
    if (last?.url === url && file.length === file.size) return;
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
            if (isOffline()) {
                await comingOnline(signal);
                fruitless = 0;
            }
        }
    }
}
