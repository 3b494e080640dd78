/* index.ts — `pipit/evaluate`: how good a model is at examples, with and without
 * adapters, side by side. */
import { PipitError } from "../errors.js";
import { sequencesOf, refuse, type Sequence } from "../train/examples.js";
import type { TrainingExample } from "../train/types.js";
import type { Model } from "../types.js";
import { Examinee, lastAnswer } from "./answer.js";
import { isHopeless, judge, metricName } from "./metrics.js";
import type {
    Candidate,
    CandidateResult,
    EvaluateOptions,
    Evaluation,
    JudgedExample,
    Metric,
} from "./types.js";

export { evaluationRows, evaluationTable } from "./table.js";
export type * from "./types.js";
export type { TrainingExample } from "../train/types.js";

/** Tokens that a generated answer may have more than the longest expected. */
const MORE = 8;
/** Sessions at work: their answers are steps of several. */
const SESSIONS = 4;
const MOST = 32;
/** Of all their contexts. */
const POSITIONS = 8192;

/**
 * Puts every example to every candidate: how likely the expected answers are,
 * and whether the model's own are right. What examples have in common at their
 * beginning is computed once. Of chats with several answers the last is judged;
 * the loss counts all. Errors of examples name their line (`details.line`, from
 * 1).
 */
export async function evaluate(
    model: Model,
    examples: readonly TrainingExample[],
    options: EvaluateOptions = {},
): Promise<Evaluation> {
    const { metric = "exact", candidates, sessions = SESSIONS } = options;
    if (!Number.isInteger(sessions) || sessions < 1 || sessions > MOST)
        return refuse(`sessions is a whole number from 1 to ${MOST}`);
    const name = metricName(metric);
    if (!Array.isArray(examples) || examples.length === 0)
        return refuse("no examples");
    if (candidates && options.adapters)
        return refuse("adapters belong to a candidate where there are several");
    if (candidates?.length === 0) return refuse("no candidates");
    const list: readonly Candidate[] = candidates ?? [
        {
            name: options.adapters?.length ? "adapted" : "base",
            adapters: options.adapters,
        },
    ];
    const results: CandidateResult[] = [];
    const clock = new Clock(examples.length * list.length);
    /* The same tokens serve all candidates of one model. */
    const encoded = new Map<Model, Promise<Sequence[]>>();
    for (const candidate of list) {
        const its = candidate.model ?? model;
        const sequences =
            encoded.get(its) ??
            sequencesOf(its, examples, its.contextLength, options.signal);
        encoded.set(its, sequences);
        results.push(
            await examine(
                its,
                candidate,
                examples,
                await sequences,
                { ...options, metric, sessions },
                clock,
            ),
        );
    }
    return { metric: name, candidates: results };
}

class Clock {
    readonly #startedAt = performance.now();
    done = 0;

    constructor(readonly total: number) {}

    get secondsLeft(): number {
        const seconds = (performance.now() - this.#startedAt) / 1000;
        return ((this.total - this.done) * seconds) / Math.max(this.done, 1);
    }
}

async function examine(
    model: Model,
    { name, adapters }: Candidate,
    examples: readonly TrainingExample[],
    sequences: readonly Sequence[],
    options: EvaluateOptions & {
        readonly metric: Metric;
        readonly sessions: number;
    },
    clock: Clock,
): Promise<CandidateResult> {
    const { metric, signal, generate = {} } = options;
    const longestAnswer = Math.max(
        ...sequences.map((sequence) => {
            const { start, end } = lastAnswer(sequence);
            return end - start;
        }),
    );
    const room =
        generate === false ? 0 : (generate.maxTokens ?? longestAnswer + MORE);
    const longest = Math.max(...sequences.map(({ tokens }) => tokens.length));
    const contextLength = Math.min(model.contextLength, longest + room + 1);
    const startedAt = performance.now();
    const judged: (JudgedExample & { readonly count: number })[] = [];
    const waiting = sequences.keys();
    let failed = false;

    const put = async (examinee: Examinee, index: number) => {
        const said = await examinee.ask(sequences[index]!);
        const { expected, count } = said;
        const { text: answer = "", finished = false } = said.answer ?? {};
        const { score, fields } =
            said.answer === undefined
                ? { score: NaN, fields: undefined }
                : await named(index, () =>
                      judge(metric, answer, expected, examples[index]!),
                  );
        judged.push({
            ...{ index, expected, answer, finished, score, fields, count },
            loss: said.loss / count,
        });
        clock.done++;
        await options.onProgress?.({
            name,
            done: clock.done,
            total: clock.total,
            accuracy: mean(judged.map((one) => one.score)),
            secondsLeft: clock.secondsLeft,
        });
    };
    /** One session, that takes the next example until there is none. */
    const work = async () => {
        const session = await model.createSession({
            ...{ contextLength, adapters, signal },
        });
        try {
            const examinee = new Examinee(
                model,
                session,
                generate === false ? undefined : generate,
                room,
                (answer, expected) => isHopeless(metric, answer, expected),
                signal,
            );
            for (const index of waiting) {
                if (failed) break;
                await put(examinee, index);
            }
        } catch (failure) {
            failed = true;
            throw failure;
        } finally {
            await session.close();
        }
    };
    const workers = Math.min(
        sequences.length,
        options.sessions,
        Math.max(1, Math.floor(POSITIONS / contextLength)),
    );
    const ends = await Promise.allSettled(
        Array.from({ length: workers }, work),
    );
    for (const end of ends) if (end.status === "rejected") throw end.reason;
    if (signal?.aborted)
        throw new PipitError("aborted", "aborted", { cause: signal.reason });
    judged.sort((x, y) => x.index - y.index);
    const tokens = judged.reduce((sum, { count }) => sum + count, 0);
    const loss =
        judged.reduce((sum, one) => sum + one.loss * one.count, 0) / tokens;
    const all = judged.map(({ count, ...one }) => one);
    return {
        name,
        accuracy: mean(all.map(({ score }) => score)),
        fields: byField(all),
        loss,
        perplexity: Math.exp(loss),
        seconds: (performance.now() - startedAt) / 1000,
        examples: all,
        wrong: all.filter(({ score }) => score < 1),
    };
}

async function named<R>(index: number, work: () => Promise<R>): Promise<R> {
    try {
        return await work();
    } catch (cause) {
        if (!(cause instanceof PipitError)) throw cause;
        throw new PipitError(
            cause.code,
            `line ${index + 1}: ${cause.message}`,
            {
                cause,
                details: { line: index + 1 },
            },
        );
    }
}

const mean = (list: readonly number[]) =>
    list.reduce((a, b) => a + b, 0) / list.length;

function byField(
    judged: readonly JudgedExample[],
): Record<string, number> | undefined {
    const sums = new Map<string, { right: number; n: number }>();
    for (const { fields } of judged)
        for (const [key, right] of Object.entries(fields ?? {})) {
            const sum = sums.get(key) ?? { right: 0, n: 0 };
            sums.set(key, { right: sum.right + Number(right), n: sum.n + 1 });
        }
    if (sums.size === 0) return undefined;
    return Object.fromEntries(
        [...sums].map(([key, { right, n }]) => [key, right / n]),
    );
}
