/* generation.ts — an answer, token by token.
 *
 * It runs a few tokens ahead of its caller, so that sampling never waits for a
 * message; what ran ahead in vain, the caller has rewound afterwards. Tokens
 * travel in batches: one message when the slice is over, not one a token. */
import type { Generated, GenerateSpec, SampledItem } from "../protocol.js";
import type { FinishReason } from "../types.js";
import type { Bytes, Generation, TokenArray, Tokenizer } from "./exports.js";
import { PENDING, type Instance } from "./instance.js";
import type { SessionHandle } from "./session.js";
import type { Task } from "./task.js";

/** Tokens that may be under way: 30 ms at 400 tokens/s. */
const RUN_AHEAD = 12;

/* In the order of pipit_finish. */
const reasons: readonly (FinishReason | undefined)[] = [
    undefined,
    "end",
    "stop",
    "length",
    "context",
];

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
                    spec.promptLookup ? 0 : 1,
                    out,
                    error,
                ),
            ),
        ),
    );
    instance.check(status);
    return heap.slot(out) as Generation;
}

function readItem(instance: Instance, spec: GenerateSpec): SampledItem {
    const { heap, out } = instance;
    const reported = spec.logprobs >= 0;
    return {
        token: heap.slot(out, 0),
        finishReason: reasons[heap.slot(out, 1)],
        text: heap.text(out, 2),
        logprob: reported ? heap.real(out, 4) : undefined,
        logprobs:
            spec.logprobs > 0
                ? heap.pairs(heap.slot(out, 5), heap.slot(out, 6))
                : undefined,
    };
}

/** Ends at a finish reason or when the task is stopped. */
async function sample(
    instance: Instance,
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
    while (!task.stopped) {
        const status = instance.x.pipit_generation_step(
            generation,
            instance.out,
        );
        instance.checkThat(status, "generating failed");
        if (status !== PENDING) {
            const item = readItem(instance, spec);
            batch.push(item);
            if (produced++ === 0) {
                firstAt = performance.now();
                flush();
            }
            if (item.finishReason) break;
        }
        if (task.pace.due) {
            flush();
            await task.turn();
        }
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
            times = await sample(instance, generation, spec, task);
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
