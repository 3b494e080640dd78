// goals.mjs — the goals, and what a run's figures say to each: one row for each
// goal and file.

/**
 * What a run saves. Rates in tokens per second, times in milliseconds; `threads`
 * and `roofs` by number of threads.
 * @typedef {import("./contenders.mjs").Figures} Figures
 * @typedef {object} FileFigures
 * @property {"Q4_1" | "Q4_0" | "Q8_0" | "K"} kind
 * @property {number} bytes of the file
 * @property {number} body weights that every token of a prompt is multiplied by
 * @property {number} decoded weights of a decoded token, the output's included
 * @property {number} decodedBytes of those
 * @property {number} kvBytes keys and values of the session that was measured
 * @property {Record<string, { ours: Figures, wllama?: Figures, native?: Figures,
 *     plain?: Figures }>} threads
 */
/**
 * @typedef {object} Run
 * @property {string} machine
 * @property {string} runtime
 * @property {string} date
 * @property {boolean} [short]
 * @property {Record<string, number>} [loadAverage] before each part
 * @property {Record<string, import("./roofs.mjs").Roofs>} [roofs]
 * @property {Record<string, FileFigures>} [files]
 * @property {number} [bareBytes] a process with a model of no size
 * @property {Record<string, Record<string, number>>} [load]
 * @property {Record<string, number>} [context]
 * @property {{ most: number, half: number }} [cancel]
 * @property {{ first: number, steady: number }} [firstToken]
 * @property {{ parameters: number, body: number, prefill: number, decode: number }[]} [growth]
 * @property {Record<string, number>} [sessions]
 * @property {Record<"copying" | "writing", { mean: number, least: number }>} [lookup]
 * @property {number} [pageBytes] before weights, gzip
 */
/** @typedef {{ goal: string, reading: string, met: boolean }} Row */

const MB = 1e6;
/** Times the peers' rate. */
const wanted = {
    Q4_1: { prefill: 6, decode: 3, nativePrefill: 1.2, nativeDecode: 1.2 },
    Q4_0: { prefill: 5, decode: 3, nativePrefill: 0.5, nativeDecode: 0.9 },
    Q8_0: { prefill: 3.5, decode: 2, nativePrefill: 0.5, nativeDecode: 0.9 },
    K: { prefill: 5, decode: 3, nativePrefill: NaN, nativeDecode: 1.2 },
};

const two = (/** @type {number} */ n) => n.toFixed(n < 9.95 ? 2 : 1);
const list = (/** @type {number[]} */ all) => all.map(two).join(", ");

/** Values that must all be at least `goal`; no row where there is none.
 * @param {string} what @param {number} goal @param {number[]} values
 * @param {string} [more] @returns {Row[]} */
function atLeast(what, goal, values, more = "") {
    if (Number.isNaN(goal) || values.length === 0) return [];
    const met = values.every((value) => value >= goal);
    return [{ goal: `${what} ≥ ${goal} ×`, reading: list(values) + more, met }];
}

