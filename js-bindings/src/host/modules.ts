/* modules.ts — which module this place runs, compiled once.
 *
 * A place has one variant: relaxed SIMD where it validates, threads where
 * memory can be shared. So a page fetches one file, whatever it loads. */
import { canShareMemory, fetchModule, fetchWasm } from "#platform";
import { PipitError } from "../errors.js";
import type { WasmName } from "../platform/types.js";
import type { WasmSource } from "../types.js";

/* (func (result v128) i32.const 0 i8x16.splat i8x16.popcnt) */
const simd128 = [
    0, 97, 115, 109, 1, 0, 0, 0, 1, 5, 1, 96, 0, 1, 123, 3, 2, 1, 0, 10, 10, 1,
    8, 0, 65, 0, 253, 15, 253, 98, 11,
];
/* (func (result v128) two splats, i16x8.relaxed_dot_i8x16_i7x16_s) */
const relaxed = [
    0, 97, 115, 109, 1, 0, 0, 0, 1, 5, 1, 96, 0, 1, 123, 3, 2, 1, 0, 10, 15, 1,
    13, 0, 65, 1, 253, 15, 65, 2, 253, 15, 253, 146, 2, 11,
];

function validates(bytes: readonly number[]): boolean {
    return WebAssembly.validate(Uint8Array.from(bytes));
}

export function chooseModule(
    threads = canShareMemory(),
    training = false,
): WasmName {
    if (typeof WebAssembly !== "object" || !validates(simd128))
        throw new PipitError(
            "environment",
            "this place has no WebAssembly with SIMD (128 bits)",
        );
    const arithmetic = validates(relaxed) ? "relaxed" : "simd128";
    const kind = training ? "train-" : "";
    return `pipit-${kind}${arithmetic}${threads ? "-mt" : ""}` as WasmName;
}

async function compileResponse(
    response: Response,
): Promise<WebAssembly.Module> {
    if (!response.ok)
        throw new PipitError(
            "environment",
            `the module: HTTP ${response.status} from ${response.url}`,
            { details: { status: response.status } },
        );
    // Compiling while it arrives needs the right content type.
    const type = response.headers.get("content-type") ?? "";
    return type.startsWith("application/wasm")
        ? WebAssembly.compileStreaming(response)
        : WebAssembly.compile(await response.arrayBuffer());
}

async function compile(
    source: WasmSource | Promise<Response | Uint8Array<ArrayBuffer>>,
): Promise<WebAssembly.Module> {
    try {
        const given =
            typeof source === "string" || source instanceof URL
                ? await fetchWasm(source)
                : await source;
        if (given instanceof Response) return await compileResponse(given);
        if (given instanceof WebAssembly.Module) return given;
        return await WebAssembly.compile(given as BufferSource);
    } catch (cause) {
        if (cause instanceof PipitError) throw cause;
        const why = cause instanceof Error ? cause.message : String(cause);
        throw new PipitError("environment", `can't have the module: ${why}`, {
            cause,
        });
    }
}

const compiled = new Map<WasmName, Promise<WebAssembly.Module>>();

export function packageModule(name: WasmName): Promise<WebAssembly.Module> {
    let module = compiled.get(name);
    if (!module) {
        module = compile(fetchModule(name));
        compiled.set(name, module);
        // The next call may have more luck.
        module.catch(() => compiled.delete(name));
    }
    return module;
}

/** The caller's module, or the package's own. */
export function getModule(
    given: WasmSource | undefined,
    training = false,
): Promise<WebAssembly.Module> {
    return given
        ? compile(given)
        : packageModule(chooseModule(canShareMemory(), training));
}
