/**
 * The state of one bash: variables, functions, options, open files, jobs, traps. Subshells are copies (fork) in processes of their own.
 */

import type { AndOr, CompoundCommand, CompoundList, ParsedScript, PipelineNode, Redirected, Statement } from "unbash";
import type { Running, SignalName } from "../command.ts";
import { errorText } from "../errno-text.ts";
import { FileError } from "../file-system.ts";
import { LimitError, type ShellLimits } from "../limits.ts";
import type { Machine } from "../machine.ts";
import type { Process } from "../process.ts";
import type { MachineProcessTable } from "../process-table.ts";
import type { Runtime } from "../runtime.ts";
import { ClosedFile, type OpenFile } from "../streams.ts";
import { ArithmeticError, evaluateArithmetic } from "./arithmetic.ts";
import { ExpansionFailure, ShellExit } from "./control-flow.ts";
import type { SourceUnit } from "./source-unit.ts";
import { isName, newVariable, sortedEntries, type Variable, VariableTable } from "./variables.ts";

/** What all processes of one script share: its limits, and what it has used of them. */
export interface ScriptBudget {
  readonly limits: ShellLimits;
  commands: number;
  /** Line of the last command, for limits that are met outside the shell. */
  line: number;
  spendOutput(count: number): void;
}

export interface ShellFunction {
  readonly name: string;
  readonly body: CompoundCommand | Redirected | CompoundList;
  readonly unit: SourceUnit;
}

export interface Job {
  readonly number: number;
  /** The processes of the pipeline; the last one's status counts. */
  readonly processes: readonly Process[];
  readonly statuses: (number | undefined)[];
  readonly text: string;
  /** Told once by `jobs` or `wait`. */
  isReported: boolean;
}

/** What the interpreter does for expansions and builtins, which it uses itself. */
export interface Engine {
  runList(shell: Shell, statements: readonly Statement[]): Running<number>;
  /** `inPlace`: nothing follows in this process, a program may take it over. */
  runNode(shell: Shell, node: PipelineNode | AndOr | CompoundList, inPlace?: boolean): Running<number>;
  /** Output of `$(...)` or backquotes. */
  substitute(shell: Shell, text: string, script: ParsedScript | undefined): Running<string>;
  /** Path that `<(...)` or `>(...)` stands for. */
  processSubstitution(shell: Shell, operator: "<" | ">", script: ParsedScript | undefined): Running<string>;
  /** Runs text as `eval`, `source` and traps do. */
  runText(
    shell: Shell,
    text: string,
    options: { readonly name: string; readonly firstLine: number; readonly problemPrefix: string; readonly inPlace?: boolean },
  ): Running<number>;
  callFunction(shell: Shell, called: ShellFunction, args: readonly string[]): Running<number>;
  /** Runs argv: function, builtin (`skips` decides) or file. */
  runWords(shell: Shell, argv: readonly string[], skips: { readonly functions?: boolean; readonly files?: boolean }): Running<number>;
  isBuiltin(name: string): boolean;
}

const DEFAULT_OPTIONS = ["braceexpand", "hashall", "interactive-comments"];
const DEFAULT_SHOPTS = [
  "checkwinsize",
  "cmdhist",
  "complete_fullquote",
  "extquote",
  "force_fignore",
  "globasciiranges",
  "globskipdots",
  "hostcomplete",
  "interactive_comments",
  "patsub_replacement",
  "progcomp",
  "promptvars",
  "sourcepath",
];
export const OPTION_LETTERS: Readonly<Record<string, string>> = {
  a: "allexport",
  b: "notify",
  e: "errexit",
  f: "noglob",
  h: "hashall",
  k: "keyword",
  m: "monitor",
  n: "noexec",
  p: "privileged",
  t: "onecmd",
  u: "nounset",
  v: "verbose",
  x: "xtrace",
  B: "braceexpand",
  C: "noclobber",
  E: "errtrace",
  H: "histexpand",
  P: "physical",
  T: "functrace",
};

export interface ShellParts {
  readonly runtime: Runtime;
  readonly engine: Engine;
  readonly budget: ScriptBudget;
  readonly process: Process;
  readonly fds: Map<number, OpenFile>;
  readonly env: ReadonlyMap<string, string>;
  readonly cwd: string;
  /** $0 */
  readonly name: string;
  readonly args: readonly string[];
  readonly dialect?: "bash" | "dash";
}

