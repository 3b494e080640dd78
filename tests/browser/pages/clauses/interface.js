// Names, prototypes, arguments: what can be asked without a model, so of the
// browser's own LanguageModel too.
import {
    shown,
    ok,
    equal,
    js,
    dom,
    same,
    rejects,
    throws,
    accepts,
    user,
    assistant,
    system,
    text,
    tool,
    states,
    plain,
    legacy,
} from "./clause.js";

const methods = {
    ...{ prompt: 1, promptStreaming: 1, append: 1, measureContextUsage: 1 },
    ...{ clone: 0, destroy: 0 },
};
const statics = { create: 0, availability: 0 };
const attributes = ["contextUsage", "contextWindow"];

/** @param {object} target @param {string} name @param {number} needed */
function isOperation(target, name, needed) {
    const found = Object.getOwnPropertyDescriptor(target, name);
    ok(found, `${name} is an own property`);
    equal(typeof found?.value, "function", name);
    equal(found?.value.length, needed, `arguments of ${name}`);
    equal(found?.value.name, name, `name of ${name}`);
    const flags = [found?.enumerable, found?.configurable, found?.writable];
    equal(flags, [true, true, true], `flags of ${name}`);
}

/** @param {object} target @param {string} name @param {boolean} writable */
function isAttribute(target, name, writable) {
    const found = Object.getOwnPropertyDescriptor(target, name);
    equal(typeof found?.get, "function", `getter of ${name}`);
    equal(typeof found?.set === "function", writable, `setter of ${name}`);
    const flags = [found?.enumerable, found?.configurable];
    equal(flags, [true, true], `flags of ${name}`);
}

plain("interface: an EventTarget of this name", ({ LanguageModel }) => {
    equal(LanguageModel.name, "LanguageModel", "name");
    equal(LanguageModel.length, 0, "length");
    ok(Object.getPrototypeOf(LanguageModel) === EventTarget, "inherits");
    const { prototype } = LanguageModel;
    const tag = Object.getOwnPropertyDescriptor(prototype, Symbol.toStringTag);
    const flags = [tag?.value, tag?.writable, tag?.enumerable];
    equal(flags, ["LanguageModel", false, false], "toStringTag");
    const tagged = Object.prototype.toString.call(prototype);
    equal(tagged, "[object LanguageModel]", "as a string");
    ok(prototype.constructor === LanguageModel, "constructor");
});
plain("interface: it has no constructor", ({ LanguageModel }) => {
    throws(() => new LanguageModel(), js(TypeError), "new");
    throws(() => LanguageModel(), js(TypeError), "called");
});
plain("interface: operations and their lengths", ({ LanguageModel }) => {
    for (const [name, needed] of Object.entries(methods))
        isOperation(LanguageModel.prototype, name, needed);
    for (const [name, needed] of Object.entries(statics))
        isOperation(LanguageModel, name, needed);
});
plain("interface: attributes", ({ LanguageModel }) => {
    const { prototype } = LanguageModel;
    for (const name of attributes) isAttribute(prototype, name, false);
    isAttribute(prototype, "oncontextoverflow", true);
});
legacy("interface: samplingMode and the older names", ({ LanguageModel }) => {
    const { prototype } = LanguageModel;
    for (const name of ["samplingMode", "inputUsage", "inputQuota"])
        isAttribute(prototype, name, false);
    for (const name of ["topK", "temperature"])
        isAttribute(prototype, name, false);
    isAttribute(prototype, "onquotaoverflow", true);
    isOperation(prototype, "measureInputUsage", 1);
    isOperation(LanguageModel, "params", 0);
});
plain("interface: another object's this", async ({ LanguageModel }) => {
    const { prototype } = LanguageModel;
    for (const other of [prototype, {}, new EventTarget()]) {
        for (const name of ["prompt", "append", "measureContextUsage"])
            await rejects(
                () => prototype[name].call(other, "x"),
                js(TypeError),
                name,
            );
        const clone = () => prototype.clone.call(other);
        await rejects(clone, js(TypeError), "clone");
    }
    const streaming = () => prototype.promptStreaming("x");
    throws(streaming, js(TypeError), "promptStreaming");
    throws(() => prototype.destroy(), js(TypeError), "destroy");
    for (const name of [...attributes, "oncontextoverflow"])
        throws(() => prototype[name], js(TypeError), name);
});
plain("interface: operations need their argument", async (place) => {
    const { prototype } = place.LanguageModel;
    for (const name of ["prompt", "append", "measureContextUsage"])
        await rejects(() => prototype[name](), js(TypeError), name);
    throws(() => prototype.promptStreaming(), js(TypeError), "streaming");
});

