/**
 * Builtins that change what runs next: break, return, exit, eval, source, exec, trap, command, set, shopt.
 */

import type { SignalName } from "../../command.ts";
import { errorText } from "../../errno-text.ts";
import { ALL_SIGNAL_NAMES, SIGNAL_NUMBERS } from "../../signals.ts";
import { FunctionReturn, LoopExit, ShellExit } from "../control-flow.ts";
import { formatFunction } from "../function-text.ts";
import { ignoreSignal } from "../jobs.ts";
import { singleQuote } from "../quoting.ts";
import { OPTION_LETTERS, type Shell } from "../shell.ts";
import { type Builtin, findProgram, runFile, runWords } from "../simple-command.ts";
import { builtinOptions, print, usage } from "./support.ts";
import { listVariables } from "./variables.ts";

const KEYWORDS = new Set([
  "if",
  "then",
  "else",
  "elif",
  "fi",
  "case",
  "esac",
  "for",
  "select",
  "while",
  "until",
  "do",
  "done",
  "in",
  "function",
  "time",
  "{",
  "}",
  "!",
  "[[",
  "]]",
  "coproc",
]);
/** Signals whose default action ends a shell: an EXIT trap runs before it does. */
const DEADLY: readonly SignalName[] = ["HUP", "INT", "TERM", "QUIT", "ALRM", "USR1", "USR2"];

const loopExit: Builtin = (shell, { name, args }) => {
  const kind = name === "break" ? "break" : "continue";
  if (shell.loopDepth === 0) {
    if (shell.dialect === "bash") shell.complain(`${name}: only meaningful in a \`for', \`while', or \`until' loop`);
    return 0;
  }
  const text = args[0] ?? "1";
  if (!/^[-+]?\d+$/.test(text)) {
    shell.complain(`${name}: ${text}: numeric argument required`);
    throw new ShellExit(128);
  }
  if (Number(text) < 1) {
    shell.complain(`${name}: ${text}: loop count out of range`);
    throw new LoopExit("break", shell.loopDepth);
  }
  throw new LoopExit(kind, Math.min(Number(text), shell.loopDepth));
};

/** The status that return and exit are given; undefined when it is not a number. */
function statusOf(shell: Shell, text: string | undefined): number | undefined {
  if (text === undefined) return shell.lastStatus;
  return /^\s*[-+]?\d+\s*$/.test(text) ? Number(BigInt.asUintN(8, BigInt(text.trim().replace(/^\+/, "")))) : undefined;
}

const returnBuiltin: Builtin = (shell, { name, args }) => {
  const status = statusOf(shell, args[0]);
  if (status === undefined) shell.complain(`${name}: ${args[0]}: numeric argument required`);
  if (shell.calls.length > 0 || shell.sourceDepth > 0) throw new FunctionReturn(status ?? 2);
  if (shell.dialect === "dash") throw new ShellExit(status ?? 2);
  if (status !== undefined) shell.complain(`${name}: can only \`return' from a function or sourced script`);
  return 2;
};

const exit: Builtin = (shell, { name, args }) => {
  const status = statusOf(shell, args[0]);
  if (status === undefined) {
    shell.complain(shell.dialect === "dash" ? `${name}: Illegal number: ${args[0]}` : `${name}: ${args[0]}: numeric argument required`);
    throw new ShellExit(2);
  }
  if (args.length > 1 && shell.dialect === "bash") {
    shell.complain(`${name}: too many arguments`);
    throw new ShellExit(1);
  }
  throw new ShellExit(status);
};

const evalBuiltin: Builtin = function* (shell, { args }) {
  const words = args[0] === "--" ? args.slice(1) : args;
  if (words.length === 0) return 0;
  shell.traceDepth++;
  try {
    return yield* shell.engine.runText(shell, words.join(" "), {
      name: shell.unit?.name ?? shell.name,
      firstLine: shell.line,
      problemPrefix: `${shell.name}: eval`,
    });
  } finally {
    shell.traceDepth--;
  }
};

