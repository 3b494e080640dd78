// The Prompt API, clause by clause of its draft: one list, run over our
// LanguageModel in Node, in a page and in a worker; the clauses that need no
// model also over the browser's own, so that the two agree.
import { clauses, shown } from "./clause.js";
import "./interface.js";
import "./creation.js";
import "./prompting.js";
import "./lifetime.js";
import "./beyond.js";

export { clauses };

/** @typedef {import("./clause.js").Place} Place */
/** @typedef {import("./clause.js").Clause} Clause */

/**
 * @param {Omit<Place, "open">} place
 * @param {(clause: Clause) => boolean} [wanted]
 * @returns {Promise<{ name: string, error: string | undefined }[]>}
 */
export async function runClauses(place, wanted = () => true) {
    const results = [];
    for (const clause of clauses.filter(wanted))
        results.push({
            name: clause.name,
            error: await runClause(place, clause),
        });
    return results;
}

/**
 * @param {Omit<Place, "open">} place @param {Clause} clause
 * @returns {Promise<string | undefined>} what was wrong
 */
export async function runClause(place, clause) {
    const { LanguageModel, model } = place;
    const opened = /** @type {any[]} */ ([]);
    const open = async (options = {}) => {
        const session = await LanguageModel.create({
            ...{ model, contextLength: 256, samplingMode: "most-predictable" },
            ...options,
        });
        opened.push(session);
        return session;
    };
    try {
        await clause.run({ ...place, open });
        return undefined;
    } catch (error) {
        return error instanceof Error ? error.message : shown(error);
    } finally {
        for (const session of opened) session.destroy();
    }
}
