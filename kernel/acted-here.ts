/**
 * Acts a scenario out in lvsim, to a recording like those of the kernel.
 */

import { LINUX_PARTS } from "../src/scenario/linux-parts.ts";
import { type RunResult, ScenarioRun } from "../src/scenario/run-scenario.ts";
import type { Scenario } from "../src/scenario/scenario-file.ts";
import { inputsOf, type Recording, type ScriptOutput, untilOf } from "./recording.ts";
import { macNames, storyOf } from "./story.ts";
import { TABLE_COMMANDS, type TableName, type Tables, tablesOf } from "./tables.ts";

const TABLE_TIMEOUT_NS = 10e9;

/** `untilSeconds`: that of the recording to compare with. */
export function actOutHere(scenario: Scenario, untilSeconds?: number): { readonly recording: Recording; readonly result: RunResult } {
  const run = new ScenarioRun(scenario, { parts: LINUX_PARTS, capturesFrames: true });
  const result = run.run();
  const until = untilSeconds ?? untilOf(scenario, result.timeline.map((step) => ("seconds" in step ? step.seconds : undefined)));
  const macs = macNames(scenario);
  const stories = new Map(
    result.captures.captures.map((capture) => [`${capture.hostName}.${capture.deviceName}`, storyOf(capture.toBytes(result.originNs), macs, 0, until)] as const),
  );
  const outputs = new Map<string, ScriptOutput>(Object.entries(result.setup).map(([host, output]) => [`setup ${host}`, output]));
  for (const [i, step] of result.timeline.entries()) if ("exit" in step) outputs.set(`step ${i}`, step as ScriptOutput);
  return { recording: { kernel: "lvsim", inputs: inputsOf(scenario), untilSeconds: until, outputs, tables: tablesAtEnd(run, scenario), stories }, result };
}

/** Types the commands that print the tables on each host that runs, now that all is over. */
function tablesAtEnd(run: ScenarioRun, scenario: Scenario): Map<string, Tables> {
  const texts = new Map<string, Partial<Record<TableName, string>>>();
  for (const { name } of scenario.hosts) {
    if (!run.world.isRunning(name)) continue;
    const printed: Partial<Record<TableName, string>> = {};
    for (const [table, command] of Object.entries(TABLE_COMMANDS) as [TableName, string][]) {
      let isOver = false;
      run.type(name, command, {
        timeoutNs: TABLE_TIMEOUT_NS,
        onEnd: ({ stdout }) => {
          printed[table] = stdout;
          isOver = true;
        },
      });
      while (!isOver && run.stepOnce());
    }
    texts.set(name, printed);
  }
  return new Map([...texts].map(([name, printed]) => [name, tablesOf(printed)] as const).filter(([, tables]) => tables.size > 0));
}
