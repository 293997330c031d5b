/**
 * The director of a scheduler script: its services, what ipvsadm answers, and where a connection goes.
 *
 *   SYN ──▶ entry known? ──▶ service? ──▶ template valid? ──▶ scheduler ──▶ entry (and template) bound to a server
 *
 * Linux 6.1 net/netfilter/ipvs/ip_vs_core.c, ip_vs_ctl.c, ip_vs_conn.c, ip_vs_proto_tcp.c with conn_reuse_mode=0 and
 * expire_nodest_conn=0; messages of ipvsadm 1.31. Not modelled: FTP services, other protocols than TCP. The trash never
 * empties: a server that may leave it has no connections, so one made anew is the same.
 */
import { isInPrefix } from "../base/ipv4-address.ts";
import { NS_PER_SECOND } from "../base/time.ts";
import type { EventLoop } from "../kernel/event-loop.ts";
import { ScriptConn, ScriptTemplate } from "./sched-script-conn.ts";
import { refusalOfServer, refusalOfService, refusalOfVirtual } from "./sched-script-ipvsadm.ts";
import type { SchedCommand, SchedEndpoint, SchedVirtual } from "./sched-script-parser.ts";
import { formatDest } from "./schedulers/format-dest.ts";
import { overloadByEvent, overloadByTotal, type OverloadRules } from "./schedulers/overload.ts";
import { schedulerByName } from "./schedulers/registry.ts";
import { type Scheduler, type SchedulerContext, type SchedulerDest, schedulerDest, type SchedulerState } from "./schedulers/scheduler.ts";

const ESTABLISHED_NS = 900 * NS_PER_SECOND;
const TIME_WAIT_NS = 120 * NS_PER_SECOND;
const CLOSE_NS = 10 * NS_PER_SECOND;
const IPPROTO_TCP = 6;
const FTP_DATA_PORT = 20;
/** Connections to 10.9.0.0/16 carry mark 1. */
const MARKED_NETWORK = 0x0a090000;
const MARKED_PREFIX_LENGTH = 16;
const MARK = "fwmark 1";

interface ScriptService {
  readonly key: string;
  /** 0 for a fwmark service. */
  readonly port: number;
  /** The newest first. */
  readonly dests: SchedulerDest[];
  readonly trash: Map<string, SchedulerDest>;
  readonly state: SchedulerState;
  /** undefined: not persistent. */
  readonly persistNs: number | undefined;
}

/** What becomes of a SYN. */
export type SynOutcome =
  /** The handshake completes with this server. */
  | { readonly kind: "served"; readonly server: string; readonly conn: ScriptConn }
  /** No server: ICMP port unreachable. */
  | { readonly kind: "unreachable" }
  /** Nobody listens: the client gets a reset. */
  | { readonly kind: "reset" }
  /** The entry's server was deleted: nothing comes back. */
  | { readonly kind: "dropped" };

export interface ScriptDirectorOptions {
  readonly loop: EventLoop;
  readonly schedulers: readonly Scheduler[];
  readonly context: SchedulerContext;
  /** Whether a server answers at that address and port. */
  readonly isListening: (address: number, port: number) => boolean;
}

export class ScriptDirector {
  private readonly options: ScriptDirectorOptions;
  private readonly rules: OverloadRules;
  private readonly services = new Map<string, ScriptService>();
  private readonly conns = new Map<string, ScriptConn>();
  private readonly templates = new Map<string, ScriptTemplate>();

  constructor(options: ScriptDirectorOptions) {
    this.options = options;
    this.rules = options.context.options.overheadIncludesTotal ? overloadByTotal : overloadByEvent;
  }

