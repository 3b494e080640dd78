// What clauses of the Prompt API are made of: their list, assertions, values.
// Imports nothing: it is the same file in Node, in a page and in a worker.

/**
 * @typedef {object} Place
 * @property {any} LanguageModel
 * @property {(options?: object) => Promise<any>} open a session of a model that
 *     never ends an answer by itself, greedy, with a context window of 256;
 *     destroyed after the clause
 * @property {any} model what `open` gives to `create`
 * @property {() => Promise<string>} address where a model can be downloaded,
 *     another one each time
 * @property {string} nowhere an address without a model
 *
 * @typedef {object} Clause
 * @property {string} name "section: what it says"
 * @property {boolean} needsModel
 * @property {boolean} legacy about the older names, which a browser may not show
 * @property {(place: Place) => unknown} run
 */

// ---- assertions --------------------------------------------------------------

export const shown = (/** @type {unknown} */ value) =>
    value instanceof Error || value instanceof DOMException
        ? `${value.constructor.name} ${value.name}: ${value.message}`
        : String(typeof value === "object" ? JSON.stringify(value) : value);

/** @param {unknown} fine @param {string} what */
export function ok(fine, what) {
    if (!fine) throw new Error(`not so: ${what}`);
}

/** @param {unknown} got @param {unknown} wanted @param {string} what */
export function equal(got, wanted, what) {
    const [a, b] = [JSON.stringify(got), JSON.stringify(wanted)];
    const same = typeof got === "object" ? a === b : Object.is(got, wanted);
    if (!same) throw new Error(`${what}: ${shown(got)}, not ${shown(wanted)}`);
}

/** @typedef {(error: any) => boolean} Kind */

/** @param {any} type @returns {Kind} */
export const js = (type) => (error) =>
    error instanceof type && error.constructor === type;
/** @param {string} name @returns {Kind} */
export const dom = (name) => (error) =>
    error instanceof DOMException && error.name === name;
/** @param {unknown} value @returns {Kind} */
export const same = (value) => (error) => error === value;

/** @param {() => any} work @param {Kind} kind @param {string} what */
export async function rejects(work, kind, what) {
    let promise;
    try {
        promise = work();
    } catch (error) {
        throw new Error(`${what}: thrown, not rejected: ${shown(error)}`);
    }
    ok(promise instanceof Promise, `${what}: a promise`);
    await fails(promise, kind, what);
}

/** @param {Promise<unknown>} promise @param {Kind} kind @param {string} what */
export async function fails(promise, kind, what) {
    let result;
    try {
        result = await promise;
    } catch (error) {
        if (!kind(error)) throw new Error(`${what}: ${shown(error)}`);
        return;
    }
    throw new Error(`${what}: fulfilled with ${shown(result)}`);
}

/** @param {() => any} work @param {Kind} kind @param {string} what */
export function throws(work, kind, what) {
    try {
        work();
    } catch (error) {
        if (!kind(error)) throw new Error(`${what}: ${shown(error)}`);
        return;
    }
    throw new Error(`${what}: not thrown`);
}

/** Conversion and validation come before the signal is looked at, and that
 * before the model.
 * @param {any} LanguageModel @param {object} options @param {string} what */
export async function accepts(LanguageModel, options, what) {
    const reason = new Error("the end of it");
    const all = { ...options, signal: AbortSignal.abort(reason) };
    await rejects(() => LanguageModel.create(all), same(reason), what);
}

/** @param {AsyncIterable<string>} stream */
export async function collect(stream) {
    const parts = [];
    for await (const part of stream) parts.push(part);
    return parts;
}

// ---- values ------------------------------------------------------------------

export const few = { maxTokens: 6 };
export const user = (/** @type {unknown} */ content = "hello") => ({
    ...{ role: "user", content },
});
export const assistant = (/** @type {unknown} */ content = "yes") => ({
    ...{ role: "assistant", content },
});
export const system = { role: "system", content: "be brief" };
export const text = (/** @type {unknown} */ value) => ({ type: "text", value });
export const tool = {
    ...{ name: "f", description: "does it", inputSchema: { type: "object" } },
    execute: async () => "done",
};
export const states = [
    "unavailable",
    "downloadable",
    "downloading",
    "available",
];

// ---- the list ----------------------------------------------------------------

/** @type {Clause[]} */
export const clauses = [];

/** @param {string} name @param {Clause["run"]} run */
export const plain = (name, run) =>
    clauses.push({ name, run, needsModel: false, legacy: false });
/** @param {string} name @param {Clause["run"]} run */
export const legacy = (name, run) =>
    clauses.push({ name, run, needsModel: false, legacy: true });
/** @param {string} name @param {Clause["run"]} run */
export const withModel = (name, run) =>
    clauses.push({ name, run, needsModel: true, legacy: false });
