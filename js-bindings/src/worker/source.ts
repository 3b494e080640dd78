/* source.ts — a source as the caller described it. */
import { openPath } from "#platform";
import { openUrl, PieceSource, type ByteSource } from "../engine/source.js";
import type { Task } from "../engine/task.js";
import type { SourceSpec } from "../protocol.js";

export async function openSource(
    spec: SourceSpec,
    task: Task,
): Promise<ByteSource> {
    switch (spec.kind) {
        case "url":
            return openUrl(spec.url, spec.headers, task.signal);
        case "path":
            return openPath(spec.path);
        case "pull":
            return new PieceSource(spec.total, () => task.events.pull());
    }
}
