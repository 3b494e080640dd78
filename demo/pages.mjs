// The pages, put together: a line `<!-- part NAME -->` stands for what
// parts/NAME.html holds.
import { readFile } from "node:fs/promises";
import { dirname, join } from "node:path";

const PART = /^( *)<!-- part ([\w-]+) -->$/m;

/** Parts may hold parts, but none holds itself. */
const DEEPEST = 4;

/** @param {string} text @param {string} folder @param {number} depth @returns {Promise<string>} */
async function fill(text, folder, depth) {
    const found = PART.exec(text);
    if (!found) return text;
    const [line, indent = "", name = ""] = found;
    if (depth > DEEPEST) throw new Error(`part ${name} holds itself`);
    const part = await readFile(join(folder, "parts", `${name}.html`), "utf8");
    const whole = await fill(part.trimEnd(), folder, depth + 1);
    const filled = whole.replace(/^(?=.)/gm, indent);
    const after = text.slice(found.index + line.length);
    const rest = await fill(after, folder, depth);
    return text.slice(0, found.index) + filled + rest;
}

/**
 * A page as it is served.
 * @param {string} file its path; its parts lie beside it
 * @returns {Promise<string>} HTML
 */
export const composePage = async (file) =>
    fill(await readFile(file, "utf8"), dirname(file), 1);
