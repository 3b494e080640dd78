/* errors.ts — the one class of error, and the manual of its codes. */

/** Every `PipitError.code`, with what it means. */
export const errorCodes = {
    "invalid-argument": "The caller passed something impossible.",
    "out-of-memory":
        "The machine or the module's 4 GiB can't hold what was asked; " +
        "`details.forecast` says what it would have needed, where known.",
    "invalid-file": "Not a GGUF file, or a malformed one.",
    "truncated-file": "The file ended before its last tensor.",
    unsupported:
        "Valid, but an architecture, tensor type, tokenizer or feature that " +
        "this version does not know.",
    "invalid-model":
        "Tensors or hyper-parameters are missing, misshapen or contradictory.",
    "invalid-vocabulary": "The vocabulary is missing or malformed.",
    "invalid-token": "A token id is outside the vocabulary.",
    "context-overflow":
        "The tokens do not fit the session's context; nothing was computed. " +
        "`details` holds `tokens`, `length` and `contextLength`.",
    "invalid-state":
        "Not possible now: no logits yet, or the object is busy with an " +
        "evaluation or a generation.",
    "too-large": "More than a 32-bit module can address.",
    aborted: "The AbortSignal asked for it; `cause` is the signal's reason.",
    closed: "The model, session or chat was closed.",
    "worker-died":
        "The worker that ran the model ended; the model is lost, others go on.",
    network: "A request failed; `details.status` is the HTTP status, if any.",
    "not-found": "No such file, address or model name.",
    io: "Reading or writing a file failed; `cause` is the system's error.",
    "disk-full": "The disk or the quota is full; what was there is untouched.",
    checksum: "A file's sha256 is not the one its manifest names.",
    template:
        "The chat template is missing, does not parse, raised an error, or " +
        "took more than its second or its 16 MB.",
    environment:
        "This place can't run the module: no WebAssembly SIMD, no workers, or " +
        "the module could not be fetched or compiled.",
    internal: "A defect of this library: please report it.",
} as const;

/** What went wrong, for programs. See `errorCodes` for the meaning of each. */
export type PipitErrorCode = keyof typeof errorCodes;

/** Facts that go with an error; which are present depends on the code. */
export interface PipitErrorDetails {
    /** The engine's own status, such as "PIPIT_E_FORMAT". */
    readonly engineStatus?: string;
    /** Byte of the file that the error is about. */
    readonly offset?: number;
    /** HTTP status of a failed request. */
    readonly status?: number;
    /** What the model would have needed, in bytes. */
    readonly forecast?: import("./types.js").Forecast;
    /** Bytes that could be had. */
    readonly available?: number;
    /** Of the training example, counted from 1. */
    readonly line?: number;
    /** Tokens that were to be added. */
    readonly tokens?: number;
    /** Tokens the session holds, after a call of it failed. */
    readonly length?: number;
    /** Positions the session has. */
    readonly contextLength?: number;
}

/** The only error this package throws. */
export class PipitError extends Error {
    override readonly name = "PipitError";
    readonly code: PipitErrorCode;
    readonly details: PipitErrorDetails;

    constructor(
        code: PipitErrorCode,
        message: string,
        options: { cause?: unknown; details?: PipitErrorDetails } = {},
    ) {
        super(message, "cause" in options ? { cause: options.cause } : {});
        this.code = code;
        this.details = options.details ?? {};
    }
}