const source: Builtin = function* (shell, { name, args }) {
  const words = args[0] === "--" ? args.slice(1) : args;
  const asked = words[0];
  if (asked === undefined) {
    shell.complain(`${name}: filename argument required`);
    return usage(shell, name);
  }
  const { files } = shell.machine;
  const inPath = asked.includes("/")
    ? undefined
    : (shell.readText("PATH") ?? "")
        .split(":")
        .map((directory) => shell.path(`${directory}/${asked}`))
        .find((path) => files.status(path)?.type === "file");
  const path = inPath ?? shell.path(asked);
  const status = files.status(path);
  if (status === undefined || status.type === "directory") {
    const text = errorText(status === undefined ? "ENOENT" : "EISDIR");
    shell.complain(
      shell.dialect === "dash"
        ? `${name}: cannot open ${asked}: No such file`
        : status === undefined
          ? `${asked}: ${text}`
          : `${name}: ${asked}: is a directory`,
    );
    if (shell.dialect === "dash") throw new ShellExit(2);
    return 1;
  }
  const outerArgs = shell.args;
  const outerName = shell.name;
  if (words.length > 1) shell.args = words.slice(1);
  shell.sourceDepth++;
  shell.enter();
  const isDash = shell.dialect === "dash";
  try {
    return yield* shell.engine.runText(shell, files.read(path), { name: isDash ? outerName : asked, firstLine: 1, problemPrefix: asked });
  } catch (error) {
    if (!(error instanceof FunctionReturn)) throw error;
    return error.status;
  } finally {
    shell.leave();
    shell.sourceDepth--;
    if (words.length > 1) shell.args = outerArgs;
  }
};

const exec: Builtin = function* (shell, { name, args, saved }) {
  const options = builtinOptions(shell, name, args, "cla:");
  if (typeof options === "number") return options;
  const { rest, values, letters } = options;
  if (rest.length === 0) {
    saved.keep();
    return 0;
  }
  const command = rest[0] as string;
  const program = findProgram(shell, command, shell.readText("PATH") ?? "");
  if (program.kind === "none") {
    if (shell.dialect === "dash") shell.complain(`exec: ${command}: not found`);
    else if (program.errno === "ENOENT" && !command.includes("/")) shell.complain(`${name}: ${command}: not found`);
    else shell.complain(`${command}: ${errorText(program.errno)}`);
    throw new ShellExit(program.status);
  }
  const shown = values.get("a");
  const status = yield* runFile(shell, {
    argv: rest,
    prefix: [],
    inPlace: true,
    ...(letters.has("c") ? { env: new Map<string, string>() } : {}),
    ...(shown === undefined ? {} : { shownName: shown }),
  });
  shell.traps.clear();
  throw new ShellExit(status);
};

/** Names as traps know them: EXIT, ERR, DEBUG, RETURN, or a signal. */
function trapName(text: string): string | undefined {
  const upper = text.toUpperCase().replace(/^SIG/, "");
  if (text === "0" || upper === "EXIT") return "EXIT";
  if (upper === "ERR" || upper === "DEBUG" || upper === "RETURN") return upper;
  if (/^\d+$/.test(text)) return ALL_SIGNAL_NAMES[Number(text) - 1];
  return ALL_SIGNAL_NAMES.includes(upper) ? upper : undefined;
}

function printTraps(shell: Shell, names: readonly string[]): number {
  const order = ["EXIT", ...ALL_SIGNAL_NAMES, "DEBUG", "ERR", "RETURN"];
  const wanted = names.length === 0 ? order : names;
  const lines = wanted.flatMap((name) => {
    const action = shell.traps.get(name);
    const shown = ALL_SIGNAL_NAMES.includes(name) && shell.dialect === "bash" ? `SIG${name}` : name;
    return action === undefined ? [] : [`trap -- ${singleQuote(action)} ${shown}\n`];
  });
  return print(shell, "trap", lines.join(""));
}

const trap: Builtin = (shell, { name, args }) => {
  const options = builtinOptions(shell, name, args, "lp");
  if (typeof options === "number") return options;
  const { rest, letters } = options;
  if (letters.has("l")) return print(shell, name, signalTable());
  const isList = letters.has("p") || rest.length === 0;
  const isReset = rest.length === 1 || rest[0] === "-" || (rest.length > 0 && /^\d+$/.test(rest[0] as string));
  const action = isList || (isReset && rest[0] !== "-") ? undefined : rest[0];
  const specs = isList || (isReset && rest[0] !== "-") ? rest : rest.slice(1);
  const names: string[] = [];
  let status = 0;
  for (const spec of specs) {
    const found = trapName(spec);
    if (found === undefined) {
      shell.complain(shell.dialect === "dash" ? `trap: bad trap: ${spec}` : `${name}: ${spec}: invalid signal specification`);
      status = 1;
    } else names.push(found);
  }
  if (isList) return Math.max(status, printTraps(shell, names));
  for (const one of names) setTrap(shell, one, isReset ? undefined : action);
  return status;
};

function setTrap(shell: Shell, name: string, action: string | undefined): void {
  if (name === "DEBUG" || name === "RETURN") {
    shell.complain(`trap: lvsim does not simulate ${name} traps`);
    return;
  }
  const isSignal = name in SIGNAL_NUMBERS && name !== "KILL" && name !== "STOP";
  if (action === undefined) {
    shell.traps.delete(name);
    if (isSignal) shell.table.clearSignal(shell.process, name as SignalName);
  } else {
    shell.traps.set(name, action);
    if (action === "") ignoreSignal(shell, name);
    else if (isSignal) {
      shell.table.onSignal(shell.process, name as SignalName, () => {
        shell.pendingTraps.push(name as SignalName);
        shell.interrupt?.();
      });
    }
  }
  watchDeadlySignals(shell);
}

