/* main.ts — the program of an engine's workers. */
import { workerPort } from "#platform";
import { runEngine } from "./program.js";

runEngine(workerPort());