  /** Runs an ipvsadm command for the service of the last `service` line; returns its message when it is refused. */
  command(command: SchedCommand, virtual: SchedVirtual): string | undefined {
    const refusal = refusalOfVirtual(virtual);
    if (refusal !== undefined) return refusal;
    if (command.kind === "service") return this.addService(command);
    const invalid = command.kind === "delete" ? undefined : refusalOfServer(command);
    if (invalid !== undefined) return invalid;
    const service = this.services.get(serviceKey(virtual));
    if (service === undefined) return "Service not defined";
    return command.kind === "delete" ? this.deleteDest(service, command.server) : this.setDest(service, command);
  }

  /** ip_vs_in, tcp_conn_schedule */
  syn(from: SchedEndpoint, to: SchedEndpoint): SynOutcome {
    const known = this.conns.get(tupleOf(from, to));
    if (known !== undefined) return known.dest.available ? this.connect(known) : { kind: "dropped" };
    const service = this.findService(to);
    if (service === undefined || from.port === FTP_DATA_PORT) return { kind: "reset" };
    const conn = service.persistNs === undefined ? this.schedule(service, from, to) : this.schedulePersistent(service, from, to);
    return conn === undefined ? { kind: "unreachable" } : this.connect(conn);
  }

  /**
   * The client closes, then the server: ESTABLISHED, CLOSE_WAIT, TIME_WAIT. False when the packet is dropped because the
   * server was deleted.
   */
  fin(conn: ScriptConn): boolean {
    if (!conn.dest.available) return false;
    conn.enter("inactive", TIME_WAIT_NS);
    return true;
  }

  private addService(command: Extract<SchedCommand, { kind: "service" }>): string | undefined {
    const scheduler = schedulerByName(command.scheduler, this.options.schedulers);
    const refusal = refusalOfService(command, scheduler);
    if (refusal !== undefined) return refusal;
    const key = serviceKey(command.virtual);
    if (this.services.has(key)) return "Service already exists";
    if (scheduler === undefined) return "Scheduler or persistence engine not found";
    const dests: SchedulerDest[] = [];
    this.services.set(key, {
      key,
      port: command.virtual.kind === "tcp" ? command.virtual.endpoint.port : 0,
      dests,
      trash: new Map(),
      state: scheduler.init({ dests, flags: command.flags }, this.options.context),
      persistNs: command.persist === undefined ? undefined : Number(command.persist) * NS_PER_SECOND,
    });
    return undefined;
  }

  /** ip_vs_add_dest, ip_vs_edit_dest, __ip_vs_update_dest */
  private setDest(service: ScriptService, command: Extract<SchedCommand, { kind: "add" | "edit" }>): string | undefined {
    const thresholds = { upper: Number(command.upper ?? 0), lower: Number(command.lower ?? 0) };
    if (thresholds.lower > thresholds.upper) return "Numerical result out of range";
    const { address, port } = command.server;
    const present = service.dests.find((dest) => dest.address === address && dest.port === port);
    const isAdd = command.kind === "add";
    if (isAdd && present !== undefined) return "Destination already exists";
    if (!isAdd && present === undefined) return "No such destination";
    const name = formatDest(command.server);
    const dest = present ?? service.trash.get(name) ?? schedulerDest({ address, port });
    dest.weight = Number(command.weight);
    if (isAdd || dest.weight !== 0) dest.lastWeight = dest.weight;
    this.rules.thresholdsSet(dest, thresholds);
    if (!isAdd) {
      service.state.destUpdated?.(dest);
      return undefined;
    }
    service.trash.delete(name);
    dest.available = true;
    service.dests.unshift(dest);
    service.state.destAdded?.(dest);
    return undefined;
  }

  /** ip_vs_del_dest: connections, templates and caches keep the server alive in the trash. */
  private deleteDest(service: ScriptService, { address, port }: SchedEndpoint): string | undefined {
    const index = service.dests.findIndex((dest) => dest.address === address && dest.port === port);
    const dest = service.dests[index];
    if (dest === undefined) return "No such destination";
    dest.available = false;
    service.dests.splice(index, 1);
    service.state.destDeleted?.(dest);
    service.trash.set(formatDest(dest), dest);
    return undefined;
  }