/** While an EXIT trap is set, a deadly signal runs it first. */
function watchDeadlySignals(shell: Shell): void {
  const hasExit = (shell.traps.get("EXIT") ?? "") !== "";
  for (const signal of DEADLY) {
    if (shell.traps.has(signal)) continue;
    if (!hasExit) shell.table.clearSignal(shell.process, signal);
    else {
      shell.table.onSignal(shell.process, signal, () => {
        shell.dyingOf = signal;
        shell.pendingTraps.push(signal);
        shell.interrupt?.();
      });
    }
  }
}

export function signalTable(): string {
  const cells = ALL_SIGNAL_NAMES.map((name, i) => `${String(i + 1).padStart(2)}) SIG${name}`);
  for (let i = 34; i <= 64; i++) cells.push(`${i}) SIG${i === 34 ? "RTMIN" : i === 64 ? "RTMAX" : i <= 49 ? `RTMIN+${i - 34}` : `RTMAX-${64 - i}`}`);
  let out = "";
  for (const [i, cell] of cells.entries()) out += cell + ((i + 1) % 5 === 0 || i === cells.length - 1 ? "\n" : "\t");
  return out;
}

const setBuiltin: Builtin = (shell, { name, args }) => {
  if (args.length === 0) return print(shell, name, listVariables(shell));
  const names = [...new Set([...Object.values(OPTION_LETTERS), "emacs", "vi", "history", "ignoreeof", "interactive-comments", "nolog", "pipefail", "posix"])]
    .filter((one) => !["onecmd-"].includes(one))
    .sort();
  let i = 0;
  for (; i < args.length; i++) {
    const word = args[i] as string;
    if (word === "--" || word === "-") {
      shell.args = args.slice(i + 1);
      return 0;
    }
    if (!/^[-+]./.test(word)) break;
    const isOn = word.startsWith("-");
    for (const letter of word.slice(1)) {
      if (letter === "o") {
        const option = args[i + 1];
        if (option === undefined || /^[-+]/.test(option)) {
          const lines = names.map((one) =>
            isOn ? `${one.padEnd(15)}\t${shell.options.has(one) ? "on" : "off"}\n` : `set ${shell.options.has(one) ? "-" : "+"}o ${one}\n`,
          );
          print(shell, name, lines.join(""));
          continue;
        }
        i++;
        if (!names.includes(option)) {
          shell.complain(shell.dialect === "dash" ? `set: Illegal option -o ${option}` : `${name}: ${option}: invalid option name`);
          return shell.dialect === "dash" ? 2 : 1;
        }
        toggle(shell.options, option, isOn);
        continue;
      }
      const option = OPTION_LETTERS[letter];
      if (option === undefined) {
        shell.complain(shell.dialect === "dash" ? `set: Illegal option -${letter}` : `${name}: ${word[0]}${letter}: invalid option`);
        if (shell.dialect === "dash") throw new ShellExit(2);
        return usage(shell, name);
      }
      toggle(shell.options, option, isOn);
    }
  }
  if (i < args.length) shell.args = args.slice(i);
  return 0;
};

function toggle(set: Set<string>, name: string, isOn: boolean): void {
  if (isOn) set.add(name);
  else set.delete(name);
}

const SHOPT_NAMES = (
  "autocd assoc_expand_once cdable_vars cdspell checkhash checkjobs checkwinsize cmdhist compat31 compat32 compat40 compat41 compat42 compat43 compat44 complete_fullquote direxpand dirspell dotglob " +
  "execfail expand_aliases extdebug extglob extquote failglob force_fignore globasciiranges globskipdots globstar gnu_errfmt histappend histreedit histverify hostcomplete huponexit inherit_errexit " +
  "interactive_comments lastpipe lithist localvar_inherit localvar_unset login_shell mailwarn no_empty_cmd_completion nocaseglob nocasematch noexpand_translation nullglob patsub_replacement progcomp " +
  "progcomp_alias promptvars restricted_shell shift_verbose sourcepath varredir_close xpg_echo"
).split(" ");

