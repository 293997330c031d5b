/**
 * Runs programs on one machine: finds what a name stands for, gives a command its context, starts it as a process or in place of one.
 */

import type { ScriptBudget } from "./bash/shell.ts";
import type { Command, CommandContext, InputStream, OutputStream, Running } from "./command.ts";
import { errorText } from "./errno-text.ts";
import { FileError } from "./file-system.ts";
import type { Machine } from "./machine.ts";
import type { Process } from "./process.ts";
import { ProcessInput, ProcessOutput } from "./process-output.ts";
import type { MachineProcessTable } from "./process-table.ts";
import { ClosedFile, ForeignFile, OpenFile } from "./streams.ts";
import { delay, sleep, waitForValue } from "./waits.ts";

/** What a command name turned out to be. */
export type Program =
  | { readonly kind: "command"; readonly command: Command; readonly path: string }
  /** A text file: `interpreter` and its own arguments come first. */
  | { readonly kind: "script"; readonly command: Command; readonly path: string; readonly head: readonly string[] };

/** Why it cannot be run. */
export interface NoProgram {
  readonly kind: "none";
  readonly status: 126 | 127;
  /** ENOENT of a name without slash: the shell says "command not found". */
  readonly errno: string;
  /** A script whose interpreter is missing. */
  readonly interpreter?: string;
}

export type FileTable = Map<number, OpenFile>;

export interface Launch {
  readonly argv: readonly string[];
  readonly env: ReadonlyMap<string, string>;
  readonly cwd: string;
  /** The starter's open files; the program gets references of its own. */
  readonly fds: ReadonlyMap<number, OpenFile>;
  readonly parent: Process | undefined;
  readonly budget: ScriptBudget;
}

export class Runtime {
  readonly machine: Machine;
  readonly table: MachineProcessTable;
  readonly #programStartNs: number;
  readonly #budgets = new WeakMap<Process, ScriptBudget>();
  readonly #files = new WeakMap<Process, FileTable>();

  /** `programStartNs`: what fork, exec and dynamic linking take. */
  constructor(machine: Machine, table: MachineProcessTable, programStartNs: number) {
    this.machine = machine;
    this.table = table;
    this.#programStartNs = programStartNs;
  }

  budgetOf(process: Process): ScriptBudget | undefined {
    return this.#budgets.get(process);
  }

  filesOf(process: Process): FileTable {
    return this.#files.get(process) ?? new Map();
  }

  /** Gives a process its open files, which it lets go of when it ends. */
  adopt(process: Process, fds: FileTable, budget: ScriptBudget): void {
    this.#budgets.set(process, budget);
    this.#files.set(process, fds);
    this.table.onExit(process, () => {
      for (const file of fds.values()) file.release();
      fds.clear();
    });
  }

  /** Searches as execvp(3): a name with a slash is a path, others are looked for in `searchPath`. */
  find(name: string, cwd: string, searchPath: string): Program | NoProgram {
    if (name.includes("/")) return this.#programAt(this.machine.files.resolve(cwd, name), name);
    let denied: NoProgram | undefined;
    for (const directory of name === "" ? [] : searchPath.split(":")) {
      const path = this.machine.files.resolve(cwd, `${directory === "" ? "." : directory}/${name}`);
      const status = this.machine.files.status(path);
      if (status === undefined || status.type === "directory") continue;
      const found = this.#programAt(path, path);
      if (found.kind !== "none") return found;
      denied ??= found;
    }
    return denied ?? { kind: "none", status: 127, errno: "ENOENT" };
  }

