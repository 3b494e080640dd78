// node server.mjs, then: curl -N -d "What is the capital of France?" localhost:8080
// (`pipit serve` is a whole one, with OpenAI's interface.)
import { createServer } from "node:http";
import { loadModel } from "pipit";

const model = await loadModel("smollm2-135m-instruct");

const server = createServer(async (request, response) => {
    const abort = new AbortController();
    response.on("close", () => abort.abort());
    const chat = await model.createChat();
    try {
        let question = "";
        for await (const text of request.setEncoding("utf8"))
            if (question.length <= 10_000) question += text;
        if (question.length > 10_000) return response.writeHead(413).end();
        const options = { maxTokens: 200, signal: abort.signal };
        for await (const text of chat.send(question, options))
            response.write(text);
    } catch (error) {
        if (!abort.signal.aborted) response.write(`\n[${error.message}]`);
    } finally {
        response.end();
        await chat.close();
    }
});
server.listen(process.env.PORT ?? 8080, "127.0.0.1");
