/* checkpoint.ts — where training stands, as bytes: a line of JSON, padded so
 * that floats follow aligned: the state, then the parameters of the best and of
 * the last good step, where there are such. */
import { PipitError } from "../errors.js";

export interface Checkpoint {
    /** What must be the same to go on. */
    readonly settings: string;
    readonly updates: number;
    readonly losses: readonly number[];
    readonly validationLosses: readonly number[];
}

/** Floats beside the JSON. */
export interface CheckpointFloats {
    /** Parameters, then the two moments of each. */
    readonly state: Float32Array;
    /** Parameters. */
    readonly best: Float32Array | undefined;
    readonly good: Float32Array | undefined;
}

const MAGIC = "pipit checkpoint 2 ";

/** Bytes at most, but for the losses. */
export const checkpointBytes = (parameters: number) =>
    4 * 5 * parameters + (1 << 16);

export function writeCheckpoint(
    checkpoint: Checkpoint,
    { state, best, good }: CheckpointFloats,
): Uint8Array<ArrayBuffer> {
    const parts = [state, ...(best ? [best] : []), ...(good ? [good] : [])];
    const json = JSON.stringify({
        ...checkpoint,
        state: state.length,
        best: best?.length ?? 0,
        good: good?.length ?? 0,
    });
    const head = new TextEncoder().encode(MAGIC + json);
    const start = (head.length + 4) & ~3;
    const floats = parts.reduce((sum, { length }) => sum + length, 0);
    const bytes = new Uint8Array(start + 4 * floats).fill(32, 0, start);
    bytes.set(head);
    bytes[start - 1] = 10;
    const all = new Float32Array(bytes.buffer, start);
    let end = 0;
    for (const part of parts) {
        all.set(part, end);
        end += part.length;
    }
    return bytes;
}

export function readCheckpoint(
    bytes: Uint8Array,
): Checkpoint & CheckpointFloats {
    const start = bytes.indexOf(10) + 1;
    const text = new TextDecoder().decode(bytes.subarray(0, start));
    const wrong = () =>
        new PipitError("invalid-file", "not a checkpoint of training");
    if (start === 0 || !text.startsWith(MAGIC)) throw wrong();
    try {
        const { state, best, good, ...checkpoint } = JSON.parse(
            text.slice(MAGIC.length),
        ) as Checkpoint & Record<"state" | "best" | "good", number>;
        const all = new Float32Array(bytes.slice(start).buffer);
        if (all.length !== state + best + good) throw wrong();
        const part = (at: number, n: number) =>
            n > 0 ? all.subarray(at, at + n) : undefined;
        return {
            ...checkpoint,
            state: all.subarray(0, state),
            best: part(state, best),
            good: part(state + best, good),
        };
    } catch {
        throw wrong();
    }
}
