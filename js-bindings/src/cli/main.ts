/* main.ts — the command `pipit`. */
import { setFlagsFromString } from "node:v8";
import { version } from "../version.js";
import { manual, readArgs, UsageError, type Args } from "./args.js";

/* Node 20 has relaxed SIMD behind this flag; it has to be set before the first
 * module is looked at, and holds for the workers too. */
if (Number(process.versions.node.split(".")[0]) < 22)
    setFlagsFromString("--experimental-wasm-relaxed-simd");

const exitCodes: Readonly<Record<string, number>> = {
    "invalid-argument": 2,
    "invalid-file": 3,
    "truncated-file": 3,
    unsupported: 3,
    "invalid-model": 3,
    "invalid-vocabulary": 3,
    "not-found": 3,
    checksum: 3,
    template: 3,
    "context-overflow": 3,
    network: 4,
    "out-of-memory": 5,
    "too-large": 5,
    "disk-full": 5,
    aborted: 130,
};

async function perform(args: Args, signal: AbortSignal): Promise<void> {
    switch (args.command) {
        case "chat":
            return (await import("./chat.js")).chat(args, signal);
        case "run":
            return (await import("./run.js")).run(args, signal);
        case "pull":
            return (await import("./store.js")).pull(args, signal);
        case "list":
            return (await import("./store.js")).list(args);
        case "info":
            return (await import("./info.js")).info(args, signal);
        case "tokenize":
            return (await import("./tokens.js")).tokenize(args, signal);
        case "score":
            return (await import("./tokens.js")).score(args, signal);
        case "train":
            return (await import("./train.js")).train(args, signal);
        case "evaluate":
            return (await import("./evaluate.js")).evaluate(args, signal);
        case "bench":
            return (await import("./bench.js")).bench(args, signal);
        case "serve":
            return (await import("./serve.js")).serve(args, signal);
        case undefined:
            throw new UsageError("which command?");
    }
}

function report(cause: unknown): number {
    if (cause instanceof UsageError) {
        console.error(`pipit: ${cause.message}\ntry: pipit --help`);
        return 2;
    }
    const code =
        cause instanceof Error && "code" in cause ? String(cause.code) : "";
    if (code !== "aborted")
        console.error(
            `pipit: ${cause instanceof Error ? cause.message : String(cause)}`,
        );
    return exitCodes[code] ?? 1;
}

async function main(): Promise<number> {
    const controller = new AbortController();
    try {
        const args = readArgs(process.argv.slice(2));
        if (args.values.version) {
            console.log(version);
            return 0;
        }
        if (args.values.help) {
            console.log(manual());
            return 0;
        }
        /* The first Ctrl-C stops what is going on, the second the program. */
        if (args.command !== "chat")
            process.on("SIGINT", () => {
                if (controller.signal.aborted) process.exit(130);
                controller.abort();
            });
        await perform(args, controller.signal);
        return controller.signal.aborted ? 130 : Number(process.exitCode ?? 0);
    } catch (cause) {
        return report(cause);
    }
}

/* Whoever reads us may leave: then there is nothing more to do. */
process.stdout.on("error", (error: NodeJS.ErrnoException) => {
    process.exit(error.code === "EPIPE" ? 0 : 1);
});
process.exitCode = await main();
/* A model that is still open would keep the program. */
process.stdout.write("", () => process.exit());
