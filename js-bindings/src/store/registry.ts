/* registry.ts — models that a page could only keep in memory. */

/** Models in memory, by key: shared by the package's entries in a page. */
export function registry(): Map<string, Blob> {
    const scope = globalThis as Record<symbol, unknown>;
    const name = Symbol.for("pipit.models");
    return (scope[name] ??= new Map()) as Map<string, Blob>;
}
