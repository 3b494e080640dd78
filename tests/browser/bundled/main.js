// A page as a user of a bundler writes it; the model's address is after the #.
import { loadModel } from "pipit";
import { models } from "pipit/models";

const address = location.hash.slice(1);
if (address) await models.pull(address);
const model = await loadModel(address);
const chat = await model.createChat();
let answer = "";
for await (const text of chat.send("Hello", { maxTokens: 9 })) answer += text;
const stored = (await models.list()).map(({ source }) => source);
const last = chat.last?.finishReason;
const facts = { answer, threads: model.threads, last, stored };
await model.close();
document.body.textContent = JSON.stringify(facts);
