/* serve.ts — the model behind OpenAI's interface, over HTTP. */
import { createOpenAI } from "../openai/index.js";
import { OpenAIServer } from "../serve/server.js";
import { numberOf, type Args } from "./args.js";
import { openModel } from "./model.js";
import { dim, note } from "./terminal.js";

const MIB = 1 << 20;

export async function serve(args: Args, signal: AbortSignal): Promise<void> {
    const { values } = args;
    const host = values.host ?? "127.0.0.1";
    const port = numberOf(values, "port", 0, 65535) ?? 8080;
    const sessions = numberOf(values, "sessions", 1, 64);
    const queue = numberOf(values, "queue", 0, 1024);
    const maxRequest = numberOf(values, "max-request", 1, 1024 * MIB);
    const patience = numberOf(values, "patience", 1, 86400) ?? 60;
    const apiKey = values["api-key"] ?? process.env["PIPIT_API_KEY"];
    const model = await openModel(args, signal);
    const local = createOpenAI(model, {
        ...{ name: values.name, sessions, queue },
    });
    const server = new OpenAIServer(local.fetch, {
        ...{ host, port, cors: values.cors },
        apiKey: apiKey || undefined,
        maxRequest: maxRequest ?? 4 * MIB,
        graceMs: 10_000,
        patienceMs: 1000 * patience,
    });
    const stopped = new Promise<void>((resolve) => {
        process.once("SIGTERM", resolve);
        signal.addEventListener("abort", () => resolve(), { once: true });
    });
    process.stdout.write(`${await server.start()}\n`);
    if (!server.isLocal && !apiKey && !values.quiet)
        note("whoever reaches this port may ask: --api-key would say who");
    if (!values.quiet)
        note(dim(`the model's name is "${local.model}"; Ctrl-C stops`));
    await stopped;
    await server.stop();
    await local.close();
    await model.close();
}
