/* measure.ts — how fast a model is here: the same in a page and in Node.
 *
 * The first repetition of each figure is thrown away (engines of JavaScript
 * compile then); what is reported is the median of the others. Decoding goes
 * without drafts, which would measure the text and not the engine. */
import type {
    AdapterUse,
    CancelOptions,
    Model,
    Session,
} from "../types.js";

export interface BenchPlan extends CancelOptions {
    /** Numbers of threads to measure with. */
    readonly threads: readonly number[];
    /** Lengths of prompts, in tokens. */
    readonly prompts: readonly number[];
    /** Tokens in the context before decoding. */
    readonly contexts: readonly number[];
    /** Tokens to decode each time. */
    readonly decode: number;
    readonly repetitions: number;
    readonly onProgress?: (progress: BenchProgress) => void;
    /** Adapters to measure with, of each model that is opened. */
    readonly adapters?: (model: Model) => Promise<AdapterUse[]>;
}

export interface BenchProgress {
    /** Figures that are there, and in all. */
    readonly done: number;
    readonly total: number;
    /** What is measured now. */
    readonly what: string;
}

export interface BenchResult {
    readonly threads: number;
    readonly kernels: string;
    /** Tokens per second, by length of prompt. */
    readonly prompt: Record<string, number>;
    /** Tokens per second, by tokens in the context. */
    readonly decode: Record<string, number>;
    readonly loadMs: number;
    readonly memoryBytes: number;
}

/** What `pipit bench --json` prints. */
export interface BenchReport {
    readonly model: string;
    readonly parameters: number;
    /** Where: a processor's name, a browser's. */
    readonly machine: string;
    readonly runtime: string;
    readonly date: string;
    readonly results: readonly BenchResult[];
}

export const defaultPlan = {
    prompts: [128, 512],
    contexts: [0],
    decode: 64,
    repetitions: 3,
} as const;

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

/** Tokens per second. */
async function rate(
    repetitions: number,
    tokens: number,
    prepare: () => Promise<void>,
    work: () => Promise<unknown>,
): Promise<number> {
    const all = [];
    for (let i = 0; i <= repetitions; i++) {
        await prepare();
        const start = performance.now();
        await work();
        if (i > 0) all.push((1000 * tokens) / (performance.now() - start));
    }
    return median(all);
}

async function decodeAll(
    session: Session,
    maxTokens: number,
    signal: AbortSignal | undefined,
): Promise<void> {
    const answer = session.generate({
        maxTokens,
        ignoreEndOfGeneration: true,
        promptLookup: false,
        signal,
    });
    for await (const _ of answer);
}

async function measureModel(
    model: Model,
    plan: BenchPlan,
    begin: (what: string) => void,
): Promise<BenchResult> {
    const { prompts, contexts, decode, repetitions, signal } = plan;
    const most = Math.max(
        1,
        ...prompts,
        ...contexts.map((n) => n + decode + 1),
    );
    const adapters = (await plan.adapters?.(model)) ?? [];
    const session = await model.createSession({
        contextLength: most,
        adapters,
    });
    const result: BenchResult = {
        threads: model.threads,
        kernels: model.kernels,
        prompt: {},
        decode: {},
        loadMs: model.loadTimings.totalMs,
        memoryBytes: model.memory.total,
    };
    const tokens = someTokens(most, model.vocabularySize);
    for (const n of prompts) {
        begin(`prompt of ${n}`);
        result.prompt[n] = await rate(
            repetitions,
            n,
            () => session.rewind(0),
            () => session.eval(tokens.slice(0, n), { signal }),
        );
    }
    for (const n of contexts) {
        begin(`decoding after ${n}`);
        const before = tokens.slice(0, Math.max(1, n));
        result.decode[n] = await rate(
            repetitions,
            decode,
            async () => {
                // What was decoded leaves, what was before stays.
                await session.rewind(Math.min(session.length, n));
                await session.sync(before, { signal });
            },
            () => decodeAll(session, decode, signal),
        );
    }
    await session.close();
    return result;
}

/**
 * Measures with each number of threads. `open` loads the model with that many;
 * it is closed here.
 */
export async function measure(
    open: (threads: number) => Promise<Model>,
    plan: BenchPlan,
    where: Pick<BenchReport, "model" | "machine" | "runtime">,
): Promise<BenchReport> {
    const each = plan.prompts.length + plan.contexts.length;
    const total = each * plan.threads.length;
    const results: BenchResult[] = [];
    let parameters = 0;
    let done = 0;
    for (const threads of plan.threads) {
        const model = await open(threads);
        try {
            parameters = model.parameters;
            results.push(
                await measureModel(model, plan, (what) =>
                    plan.onProgress?.({
                        done: done++,
                        total,
                        what: `${threads} thread${threads > 1 ? "s" : ""}, ${what}`,
                    }),
                ),
            );
        } finally {
            await model.close();
        }
    }
    plan.onProgress?.({ done: total, total, what: "done" });
    const date = new Date().toISOString();
    return { ...where, parameters, date, results };
}
