// What the golden tests share: where the optional reference data and the pulled
// models are, and how close two sets of numbers lie.
import * as fs from "node:fs";
import * as os from "node:os";
import * as path from "node:path";
import { createHash } from "node:crypto";
import { fileURLToPath } from "node:url";
import { setFlagsFromString } from "node:v8";

// Node 20 hides relaxed SIMD behind a flag; later ones know no such flag.
setFlagsFromString("--experimental-wasm-relaxed-simd");

/** The folder `shared` beside the checkout, or what PIPIT_SHARED names. */
export const shared =
    process.env.PIPIT_SHARED ??
    fileURLToPath(new URL("../../../shared", import.meta.url));

/** Why a suite is skipped, or false. @param {string} folder of peerdata */
export function skipWithout(folder) {
    return fs.existsSync(path.join(shared, "peerdata", folder))
        ? false
        : `no reference data: ${folder}`;
}

/** @param {...string} names */
export const peerdata = (...names) => path.join(shared, "peerdata", ...names);

/** @param {string} file */
export const readJson = (file) => JSON.parse(fs.readFileSync(file, "utf8"));

/** A pulled model's path, or undefined. @param {string} name of the manifest */
export function pulledModel(name) {
    const manifest = readJson(
        fileURLToPath(new URL("../../models/manifest.json", import.meta.url)),
    );
    const entry = manifest.models.find(
        (/** @type {{ name: string }} */ model) => model.name === name,
    );
    const cache =
        process.env.PIPIT_CACHE ??
        path.join(
            process.env.XDG_CACHE_HOME ?? path.join(os.homedir(), ".cache"),
            "pipit",
        );
    const file = path.join(cache, "models", entry.file);
    return fs.existsSync(file) ? file : undefined;
}

/** @param {string} file of little-endian f32 */
export function readFloats(file) {
    const bytes = fs.readFileSync(file);
    return new Float32Array(
        bytes.buffer.slice(
            bytes.byteOffset,
            bytes.byteOffset + bytes.byteLength,
        ),
    );
}

/** Root mean square of a - b, relative to that of b. */
export function relativeError(
    /** @type {Float32Array} */ a,
    /** @type {Float32Array} */ b,
) {
    let difference = 0;
    let size = 0;
    for (let i = 0; i < b.length; i++) {
        difference += (a[i] - b[i]) ** 2;
        size += b[i] ** 2;
    }
    return a.length === b.length ? Math.sqrt(difference / size) : NaN;
}

/** One hash for all bits of the numbers. @param {Float32Array} numbers */
export function hashOf(numbers) {
    return createHash("sha256")
        .update(
            new Uint8Array(
                numbers.buffer,
                numbers.byteOffset,
                numbers.byteLength,
            ),
        )
        .digest("hex")
        .slice(0, 16);
}

/** log-softmax of one row, in double. @param {Float32Array} logits */
export function logSoftmax(logits) {
    let max = -Infinity;
    for (const x of logits) if (x > max) max = x;
    let sum = 0;
    for (const x of logits) sum += Math.exp(x - max);
    const logSum = max + Math.log(sum);
    return (/** @type {number} */ token) => logits[token] - logSum;
}
