/**
 * A machine with nothing but a host, iptables and files: enough to run the iptables commands in tests.
 */

import type { LinuxHost } from "../../../../../src/host/linux-host.ts";
import { Iptables } from "../../../../../src/host/netfilter/iptables.ts";
import type { Command, CommandContext, Running } from "../../../../../src/shell/command.ts";
import type { FileSystem } from "../../../../../src/shell/file-system.ts";
import { FileError } from "../../../../../src/shell/file-system.ts";
import type { Machine } from "../../../../../src/shell/machine.ts";
import { netfilterCommands } from "../../../../../src/shell/netfilter-commands.ts";

export interface Outcome {
  readonly exit: number;
  readonly stdout: string;
  readonly stderr: string;
}

const COMMANDS = new Map<string, Command>(netfilterCommands.map((command) => [command.path.slice(command.path.lastIndexOf("/") + 1), command]));

/** Words of a simple command line: blanks separate, quotes keep them. */
export function words(line: string): string[] {
  return [...line.matchAll(/(?:[^\s'"]|'[^']*'|"[^"]*")+/g)].map(([word]) => word.replace(/'([^']*)'|"([^"]*)"/g, "$1$2"));
}

export class BenchMachine {
  readonly host: LinuxHost;
  readonly iptables: Iptables;
  readonly files = new Map<string, string>();

  constructor(host: LinuxHost) {
    this.host = host;
    this.iptables = new Iptables(host, host.conntrack);
  }

  run(line: string, input = ""): Outcome {
    const [name = "", ...args] = words(line);
    const command = COMMANDS.get(name);
    if (command === undefined) throw new Error(`no command ${name}`);
    let stdout = "";
    let stderr = "";
    const context = {
      name,
      args,
      cwd: "/",
      env: new Map<string, string>(),
      machine: { host: this.host, iptables: this.iptables, files: this.#fileSystem(), epochSeconds: 1_795_236_021 } as unknown as Machine,
      stdin: {
        *readAll(): Running<string> {
          return input;
        },
      },
      stdout: {
        write: (text: string) => {
          stdout += text;
          return true;
        },
      },
      stderr: {
        write: (text: string) => {
          stderr += text;
          return true;
        },
      },
    } as unknown as CommandContext;
    const result = command.run(context);
    const exit = typeof result === "number" ? result : finish(result);
    return { exit, stdout, stderr };
  }

  #fileSystem(): FileSystem {
    const read = (path: string): string => {
      const text = this.files.get(path);
      if (text === undefined) throw new FileError("ENOENT", path);
      return text;
    };
    return { exists: (path: string) => this.files.has(path), read, resolve: (_cwd: string, path: string) => path } as unknown as FileSystem;
  }
}

function finish(running: Running<number>): number {
  for (;;) {
    const step = running.next();
    if (step.done === true) return step.value;
    throw new Error("the command waits");
  }
}
