/**
 * A lab: hosts, switches and cables that a program builds, or that a scenario file describes, and simulated time that the program lets pass.
 *
 *   new Lab ── link, host, at ──▶ boot ── run, type, step, runFor ──▶ events, packets, result
 *   Lab.fromScenario ────────────▶ │ setup scripts │ timeline ...        fork: the same again, up to a moment
 *
 * Everything is synchronous and happens only inside a call. The world is the one that scenario files build (src/scenario/world.ts).
 */

import { NS_PER_SECOND } from "../base/time.ts";
import type { SchedulerDefinition } from "../ipvs/schedulers/scheduler-class.ts";
import { LimitError, type RunLimits } from "../scenario/limits.ts";
import { LINUX_PARTS } from "../scenario/linux-parts.ts";
import { type RunResult, ScenarioRun, type ScriptResult } from "../scenario/run-scenario.ts";
import { parseScenario, type Scenario } from "../scenario/scenario-file.ts";
import type { World } from "../scenario/world.ts";
import type { TraceEvent, TraceKind } from "../trace/events.ts";
import type { TraceLevel } from "../trace/tracer.ts";
import { checkJournal, journalUntil, TERMINALS_MAX, type LabAction, type LabActionInit, type LabPosition } from "./journal.ts";
import { durationNs, LabError, type LabTime, unknownName } from "./lab-error.ts";
import { findPackets, type PacketFilter, type PacketPath } from "./packet-paths.ts";
import { Terminal } from "./terminal.ts";
import { type HostOptions, type LinkOptions, type StepOptions, TopologyDraft } from "./topology.ts";
import { TraceKeeper } from "./trace-keeper.ts";
import type { TypedCommand } from "./typed-command.ts";

const RUN_TIMEOUT_NS = 120 * NS_PER_SECOND;
const KEPT_RECORDS_MAX = 1_000_000;
const OUTPUT_CHARS_MAX = 16_777_216;

/** What a lab may use up: the limits of every run, and the trace records that it keeps. */
export interface LabLimits extends RunLimits {
  readonly keptRecords: number;
}

/** How a lab is made; everything may be left out. */
export interface LabOptions {
  /** One line; `lab` when absent. */
  readonly title?: string;
  /** Everything random derives from it; the scenario's own, or 1, when absent. */
  readonly seed?: string | number;
  /**
   * What is kept in `lab.events`: `full` (the default) keeps every record, `frames` what was sent, received and lost on wires, `off` nothing.
   * Subscribers (`lab.on`) get what they ask for whatever is kept. For millions of connections choose `off`.
   */
  readonly trace?: TraceLevel;
  /** Captures every interface, for `lab.pcap`. */
  readonly captures?: boolean;
  /** Schedulers of your own, for `ipvsadm -s NAME` on every host. One with a kernel scheduler's name takes its place. */
  readonly schedulers?: readonly SchedulerDefinition[];
  /** Reaching one of these is a LimitError that names it. */
  readonly limits?: Partial<LabLimits>;
  /** What another lab's `journal` held: done again at the same moments, right after the boot. */
  readonly journal?: readonly LabAction[];
}

/** A host of a lab, to type on. */
export interface LabHost {
  readonly name: string;
  /** As `lab.run` on this host. */
  run(script: string, options?: { readonly timeout?: LabTime }): ScriptResult;
  /** As `lab.type` on this host. */
  type(text: string): TypedCommand;
  /** As `lab.terminal` on this host. */
  terminal(index?: number): Terminal;
}

/**
 * A simulated network with Linux hosts.
 *
 * @example
 * const lab = new Lab();
 * lab.host("a", { interfaces: { eth0: { link: "lan", address: "10.0.0.1/24" } } });
 * lab.host("b", { interfaces: { eth0: { link: "lan", address: "10.0.0.2/24" } } });
 * lab.run("a", "ping -c 1 10.0.0.2").exit; // 0
 */
export class Lab {
  readonly #options: LabOptions;
  readonly #draft = new TopologyDraft();
  readonly #trace: TraceKeeper;
  readonly #journal: LabAction[] = [];
  readonly #typed: TypedCommand[] = [];
  readonly #terminals = new Map<string, Terminal>();
  /** What the options hand over, checked. */
  readonly #handed: readonly LabAction[];
  #bootError: unknown;
  #scenario: Scenario | undefined;
  #run: ScenarioRun | undefined;
  #isDriving = false;

