/**
 * What builtins share: usage lines, options, output.
 */

import { errorText } from "../../errno-text.ts";
import type { OpenFile } from "../../streams.ts";
import { NetworkFile } from "../network-file.ts";
import type { Shell } from "../shell.ts";

/** Prints; tells a failed write as bash does: `echo: write error: Invalid argument`. */
export function print(shell: Shell, name: string, text: string): number {
  if (text === "") return 0;
  const file = shell.fds.get(1);
  const errno = file === undefined ? "EBADF" : putAll(file, text);
  if (errno === undefined) return 0;
  if (errno === "EPIPE" && !shell.traps.has("PIPE")) shell.table.kill(shell.process.pid, "PIPE");
  else shell.complain(`${name}: write error: ${errorText(errno)}`);
  return 1;
}

/** Bash gives its output away line by line: a network file sends each as a segment of its own. */
function putAll(file: OpenFile, text: string): string | undefined {
  const parts = file instanceof NetworkFile ? (text.match(/[^\n]*\n|[^\n]+/g) ?? []) : [text];
  let errno: string | undefined;
  for (const part of parts) errno ??= file.put(part);
  return errno;
}

const USAGES: Readonly<Record<string, string>> = {
  alias: "alias [-p] [name[=value] ... ]",
  cd: "cd [-L|[-P [-e]] [-@]] [dir]",
  command: "command [-pVv] command [arg ...]",
  declare: "declare [-aAfFgiIlnrtux] [name[=value] ...] or declare -p [-aAfFilnrtux] [name ...]",
  typeset: "typeset [-aAfFgiIlnrtux] name[=value] ... or typeset -p [-aAfFilnrtux] [name ...]",
  local: "local [option] name[=value] ...",
  exec: "exec [-cl] [-a name] [command [argument ...]] [redirection ...]",
  export: "export [-fn] [name[=value] ...] or export -p",
  getopts: "getopts optstring name [arg ...]",
  hash: "hash [-lr] [-p pathname] [-dt] [name ...]",
  jobs: "jobs [-lnprs] [jobspec ...] or jobs -x command [args]",
  kill: "kill [-s sigspec | -n signum | -sigspec] pid | jobspec ... or kill -l [sigspec]",
  mapfile: "mapfile [-d delim] [-n count] [-O origin] [-s count] [-t] [-u fd] [-C callback] [-c quantum] [array]",
  readarray: "readarray [-d delim] [-n count] [-O origin] [-s count] [-t] [-u fd] [-C callback] [-c quantum] [array]",
  printf: "printf [-v var] format [arguments]",
  pwd: "pwd [-LP]",
  read: "read [-ers] [-a array] [-d delim] [-i text] [-n nchars] [-N nchars] [-p prompt] [-t timeout] [-u fd] [name ...]",
  readonly: "readonly [-aAf] [name[=value] ...] or readonly -p",
  set: "set [-abefhkmnptuvxBCEHPT] [-o option-name] [--] [-] [arg ...]",
  shopt: "shopt [-pqsu] [-o] [optname ...]",
  source: "source filename [arguments]",
  ".": ". filename [arguments]",
  trap: "trap [-lp] [[arg] signal_spec ...]",
  type: "type [-afptP] name [name ...]",
  ulimit: "ulimit [-SHabcdefiklmnpqrstuvxPRT] [limit]",
  umask: "umask [-p] [-S] [mode]",
  unalias: "unalias [-a] name [name ...]",
  unset: "unset [-f] [-v] [-n] [name ...]",
  wait: "wait [-fn] [-p var] [id ...]",
};

export function usage(shell: Shell, name: string): number {
  shell.errorOutput(`${name}: usage: ${USAGES[name] ?? name}\n`);
  return 2;
}

export function invalidOption(shell: Shell, name: string, option: string): number {
  shell.complain(`${name}: ${option}: invalid option`);
  return usage(shell, name);
}

export interface BuiltinOptions {
  readonly letters: ReadonlySet<string>;
  readonly values: ReadonlyMap<string, string>;
  readonly rest: readonly string[];
}

/** Parses as bash's internal_getopt; a number is the status of a mistake that has been told. `spec` is a getopt string. */
export function builtinOptions(shell: Shell, name: string, args: readonly string[], spec: string): BuiltinOptions | number {
  const letters = new Set<string>();
  const values = new Map<string, string>();
  let i = 0;
  for (; i < args.length; i++) {
    const word = args[i] as string;
    if (word === "--") {
      i++;
      break;
    }
    if (!word.startsWith("-") || word === "-") break;
    for (let j = 1; j < word.length; j++) {
      const letter = word[j] as string;
      const at = spec.indexOf(letter);
      if (at < 0 || letter === ":") return invalidOption(shell, name, `-${letter}`);
      letters.add(letter);
      if (spec[at + 1] !== ":") continue;
      const value = j + 1 < word.length ? word.slice(j + 1) : args[++i];
      if (value === undefined) {
        shell.complain(`${name}: -${letter}: option requires an argument`);
        return usage(shell, name);
      }
      values.set(letter, value);
      break;
    }
  }
  return { letters, values, rest: args.slice(i) };
}
