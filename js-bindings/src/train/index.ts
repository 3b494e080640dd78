/* index.ts — `pipit/train`: fits an adapter to examples, on the model's own
 * threads. Sessions of the model go on meanwhile, more slowly. */
import type { Connection } from "../host/connection.js";
import type { Model } from "../types.js";
import { refuse, sequencesOf } from "./examples.js";
import { orderOf } from "./plan.js";
import { engineOptions, settingsOf, type Settings } from "./settings.js";
import { Training } from "./training.js";
import type {
    TrainedAdapter,
    TrainingExample,
    TrainingOptions,
} from "./types.js";

export { checkExamples, compareExamples } from "./check.js";
export { readExamples } from "./data.js";
export { lossPlot } from "./plot.js";
export { storage } from "./storage.js";
export type { StoredFile, Storage } from "./storage.js";
export type * from "./types.js";

/** The examples to learn, and those to watch. */
async function readExamples(
    model: Model,
    examples: readonly TrainingExample[],
    { validation, signal }: TrainingOptions,
    settings: Settings,
) {
    const read = (list: readonly TrainingExample[]) =>
        sequencesOf(model, list, settings.maxLength, signal);
    if (!Array.isArray(examples) || examples.length === 0)
        return refuse("no examples");
    const all = await read(examples);
    if (typeof validation !== "number")
        return { learned: all, watched: await read(validation ?? []) };
    if (!(validation >= 0 && validation < 1))
        refuse("validation is a share from 0 to below 1, or examples");
    const order = orderOf(all.length, settings.seed, -1, true);
    const n = Math.floor(all.length * validation);
    const pick = (some: number[]) =>
        some.sort((a, b) => a - b).map((i) => all[i]!);
    return { learned: pick(order.slice(n)), watched: pick(order.slice(0, n)) };
}

function connectionOf(model: Model): Connection {
    const { connection } = model as unknown as { connection?: Connection };
    return connection ?? refuse("no model of loadModel");
}

/** Bytes that training would take beyond the model. */
export async function measureTraining(
    model: Model,
    examples: readonly TrainingExample[],
    options: TrainingOptions = {},
): Promise<number> {
    const settings = settingsOf(model, options);
    const { learned, watched } = await readExamples(
        model,
        examples,
        options,
        settings,
    );
    const { bytes } = await connectionOf(model).call("trainOpen", {
        options: engineOptions(settings, [...learned, ...watched]),
        measureOnly: true,
    });
    return bytes;
}

/** Fits an adapter to the examples. One at a time per model; errors of examples
 * name their line (`details.line`, from 1). Aborting leaves the model as it
 * was; what was learned is in the last checkpoint. */
export async function trainAdapter(
    model: Model,
    examples: readonly TrainingExample[],
    options: TrainingOptions = {},
): Promise<TrainedAdapter> {
    const connection = connectionOf(model);
    const settings = settingsOf(model, options);
    const { learned, watched } = await readExamples(
        model,
        examples,
        options,
        settings,
    );
    if (learned.length === 0) refuse("no examples are left to learn");
    const { signal } = options;
    const { bytes: memory } = await connection.call(
        "trainOpen",
        {
            options: engineOptions(settings, [...learned, ...watched]),
            measureOnly: false,
        },
        { signal },
    );
    const { name, architecture, parameters, metadata } = model;
    const type = String(metadata["general.file_type"]);
    const base = [name, architecture, parameters, type].join();
    const course = { settings, learned, watched, memory, base };
    const training = new Training(connection, course, options);
    let end;
    try {
        end = await training.run();
    } finally {
        if (!connection.closed) await connection.call("trainClose", {});
    }
    return { ...end, load: () => model.loadAdapter(end.bytes) };
}