export class Shell {
  readonly machine: Machine;
  readonly runtime: Runtime;
  readonly table: MachineProcessTable;
  readonly engine: Engine;
  readonly budget: ScriptBudget;
  readonly dialect: "bash" | "dash";
  process: Process;
  name: string;
  variables = new VariableTable();
  functions = new Map<string, ShellFunction>();
  options = new Set<string>(DEFAULT_OPTIONS);
  shopts = new Set<string>(DEFAULT_SHOPTS);
  fds: Map<number, OpenFile>;
  args: readonly string[];
  cwd: string;
  umask = 0o022;
  unit: SourceUnit | undefined;
  line = 1;
  lastStatus = 0;
  lastBackgroundPid: number | undefined;
  /** Status of the last command substitution in the running command: what an assignment alone returns. */
  substitutionStatus = 0;
  pipeStatus: readonly number[] = [0];
  /** $$ */
  mainPid: number;
  /** $PPID, the same in subshells. */
  readonly mainParentPid: number;
  jobs: Job[] = [];
  traps = new Map<string, string>();
  /** Signals that came and whose traps have not run. */
  pendingTraps: SignalName[] = [];
  isRunningTrap = false;
  isSubshell = false;
  isInteractive = false;
  loopDepth = 0;
  /** Functions that are being called, innermost last; their units name errors. */
  calls: ShellFunction[] = [];
  /** Files that are being sourced. */
  sourceDepth = 0;
  depth = 0;
  /** Above 0 where a failure does not end the shell (`if`, `while`, `&&`, `!`). */
  conditionDepth = 0;
  startedAtNs: number;
  secondsBase = 0;
  hashed = new Map<string, string>();
  aliases = new Map<string, string>();
  /** pushd's directories below the current one. */
  directoryStack: string[] = [];
  optionPosition = 0;
  /** Ends of process substitutions, run when the command that they belong to has ended. */
  afterCommand: (() => Running<void> | undefined)[] = [];
  /** How deep `set -x` shows itself. */
  traceDepth = 1;
  /** Ends the wait that the shell is in, so that it sees a signal. */
  interrupt: (() => void) | undefined;
  /** A deadly signal that came while an EXIT trap is set. */
  dyingOf: SignalName | undefined;
  /** The command that runs, for messages about its death. */
  runningNode: { readonly pos: number; readonly end: number } | undefined;
  /** Pages of text that waited in the pipe at standard output after the last builtin. */
  unreadPages = 0;
  /** $_: the last word of the command before. */
  lastArgument: string;
  /** What -c gave. */
  executionString: string | undefined;

  constructor(parts: ShellParts) {
    this.runtime = parts.runtime;
    this.machine = parts.runtime.machine;
    this.table = parts.runtime.table;
    this.engine = parts.engine;
    this.budget = parts.budget;
    this.process = parts.process;
    this.fds = parts.fds;
    this.args = parts.args;
    this.cwd = parts.cwd;
    this.name = parts.name;
    this.dialect = parts.dialect ?? "bash";
    this.mainPid = parts.process.pid;
    this.mainParentPid = parts.process.parentPid;
    this.lastArgument = parts.env.get("_") ?? parts.name;
    this.startedAtNs = this.machine.host.loop.nowNs;
    for (const [name, value] of parts.env) if (isName(name)) this.export(name, value);
    this.assignText("IFS", " \t\n");
    this.assignText("OPTIND", "1");
    this.assignText("OPTERR", "1");
    this.assignText("PS4", "+ ");
    this.export("PWD", parts.cwd);
    this.export("SHLVL", String(Number(parts.env.get("SHLVL") ?? "0") + 1));
    if (this.variables.find("PATH") === undefined) this.assignText("PATH", "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin");
  }

  /** A copy for a subshell; the caller gives it a process. Traps are reset, open files shared. */
  fork(): Shell {
    const copy = Object.create(Shell.prototype) as Shell;
    Object.assign(copy, this);
    copy.variables = this.variables.fork();
    copy.functions = new Map(this.functions);
    copy.options = new Set(this.options);
    copy.shopts = new Set(this.shopts);
    copy.fds = new Map(this.fds);
    copy.jobs = [];
    copy.traps = new Map([...this.traps].filter(([, action]) => action === ""));
    copy.pendingTraps = [];
    copy.isSubshell = true;
    copy.calls = [...this.calls];
    copy.hashed = new Map(this.hashed);
    copy.aliases = new Map(this.aliases);
    copy.directoryStack = [...this.directoryStack];
    copy.afterCommand = [];
    return copy;
  }

