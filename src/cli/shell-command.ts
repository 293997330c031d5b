/**
 * `lvsim shell`: a prompt on the hosts of a scenario. Simulated time passes while a command runs, and when `.run` says so.
 *
 * On a terminal a waiting command (ping, sleep, tcpdump) goes at the clock's pace and Ctrl-C interrupts it; with --fast, or when the input
 * is a pipe, time runs as fast as it can and a command that never ends is interrupted after two simulated minutes.
 */

import { createInterface, type Interface } from "node:readline";
import { formatSeconds, NS_PER_MS, NS_PER_SECOND, parseDuration } from "../base/time.ts";
import { describeFault, FAULT_VERBS, type FaultVerb } from "../scenario/fault.ts";
import { FAULT_HELP, isFaultVerb, parseFaultWords } from "../scenario/fault-words.ts";
import { makeFault } from "../scenario/faults.ts";
import { ScenarioRun, type ScriptResult } from "../scenario/run-scenario.ts";
import type { Scenario, Step } from "../scenario/scenario-file.ts";
import { nearestWord } from "../scenario/suggest.ts";
import type { RunningScript, WorldParts } from "../scenario/world.ts";
import { UsageError } from "./failure.ts";
import { readScenario } from "./files.ts";
import { loadAllSchedulers } from "./scheduler-module.ts";

export interface ShellCommandOptions {
  readonly host?: string;
  readonly seed?: string;
  readonly fast?: boolean;
  /** Files of modules that export schedulers. */
  readonly scheduler?: readonly string[];
}

const HELP = `.hosts             the hosts and their interfaces
.host NAME         go to another host
.step              run the next step of the timeline
.steps             the steps of the timeline; > marks the next
.run TIME          let time pass: .run 5s
.time              what time it is
.down HOST[.IF]    take the switch port of an interface down
.up HOST[.IF]      and up again
.crash HOST        take every interface of a host down at once
${faultHelp()}.help              this
.quit              leave (also Ctrl-D)
Everything else is a command for the host: ip addr; ipvsadm -Ln; curl -s http://...
`;
const WORDS = [".hosts", ".host", ".step", ".steps", ".run", ".time", ".down", ".up", ".crash", ...FAULT_VERBS.map((verb) => `.${verb}`), ".help", ".quit"];
const SLICE_NS = 20 * NS_PER_MS;
const UNATTENDED_MAX_NS = 120 * NS_PER_SECOND;
const OUTPUT_CHARS_MAX = 16_777_216;

export async function shellCommand(file: string, options: ShellCommandOptions): Promise<void> {
  const scenario = readScenario(file);
  if (options.host !== undefined) hostNamed(scenario, options.host);
  const { LINUX_PARTS } = await import("../scenario/linux-parts.ts");
  const run = new ScenarioRun(scenario, { parts: LINUX_PARTS, seed: options.seed, schedulers: await loadAllSchedulers(options.scheduler ?? []), onSetupEnd: printSetup });
  run.runSetup();
  const session = new ShellSession(scenario, run, LINUX_PARTS, options);
  await session.serve();
}

function printSetup(host: string, result: ScriptResult): void {
  if (result.exit !== 0) process.stderr.write(`setup of ${host}: exit ${result.exit}\n${result.stderr}`);
}

function hostNamed(scenario: Scenario, name: string): string {
  const names = scenario.hosts.map((host) => host.name);
  if (names.includes(name)) return name;
  const meant = nearestWord(name, names);
  throw new UsageError(`unknown host ${name}; ${meant === undefined ? `the hosts are ${names.join(", ")}` : `did you mean ${meant}?`}`);
}

class ShellSession {
  readonly #scenario: Scenario;
  readonly #run: ScenarioRun;
  readonly #parts: WorldParts;
  readonly #isPaced: boolean;
  readonly #input: Interface;
  readonly #isTerminal: boolean;
  #host: string;
  #nextStep = 0;
  #current: RunningScript | undefined;
  /** Ctrl-C while time passes without a command. */
  #isStopped = false;