  #programAt(path: string, asked: string): Program | NoProgram {
    const { files } = this.machine;
    const status = files.status(path);
    if (status === undefined)
      return { kind: "none", status: 127, errno: asked.endsWith("/") && files.status(path.replace(/\/+$/, "")) !== undefined ? "ENOTDIR" : "ENOENT" };
    if (status.type === "directory") return { kind: "none", status: 126, errno: "EISDIR" };
    if ((status.mode & 0o111) === 0) return { kind: "none", status: 126, errno: "EACCES" };
    const command = this.machine.commands.get(files.realPath(path) ?? path);
    if (command !== undefined) return { kind: "command", command, path };
    return this.#scriptAt(path, asked);
  }

  #scriptAt(path: string, asked: string): Program | NoProgram {
    const first = this.machine.files.read(path).split("\n", 1)[0] ?? "";
    const match = /^#!\s*(\S+)(?:\s+(.*\S))?\s*$/.exec(first);
    const shell = this.machine.commands.get("/usr/bin/bash");
    if (match === null)
      return shell === undefined ? { kind: "none", status: 126, errno: "ENOEXEC" } : { kind: "script", command: shell, path, head: ["/bin/bash", asked] };
    const interpreter = match[1] as string;
    const command = this.machine.commands.get(this.machine.files.realPath(interpreter) ?? interpreter);
    if (command === undefined) return { kind: "none", status: 126, errno: "ENOENT", interpreter };
    return { kind: "script", command, path, head: [interpreter, ...(match[2] === undefined ? [] : [match[2]]), asked] };
  }

  /** The words of a program as the process table shows them. */
  argvOf(program: Program, argv: readonly string[]): readonly string[] {
    return program.kind === "script" ? [...program.head, ...argv.slice(1)] : argv;
  }

  /** Starts a program as a new process. */
  start(program: Program, launch: Launch, onStart?: (process: Process) => void): Process {
    const argv = this.argvOf(program, launch.argv);
    const name = program.path.slice(program.path.lastIndexOf("/") + 1);
    return this.table.start({ name, args: argv, parent: launch.parent }, (process) => {
      onStart?.(process);
      const fds: FileTable = new Map();
      for (const [fd, file] of launch.fds) fds.set(fd, file.retain());
      this.adopt(process, fds, launch.budget);
      return this.#body(program, { ...launch, argv, fds }, process);
    });
  }

  /** The process that runs this becomes the program. Its open files must be adopted already. */
  runInPlace(program: Program, launch: Launch, process: Process): number | Running<number> {
    const argv = this.argvOf(program, launch.argv);
    this.table.become(process, program.path.slice(program.path.lastIndexOf("/") + 1), argv);
    return this.#body(program, { ...launch, argv }, process);
  }

  /** Lets everything else that is due now go first; a process that is doomed ends here. */
  *pass(): Running<void> {
    yield delay(this.machine.host.loop, 0);
  }

  /** Waits for the end of a process; its exit status. */
  *wait(process: Process): Running<number> {
    if (!process.isAlive) return this.table.exitOf(process);
    return yield* waitForValue<number>(this.machine.host.loop, (resolve) => {
      let isOver = false;
      this.table.onExit(process, () => {
        if (!isOver) resolve(this.table.exitOf(process));
      });
      return () => {
        isOver = true;
      };
    });
  }

  #body(program: Program, launch: Launch, process: Process): Running<number> {
    const context = this.#context(launch, process);
    return this.#guard(this.#load(program, context), context);
  }

  /** Loading a program takes its time; what the network had under way is over by then, as it is between two commands on a real machine. */
  *#load(program: Program, context: CommandContext): Running<number> {
    if (this.#programStartNs > 0) yield* context.sleep(this.#programStartNs);
    const result = program.command.run(context);
    return typeof result === "number" ? result : yield* result;
  }

  *#guard(running: Running<number>, context: CommandContext): Running<number> {
    try {
      return yield* running;
    } catch (error) {
      return reportFileError(error, context);
    }
  }

  #context(launch: Launch, process: Process): CommandContext {
    const { table, machine } = this;
    const { loop } = machine.host;
    const file = (fd: number): OpenFile => launch.fds.get(fd) ?? new ClosedFile();
    return {
      name: launch.argv[0] ?? "",
      args: launch.argv.slice(1),
      env: launch.env,
      cwd: launch.cwd,
      machine,
      process,
      stdin: new ProcessInput({ loop, table, process, file: file(0), output: file(1) }),
      stdout: new ProcessOutput(table, process, file(1)),
      stderr: new ProcessOutput(table, process, file(2)),
      sleep: (delayNs) => sleep(loop, delayNs),
      waitFor: (start) => waitForValue(loop, start),
      spawn: (argv, options = {}) => this.#spawn(launch, process, argv, options),
      onSignal: (signal, handler) => table.onSignal(process, signal, handler),
      onExit: (cleanup) => table.onExit(process, cleanup),
    };
  }

  *#spawn(launch: Launch, parent: Process, argv: readonly string[], options: NonNullable<Parameters<CommandContext["spawn"]>[1]>): Running<number> {
    const env = options.env ?? launch.env;
    const program = this.find(argv[0] ?? "", launch.cwd, env.get("PATH") ?? "/usr/bin:/bin");
    if (program.kind === "none") return program.status;
    const fds = new Map(launch.fds);
    if (options.stdin !== undefined) fds.set(0, asFile({ input: options.stdin }));
    if (options.stdout !== undefined) fds.set(1, asFile({ output: options.stdout }));
    if (options.stderr !== undefined) fds.set(2, asFile({ output: options.stderr }));
    const child = this.start(program, { argv, env, cwd: launch.cwd, fds, parent, budget: launch.budget }, options.onStart);
    return yield* this.wait(child);
  }
}

function asFile(streams: { readonly input?: InputStream; readonly output?: OutputStream }): OpenFile {
  const stream = streams.input ?? streams.output;
  if (stream instanceof OpenFile) return stream;
  if (stream instanceof ProcessOutput || stream instanceof ProcessInput) return stream.file;
  return new ForeignFile(streams);
}

/** Commands report their own mistakes; a file error that one of them let through is told in its name. */
function reportFileError(error: unknown, context: CommandContext): number {
  if (!(error instanceof FileError)) throw error;
  context.stderr.write(`${context.name}: ${error.path}: ${errorText(error.errno)}\n`);
  return 1;
}
