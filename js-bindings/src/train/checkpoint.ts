/* checkpoint.ts — where training stands, as bytes: a line of JSON, padded so
 * that floats follow aligned. */
import { PipitError } from "../errors.js";

export interface Checkpoint {
    /** What must be the same to go on. */
    readonly settings: string;
    readonly updates: number;
    readonly losses: readonly number[];
    readonly validationLosses: readonly number[];
}

const MAGIC = "pipit checkpoint 1 ";

export function writeCheckpoint(
    checkpoint: Checkpoint,
    state: Float32Array,
    best: Float32Array | undefined,
): Uint8Array {
    const json = JSON.stringify({ ...checkpoint, hasBest: best !== undefined });
    const head = new TextEncoder().encode(MAGIC + json);
    const start = (head.length + 4) & ~3;
    const floats = state.length + (best?.length ?? 0);
    const bytes = new Uint8Array(start + 4 * floats).fill(32, 0, start);
    bytes.set(head);
    bytes[start - 1] = 10;
    const all = new Float32Array(bytes.buffer, start);
    all.set(state);
    if (best) all.set(best, state.length);
    return bytes;
}

export function readCheckpoint(bytes: Uint8Array): Checkpoint & {
    readonly state: Float32Array;
    readonly best: Float32Array | undefined;
} {
    const start = bytes.indexOf(10) + 1;
    const text = new TextDecoder().decode(bytes.subarray(0, start));
    const wrong = () =>
        new PipitError("invalid-file", "not a checkpoint of training");
    if (start === 0 || !text.startsWith(MAGIC)) throw wrong();
    try {
        const { hasBest, ...checkpoint } = JSON.parse(
            text.slice(MAGIC.length),
        ) as Checkpoint & { hasBest: boolean };
        const all = new Float32Array(bytes.slice(start).buffer);
        const n = hasBest ? all.length / 2 : all.length;
        return {
            ...checkpoint,
            state: all.subarray(0, n),
            best: hasBest ? all.subarray(n) : undefined,
        };
    } catch {
        throw wrong();
    }
}