  get tracePrefix(): string {
    const prefix = this.readText("PS4") ?? "";
    return prefix.slice(0, 1).repeat(this.traceDepth) + prefix.slice(1);
  }

  /** Counts a level of calls; `leave` takes it back. */
  enter(): void {
    if (++this.depth > this.budget.limits.recursionMax) this.limit("recursionMax", `calls nested more than ${this.budget.limits.recursionMax} deep`);
  }

  leave(): void {
    this.depth--;
  }

  limit(limit: keyof ShellLimits, what: string): never {
    throw new LimitError(this.machine.host.name, this.line, limit, what);
  }

  countCommand(): void {
    if (++this.budget.commands > this.budget.limits.commandsMax) this.limit("commandsMax", `more than ${this.budget.limits.commandsMax} commands`);
    this.budget.line = this.line;
    this.table.countStep(this.line);
  }

  /* ------------------------------------------------------------------------------------------------------------ messages */

  /** Who speaks: the shell or script, inside functions where the function stands. */
  get errorName(): string {
    return this.calls.at(-1)?.unit.name ?? (this.sourceDepth > 0 ? (this.unit?.name ?? this.name) : this.name);
  }

  /** `/bin/bash: line 3: TEXT`. */
  complain(text: string): void {
    const place =
      this.dialect === "dash"
        ? `${this.name}: ${this.line}: `
        : this.isInteractive && this.calls.length === 0 && this.sourceDepth === 0
          ? `${this.name}: `
          : `${this.errorName}: line ${this.line}: `;
    this.errorOutput(`${place}${text}\n`);
  }

  /** Status of a command whose redirection failed. */
  get redirectionFailure(): number {
    return this.dialect === "dash" ? 2 : 1;
  }

  errorOutput(text: string): void {
    this.fds.get(2)?.put(text);
  }

  file(fd: number): OpenFile {
    return this.fds.get(fd) ?? new ClosedFile();
  }

  /** Prints an error of an expansion and gives up the running command, as bash does for unset variables and bad substitutions. */
  failExpansion(text: string, status = 1): never {
    this.complain(text);
    throw new ExpansionFailure(status);
  }

  /** Ends a non-interactive shell with the message: `${x?}`, set -u. */
  failFatally(text: string): never {
    this.complain(text);
    if (this.isInteractive) throw new ExpansionFailure(1);
    throw new ShellExit(this.isSubshell ? 1 : this.dialect === "dash" ? 2 : this.executionString === undefined ? 1 : 127);
  }

  /* ----------------------------------------------------------------------------------------------------------- variables */

  /** Follows `declare -n`. */
  resolveName(name: string): string {
    let current = name;
    for (let i = 0; i < 10; i++) {
      const variable = this.variables.find(current);
      if (variable?.isReference !== true || variable.text === undefined || variable.text === "") return current;
      current = variable.text;
    }
    return current;
  }

  /** Value of a scalar, or element 0 of an array; undefined when unset. */
  readText(name: string): string | undefined {
    const target = this.resolveName(name);
    const bracket = target.indexOf("[");
    if (bracket > 0) return this.readElement(target.slice(0, bracket), target.slice(bracket + 1, -1));
    const dynamic = this.readDynamic(target);
    if (dynamic !== undefined) return dynamic;
    const variable = this.variables.find(target);
    if (variable === undefined) return undefined;
    if (variable.list !== undefined) return variable.list.get(0);
    if (variable.table !== undefined) return variable.table.get("0");
    return variable.text;
  }

  readElement(name: string, subscript: string): string | undefined {
    const target = this.resolveName(name);
    const elements = this.readDynamicList(target);
    if (elements !== undefined) return elements[Number(this.arithmetic(subscript))];
    const variable = this.variables.find(target);
    if (variable?.table !== undefined) return variable.table.get(subscript);
    const index = Number(this.arithmetic(subscript));
    if (variable === undefined) return undefined;
    const list = variable.list ?? (variable.text === undefined ? new Map<number, string>() : new Map([[0, variable.text]]));
    const real = index < 0 ? Math.max(-1, ...list.keys()) + 1 + index : index;
    if (real < 0) {
      this.complain(`${name}: bad array subscript`);
      return undefined;
    }
    return list.get(real);
  }

