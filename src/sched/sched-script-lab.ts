/**
 * Runs the operations of a scheduler script, one after the other, on three simulated machines: the clients' one, a NAT director that has the
 * scheduler under test, and one that has the addresses of all servers and always answers.
 *
 *   clients 10.1.0.0/16 ── front ── director 10.9.0.0/16 ── back ── servers 10.2.0.0/16
 *
 *   service, add, edit, delete   ipvsadm, as typed on the director
 *   open                         a TCP connection that completes its handshake and sends a byte
 *   close                        the client closes, then the server
 *
 * The director is the one that scenarios use, so its picks are theirs. Time passes by `sleep` and a little with every operation, as in the
 * virtual machine (Linux 6.1.176, HZ=100) on which scripts are recorded. That time decides only what expires.
 */
import { formatIpv4Address, isInPrefix, parseIpv4Address } from "../base/ipv4-address.ts";
import { NS_PER_MS } from "../base/time.ts";
import { type NetDevice, SCOPE_GLOBAL, SCOPE_HOST, SCOPE_LINK } from "../host/device.ts";
import type { Host, TcpSocket } from "../host/host.ts";
import { KERNEL_6_1_176 } from "../host/kernel-options.ts";
import { LinuxHost } from "../host/linux-host.ts";
import { fibEntry, TABLE_LOCAL } from "../host/route.ts";
import type { SchedulerOptions } from "../ipvs/schedulers/scheduler.ts";
import type { SchedulerDefinition } from "../ipvs/schedulers/scheduler-class.ts";
import { SimulationLoop } from "../kernel/loop.ts";
import { RandomStreams } from "../kernel/random.ts";
import { Switch } from "../link/switch.ts";
import { createLinuxMachine, type LvsMachine } from "../shell/machine-builder.ts";
import { runScript } from "../shell/run-script.ts";
import { Tracer } from "../trace/tracer.ts";
import type { SchedClose, SchedCommand, SchedEndpoint, SchedOpen, SchedOperation, SchedVirtual } from "./sched-script-parser.ts";

/** What the operations take in the laboratory: an ipvsadm process, a handshake, a close. */
const COMMAND_NS = 112 * NS_PER_MS;
const OPEN_NS = 2_100_000;
const CLOSE_NS = 10 * NS_PER_MS;
/** A client gives up when nothing answers its SYN, before it would send it again. */
const CONNECT_TIMEOUT_NS = 700 * NS_PER_MS;
/** The script waits so long for the server to see an open or a close. */
const SERVER_TIMEOUT_NS = 3000 * NS_PER_MS;
const BACKLOG = 1024;
const EPOCH_SECONDS = 1_767_225_600;

const FRONT = network("10.1.0.0");
const BACK = network("10.2.0.0");
const VIRTUAL = network("10.9.0.0");
const FRONT_GATEWAY = FRONT + 0xfffe;
const BACK_GATEWAY = BACK + 0xfffe;
const PREFIX_LENGTH = 16;

const DIRECTOR_SETUP = `sysctl -qw net.ipv4.ip_forward=1 net.ipv4.vs.conn_reuse_mode=0
iptables -t mangle -A PREROUTING -d 10.9.0.0/16 -p tcp -j MARK --set-mark 1`;

/** A client's socket and what its server knows it by. */
interface ClientSocket {
  readonly socket: TcpSocket;
  readonly peer: string;
}

export interface SchedScriptLabOptions {
  readonly schedulers: readonly SchedulerDefinition[];
  /** Given to every service in place of the one that the script names. */
  readonly scheduler: string | undefined;
  readonly kernel: SchedulerOptions;
}

export class SchedScriptLab {
  readonly #operations: readonly SchedOperation[];
  readonly #replacement: string | undefined;
  readonly #loop = new SimulationLoop();
  readonly #random = new RandomStreams("sched-script");
  readonly #trace = new Tracer(this.#loop);
  readonly #clients: LinuxHost;
  readonly #servers: LinuxHost;
  readonly #director: LvsMachine;
  readonly #lines: string[] = [];
  /** Open connections by name. */
  readonly #sockets = new Map<string, ClientSocket>();
  /** By client: the server's end of each connection that was accepted and not closed. */
  readonly #accepted = new Map<string, string>();

