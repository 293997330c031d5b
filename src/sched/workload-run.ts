/**
 * Runs a workload with one scheduler: clients connect through a real director, servers work off what they are given, and figures are taken.
 *
 *   arrival ─▶ SYN, ACK to the director ─▶ the server that the frame goes to ─▶ its queue ─▶ done ─▶ FIN to the director
 *
 * Arrivals, clients and sizes come from streams of their own, so that every scheduler gets the very same ones. Runs are deterministic.
 */

import { NS_PER_SECOND } from "../base/time.ts";
import type { Scheduler } from "../ipvs/schedulers/scheduler.ts";
import type { EventTarget } from "../kernel/event-loop.ts";
import { SimulationLoop } from "../kernel/loop.ts";
import { RandomStreams } from "../kernel/random.ts";
import { ScenarioError } from "../scenario/scenario-error.ts";
import { TCP_ACK, TCP_FIN, TCP_SYN } from "../wire/packet.ts";
import { Arrivals } from "../workload/arrivals.ts";
import { Population } from "../workload/population.ts";
import { Samples } from "../workload/samples.ts";
import { drawSize } from "../workload/sizes.ts";
import { BareDirector } from "./bare-director.ts";
import { type Job, ServerQueue } from "./server-queue.ts";
import { CONNECTIONS_MAX, type Workload, type WorkloadChange, type WorkloadServer } from "./workload-file.ts";
import { ClientMemory, type ServerFigures, type WorkloadFigures } from "./workload-figures.ts";

/** After the last arrival the servers have so long to finish. */
const DRAIN_NS = 3600 * NS_PER_SECOND;
/** A client whose FIN is dropped sends it again for about so long (tcp_orphan_retries 0: 8 times, from 0.2 s on doubling). */
const ORPHAN_NS = 100 * NS_PER_SECOND;
const FIRST_PORT = 1024;
const PORTS = 65536 - FIRST_PORT;

export interface WorkloadRunOptions {
  readonly scheduler: Scheduler;
  /** Words of `ipvsadm -b` beside those of the workload. */
  readonly flags?: readonly string[];
  /** Another seed than the file's. */
  readonly seed?: string | undefined;
}

/** What connects: the same for every scheduler. */
export interface Arrival {
  readonly timeNs: number;
  readonly client: number;
  readonly workNs: number;
}

/** The connections of a workload, in order of time. Throws a ScenarioError when chance makes too many of them. */
export class ArrivalStream {
  readonly #workload: Workload;
  readonly #random: RandomStreams;
  readonly #arrivals: Arrivals;
  readonly #population: Population;
  #count = 0;

  constructor(workload: Workload, seed: string) {
    this.#workload = workload;
    this.#random = new RandomStreams(seed);
    this.#arrivals = new Arrivals(workload.arrivals, this.#random.stream("arrivals"));
    this.#population = new Population(workload.clients, this.#random.stream("clients"));
  }

