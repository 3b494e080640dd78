/* index.ts — `pipit/bench`: what the command and the page measure with. */
export {
    defaultPlan,
    measure,
    type BenchPlan,
    type BenchProgress,
    type BenchReport,
    type BenchResult,
} from "./measure.js";
export {
    benchPlot,
    benchRows,
    benchTable,
    parseReport,
    type BenchRow,
} from "./report.js";
