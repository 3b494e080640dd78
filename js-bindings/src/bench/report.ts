/* report.ts — measurements for people: a table, and a plot as SVG. */
import type { BenchReport, BenchResult } from "./measure.js";

/** One line of the table; a ratio where an earlier report has the same. */
export interface BenchRow {
    readonly threads: number;
    readonly what: string;
    readonly value: number;
    readonly unit: string;
    /** Now to then: above 1 is better. */
    readonly ratio: number | undefined;
}

function figures(result: BenchResult): Omit<BenchRow, "ratio">[] {
    const { threads } = result;
    const rows = (what: string, rates: Record<string, number>) =>
        Object.entries(rates).map(([n, value]) => ({
            threads,
            what: `${what} ${n}`,
            value,
            unit: "tokens/s",
        }));
    return [
        ...rows("prompt of", result.prompt),
        ...rows("decoding after", result.decode),
        { threads, what: "load", value: result.loadMs, unit: "ms" },
        {
            threads,
            what: "memory",
            value: result.memoryBytes / 1e6,
            unit: "MB",
        },
    ];
}

/** @param earlier report to compare with */
export function benchRows(
    report: BenchReport,
    earlier?: BenchReport,
): BenchRow[] {
    const then = new Map(
        (earlier?.results ?? [])
            .flatMap(figures)
            .map((row) => [`${row.threads} ${row.what}`, row.value]),
    );
    return report.results.flatMap(figures).map((row) => {
        const before = then.get(`${row.threads} ${row.what}`);
        if (before === undefined) return { ...row, ratio: undefined };
        const ratio =
            row.unit === "tokens/s" ? row.value / before : before / row.value;
        return { ...row, ratio };
    });
}

/** Plain text, columns aligned. */
export function benchTable(report: BenchReport, earlier?: BenchReport): string {
    const lines = benchRows(report, earlier).map((row) => {
        const cells = [
            `${row.threads} thread${row.threads > 1 ? "s" : ""}`.padEnd(11),
            row.what.padEnd(20),
            row.value.toFixed(row.unit === "tokens/s" ? 1 : 0).padStart(9),
            row.unit.padEnd(9),
        ];
        if (row.ratio !== undefined) cells.push(`${row.ratio.toFixed(2)} x`);
        return cells.join(" ").trimEnd();
    });
    const head = `${report.model}, ${report.machine}, ${report.runtime}`;
    return [head, ...lines].join("\n");
}

const escape = (text: string) =>
    text.replace(
        /[&<>"]/g,
        (c) =>
            ({ "&": "&amp;", "<": "&lt;", ">": "&gt;", '"': "&quot;" })[c] ?? c,
    );

const WIDTH = 640;
const ROW = 26;
const LABEL = 224;
const TOP = 44;
const GAP = 12;
const HEAD = 24;

/** Each kind of figure has a scale of its own. */
const panels = [
    { unit: "tokens/s", title: "tokens per second: more is better" },
    { unit: "ms", title: "milliseconds to load: less is better" },
    { unit: "MB", title: "megabytes of memory: less is better" },
] as const;

function colour({ unit, what }: BenchRow): string {
    if (unit === "ms") return "#3f6fb5";
    if (unit === "MB") return "#8a5fa8";
    return what.startsWith("prompt") ? "#2f7d6b" : "#c2702d";
}

function bar(row: BenchRow, most: number, y: number): string {
    const width = ((WIDTH - LABEL - 90) * row.value) / most;
    const label = `${row.what}, ${row.threads} thread${row.threads > 1 ? "s" : ""}`;
    const value = row.value.toFixed(row.unit === "tokens/s" ? 1 : 0);
    return (
        `<text x="${LABEL - 10}" y="${y + 16}" text-anchor="end">${label}</text>` +
        `<rect x="${LABEL}" y="${y + 4}" width="${width.toFixed(1)}" height="16" rx="3" fill="${colour(row)}"/>` +
        `<text x="${(LABEL + width + 8).toFixed(1)}" y="${y + 16}">${value}</text>`
    );
}

/** All figures as bars: rates, load, memory; it reads in light and in dark, and
 * without colours. */
export function benchPlot(report: BenchReport): string {
    const all = benchRows(report);
    const parts: string[] = [];
    let y = TOP;
    for (const { unit, title } of panels) {
        const rows = all.filter((row) => row.unit === unit);
        if (rows.length === 0) continue;
        const most = Math.max(1, ...rows.map(({ value }) => value));
        parts.push(
            `<text x="${LABEL}" y="${y + 16}" opacity="0.75" font-size="11">${title}</text>`,
        );
        y += HEAD;
        for (const row of rows) {
            parts.push(bar(row, most, y));
            y += ROW;
        }
        y += GAP;
    }
    const title = `${report.model}: prefill, decode, load and memory`;
    return (
        `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${WIDTH} ${y}" role="img" ` +
        `aria-label="${escape(title)}" font-family="system-ui, sans-serif" font-size="13" fill="currentColor">` +
        `<title>${escape(title)}</title>` +
        `<text x="0" y="18" font-weight="600">${escape(title)}</text>` +
        `<text x="0" y="34" opacity="0.75" font-size="11">${escape(`${report.machine}, ${report.runtime}`)}</text>` +
        `${parts.join("")}</svg>`
    );
}

/** A report that was saved; throws where it is none. */
export function parseReport(text: string): BenchReport {
    const report: unknown = JSON.parse(text);
    const results = (report as BenchReport | null)?.results;
    if (
        !Array.isArray(results) ||
        !results.every(
            (r) => typeof r?.threads === "number" && r.prompt && r.decode,
        )
    )
        throw new TypeError("this is no report of pipit bench");
    return report as BenchReport;
}