  /** All values with their subscripts, in order. */
  readAll(name: string): (readonly [string, string])[] {
    const target = this.resolveName(name);
    const elements = this.readDynamicList(target);
    if (elements !== undefined) return elements.map((text, i) => [String(i), text]);
    const variable = this.variables.find(target);
    if (variable?.table !== undefined) return [...variable.table];
    if (variable?.list !== undefined) return sortedEntries(variable.list).map(([index, text]) => [String(index), text]);
    const text = this.readText(target);
    return text === undefined ? [] : [["0", text]];
  }

  /** Assigns a scalar; false (and a message) when it is read-only. */
  assignText(name: string, value: string, options: { readonly appends?: boolean; readonly isLocal?: boolean } = {}): boolean {
    const target = this.resolveName(name);
    const bracket = target.indexOf("[");
    if (bracket > 0) return this.assignElement(target.slice(0, bracket), target.slice(bracket + 1, -1), value, options.appends);
    const variable = options.isLocal === true ? this.variables.local(target) : this.variables.findOrCreate(target);
    if (!this.mayAssign(target, variable)) return false;
    if (target === "SECONDS") {
      this.secondsBase = Number(value) || 0;
      this.startedAtNs = this.machine.host.loop.nowNs;
    }
    if (target === "PATH") this.hashed.clear();
    if (target === "OPTIND") this.optionPosition = 0;
    if (variable.list !== undefined) variable.list.set(0, this.shaped(variable, value, options.appends === true ? variable.list.get(0) : undefined));
    else if (variable.table !== undefined)
      variable.table.set("0", this.shaped(variable, value, options.appends === true ? variable.table.get("0") : undefined));
    else variable.text = this.shaped(variable, value, options.appends === true ? variable.text : undefined);
    if (this.options.has("allexport")) variable.isExported = true;
    return true;
  }

  assignElement(name: string, subscript: string, value: string, appends = false): boolean {
    const target = this.resolveName(name);
    const variable = this.variables.findOrCreate(target);
    if (!this.mayAssign(target, variable)) return false;
    if (variable.table !== undefined) {
      variable.table.set(subscript, this.shaped(variable, value, appends ? variable.table.get(subscript) : undefined));
      return true;
    }
    this.makeList(variable);
    const list = variable.list as Map<number, string>;
    let index = Number(this.arithmetic(subscript));
    if (index < 0) index += Math.max(-1, ...list.keys()) + 1;
    if (index < 0) {
      this.complain(`${name}[${subscript}]: bad array subscript`);
      return false;
    }
    list.set(index, this.shaped(variable, value, appends ? list.get(index) : undefined));
    return true;
  }

  makeList(variable: Variable): void {
    if (variable.list !== undefined) return;
    variable.list = new Map(variable.text === undefined ? [] : [[0, variable.text]]);
    variable.text = undefined;
  }

  mayAssign(name: string, variable: Variable): boolean {
    if (!variable.isReadonly) return true;
    this.complain(this.dialect === "dash" ? `${name}: is read only` : `${name}: readonly variable`);
    return false;
  }

  /** The value as the variable's attributes want it, appended to `old` when given. */
  shaped(variable: Variable, value: string, old: string | undefined): string {
    if (variable.isInteger) {
      const number = this.arithmetic(value);
      return String(BigInt.asIntN(64, number + (old === undefined ? 0n : this.arithmetic(old))));
    }
    const text = (old ?? "") + value;
    if (text.length > this.budget.limits.expansionMax) this.limit("expansionMax", "a value grows too long");
    return variable.isLower ? text.toLowerCase() : variable.isUpper ? text.toUpperCase() : text;
  }

  export(name: string, value?: string): void {
    const variable = this.variables.findOrCreate(name);
    if (value !== undefined) variable.text = value;
    variable.isExported = true;
  }

  /** Removes a variable; `keepsLocal` leaves an unset local in place as bash does. */
  unset(name: string): void {
    if (this.variables.hasLocal(name)) {
      const variable = this.variables.local(name);
      Object.assign(variable, newVariable());
    } else this.variables.remove(name);
  }

  /** Evaluates; an error is printed and gives up the command. */
  arithmetic(text: string, prefix = ""): bigint {
    try {
      return this.evaluate(text);
    } catch (error) {
      if (!(error instanceof ArithmeticError)) throw error;
      return this.failExpansion(prefix + error.message);
    }
  }

