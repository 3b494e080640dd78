/* source.ts — a source as the caller described it. */
import { PieceSource, type ByteSource } from "../engine/source.js";
import type { Task } from "../engine/task.js";
import { openSpec } from "../open.js";
import type { SourceSpec } from "../protocol.js";

export async function openSource(
    spec: SourceSpec,
    task: Task,
): Promise<ByteSource> {
    return spec.kind === "pull"
        ? new PieceSource(spec.total, () => task.events.pull())
        : openSpec(spec, task.signal);
}
