/* failure.ts — what a template did wrong, in Python's words where it has any. */

export class TemplateError extends Error {}

export function fail(message: string): never {
    throw new TemplateError(message);
}
