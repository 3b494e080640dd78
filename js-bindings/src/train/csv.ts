/* csv.ts — tables with a prompt and a completion in each row; a file of its own
 * for its parser's sake. */
import Papa from "papaparse";
import type { Row, Rows } from "./data.js";
import type { DataProblem, ReadExamplesOptions } from "./types.js";

const PROMPT = ["prompt", "input", "question", "message", "text", "mail"];
const COMPLETION = ["completion", "output", "answer", "label", "response"];

function columnOf(
    names: readonly string[],
    wanted: string | undefined,
    usual: readonly string[],
    option: string,
): number | DataProblem {
    const plain = names.map((name) => name.trim().toLowerCase());
    const found = (wanted === undefined ? usual : [wanted.trim().toLowerCase()])
        .map((name) => plain.indexOf(name))
        .find((i) => i >= 0);
    if (found !== undefined) return found;
    const missing =
        wanted === undefined ? usual.join(", ") : JSON.stringify(wanted);
    const there = names.map((name) => JSON.stringify(name)).join(", ");
    return {
        ...{ line: 1, severity: "error", code: "malformed" },
        message: `no column ${missing}: name one with ${option}; there are ${there}`,
    };
}

/** The first row names the columns; commas, semicolons or tabs between them. */
export function readCsv(text: string, options: ReadExamplesOptions): Rows {
    const rows: Row[] = [];
    const problems: DataProblem[] = [];
    let columns: string[] | undefined;
    let at: number[] = [];
    let line = 1;
    let end = 0;
    // Empty lines would spoil the guess, but count as lines.
    const guess = Papa.parse(text, { preview: 20, skipEmptyLines: true });
    Papa.parse<string[]>(text, {
        delimiter: guess.meta.delimiter,
        step({ data, errors, meta }) {
            const first = line;
            // A field may hold lines: they are counted, not the rows.
            const { cursor } = meta;
            line += text.slice(end, cursor).split(/\r\n|\n|\r/).length - 1;
            end = cursor;
            for (const { message } of errors)
                problems.push({
                    ...{ line: first, severity: "error", code: "malformed" },
                    message: `no CSV: ${message}`,
                });
            if (data.length === 0 || (data.length === 1 && !data[0]?.trim()))
                return;
            if (!columns) {
                columns = data;
                const { promptColumn, completionColumn } = options;
                const found = [
                    columnOf(columns, promptColumn, PROMPT, "promptColumn"),
                    columnOf(
                        columns,
                        completionColumn,
                        COMPLETION,
                        "completionColumn",
                    ),
                ];
                at = found.filter((one) => typeof one === "number");
                problems.push(
                    ...found.filter((one) => typeof one === "object"),
                );
                return;
            }
            if (errors.length > 0 || at.length < 2) return;
            const [prompt, completion] = at.map((i) => data[i] ?? "");
            rows.push({ line: first, value: { prompt, completion } });
        },
    });
    return { rows, problems, columns };
}
