/* instance.ts — an instance of the module: its exports, its memory, and its
 * failures as PipitErrors. */
import { PipitError, type PipitErrorCode } from "../errors.js";
import type {
    ErrorObject,
    Exports,
    Slots,
    Status,
    ThreadExports,
} from "./exports.js";
import { Heap } from "./heap.js";

export const OK: Status = 0;
export const PENDING: Status = 1;

const codes: Readonly<Record<number, PipitErrorCode>> = {
    [-1]: "invalid-argument",
    [-2]: "out-of-memory",
    [-3]: "invalid-file",
    [-4]: "truncated-file",
    [-5]: "unsupported",
    [-6]: "invalid-model",
    [-7]: "invalid-vocabulary",
    [-8]: "invalid-token",
    [-9]: "context-overflow",
    [-10]: "invalid-state",
    [-11]: "too-large",
    [-12]: "aborted",
};

const PAGE = 65536;
/** At least what the modules ask for (--initial-memory). */
const INITIAL_PAGES = 32;
/** A step of generations tells of 32 at most, eight slots each. */
const OUT_SLOTS = 256;

export function isThreaded(module: WebAssembly.Module): boolean {
    return WebAssembly.Module.exports(module).some(
        ({ name }) => name === "__wasm_init_tls",
    );
}

/** Shared memory reserves its maximum at once: where that is refused, less is
 * asked for. */
export function createMemory(
    shared: boolean,
    maximumBytes = 2 ** 32,
): WebAssembly.Memory {
    for (let maximum = maximumBytes / PAGE; ; maximum /= 2) {
        try {
            return new WebAssembly.Memory({
                initial: INITIAL_PAGES,
                maximum,
                shared,
            });
        } catch (cause) {
            if (maximum > 4096) continue;
            throw new PipitError("out-of-memory", "no memory for a module", {
                cause,
            });
        }
    }
}

export async function instantiate(
    module: WebAssembly.Module,
    memory: WebAssembly.Memory,
): Promise<ThreadExports> {
    try {
        const { exports } = await WebAssembly.instantiate(module, {
            env: { memory },
        });
        if (!exports.pipit_engine_open) throw new Error("it is another one");
        return exports as unknown as ThreadExports;
    } catch (cause) {
        throw new PipitError("environment", "can't start the module", {
            cause,
        });
    }
}

export class Instance {
    readonly x: Exports;
    readonly heap: Heap;
    /** Where calls put results; read before the next call. */
    readonly out: Slots;
    readonly error: ErrorObject;

    constructor(memory: WebAssembly.Memory, exports: Exports) {
        this.x = exports;
        this.heap = new Heap(memory, exports);
        this.out = this.heap.alloc(8 * OUT_SLOTS);
        this.error = this.heap.alloc(exports.pipit_error_bytes());
    }

    /** Throws what a call left in `error`. */
    check(status: Status): void {
        if (status >= OK) return;
        const message = this.heap.name(this.x.pipit_error_message(this.error));
        const offset = this.x.pipit_error_offset(this.error);
        throw this.#failure(status, message, offset);
    }

    /** For calls that leave no message: says what failed. */
    checkThat(status: Status, what: string): void {
        if (status < OK) throw this.#failure(status, what, -1);
    }

    #failure(status: Status, message: string, offset: number): PipitError {
        const engineStatus = this.heap.name(this.x.pipit_status_name(status));
        return new PipitError(
            codes[status] ?? "internal",
            message || engineStatus,
            { details: { engineStatus, ...(offset >= 0 && { offset }) } },
        );
    }
}
