// `pipit`: what comes out, and what may go in.
import { expectTypeOf } from "expect-type";
import * as inline from "pipit/inline";
import * as pipit from "pipit";
import {
    errorCodes,
    inspect,
    loadModel,
    loadTokenizer,
    PipitError,
    renderChatTemplate,
    version,
} from "pipit";
import type {
    Adapter,
    AppliedTemplate,
    Chat,
    ChatTurn,
    FileInfo,
    FinishReason,
    Forecast,
    LongArray,
    Metadata,
    Model,
    ModelSource,
    PipitErrorCode,
    Progress,
    Sampled,
    Scores,
    Session,
    Tokenizer,
    WasmSource,
} from "pipit";

// The way in.
expectTypeOf(loadModel).returns.resolves.toEqualTypeOf<Model>();
expectTypeOf(loadTokenizer).returns.resolves.toEqualTypeOf<Tokenizer>();
expectTypeOf(inspect).returns.resolves.toEqualTypeOf<FileInfo>();
expectTypeOf(renderChatTemplate).returns.resolves.toBeString();
expectTypeOf(version).toBeString();
expectTypeOf<typeof inline>().toExtend<typeof pipit>();
expectTypeOf<typeof pipit>().toExtend<typeof inline>();
expectTypeOf<keyof typeof pipit>().toEqualTypeOf<keyof typeof inline>();

// Sources.
expectTypeOf<"name" | URL | File | Blob>().toExtend<ModelSource>();
expectTypeOf<ArrayBuffer | Uint8Array | DataView>().toExtend<ModelSource>();
expectTypeOf<ReadableStream<Uint8Array>>().toExtend<ModelSource>();
expectTypeOf<Response["body"]>().not.toExtend<ModelSource>();
expectTypeOf<[URL, string, File]>().toExtend<ModelSource>();
expectTypeOf<number>().not.toExtend<ModelSource>();
expectTypeOf<ArrayBuffer[]>().not.toExtend<ModelSource>();

// The module.
expectTypeOf<
    string | URL | Response | ArrayBuffer | Uint8Array | WebAssembly.Module
>().toExtend<WasmSource>();
expectTypeOf<Response>().toExtend<WasmSource>();

// Options: undefined is the same as nothing; what is unknown is refused.
declare const signal: AbortSignal | undefined;
void loadModel("a", { signal, threads: undefined, wasm: undefined });
// @ts-expect-error: a number
void loadModel("a", { threads: "2" });
// @ts-expect-error: no such option
void loadModel("a", { thread: 2 });
// @ts-expect-error: a source is needed
void loadModel();

// A model.
declare const model: Model;
expectTypeOf<Model>().toExtend<Tokenizer>();
expectTypeOf<Model>().toExtend<AsyncDisposable>();
expectTypeOf(model.threads).toBeNumber();
expectTypeOf(model.chatTemplate).toEqualTypeOf<string | undefined>();
expectTypeOf(model.tokenize).returns.resolves.toEqualTypeOf<Uint32Array>();
expectTypeOf(model.detokenize).returns.resolves.toBeString();
expectTypeOf(model.metadata).toEqualTypeOf<Metadata>();
expectTypeOf<LongArray>().toExtend<Metadata[string]>();
expectTypeOf(model.createSession).returns.resolves.toEqualTypeOf<Session>();
expectTypeOf(model.createChat).returns.resolves.toEqualTypeOf<Chat>();
expectTypeOf(model.loadAdapter).returns.resolves.toEqualTypeOf<Adapter>();
expectTypeOf(
    model.applyChatTemplate,
).returns.resolves.toEqualTypeOf<AppliedTemplate>();
void model.applyChatTemplate([{ role: "tool", content: null, name: "x" }], {
    enable_thinking: false,
});
// @ts-expect-error: a message has a role
void model.applyChatTemplate([{ content: "Hello" }]);
// @ts-expect-error: facts are not set
model.threads = 3;

// A session.
declare const session: Session;
void session.eval([1, 2, 3]);
void session.eval(new Uint32Array(3), { allLogits: true, signal });
// @ts-expect-error: numbers or Uint32Array
void session.eval("text");
expectTypeOf(session.sync).returns.resolves.toEqualTypeOf<{ kept: number }>();
expectTypeOf(session.logits).returns.resolves.toEqualTypeOf<Float32Array>();
expectTypeOf(session.score).returns.resolves.toEqualTypeOf<Scores>();
expectTypeOf(session.generate).returns.toExtend<AsyncIterable<Sampled>>();
expectTypeOf<Sampled["finishReason"]>().toEqualTypeOf<
    FinishReason | undefined
>();
void session.generate({
    seed: 2n ** 60n,
    stop: ["a", "b"],
    logitBias: new Map([[3, -Infinity]]),
});
// @ts-expect-error: no such option
void session.generate({ top_k: 4 });

// A chat.
declare const chat: Chat;
expectTypeOf(chat.send).returns.toExtend<AsyncIterable<string>>();
expectTypeOf(chat.last).toEqualTypeOf<ChatTurn | undefined>();
expectTypeOf<ChatTurn["finishReason"]>().toEqualTypeOf<
    FinishReason | "aborted"
>();
void model.createChat({ system: null, messages: chat.messages });

// Headers, progress, errors.
declare const info: FileInfo;
expectTypeOf(info.forecast).returns.toEqualTypeOf<Forecast>();
expectTypeOf(info.forecast).toBeCallableWith({ contextLength: 4096 });
expectTypeOf<Progress["phase"]>().toEqualTypeOf<
    "download" | "header" | "weights" | "evaluate"
>();
declare const error: PipitError;
expectTypeOf(error).toExtend<Error>();
expectTypeOf(error.code).toEqualTypeOf<PipitErrorCode>();
expectTypeOf<"aborted" | "context-overflow">().toExtend<PipitErrorCode>();
expectTypeOf<"no-such-code">().not.toExtend<PipitErrorCode>();
expectTypeOf<keyof typeof errorCodes>().toEqualTypeOf<PipitErrorCode>();
