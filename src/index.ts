/**
 * The public interface of lvsim. Schedulers have an entry point of their own, `lvsim/ipvs`.
 */

// Scheduler scripts, and schedulers compared under a workload.
export { compareSchedulers, type CompareOptions, type Comparison, type Contender } from "./sched/compare.ts";
export { comparisonToCsv, comparisonToJson, formatComparison } from "./sched/compare-report.ts";
export { runSchedScript, type SchedScriptOptions, type SchedScriptResult } from "./sched/sched-script.ts";
export { parseWorkload, type Workload } from "./sched/workload-file.ts";
export type { WorkloadFigures } from "./sched/workload-figures.ts";
export { DEFAULT_LIMITS, LimitError, type RunLimits } from "./scenario/limits.ts";

// Running them.
export { LINUX_PARTS } from "./scenario/linux-parts.ts";
export {
  type RunOptions,
  type RunResult,
  resultToJson,
  runScenario,
  ScenarioRun,
  type ScriptResult,
  type StepResult,
  type Unmet,
} from "./scenario/run-scenario.ts";
export { formatProblem, ScenarioError, type ScenarioProblem } from "./scenario/scenario-error.ts";
// Reading scenario files.
export { type HostSpec, type InterfaceSpec, type LinkSpec, parseScenario, type RunStep, type Scenario, type Step } from "./scenario/scenario-file.ts";
export type { World, WorldParts } from "./scenario/world.ts";
// Watching: records of a run, frames as lines, ladders and capture files.
export type { TraceEvent } from "./trace/events.ts";
export { formatLadder, type LadderOptions, LadderSink } from "./trace/ladder.ts";
export { PcapSink } from "./trace/pcap-sink.ts";
export { formatFrameLine } from "./trace/text.ts";
export { MemorySink, type TraceSink } from "./trace/tracer.ts";
export { decodeEthernet, encodeEthernet } from "./wire/ethernet.ts";
export { decodePcap, encodePcap } from "./wire/pcap.ts";
