/**
 * The connections of a scenario's `workload`: opened by its hosts over their own TCP, at drawn times, for drawn lengths.
 *
 *   arrival ─▶ connect ─▶ established ── its size passes ──▶ `send`, read until the peer closes ─▶ close
 *                                                        └─▶ without `send`: close
 */

import { utf8Bytes, utf8Text } from "../base/bytes.ts";
import { formatIpv4Address } from "../base/ipv4-address.ts";
import { NS_PER_SECOND } from "../base/time.ts";
import type { Host, TcpSocket } from "../host/host.ts";
import type { EventId, EventTarget } from "../kernel/event-loop.ts";
import { Arrivals } from "../workload/arrivals.ts";
import { Population } from "../workload/population.ts";
import { type Percentiles, Samples } from "../workload/samples.ts";
import { drawSize } from "../workload/sizes.ts";
import { WORKLOAD_CONNECTIONS_MAX } from "./scenario-checks.ts";
import type { Scenario, WorkloadSpec } from "./scenario-file.ts";
import type { World } from "./world.ts";

/** A peer that was sent something has so long to answer and close. */
const ANSWER_TIMEOUT_NS = 60 * NS_PER_SECOND;
/** What is kept of an answer, and how many different ones are told apart. */
const ANSWER_BYTES_MAX = 4096;
const ANSWER_CHARS_MAX = 80;
const ANSWERS_MAX = 64;
const OTHER_ANSWERS = "(others)";

/** What became of the connections of one workload. */
export interface WorkloadResult {
  /** Line of the file. */
  readonly line: number;
  /** `10.0.0.100:80` */
  readonly to: string;
  readonly opened: number;
  readonly established: number;
  /** Ended as they should: closed after their time, or answered to the end. */
  readonly completed: number;
  /** By errno: ECONNREFUSED, ECONNRESET, ETIMEDOUT (also when no answer came in time), EHOSTUNREACH ... */
  readonly failed: Readonly<Record<string, number>>;
  /** Not over when the run ended. */
  readonly unfinished: number;
  readonly bytesReceived: number;
  /** Last line of each answer and how often it came; empty without `send`. */
  readonly answers: Readonly<Record<string, number>>;
  /** From connect() to ESTABLISHED, in seconds. */
  readonly connectSeconds: Percentiles;
}

interface Client {
  readonly host: Host;
  readonly address: number;
}

/** One connection on its way. */
interface Visit {
  readonly openedNs: number;
  readonly sizeNs: number;
  socket: TcpSocket | undefined;
  event: EventId | undefined;
  isSent: boolean;
  isOver: boolean;
  answer: Uint8Array[];
  answerBytes: number;
}

export class ScenarioWorkload implements EventTarget {
  readonly #world: World;
  readonly #spec: WorkloadSpec;
  readonly #name: string;
  readonly #clients: readonly Client[];
  readonly #arrivals: Arrivals;
  readonly #population: Population;
  readonly #request: Uint8Array | undefined;
  readonly #onEnd: () => void;
  readonly #connectTimes = new Samples();
  readonly #failed = new Map<string, number>();
  readonly #answers = new Map<string, number>();
  #startNs = 0;
  #isArriving = true;
  #opened = 0;
  #established = 0;
  #completed = 0;
  #open = 0;
  #bytesReceived = 0;

