// The figures of the last answers, kept for the plots.

/**
 * @typedef {object} Sample
 * @property {number} rate    tokens per second
 * @property {number} firstMs to the first token
 * @property {number} memory  bytes
 */

const KEY = "pipit-answers";
const MOST = 24;

/** @param {any} value @returns {value is Sample} */
const isSample = (value) =>
    [value?.rate, value?.firstMs, value?.memory].every(
        (number) => Number.isFinite(number) && number >= 0,
    );

export class Samples {
    /** @type {Sample[]} */
    list = [];

    constructor() {
        try {
            const kept = JSON.parse(localStorage.getItem(KEY) ?? "[]");
            if (Array.isArray(kept)) this.list = kept.filter(isSample);
        } catch {
            // Nothing is kept, or it may not be read.
        }
    }

    /** @param {Sample} sample */
    add(sample) {
        this.list = [...this.list, sample].slice(-MOST);
        try {
            localStorage.setItem(KEY, JSON.stringify(this.list));
        } catch {
            // Then they hold until the page is left.
        }
    }
}
