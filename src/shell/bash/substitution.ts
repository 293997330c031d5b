/**
 * Command and process substitution.
 */

import type { ParsedScript } from "unbash";
import type { Running } from "../command.ts";
import { ForeignFile, makePipe, type OpenFile, TextInput } from "../streams.ts";
import { expandText } from "./expansion.ts";
import { startSubshell } from "./jobs.ts";
import { openNetwork } from "./network-file.ts";
import { openPath } from "./redirections.ts";
import type { Shell } from "./shell.ts";
import { makeUnit, substitutionUnit, syntaxProblem } from "./source-unit.ts";

const HIGHEST_FD = 63;

/** Output of `$(...)` or backquotes without trailing newlines. */
export function* substitute(shell: Shell, text: string, script: ParsedScript | undefined): Running<string> {
  shell.enter();
  try {
    const outer = shell.unit ?? makeUnit("", shell.name);
    const isBackquoted = text.startsWith("`");
    const unit = isBackquoted
      ? makeUnit(text.slice(1, -1).replace(/\\([`\\$])/g, "$1"), outer.name, shell.line)
      : script === undefined
        ? makeUnit("", outer.name)
        : substitutionUnit(outer, script, shell.line);
    const problem = isBackquoted ? syntaxProblem(unit) : undefined;
    if (problem !== undefined) {
      const place = `${shell.name}: command substitution: line ${problem.line}: `;
      shell.errorOutput(`${place}${problem.message}\n${problem.quoted === undefined ? "" : `${place}\`${problem.quoted}'\n`}`);
      shell.substitutionStatus = 2;
      return "";
    }
    const short = yield* readRedirected(shell, unit.script);
    if (short !== undefined) return short;
    const pipe = makePipe(shell.machine.host.loop);
    const reader = pipe.reader.retain();
    const child = startSubshell(shell, new Map([[1, pipe.writer]]), function* (sub): Running<number> {
      sub.unit = unit;
      sub.options.delete("errexit");
      sub.traceDepth++;
      const only = unit.script.commands[0];
      const isSimple = unit.script.commands.length === 1 && only !== undefined && only.background !== true;
      return isSimple ? yield* sub.engine.runNode(sub, only.command, true) : yield* sub.engine.runList(sub, unit.script.commands);
    });
    const output = yield* readBounded(shell, reader);
    reader.release();
    const status = yield* shell.runtime.wait(child);
    shell.substitutionStatus = status;
    shell.lastStatus = status;
    return output.replace(/\n+$/, "").replaceAll("\0", "");
  } finally {
    shell.leave();
  }
}

/** All of it, as long as it is no more than an expansion may give. */
function* readBounded(shell: Shell, file: OpenFile): Running<string> {
  const parts: string[] = [];
  let count = 0;
  for (let part = yield* file.readSome(); part !== undefined; part = yield* file.readSome()) {
    parts.push(part);
    count += part.length;
    if (count > shell.budget.limits.expansionMax) shell.limit("expansionMax", "the output of a command substitution is too long");
  }
  return parts.join("");
}

/** `$(< file)` reads the file without a process. */
function* readRedirected(shell: Shell, script: ParsedScript): Running<string | undefined> {
  const only = script.commands.length === 1 ? script.commands[0]?.command : undefined;
  if (only?.type !== "Command" || only.name !== undefined || only.prefix.length !== 1 || only.suffix.length > 0) return undefined;
  const redirect = only.prefix[0];
  if (redirect?.type !== "Redirect" || redirect.operator !== "<" || redirect.descriptor !== undefined) return undefined;
  const target = yield* expandText(shell, redirect.target);
  const file = (yield* openNetwork(shell, target)) ?? openPath(shell, target, { reads: true, writes: false, appends: false, truncates: false, overrides: false });
  if (typeof file === "string") {
    shell.complain(`${target}: ${file}`);
    shell.substitutionStatus = 1;
    return "";
  }
  shell.substitutionStatus = 0;
  const text = yield* readBounded(shell, file.retain());
  file.release();
  return text.replace(/\n+$/, "");
}

/** A path for `<(...)` or `>(...)`: an open file of the shell that becomes /dev/fd/N, and a real file there for commands that open it by name. */
export function* processSubstitution(shell: Shell, operator: "<" | ">", script: ParsedScript | undefined): Running<string> {
  const { files, host } = shell.machine;
  let fd = HIGHEST_FD;
  while (fd > 3 && (shell.fds.has(fd) || files.exists(`/dev/fd/${fd}`))) fd--;
  const path = `/dev/fd/${fd}`;
  const outer = shell.unit ?? makeUnit("", shell.name);
  const unit = script === undefined ? makeUnit("", outer.name) : substitutionUnit(outer, script, shell.line);
  const run = function* (sub: Shell): Running<number> {
    sub.unit = unit;
    return yield* sub.engine.runList(sub, unit.script.commands);
  };
  if (operator === "<") {
    const pipe = makePipe(host.loop);
    const reader = pipe.reader.retain();
    const child = startSubshell(shell, new Map([[1, pipe.writer]]), run);
    const text = yield* readBounded(shell, reader);
    reader.release();
    yield* shell.runtime.wait(child);
    files.write(path, text);
    shell.fds.set(fd, new TextInput(text).retain());
  } else {
    files.write(path, "");
    const collected: string[] = [];
    shell.fds.set(fd, new ForeignFile({ output: { write: (text) => collected.push(text) > 0 } }).retain());
    shell.afterCommand.push(function* (): Running<void> {
      const text = collected.join("") + files.read(path);
      const child = startSubshell(shell, new Map([[0, new TextInput(text)]]), run);
      yield* shell.runtime.wait(child);
    });
  }
  shell.afterCommand.push(() => {
    shell.fds.get(fd)?.release();
    shell.fds.delete(fd);
    if (files.exists(path)) files.remove(path);
    return undefined;
  });
  return path;
}