  constructor(scenario: Scenario, run: ScenarioRun, parts: WorldParts, options: ShellCommandOptions) {
    this.#parts = parts;
    this.#scenario = scenario;
    this.#run = run;
    this.#isTerminal = process.stdin.isTTY === true;
    this.#isPaced = this.#isTerminal && options.fast !== true;
    this.#host = options.host ?? scenario.hosts[0]?.name ?? "";
    this.#input = createInterface({
      input: process.stdin,
      output: process.stdout,
      terminal: this.#isTerminal,
      completer: (line: string) => this.#complete(line),
    });
  }

  async serve(): Promise<void> {
    this.#input.on("SIGINT", () => {
      this.#interrupt();
    });
    if (this.#isTerminal) process.stdout.write(`${this.#scenario.title}\n.help tells more\n`);
    this.#prompt();
    for await (const line of this.#input) {
      try {
        if (!(await this.#handle(line.trim()))) break;
      } catch (error) {
        if (!(error instanceof UsageError)) throw error;
        process.stdout.write(`${error.message}\n`);
      }
      this.#prompt();
    }
    this.#input.close();
    if (this.#isTerminal) process.stdout.write("\n");
  }

  #prompt(): void {
    if (!this.#isTerminal) return;
    this.#input.setPrompt(`[root@${this.#host} ${formatSeconds(Math.max(this.#nowNs, 0), 3)}s]# `);
    this.#input.prompt();
  }

  get #nowNs(): number {
    return this.#run.world.loop.nowNs - this.#run.world.originNs;
  }

  #interrupt(): void {
    this.#isStopped = true;
    if (this.#current !== undefined) this.#current.interrupt();
    else {
      process.stdout.write("^C\n");
      this.#prompt();
    }
  }

  /** False when the session is over. */
  async #handle(line: string): Promise<boolean> {
    if (line === "" || line.startsWith("#")) return true;
    if (!/^\.[a-z]/.test(line) || line.startsWith("./")) {
      await this.#type(line);
      return true;
    }
    const [word = "", ...rest] = line.split(/\s+/);
    const argument = rest.join(" ");
    switch (word) {
      case ".help":
        process.stdout.write(HELP);
        break;
      case ".hosts":
        this.#printHosts();
        break;
      case ".host":
        this.#host = hostNamed(this.#scenario, argument);
        break;
      case ".time":
        process.stdout.write(`${formatSeconds(this.#nowNs)} s\n`);
        break;
      case ".run":
        await this.#pass(durationOf(argument));
        break;
      case ".steps":
        this.#printSteps();
        break;
      case ".step":
        await this.#stepOn();
        break;
      case ".down":
      case ".up":
        if (argument === "") throw new UsageError(`usage: ${word} HOST[.IF]`);
        this.#setPorts(argument, word === ".up");
        break;
      case ".crash":
        if (argument === "") throw new UsageError("usage: .crash HOST");
        this.#run.world.crash(hostNamed(this.#scenario, argument));
        break;
      case ".quit":
      case ".exit":
        return false;
      default: {
        if (isFaultVerb(word.slice(1))) {
          this.#fault(word.slice(1) as FaultVerb, rest);
          break;
        }
        const meant = nearestWord(word, WORDS);
        throw new UsageError(`unknown command ${word}; ${meant === undefined ? ".help lists them" : `did you mean ${meant}?`}`);
      }
    }
    return true;
  }

  #printHosts(): void {
    for (const host of this.#scenario.hosts) {
      const interfaces = host.interfaces.map((spec) => `${spec.name} on ${spec.link}`).join(", ");
      process.stdout.write(`${host.name === this.#host ? "*" : " "} ${host.name}: ${interfaces}\n`);
    }
  }

  #printSteps(): void {
    for (const [index, step] of this.#scenario.timeline.entries())
      process.stdout.write(`${index === this.#nextStep ? ">" : " "} ${index + 1}. ${describeStep(step)}\n`);
  }

  #setPorts(text: string, isUp: boolean): void {
    const host = this.#scenario.hosts.find((candidate) => text === candidate.name || text.startsWith(`${candidate.name}.`));
    const name = host === undefined ? hostNamed(this.#scenario, text.split(".")[0] ?? "") : host.name;
    const interfaceName = text.length > name.length ? text.slice(name.length + 1) : undefined;
    if (interfaceName !== undefined && host?.interfaces.every((spec) => spec.name !== interfaceName) === true)
      throw new UsageError(`host ${name} has no interface ${interfaceName}`);
    this.#run.world.setPorts(name, interfaceName, isUp);
  }

  #fault(verb: FaultVerb, words: readonly string[]): void {
    const parsed = parseFaultWords(verb, words.filter((word) => word !== ""), this.#scenario);
    if ("error" in parsed) throw new UsageError(parsed.error);
    makeFault(this.#run.world, parsed.fault);
  }

  /** The next step in file order; time first passes to when it is due. */
  async #stepOn(): Promise<void> {
    const step = this.#scenario.timeline[this.#nextStep];
    if (step === undefined) throw new UsageError("the timeline has no more steps");
    this.#nextStep++;
    process.stdout.write(`== ${describeStep(step)}\n`);
    if (step.atNs > this.#nowNs) await this.#pass(step.atNs - this.#nowNs);
    if (step.verb === "fault") makeFault(this.#run.world, step.fault);
    else if (step.verb === "crash") this.#run.world.crash(step.host);
    else if (step.verb !== "run") this.#run.world.setPorts(step.host, step.interface, step.verb === "up");
    else await this.#type(step.script, step.host);
  }

  async #type(line: string, host = this.#host): Promise<void> {
    if (!this.#run.world.isRunning(host)) throw new UsageError(`${host} is off, or on its way up; .reboot ${host} turns it on, .run 20s waits`);
    let isDone = false;
    const { loop } = this.#run.world;
    const startNs = loop.nowNs;
    const script = this.#parts.startScript(this.#run.world.machine(host), line, {
      outputCharsMax: OUTPUT_CHARS_MAX,
      onEnd: () => {
        isDone = true;
      },
      onLimit: (error) => {
        process.stderr.write(`lvsim: ${error.message}\n`);
      },
    });
    this.#current = script;
    const shown = { stdout: 0, stderr: 0 };
    const show = () => {
      process.stdout.write(script.stdout.slice(shown.stdout));
      process.stderr.write(script.stderr.slice(shown.stderr));
      shown.stdout = script.stdout.length;
      shown.stderr = script.stderr.length;
    };
    let hasInterrupted = false;
    while (!isDone) {
      const isIdle = !(await this.#slice(() => isDone));
      show();
      if (isDone) break;
      const isOverdue = !this.#isTerminal && loop.nowNs - startNs > UNATTENDED_MAX_NS;
      if (isOverdue && !hasInterrupted) {
        hasInterrupted = true;
        script.interrupt();
        process.stderr.write(`^C (after ${UNATTENDED_MAX_NS / NS_PER_SECOND} simulated seconds)\n`);
      } else if (isIdle || (isOverdue && loop.nowNs - startNs > 2 * UNATTENDED_MAX_NS)) {
        script.abandon();
        break;
      }
    }
    show();
    this.#current = undefined;
  }

  async #pass(durationNs: number): Promise<void> {
    const { loop } = this.#run.world;
    const endNs = loop.nowNs + durationNs;
    this.#isStopped = false;
    while (loop.nowNs < endNs && !this.#isStopped) await this.#slice(() => false, endNs);
  }

  /** Lets a little time pass and the terminal be heard; false when nothing is left to happen. */
  async #slice(isDone: () => boolean, endNs = Number.POSITIVE_INFINITY): Promise<boolean> {
    const { loop } = this.#run.world;
    const sliceEndNs = Math.min(loop.nowNs + SLICE_NS, endNs);
    const next = loop.nextTimeNs();
    if (next === undefined && endNs === Number.POSITIVE_INFINITY) return false;
    while (!isDone() && (loop.nextTimeNs() ?? Number.POSITIVE_INFINITY) <= sliceEndNs) this.#run.stepOnce();
    if (!isDone()) loop.runUntil(sliceEndNs);
    await new Promise((resolve) => {
      if (this.#isPaced && !isDone()) setTimeout(resolve, SLICE_NS / NS_PER_MS);
      else setImmediate(resolve);
    });
    return true;
  }

  #complete(line: string): [string[], string] {
    const names = this.#scenario.hosts.map((host) => host.name);
    const last = /\S*$/.exec(line)?.[0] ?? "";
    const words = line.startsWith(".")
      ? last === line
        ? WORDS
        : names
      : [...names, ...this.#run.world.machine(this.#host).commands.keys()].map((path) => path.slice(path.lastIndexOf("/") + 1));
    return [words.filter((word) => word.startsWith(last)), last];
  }
}

/** Two lines each where one would be too long. */
function faultHelp(): string {
  return FAULT_VERBS.map((verb) => {
    const { usage, help } = FAULT_HELP[verb];
    return usage.length < 18 ? `${usage.padEnd(19)}${help}\n` : `${usage}\n${" ".repeat(19)}${help}\n`;
  }).join("");
}

function durationOf(text: string): number {
  const ns = text === "" ? undefined : parseDuration(text);
  if (ns === undefined) throw new UsageError("usage: .run TIME, as in .run 5s");
  return ns;
}

function describeStep(step: Step): string {
  const at = `at ${step.atNs / NS_PER_SECOND} s`;
  if (step.verb === "fault") return `${at}: ${describeFault(step.fault)}`;
  if (step.verb === "run") return `${at} on ${step.host}: ${step.script.trim().split("\n")[0]}`;
  return `${at}: ${step.verb} ${step.host}${step.interface === undefined ? "" : `.${step.interface}`}`;
}
