/**
 * The public interface of lvsim. Entry points of their own: `lvsim/ipvs` (schedulers alone), `lvsim/trace` (records), `lvsim/vitest`
 * (matchers).
 */

// A lab: topologies in code, or scenarios, driven step by step.
export type { LabAction, LabPosition } from "./lab/journal.ts";
export { Lab, type LabHost, type LabLimits, type LabOptions } from "./lab/lab.ts";
export { LabError, type LabTime } from "./lab/lab-error.ts";
export type { PacketFilter, PacketPath } from "./lab/packet-paths.ts";
export type { Terminal } from "./lab/terminal.ts";
export type { HostOptions, InterfaceOptions, LinkOptions, StepOptions } from "./lab/topology.ts";
export type { TypedCommand } from "./lab/typed-command.ts";
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
export { type HostSpec, type InterfaceSpec, type LinkSpec, parseScenario, type RunStep, type Scenario, scenarioFromObject, type Step } from "./scenario/scenario-file.ts";
export type { World, WorldParts } from "./scenario/world.ts";
// Watching (more in `lvsim/trace`): records of a run, frames as lines, ladders and capture files.
export type { TraceEvent, TraceKind } from "./trace/events.ts";
export { formatLadder, type LadderOptions, LadderSink } from "./trace/ladder.ts";
export { PcapSink } from "./trace/pcap-sink.ts";
export { formatFrameLine } from "./trace/text.ts";
export { MemorySink, type TraceLevel, type TraceSink } from "./trace/tracer.ts";
export { decodeEthernet, encodeEthernet } from "./wire/ethernet.ts";
export { decodePcap, encodePcap } from "./wire/pcap.ts";
