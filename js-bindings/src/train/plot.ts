/* plot.ts — the loss over the steps, as SVG. It reads in light and in dark. */

const WIDTH = 640;
const HEIGHT = 240;
const LEFT = 46;
const TOP = 30;
const RIGHT = 12;
const BOTTOM = 34;

const escape = (text: string) =>
    text.replace(
        /[&<>"]/g,
        (c) =>
            ({ "&": "&amp;", "<": "&lt;", ">": "&gt;", '"': "&quot;" })[c] ?? c,
    );

/** Of each step the mean with those around it: batches are noisy. */
function smooth(losses: readonly number[]): number[] {
    const reach = Math.max(1, Math.round(losses.length / 30));
    return losses.map((_, i) => {
        const some = losses.slice(Math.max(0, i - reach), i + reach + 1);
        return some.reduce((a, b) => a + b, 0) / some.length;
    });
}

export interface PlotOptions {
    readonly title?: string | undefined;
    /** Of the whole training, where it still runs. */
    readonly steps?: number | undefined;
    /** Of each epoch, and how many steps that has. */
    readonly validationLosses?: readonly number[] | undefined;
    readonly stepsPerEpoch?: number | undefined;
}

/** The losses of the steps as points, their course as a line, validation as
 * squares. */
export function lossPlot(
    losses: readonly number[],
    options: PlotOptions = {},
): string {
    const {
        title = "Loss",
        validationLosses = [],
        stepsPerEpoch = 1,
    } = options;
    const steps = Math.max(options.steps ?? losses.length, 2);
    const finite = [...losses, ...validationLosses].filter(Number.isFinite);
    const most = Math.max(0.1, ...finite);
    const x = (step: number) =>
        LEFT + ((WIDTH - LEFT - RIGHT) * (step - 1)) / (steps - 1);
    const y = (loss: number) =>
        TOP + (HEIGHT - TOP - BOTTOM) * (1 - Math.min(loss, most) / most);
    const at = (step: number, loss: number) =>
        `${x(step).toFixed(1)},${y(loss).toFixed(1)}`;
    const grid = [0, 0.25, 0.5, 0.75, 1].map((share) => {
        const line = y(share * most).toFixed(1);
        return (
            `<line x1="${LEFT}" x2="${WIDTH - RIGHT}" y1="${line}" y2="${line}" stroke="currentColor" opacity="0.18"/>` +
            `<text x="${LEFT - 6}" y="${Number(line) + 4}" text-anchor="end">${(share * most).toFixed(2)}</text>`
        );
    });
    const points = losses.flatMap((loss, i) => {
        if (!Number.isFinite(loss)) return [];
        const [cx, cy] = at(i + 1, loss).split(",");
        return `<circle cx="${cx}" cy="${cy}" r="2" opacity="0.45"/>`;
    });
    const course = smooth(losses.filter(Number.isFinite))
        .map((loss, i) => at(i + 1, loss))
        .join(" ");
    const squares = validationLosses.map((loss, i) => {
        const [cx, cy] = at(Math.min((i + 1) * stepsPerEpoch, steps), loss)
            .split(",")
            .map(Number) as [number, number];
        return `<rect x="${cx - 4}" y="${cy - 4}" width="8" height="8"/>`;
    });
    const legend =
        validationLosses.length > 0
            ? "points: batches, line: their course, squares: validation"
            : "points: batches, line: their course";
    return (
        `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${WIDTH} ${HEIGHT}" role="img" ` +
        `aria-label="${escape(title)}" font-family="system-ui, sans-serif" font-size="11" fill="currentColor">` +
        `<title>${escape(title)}</title>` +
        `<text x="0" y="14" font-size="13" font-weight="600">${escape(title)}</text>` +
        grid.join("") +
        `<g fill="#2f7d6b">${points.join("")}</g>` +
        `<polyline points="${course}" fill="none" stroke="#2f7d6b" stroke-width="2"/>` +
        `<g fill="#c2702d">${squares.join("")}</g>` +
        `<text x="${LEFT}" y="${HEIGHT - 8}">step 1</text>` +
        `<text x="${WIDTH - RIGHT}" y="${HEIGHT - 8}" text-anchor="end">step ${steps}</text>` +
        `<text x="${(LEFT + WIDTH) / 2}" y="${HEIGHT - 8}" text-anchor="middle" opacity="0.75">${legend}</text>` +
        `</svg>`
    );
}
