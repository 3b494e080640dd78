/* bench.ts — tokens per second, load time and memory. The first repetition of
 * each figure is thrown away (the engine of JavaScript compiles then); what is
 * reported is the median of the others. */
import * as os from "node:os";
import type { Model } from "../types.js";
import { listOf, numberOf, type Args } from "./args.js";
import { adaptersOf, modelName, openModel } from "./model.js";
import { bytes, note } from "./terminal.js";

export interface BenchResult {
    threads: number;
    kernels: string;
    /** Tokens per second, by length of prompt. */
    prompt: Record<string, number>;
    /** Tokens per second from an empty context. */
    decode: number;
    loadMs: number;
    memoryBytes: number;
    residentBytes: number;
}

const median = (values: number[]) =>
    values.sort((a, b) => a - b)[values.length >> 1] ?? NaN;

/** Ids of plain words, the same in every run. */
function someTokens(n: number, vocabulary: number): number[] {
    let state = 1;
    return Array.from({ length: n }, () => {
        state = (Math.imul(state, 1103515245) + 12345) >>> 0;
        const low = Math.min(300, vocabulary >> 2);
        return low + ((state >>> 8) % (vocabulary - 2 * low));
    });
}

async function rates(
    reps: number,
    tokens: number,
    prepare: () => Promise<void>,
    work: () => Promise<void>,
): Promise<number> {
    const all = [];
    for (let i = 0; i <= reps; i++) {
        await prepare();
        const start = performance.now();
        await work();
        if (i > 0) all.push((1000 * tokens) / (performance.now() - start));
    }
    return median(all);
}

async function measure(
    model: Model,
    args: Args,
    signal: AbortSignal,
): Promise<BenchResult> {
    const lengths = listOf(args.values, "prompt", 1, 100000) ?? [128, 512];
    const decode = numberOf(args.values, "decode", 1, 100000) ?? 64;
    const reps = numberOf(args.values, "reps", 1, 1000) ?? 3;
    const session = await model.createSession({
        ...(await adaptersOf(args, model, signal)),
        contextLength: Math.min(
            model.contextLength,
            Math.max(1024, ...lengths, decode + 1),
        ),
    });
    const prompt: Record<string, number> = {};
    for (const n of lengths) {
        const tokens = someTokens(n, model.vocabularySize);
        prompt[n] = await rates(
            reps,
            n,
            () => session.rewind(0),
            () => session.eval(tokens),
        );
    }
    const rate = await rates(
        reps,
        decode,
        async () => {
            await session.rewind(0);
            await session.eval([1]);
        },
        async () => {
            const answer = session.generate({
                maxTokens: decode,
                ignoreEndOfGeneration: true,
            });
            for await (const _ of answer);
        },
    );
    return {
        threads: model.threads,
        kernels: model.kernels,
        prompt,
        decode: rate,
        loadMs: model.loadTimings.totalMs,
        memoryBytes: model.memory.total,
        residentBytes: process.memoryUsage.rss(),
    };
}

function show(result: BenchResult): void {
    const { prompt, decode, threads, kernels } = result;
    console.log(
        [
            `${threads} thread${threads > 1 ? "s" : ""}`.padEnd(10),
            ...Object.entries(prompt).map(
                ([n, rate]) => `prompt ${n}: ${rate.toFixed(1)}`,
            ),
            `decode: ${decode.toFixed(1)} tokens/s`,
            `load ${Math.round(result.loadMs)} ms`,
            `memory ${bytes(result.memoryBytes)}`,
            kernels,
        ].join("  "),
    );
}

export async function bench(args: Args, signal: AbortSignal): Promise<void> {
    const list = listOf(args.values, "threads", 1, 64) ?? [
        1,
        ...(os.availableParallelism() > 1 ? [os.availableParallelism()] : []),
    ];
    const results = [];
    for (const threads of list) {
        if (!args.values.quiet && !args.values.json)
            note(`measuring with ${threads} threads`);
        const one = { ...args, values: { ...args.values, quiet: true } };
        delete one.values.threads;
        const model = await openModel(one, signal, { threads });
        const result = await measure(model, args, signal);
        await model.close();
        results.push(result);
        if (!args.values.json) show(result);
    }
    if (args.values.json)
        console.log(
            JSON.stringify(
                {
                    model: modelName(args),
                    node: process.version,
                    cpu: os.cpus()[0]?.model,
                    cpus: os.cpus().length,
                    loadAverage: os.loadavg()[0],
                    results,
                },
                null,
                2,
            ),
        );
}