  /** Evaluates; errors are the caller's. */
  evaluate(text: string): bigint {
    if (/^\s*-?(?:0|[1-9]\d{0,17})\s*$/.test(text)) return BigInt(text.trim());
    return evaluateArithmetic(text, {
      read: (name, subscript) => {
        const value = subscript === undefined ? this.readText(name) : this.readElement(name, subscript);
        if (value === undefined && this.options.has("nounset")) this.failFatally(`${name}: unbound variable`);
        return value;
      },
      assign: (name, subscript, value) => {
        const isGood = subscript === undefined ? this.assignText(name, value) : this.assignElement(name, subscript, value);
        if (!isGood) throw new ExpansionFailure(1);
      },
    });
  }

  /** Variables whose value is made when they are read. */
  readDynamic(name: string): string | undefined {
    const { loop } = this.machine.host;
    switch (name) {
      case "RANDOM":
        return this.dialect === "dash" ? undefined : String(this.machine.host.random("shell/RANDOM").below(32768));
      case "SRANDOM":
        return String(this.machine.host.random("shell/RANDOM").next32());
      case "SECONDS":
        return this.dialect === "dash" ? undefined : String(this.secondsBase + Math.floor((loop.nowNs - this.startedAtNs) / 1e9));
      case "LINENO":
        return String(this.line);
      case "_":
        return this.lastArgument;
      case "BASHPID":
        return String(this.process.pid);
      case "EPOCHSECONDS":
        return String(this.machine.epochSeconds + Math.floor(loop.nowNs / 1e9));
      case "EPOCHREALTIME":
        return `${this.machine.epochSeconds + Math.floor(loop.nowNs / 1e9)}.${String(Math.floor(loop.nowNs / 1e3) % 1e6).padStart(6, "0")}`;
      case "PPID":
        return String(this.mainParentPid);
      case "UID":
      case "EUID":
        return "0";
      case "HOSTNAME":
        return this.variables.find(name)?.text ?? this.machine.hostname;
      case "BASH":
        return "/bin/bash";
      case "BASH_VERSION":
        return "5.2.15(1)-release";
      case "BASH_SUBSHELL":
        return this.isSubshell ? "1" : "0";
      case "BASH_EXECUTION_STRING":
        return this.executionString;
      case "HOSTTYPE":
        return "x86_64";
      case "OSTYPE":
        return "linux-gnu";
      case "MACHTYPE":
        return "x86_64-pc-linux-gnu";
      case "SHELLOPTS":
        return [...this.options].sort().join(":");
      case "BASHOPTS":
        return [...this.shopts].sort().join(":");
      case "FUNCNAME":
      case "PIPESTATUS":
      case "BASH_SOURCE":
      case "BASH_LINENO":
      case "BASH_VERSINFO":
      case "GROUPS":
      case "DIRSTACK":
        return this.readDynamicList(name)?.[0];
      default:
        return undefined;
    }
  }

  readDynamicList(name: string): readonly string[] | undefined {
    switch (name) {
      case "PIPESTATUS":
        return this.pipeStatus.map(String);
      case "FUNCNAME":
        return this.calls.length === 0 ? [] : [...this.calls.map((call) => call.name).reverse(), ...(this.executionString === undefined ? ["main"] : [])];
      case "BASH_SOURCE":
        return [
          ...this.calls.map((call) => call.unit.name).reverse(),
          ...(this.unit === undefined || this.executionString !== undefined ? [] : [this.unit.name]),
        ];
      case "BASH_LINENO":
        return this.calls.map(() => "0");
      case "BASH_VERSINFO":
        return ["5", "2", "15", "1", "release", "x86_64-pc-linux-gnu"];
      case "GROUPS":
        return ["0"];
      case "DIRSTACK":
        return [this.cwd];
      default:
        return undefined;
    }
  }

  /** $-: letters of the options in force. */
  get optionLetters(): string {
    const letters = Object.entries(OPTION_LETTERS)
      .filter(([, name]) => this.options.has(name))
      .map(([letter]) => letter);
    return letters.join("") + (this.isInteractive ? "i" : "") + (this.executionString === undefined ? "" : "c");
  }

  /* --------------------------------------------------------------------------------------------------------------- files */

  path(path: string): string {
    return this.machine.files.resolve(this.cwd, path);
  }

  /** Runs a file operation; the text of its error or undefined. */
  fileError(operation: () => void): string | undefined {
    try {
      operation();
      return undefined;
    } catch (error) {
      if (error instanceof FileError) return errorText(error.errno);
      throw error;
    }
  }
}
