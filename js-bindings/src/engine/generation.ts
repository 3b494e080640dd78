/* generation.ts — an answer, token by token.
 *
 * It runs a few tokens ahead of its caller, so that sampling never waits for a
 * message; what ran ahead in vain, the caller has rewound afterwards. Tokens
 * travel in batches: one message when the slice is over, not one a token. Those of
 * several sessions are sampled in common steps (ensemble.ts). */
import type { Generated, GenerateSpec, SampledItem } from "../protocol.js";
import type { Bytes, Generation, TokenArray, Tokenizer } from "./exports.js";
import type { Ensemble } from "./ensemble.js";
import type { Instance } from "./instance.js";
import type { SessionHandle } from "./session.js";
import type { Task } from "./task.js";

/** Tokens that may be under way: 30 ms at 400 tokens/s. */
const RUN_AHEAD = 12;

const encoder = new TextEncoder();

function open(
    instance: Instance,
    session: SessionHandle,
    tokenizer: Tokenizer,
    spec: GenerateSpec,
): Generation {
    const { x, heap, out, error } = instance;
    const { sampling } = spec;
    const stops = spec.stop.map((text) => encoder.encode(text));
    const lengths = Uint32Array.from(stops, (stop) => stop.length);
    const joined = encoder.encode(spec.stop.join(""));
    const status = heap.lendPairs(sampling.bias, (bias) =>
        heap.lend(joined, (stop: Bytes) =>
            heap.lendTokens(lengths, (stopLengths: TokenArray) =>
                x.pipit_generation_open(
                    session.pointer,
                    tokenizer,
                    sampling.temperature,
                    sampling.topK,
                    sampling.topP,
                    sampling.minP,
                    sampling.repetitionPenalty,
                    sampling.presencePenalty,
                    sampling.frequencyPenalty,
                    sampling.penaltyWindow,
                    sampling.seed,
                    bias,
                    sampling.bias.length,
                    spec.maxTokens,
                    stop,
                    stopLengths,
                    stops.length,
                    spec.logprobs,
                    spec.ignoreEnd ? 1 : 0,
                    spec.promptLookup ? 1 : 0,
                    out,
                    error,
                ),
            ),
        ),
    );
    instance.check(status);
    return heap.slot(out) as Generation;
}

/** Ends at a finish reason or when the task is stopped. */
async function sample(
    instance: Instance,
    ensemble: Ensemble,
    generation: Generation,
    spec: GenerateSpec,
    task: Task,
): Promise<{ firstAt: number; pausedMs: number }> {
    let batch: SampledItem[] = [];
    let produced = 0;
    let firstAt = 0;
    let pausedMs = 0;
    const flush = () => {
        if (batch.length > 0) task.events.tokens(batch);
        batch = [];
    };
    const part = { generation, logprobs: spec.logprobs, task, flush };
    while (!task.stopped) {
        const item = await ensemble.next(part);
        if (typeof item === "number") {
            task.throwIfAborted();
            instance.checkThat(item, "generating failed");
            break;
        }
        batch.push(item);
        if (produced++ === 0) {
            firstAt = performance.now();
            flush();
        }
        if (item.finishReason) break;
        while (produced - task.taken >= RUN_AHEAD && !task.stopped) {
            flush();
            const pausedAt = performance.now();
            await task.wait();
            pausedMs += performance.now() - pausedAt;
        }
    }
    flush();
    return { firstAt, pausedMs };
}

export async function generate(
    instance: Instance,
    ensemble: Ensemble,
    session: SessionHandle,
    tokenizer: Tokenizer,
    spec: GenerateSpec,
    task: Task,
): Promise<Generated> {
    const startedAt = performance.now();
    let keptTokens = session.length;
    if (spec.tokens)
        keptTokens = await session.evaluate(task, spec.mode, spec.tokens);
    const promptTokens = session.length;
    let times = { firstAt: performance.now(), pausedMs: 0 };
    if (!task.stopped) {
        const generation = open(instance, session, tokenizer, spec);
        try {
            times = await sample(instance, ensemble, generation, spec, task);
        } finally {
            instance.x.pipit_generation_close(generation);
        }
    }
    const { firstAt, pausedMs } = times;
    return {
        promptTokens,
        keptTokens,
        length: session.length,
        promptMs: firstAt - startedAt,
        completionMs: performance.now() - firstAt - pausedMs,
    };
}
