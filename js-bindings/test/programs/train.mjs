// Trains a tiny model under a checkpoint's name and says each step; the adapter
// goes to a file. Arguments: FILE [THREADS]
import { writeFileSync } from "node:fs";
import { loadModel } from "pipit";
import { tinyModel } from "../../../tests/tools/tiny-model.mjs";

const [out = "", threads = "1"] = process.argv.slice(2);
const model = await loadModel(tinyModel({ type: "Q4_0" }), {
    training: true,
    threads: Number(threads),
});
const examples = Array.from({ length: 40 }, (_, i) => ({
    prompt: `the cat ${i}`,
    completion: ` on the mouse ${i % 7}`,
}));
const trained = await model.trainAdapter(examples, {
    ...{ rank: 4, batchSize: 2, epochs: 5, learningRate: 0.01 },
    ...{ validation: 0.1, checkpoint: "tiny", checkpointEvery: 5 },
    onProgress: ({ step, steps }) => console.log(`${step}/${steps}`),
});
writeFileSync(out, trained.bytes);
console.log(JSON.stringify({ ...trained, bytes: undefined }));
await model.close();
