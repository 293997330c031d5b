/**
 * bash, sh and dash as programs: `sh script.sh`, `bash -c '...'`, scripts that start with #!.
 */

import { bashEngine } from "./bash/engine.ts";
import { runShellProcess } from "./bash/jobs.ts";
import { OPTION_LETTERS, type ScriptBudget, Shell } from "./bash/shell.ts";
import type { Command, CommandContext, Running } from "./command.ts";
import { errorText } from "./errno-text.ts";
import type { Runtime } from "./runtime.ts";

const VERSION = `GNU bash, version 5.2.15(1)-release (x86_64-pc-linux-gnu)
Copyright (C) 2022 Free Software Foundation, Inc.
License GPLv3+: GNU GPL version 3 or later <http://gnu.org/licenses/gpl.html>

This is free software; you are free to change and redistribute it.
There is NO WARRANTY, to the extent permitted by law.
`;

interface Invocation {
  readonly options: ReadonlySet<string>;
  readonly off: ReadonlySet<string>;
  readonly command: string | undefined;
  readonly readsInput: boolean;
  readonly rest: readonly string[];
}

/** Reads the shell's own options; a string is what is wrong with them. */
function readInvocation(args: readonly string[]): Invocation | string {
  const options = new Set<string>();
  const off = new Set<string>();
  let hasCommand = false;
  let readsInput = false;
  let i = 0;
  for (; i < args.length; i++) {
    const word = args[i] as string;
    if (word === "--" || word === "-") {
      i++;
      break;
    }
    if (word === "--norc" || word === "--noprofile" || word === "--login" || word === "--posix") continue;
    if (word.startsWith("--")) return `${word}: invalid option`;
    if (!/^[-+]./.test(word)) break;
    for (const letter of word.slice(1)) {
      if (letter === "c") hasCommand = true;
      else if (letter === "s") readsInput = true;
      else if (letter === "l" || letter === "i") continue;
      else if (letter === "o" || letter === "O") (word.startsWith("-") ? options : off).add(args[++i] ?? "");
      else if (OPTION_LETTERS[letter] !== undefined) (word.startsWith("-") ? options : off).add(OPTION_LETTERS[letter]);
      else return `-${letter}: invalid option`;
    }
  }
  const rest = args.slice(i);
  if (hasCommand && rest[0] === undefined) return "-c: option requires an argument";
  return { options, off, command: hasCommand ? rest[0] : undefined, readsInput, rest: hasCommand ? rest.slice(1) : rest };
}

export function shellCommands(runtime: Runtime, fallbackBudget: ScriptBudget): readonly Command[] {
  const make = (path: string, dialect: "bash" | "dash"): Command => ({ path, run: (context) => runShellCommand(runtime, context, dialect, fallbackBudget) });
  return [make("/usr/bin/bash", "bash"), make("/usr/bin/dash", "dash"), make("/usr/bin/sh", "dash")];
}

function* runShellCommand(runtime: Runtime, context: CommandContext, dialect: "bash" | "dash", fallbackBudget: ScriptBudget): Running<number> {
  const { args } = context;
  if (dialect === "bash" && args[0] === "--version") {
    context.stdout.write(VERSION);
    return 0;
  }
  const invocation = readInvocation(args);
  if (typeof invocation === "string") {
    context.stderr.write(`${context.name}: ${dialect === "dash" ? `0: ${invocation.replace(/^-(.): invalid option$/, "Illegal option -$1")}` : invocation}\n`);
    return 2;
  }
  const { command, readsInput, rest } = invocation;
  const isFile = command === undefined && !readsInput && rest[0] !== undefined;
  const name = command === undefined ? (isFile ? (rest[0] as string) : context.name) : (rest[0] ?? context.name);
  const shell = new Shell({
    runtime,
    engine: bashEngine,
    budget: runtime.budgetOf(context.process) ?? fallbackBudget,
    process: context.process,
    fds: runtime.filesOf(context.process),
    env: context.env,
    cwd: context.cwd,
    name,
    args: readsInput && command === undefined ? rest : rest.slice(1),
    dialect,
  });
  for (const option of invocation.options) (option in SHOPT_ONLY ? shell.shopts : shell.options).add(option);
  for (const option of invocation.off) shell.options.delete(option);
  if (command !== undefined) {
    shell.executionString = command;
    return yield* runShellProcess(shell, () =>
      bashEngine.runText(shell, command, { name: "environment", firstLine: 1, problemPrefix: `${name}: -c`, inPlace: true }),
    );
  }
  if (!isFile) {
    const text = yield* context.stdin.readAll();
    return yield* runShellProcess(shell, () => bashEngine.runText(shell, text, { name: "main", firstLine: 1, problemPrefix: name }));
  }
  const text = readScript(context, name, dialect);
  if (typeof text === "number") return text;
  return yield* runShellProcess(shell, () => bashEngine.runText(shell, text, { name, firstLine: 1, problemPrefix: name }));
}

const SHOPT_ONLY: Readonly<Record<string, true>> = { extglob: true, nullglob: true, dotglob: true, failglob: true, expand_aliases: true };

/** The text of a script file, or the status after a message. */
function readScript(context: CommandContext, name: string, dialect: "bash" | "dash"): string | number {
  const { files } = context.machine;
  const inPath = name.includes("/")
    ? undefined
    : (context.env.get("PATH") ?? "")
        .split(":")
        .map((directory) => `${directory}/${name}`)
        .find((path) => files.status(path)?.type === "file");
  const own = files.resolve(context.cwd, name);
  const path = files.exists(own) ? own : (inPath ?? own);
  const status = files.status(path);
  if (status === undefined) {
    context.stderr.write(dialect === "dash" ? `${context.name}: 0: cannot open ${name}: No such file\n` : `${context.name}: ${name}: ${errorText("ENOENT")}\n`);
    return dialect === "dash" ? 2 : 127;
  }
  if (status.type === "directory") {
    context.stderr.write(
      dialect === "dash" ? `${context.name}: 0: cannot open ${name}: ${errorText("EISDIR")}\n` : `${context.name}: ${name}: ${errorText("EISDIR")}\n`,
    );
    return 126;
  }
  const text = files.read(path);
  if (text.startsWith("\x7fELF")) {
    context.stderr.write(`${name}: ${name}: cannot execute binary file\n`);
    return 126;
  }
  return text;
}
