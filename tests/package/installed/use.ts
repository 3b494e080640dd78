// A user's program that names every entry: compiled, not run.
import { inspect, loadModel, PipitError, type Model } from "pipit";
import { measure, type BenchReport } from "pipit/bench";
import * as inline from "pipit/inline";
import { models, openModels, type StoredModel } from "pipit/models";
import { createOpenAI, OpenAIError } from "pipit/openai";
import { install, LanguageModel } from "pipit/prompt-api";
import { trainAdapter, type TrainingExample } from "pipit/train";

export async function answer(question: string): Promise<string> {
    const model: Model = await loadModel("smollm2-135m-instruct", {
        threads: 2,
        wasm: await fetch("pipit.wasm"),
        onProgress: ({ phase, loaded }) => console.log(phase, loaded),
    });
    const chat = await model.createChat({ system: "Be brief." });
    let text = "";
    for await (const piece of chat.send(question)) text += piece;
    const reason:
        "end" | "stop" | "length" | "context" | "aborted" | undefined =
        chat.last?.finishReason;
    return `${text} ${reason}`;
}

export async function others(examples: TrainingExample[]): Promise<unknown> {
    const model = await inline.loadModel(new Uint8Array(8), { training: true });
    const stored: StoredModel = await models.pull("hf:owner/repo/file.gguf");
    const { bytes } = await trainAdapter(model, examples);
    const local = createOpenAI(model, { name: stored.file });
    install({ force: true });
    const session = await LanguageModel.create({ model });
    const report: BenchReport | undefined = undefined;
    return { bytes, local, session, report, measure, openModels, inspect };
}

export const failed = (error: unknown): string =>
    error instanceof PipitError
        ? error.code
        : error instanceof OpenAIError
          ? String(error.status)
          : "unknown";

// @ts-expect-error: no such option
export const wrong = loadModel("model.gguf", { thread: 2 });
