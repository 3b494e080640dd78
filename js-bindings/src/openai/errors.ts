/* errors.ts — failures in OpenAI's shape and with its statuses. */

export interface ErrorBody {
    readonly message: string;
    readonly type: string;
    readonly param: string | null;
    readonly code: string | null;
}

/** Has the fields of the `openai` client's own errors. */
export class OpenAIError extends Error {
    override readonly name = "OpenAIError";
    readonly status: number;
    /** What a server sends as `{ "error": … }`. */
    readonly error: ErrorBody;

    constructor(
        status: number,
        error: Partial<ErrorBody> & { readonly message: string },
        options: { cause?: unknown } = {},
    ) {
        super(error.message, options);
        this.status = status;
        this.error = {
            message: error.message,
            type:
                error.type ??
                (status < 500 ? "invalid_request_error" : "server_error"),
            param: error.param ?? null,
            code: error.code ?? null,
        };
    }

    get type(): string {
        return this.error.type;
    }
    get param(): string | null {
        return this.error.param;
    }
    get code(): string | null {
        return this.error.code;
    }
}

export function refuse(
    param: string,
    message: string,
    code: string | null = null,
): never {
    throw new OpenAIError(400, {
        message: `${param}: ${message}`,
        param,
        code,
    });
}

const clientFaults = new Set(["invalid-argument", "invalid-token", "template"]);

/** The package's errors in OpenAI's words; others, and "aborted", stay. */
export function translated(cause: unknown): unknown {
    if (!(cause instanceof Error) || cause.name !== "PipitError") return cause;
    const { message } = cause;
    const code = "code" in cause ? String(cause.code) : "";
    if (code === "aborted") return cause;
    if (code === "context-overflow")
        return new OpenAIError(
            400,
            { message, param: "messages", code: "context_length_exceeded" },
            { cause },
        );
    const status = clientFaults.has(code)
        ? 400
        : ["out-of-memory", "closed", "worker-died"].includes(code)
          ? 503
          : 500;
    return new OpenAIError(status, { message, code }, { cause });
}
