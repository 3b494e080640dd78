/* render.ts — a chat template by itself, without a model. */
import { Renderer } from "./host/renderer.js";
import type { RenderTemplateOptions } from "./types.js";

/* One for all callers, and one more for each other address of the worker. */
const renderers = new Map<string, Renderer>();

/**
 * Renders a Jinja template as transformers would, in a worker where it has a
 * second and 16 MB. A template that fails, whatever by, is a `PipitError` with
 * code "template" and, when it raised an exception, with its message.
 *
 * `tools` and `documents` are None unless given; nothing else is added.
 */
export async function renderChatTemplate(
    template: string,
    variables: Readonly<Record<string, unknown>> = {},
    options: RenderTemplateOptions = {},
): Promise<string> {
    const key = String(options.workerUrl ?? "");
    const renderer = renderers.get(key) ?? new Renderer(options.workerUrl);
    renderers.set(key, renderer);
    const all = { tools: null, documents: null, ...variables };
    return renderer.render(template, all, options);
}
