import { setFlagsFromString } from "node:v8";

/** Node 20 has relaxed SIMD behind a flag, newer ones don't know it any more. To
 * be called before the first module is looked at. */
export function allowRelaxedSimd() {
    if (Number(process.versions.node.split(".")[0]) < 22)
        setFlagsFromString("--experimental-wasm-relaxed-simd");
}