  constructor(operations: readonly SchedOperation[], options: SchedScriptLabOptions) {
    this.#operations = operations;
    this.#replacement = options.scheduler;
    const base = { loop: this.#loop, trace: this.#trace, random: this.#random };
    this.#clients = new LinuxHost({ name: "clients", ...base });
    this.#servers = new LinuxHost({ name: "servers", ...base });
    const { kernel } = options;
    this.#director = createLinuxMachine({
      name: "director",
      ...base,
      epochSeconds: EPOCH_SECONDS,
      programStartNs: 0,
      schedulers: options.schedulers,
      options: {
        ...KERNEL_6_1_176,
        ipvsHasTwos: true,
        ipvsOverheadIncludesTotal: kernel.overheadIncludesTotal,
        ipvsHashTakesLowBits: kernel.hashTakesLowBits,
        ipvsCacheGrowthCapped: kernel.cacheGrowthCapped,
      },
    });
    this.#connect();
  }

  /** The lines of the result. */
  run(): readonly string[] {
    let virtual: SchedVirtual | undefined;
    for (const operation of this.#operations) {
      switch (operation.kind) {
        case "open":
          this.#open(operation);
          break;
        case "close":
          this.#close(operation);
          break;
        case "sleep":
          this.#pass(operation.durationNs);
          break;
        default: {
          if (operation.kind === "service") virtual = operation.virtual;
          const message = virtual === undefined ? "" : this.#type(ipvsadmLine(operation, virtual, this.#replacement, this.#flagsOf(operation)));
          if (message !== "") this.#lines.push(`! ${operation.text}: ${message}`);
          this.#pass(COMMAND_NS);
        }
      }
    }
    return this.#lines;
  }

  /* ------------------------------------------------------------------------------------------------------- machines */

  #connect(): void {
    const { host } = this.#director;
    const front = this.#link("front");
    const back = this.#link("back");
    const clientDevice = plug(this.#clients, "e0", front, 1);
    const frontDevice = plug(host, "e0", front, 2);
    const backDevice = plug(host, "e1", back, 3);
    const serverDevice = plug(this.#servers, "e0", back, 4);
    addAddress(host, frontDevice, FRONT_GATEWAY, PREFIX_LENGTH);
    addAddress(host, backDevice, BACK_GATEWAY, PREFIX_LENGTH);
    host.fib.add(fibEntry({ network: VIRTUAL, prefixLength: PREFIX_LENGTH, table: TABLE_LOCAL, type: "local", scope: SCOPE_HOST, device: host.devices.loopback }), "add");
    this.#type(DIRECTOR_SETUP);
    const ends = this.#operations.flatMap((operation) => (operation.kind === "open" ? [operation] : []));
    this.#place(this.#clients, clientDevice, frontDevice, FRONT, FRONT_GATEWAY, new Set(ends.map(({ from }) => from.address)));
    const added = this.#operations.flatMap((operation) => (operation.kind === "add" ? [operation.server] : []));
    this.#place(this.#servers, serverDevice, backDevice, BACK, BACK_GATEWAY, new Set(added.map(({ address }) => address)));
    for (const { to } of ends) {
      if (isInPrefix(to.address, VIRTUAL, PREFIX_LENGTH)) continue;
      host.fib.add(fibEntry({ network: to.address, prefixLength: 32, table: TABLE_LOCAL, type: "local", scope: SCOPE_HOST, device: host.devices.loopback }), "add");
    }
    for (const port of new Set(added.map((server) => server.port))) if (port !== 0) this.#listen(port);
  }

  /** Gives a machine the addresses of one side, and the director the way to those outside the side's network. What no host can have is left out. */
  #place(host: Host, device: NetDevice, directorDevice: NetDevice, network: number, gateway: number, addresses: ReadonlySet<number>): void {
    addAddress(host, device, gateway - 1, PREFIX_LENGTH);
    for (const address of addresses) {
      const isInside = isInPrefix(address, network, PREFIX_LENGTH);
      addAddress(host, device, address, isInside ? PREFIX_LENGTH : 32);
      if (!isInside) this.#director.host.fib.add(fibEntry({ network: address, prefixLength: 32, scope: SCOPE_LINK, device: directorDevice }), "add");
    }
    host.fib.add(fibEntry({ network: 0, prefixLength: 0, gateway }), "add");
  }

  #link(name: string): Switch {
    return new Switch({ name, loop: this.#loop, trace: this.#trace, random: this.#random.stream(`link/${name}`) });
  }

  #listen(port: number): void {
    this.#servers.tcp.listen({ address: 0, port, backlog: BACKLOG }, (socket) => {
      const peer = endText(socket.remoteAddress, socket.remotePort);
      this.#accepted.set(peer, endText(socket.localAddress, socket.localPort));
      return {
        onEnd: () => {
          this.#accepted.delete(peer);
          socket.close();
        },
        onError: () => {
          this.#accepted.delete(peer);
        },
      };
    });
  }

  /* ----------------------------------------------------------------------------------------------------- operations */

  /** Runs a command on the director; what it prints. */
  #type(line: string): string {
    const running = runScript(this.#director, line);
    while (running.exit === undefined && this.#loop.step());
    return `${running.stdout}${running.stderr}`.trim();
  }

  /** Flags that the script gives and its service's scheduler heeds: a replacement is spared those of the other one. */
  #flagsOf(operation: SchedCommand): readonly string[] {
    if (operation.kind !== "service") return [];
    const replacement = this.#replacement;
    if (replacement === undefined) return operation.flags;
    const known = this.#director.ipvs.schedulerFlags(replacement);
    return operation.flags.filter((flag) => flag.startsWith("flag-") || known.includes(flag));
  }

  /** A name opened again lets go of its former connection. */
  #open({ name, from, to }: SchedOpen): void {
    const startNs = this.#loop.nowNs;
    const peer = endText(from.address, from.port);
    let outcome: "open" | "failed" | undefined;
    const socket = this.#clients.tcp.connect(
      { address: to.address, port: to.port, localAddress: from.address, localPort: from.port, reuseAddress: true },
      {
        onConnected: () => {
          outcome = "open";
        },
        onError: () => {
          outcome ??= "failed";
        },
      },
    );
    if (typeof socket === "string") {
      this.#lines.push(`${name} -`);
      return;
    }
    this.#waitFor(() => outcome !== undefined, startNs + CONNECT_TIMEOUT_NS);
    if (outcome !== "open") {
      socket.close();
      this.#lines.push(`${name} -`);
      this.#loop.runUntil(Math.max(this.#loop.nowNs, startNs + OPEN_NS));
      return;
    }
    socket.send(new Uint8Array([120]));
    this.#waitFor(() => this.#accepted.has(peer), startNs + SERVER_TIMEOUT_NS);
    this.#lines.push(`${name} ${this.#accepted.get(peer) ?? "-"}`);
    const former = this.#sockets.get(name);
    this.#sockets.set(name, { socket, peer });
    former?.socket.close();
    this.#loop.runUntil(Math.max(this.#loop.nowNs, startNs + OPEN_NS));
  }

  #close({ name }: SchedClose): void {
    const open = this.#sockets.get(name);
    if (open === undefined) return;
    const startNs = this.#loop.nowNs;
    this.#sockets.delete(name);
    open.socket.close();
    this.#waitFor(() => !this.#accepted.has(open.peer), startNs + SERVER_TIMEOUT_NS);
    this.#loop.runUntil(Math.max(this.#loop.nowNs, startNs + CLOSE_NS));
  }

  #waitFor(isDone: () => boolean, deadlineNs: number): void {
    const loop = this.#loop;
    for (;;) {
      if (isDone()) return;
      const nextNs = loop.nextTimeNs();
      if (nextNs === undefined || nextNs > deadlineNs) break;
      loop.step();
    }
    loop.runUntil(deadlineNs);
  }

  #pass(durationNs: number): void {
    this.#loop.runUntil(this.#loop.nowNs + durationNs);
  }
}