  /** Throws a LabError for a journal that is none. */
  constructor(options: LabOptions = {}) {
    this.#options = options;
    this.#handed = options.journal === undefined ? [] : checkJournal(options.journal);
    this.#trace = new TraceKeeper({ kept: options.trace ?? "full", eventsMax: options.limits?.keptRecords ?? KEPT_RECORDS_MAX });
  }

  /**
   * A lab as a scenario describes it, its timeline included. `file` names the text in errors. Throws a ScenarioError with line and remedy of
   * all that is wrong.
   */
  static fromScenario(scenario: string | Scenario, options: LabOptions & { readonly file?: string } = {}): Lab {
    const lab = new Lab(options);
    lab.#scenario = typeof scenario === "string" ? parseScenario(scenario, options.file ?? "scenario") : scenario;
    return lab;
  }

  /* -------------------------------------------------------------------------------------------------------------- building */

  /** Describes a link (a learning switch with its cables). One that interfaces only name exists anyway, with the defaults. */
  link(name: string, options: LinkOptions = {}): this {
    this.#mustBeDraft("links are described");
    this.#draft.addLink(name, options);
    return this;
  }

  /** Adds a host; without options, finds the one of that name. Throws a LabError for an unknown name, or when the lab has booted. */
  host(name: string, options?: HostOptions): LabHost {
    if (options === undefined) this.#mustKnow(name);
    else {
      this.#mustBeDraft("hosts are added");
      this.#draft.addHost(name, options);
    }
    return {
      name,
      run: (script, runOptions) => this.run(name, script, runOptions),
      type: (text) => this.type(name, text),
      terminal: (index) => this.terminal(name, index),
    };
  }

  /** Adds a step to the timeline, `time` after the setup scripts: `lab.at("1s", { host: "client", run: "curl -s http://10.0.0.100/" })`. */
  at(time: LabTime, step: StepOptions): this {
    this.#mustBeDraft("steps are added");
    this.#draft.addStep(time, step);
    return this;
  }

  /** What the lab is: the same as if a file had been read. Throws a ScenarioError with all that is wrong. */
  get scenario(): Scenario {
    return this.#scenario ?? this.#draft.toScenario({ title: this.#options.title ?? "lab", seed: this.#options.seed ?? 1, duration: 0 });
  }

  get hostNames(): readonly string[] {
    return this.#scenario?.hosts.map((host) => host.name) ?? this.#draft.hostNames;
  }

  /* ------------------------------------------------------------------------------------------------------------------ time */

  /**
   * Starts every host and runs the setup scripts, host by host; the timeline is scheduled from then on. Every call that needs a running lab
   * boots it. Returns what the scripts said; a script that fails does not stop the boot.
   */
  boot(): Readonly<Record<string, ScriptResult>> {
    return this.#booted().setup;
  }

  get isBooted(): boolean {
    return this.#run !== undefined;
  }

  /** Simulated nanoseconds since time 0 of the timeline, which is when the last setup script ended. */
  get nowNs(): number {
    return this.#run === undefined ? 0 : this.#run.world.loop.nowNs - this.#run.world.originNs;
  }

  /** Time 0 of the timeline in simulated nanoseconds since the start of the run: subtract it from the times of records. */
  get originNs(): number {
    return this.#run?.world.originNs ?? 0;
  }

  /** The exact moment, for `fork`. */
  get position(): LabPosition {
    const { loop } = this.#booted().world;
    return { eventCount: loop.firedCount, timeNs: loop.nowNs };
  }

  /** True when every step of the timeline has ended and half a second has passed. The lab goes on for whoever drives it. */
  get isOver(): boolean {
    return this.#run?.isOver ?? false;
  }

  /** Fires the next event; false when nothing waits. Throws a LimitError when the run wants more than it may. */
  step(): boolean {
    return this.#drive((run) => run.stepOnce());
  }

  /** Lets time pass. Throws a LimitError when the run wants more than it may. */
  runFor(time: LabTime): void {
    const ns = durationNs(time, "runFor");
    this.#drive((run) => this.#advance(run, run.world.loop.nowNs + ns, {}));
  }

