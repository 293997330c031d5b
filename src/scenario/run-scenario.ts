/**
 * Runs a scenario: the setup scripts host by host, then the timeline, then half a second more.
 *
 *   time 0 ── setup a ── setup b ── ... ──┬── origin: `at: 0` of the timeline ── steps ── end
 *                                         └── captures count from here (what was before is put at 0)
 *
 * Simulated commands take no time but what they wait for, so the origin is 0 unless a setup script sleeps, pings or the like.
 * As the lab's guest.py does: a setup script is given 60 s, a step its `timeout`; after that nobody waits for it any longer, its outputs
 * break and its exit status is 124. A step ends when the shell and everybody who holds its outputs open has ended. The run ends half a
 * second after the last step, or at `duration` if that is later.
 */

import { assert } from "../base/assert.ts";
import { NS_PER_MS, NS_PER_SECOND } from "../base/time.ts";
import type { SchedulerDefinition } from "../ipvs/schedulers/scheduler-class.ts";
import { LimitError as ShellLimitError } from "../shell/limits.ts";
import { PcapSink } from "../trace/pcap-sink.ts";
import type { TraceLevel, TraceSink } from "../trace/tracer.ts";
import { makeFault } from "./faults.ts";
import { DEFAULT_LIMITS, LimitError, type LimitName, type RunLimits, runLimitError } from "./limits.ts";
import type { FilePlace } from "./scenario-error.ts";
import type { Expect, HostSpec, RunStep, Scenario, Step } from "./scenario-file.ts";
import { matchesExpectation } from "./scenario-values.ts";
import { ScenarioWorkload, type WorkloadResult } from "./scenario-workload.ts";
import { type RunningScript, World, type WorldParts } from "./world.ts";

const SETUP_TIMEOUT_NS = 60 * NS_PER_SECOND;
const LINGER_NS = NS_PER_SECOND / 2;
const EXIT_TIMED_OUT = 124;
/** What ssh ends with when nobody answers. */
const EXIT_NO_HOST = 255;
const EVENTS_PER_CHECK = 4096;

/** What a script said. `exit` is null when the run ended before it (`until`). */
export interface ScriptResult {
  readonly exit: number | null;
  readonly stdout: string;
  readonly stderr: string;
  readonly seconds: number;
}

/** A link step says nothing. */
export type StepResult = ScriptResult | Record<string, never>;

/** One thing that a step's `expect` says and its result does not show. */
export interface Unmet {
  readonly step: number;
  readonly place: FilePlace;
  readonly field: keyof Expect;
  readonly expected: string | number;
  readonly actual: string | number | null;
}

/** What came out of a run. `originNs` and `endNs` are simulated nanoseconds since the start of the run. */
export interface RunResult {
  readonly title: string;
  readonly seed: string;
  readonly setup: Readonly<Record<string, ScriptResult>>;
  /** In file order. */
  readonly timeline: readonly StepResult[];
  readonly unmet: readonly Unmet[];
  /** In file order. */
  readonly workloads: readonly WorkloadResult[];
  /** Simulated time at which the timeline started. */
  readonly originNs: number;
  readonly endNs: number;
  readonly eventCount: number;
  readonly captures: PcapSink;
  readonly world: World;
}

/** How a scenario is run. Times are simulated nanoseconds, those of the callbacks since time 0 of the timeline. */
export interface RunOptions {
  readonly parts: WorldParts;
  readonly seed?: string | undefined;
  /** Stops the timeline at this time. */
  readonly untilNs?: number | undefined;
  readonly capturesFrames?: boolean;
  readonly traceLevel?: TraceLevel;
  readonly sinks?: readonly TraceSink[];
  readonly limits?: Partial<RunLimits>;
  /** Schedulers of one's own, which `ipvsadm -s NAME` finds on every host of this run. A file can never name code. */
  readonly schedulers?: readonly SchedulerDefinition[] | undefined;
  onSetupEnd?(host: string, result: ScriptResult): void;
  onStepStart?(index: number, step: Step): void;
  onStepEnd?(index: number, step: Step, result: StepResult): void;
  /** Called every few thousand events with the time on the timeline. */
  onProgress?(timeNs: number, eventCount: number): void;
}

/** Runs to the end. Throws a LimitError when the run wants more than it may. */
export function runScenario(scenario: Scenario, options: RunOptions): RunResult {
  return new ScenarioRun(scenario, options).run();
}

