/* index.ts — `pipit/prompt-api`: the Prompt API where there is none, over a
 * model of this package. */
import type { Model, ModelSource } from "../types.js";
import { LanguageModel, setDefaultModel } from "./language-model.js";

export { LanguageModel, setDefaultModel } from "./language-model.js";
export type {
    CreateCoreOptions,
    CreateOptions,
    PromptOptions,
} from "./language-model.js";
export type { CreateMonitor } from "./events.js";
export type { PromptInput, PromptMessage } from "./input.js";
export type { SamplingMode } from "./sampling.js";
export type { Availability } from "./source.js";

export interface InstallOptions {
    /** In place of the browser's own, too. */
    readonly force?: boolean | undefined;
    /** See `setDefaultModel`. */
    readonly model?: ModelSource | Model | undefined;
}

/** Puts `LanguageModel` on `globalThis` where there is none.
 * @returns whether it did */
export function install(options: InstallOptions = {}): boolean {
    if (options.model !== undefined) setDefaultModel(options.model);
    if ("LanguageModel" in globalThis && !options.force) return false;
    Object.defineProperty(globalThis, "LanguageModel", {
        ...{ value: LanguageModel, configurable: true, writable: true },
    });
    return true;
}