/** @param {string} name @param {FileFigures} file @param {Run} run */
function rowsOfFile(name, file, { roofs = {}, bareBytes = NaN }) {
    const goals = wanted[file.kind];
    const rows = Object.entries(file.threads);
    /** @param {"wllama" | "native" | "plain"} peer
     * @param {"pp128" | "pp512" | "tg64"} figure */
    const against = (peer, figure) =>
        rows.flatMap(([, engines]) => {
            const theirs = engines[peer]?.[figure];
            return theirs ? [engines.ours[figure] / theirs] : [];
        });
    const threads = rows.map(([n]) => n).join(", ");
    const on = `, ${threads} threads`;
    /** @type {Row[]} */
    const all = [];
    for (const [peer, title] of /** @type {const} */ ([
        ["wllama", "wllama 2.3.1"],
        ["native", "native llama.cpp"],
    ])) {
        const prefill = peer === "wllama" ? goals.prefill : goals.nativePrefill;
        const decode = peer === "wllama" ? goals.decode : goals.nativeDecode;
        for (const figure of /** @type {const} */ (["pp128", "pp512"]))
            all.push(
                ...atLeast(
                    `${name}: prefill of ${figure.slice(2)}, ${title}`,
                    ...[prefill, against(peer, figure), on],
                ),
            );
        all.push(
            ...atLeast(
                `${name}: decode, ${title}`,
                ...[decode, against(peer, "tg64"), on],
            ),
        );
    }
    const shares = rows.flatMap(([n, { ours }]) => {
        const roof = roofs[n];
        return roof ? [(ours.pp512 * file.body) / 1e9 / roof.D] : [];
    });
    if (file.kind !== "Q8_0")
        all.push(...atLeast(`${name}: prefill of 512, D`, 0.6, shares, on));
    const decoding = rows.flatMap(([n, { ours }]) => {
        const roof = roofs[n];
        if (!roof) return [];
        const most = Math.min(
            (roof.D * 1e9) / file.decoded,
            (roof.B * 1e9) / file.decodedBytes,
        );
        return [ours.tg64 / most];
    });
    all.push(
        ...atLeast(`${name}: decode, min(D, B)`, 0.6, decoding, on),
        ...secondThread(name, file, roofs),
        ...atLeast(
            `${name}: plain SIMD, prefill of 512, relaxed`,
            ...[0.5, against("plain", "pp512").map((n) => 1 / n), on],
        ),
        ...atLeast(
            `${name}: plain SIMD, decode, relaxed`,
            ...[0.5, against("plain", "tg64").map((n) => 1 / n), on],
        ),
        ...memory(name, file, bareBytes),
    );
    return all;
}

/** @param {string} name @param {FileFigures} file
 * @param {NonNullable<Run["roofs"]>} roofs @returns {Row[]} */
function secondThread(name, { threads }, roofs) {
    const [one, two] = [threads[1]?.ours, threads[2]?.ours];
    if (!one || !two) return [];
    const [alone, both] = [roofs[1], roofs[2]];
    /** What the machine gives. @param {"D" | "B"} roof */
    const of = (roof) =>
        alone && both
            ? `; ${roof} ${(both[roof] / alone[roof]).toFixed(2)}`
            : "";
    /** @param {string} what @param {number} goal @param {number} ratio
     * @param {"D" | "B"} roof */
    const row = (what, goal, ratio, roof) =>
        atLeast(`${name}: second thread, ${what}`, goal, [ratio], of(roof));
    return [
        ...row("prefill of 128", 1.8, two.pp128 / one.pp128, "D"),
        ...row("prefill of 512", 1.8, two.pp512 / one.pp512, "D"),
        ...row("decode", 1.6, two.tg64 / one.tg64, "B"),
    ];
}

/** @param {string} name @param {FileFigures} file @param {number} bare
 * @returns {Row[]} */
function memory(name, file, bare) {
    const allowed = 1.1 * file.bytes + file.kvBytes + 16 * MB;
    const all = Object.values(file.threads).map(({ ours }) => ours);
    const most = (/** @type {(number | undefined)[]} */ values) =>
        Math.max(...values.map((value) => value ?? NaN));
    const told = most(all.map(({ memory }) => memory));
    const grown = most(all.map(({ peak }) => peak)) - bare;
    const mb = (/** @type {number} */ bytes) => Math.round(bytes / MB);
    return [
        {
            goal: `${name}: memory ≤ 1.10 × file + cache + 16 MB = ${mb(allowed)} MB`,
            reading:
                `${mb(told)} MB told` +
                (grown > 0 ? `, ${mb(grown)} MB seen from outside` : ""),
            met: told <= allowed && !(grown > allowed),
        },
    ];
}

