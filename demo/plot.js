// A small plot of one figure over the last answers: bars as SVG, and the same
// in words.

/**
 * @typedef {object} Bar
 * @property {number} x
 * @property {number} y
 * @property {number} width
 * @property {number} height
 */

/**
 * Where the bars stand: the newest at the right, nothing lower than a pixel.
 * @param {readonly number[]} values
 * @param {{ width: number, height: number, most: number, gap?: number }} box
 * @returns {Bar[]}
 */
export function layBars(values, { width, height, most, gap = 2 }) {
    const shown = values.slice(-most);
    const top = Math.max(...shown, 0);
    const step = width / most;
    return shown.map((value, i) => {
        const part = top > 0 ? value / top : 0;
        const tall = Math.max(part * height, 1);
        return {
            x: width - (shown.length - i) * step + gap / 2,
            y: height - tall,
            width: step - gap,
            height: tall,
        };
    });
}

/** @param {readonly number[]} values */
export function median(values) {
    const sorted = [...values].sort((a, b) => a - b);
    const half = sorted.length >> 1;
    const [low = 0, high = 0] = [sorted[half - 1], sorted[half]];
    return sorted.length % 2 ? high : (low + high) / 2;
}

/**
 * @param {string} name
 * @param {readonly number[]} values
 * @param {(value: number) => string} format
 */
export function plotWords(name, values, format) {
    if (values.length === 0) return `${name}: no answers yet`;
    const [low, high] = [Math.min(...values), Math.max(...values)];
    const n = values.length;
    return (
        `${name} of the last ${n === 1 ? "answer" : `${n} answers`}: ` +
        `${format(low)} to ${format(high)}, median ${format(median(values))}, ` +
        `last ${format(values.at(-1) ?? 0)}`
    );
}

const SVG = "http://www.w3.org/2000/svg";
const BOX = { width: 216, height: 40, most: 24 };

/**
 * @param {string} name
 * @param {readonly number[]} values
 * @param {(value: number) => string} format
 */
export function drawPlot(name, values, format) {
    const svg = document.createElementNS(SVG, "svg");
    svg.setAttribute("class", "plot");
    svg.setAttribute("viewBox", `0 0 ${BOX.width} ${BOX.height}`);
    svg.setAttribute("preserveAspectRatio", "none");
    svg.setAttribute("role", "img");
    svg.setAttribute("aria-label", plotWords(name, values, format));
    const bars = layBars(values, BOX);
    bars.forEach((bar, i) => {
        const rect = document.createElementNS(SVG, "rect");
        for (const [key, value] of Object.entries(bar))
            rect.setAttribute(key, value.toFixed(2));
        rect.setAttribute("rx", "1.5");
        if (i === bars.length - 1) rect.setAttribute("class", "last");
        svg.append(rect);
    });
    return svg;
}
