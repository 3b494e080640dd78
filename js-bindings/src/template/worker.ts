/* worker.ts — the program that renders chat templates. A template is code from
 * a file: here it can loop for ever and be ended from outside. */
import { workerPort } from "#platform";
import type { RenderReply, RenderRequest } from "../protocol.js";
import { render } from "./render.js";

const port = workerPort();
const post = (reply: RenderReply) => port.post(reply);

port.onMessage((data) => {
    const { id, template, variables, now } = data as RenderRequest;
    try {
        const time = new Date(now ?? Date.now());
        post({ type: "rendered", id, text: render(template, variables, time) });
    } catch (cause) {
        const message = cause instanceof Error ? cause.message : String(cause);
        post({ type: "failed", id, message });
    }
});
post({ type: "ready" });
