import { loadModel } from "pipit";

const form = document.querySelector("form");
const output = document.querySelector("#output");

const model = await loadModel("smollm2-135m-instruct", {
    onProgress: ({ loaded, total }) =>
        (output.textContent = `${Math.round((100 * loaded) / total)} %`),
});
const chat = await model.createChat();
output.textContent = `Ask me; I have ${model.threads} threads.`;

let abort = new AbortController();
form.addEventListener("submit", async (event) => {
    event.preventDefault();
    abort.abort();
    const { signal } = (abort = new AbortController());
    output.textContent = "";
    const question = form.elements.question.value;
    try {
        for await (const text of chat.send(question, { signal }))
            output.append(text);
    } catch (error) {
        if (error.code !== "aborted") output.textContent = error.message;
    }
});
