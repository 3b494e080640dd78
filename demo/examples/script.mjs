// node script.mjs notes.txt: says in a sentence what a text is about.
import { readFile } from "node:fs/promises";
import { loadModel } from "pipit";

const [path] = process.argv.slice(2);
const text = await readFile(path, "utf8");

// The first time it is downloaded, then it is in ~/.cache/pipit.
const model = await loadModel("smollm2-135m-instruct", {
    onProgress: ({ phase, loaded, total }) => {
        if (phase === "download" && process.stderr.isTTY)
            process.stderr.write(`\r${Math.round((100 * loaded) / total)} %`);
    },
});
const chat = await model.createChat();
const question = `Summarize this text in one sentence:\n\n${text}`;
for await (const piece of chat.send(question, { maxTokens: 80 }))
    process.stdout.write(piece);
process.stdout.write("\n");
await model.close();
