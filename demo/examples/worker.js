// The program of worker.html: model and conversation live here. (Import maps
// don't reach workers.)
import { loadModel } from "./node_modules/pipit/dist/index.js";

const model = await loadModel("smollm2-135m-instruct", {
    onProgress: ({ loaded, total }) =>
        postMessage({ progress: `${Math.round((100 * loaded) / total)} %` }),
});
const chat = await model.createChat({ system: "Answer in one sentence." });

let answering = Promise.resolve();
async function answer(question) {
    for await (const text of chat.send(question, { maxTokens: 100 }))
        postMessage({ text });
}
onmessage = ({ data }) => {
    answering = answering.then(() => answer(data));
};
postMessage({ ready: true });
