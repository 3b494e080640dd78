/* inline.ts — `pipit/inline`: the package in one file, which asks for no other.
 * The modules and the workers' programs are in its text. */
import { prepare } from "./platform/inline.js";
import * as front from "./index.js";

export { PipitError, errorCodes, version } from "./index.js";
export type * from "./types.js";

export const inspect: typeof front.inspect = async (source, options) => {
    await prepare(options?.workerUrl);
    return front.inspect(source, options);
};

export const loadModel: typeof front.loadModel = async (source, options) => {
    await prepare(options?.workerUrl);
    return front.loadModel(source, options);
};

export const loadTokenizer: typeof front.loadTokenizer = async (
    source,
    options,
) => {
    await prepare(options?.workerUrl);
    return front.loadTokenizer(source, options);
};

export const renderChatTemplate: typeof front.renderChatTemplate = async (
    template,
    variables,
    options,
) => {
    await prepare(options?.workerUrl);
    return front.renderChatTemplate(template, variables, options);
};
