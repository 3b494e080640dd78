/* worker.ts — the program that renders chat templates. A template is code from
 * a file: here it can loop for ever and be ended from outside. */
import { workerPort } from "#platform";
import { runTemplates } from "./program.js";

runTemplates(workerPort());
