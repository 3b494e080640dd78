// The same page with the package in one file.
import { loadModel } from "pipit/inline";

async function main() {
    const model = await loadModel(location.hash.slice(1));
    const chat = await model.createChat();
    let answer = "";
    for await (const text of chat.send("Hello", { maxTokens: 9 }))
        answer += text;
    const last = chat.last?.finishReason;
    const facts = { answer, threads: model.threads, last, stored: [] };
    await model.close();
    document.body.textContent = JSON.stringify(facts);
}

if (location.hash) void main();