// -- creation and availability, before there is a model

const wrongOptions = /** @type {[string, any][]} */ ([
    ["options: a number", 7],
    ["options: a string", "x"],
    ["expectedInputs: null", { expectedInputs: null }],
    ["expectedInputs: a number", { expectedInputs: 7 }],
    ["expectedInputs: no type", { expectedInputs: [{}] }],
    ["expectedInputs: type", { expectedInputs: [{ type: "smell" }] }],
    ["expectedOutputs: no type", { expectedOutputs: [{}] }],
    [
        "languages: a string",
        { expectedInputs: [{ type: "text", languages: "en" }] },
    ],
]);
const wrongLanguages = ["_", "en-abc-invalid", "", "e"];

plain("availability: one of four words", async ({ LanguageModel }) => {
    for (const options of [
        ...[undefined, null, {}, { unknown: 1 }],
        { expectedInputs: [], expectedOutputs: [] },
        { expectedInputs: [text("x")] },
        { expectedInputs: [{ type: "text", languages: ["en", "EN-us"] }] },
        { expectedInputs: new Set([{ type: "text" }]) },
    ])
        ok(
            states.includes(await LanguageModel.availability(options)),
            `a state for ${shown(options)}`,
        );
});
plain("availability: TypeError for wrong kinds", async ({ LanguageModel }) => {
    for (const [what, options] of wrongOptions)
        await rejects(
            () => LanguageModel.availability(options),
            js(TypeError),
            what,
        );
});
plain("availability: looks at no member of create alone", async (place) => {
    const signal = AbortSignal.abort();
    for (const more of [
        ...[{ signal }, { signal: 7 }, { monitor: 7 }],
        { initialPrompts: [user(), system] },
        { initialPrompts: 7 },
    ])
        ok(
            states.includes(await place.LanguageModel.availability(more)),
            shown(more),
        );
});
plain("language tags: RangeError for what is none", async (place) => {
    const { LanguageModel } = place;
    for (const tag of wrongLanguages)
        for (const key of ["expectedInputs", "expectedOutputs"]) {
            const options = { [key]: [{ type: "text", languages: [tag] }] };
            const kind = js(RangeError);
            const create = () => LanguageModel.create(options);
            const availability = () => LanguageModel.availability(options);
            await rejects(create, kind, `create, ${key} "${tag}"`);
            await rejects(availability, kind, `availability, ${key} "${tag}"`);
        }
});
plain("create: TypeError for wrong kinds", async ({ LanguageModel }) => {
    for (const [what, options] of [
        ...wrongOptions,
        ["monitor: a number", { monitor: 7 }],
        ["monitor: null", { monitor: null }],
        ["signal: a number", { signal: 7 }],
        ["signal: null", { signal: null }],
        ["initialPrompts: a string", { initialPrompts: "x" }],
        ["initialPrompts: null", { initialPrompts: null }],
        ["initialPrompts: of null", { initialPrompts: [null] }],
        ["initialPrompts: of numbers", { initialPrompts: [7] }],
    ])
        await rejects(() => LanguageModel.create(options), js(TypeError), what);
});
plain("create: TypeError for what is no message", async (place) => {
    for (const [what, message] of /** @type {[string, any][]} */ ([
        ["no role", { content: "x" }],
        ["no content", { role: "user" }],
        ["role", { role: "tool", content: "x" }],
        ["role null", { role: null, content: "x" }],
        ["content: a symbol", user(Symbol("x"))],
        ["content: of strings", user(["x"])],
        ["part without value", user([{ type: "text" }])],
        ["part without type", user([{ value: "x" }])],
        ["part of no type", user([{ type: "smell", value: "x" }])],
    ]))
        await rejects(
            () => place.LanguageModel.create({ initialPrompts: [message] }),
            js(TypeError),
            what,
        );
});
plain("create: what Web IDL converts is taken", async ({ LanguageModel }) => {
    for (const content of [
        ...["", null, 7, true, {}, { toString: () => "x" }, []],
        [text(7)],
        [text(null)],
        new Set([text("x")]),
    ])
        await accepts(
            LanguageModel,
            { initialPrompts: [user(content)] },
            `content ${shown(content)}`,
        );
    for (const options of [
        ...[{ expectedInputs: [] }, { unknown: 7 }, { initialPrompts: [] }],
        { initialPrompts: new Set([user()]) },
        { initialPrompts: [system, user(), assistant()] },
        { expectedInputs: [{ type: "text", languages: ["EN"] }] },
    ])
        await accepts(LanguageModel, options, shown(options));
});
plain("create: conversion comes before the signal", async (place) => {
    const signal = AbortSignal.abort();
    await rejects(
        () => place.LanguageModel.create({ signal, monitor: 7 }),
        js(TypeError),
        "both wrong",
    );
});
plain("create: aborted before, its reason", async ({ LanguageModel }) => {
    for (const reason of [new Error("mine"), "text", 0])
        await rejects(
            () => LanguageModel.create({ signal: AbortSignal.abort(reason) }),
            same(reason),
            shown(reason),
        );
    await rejects(
        () => LanguageModel.create({ signal: AbortSignal.abort() }),
        dom("AbortError"),
        "without a reason",
    );
});
plain("create: an error of the monitor is the caller's", async (place) => {
    const mine = new SyntaxError("mine");
    const monitor = () => {
        throw mine;
    };
    await rejects(
        () => place.LanguageModel.create({ monitor }),
        same(mine),
        "the monitor's error",
    );
});
plain("create: NotSupportedError where unavailable", async (place) => {
    const { LanguageModel } = place;
    for (const options of [
        { expectedOutputs: [{ type: "image" }] },
        { expectedOutputs: [{ type: "audio" }] },
    ]) {
        const state = await LanguageModel.availability(options);
        equal(state, "unavailable", shown(options));
        await rejects(
            () => LanguageModel.create(options),
            dom("NotSupportedError"),
            shown(options),
        );
    }
});
legacy("samplingMode: one of the words", async ({ LanguageModel }) => {
    for (const samplingMode of ["wild", "", "Balanced", null, 7])
        for (const call of ["create", "availability"])
            await rejects(
                () => LanguageModel[call]({ samplingMode }),
                js(TypeError),
                `${call} ${samplingMode}`,
            );
    for (const samplingMode of [
        ...["most-predictable", "predictable", "slightly-predictable"],
        ...["balanced", "slightly-creative", "creative", "most-creative"],
    ])
        await accepts(LanguageModel, { samplingMode }, samplingMode);
});
legacy("samplingMode: not beside the older numbers", async (place) => {
    for (const numbers of [{ topK: 3 }, { temperature: 1 }])
        for (const call of ["create", "availability"])
            await rejects(
                () =>
                    place.LanguageModel[call]({
                        ...{ samplingMode: "balanced", ...numbers },
                    }),
                js(TypeError),
                `${call} ${shown(numbers)}`,
            );
});
legacy("older numbers: RangeError below their least", async (place) => {
    for (const numbers of [
        { topK: -1, temperature: 1 },
        { topK: 3, temperature: -1 },
    ]) {
        await rejects(
            () => place.LanguageModel.create(numbers),
            js(RangeError),
            shown(numbers),
        );
        const state = await place.LanguageModel.availability(numbers);
        ok(states.includes(state), `availability of ${shown(numbers)}`);
    }
});
legacy("tools: TypeError for what is none", async ({ LanguageModel }) => {
    for (const [what, tools] of [
        ["a number", 7],
        ["no description", [{ ...tool, description: undefined }]],
        ["no name", [{ ...tool, name: undefined }]],
        ["inputSchema a number", [{ ...tool, inputSchema: 7 }]],
    ])
        for (const call of ["create", "availability"])
            await rejects(
                () => LanguageModel[call]({ tools }),
                js(TypeError),
                `${call} ${what}`,
            );
});
