// What may pass before something that was stopped has ended: little, on a
// machine that does nothing else.
import { availableParallelism, loadavg } from "node:os";

const PROMISED_MS = 100;

/** Milliseconds, for the load that the machine has now. */
export function stopLimit() {
    const load = (loadavg()[0] ?? 0) / availableParallelism();
    const slack = process.env.PIPIT_TEST_SLACK ?? 10 * Math.max(1, load);
    return PROMISED_MS * Number(slack);
}
