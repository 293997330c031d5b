/**
 * Real machines for a world: Linux hosts with IPVS, files, processes, and a bash that runs the scripts.
 */

import { createLinuxMachine } from "../shell/machine-builder.ts";
import { runScript, type RunningScript as ShellScript } from "../shell/run-script.ts";
import type { RunningScript, WorldParts } from "./world.ts";

/** Machines that are Linux 6.1 hosts with IPVS and a bash, for `runScenario` and `ScenarioRun`. */
export const LINUX_PARTS: WorldParts = {
  createMachine: (options) => createLinuxMachine(options),

  startScript(machine, script, { outputCharsMax, onEnd, onLimit }): RunningScript {
    const running: ShellScript = runScript(machine, script, {
      limits: { outputMax: outputCharsMax },
      onEnd: (result) => {
        if (result.limitError !== undefined) onLimit(result.limitError);
        onEnd();
      },
    });
    return running;
  },
};
