/* index.ts — the package's front door. */
export { inspect } from "./inspect.js";
export { loadModel, loadTokenizer } from "./load.js";
export { PipitError, errorCodes } from "./errors.js";
export { renderChatTemplate } from "./render.js";
export { version } from "./version.js";
export type * from "./types.js";