  /** `onEnd` is called once, when the last connection is over. */
  constructor(options: { readonly world: World; readonly scenario: Scenario; readonly spec: WorkloadSpec; readonly index: number; readonly onEnd: () => void }) {
    const { world, scenario, spec } = options;
    this.#world = world;
    this.#spec = spec;
    this.#name = `workload/${options.index}`;
    this.#onEnd = options.onEnd;
    this.#clients = spec.from.flatMap((name) => {
      const { host } = world.machine(name);
      const interfaces = scenario.hosts.find((candidate) => candidate.name === name)?.interfaces ?? [];
      return interfaces.flatMap(({ addresses }) => addresses.map(({ address }) => ({ host, address })));
    });
    this.#arrivals = new Arrivals(spec.arrivals, this.#stream("arrivals"));
    const count = this.#clients.length;
    this.#population = new Population(spec.popularity === "zipf" ? { kind: "zipf", count, exponent: spec.exponent } : { kind: "uniform", count }, this.#stream("clients"));
    this.#request = spec.send === undefined ? undefined : utf8Bytes(spec.send);
  }

  /** Puts the first arrival into the event queue, counted from the start of the timeline. */
  start(): void {
    this.#startNs = this.#world.originNs + this.#spec.atNs;
    this.#prepareArrival();
  }

  get result(): WorkloadResult {
    const { place, to } = this.#spec;
    return {
      line: place.line,
      to: `${formatIpv4Address(to.address)}:${to.port}`,
      opened: this.#opened,
      established: this.#established,
      completed: this.#completed,
      failed: sorted(this.#failed),
      unfinished: this.#open,
      bytesReceived: this.#bytesReceived,
      answers: sorted(this.#answers),
      connectSeconds: this.#connectTimes.percentiles(),
    };
  }

  #stream(name: string) {
    return this.#world.random.stream(`${this.#name}/${name}`);
  }

  #prepareArrival(): void {
    const timeNs = this.#arrivals.next();
    if (timeNs > this.#spec.durationNs || this.#opened >= WORKLOAD_CONNECTIONS_MAX) {
      // The end comes in an event of its own, at the time up to which connections are opened.
      this.#world.loop.at(this.#startNs + this.#spec.durationNs, { onEvent: () => this.#noMore() });
      return;
    }
    this.#world.loop.at(this.#startNs + timeNs, this);
  }

  #noMore(): void {
    this.#isArriving = false;
    if (this.#open === 0) this.#onEnd();
  }

  /** An arrival. */
  onEvent(): void {
    this.#opened++;
    this.#open++;
    const { host, address } = this.#clients[this.#population.next()] as Client;
    const visit: Visit = { openedNs: this.#world.loop.nowNs, sizeNs: drawSize(this.#spec.sizes, this.#stream("sizes")), socket: undefined, event: undefined, isSent: false, isOver: false, answer: [], answerBytes: 0 };
    const socket = host.tcp.connect(
      { address: this.#spec.to.address, port: this.#spec.to.port, localAddress: address },
      {
        onConnected: () => this.#connected(visit),
        onData: (bytes) => this.#received(visit, bytes),
        onEnd: () => this.#peerClosed(visit),
        onError: (errno) => this.#end(visit, errno),
      },
    );
    if (typeof socket === "string") this.#end(visit, socket);
    else visit.socket = socket;
    this.#prepareArrival();
  }

  #connected(visit: Visit): void {
    const { loop } = this.#world;
    this.#established++;
    this.#connectTimes.add(loop.nowNs - visit.openedNs);
    visit.event = loop.after(visit.sizeNs, { onEvent: () => this.#timePassed(visit) });
  }

  /** The connection has been open for its size. */
  #timePassed(visit: Visit): void {
    visit.event = undefined;
    if (this.#request === undefined) {
      this.#end(visit, undefined);
      return;
    }
    visit.isSent = true;
    visit.socket?.send(this.#request);
    visit.event = this.#world.loop.after(ANSWER_TIMEOUT_NS, {
      onEvent: () => {
        visit.event = undefined;
        this.#end(visit, "ETIMEDOUT");
      },
    });
  }

  #received(visit: Visit, bytes: Uint8Array): void {
    this.#bytesReceived += bytes.length;
    if (visit.answerBytes >= ANSWER_BYTES_MAX) visit.answer = [];
    visit.answer.push(bytes);
    visit.answerBytes += bytes.length;
  }

  /** The answer is whole, or the peer did not want to wait. */
  #peerClosed(visit: Visit): void {
    this.#end(visit, visit.isSent || this.#request === undefined ? undefined : "ECONNRESET");
  }

  #end(visit: Visit, errno: string | undefined): void {
    if (visit.isOver) return;
    visit.isOver = true;
    if (visit.event !== undefined) this.#world.loop.cancel(visit.event);
    if (errno === undefined) {
      this.#completed++;
      if (visit.isSent) this.#countAnswer(visit);
      visit.socket?.close();
    } else {
      this.#failed.set(errno, (this.#failed.get(errno) ?? 0) + 1);
      visit.socket?.close();
    }
    if (--this.#open === 0 && !this.#isArriving) this.#onEnd();
  }

  #countAnswer(visit: Visit): void {
    let text = "";
    for (const bytes of visit.answer) text += utf8Text(bytes);
    const line = (text.trimEnd().split("\n").pop() ?? "").trim().slice(0, ANSWER_CHARS_MAX);
    const key = this.#answers.has(line) || this.#answers.size < ANSWERS_MAX ? line : OTHER_ANSWERS;
    this.#answers.set(key, (this.#answers.get(key) ?? 0) + 1);
  }
}

function sorted(counts: ReadonlyMap<string, number>): Record<string, number> {
  return Object.fromEntries([...counts].sort(([a], [b]) => (a < b ? -1 : 1)));
}

/** One or two lines for a person. */
export function formatWorkloadResult(result: WorkloadResult): string {
  const { to, opened, established, completed, failed, unfinished, answers, connectSeconds } = result;
  const counts = [`${opened} connections`, `${established} established`, `${completed} completed`, ...Object.entries(failed).map(([errno, count]) => `${count} ${errno}`)];
  if (unfinished > 0) counts.push(`${unfinished} not over`);
  const answered = Object.entries(answers).map(([line, count]) => `${count} "${line}"`);
  const times = established === 0 ? "" : `; connecting took ${ms(connectSeconds.p50)} (median), ${ms(connectSeconds.p99)} (99 %)`;
  return `== workload to ${to}: ${counts.join(", ")}${times}\n${answered.length === 0 ? "" : `answers: ${answered.join(", ")}\n`}`;
}

function ms(seconds: number): string {
  return `${(seconds * 1000).toFixed(3)} ms`;
}
