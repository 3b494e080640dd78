// Sessions come to be.
import {
    shown,
    ok,
    equal,
    js,
    dom,
    same,
    rejects,
    fails,
    few,
    user,
    assistant,
    system,
    text,
    tool,
    withModel,
} from "./clause.js";

withModel("create: a session, and nothing in it", async ({ open }) => {
    const session = await open();
    equal(session.contextUsage, 0, "contextUsage");
    equal(session.contextWindow, 256, "contextWindow");
    equal(session.oncontextoverflow, null, "oncontextoverflow");
    equal(session.inputUsage, 0, "inputUsage");
    equal(session.inputQuota, 256, "inputQuota");
});
withModel("create: samplingMode is told; numbers make it null", async (at) => {
    const { LanguageModel, model } = at;
    const made = async (/** @type {object} */ options) => {
        const session = await LanguageModel.create({ model, ...options });
        session.destroy();
        return session;
    };
    equal((await made({})).samplingMode, "balanced", "by default");
    const samplingMode = "creative";
    equal((await made({ samplingMode })).samplingMode, samplingMode, "given");
    const numbers = await made({ temperature: 0.5, topK: 7.9 });
    equal(numbers.samplingMode, null, "with numbers");
    equal(numbers.temperature, 0.5, "temperature");
    equal(numbers.topK, 7, "topK is rounded down");
    const { maxTopK, maxTemperature } = await LanguageModel.params();
    const most = await made({ temperature: Infinity, topK: Infinity });
    equal(most.topK, maxTopK, "topK at most");
    equal(most.temperature, maxTemperature, "temperature at most");
});
withModel("create: monitor hears 0, and 1 at last", async (place) => {
    const heard = /** @type {number[]} */ ([]);
    let byHandler = 0;
    await place.open({
        monitor(/** @type {any} */ m) {
            ok(m instanceof EventTarget, "an EventTarget");
            equal(String(m), "[object CreateMonitor]", "its name");
            equal(m.ondownloadprogress, null, "no handler yet");
            m.ondownloadprogress = () => byHandler++;
            m.addEventListener("downloadprogress", (/** @type {any} */ e) => {
                equal(e.total, 1, "total");
                equal(e.lengthComputable, true, "lengthComputable");
                heard.push(e.loaded);
            });
        },
    });
    equal(heard, [0, 1], "loaded without a download");
    equal(byHandler, 2, "calls of the handler");
});
withModel("create: a download is told, and kept", async (place) => {
    const { LanguageModel } = place;
    const model = await place.address();
    equal(await LanguageModel.availability({ model }), "downloadable", "first");
    const heard = /** @type {number[]} */ ([]);
    const monitor = (/** @type {any} */ m) =>
        m.addEventListener("downloadprogress", (/** @type {any} */ e) =>
            heard.push(e.loaded),
        );
    const creating = LanguageModel.create({ model, monitor });
    // Another session of the same, which waits for the same download.
    const second = LanguageModel.create({ model });
    const [a, b] = await Promise.all([creating, second]);
    equal(heard[0], 0, "the first event");
    equal(heard.at(-1), 1, "the last event");
    ok(
        heard.every((n, i) => i === 0 || n > (heard[i - 1] ?? 0)),
        `rising: ${heard}`,
    );
    equal(await LanguageModel.availability({ model }), "available", "then");
    a.destroy();
    equal(typeof (await b.prompt("x", few)), "string", "the other goes on");
    b.destroy();
});
withModel("create: NetworkError where the download fails", async (place) => {
    await rejects(
        () => place.LanguageModel.create({ model: place.nowhere }),
        dom("NetworkError"),
        "no model at the address",
    );
});
withModel("create: NotSupportedError where there is no model", async (at) => {
    const model = "hf:no address";
    const state = await at.LanguageModel.availability({ model });
    equal(state, "unavailable", "availability");
    const create = () => at.LanguageModel.create({ model });
    await rejects(create, dom("NotSupportedError"), "create");
});
withModel("create: aborted meanwhile, its reason and no event", async (at) => {
    const { LanguageModel } = at;
    const model = await at.address();
    const ending = new AbortController();
    let after = 0;
    const monitor = (/** @type {any} */ m) =>
        m.addEventListener("downloadprogress", () => {
            if (ending.signal.aborted) after++;
        });
    const { signal } = ending;
    const creating = LanguageModel.create({ model, monitor, signal });
    const reason = new Error("enough");
    ending.abort(reason);
    await fails(creating, same(reason), "create");
    // What was begun does not stand in the way of another.
    const session = await LanguageModel.create({ model });
    session.destroy();
    equal(after, 0, "events after the abort");
});
withModel("create: its signal destroys the session", async ({ open }) => {
    const ending = new AbortController();
    const session = await open({ signal: ending.signal });
    const running = session.prompt("hello");
    const reason = new Error("enough");
    ending.abort(reason);
    await fails(running, same(reason), "what ran");
    await rejects(() => session.prompt("x"), same(reason), "what comes");
});
withModel("create: initialPrompts are in the context", async ({ open }) => {
    const initialPrompts = [system, user("a"), assistant("b")];
    const session = await open({ initialPrompts });
    const measured = await session.measureContextUsage(initialPrompts);
    equal(session.contextUsage, measured, "contextUsage");
    ok(measured > 0, "some");
    const other = await open();
    await other.append(initialPrompts);
    equal(session.contextUsage, other.contextUsage, "as appended");
});
withModel("create: the order of initialPrompts", async ({ open }) => {
    for (const [what, initialPrompts, kind] of [
        ["system last", [user(), system], js(TypeError)],
        ["system twice", [system, system], js(TypeError)],
        ["prefix of a user", [{ ...user(), prefix: true }], dom("SyntaxError")],
        [
            "prefix not last",
            [{ ...assistant(), prefix: true }, user()],
            dom("SyntaxError"),
        ],
        [
            "a picture of the assistant",
            [assistant([{ type: "image", value: new Uint8Array(4) }])],
            dom("NotSupportedError"),
        ],
        ["bytes as a text", [user([text(new Uint8Array(4))])], js(TypeError)],
    ])
        await rejects(() => open({ initialPrompts }), kind, what);
});
withModel("create: initialPrompts larger than the window", async (place) => {
    const initialPrompts = [user("x".repeat(1000))];
    const session = await place.open();
    const usage = await session.measureContextUsage(initialPrompts);
    await rejects(
        () => place.open({ initialPrompts }),
        (error) =>
            dom("QuotaExceededError")(error) &&
            error.requested === usage &&
            error.quota === session.contextWindow,
        "QuotaExceededError with its numbers",
    );
});
withModel("create: tools and pictures are unavailable", async (place) => {
    const { LanguageModel, model } = place;
    for (const options of [
        { tools: [tool] },
        { expectedInputs: [{ type: "image" }] },
        { expectedInputs: [{ type: "tool-response" }] },
    ]) {
        const all = { model, ...options };
        const state = await LanguageModel.availability(all);
        equal(state, "unavailable", shown(options));
        const create = () => LanguageModel.create(all);
        await rejects(create, dom("NotSupportedError"), shown(options));
    }
    const withoutExecute = { ...tool, execute: 7 };
    await rejects(
        () => LanguageModel.create({ model, tools: [withoutExecute] }),
        js(TypeError),
        "execute that is no function",
    );
});
