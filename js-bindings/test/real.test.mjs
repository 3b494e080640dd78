// The default model answers.
import assert from "node:assert/strict";
import { test } from "node:test";
import { inspect, loadModel } from "pipit";
import { collect, realModel, withoutRealModel } from "./support.mjs";

test("SmolLM2 knows a capital", { skip: withoutRealModel }, async (t) => {
    const model = await loadModel(realModel);
    t.after(() => model.close());
    assert.equal(model.architecture, "llama");
    assert.equal(model.parameters, 134_515_008);
    const chat = await model.createChat();
    const answer = await collect(chat.send("What is the capital of France?"));
    assert.equal(answer.join(""), "The capital of France is Paris.");
    assert.equal(chat.last?.finishReason, "end");
    assert.deepEqual(chat.messages[0], { role: "system", content: "" });
    // Left to its template, it is another model.
    const own = await model.createChat({ system: null });
    await collect(own.send("What is the capital of France?", { maxTokens: 1 }));
    const tokens = await own.session.tokens();
    assert.match(await model.detokenize(tokens), /named SmolLM/);
    assert.equal(own.messages.length, 2);
    const held = chat.session.length;
    await collect(chat.send("And of Italy?", { maxTokens: 20 }));
    assert.equal(chat.last?.cachedTokens, held);
    t.diagnostic(`load ${JSON.stringify(model.loadTimings)}`);
    t.diagnostic(`last ${JSON.stringify(chat.last)}`);
});

test("its forecast holds", { skip: withoutRealModel }, async (t) => {
    const { weights, vocabulary, total } = (await inspect(realModel)).forecast({
        contextLength: 512,
        threads: 1,
    });
    const model = await loadModel(realModel, { threads: 1 });
    t.after(() => model.close());
    await model.createSession({ contextLength: 512 });
    assert.ok(model.memory.weights <= weights + vocabulary);
    // The module's memory: that, staging, and what growing rounds up.
    assert.ok(model.memory.total < total + 16 * 2 ** 20);
});
