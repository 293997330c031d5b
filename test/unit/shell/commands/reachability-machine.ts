/**
 * Starts commands on hosts of a laboratory, as processes that may wait.
 */

import type { LinuxHost } from "../../../../src/host/linux-host.ts";
import type { Command, CommandContext, SignalName } from "../../../../src/shell/command.ts";
import { DEFAULT_SHELL_LIMITS } from "../../../../src/shell/limits.ts";
import type { Machine } from "../../../../src/shell/machine.ts";
import { MemoryFileSystem } from "../../../../src/shell/memory-file-system.ts";
import { MachineProcessTable } from "../../../../src/shell/process-table.ts";
import { sleep, waitForValue } from "../../../../src/shell/waits.ts";

export interface Outcome {
  stdout: string;
  stderr: string;
  /** Both, in the order in which they were written. */
  all: string;
  exit: number | undefined;
  endedNs: number;
  kill(signal: SignalName): void;
}

export class Bench {
  readonly machine: Machine;
  readonly #host: LinuxHost;
  readonly #commands: readonly Command[];

  constructor(host: LinuxHost, commands: readonly Command[]) {
    this.#host = host;
    this.#commands = commands;
    const files = new MemoryFileSystem({ clock: host.loop, charactersMax: 1_000_000, writable: ["/"] });
    for (const path of ["/etc", "/root", "/tmp"]) files.makeDirectory(path, { parents: true });
    const processes = new MachineProcessTable({ loop: host.loop, limits: DEFAULT_SHELL_LIMITS, hostName: host.name, trace: host.trace });
    this.machine = {
      host,
      files,
      processes,
      commands: new Map(),
      hostname: host.name,
      epochSeconds: 1_700_000_000,
      commandNamed: () => undefined,
    } as unknown as Machine;
  }

  start(line: string): Outcome {
    const words = [...line.matchAll(/'([^']*)'|(\S+)/g)].map((match) => match[1] ?? (match[2] as string));
    const [name = "", ...args] = words;
    const command = this.#commands.find((one) => one.path.endsWith(`/${name}`));
    if (command === undefined) throw new Error(`no command ${name}`);
    const { processes } = this.machine;
    const { loop } = this.#host;
    const outcome: Outcome = { stdout: "", stderr: "", all: "", exit: undefined, endedNs: 0, kill: () => {} };
    const collect = (stream: "stdout" | "stderr", text: string): boolean => {
      outcome[stream] += text;
      outcome.all += text;
      return true;
    };
    const onExit = (exit: number): void => {
      outcome.exit = exit;
      outcome.endedNs = loop.nowNs;
    };
    const process = processes.start({ name, args: words, parent: undefined, onExit }, (own) => {
      const context: CommandContext = {
        name,
        args,
        env: new Map(),
        cwd: "/root",
        machine: this.machine,
        process: own,
        stdin: undefined as unknown as CommandContext["stdin"],
        stdout: { write: (text) => collect("stdout", text) },
        stderr: { write: (text) => collect("stderr", text) },
        sleep: (delayNs) => sleep(loop, delayNs),
        waitFor: (start) => waitForValue(loop, start),
        // biome-ignore lint/correctness/useYield: there are no children here
        *spawn() {
          return 127;
        },
        onSignal: (signal, handler) => processes.onSignal(own, signal, handler),
        onExit: (cleanup) => processes.onExit(own, cleanup),
      };
      return command.run(context);
    });
    outcome.kill = (signal) => void processes.kill(process.pid, signal);
    return outcome;
  }

  /** Runs to the end, at most `seconds`. */
  run(line: string, seconds = 60): Outcome {
    const outcome = this.start(line);
    const { loop } = this.#host;
    const endNs = loop.nowNs + seconds * 1e9;
    while (outcome.exit === undefined && (loop.nextTimeNs() ?? Number.POSITIVE_INFINITY) <= endNs && loop.step());
    return outcome;
  }
}
