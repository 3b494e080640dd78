/* model.ts — a loaded model, as its owner holds it. */
import manifest from "#manifest";
import { textOf } from "../engine/file.js";
import { kvTypes } from "../engine/kv-types.js";
import type { LoadedModel } from "../protocol.js";
import type {
    AppliedTemplate,
    ApplyTemplateOptions,
    Adapter,
    AdapterOptions,
    Chat,
    ChatOptions,
    LoadTimings,
    Model,
    ModelMemory,
    SamplingDefaults,
    ModelSource,
    PeftSource,
    Session,
    SessionOptions,
    ChatMessage,
} from "../types.js";
import type { EvaluateOptions, Evaluation } from "../evaluate/types.js";
import type {
    TrainedAdapter,
    TrainingExample,
    TrainingOptions,
} from "../train/types.js";
import { openAdapter } from "./adapter.js";
import { openChat } from "./chat.js";
import { LoadedTokenizer } from "./codec.js";
import type { Connection } from "./connection.js";
import { integer, refuse } from "./options.js";
import { LiveSession } from "./session.js";
import { Renderer } from "./renderer.js";
import { samplingDefaults } from "./sampling.js";
import { applyTemplate, templateNames } from "./templates.js";

export interface ModelFacts {
    readonly threads: number;
    /** Of sessions that name none; 0: the model's own, at most 4096. */
    readonly contextLength: number;
    readonly timings: LoadTimings;
    readonly workerUrl: string | URL | undefined;
}

export class LoadedModelObject extends LoadedTokenizer implements Model {
    readonly kernels: string;
    readonly threads: number;
    readonly name: string;
    readonly architecture: string;
    readonly parameters: number;
    readonly contextLength: number;
    readonly loadTimings: LoadTimings;
    readonly chatTemplate: string | undefined;
    /** Renders templates of this model's chats; its worker starts on use. */
    readonly renderer: Renderer;
    /** The manifest's system message for this very file. */
    readonly system: string | undefined;
    readonly #defaultContext: number;
    memory: ModelMemory;

    constructor(
        connection: Connection,
        loaded: LoadedModel,
        facts: ModelFacts,
    ) {
        super(connection, loaded.vocabulary);
        const { metadata } = loaded.vocabulary;
        this.kernels = loaded.kernels;
        this.parameters = loaded.parameters;
        this.contextLength = loaded.contextLength;
        this.memory = loaded.memory;
        this.threads = facts.threads;
        this.loadTimings = facts.timings;
        this.#defaultContext = facts.contextLength;
        this.name = textOf(metadata, "general.name") ?? "";
        this.architecture = textOf(metadata, "general.architecture") ?? "";
        this.chatTemplate = textOf(metadata, "tokenizer.chat_template");
        this.system = manifest.models.find(
            ({ size }) => size === loaded.fileBytes,
        )?.system;
        this.renderer = new Renderer(facts.workerUrl);
    }

    async createSession(options: SessionOptions = {}): Promise<Session> {
        return this.openSession(options);
    }

    async openSession(options: SessionOptions): Promise<LiveSession> {
        const { kvType = "auto", signal } = options;
        const contextLength = integer(
            "contextLength",
            options.contextLength,
            this.#defaultContext,
            0,
            2 ** 31,
        );
        if (!Object.hasOwn(kvTypes, kvType))
            refuse('kvType is "auto", "q8", "f16" or "f32"');
        const opened = await this.connection.call(
            "createSession",
            { contextLength, kvType },
            { signal },
        );
        this.memory = opened.memory;
        const session = new LiveSession(this, opened);
        if (!options.adapters?.length) return session;
        try {
            await session.setAdapters(options.adapters);
            return session;
        } catch (failure) {
            await session.close();
            throw failure;
        }
    }

    async loadAdapter(
        source: ModelSource | PeftSource,
        options: AdapterOptions = {},
    ): Promise<Adapter> {
        return openAdapter(this, source, options);
    }

    async trainAdapter(
        examples: readonly TrainingExample[],
        options?: TrainingOptions,
    ): Promise<TrainedAdapter> {
        const { trainAdapter } = await import("../train/index.js");
        return trainAdapter(this, examples, options);
    }

    async evaluate(
        examples: readonly TrainingExample[],
        options?: EvaluateOptions,
    ): Promise<Evaluation> {
        const { evaluate } = await import("../evaluate/index.js");
        return evaluate(this, examples, options);
    }

    get chatTemplateNames(): readonly string[] {
        return templateNames(this);
    }

    get samplingDefaults(): SamplingDefaults {
        return samplingDefaults(this.metadata);
    }

    async applyChatTemplate(
        messages: readonly ChatMessage[],
        options: ApplyTemplateOptions = {},
    ): Promise<AppliedTemplate> {
        return applyTemplate(this, messages, options);
    }

    async createChat(options: ChatOptions = {}): Promise<Chat> {
        return openChat(this, options);
    }

    override async close(): Promise<void> {
        await Promise.all([super.close(), this.renderer.close()]);
    }
}
