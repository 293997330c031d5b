/**
 * What the operations of a scheduler script do, one after the other: a NAT director between clients and servers that
 * always answer.
 *
 *   open   the handshake completes                     entry ESTABLISHED, counted as active
 *   close  the client's FIN, then the server's         entry TIME_WAIT, counted as inactive, gone after 120 s
 *   delete the server goes to the trash                its connections keep their counters, their packets are dropped
 *
 * Time passes by `sleep` and a little with every operation, as in the virtual machine (Linux 6.1.176, HZ=100) on which
 * scripts are recorded. That time decides only what expires, and when a FIN that was dropped is sent again.
 */
import { NS_PER_MS, NS_PER_SECOND } from "../base/time.ts";
import { SimulationLoop } from "../kernel/loop.ts";
import { RandomStream } from "../kernel/random.ts";
import type { ScriptConn } from "./sched-script-conn.ts";
import { ScriptDirector, type SynOutcome, tupleOf } from "./sched-script-director.ts";
import type { SchedClose, SchedOpen, SchedOperation, SchedVirtual } from "./sched-script-parser.ts";
import { type Scheduler, type SchedulerOptions, schedulerContext } from "./schedulers/scheduler.ts";

/** Measured by the clock of a retransmitted FIN: an ipvsadm process, a handshake, a close. */
const COMMAND_NS = 112 * NS_PER_MS;
const OPEN_NS = 2_100_000;
const CLOSE_NS = 10 * NS_PER_MS;
/** A client gives up when nothing answers its SYN, before it would send it again. */
const CONNECT_TIMEOUT_NS = 700 * NS_PER_MS;
/** The script waits so long for the server to see a close. */
const CLOSE_TIMEOUT_NS = 3000 * NS_PER_MS;
/** net.ipv4.icmp_ratelimit: one a second to a client, after a burst of six. */
const ICMP_INTERVAL_NS = NS_PER_SECOND;
const ICMP_BURST = 6;
/** A FIN without answer is probed once, then retransmitted with doubling pauses, eight times. */
const FIN_PROBE_NS = 210 * NS_PER_MS;
const FIN_PAUSE_NS = 220 * NS_PER_MS;
const FIN_RETRANSMISSIONS = 8;

/** A client's socket; `tuple` stays taken until the close has gone through. */
interface ClientSocket {
  readonly tuple: string;
  readonly conn: ScriptConn;
}

export class SchedScriptLab {
  private readonly operations: readonly SchedOperation[];
  private readonly loop = new SimulationLoop();
  private readonly director: ScriptDirector;
  private readonly lines: string[] = [];
  /** Open connections by name. */
  private readonly sockets = new Map<string, ClientSocket>();
  private readonly tuples = new Set<string>();
  /** By client address: when the next ICMP error would be due at an even pace. */
  private readonly icmpDueNs = new Map<number, number>();

  constructor(operations: readonly SchedOperation[], parts: { schedulers: readonly Scheduler[]; kernel: SchedulerOptions }) {
    this.operations = operations;
    const { loop } = this;
    const random = new RandomStream("sched-script");
    const added = operations.flatMap((operation) => (operation.kind === "add" ? [operation.server] : []));
    const addresses = new Set(added.map(({ address }) => address));
    const ports = new Set(added.map(({ port }) => port));
    this.director = new ScriptDirector({
      loop,
      schedulers: parts.schedulers,
      context: schedulerContext({
        options: parts.kernel,
        nowNs: () => loop.nowNs,
        randomBelow: (bound) => random.below(bound),
      }),
      isListening: (address, port) => addresses.has(address) && ports.has(port),
    });
  }

  /** The lines of the result. */
  run(): readonly string[] {
    let virtual: SchedVirtual | undefined;
    for (const operation of this.operations) {
      switch (operation.kind) {
        case "open":
          this.open(operation);
          break;
        case "close":
          this.close(operation);
          break;
        case "sleep":
          this.pass(operation.durationNs);
          break;
        default: {
          if (operation.kind === "service") virtual = operation.virtual;
          const message = virtual === undefined ? undefined : this.director.command(operation, virtual);
          if (message !== undefined) this.lines.push(`! ${operation.text}: ${message}`);
          this.pass(COMMAND_NS);
        }
      }
    }
    return this.lines;
  }

  /** A name opened again lets go of its former connection. */
  private open({ name, from, to }: SchedOpen): void {
    const tuple = tupleOf(from, to);
    const outcome: SynOutcome | undefined = this.tuples.has(tuple) ? undefined : this.director.syn(from, to);
    if (outcome?.kind !== "served") {
      this.lines.push(`${name} -`);
      if (outcome !== undefined) this.pass(this.isAnswered(outcome, from.address) ? OPEN_NS : CONNECT_TIMEOUT_NS);
      return;
    }
    this.lines.push(`${name} ${outcome.server}`);
    const former = this.sockets.get(name);
    this.sockets.set(name, { tuple, conn: outcome.conn });
    this.tuples.add(tuple);
    this.pass(OPEN_NS);
    if (former !== undefined) this.sendFin(former);
  }

  private close({ name }: SchedClose): void {
    const socket = this.sockets.get(name);
    if (socket === undefined) return;
    this.sockets.delete(name);
    this.pass(this.sendFin(socket) ? CLOSE_NS : CLOSE_TIMEOUT_NS);
  }

  /** Whether the server saw the FIN. One that was dropped is sent again later. */
  private sendFin(socket: ClientSocket): boolean {
    if (!socket.conn.isLive) {
      // The director has forgotten the connection and answers with a reset.
      this.tuples.delete(socket.tuple);
      return false;
    }
    if (this.director.fin(socket.conn)) {
      this.tuples.delete(socket.tuple);
      return true;
    }
    this.retransmit(socket, this.loop.nowNs + FIN_PROBE_NS, 0);
    return false;
  }

  private retransmit(socket: ClientSocket, timeNs: number, count: number): void {
    this.loop.at(timeNs, {
      onEvent: () => {
        if (count >= FIN_RETRANSMISSIONS || !socket.conn.isLive || this.director.fin(socket.conn)) this.tuples.delete(socket.tuple);
        else this.retransmit(socket, timeNs + FIN_PAUSE_NS * 2 ** count, count + 1);
      },
    });
  }

  /** inet_peer_xrlim_allow: whether the client learns at once that it is not served. */
  private isAnswered({ kind }: SynOutcome, client: number): boolean {
    if (kind !== "unreachable") return kind === "reset";
    const { nowNs } = this.loop;
    const dueNs = Math.max(this.icmpDueNs.get(client) ?? 0, nowNs);
    if (dueNs - nowNs > (ICMP_BURST - 1) * ICMP_INTERVAL_NS) return false;
    this.icmpDueNs.set(client, dueNs + ICMP_INTERVAL_NS);
    return true;
  }

  private pass(durationNs: number): void {
    this.loop.runUntil(this.loop.nowNs + durationNs);
  }
}
