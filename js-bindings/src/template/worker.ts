/* worker.ts — the program that renders chat templates. A template is code from
 * a file: here it can loop for ever and be ended from outside. */
import { workerPort } from "#platform";
import { Template } from "@huggingface/jinja";
import type { RenderReply, RenderRequest } from "../protocol.js";
import { environment } from "./environment.js";

const port = workerPort();
const post = (reply: RenderReply) => port.post(reply);

let parsed: { source: string; template: Template } | undefined;

function render({ template: source, variables }: RenderRequest): string {
    if (parsed?.source !== source)
        parsed = { source, template: new Template(source) };
    return parsed.template.render({ ...environment(), ...variables });
}

port.onMessage((data) => {
    const request = data as RenderRequest;
    const { id } = request;
    try {
        post({ type: "rendered", id, text: render(request) });
    } catch (cause) {
        const message = cause instanceof Error ? cause.message : String(cause);
        post({ type: "failed", id, message });
    }
});
post({ type: "ready" });
