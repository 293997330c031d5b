/**
 * A whole machine on a loop of its own, and scripts that run on it until they are over.
 */

import { SimulationLoop } from "../../src/kernel/loop.ts";
import { RandomStreams } from "../../src/kernel/random.ts";
import type { ShellLimits } from "../../src/shell/limits.ts";
import { createLinuxMachine, type LvsMachine } from "../../src/shell/machine-builder.ts";
import { runScript, type ScriptResult } from "../../src/shell/run-script.ts";
import { Tracer } from "../../src/trace/tracer.ts";

export interface ShellWorld {
  readonly loop: SimulationLoop;
  readonly machine: LvsMachine;
}

export function makeShellWorld(limits: Partial<ShellLimits> = {}): ShellWorld {
  const loop = new SimulationLoop();
  const machine = createLinuxMachine({
    name: "node",
    loop,
    trace: new Tracer(loop),
    random: new RandomStreams(1),
    epochSeconds: 1_767_225_600,
    programStartNs: 0,
    limits,
  });
  return { loop, machine };
}

/** Runs to the end of the script; undefined when nothing is left that could end it. */
export function runToEnd(
  world: ShellWorld,
  script: string,
  options: { readonly timeoutSeconds?: number; readonly stdin?: string } = {},
): (ScriptResult & { readonly seconds: number }) | undefined {
  const startNs = world.loop.nowNs;
  const running = runScript(world.machine, script, {
    timeoutNs: (options.timeoutSeconds ?? 120) * 1e9,
    ...(options.stdin === undefined ? {} : { stdin: options.stdin }),
  });
  while (running.result === undefined && world.loop.step());
  return running.result === undefined ? undefined : { ...running.result, seconds: (world.loop.nowNs - startNs) / 1e9 };
}