  /** ip_vs_service_find: by mark, by address and port, by address alone. */
  private findService({ address, port }: SchedEndpoint): ScriptService | undefined {
    const marked = isInPrefix(address, MARKED_NETWORK, MARKED_PREFIX_LENGTH) ? this.services.get(MARK) : undefined;
    return marked ?? this.services.get(addressKey(address, port)) ?? this.services.get(addressKey(address, 0));
  }

  /** ip_vs_schedule */
  private schedule(service: ScriptService, from: SchedEndpoint, to: SchedEndpoint): ScriptConn | undefined {
    const dest = this.choose(service, from, to);
    return dest === undefined ? undefined : this.newConn(dest, { from, to, port: dest.port === 0 ? to.port : dest.port });
  }

  /** ip_vs_sched_persist: a valid template decides even when its server is quiescent or overloaded. */
  private schedulePersistent(service: ScriptService, from: SchedEndpoint, to: SchedEndpoint): ScriptConn | undefined {
    const key = `${service.key} ${from.address}`;
    let template = this.templates.get(key);
    if (template === undefined || !template.dest.available) {
      this.templates.delete(key);
      const dest = this.choose(service, from, to);
      if (dest === undefined) return undefined;
      template = this.newTemplate(dest, key, service.persistNs ?? 0);
    }
    const { dest } = template;
    const port = to.port === service.port && dest.port !== 0 ? dest.port : to.port;
    const conn = this.newConn(dest, { from, to, port, template });
    template.hold();
    return conn;
  }

  private choose(service: ScriptService, from: SchedEndpoint, to: SchedEndpoint): SchedulerDest | undefined {
    return service.state.schedule({
      sourceAddress: from.address,
      sourcePort: from.port,
      destinationAddress: to.address,
      destinationPort: to.port,
      protocol: IPPROTO_TCP,
    });
  }

  /** ip_vs_conn_new: bound as inactive; the SYN then makes it active. */
  private newConn(dest: SchedulerDest, ends: { from: SchedEndpoint; to: SchedEndpoint; port: number; template?: ScriptTemplate }): ScriptConn {
    const key = tupleOf(ends.from, ends.to);
    dest.inactConns += 1;
    dest.totalConns += 1;
    this.rules.connBound(dest, false);
    const conn = new ScriptConn(this.options.loop, dest, ends.port, () => {
      this.conns.delete(key);
      this.rules.connUnbound(dest, false);
      ends.template?.release();
    });
    this.conns.set(key, conn);
    return conn;
  }

  private newTemplate(dest: SchedulerDest, key: string, timeoutNs: number): ScriptTemplate {
    dest.persistConns += 1;
    this.rules.connBound(dest, true);
    const template = new ScriptTemplate(this.options.loop, dest, timeoutNs, () => {
      if (this.templates.get(key) === template) this.templates.delete(key);
      this.rules.connUnbound(dest, true);
    });
    this.templates.set(key, template);
    return template;
  }

  private connect(conn: ScriptConn): SynOutcome {
    const { dest, port } = conn;
    if (!this.options.isListening(dest.address, port)) {
      conn.enter("inactive", CLOSE_NS);
      return { kind: "reset" };
    }
    conn.enter("active", ESTABLISHED_NS);
    return { kind: "served", server: formatDest({ address: dest.address, port }), conn };
  }
}

function serviceKey(virtual: SchedVirtual): string {
  return virtual.kind === "tcp" ? addressKey(virtual.endpoint.address, virtual.endpoint.port) : `fwmark ${Number(virtual.mark)}`;
}

function addressKey(address: number, port: number): string {
  return `tcp ${address}:${port}`;
}

/** Names a connection by its two ends. */
export function tupleOf(from: SchedEndpoint, to: SchedEndpoint): string {
  return `${from.address}:${from.port} ${to.address}:${to.port}`;
}
