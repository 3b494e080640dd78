// A page as a user of a bundler writes it; the model's address is after the #.
import { loadModel } from "pipit";

const model = await loadModel(location.hash.slice(1));
const chat = await model.createChat();
let answer = "";
for await (const text of chat.send("Hello", { maxTokens: 9 })) answer += text;
const facts = { answer, threads: model.threads, last: chat.last?.finishReason };
await model.close();
document.body.textContent = JSON.stringify(facts);
