/* chat.ts — a conversation in the terminal. */
import { createInterface } from "node:readline/promises";
import type { AdapterUse, Chat, Model } from "../types.js";
import { samplingOf, type Args } from "./args.js";
import { adaptersOf, openModel } from "./model.js";
import { bold, bytes, dim, note, Thought } from "./terminal.js";

const help = `/retry        another answer to the last message
/system TEXT  start anew with this system message
/reset        start anew
/stats        tokens, speed, memory
/help         this text
/exit         leave (or Ctrl-D)
Ctrl-C stops an answer; at the prompt it leaves.`;

/** The conversation, and the answer that is being written, if any. */
class Conversation {
    chat: Chat | undefined;
    answering: AbortController | undefined;

    constructor(
        readonly model: Model,
        readonly args: Args,
        public system: string | undefined,
        readonly uses: { readonly adapters: readonly AdapterUse[] },
    ) {}

    async start(): Promise<Chat> {
        await this.chat?.close();
        const { system } = this;
        this.chat = await this.model.createChat(
            system === undefined ? this.uses : { ...this.uses, system },
        );
        return this.chat;
    }

    async say(words: string | undefined): Promise<void> {
        const chat = this.chat ?? (await this.start());
        const sampling = samplingOf(this.args.values);
        const file = this.model.samplingDefaults;
        const thought = new Thought();
        const controller = new AbortController();
        this.answering = controller;
        const options = {
            ...sampling,
            temperature: sampling.temperature ?? file.temperature ?? 0.7,
            topP: sampling.topP ?? file.topP ?? 0.9,
            signal: controller.signal,
            onReasoning: this.args.values.quiet ? undefined : thought.write,
        };
        try {
            const answer =
                words === undefined
                    ? chat.retry(options)
                    : chat.send(words, options);
            for await (const text of answer) {
                thought.end();
                process.stdout.write(text);
            }
        } catch (cause) {
            const { PipitError } = await import("../index.js");
            if (!(cause instanceof PipitError)) throw cause;
            if (cause.code !== "aborted") note(`\n${cause.message}`);
        } finally {
            this.answering = undefined;
            thought.end();
            process.stdout.write("\n");
        }
        if (!this.args.values.quiet) note(dim(this.summary()));
    }

    summary(): string {
        const last = this.chat?.last;
        if (!last) return "nothing said yet";
        const { completionTokensPerSecond, firstTokenMs } = last.timings;
        return (
            `${last.completionTokens} tokens, ` +
            `${completionTokensPerSecond.toFixed(1)} tokens/s, ` +
            `first after ${Math.round(firstTokenMs)} ms, ` +
            `${last.finishReason}`
        );
    }

    stats(): string {
        const { memory, kernels, threads } = this.model;
        const session = this.chat?.session;
        return [
            this.summary(),
            `context: ${session?.length ?? 0} of ${session?.contextLength ?? 0}`,
            `memory: ${bytes(memory.total)}, weights ${bytes(memory.weights)}`,
            `${kernels}, ${threads} threads`,
        ].join("\n");
    }
}

/** False: leave. */
async function obey(talk: Conversation, line: string): Promise<boolean> {
    const [word, ...rest] = line.split(" ");
    switch (word) {
        case "/exit":
        case "/quit":
            return false;
        case "/retry":
            if (talk.chat?.last) await talk.say(undefined);
            else note("there is nothing to retry");
            return true;
        case "/system":
            talk.system = rest.join(" ") || undefined;
            await talk.start();
            return true;
        case "/reset":
            await talk.start();
            return true;
        case "/stats":
            note(talk.stats());
            return true;
        default:
            note(help);
            return true;
    }
}

export async function chat(args: Args, signal: AbortSignal): Promise<void> {
    const model = await openModel(args, signal);
    const uses = await adaptersOf(args, model, signal);
    const talk = new Conversation(model, args, args.values.system, uses);
    const lines = createInterface({
        input: process.stdin,
        output: process.stdout,
        prompt: bold("> "),
        historySize: 500,
    });
    const interrupt = () => {
        if (talk.answering) talk.answering.abort();
        else lines.close();
    };
    lines.on("SIGINT", interrupt);
    process.on("SIGINT", interrupt);
    if (!args.values.quiet)
        note(dim(`${model.name || args.values.model || ""} — /help for help`));
    lines.prompt();
    for await (const line of lines) {
        const words = line.trim();
        if (words.startsWith("/")) {
            if (!(await obey(talk, words))) break;
        } else if (words !== "") await talk.say(words);
        lines.prompt();
    }
    lines.close();
    await model.close();
}