/** A run that its owner drives: `runSetup`, then `stepOnce` as often as wanted; `run` does it all at once. */
export class ScenarioRun {
  readonly world: World;
  readonly captures: PcapSink;
  readonly setup: Record<string, ScriptResult> = {};
  readonly results: StepResult[];
  readonly unmet: Unmet[] = [];
  readonly #scenario: Scenario;
  readonly #options: RunOptions;
  readonly #limits: RunLimits;
  /** What goes on, for the words of a limit: scripts that have not ended, oldest first. */
  readonly #running = new Map<number, { readonly host: string; readonly place: FilePlace; readonly scriptLine: number; readonly doing: string }>();
  readonly #open = new Map<number, { readonly script: RunningScript; readonly startNs: number }>();
  readonly #workloads: ScenarioWorkload[] = [];
  /** Steps and workloads that are not over. */
  #stepsLeft: number;
  #typedCount = 0;
  #isOver = false;
  #limitReached: LimitName | undefined;
  #shellLimit: unknown;

  constructor(scenario: Scenario, options: RunOptions) {
    this.#scenario = scenario;
    this.#options = options;
    this.#limits = { ...DEFAULT_LIMITS, ...options.limits };
    this.world = new World(scenario, { parts: options.parts, seed: options.seed, schedulers: options.schedulers });
    this.results = scenario.timeline.map(() => ({}));
    this.#stepsLeft = scenario.timeline.length + scenario.workloads.length;
    for (const sink of options.sinks ?? []) this.world.trace.addSink(sink);
    this.world.trace.setLevel(options.traceLevel ?? "off");
    this.captures = new PcapSink({
      framesMax: this.#limits.capturedFrames,
      bytesMax: this.#limits.capturedBytes,
      onLimit: (what) => {
        this.#limitReached ??= what === "frames" ? "capturedFrames" : "capturedBytes";
      },
    });
    if (options.capturesFrames === true)
      for (const attachments of this.world.attachments.values()) for (const { device } of attachments) this.captures.attach(device);
  }

  run(): RunResult {
    this.runSetup();
    this.scheduleTimeline();
    this.runTimeline();
    return this.finish();
  }

  /** True when the timeline and the half second after it are over. */
  get isOver(): boolean {
    return this.#isOver;
  }

  /** Fires events until the timeline is over. */
  runTimeline(): void {
    const { loop } = this.world;
    while (!this.#isOver && this.#fireSome()) this.#options.onProgress?.(loop.nowNs - this.world.originNs, loop.firedCount);
  }

  finish(): RunResult {
    const { world } = this;
    if (world.trace.hasTables) world.trace.flush();
    for (const [index, { script, startNs }] of this.#open) {
      this.results[index] = { exit: null, stdout: script.stdout, stderr: script.stderr, seconds: secondsBetween(startNs, world.loop.nowNs) };
    }
    return {
      title: this.#scenario.title,
      seed: world.random.seed,
      setup: this.setup,
      timeline: this.results,
      unmet: [...this.unmet].sort((a, b) => a.step - b.step),
      workloads: this.#workloads.map((workload) => workload.result),
      originNs: world.originNs,
      endNs: world.loop.nowNs,
      eventCount: world.loop.firedCount,
      captures: this.captures,
      world,
    };
  }

  /** Each host's `run`, one after the other. */
  runSetup(): void {
    for (const [index, host] of this.#scenario.hosts.entries()) if (host.run !== undefined) this.#runSetupOf(host, host.run, -1 - index);
    const { loop, trace } = this.world;
    this.world.originNs = loop.nowNs;
    if (trace.isOn) trace.emit({ kind: "origin", host: "", cause: 0 });
  }

  #runSetupOf(host: HostSpec, script: string, id: number): void {
    let result: ScriptResult | undefined;
    this.#start(
      {
        id,
        host: host.name,
        script,
        place: host.place,
        scriptLine: host.scriptLine,
        timeoutNs: SETUP_TIMEOUT_NS,
        doing: `while the setup of ${host.name} ran`,
      },
      (ended) => {
        result = ended;
      },
    );
    while (result === undefined) {
      const more = this.#fireSome(() => result !== undefined);
      assert(more || result !== undefined, "a setup script waits for nothing");
    }
    this.setup[host.name] = result;
    this.#options.onSetupEnd?.(host.name, result);
  }

