/* transcript.ts — messages to the tokens that a model reads. */
import type { Model } from "../types.js";
import type { PlainMessage } from "./input.js";

/** The input with its answer, which a prefix is the beginning of. */
export function answered(
    messages: readonly PlainMessage[],
    text: string,
): PlainMessage[] {
    const last = messages.at(-1);
    const begun = last?.prefix ? last.content : "";
    const before = last?.prefix ? messages.slice(0, -1) : messages;
    const role = "assistant";
    return [...before, { role, content: begun + text, prefix: false }];
}

/** Many templates want the roles to alternate: what follows in the same role is
 * one message. */
function joined(messages: readonly PlainMessage[]): PlainMessage[] {
    const out: PlainMessage[] = [];
    for (const message of messages) {
        const last = out.at(-1);
        if (last?.role !== message.role) {
            out.push(message);
            continue;
        }
        const parts = [last.content, message.content].filter(Boolean);
        out[out.length - 1] = { ...message, content: parts.join("\n\n") };
    }
    return out;
}

/** @param answers whether the assistant's turn is opened, or goes on after a
 *     prefix */
export async function tokensOf(
    model: Model,
    messages: readonly PlainMessage[],
    answers: boolean,
    signal: AbortSignal | undefined,
): Promise<Uint32Array> {
    if (messages.length === 0) return new Uint32Array();
    const { system } = model;
    const all = joined(
        system === undefined || messages[0]?.role === "system"
            ? messages
            : [{ role: "system", content: system, prefix: false }, ...messages],
    );
    const goesOn = answers && all.at(-1)?.prefix === true;
    const plain = all.map(({ role, content }) => ({ role, content }));
    const { tokens } = await model.applyChatTemplate(plain, {
        addGenerationPrompt: answers && !goesOn,
        continueFinalMessage: goesOn,
        signal,
    });
    return tokens;
}
