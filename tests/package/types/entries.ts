// The entries beside `pipit`.
import { expectTypeOf } from "expect-type";
import type { Model, PipitError } from "pipit";
import { benchTable, measure, type BenchReport } from "pipit/bench";
import { models, openModels, type StoredModel } from "pipit/models";
import {
    createOpenAI,
    OpenAIError,
    type ChatCompletion,
    type ChatCompletionChunk,
} from "pipit/openai";
import { install, LanguageModel } from "pipit/prompt-api";
import {
    trainAdapter,
    type TrainedAdapter,
    type TrainingExample,
} from "pipit/train";

declare const model: Model;

// The store.
expectTypeOf(models.pull).returns.resolves.toEqualTypeOf<StoredModel>();
expectTypeOf(models.list).returns.resolves.toEqualTypeOf<StoredModel[]>();
expectTypeOf(models.has).returns.resolves.toBeBoolean();
expectTypeOf(openModels({})).toEqualTypeOf<typeof models>();
void models.pull(new URL("https://example.org/a.gguf"), { sha256: "…" });
// @ts-expect-error: a name or an address
void models.pull(new Blob());
void models.import(new Blob());

// OpenAI: what comes depends on `stream`.
const local = createOpenAI(model, { name: "small", sessions: 2 });
const messages = [{ role: "user", content: "Hello" }] as const;
const { create } = local.chat.completions;
expectTypeOf(create({ messages })).resolves.toEqualTypeOf<ChatCompletion>();
expectTypeOf(create({ messages, stream: true })).resolves.toExtend<
    AsyncIterable<ChatCompletionChunk>
>();
expectTypeOf(local.fetch).toEqualTypeOf<typeof fetch>();
expectTypeOf<OpenAIError>().toExtend<Error>();
expectTypeOf<ChatCompletion>()
    .toHaveProperty("choices")
    .items.toHaveProperty("message");
// @ts-expect-error: messages are needed
void create({ stream: true });
// @ts-expect-error: no such role
void create({ messages: [{ role: "robot", content: "Hello" }] });

// The Prompt API.
expectTypeOf(install).returns.toBeBoolean();
expectTypeOf(
    LanguageModel.create,
).returns.resolves.toEqualTypeOf<LanguageModel>();
expectTypeOf(LanguageModel.availability).returns.resolves.toEqualTypeOf<
    "unavailable" | "downloadable" | "downloading" | "available"
>();
declare const session: LanguageModel;
expectTypeOf(session).toExtend<EventTarget>();
expectTypeOf(session.prompt).returns.resolves.toBeString();
expectTypeOf(session.promptStreaming).returns.toExtend<
    ReadableStream<string>
>();
expectTypeOf(session.contextUsage).toBeNumber();
expectTypeOf(session.clone).returns.resolves.toEqualTypeOf<LanguageModel>();
void session.prompt([{ role: "assistant", content: "I", prefix: true }]);

// Training.
expectTypeOf(trainAdapter).returns.resolves.toEqualTypeOf<TrainedAdapter>();
expectTypeOf<{
    prompt: string;
    completion: number[];
}>().toExtend<TrainingExample>();
expectTypeOf<{ prompt: string }>().not.toExtend<TrainingExample>();

// Measuring.
expectTypeOf(measure).returns.resolves.toEqualTypeOf<BenchReport>();
expectTypeOf(benchTable).returns.toBeString();

// All fail alike.
expectTypeOf<PipitError["details"]>().toBeObject();
