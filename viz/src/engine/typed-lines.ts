/**
 * Lines that somebody typed, put into a run: one shell a host, which keeps its directory and variables from line to line.
 *
 * A line waits until the one before it has ended, as on a terminal. A command that does not end by itself is interrupted after a while, so
 * that the run ends.
 */

import { NS_PER_SECOND } from "../../../src/base/time.ts";
import type { ScenarioRun } from "../../../src/scenario/run-scenario.ts";
import { InteractiveSession } from "../../../src/shell/interactive-session.ts";
import { type CommandOutput, INTERRUPT, type TypedLine } from "./protocol.ts";

const UNATTENDED_MAX_NS = 120 * NS_PER_SECOND;

type Mutable<T> = { -readonly [K in keyof T]: T[K] };
type Output = Mutable<Omit<CommandOutput, "pieces">> & { pieces: CommandOutput["pieces"][number][] };

interface Terminal {
  readonly shell: InteractiveSession;
  readonly queue: number[];
  current: Output | undefined;
}

export class TypedLines {
  readonly #run: ScenarioRun;
  readonly #inputs: readonly TypedLine[];
  readonly #outputs: Output[] = [];
  readonly #terminals = new Map<string, Terminal>();
  readonly #releases: (() => void)[] = [];

  /** After `runSetup` and before `scheduleTimeline`. Lines for hosts that are not there say so. */
  constructor(run: ScenarioRun, inputs: readonly TypedLine[]) {
    this.#run = run;
    this.#inputs = inputs;
    const { loop, originNs } = run.world;
    for (const [index, input] of inputs.entries()) {
      this.#releases.push(run.hold());
      loop.at(originNs + Math.max(input.atNs, 0) + 1, { onEvent: () => this.#typed(index) });
    }
  }

  outputs(): readonly CommandOutput[] {
    return this.#outputs;
  }

  get #nowNs(): number {
    return this.#run.world.loop.nowNs;
  }

  #typed(index: number): void {
    const { host, line } = this.#inputs[index] as TypedLine;
    if (!this.#run.world.machines.has(host)) {
      const output = this.#begin(index, "");
      output.pieces.push({ timeNs: this.#nowNs, stream: "stderr", text: `lvsim: there is no host ${host}\n` });
      this.#ended(output, 127, "");
      return;
    }
    const terminal = this.#terminalOf(host);
    if (line === INTERRUPT) {
      terminal.shell.interrupt();
      this.#ended(this.#begin(index, ""), 130, "");
      return;
    }
    terminal.queue.push(index);
    if (terminal.current === undefined) this.#runNext(host, terminal);
  }

  #terminalOf(host: string): Terminal {
    const known = this.#terminals.get(host);
    if (known?.shell.isAlive === true) return known;
    const shell = new InteractiveSession(this.#run.world.machine(host), {
      onOutput: (stream, text) => {
        const output = terminal.current ?? this.#outputs.findLast((one) => one.host === host);
        output?.pieces.push({ timeNs: this.#nowNs, stream, text });
      },
    });
    const terminal: Terminal = { shell, queue: known?.queue ?? [], current: undefined };
    this.#terminals.set(host, terminal);
    return terminal;
  }

  #runNext(host: string, terminal: Terminal): void {
    const index = terminal.queue.shift();
    if (index === undefined) return;
    if (!terminal.shell.isAlive) {
      const fresh = this.#terminalOf(host);
      fresh.queue.unshift(index);
      this.#runNext(host, fresh);
      return;
    }
    const { loop } = this.#run.world;
    const output = this.#begin(index, terminal.shell.prompt);
    terminal.current = output;
    const timeout = loop.after(UNATTENDED_MAX_NS, { onEvent: () => terminal.shell.interrupt() });
    terminal.shell.runLine(output.text, (status) => {
      loop.cancel(timeout);
      terminal.current = undefined;
      this.#ended(output, status, terminal.shell.isAlive ? terminal.shell.prompt : "");
      // The shell takes its next line when it has come back from this one.
      loop.after(0, { onEvent: () => terminal.current === undefined && this.#runNext(host, terminal) });
    });
  }

  #begin(index: number, prompt: string): Output {
    const { host, line } = this.#inputs[index] as TypedLine;
    const output: Output = { origin: "input", index, host, text: line, startNs: this.#nowNs, endNs: undefined, exit: undefined, pieces: [], prompt, promptAfter: "" };
    this.#outputs.push(output);
    return output;
  }

  #ended(output: Output, exit: number, promptAfter: string): void {
    output.endNs = this.#nowNs;
    output.exit = exit;
    output.promptAfter = promptAfter;
    this.#releases[output.index]?.();
  }
}