/** The ipvsadm command of an operation. */
function ipvsadmLine(operation: SchedCommand, virtual: SchedVirtual, replacement: string | undefined, flags: readonly string[]): string {
  const service = virtual.kind === "fwmark" ? ["-f", virtual.mark] : ["-t", virtual.endpoint.text];
  const words = ["ipvsadm"];
  switch (operation.kind) {
    case "service":
      words.push("-A", ...service, "-s", replacement ?? operation.scheduler);
      if (flags.length > 0) words.push("-b", flags.join(","));
      if (operation.persist !== undefined) words.push("-p", operation.persist);
      break;
    case "delete":
      words.push("-d", ...service, "-r", operation.server.text);
      break;
    default:
      words.push(operation.kind === "add" ? "-a" : "-e", ...service, "-r", operation.server.text, "-m", "-w", operation.weight);
      if (operation.upper !== undefined) words.push("-x", operation.upper);
      if (operation.lower !== undefined) words.push("-y", operation.lower);
  }
  return words.map((word) => `'${word.replace(/'/g, "'\\''")}'`).join(" ");
}

function plug(host: Host, name: string, link: Switch, number: number): NetDevice {
  const port = link.addPort();
  const device = host.devices.addEthernet({ name, mac: 0x020000000000 + number, mtu: 1500, port });
  port.connect(device);
  host.devices.setUp(device);
  return device;
}

function addAddress(host: Host, device: NetDevice, address: number, prefixLength: number): void {
  host.addresses.add(device, { address, peer: address, prefixLength, broadcast: 0, scope: SCOPE_GLOBAL, label: device.name, noPrefixRoute: false });
}

function endText(address: number, port: number): SchedEndpoint["text"] {
  return `${formatIpv4Address(address)}:${port}`;
}

function network(text: string): number {
  return parseIpv4Address(text) ?? 0;
}
