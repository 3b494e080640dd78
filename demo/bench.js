// The page that measures: what `pipit bench` does, in this tab.
import {
    benchPlot,
    benchRows,
    defaultPlan,
    measure,
    parseReport,
} from "./pipit/bench.js";
import { loadModel } from "./pipit/index.js";
import { byId, element } from "./dom.js";
import { describeFailure } from "./failure.js";
import { canThread, likelyThreads } from "./place.js";

/** @typedef {import("pipit/bench").BenchReport} BenchReport */

/** @type {BenchReport | undefined} */
let report;
/** @type {BenchReport | undefined} */
let earlier;
let running = new AbortController();

const threads = /** @type {HTMLInputElement} */ (byId("threads"));
threads.value = canThread && likelyThreads > 1 ? `1, ${likelyThreads}` : "1";
threads.disabled = !canThread;

/** Whole numbers, between commas. @param {string} id @param {number} least */
function numbersOf(id, least) {
    const input = /** @type {HTMLInputElement} */ (byId(id));
    const numbers = input.value
        .split(/[\s,;]+/)
        .filter(Boolean)
        .map(Number);
    const good = numbers.every((n) => Number.isInteger(n) && n >= least);
    if (good && numbers.length > 0 && numbers.length <= 8) return numbers;
    input.focus();
    throw new RangeError(
        `${input.labels?.[0]?.textContent?.trim()}: whole numbers from ${least}, between commas`,
    );
}

/** The model that was chosen: a source of the package, and its name. */
function chosen() {
    const form = /** @type {HTMLFormElement} */ (byId("plan"));
    const suggested = "smollm2-135m-instruct-q4_1";
    if (new FormData(form).get("source") === "default")
        return { name: suggested, source: suggested };
    const { files } = /** @type {HTMLInputElement} */ (byId("file"));
    const file = files?.[0];
    if (!file) throw new RangeError("Choose a GGUF file first.");
    return { name: file.name, source: file };
}

/** @param {string} text @param {number} share */
function showWait(text, share) {
    byId("wait").hidden = false;
    byId("wait-text").textContent = text;
    /** @type {HTMLProgressElement} */ (byId("wait-bar")).value = share;
}

/** @param {Node | string} words "" when there is none */
function showProblem(words) {
    byId("problem").hidden = words === "";
    byId("problem").replaceChildren(words);
}

function browserName() {
    const agent = navigator.userAgent;
    const [, name, version] =
        /(Firefox|Edg|OPR|Chrome|Version)\/(\d+)/.exec(agent) ?? [];
    return name ? `${name === "Version" ? "Safari" : name} ${version}` : agent;
}

async function run() {
    showProblem("");
    const { signal } = (running = new AbortController());
    const plan = {
        ...defaultPlan,
        threads: numbersOf("threads", 1),
        prompts: numbersOf("prompts", 1),
        contexts: numbersOf("contexts", 0),
        signal,
    };
    const { name, source } = chosen();
    byId("start").hidden = true;
    byId("stop").hidden = false;
    byId("stop").focus();
    report = await measure(
        (n) =>
            loadModel(source, {
                threads: n,
                signal,
                modelBase: new URL("models/", document.baseURI),
                onProgress: ({ loaded, total }) =>
                    showWait(
                        `Loading the model, ${n} thread${n > 1 ? "s" : ""}`,
                        total > 0 ? loaded / total : 0,
                    ),
            }),
        {
            ...plan,
            onProgress: ({ done, total, what }) =>
                showWait(`${done + 1} of ${total}: ${what}`, done / total),
        },
        {
            model: name,
            machine: `${navigator.hardwareConcurrency} processors`,
            runtime: browserName(),
        },
    );
    show();
    byId("report-title").focus();
}

function show() {
    if (!report) return;
    byId("report").hidden = false;
    byId("where").textContent =
        `${report.model}, ${report.machine}, ${report.runtime}, ` +
        new Date(report.date).toLocaleString();
    const plot = new DOMParser().parseFromString(
        benchPlot(report),
        "image/svg+xml",
    );
    byId("plot").replaceChildren(
        document.importNode(plot.documentElement, true),
    );
    byId("then").hidden = !earlier;
    byId("rows").replaceChildren(
        ...benchRows(report, earlier).map((row) => {
            const digits = row.unit === "tokens/s" ? 1 : 0;
            const cells = [
                String(row.threads),
                row.what,
                `${row.value.toFixed(digits)} ${row.unit}`,
            ];
            if (earlier)
                cells.push(row.ratio ? `${row.ratio.toFixed(2)} ×` : "–");
            return element(
                "tr",
                {},
                ...cells.map((text) => element("td", {}, text)),
            );
        }),
    );
}

/** @param {string} name @param {string} text @param {string} type */
function save(name, text, type) {
    const address = URL.createObjectURL(new Blob([text], { type }));
    element("a", { href: address, download: name }).click();
    setTimeout(() => URL.revokeObjectURL(address), 1000);
}

byId("plan").addEventListener("submit", async (event) => {
    event.preventDefault();
    try {
        await run();
    } catch (error) {
        if (!running.signal.aborted)
            showProblem(
                error instanceof RangeError
                    ? error.message
                    : describeFailure(error, [], "h2").card,
            );
    } finally {
        byId("wait").hidden = true;
        byId("start").hidden = false;
        byId("stop").hidden = true;
    }
});
byId("stop").addEventListener("click", () => {
    running.abort();
    byId("start").hidden = false;
    byId("start").focus();
});
byId("file").addEventListener("change", () => {
    const own = document.querySelector("[name=source][value=file]");
    /** @type {HTMLInputElement} */ (own).checked = true;
});
byId("earlier").addEventListener("change", async () => {
    const { files } = /** @type {HTMLInputElement} */ (byId("earlier"));
    try {
        showProblem("");
        earlier = files?.[0] && parseReport(await files[0].text());
        show();
    } catch {
        showProblem("That file is no report of this page or of pipit bench.");
    }
});
byId("save").addEventListener("click", () =>
    save(
        "pipit-bench.json",
        `${JSON.stringify(report, null, 2)}\n`,
        "application/json",
    ),
);
byId("save-plot").addEventListener(
    "click",
    () => report && save("pipit-bench.svg", benchPlot(report), "image/svg+xml"),
);