  /** undefined after the last one. */
  next(): Arrival | undefined {
    const timeNs = this.#arrivals.next();
    const { durationNs, file, sizes } = this.#workload;
    if (timeNs > durationNs) return undefined;
    if (++this.#count > CONNECTIONS_MAX) throw new ScenarioError([{ file, line: 1, column: 1, message: `more than ${CONNECTIONS_MAX} connections`, remedy: "lower the rates or shorten `duration`" }]);
    return { timeNs, client: this.#population.next(), workNs: drawSize(sizes, this.#random.stream("sizes")) };
  }
}

/** Runs the workload to the end. Throws a SchedulerFault when the scheduler fails. */
export function runWorkload(workload: Workload, options: WorkloadRunOptions): WorkloadFigures {
  return new WorkloadRun(workload, options).run();
}

/** One server, with what is counted about it. */
interface ServerState {
  readonly spec: WorkloadServer;
  readonly queue: ServerQueue;
  readonly waits: Samples;
  weight: number;
  upper: number;
  lower: number;
  isPresent: boolean;
  /** Connections that its removal broke, and when. */
  broken: readonly Job[];
  brokenNs: number;
  connections: number;
  workNs: number;
  /** Sum over arrivals of the part that its weight asks for. */
  expected: number;
  /** Work that it could have done while in the service, and unfinished connections times time, up to `countedNs`. */
  capacityNs: number;
  openNs: number;
  countedNs: number;
  peakOpen: number;
}

class WorkloadRun implements EventTarget {
  readonly #workload: Workload;
  readonly #loop = new SimulationLoop();
  readonly #director: BareDirector;
  readonly #servers: readonly ServerState[];
  readonly #stream: ArrivalStream;
  readonly #memory: ClientMemory;
  readonly #ports: Uint16Array;
  readonly #waits = new Samples();
  readonly #responses = new Samples();
  #pending: Arrival | undefined;
  #arrived = 0;
  #served = 0;
  #refused = 0;
  #broken = 0;
  #open = 0;

  constructor(workload: Workload, { scheduler, flags = [], seed = workload.seed }: WorkloadRunOptions) {
    this.#workload = workload;
    this.#stream = new ArrivalStream(workload, seed);
    this.#memory = new ClientMemory(workload.clients.count);
    this.#ports = new Uint16Array(workload.clients.count);
    const known = [...new Set([...workload.flags, ...flags])].filter((flag) => flag.startsWith("flag-") || scheduler.flags.includes(flag));
    this.#director = new BareDirector({
      loop: this.#loop,
      random: new RandomStreams(`${seed}/director`),
      scheduler: scheduler.name,
      schedulers: [scheduler],
      flags: known,
      persistenceSeconds: workload.persistenceSeconds,
    });
    this.#servers = workload.servers.map((spec) => this.#newServer(spec));
    for (const [index, server] of this.#servers.entries()) if (server.isPresent) this.#director.add(index, server);
  }

  run(): WorkloadFigures {
    const loop = this.#loop;
    for (const change of this.#workload.changes) loop.at(change.atNs, { onEvent: () => this.#change(change) });
    this.#prepareArrival();
    const { durationNs } = this.#workload;
    loop.runUntil(durationNs);
    for (const server of this.#servers) this.#count(server);
    while (this.#open > 0) {
      const nextNs = loop.nextTimeNs();
      if (nextNs === undefined || nextNs > durationNs + DRAIN_NS) break;
      loop.step();
    }
    return this.#figures();
  }

  /* --------------------------------------------------------------------------------------------------------- events */

  #prepareArrival(): void {
    this.#pending = this.#stream.next();
    if (this.#pending !== undefined) this.#loop.at(this.#pending.timeNs, this);
  }

  /** An arrival. */
  onEvent(): void {
    const arrival = this.#pending as Arrival;
    this.#prepareArrival();
    this.#arrived++;
    this.#expect();
    const { client, workNs } = arrival;
    const port = FIRST_PORT + (this.#ports[client] as number);
    this.#ports[client] = ((this.#ports[client] as number) + 1) % PORTS;
    const index = this.#director.receive(client, port, TCP_SYN);
    if (index < 0) {
      this.#refused++;
      return;
    }
    this.#director.receive(client, port, TCP_ACK);
    this.#memory.connect(client, index, (other) => this.#canTake(other));
    const server = this.#servers[index] as ServerState;
    this.#count(server);
    server.connections++;
    server.workNs += workNs;
    this.#open++;
    server.queue.push({ client, port, arrivedNs: this.#loop.nowNs, remainingNs: workNs, startedNs: -1, sinceNs: 0, event: undefined });
    server.peakOpen = Math.max(server.peakOpen, server.queue.length);
  }

  #newServer(spec: WorkloadServer): ServerState {
    const server: ServerState = {
      spec,
      queue: new ServerQueue({
        loop: this.#loop,
        speed: spec.speed,
        workers: spec.workers,
        onStart: (job) => {
          server.waits.add(job.startedNs - job.arrivedNs);
          this.#waits.add(job.startedNs - job.arrivedNs);
        },
        onFinish: (job) => this.#finish(server, job),
      }),
      waits: new Samples(),
      weight: spec.weight,
      upper: spec.upper,
      lower: spec.lower,
      isPresent: spec.isPresent,
      broken: [],
      brokenNs: 0,
      connections: 0,
      workNs: 0,
      expected: 0,
      capacityNs: 0,
      openNs: 0,
      countedNs: 0,
      peakOpen: 0,
    };
    return server;
  }

  #finish(server: ServerState, job: Job): void {
    // The job has left the queue already: until now it was one more.
    this.#count(server, 1);
    this.#served++;
    this.#open--;
    this.#responses.add(this.#loop.nowNs - job.arrivedNs);
    this.#director.receive(job.client, job.port, TCP_FIN | TCP_ACK);
  }

  #change(change: WorkloadChange): void {
    const index = change.server;
    const server = this.#servers[index] as ServerState;
    this.#count(server);
    const couldTake = this.#canTake(index);
    server.weight = change.weight ?? server.weight;
    server.upper = change.upper ?? server.upper;
    server.lower = change.lower ?? server.lower;
    if (change.speed !== undefined) server.queue.setSpeed(change.speed);
    if (change.membership === "add") {
      server.isPresent = true;
      this.#director.add(index, server);
      // What its clients still send again reaches the entries that came back with it.
      if (this.#loop.nowNs - server.brokenNs < ORPHAN_NS) for (const { client, port } of server.broken) this.#director.receive(client, port, TCP_FIN | TCP_ACK);
      server.broken = [];
    } else if (change.membership === "remove") {
      server.isPresent = false;
      this.#director.remove(index);
      server.broken = server.queue.clear();
      server.brokenNs = this.#loop.nowNs;
      this.#broken += server.broken.length;
      this.#open -= server.broken.length;
    } else if (changesTable(change)) {
      this.#director.edit(index, server);
    }
    if (changesTable(change)) this.#memory.change(this.#loop.nowNs, describeChange(change, server.spec.name), change.membership === "remove" || (couldTake && !this.#canTake(index)));
  }

  /* -------------------------------------------------------------------------------------------------------- figures */

  /** In the service and not quiescent. */
  #canTake(index: number): boolean {
    const server = this.#servers[index] as ServerState;
    return server.isPresent && server.weight > 0;
  }

  /** The parts of one connection that the weights ask for. */
  #expect(): void {
    let total = 0;
    for (const server of this.#servers) if (server.isPresent) total += server.weight;
    if (total === 0) return;
    for (const server of this.#servers) if (server.isPresent) server.expected += server.weight / total;
  }

  /** Brings the integrals over time up to now, up to the last arrival at most. */
  #count(server: ServerState, leaving = 0): void {
    const nowNs = Math.min(this.#loop.nowNs, this.#workload.durationNs);
    const passedNs = nowNs - server.countedNs;
    if (passedNs <= 0) return;
    server.countedNs = nowNs;
    server.openNs += passedNs * (server.queue.length + leaving);
    if (server.isPresent) server.capacityNs += passedNs * server.queue.speed * server.spec.workers;
  }

  #figures(): WorkloadFigures {
    const given = this.#arrived - this.#refused;
    const totalWorkNs = this.#servers.reduce((sum, server) => sum + server.workNs, 0);
    const totalCapacityNs = this.#servers.reduce((sum, server) => sum + server.capacityNs, 0);
    const servers = this.#servers.map((server): ServerFigures => ({
      name: server.spec.name,
      connections: server.connections,
      share: ratio(server.connections, given) ?? 0,
      expectedShare: ratio(server.expected, this.#arrived) ?? 0,
      workShare: ratio(server.workNs, totalWorkNs) ?? 0,
      load: ratio(server.workNs, server.capacityNs),
      meanOpen: server.openNs / this.#workload.durationNs,
      peakOpen: server.peakOpen,
      wait: server.waits.percentiles(),
    }));
    const meanLoad = ratio(totalWorkNs, totalCapacityNs);
    const peakLoad = Math.max(...servers.map((server) => server.load ?? 0));
    return {
      arrived: this.#arrived,
      served: this.#served,
      refused: this.#refused,
      broken: this.#broken,
      unfinished: this.#open,
      misplaced: servers.reduce((sum, server) => sum + Math.abs(server.share - server.expectedShare), 0) / 2,
      peakOverMean: meanLoad === undefined ? undefined : ratio(peakLoad, meanLoad),
      wait: this.#waits.percentiles(),
      response: this.#responses.percentiles(),
      ...this.#memory.summary(),
      servers,
    };
  }
}

function ratio(part: number, whole: number): number | undefined {
  return whole === 0 ? undefined : part / whole;
}

/** Whether ipvsadm is typed: the director does not see how fast a server is. */
function changesTable({ membership, weight, upper, lower }: WorkloadChange): boolean {
  return membership !== undefined || weight !== undefined || upper !== undefined || lower !== undefined;
}

function describeChange(change: WorkloadChange, name: string): string {
  const parts = (["weight", "speed", "upper", "lower"] as const).flatMap((key) => (change[key] === undefined ? [] : [`${key} ${change[key]}`]));
  return [change.membership === undefined ? name : `${change.membership} ${name}`, ...parts].join(" ");
}
