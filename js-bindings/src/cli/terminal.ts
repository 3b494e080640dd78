/* terminal.ts — what is written besides answers: progress, notes, colour. All of
 * it goes to standard error. */
import type { Progress } from "../types.js";

export const isTerminal = process.stderr.isTTY === true;
const colourful = isTerminal && !process.env["NO_COLOR"];

export const dim = (text: string) =>
    colourful ? `\x1b[2m${text}\x1b[22m` : text;
export const bold = (text: string) =>
    colourful ? `\x1b[1m${text}\x1b[22m` : text;

export function note(text: string): void {
    process.stderr.write(`${text}\n`);
}

export function bytes(n: number): string {
    const units = ["B", "kB", "MB", "GB"];
    let unit = 0;
    while (n >= 1000 && unit < units.length - 1) {
        n /= 1000;
        unit++;
    }
    return `${n.toFixed(unit > 0 && n < 100 ? 1 : 0)} ${units[unit]}`;
}

const phases = {
    download: "downloading",
    header: "reading",
    weights: "loading",
    evaluate: "reading the prompt",
};

function line(progress: Progress): string {
    const { phase, loaded, total, rate } = progress;
    const amount = phase === "evaluate" ? String : bytes;
    const parts = [phases[phase]];
    if (total > 0) {
        const share = Math.min(1, loaded / total);
        const full = Math.round(24 * share);
        parts.push(`[${"#".repeat(full)}${"-".repeat(24 - full)}]`);
        parts.push(`${Math.round(100 * share)} %`.padStart(5));
        parts.push(`${amount(loaded)} of ${amount(total)}`);
    } else parts.push(amount(loaded));
    if (rate > 0) {
        parts.push(`${amount(Math.round(rate))}/s`);
        if (total > loaded)
            parts.push(`${Math.ceil((total - loaded) / rate)} s`);
    }
    return parts.join("  ");
}

/** A line that is written over; on no terminal, downloads say where they are
 * every ten percent. */
export class ProgressLine {
    #shown = 0;
    #tenth = -1;

    constructor(readonly quiet: boolean) {}

    readonly show = (progress: Progress): void => {
        if (this.quiet) return;
        if (isTerminal) {
            const now = performance.now();
            if (now - this.#shown < 80 && progress.loaded < progress.total)
                return;
            this.#shown = now;
            process.stderr.write(`\r\x1b[K${line(progress)}`);
            return;
        }
        if (progress.phase !== "download" || progress.total === 0) return;
        const tenth = Math.floor((10 * progress.loaded) / progress.total);
        if (tenth > this.#tenth) note(line(progress));
        this.#tenth = tenth;
    };

    clear(): void {
        if (this.#shown > 0 && isTerminal) process.stderr.write("\r\x1b[K");
        this.#shown = 0;
    }
}

/** Reasoning before an answer, dimmed, beside standard output. */
export class Thought {
    #begun = false;

    readonly write = (text: string): void => {
        this.#begun = true;
        process.stderr.write(dim(text));
    };

    /** Before the answer, and when there is none. */
    end(): void {
        if (this.#begun) process.stderr.write("\n\n");
        this.#begun = false;
    }
}

/** Steps of long work as a line that is written over; on no terminal, a line
 * every ten percent. */
export class StepLine {
    #shown = 0;
    #tenth = 0;

    constructor(
        readonly what: string,
        readonly quiet: boolean,
    ) {}

    show(
        done: number,
        total: number,
        secondsLeft: number,
        words: readonly string[],
    ): void {
        if (this.quiet) return;
        const full = Math.round((24 * done) / total);
        const left = Number.isFinite(secondsLeft) ? secondsLeft : 0;
        const text = [
            this.what,
            `[${"#".repeat(full)}${"-".repeat(24 - full)}]`,
            `${done} of ${total}`,
            ...words,
            ...(done < total ? [`${Math.ceil(left)} s left`] : []),
        ].join("  ");
        if (isTerminal) {
            this.#shown++;
            process.stderr.write(`\r\x1b[K${text}`);
            return;
        }
        const tenth = Math.floor((10 * done) / total);
        if (tenth > this.#tenth) note(text);
        this.#tenth = tenth;
    }

    clear(): void {
        if (this.#shown > 0) process.stderr.write("\r\x1b[K");
        this.#shown = 0;
    }
}
