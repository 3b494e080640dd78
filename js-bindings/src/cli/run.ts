/* run.ts — one prompt, one answer; only the answer on standard output. */
import type { Model } from "../types.js";
import { samplingOf, UsageError, type Args } from "./args.js";
import { adaptersOf, inputText, openModel } from "./model.js";
import { dim, isTerminal, note, Thought } from "./terminal.js";

async function* answer(
    model: Model,
    args: Args,
    prompt: string,
    signal: AbortSignal,
): AsyncGenerator<string, void, void> {
    const options = { ...samplingOf(args.values), signal };
    const uses = await adaptersOf(args, model, signal);
    if (model.chatTemplate !== undefined && !args.values.raw) {
        const system = args.values.system;
        const chat = await model.createChat(
            system === undefined ? uses : { ...uses, system },
        );
        const thought = new Thought();
        const onReasoning = args.values.quiet ? undefined : thought.write;
        for await (const text of chat.send(prompt, {
            ...options,
            onReasoning,
        })) {
            thought.end();
            yield text;
        }
        thought.end();
        const last = chat.last;
        if (last && isTerminal && !args.values.quiet) {
            const { completionTokensPerSecond, firstTokenMs } = last.timings;
            process.stdout.write("\n");
            note(
                dim(
                    `${last.completionTokens} tokens, ` +
                        `${completionTokensPerSecond.toFixed(1)} tokens/s, ` +
                        `first after ${Math.round(firstTokenMs)} ms`,
                ),
            );
        }
        return;
    }
    const session = await model.createSession(uses);
    for await (const { text } of session.generate({ ...options, prompt }))
        yield text;
}

export async function run(args: Args, signal: AbortSignal): Promise<void> {
    const prompt = await inputText(args, "the prompt");
    if (prompt.trim() === "") throw new UsageError("the prompt is empty");
    const model = await openModel(args, signal);
    let end = "\n";
    for await (const text of answer(model, args, prompt, signal)) {
        if (text === "") continue;
        process.stdout.write(text);
        end = text;
    }
    if (!end.endsWith("\n") && !(isTerminal && !args.values.quiet))
        process.stdout.write("\n");
    await model.close();
}
