/**
 * Runs simulated commands that need no simulated time, and compares them with transcripts of the real ones.
 *
 * A transcript is what a terminal shows: `$ command`, its output (both streams), `? exit status`.
 */

import type { Host } from "../../src/host/host.ts";
import type { Command, CommandContext, Running } from "../../src/shell/command.ts";
import { FileError, type FileSystem } from "../../src/shell/file-system.ts";
import type { Machine } from "../../src/shell/machine.ts";
import { sysctlFiles } from "../../src/shell/proc-network.ts";

export interface TranscriptStep {
  readonly command: string;
  readonly output: string;
  readonly exit: number;
}

export function parseTranscript(text: string): TranscriptStep[] {
  const steps: TranscriptStep[] = [];
  let command = "";
  let lines: string[] = [];
  for (const line of text.split("\n")) {
    if (line.startsWith("$ ")) {
      command = line.slice(2);
      lines = [];
    } else if (/(^|.)\? \d+$/.test(line) && !line.startsWith(" ")) {
      const mark = line.lastIndexOf("? ");
      const rest = line.slice(0, mark);
      steps.push({ command, output: lines.map((one) => `${one}\n`).join("") + rest, exit: Number(line.slice(mark + 2)) });
    } else lines.push(line);
  }
  return steps;
}

/** Files in a plain map, with the real /proc/sys. */
export function plainFiles(host: Host, files: Map<string, string>): FileSystem {
  const proc = sysctlFiles(host.sysctl);
  return {
    resolve: (cwd: string, path: string) => (path.startsWith("/") ? path : `${cwd}/${path}`),
    exists: (path: string) => files.has(path) || [...files.keys()].some((name) => name.startsWith(`${path}/`)),
    list: (path: string) => [...files.keys()].filter((name) => name.startsWith(`${path}/`)).map((name) => name.slice(path.length + 1)),
    read(path: string) {
      if (path.startsWith("/proc/sys/")) return proc.read(path.slice(10));
      const text = files.get(path);
      if (text === undefined) throw new FileError([...files.keys()].some((name) => name.startsWith(`${path}/`)) ? "EISDIR" : "ENOENT", path);
      return text;
    },
  } as unknown as FileSystem;
}

export interface Ran {
  readonly exit: number;
  readonly stdout: string;
  readonly stderr: string;
  readonly all: string;
}

export function runCommand(
  host: Host,
  command: Command,
  args: readonly string[],
  options: { readonly files?: Map<string, string>; readonly stdin?: string } = {},
): Ran {
  let stdout = "";
  let stderr = "";
  let all = "";
  const machine = { host, hostname: host.name, files: plainFiles(host, options.files ?? new Map()) } as unknown as Machine;
  const context = {
    name: command.path.slice(command.path.lastIndexOf("/") + 1),
    args,
    env: new Map(),
    cwd: "/root",
    machine,
    stdin: {
      readAll: () =>
        (function* (): Running<string> {
          yield* [];
          return options.stdin ?? "";
        })(),
    },
    stdout: {
      write(text: string) {
        stdout += text;
        all += text;
        return true;
      },
    },
    stderr: {
      write(text: string) {
        stderr += text;
        all += text;
        return true;
      },
    },
  } as unknown as CommandContext;
  const result = command.run(context);
  if (typeof result === "number") return { exit: result, stdout, stderr, all };
  const step = result.next();
  if (step.done !== true) throw new Error("the command waits");
  return { exit: step.value, stdout, stderr, all };
}

/** Words of a simple command line: quotes, but no pipes, redirections or variables. */
export function wordsOf(line: string): string[] {
  return [...line.matchAll(/'([^']*)'|"([^"]*)"|(\S+)/g)].map((match) => match[1] ?? match[2] ?? (match[3] as string));
}