const shopt: Builtin = (shell, { name, args }) => {
  const options = builtinOptions(shell, name, args, "opqsu");
  if (typeof options === "number") return options;
  const { letters, rest } = options;
  const set = letters.has("o") ? shell.options : shell.shopts;
  const known = letters.has("o") ? [...Object.values(OPTION_LETTERS), "pipefail", "posix"] : SHOPT_NAMES;
  let status = 0;
  const shown: string[] = [];
  for (const one of rest.length === 0 ? known.filter((option) => (letters.has("s") ? set.has(option) : letters.has("u") ? !set.has(option) : true)) : rest) {
    if (!known.includes(one)) {
      shell.complain(`${name}: ${one}: invalid shell option name`);
      status = 1;
    } else if (rest.length > 0 && (letters.has("s") || letters.has("u"))) toggle(set, one, letters.has("s"));
    else {
      if (!set.has(one) && rest.length > 0) status = 1;
      shown.push(letters.has("p") ? `shopt ${set.has(one) ? "-s" : "-u"} ${one}\n` : `${one.padEnd(15)}\t${set.has(one) ? "on" : "off"}\n`);
    }
  }
  if (!letters.has("q")) print(shell, name, shown.join(""));
  return status;
};

/** What a name is; undefined when it is nothing. */
function kindOf(shell: Shell, name: string): { readonly kind: string; readonly text: string; readonly path?: string } | undefined {
  const alias = shell.aliases.get(name);
  if (alias !== undefined && shell.isInteractive) return { kind: "alias", text: `${name} is aliased to \`${alias}'` };
  if (KEYWORDS.has(name)) return { kind: "keyword", text: `${name} is a shell keyword` };
  const called = shell.functions.get(name);
  if (called !== undefined) return { kind: "function", text: `${name} is a function\n${formatFunction(called)}` };
  if (shell.engine.isBuiltin(name)) return { kind: "builtin", text: `${name} is a shell builtin` };
  const hashed = shell.hashed.get(name);
  if (hashed !== undefined) return { kind: "file", text: `${name} is hashed (${hashed})`, path: hashed };
  const program = shell.runtime.find(name, shell.cwd, shell.readText("PATH") ?? "");
  if (program.kind === "none") return undefined;
  const path = name.includes("/") ? name : program.path;
  return { kind: "file", text: `${name} is ${path}`, path };
}

function filesNamed(shell: Shell, name: string): string[] {
  const directories = (shell.readText("PATH") ?? "").split(":");
  return directories.map((directory) => `${directory}/${name}`).filter((path) => shell.runtime.find(path, shell.cwd, "").kind !== "none");
}

const type: Builtin = (shell, { name, args }) => {
  const options = builtinOptions(shell, name, args, "afptP");
  if (typeof options === "number") return options;
  const { letters, rest } = options;
  let status = 0;
  for (const word of rest) {
    const found = letters.has("P")
      ? filesNamed(shell, word)
          .slice(0, 1)
          .map((path) => ({ kind: "file", text: path, path }))[0]
      : kindOf(shell, word);
    if (found === undefined) {
      if (!letters.has("t") && !letters.has("p") && !letters.has("P"))
        shell.dialect === "dash" ? print(shell, name, `${word}: not found\n`) : shell.complain(`${name}: ${word}: not found`);
      status = shell.dialect === "dash" ? 127 : 1;
    } else if (letters.has("t")) print(shell, name, `${found.kind}\n`);
    else if (letters.has("p") || letters.has("P")) print(shell, name, found.path === undefined ? "" : `${found.path}\n`);
    else if (letters.has("a")) {
      const files = filesNamed(shell, word).map((path) => `${word} is ${path}\n`);
      print(shell, name, found.kind === "file" ? files.join("") : `${found.text}\n${files.join("")}`);
    } else print(shell, name, `${found.text}\n`);
  }
  return status;
};

const command: Builtin = function* (shell, { name, args }) {
  const options = builtinOptions(shell, name, args, "pvV");
  if (typeof options === "number") return options;
  const { letters, rest } = options;
  if (rest.length === 0) return 0;
  if (!letters.has("v") && !letters.has("V")) return yield* runWords(shell, rest, { functions: true });
  let status = 1;
  for (const word of rest) {
    const found = kindOf(shell, word);
    if (found === undefined) {
      if (letters.has("V")) shell.complain(`${name}: ${word}: not found`);
      if (shell.dialect === "dash") status = 127;
      continue;
    }
    status = 0;
    print(shell, name, letters.has("V") ? `${found.text}\n` : `${found.path ?? word}\n`);
  }
  return status;
};

const builtin: Builtin = function* (shell, { args }) {
  return args.length === 0 ? 0 : yield* runWords(shell, args, { functions: true, files: true });
};

export const controlBuiltins: ReadonlyMap<string, Builtin> = new Map<string, Builtin>([
  [":", () => 0],
  ["true", () => 0],
  ["false", () => 1],
  ["break", loopExit],
  ["continue", loopExit],
  ["return", returnBuiltin],
  ["exit", exit],
  ["eval", evalBuiltin],
  ["source", source],
  [".", source],
  ["exec", exec],
  ["trap", trap],
  ["set", setBuiltin],
  ["shopt", shopt],
  ["type", type],
  ["command", command],
  ["builtin", builtin],
  ["enable", () => 0],
]);