  /**
   * Lets time pass to a time of the timeline or to a `position` (nothing happens when it has been), or until a condition holds after an event.
   * True when it is there; false when nothing is left to happen, or when `eventsMax` events have fired before (for a page that must stay
   * fluent).
   */
  runUntil(until: LabTime | LabPosition | (() => boolean), options: { readonly eventsMax?: number } = {}): boolean {
    if (typeof until === "function") {
      return this.#drive((run) => {
        if (until()) return true;
        let isThere = false;
        this.#advance(run, Number.POSITIVE_INFINITY, {
          ...options,
          isDone: () => {
            isThere = until();
            return isThere;
          },
        });
        return isThere;
      });
    }
    if (typeof until === "object") {
      const { timeNs, eventCount } = until;
      return this.#drive((run) => {
        const { loop } = run.world;
        const eventsMax = Math.max(0, Math.min(eventCount - loop.firedCount, options.eventsMax ?? Number.POSITIVE_INFINITY));
        if (timeNs > loop.nowNs || eventsMax > 0) this.#advance(run, Math.max(timeNs, loop.nowNs), { eventsMax });
        return loop.firedCount >= eventCount && loop.nowNs >= timeNs;
      });
    }
    const ns = durationNs(until, "runUntil");
    return this.#drive((run) => this.#advance(run, Math.max(run.world.originNs + ns, run.world.loop.nowNs), options));
  }

  /** Lets time pass until the timeline is over; returns what came out. */
  runToEnd(): RunResult {
    return this.#drive((run) => {
      if (!run.isOver) this.#advance(run, Number.POSITIVE_INFINITY, { isDone: () => run.isOver });
      return run.finish();
    });
  }

  /** What has come out so far: outputs of setup scripts and steps, expectations that were not met, captures. */
  get result(): RunResult {
    return this.#booted().finish();
  }

  /* ---------------------------------------------------------------------------------------------------------------- typing */

  /**
   * Runs a shell script on a host as root and lets time pass until it is over: `bash -c script`. What else is due happens meanwhile. Exit
   * status 124 when `timeout` (`120s` when absent) was over first, 127 for an unknown command. Throws a LabError for an unknown host.
   */
  run(host: string, script: string, options: { readonly timeout?: LabTime } = {}): ScriptResult {
    const timeoutNs = options.timeout === undefined ? RUN_TIMEOUT_NS : durationNs(options.timeout, "timeout");
    const typed = this.#type(host, script, timeoutNs);
    return this.#drive((run) => {
      if (typed.result === undefined) this.#advance(run, Number.POSITIVE_INFINITY, { isDone: () => typed.result !== undefined });
      return typed.result ?? { exit: null, stdout: typed.stdout, stderr: typed.stderr, seconds: 0 };
    });
  }

  /** Starts a shell script on a host and returns at once: it goes on while time passes. For `tcpdump`, `ping` without end, servers. */
  type(host: string, text: string): TypedCommand {
    return this.#type(host, text, undefined);
  }

  /** Everything that was given to `run` and `type`, in order. */
  get typed(): readonly TypedCommand[] {
    return this.#typed;
  }

  /** A terminal of a host, whose shell keeps its variables, directory and jobs. The same `index` is the same terminal. */
  terminal(host: string, index = 0): Terminal {
    this.#mustKnow(host);
    if (!Number.isInteger(index) || index < 0 || index >= TERMINALS_MAX) throw new LabError(`terminals are numbered 0 to ${TERMINALS_MAX - 1}, not ${index}`);
    const key = `${index} ${host}`;
    let terminal = this.#terminals.get(key);
    if (terminal === undefined) {
      const run = this.#booted();
      this.#mustBeIdle();
      this.#note({ verb: "open-terminal", host, terminal: index });
      terminal = new Terminal({
        machine: run.world.machine(host),
        index,
        outputCharsMax: this.#options.limits?.outputChars ?? OUTPUT_CHARS_MAX,
        owner: {
          noteLine: (from, text) => this.#noteIdle({ verb: "type-line", host: from.host, terminal: from.index, text }),
          noteInterrupt: (from) => this.#noteIdle({ verb: "interrupt-line", host: from.host, terminal: from.index }),
          passUntil: (isDone, timeoutNs) => {
            this.#drive((driven) => isDone() || this.#advance(driven, driven.world.loop.nowNs + timeoutNs, { isDone }));
          },
        },
      });
      this.#terminals.set(key, terminal);
    }
    return terminal;
  }

  /** Takes the switch port of `HOST` (every one) or `HOST.INTERFACE` down, now. */
  down(what: string): void {
    this.#setPorts(what, "down");
  }

  /** The same, up again. */
  up(what: string): void {
    this.#setPorts(what, "up");
  }

  /** Every interface of a host goes dark, now; `up(host)` brings it back. */
  crash(host: string): void {
    this.#mustKnow(host);
    const { world } = this.#booted();
    this.#noteIdle({ verb: "crash", host });
    world.crash(host);
  }

  /* -------------------------------------------------------------------------------------------------------------- watching */

  /**
   * Calls `listener` with every record of a kind, or with all (`"*"`), as it happens; returns how to stop. Subscribe before the boot to see
   * the setup, too. A listener looks on: driving the lab from inside one is a LabError.
   */
  on<K extends TraceKind>(kind: K, listener: (event: Extract<TraceEvent, { readonly kind: K }>) => void): () => void;
  on(kind: "*", listener: (event: TraceEvent) => void): () => void;
  on(kind: TraceKind | "*", listener: (event: never) => void): () => void {
    const stop = this.#trace.on(kind, listener as (event: TraceEvent) => void);
    this.#setTraceLevel();
    return () => {
      stop();
      this.#setTraceLevel();
    };
  }

  /** The records that were kept (option `trace`), in order. */
  get events(): readonly TraceEvent[] {
    return this.#trace.events;
  }

  /** What is kept in `events`. */
  get traceLevel(): TraceLevel {
    return this.#options.trace ?? "full";
  }

  /** The IPv4 packets of the kept records, each with its way from host to host. Throws a LabError when nothing is kept. */
  packets(filter: PacketFilter = {}): readonly PacketPath[] {
    if (this.traceLevel === "off") throw new LabError('packets are found in the trace, which is off; make the lab with trace: "full"');
    return findPackets(this.events, filter);
  }

  /** The capture file of an interface (pcap, nanoseconds, time 0 of the timeline is 0). Needs the option `captures`. */
  pcap(host: string, device: string): Uint8Array {
    this.#mustKnow(host);
    if (this.#options.captures !== true) throw new LabError("nothing is captured; make the lab with captures: true");
    const { captures, world } = this.#booted();
    const devices = captures.captures.filter((capture) => capture.hostName === host);
    const found = devices.find((capture) => capture.deviceName === device);
    if (found === undefined)
      throw unknownName(
        `interface of ${host}`,
        device,
        devices.map((capture) => capture.deviceName),
      );
    return found.toBytes(world.originNs);
  }

  /** The simulator's own objects, for what this interface does not offer. They change from version to version. */
  get world(): World {
    return this.#booted().world;
  }

  /* --------------------------------------------------------------------------------------------------------------- forking */

  /** What was done to the lab from outside, with the exact moments: plain data that JSON keeps. */
  get journal(): readonly LabAction[] {
    return this.#journal;
  }

  /**
   * Another lab that has lived the same, up to now or up to a moment before: a time of the timeline, or a `position`. Whatever is done to it
   * then leaves this one alone. It is made by doing everything again, so it costs what the run has cost. Subscribers stay with this lab.
   */
  fork(at: LabTime | LabPosition = this.position): Lab {
    const end: LabPosition =
      typeof at === "object" ? at : { timeNs: this.#booted().world.originNs + durationNs(at, "fork"), eventCount: Number.POSITIVE_INFINITY };
    const now = this.position;
    if (end.timeNs > now.timeNs) throw new LabError(`a fork begins in the past: this lab is at ${this.nowNs / NS_PER_SECOND} s`);
    const journal = journalUntil(this.#journal, end.timeNs).filter((action) => action.eventCount <= end.eventCount);
    const lab = Lab.fromScenario(this.scenario, { ...this.#options, journal });
    lab.#drive((run) => lab.#goTo(run, end));
    return lab;
  }

  /* --------------------------------------------------------------------------------------------------------------- innards */

  #booted(): ScenarioRun {
    if (this.#bootError !== undefined) throw this.#bootError;
    if (this.#run !== undefined) return this.#run;
    const { limits, captures, schedulers, seed } = this.#options;
    this.#scenario = this.scenario;
    const run = new ScenarioRun(this.#scenario, {
      parts: LINUX_PARTS,
      seed: seed === undefined ? undefined : String(seed),
      schedulers,
      capturesFrames: captures === true,
      traceLevel: this.#trace.level,
      sinks: [this.#trace],
      ...(limits === undefined ? {} : { limits }),
    });
    this.#run = run;
    try {
      this.#drive(() => {
        run.runSetup();
        run.scheduleTimeline();
      });
      for (const action of this.#handed) this.#redo(run, action);
    } catch (error) {
      this.#bootError = error;
      throw error;
    }
    return run;
  }

  #setTraceLevel(): void {
    this.#run?.world.trace.setLevel(this.#trace.level);
  }

  /** Everything that lets events fire goes through here. */
  #drive<T>(work: (run: ScenarioRun) => T): T {
    const run = this.#booted();
    this.#mustBeIdle();
    this.#isDriving = true;
    try {
      const result = work(run);
      this.#checkKept();
      return result;
    } finally {
      this.#isDriving = false;
    }
  }

  /** As ScenarioRun.runUntil, but it stops when no more records can be kept. */
  #advance(run: ScenarioRun, timeNs: number, options: { readonly isDone?: () => boolean; readonly eventsMax?: number }): boolean {
    const { isDone, eventsMax } = options;
    return run.runUntil(timeNs, { eventsMax, isDone: () => this.#trace.isFull || isDone?.() === true });
  }

  #checkKept(): void {
    if (!this.#trace.isFull) return;
    const max = this.#options.limits?.keptRecords ?? KEPT_RECORDS_MAX;
    throw new LimitError("keptRecords", { file: this.scenario.file, line: 0, column: 0 }, `${max} trace records are kept; use trace: "frames" or "off", or raise it`);
  }

  #type(host: string, text: string, timeoutNs: number | undefined): TypedCommand {
    this.#mustKnow(host);
    const run = this.#booted();
    const index = this.#typed.length;
    this.#noteIdle({ verb: "type", host, text, ...(timeoutNs === undefined ? {} : { timeoutNs }) });
    let result: ScriptResult | undefined;
    const script = run.type(host, text, {
      timeoutNs,
      onEnd: (ended) => {
        result = ended;
      },
    });
    const typed: TypedCommand = {
      host,
      text,
      get stdout() {
        return script.stdout;
      },
      get stderr() {
        return result?.stderr ?? script.stderr;
      },
      get isRunning() {
        return result === undefined;
      },
      get result() {
        return result;
      },
      interrupt: () => {
        if (result !== undefined) return;
        this.#noteIdle({ verb: "interrupt", command: index });
        script.interrupt();
      },
    };
    this.#typed.push(typed);
    return typed;
  }

  #setPorts(what: string, verb: "down" | "up"): void {
    const scenario = this.scenario;
    const host = scenario.hosts.find(({ name }) => what === name) ?? scenario.hosts.find(({ name }) => what.startsWith(`${name}.`));
    if (host === undefined) throw unknownName("host", what.split(".")[0] ?? what, this.hostNames);
    const name = what === host.name ? undefined : what.slice(host.name.length + 1);
    const names = host.interfaces.map((spec) => spec.name);
    if (name !== undefined && !names.includes(name)) throw unknownName(`interface of ${host.name}`, name, names);
    const { world } = this.#booted();
    this.#noteIdle({ verb, host: host.name, ...(name === undefined ? {} : { interface: name }) });
    world.setPorts(host.name, name, verb === "up");
  }

  /** Does again what a journal says, at its moment. */
  #redo(run: ScenarioRun, action: LabAction): void {
    this.#drive(() => this.#goTo(run, action));
    switch (action.verb) {
      case "type":
        this.#type(action.host, action.text, action.timeoutNs);
        break;
      case "interrupt":
        this.#typed[action.command]?.interrupt();
        break;
      case "open-terminal":
        this.terminal(action.host, action.terminal);
        break;
      case "type-line":
        this.terminal(action.host, action.terminal).type(action.text);
        break;
      case "interrupt-line":
        this.terminal(action.host, action.terminal).interrupt();
        break;
      case "down":
      case "up":
        this.#setPorts(action.interface === undefined ? action.host : `${action.host}.${action.interface}`, action.verb);
        break;
      case "crash":
        this.crash(action.host);
    }
  }

  #goTo(run: ScenarioRun, { timeNs, eventCount }: LabPosition): void {
    const { loop } = run.world;
    if (loop.firedCount > eventCount || loop.nowNs > timeNs)
      throw new LabError("this moment is over already; was the journal made by another scenario or seed?");
    const isThere = this.#advance(run, timeNs, { eventsMax: eventCount - loop.firedCount });
    // Between two events of one time: the clock is there, later events of that time have not fired.
    if (!isThere && loop.nowNs > timeNs) throw new LabError("the journal does not fit this scenario");
  }

  #note(action: LabActionInit): void {
    this.#journal.push({ ...this.position, ...action } as LabAction);
  }

  #noteIdle(action: LabActionInit): void {
    this.#mustBeIdle();
    this.#note(action);
  }

  #mustBeIdle(): void {
    if (this.#isDriving) throw new LabError("the lab is in the middle of an event; a listener looks on, whoever called step, run or runFor drives");
  }

  #mustBeDraft(what: string): void {
    if (this.#scenario !== undefined)
      throw new LabError(`${what} before the lab boots; ${this.#run === undefined ? "this one came from a scenario" : "this one has booted"}`);
  }

  #mustKnow(host: string): void {
    if (!this.hostNames.includes(host)) throw unknownName("host", host, this.hostNames);
  }
}