  /** Puts every step of the timeline into the event queue, counted from now. */
  scheduleTimeline(): void {
    const { loop } = this.world;
    const { originNs } = this.world;
    const steps = [...this.#scenario.timeline.entries()].sort(([, a], [, b]) => a.atNs - b.atNs);
    for (const [index, step] of steps) loop.at(originNs + step.atNs, { onEvent: () => this.#begin(index, step) });
    const until = this.#options.untilNs;
    if (until !== undefined)
      loop.at(originNs + until, {
        onEvent: () => {
          this.#isOver = true;
        },
      });
    for (const [index, spec] of this.#scenario.workloads.entries()) {
      const workload = new ScenarioWorkload({ world: this.world, scenario: this.#scenario, spec, index, onEnd: () => this.#finishOne() });
      this.#workloads.push(workload);
      workload.start();
    }
    if (this.#stepsLeft === 0) this.#end();
  }

  /** Keeps the run from ending until the function that it returns has been called, once: for owners that type lines of their own. Before `scheduleTimeline`. */
  hold(): () => void {
    this.#stepsLeft++;
    return () => {
      this.#finishOne();
    };
  }

  /** Fires the next few thousand events, for owners that do other things in between; false when the run is over. After `scheduleTimeline`. */
  runSome(): boolean {
    return !this.#isOver && this.#fireSome();
  }

  /** Fires one event, for owners that drive the run themselves; false when nothing waits. */
  stepOnce(): boolean {
    const isWaiting = this.#step();
    this.#checkLimits();
    return isWaiting;
  }

  /**
   * Fires events up to and including `timeNs` (since the start of the run) and sets the clock to it. Stops before when `isDone` holds after an
   * event, or when `eventsMax` have fired: then it returns false. Infinity: until nothing waits.
   */
  runUntil(timeNs: number, options: { readonly isDone?: (() => boolean) | undefined; readonly eventsMax?: number | undefined } = {}): boolean {
    const { loop } = this.world;
    const { isDone, eventsMax = Number.POSITIVE_INFINITY } = options;
    const isEndless = timeNs === Number.POSITIVE_INFINITY;
    for (let fired = 0; isEndless || (loop.nextTimeNs() ?? Number.POSITIVE_INFINITY) <= timeNs; ) {
      if (fired === eventsMax) return false;
      if (!this.#step()) break;
      if (++fired % EVENTS_PER_CHECK === 0 || this.#limitReached !== undefined || this.#shellLimit !== undefined) this.#checkLimits();
      if (isDone?.() === true) {
        this.#checkLimits();
        return false;
      }
    }
    if (!isEndless) loop.runUntil(timeNs);
    this.#checkLimits();
    return true;
  }

  /**
   * Starts a script now, beside the timeline: what somebody types. `onEnd` may be called before this returns. Without `timeoutNs` it may go
   * on for ever.
   */
  type(host: string, script: string, options: { readonly timeoutNs?: number | undefined; readonly onEnd: (result: ScriptResult) => void }): RunningScript {
    return this.#start(
      {
        id: this.results.length + this.#typedCount++,
        host,
        script,
        place: { file: `typed on ${host}`, line: 1, column: 1 },
        scriptLine: 1,
        timeoutNs: options.timeoutNs,
        doing: `while what was typed on ${host} ran`,
      },
      options.onEnd,
    );
  }

  /** Fires events until the next check of the limits is due, the run is over, or `isDone`; false when nothing waits. */
  #fireSome(isDone?: () => boolean): boolean {
    let isWaiting = true;
    for (let i = 0; i < EVENTS_PER_CHECK && isWaiting && !this.#isOver && this.#limitReached === undefined && this.#shellLimit === undefined; i++) {
      isWaiting = this.#step();
      if (isDone?.() === true) break;
    }
    this.#checkLimits();
    return isWaiting;
  }

  #step(): boolean {
    try {
      return this.world.loop.step();
    } catch (error) {
      throw this.#locate(error);
    }
  }

  /** A limit of a machine's shell, put to its place in the file; other errors as they are. */
  #locate(error: unknown): unknown {
    if (!(error instanceof ShellLimitError)) return error;
    const what = [...this.#running.values()].find((running) => running.host === error.host);
    if (what === undefined) return new LimitError(error.limit, placeOfRest(this.#scenario), error.message);
    const place = error.line > 0 ? { ...what.place, line: what.scriptLine + error.line - 1, column: 1 } : what.place;
    return new LimitError(error.limit, place, `${error.message} ${what.doing}`);
  }

  #checkLimits(): void {
    if (this.#shellLimit !== undefined) throw this.#shellLimit;
    const { loop } = this.world;
    if (loop.firedCount >= this.#limits.events) this.#limitReached ??= "events";
    if (loop.nowNs > this.#limits.simulatedNs) this.#limitReached ??= "simulatedNs";
    const limit = this.#limitReached;
    if (limit === undefined) return;
    const what = [...this.#running.values()][0] ?? { place: placeOfRest(this.#scenario), doing: "after the last step" };
    throw runLimitError(limit, this.#limits[limit], what.place, what.doing);
  }

  #begin(index: number, step: Step): void {
    this.#options.onStepStart?.(index, step);
    if (step.verb === "run") {
      const doing = `while the step at ${step.atNs / NS_PER_SECOND} s on ${step.host} ran`;
      this.#start(
        { id: index, host: step.host, script: step.script, place: step.place, scriptLine: step.scriptLine, timeoutNs: step.timeoutNs, doing },
        (result) => {
          this.#checkExpect(index, step, result);
          this.#finishStep(index, step, result);
        },
      );
      return;
    }
    if (step.verb === "fault") makeFault(this.world, step.fault);
    else if (step.verb === "crash") this.world.crash(step.host);
    else this.world.setPorts(step.host, step.interface, step.verb === "up");
    this.#finishStep(index, step, {});
  }

  #finishStep(index: number, step: Step, result: StepResult): void {
    this.results[index] = result;
    this.#options.onStepEnd?.(index, step, result);
    this.#finishOne();
  }

  #finishOne(): void {
    if (--this.#stepsLeft === 0) this.#end();
  }

  /** The last step has ended: the run goes on for half a second, and for as long as the file says. */
  #end(): void {
    const { loop, originNs } = this.world;
    loop.at(Math.max(loop.nowNs + LINGER_NS, originNs + this.#scenario.durationNs), {
      onEvent: () => {
        this.#isOver = true;
      },
    });
  }

  #start(
    options: {
      readonly id: number;
      readonly host: string;
      readonly script: string;
      readonly place: FilePlace;
      readonly scriptLine: number;
      readonly timeoutNs: number | undefined;
      readonly doing: string;
    },
    onEnd: (result: ScriptResult) => void,
  ): RunningScript {
    const { loop } = this.world;
    const { id } = options;
    const startNs = loop.nowNs;
    if (!this.world.isRunning(options.host)) {
      const nothing = { exit: EXIT_NO_HOST, stdout: "", stderr: `lvsim: ${options.host} is off, or on its way up\n` };
      onEnd({ ...nothing, seconds: 0 });
      return { ...nothing, abandon: () => {}, interrupt: () => {} };
    }
    let isOver = false;
    let timeout = 0;
    this.#running.set(id, options);
    const end = (exit: number, stderr: string | undefined) => {
      if (isOver) return;
      isOver = true;
      loop.cancel(timeout);
      this.#running.delete(id);
      this.#open.delete(id);
      onEnd({ exit, stdout: script.stdout, stderr: stderr ?? script.stderr, seconds: secondsBetween(startNs, loop.nowNs) });
    };
    if (options.timeoutNs !== undefined)
      timeout = loop.after(options.timeoutNs, {
        onEvent: () => {
          if (isOver) return;
          script.abandon();
          end(EXIT_TIMED_OUT, "timed out");
        },
      });
    let endedAtOnce = false;
    let isStarted = false;
    const script = this.#startScript(options.host, options.script, () => {
      if (isStarted) end(script.exit ?? 0, undefined);
      else endedAtOnce = true;
    });
    isStarted = true;
    if (id >= 0 && id < this.results.length) this.#open.set(id, { script, startNs });
    if (endedAtOnce) end(script.exit ?? 0, undefined);
    return script;
  }

  #startScript(host: string, script: string, onEnd: () => void): RunningScript {
    const onLimit = (error: ShellLimitError) => {
      this.#shellLimit ??= this.#locate(error);
    };
    try {
      return this.#options.parts.startScript(this.world.machine(host), script, { outputCharsMax: this.#limits.outputChars, onLimit, onEnd });
    } catch (error) {
      throw this.#locate(error);
    }
  }

  #checkExpect(index: number, step: RunStep, result: ScriptResult): void {
    const { expect, place } = step;
    if (expect.exit !== undefined && expect.exit !== result.exit)
      this.unmet.push({ step: index, place, field: "exit", expected: expect.exit, actual: result.exit });
    for (const field of ["stdout", "stderr"] as const) {
      const expected = expect[field];
      if (expected !== undefined && !matchesExpectation(expected, result[field]))
        this.unmet.push({ step: index, place, field, expected, actual: result[field] });
    }
  }
}

function placeOfRest({ timeline, hosts, file }: Scenario): FilePlace {
  return timeline[timeline.length - 1]?.place ?? hosts[0]?.place ?? { file, line: 1, column: 1 };
}

function secondsBetween(startNs: number, endNs: number): number {
  return Math.round((endNs - startNs) / NS_PER_MS) / 1000;
}

/** What `--json` writes: outputs as the lab's result.json has them, and what else a run tells. */
export function resultToJson(result: RunResult): unknown {
  return {
    title: result.title,
    seed: result.seed,
    setup: result.setup,
    timeline: result.timeline,
    unmet: result.unmet.map(({ step, place, field, expected, actual }) => ({ step, line: place.line, field, expected, actual })),
    ...(result.workloads.length === 0 ? {} : { workloads: result.workloads }),
    originSeconds: result.originNs / NS_PER_SECOND,
    endSeconds: (result.endNs - result.originNs) / NS_PER_SECOND,
    events: result.eventCount,
  };
}
