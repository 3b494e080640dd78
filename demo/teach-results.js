// Before and after, on examples that were set aside.
import { byId, element } from "./dom.js";
import { wordsOf } from "./teach-data.js";

/**
 * @typedef {import("pipit/evaluate").Evaluation} Evaluation
 * @typedef {import("./teach.js").Job} Job
 */

const SHOWN = 6;

/** @param {number | undefined} share */
const percent = (share) =>
    share === undefined || Number.isNaN(share)
        ? "–"
        : `${Math.round(100 * share)} %`;

export class TeachResults {
    #all = false;
    #draw = () => {};

    constructor() {
        byId("more-results").addEventListener("click", () => {
            this.#all = !this.#all;
            this.#draw();
        });
    }

    hide() {
        byId("results").hidden = true;
    }

    /** @param {Evaluation | undefined} before @param {Job} job */
    showBefore(before, job) {
        this.#show(before, undefined, job, "It learns now.");
    }

    /**
     * @param {Evaluation | undefined} before
     * @param {Evaluation | undefined} after
     * @param {Job} job
     */
    showAfter(before, after, job) {
        this.#show(before, after, job, "");
    }

    /**
     * @param {Evaluation | undefined} before
     * @param {Evaluation | undefined} after
     * @param {Job} job
     * @param {string} message
     */
    #show(before, after, job, message) {
        const [was] = before?.candidates ?? [];
        const [is] = after?.candidates ?? [];
        byId("results").hidden = was === undefined;
        if (!was) return;
        byId("results-text").textContent =
            `Answers to ${job.unseen.length} examples that it never saw. ${message}`;
        const fields = Object.keys(was.fields ?? {});
        const card = (
            /** @type {string} */ what,
            /** @type {string} */ a,
            /** @type {string} */ b,
        ) =>
            element(
                "div",
                {},
                element("span", { class: "what" }, what),
                element("span", { class: "was" }, a),
                element("span", { class: "arrow", "aria-hidden": "true" }, "→"),
                element("span", { class: "sr-only" }, " before, after "),
                element("strong", {}, b),
            );
        byId("score").replaceChildren(
            card("Right", percent(was.accuracy), percent(is?.accuracy)),
            ...fields.map((name) =>
                card(
                    name,
                    percent(was.fields?.[name]),
                    percent(is?.fields?.[name]),
                ),
            ),
            card("Loss", was.loss.toFixed(2), is?.loss.toFixed(2) ?? "–"),
        );
        this.#draw = () => this.#table(was, is, job);
        this.#draw();
    }

    /**
     * @param {import("pipit/evaluate").CandidateResult} was
     * @param {import("pipit/evaluate").CandidateResult | undefined} is
     * @param {Job} job
     */
    #table(was, is, job) {
        const head = element(
            "tr",
            {},
            ...["Asked", "Expected", "Before", "After"].map((name) =>
                element("th", { scope: "col" }, name),
            ),
        );
        const answer = (
            /** @type {import("pipit/evaluate").JudgedExample | undefined} */ one,
        ) => {
            if (!one) return element("td", {}, "–");
            const right = one.score === 1;
            const more = one.finished ? "" : " …";
            return element(
                "td",
                { class: right ? "right" : "wrong", dir: "auto" },
                element(
                    "span",
                    { class: "mark" },
                    right ? "✓" : "✗",
                    element(
                        "span",
                        { class: "sr-only" },
                        right ? " right" : " wrong",
                    ),
                ),
                ` ${one.answer || "(nothing)"}${more}`,
            );
        };
        // What is still wrong comes first among all.
        const order = job.unseen.map((_, i) => i);
        if (this.#all && is)
            order.sort(
                (a, b) =>
                    (is.examples[a]?.score ?? 0) - (is.examples[b]?.score ?? 0),
            );
        const rows = order
            .slice(0, this.#all ? order.length : SHOWN)
            .map((i) => {
                const example = job.unseen[i];
                const words = example && wordsOf(example);
                return element(
                    "tr",
                    {},
                    element("td", { dir: "auto" }, words?.question ?? ""),
                    element("td", { dir: "auto" }, words?.answer ?? ""),
                    answer(was.examples[i]),
                    answer(is?.examples[i]),
                );
            });
        byId("judged").replaceChildren(
            element("thead", {}, head),
            element("tbody", {}, ...rows),
        );
        const more = byId("more-results");
        more.hidden = order.length <= SHOWN;
        more.textContent = this.#all
            ? "Show fewer"
            : `Show all ${order.length}, the wrong ones first`;
    }
}
