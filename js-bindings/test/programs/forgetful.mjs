// Loads a model and never closes it: the process must end all the same.
import { loadModel } from "pipit";
import { tinyModel } from "../../../tests/tools/tiny-model.mjs";

const model = await loadModel(tinyModel(), { threads: 2 });
const session = await model.createSession();
await session.eval([40, 41, 42]);
console.log("done");
