/* worker.ts — the program that renders chat templates. A template is code from
 * a file: here it can loop for ever and be ended from outside. */
import { workerPort } from "#platform";
import { Environment, Interpreter, parse, tokenize } from "@huggingface/jinja";
import type { RenderReply, RenderRequest } from "../protocol.js";
import { environment } from "./environment.js";

const port = workerPort();
const post = (reply: RenderReply) => port.post(reply);

let parsed: { source: string; program: ReturnType<typeof parse> } | undefined;

const blocks = { lstrip_blocks: true, trim_blocks: true };

function render({ template: source, variables }: RenderRequest): string {
    if (parsed?.source !== source)
        parsed = { source, program: parse(tokenize(source, blocks)) };
    const scope = new Environment();
    const all = { ...environment(), ...variables };
    for (const [name, value] of Object.entries(all)) scope.set(name, value);
    const result = new Interpreter(scope).run(parsed.program);
    return String(result.value);
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
