/* templates.ts — a file's chat templates: which there are, which is meant, and
 * the text that one makes of messages. */
import { textOf } from "../engine/file.js";
import { PARSE_SPECIAL } from "../engine/tokenizer.js";
import { PipitError } from "../errors.js";
import type {
    AppliedTemplate,
    ApplyTemplateOptions,
    ChatMessage,
} from "../types.js";
import type { LoadedModelObject } from "./model.js";
import { refuse } from "./options.js";

const KEY = "tokenizer.chat_template";

/** Names of the templates beside the main one. */
export function templateNames(model: LoadedModelObject): string[] {
    return Object.keys(model.metadata)
        .filter((key) => key.startsWith(`${KEY}.`))
        .map((key) => key.slice(KEY.length + 1));
}

function stringAt(model: LoadedModelObject, key: string): string | undefined {
    const text = textOf(model.metadata, key);
    if (text === undefined && model.metadata[key] !== undefined)
        throw new PipitError("template", `the file's ${key} is not a string`);
    return text;
}

/** The template that is given, named, or the file's own; with tools the one
 * that is made for them, if there is one. */
export function templateOf(
    model: LoadedModelObject,
    template: string | undefined,
    hasTools = false,
): string {
    if (template !== undefined && typeof template !== "string")
        refuse("template is a string: Jinja, or the name of one in the file");
    const names = templateNames(model);
    const wanted =
        template ??
        (hasTools && names.includes("tool_use") ? "tool_use" : "default");
    if (names.includes(wanted))
        return stringAt(model, `${KEY}.${wanted}`) as string;
    if (wanted !== "default") {
        if (!/^[\w.-]+$/.test(wanted)) return wanted;
        const has = names.length > 0 ? names.join(", ") : "none";
        throw new PipitError(
            "template",
            `the file has no template named "${wanted}" (it has ${has})`,
        );
    }
    const own = stringAt(model, KEY);
    if (own !== undefined) return own;
    throw new PipitError(
        "template",
        "the file has no chat template (a base model completes text): give " +
            "one as `template`, or use a session",
    );
}

/** Copies; what a role or a content can't be is refused here, by its place. */
export function checkMessages(messages: readonly ChatMessage[]): ChatMessage[] {
    if (!Array.isArray(messages)) refuse("messages is an array");
    return messages.map((message: ChatMessage, i) => {
        const { role, content } = message ?? {};
        if (typeof role !== "string")
            refuse(`message ${i} has no role (a string)`);
        const isParts =
            Array.isArray(content) &&
            content.every((part) => typeof part === "object" && part !== null);
        if (typeof content !== "string" && (content ?? null) && !isParts)
            refuse(`message ${i}: content is a string or a list of parts`);
        return { ...message };
    });
}

export interface RenderOptions {
    readonly signal?: AbortSignal | undefined;
}

/** The file's special tokens, then what the caller says. */
export async function renderMessages(
    model: LoadedModelObject,
    template: string,
    variables: Readonly<Record<string, unknown>>,
    { signal }: RenderOptions,
): Promise<string> {
    const { texts } = model.vocabulary;
    return model.renderer.render(
        template,
        {
            bos_token: texts.bos,
            eos_token: texts.eos,
            unk_token: texts.unknown,
            pad_token: texts.padding,
            tools: null,
            documents: null,
            ...variables,
        },
        { signal },
    );
}

/** Where the last message is to be continued: its text, as it is in the file's
 * format, without what would end it. */
function cutAfter(text: string, message: ChatMessage | undefined): string {
    const { content } = message ?? {};
    const parts = Array.isArray(content) ? content : [];
    const last: unknown =
        typeof content === "string" ? content : parts.at(-1)?.text;
    if (typeof last !== "string")
        return refuse("continueFinalMessage: the last message has no text");
    const at = text.lastIndexOf(last.trim());
    if (at < 0)
        throw new PipitError(
            "template",
            "the template leaves out the message that is to be continued",
        );
    const whole = last.trimStart();
    const isWhole = text.slice(at, at + whole.length) === whole;
    return text.slice(0, at + (isWhole ? whole : last.trim()).length);
}

export async function applyTemplate(
    model: LoadedModelObject,
    messages: readonly ChatMessage[],
    options: ApplyTemplateOptions,
): Promise<AppliedTemplate> {
    const {
        tools,
        documents,
        template,
        continueFinalMessage = false,
        addGenerationPrompt = !continueFinalMessage,
        signal,
        ...variables
    } = options;
    const checked = checkMessages(messages);
    if (continueFinalMessage && addGenerationPrompt)
        refuse("continueFinalMessage and addGenerationPrompt exclude another");
    const source = templateOf(model, template, (tools?.length ?? 0) > 0);
    const rendered = await renderMessages(
        model,
        source,
        {
            ...variables,
            tools: tools ?? null,
            documents: documents ?? null,
            add_generation_prompt: addGenerationPrompt,
            messages: checked,
        },
        { signal },
    );
    const text = continueFinalMessage
        ? cutAfter(rendered, messages.at(-1))
        : rendered;
    const tokens = await model.connection.call(
        "tokenize",
        { text, flags: PARSE_SPECIAL },
        { signal },
    );
    return { text, tokens };
}
