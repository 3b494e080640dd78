/* table.ts — an evaluation as text, a column per candidate. */
import type { CandidateResult, Evaluation } from "./types.js";

const percent = (share: number) =>
    Number.isNaN(share) ? "–" : `${(100 * share).toFixed(1)} %`;

/** Rows of words: what, then one per candidate. */
export function evaluationRows({ metric, candidates }: Evaluation): string[][] {
    const row = (
        what: string,
        of: (result: CandidateResult) => string,
    ): string[] => [what, ...candidates.map(of)];
    const fields = new Set(
        candidates.flatMap(({ fields = {} }) => Object.keys(fields)),
    );
    const judged = metric === "function" ? "own metric" : metric;
    return [
        row("", ({ name }) => name),
        row(`right (${judged})`, ({ accuracy }) => percent(accuracy)),
        ...[...fields].map((key) =>
            row(`  ${key}`, ({ fields = {} }) => percent(fields[key] ?? NaN)),
        ),
        row("loss", ({ loss }) => loss.toFixed(4)),
        row("perplexity", ({ perplexity }) => perplexity.toPrecision(4)),
        row("examples", ({ examples }) => String(examples.length)),
        row("seconds", ({ seconds }) => seconds.toFixed(1)),
    ];
}

/** The rows in columns, for a terminal. */
export function evaluationTable(evaluation: Evaluation): string {
    const rows = evaluationRows(evaluation);
    const widths = rows[0]!.map((_, i) =>
        Math.max(...rows.map((row) => row[i]!.length)),
    );
    return rows
        .map((row) =>
            row
                .map((text, i) =>
                    i === 0
                        ? text.padEnd(widths[0]!)
                        : text.padStart(widths[i]!),
                )
                .join("   ")
                .trimEnd(),
        )
        .join("\n");
}
