/* program.ts — takes requests to render and answers each. */
import type { WorkerPort } from "../platform/types.js";
import type { RenderReply, RenderRequest } from "../protocol.js";
import { render } from "./render.js";

export function runTemplates(port: WorkerPort): void {
    const post = (reply: RenderReply) => port.post(reply);
    port.onMessage((data) => {
        const { id, template, variables, now } = data as RenderRequest;
        try {
            const time = new Date(now ?? Date.now());
            const text = render(template, variables, time);
            post({ type: "rendered", id, text });
        } catch (cause) {
            const message =
                cause instanceof Error ? cause.message : String(cause);
            post({ type: "failed", id, message });
        }
    });
    post({ type: "ready" });
}
