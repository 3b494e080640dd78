// A table of comma-separated values as text: every row with the names of its
// columns, so that a passage is understood without the first line.

/**
 * @param {string} text as RFC 4180 has it; the separator is found out
 * @returns {string[][]} rows of fields
 */
export function parseTable(text) {
    const separator = separatorOf(text);
    /** @type {string[][]} */
    const rows = [];
    /** @type {string[]} */
    let row = [];
    let field = "";
    let quoted = false;
    const endRow = () => {
        row.push(field);
        field = "";
        if (row.some((value) => value.trim() !== "")) rows.push(row);
        row = [];
    };
    for (let i = 0; i < text.length; i++) {
        const letter = text[i];
        if (quoted) {
            if (letter !== '"') field += letter;
            else if (text[i + 1] === '"') field += text[++i];
            else quoted = false;
        } else if (letter === '"' && field.trim() === "") {
            field = "";
            quoted = true;
        } else if (letter === separator) {
            row.push(field);
            field = "";
        } else if (letter === "\n") {
            endRow();
        } else if (letter !== "\r") {
            field += letter;
        }
    }
    endRow();
    return rows;
}

/** The one that every one of the first lines has most of. @param {string} text */
function separatorOf(text) {
    const lines = text
        .slice(0, 20_000)
        .replace(/"[^"]*"/g, "")
        .split(/\r?\n/, 6)
        .filter((line) => line.trim());
    const counts = [",", ";", "\t", "|"].map((letter) => ({
        letter,
        n: Math.min(...lines.map((line) => line.split(letter).length)),
    }));
    counts.sort((a, b) => b.n - a.n);
    return counts[0]?.letter ?? ",";
}

const ROWS_TOGETHER = 5;

/**
 * @param {string} text
 * @returns {import("./passages.js").Section[]}
 */
export function tableSections(text) {
    const [names = [], ...rows] = parseTable(text);
    if (rows.length === 0)
        return names.length ? [{ text: names.join("; "), place: "row 1" }] : [];
    const sections = [];
    for (let i = 0; i < rows.length; i += ROWS_TOGETHER) {
        const some = rows.slice(i, i + ROWS_TOGETHER);
        const lines = some.map((row) =>
            row
                .map((value, k) => [names[k]?.trim(), value.trim()])
                .filter(([, value]) => value)
                .map(([name, value]) => (name ? `${name}: ${value}` : value))
                .join("; "),
        );
        const last = i + 1 + some.length;
        sections.push({
            text: lines.join("\n"),
            place: some.length > 1 ? `rows ${i + 2} to ${last}` : `row ${last}`,
        });
    }
    return sections;
}
