/* arithmetic.ts — which of a module's kernels suit this machine. It is seen, not
 * timed: what a clock would compare while a model loads is one form in optimized
 * code with another in baseline code. */

/* (func (export "f") (result i32) splats of the bytes 127 and 255, zeros,
 * i32x4.relaxed_dot_i8x16_i7x16_add_s, lane 0) */
const dotAdd = Uint8Array.of(
    ...[0, 97, 115, 109, 1, 0, 0, 0, 1, 5, 1, 96, 0, 1, 127, 3, 2, 1, 0],
    ...[7, 5, 1, 1, 102, 0, 0, 10, 24, 1, 22, 0, 65, 255, 0, 253, 15, 65],
    ...[255, 1, 253, 15, 65, 0, 253, 17, 253, 147, 2, 253, 27, 0, 11],
);
/** Twice the largest i16. */
const SATURATED = 65534;

/* (type (struct (field i8))): collected types. V8 computes the dot product that
 * accumulates wrongly in optimized code as long as relaxed SIMD is behind its
 * flag (Node 20, V8 11.3: other bits from run to run). Engines that have
 * collected types are past that. */
const collectedTypes = Uint8Array.of(
    ...[0, 97, 115, 109, 1, 0, 0, 0, 1, 5, 1, 95, 1, 120, 0],
);

/** Whether a dot that accumulates is one instruction, as on ARM and with AVX-VNNI.
 * Engines elsewhere make it of several, the first of which saturates. */
function hasDotAdd(): boolean {
    if (!WebAssembly.validate(collectedTypes)) return false;
    const { exports } = new WebAssembly.Instance(
        new WebAssembly.Module(dotAdd),
    );
    return (exports.f as () => number)() !== SATURATED;
}

/** @param names of a module's kernels, the slowest first */
export function chooseKernels(names: readonly string[]): string {
    const usable = names.filter(
        (name) => name !== "relaxed-dot-add" || hasDotAdd(),
    );
    return usable.at(-1) ?? "";
}
