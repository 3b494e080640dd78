/* metrics.ts — how an answer is judged. */
import { refuse } from "../train/examples.js";
import type { TrainingExample } from "../train/types.js";
import type { Evaluation, Metric } from "./types.js";

export interface Judgement {
    readonly score: number;
    readonly fields: Readonly<Record<string, boolean>> | undefined;
}

type Json = ReturnType<typeof JSON.parse>;

/** A value in one spelling: keys sorted. */
function spelled(value: Json): string {
    return JSON.stringify(value, (_, inner: unknown) =>
        typeof inner === "object" && inner !== null && !Array.isArray(inner)
            ? Object.fromEntries(
                  Object.entries(inner).sort(([a], [b]) => (a < b ? -1 : 1)),
              )
            : inner,
    );
}

/** undefined: no JSON. A fence of Markdown around it is no part of it. */
function parsed(text: string): Json {
    const inner = /^```(?:json)?\s*([\s\S]*?)\s*```$/.exec(text)?.[1] ?? text;
    try {
        return JSON.parse(inner);
    } catch {
        return undefined;
    }
}

const isObject = (value: Json): value is Record<string, Json> =>
    typeof value === "object" && value !== null && !Array.isArray(value);

function judgeJson(answer: string, expected: string): Judgement {
    const wanted = parsed(expected);
    if (wanted === undefined)
        refuse(`the metric is "json", but the expected answer is none`);
    const given = parsed(answer);
    const score =
        given !== undefined && spelled(given) === spelled(wanted) ? 1 : 0;
    if (!isObject(wanted)) return { score, fields: undefined };
    const fields = Object.entries(wanted).map(([key, value]) => {
        const has = isObject(given) && Object.hasOwn(given, key);
        return [key, has && spelled(given[key]) === spelled(value)] as const;
    });
    return { score, fields: Object.fromEntries(fields) };
}

export async function judge(
    metric: Metric,
    answer: string,
    expected: string,
    example: TrainingExample,
): Promise<Judgement> {
    const [a, b] = [answer.trim(), expected.trim()];
    const plain = (score: boolean) => ({
        score: score ? 1 : 0,
        fields: undefined,
    });
    switch (metric) {
        case "exact":
            return plain(a === b);
        case "contains":
            return plain(a.includes(b));
        case "json":
            return judgeJson(a, b);
        default: {
            const score = Number(await metric(a, b, example));
            if (!(score >= 0 && score <= 1))
                refuse("the metric gives true, false or a number from 0 to 1");
            return { score, fields: undefined };
        }
    }
}

/** Whether no words more can make it right. Fields of JSON are counted, so that
 * only what is no JSON is given up. */
export function isHopeless(
    metric: Metric,
    answer: string,
    expected: string,
): boolean {
    const said = answer.trimStart();
    if (metric === "json") return /^[^{["\d`tfn-]/.test(said);
    if (metric !== "exact") return false;
    const wanted = expected.trim();
    return said.length > wanted.length
        ? said.trimEnd() !== wanted
        : !wanted.startsWith(said);
}

export function metricName(metric: Metric): Evaluation["metric"] {
    if (typeof metric === "function") return "function";
    if (!["exact", "contains", "json"].includes(metric))
        refuse('metric is "exact", "contains", "json" or a function');
    return metric;
}