/** @param {NonNullable<Run["load"]>} load @returns {Row[]} */
function rowsOfLoad(load) {
    return Object.entries(load).flatMap(([threads, times]) =>
        ["node", "page"].flatMap((way) => {
            const ms = times[way];
            if (ms === undefined) return [];
            const ratio = ms / (times.wllama ?? NaN);
            const place = way === "node" ? "Node, disk" : "Chromium, OPFS";
            const least = times[`${way} least`] ?? ms;
            return [
                {
                    goal: `load ≤ 0.3 s, ≤ 0.5 × wllama's: ${place}, ${threads} thread(s)`,
                    reading:
                        `${Math.round(ms)} ms (least ${Math.round(least)}), ` +
                        (ratio ? `${two(ratio)} ×` : "without wllama") +
                        `; new memory alone ` +
                        `${Math.round(times.memory ?? NaN)} ms`,
                    met: ms <= 300 && !(ratio > 0.5),
                },
            ];
        }),
    );
}

/** @param {NonNullable<Run["growth"]>} growth @returns {Row[]} */
function rowsOfGrowth(growth) {
    return /** @type {const} */ (["decode", "prefill"]).map((figure) => {
        const weights = figure === "decode" ? "parameters" : "body";
        const all = growth.map((one) => (one[figure] * one[weights]) / 1e9);
        const mean = all.reduce((sum, one) => sum + one, 0) / all.length;
        const away = Math.max(...all.map((one) => Math.abs(one / mean - 1)));
        const sizes = growth.map(({ parameters }) =>
            Math.round(parameters / 1e6),
        );
        return {
            goal: `${figure}: tokens/s × weights multiplied within 20 %`,
            reading:
                `${all.map((one) => one.toFixed(1)).join(", ")} G/s for ` +
                `${sizes.join(", ")} million; ${Math.round(100 * away)} %`,
            met: away <= 0.2,
        };
    });
}

/** @param {Run} run @returns {Row[]} */
export function goals(run) {
    const { files = {}, load, context, cancel, firstToken, growth } = run;
    const { sessions, lookup, pageBytes } = run;
    /** @type {Row[]} */
    const all = Object.entries(files).flatMap(([name, file]) =>
        rowsOfFile(name, file, run),
    );
    if (context) {
        const of = (/** @type {string} */ name) => context[name] ?? NaN;
        all.push(
            ...atLeast(
                `decode after ${of("length")}, decode after none`,
                ...[0.5, [of("decodeAfter") / of("decodeEmpty")]],
            ),
            ...atLeast("prefill of 4096, prefill of 512", 0.6, [
                of("prefill4096") / of("prefill512"),
            ]),
        );
    }
    if (load) all.push(...rowsOfLoad(load));
    if (cancel)
        all.push({
            goal: "cancel inside a prompt ≤ 100 ms",
            reading: `${two(cancel.most)} ms, median ${two(cancel.half)}`,
            met: cancel.most <= 100,
        });
    if (firstToken) {
        const { first, steady } = firstToken;
        all.push({
            goal: "first token in a fresh page ≤ 1.5 × the steady time",
            reading: `${two(first / steady)} × (${Math.round(first)} and ${Math.round(steady)} ms)`,
            met: first <= 1.5 * steady,
        });
    }
    if (pageBytes)
        all.push({
            goal: "engine before weights ≤ 150 kB gzip",
            reading: `${(pageBytes / 1000).toFixed(1)} kB`,
            met: pageBytes <= 150_000,
        });
    if (growth?.length) all.push(...rowsOfGrowth(growth));
    if (lookup) {
        const { copying, writing } = lookup;
        all.push(
            ...atLeast("prompt lookup, copying", 1.5, [copying.mean]),
            ...atLeast("prompt lookup, others", 0.97, [writing.least]),
        );
    }
    if (sessions)
        all.push(
            ...atLeast("four sessions together, one", 2.5, [
                (sessions[4] ?? NaN) / (sessions[1] ?? NaN),
            ]),
        );
    return all;
}

/** As tests/bench/README.md has it. @param {Row[]} rows */
export function goalTable(rows) {
    const line = (/** @type {Row} */ { goal, reading, met }) =>
        `| ${goal} | ${reading} | ${met ? "met" : "missed"} |`;
    return ["| goal | reading | |", "|---|---|---|", ...rows.map(line)].join(
        "\n",
    );
}
