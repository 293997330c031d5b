/**
 * Watches a soak while it runs, and holds three things against it that follow from how Linux and keepalived work, not from how they are simulated:
 *
 * - A director that has been told of a connection, or has scheduled it itself, does not answer its packets with a reset; and a master tells of a
 *   connection when its count of packets says so (net.ipv4.vs.sync_threshold), three seconds later at most.
 * - While both directors hear each other and their keepalived runs, one of them has the VIP, and only one, but for the time of an advertisement.
 * - A server that a director's checks must reach is in its table, one that they cannot reach is not, after the time that the checks take.
 * - Where the master repeats its gratuitous ARP (garp_master_refresh), no client that hears it goes on sending to somebody else. Without, Linux
 *   lets it: a neighbour entry that TCP confirms is believed for up to 45 s, and the client is stranded so long.
 *
 * What is true is looked up in the world every 50 ms (for tables 200 ms); what is undecided (an impaired cable, a stopped process) begins a new wait.
 */

import { formatIpv4Address, parseIpv4Address } from "../../src/base/ipv4-address.ts";
import { decodeSyncMessage, SYNC_INACTIVE, type SyncRecord } from "../../src/ipvs/sync-message.ts";
import { TCP_S_ESTABLISHED } from "../../src/ipvs/tcp-states.ts";
import type { ServiceKey } from "../../src/ipvs/ipvs.ts";
import { type Target, targetText } from "../../src/scenario/fault.ts";
import type { ScenarioRun } from "../../src/scenario/run-scenario.ts";
import type { Scenario } from "../../src/scenario/scenario-file.ts";
import type { FrameReceived, FrameSent, TraceEvent } from "../../src/trace/events.ts";
import { Ipv4Packet, TCP_ACK, TCP_FIN, TCP_RST, TCP_SYN, TcpSegment, UdpDatagram } from "../../src/wire/packet.ts";
import { FIRST_PORT, SERVERS, VIP } from "./random-faults.ts";

export const SAMPLE_NS = 50_000_000;
/** Tables change slowly: they are looked at every so many samples. */
const TABLE_SAMPLES = 4;
const DIRECTORS = ["d1", "d2"] as const;
type DirectorName = (typeof DIRECTORS)[number];
const SYNC_PORT = 8848;
const HTTP_PORT = 80;
/** How long a director remembers a connection that said SYN and no more (net/netfilter/ipvs/ip_vs_proto_tcp.c:tcp_timeouts). */
const SYN_RECV_NS = 60e9;
/** A record waits two seconds in its buffer, which is looked at once a second. */
const SYNC_LATENCY_NS = 3.2e9;
const VIP_ADDRESS = parseIpv4Address(VIP) as number;
const SERVICE: ServiceKey = { kind: "address", protocol: 6, address: VIP_ADDRESS, port: HTTP_PORT };
const SERVER_ADDRESSES = SERVERS.map((_, i) => parseIpv4Address(`10.0.0.${11 + i}`) as number);

/** What a director must know of a connection. */
interface Known {
  dest: number;
  /** Packets that came for it, and that went on: as long as these are equal they are what the kernel has counted. */
  received: number;
  forwarded: number;
  isEstablished: boolean;
  /** When a packet last went on. */
  lastNs: number;
  /** A FIN or RST was seen: the entry may end soon. */
  isClosing: boolean;
  /** The other director told of it, and nothing has come for it since. */
  isNews: boolean;
}

interface Duty {
  readonly sinceNs: number;
  /** The daemon that has to tell. */
  readonly daemon: unknown;
}

/** How long the checks of the configuration take, in nanoseconds. */
interface Timing {
  readonly advertNs: number;
  readonly upNs: number;
  readonly downNs: number;
  /** Between gratuitous ARPs; 0: not repeated. */
  readonly refreshNs: number;
}

/** Since when something is as it is. */
class Since<T> {
  value: T | undefined = undefined;
  sinceNs = 0;

  /** How long it has been so. */
  see(value: T, nowNs: number): number {
    if (this.value !== value) {
      this.value = value;
      this.sinceNs = nowNs;
    }
    return nowNs - this.sinceNs;
  }
}

type Reach = "good" | "bad" | "unknown";

export interface SoakCounts {
  /** Samples in which the pair was looked at with both ends sure, and servers whose place in a table was. */
  pairs: number;
  servers: number;
  /** Connections that a director had to tell of, and those that went on at a director that was told. */
  duties: number;
  takenOver: number;
}

export class SoakWatch {
  readonly wrong: string[] = [];
  /** Directors that rightly reset a connection, by the client's port. */
  readonly resets = new Map<number, Set<string>>();
  /** Servers that directors had for a connection, by the client's port. */
  readonly dests = new Map<number, Set<string>>();
  readonly counts: SoakCounts = { pairs: 0, servers: 0, duties: 0, takenOver: 0 };
  readonly #run: ScenarioRun;
  readonly #timing: Timing | undefined;
  readonly #known: Readonly<Record<DirectorName, Map<number, Known>>> = { d1: new Map(), d2: new Map() };
  readonly #duties: Readonly<Record<DirectorName, Map<number, Duty>>> = { d1: new Map(), d2: new Map() };
  readonly #reach = new Map<string, Since<string>>();
  readonly #link = new Since<string>();
  readonly #client = new Since<string>();
  readonly #strandedNs: number[] = [];
  readonly #impaired = new Set<string>();
  #samples = 0;
  #partOf: ReadonlyMap<string, number> = new Map();

  constructor(run: ScenarioRun, scenario: Scenario) {
    this.#run = run;
    this.#timing = timingOf(scenario);
    run.world.onBoot.push((name) => this.#reborn(name));
    for (const step of scenario.timeline) {
      if (step.verb !== "fault" || (step.fault.verb !== "impair" && step.fault.verb !== "partition")) continue;
      const { fault } = step;
      run.world.loop.at(run.world.loop.nowNs + step.atNs, { onEvent: () => (fault.verb === "impair" ? this.#impair(fault.target, fault.netem !== undefined) : this.#divide(fault.groups)) });
    }
  }

  #reborn(name: string): void {
    if (name !== "d1" && name !== "d2") return;
    this.#known[name].clear();
    this.#duties[name].clear();
  }

  #complain(text: string): void {
    const { world } = this.#run;
    if (this.wrong.length < 20) this.wrong.push(`at ${((world.loop.nowNs - world.originNs) / 1e9).toFixed(3)} s: ${text}`);
  }

  /* ------------------------------------------------------------------------------------------------- what the world is */

  #impair(target: Target, isImpaired: boolean): void {
    for (const name of target.kind === "link" ? this.#run.world.attachments.keys() : [targetText(target).split(".")[0] as string]) {
      if (isImpaired) this.#impaired.add(name);
      else this.#impaired.delete(name);
    }
  }

  #divide(groups: readonly (readonly Target[])[]): void {
    this.#partOf = new Map(groups.flatMap((group, i) => group.map((member) => [targetText(member), i + 1] as const)));
  }

  #hasCarrier(name: string): boolean {
    return this.#run.world.isRunning(name) && this.#run.world.attachments.get(name)?.[0]?.port.hasCarrier === true;
  }

  /** Between two hosts. */
  #path(a: string, b: string): Reach {
    if (!this.#hasCarrier(a) || !this.#hasCarrier(b) || (this.#partOf.get(a) ?? 0) !== (this.#partOf.get(b) ?? 0)) return "bad";
    return this.#impaired.has(a) || this.#impaired.has(b) ? "unknown" : "good";
  }

  /** The processes of a director's keepalived, or undefined when it does not run as it should. */
  #daemonOf(name: DirectorName): string | undefined {
    const { world } = this.#run;
    if (!world.isRunning(name)) return undefined;
    const processes = world.machine(name).processes.list.filter((one) => one.name.startsWith("keepalived") && one.isAlive);
    if (processes.length !== 3 || processes.some((one) => isStopped(one))) return undefined;
    return `${world.machine(name).bootedAtNs} ${processes.map((one) => one.pid).join(" ")}`;
  }

  #hasVip(name: DirectorName): boolean {
    return this.#run.world.machine(name).host.devices.list.some((device) => device.kind === "ether" && device.addresses.some(({ address }) => address === VIP_ADDRESS));
  }

  #reachOfServer(director: DirectorName, server: string): Reach {
    const path = this.#path(director, server);
    if (path === "bad") return "bad";
    const machine = this.#run.world.machine(server);
    const listener = machine.host.tcp.listeners.find((one) => one.localPort === HTTP_PORT);
    if (listener === undefined || listener.isJammed) return "bad";
    if (machine.processes.list.some((one) => isStopped(one))) return "unknown";
    return path;
  }

  /* ------------------------------------------------------------------------------------------------- every 50 ms */

  sample(): void {
    const { nowNs } = this.#run.world.loop;
    this.#sampleDuties(nowNs);
    if (this.#timing === undefined) return;
    this.#samplePair(nowNs, this.#timing);
    this.#sampleClient(nowNs, this.#timing);
    if (this.#samples++ % TABLE_SAMPLES === 0) for (const director of DIRECTORS) this.#sampleTable(director, nowNs, this.#timing);
  }

  #samplePair(nowNs: number, { advertNs }: Timing): void {
    const daemons = DIRECTORS.map((name) => this.#daemonOf(name));
    const isSure = this.#path("d1", "d2") === "good" && daemons.every((one) => one !== undefined);
    const holders = isSure ? DIRECTORS.filter((name) => this.#hasVip(name)) : [];
    const forNs = this.#link.see(isSure ? `${daemons.join(" ")}: ${holders.length}` : "", nowNs);
    if (!isSure) return;
    this.counts.pairs++;
    if (holders.length === 2 && forNs > advertNs + 2 * SAMPLE_NS) this.#complain(`both directors have had the VIP for ${forNs / 1e9} s, though they hear each other`);
    // Three intervals and the skew, which is less than one more.
    if (holders.length === 0 && forNs > 4 * advertNs + 2 * SAMPLE_NS) this.#complain(`no director has had the VIP for ${forNs / 1e9} s, though both run`);
  }

  /** Whom the client takes for the owner of the VIP. */
  #sampleClient(nowNs: number, { advertNs, refreshNs }: Timing): void {
    const { world } = this.#run;
    const device = world.attachments.get("client")?.[0]?.device;
    const entry = device === undefined ? undefined : world.machine("client").host.neighbours.lookup(device, VIP_ADDRESS);
    const believed = DIRECTORS.find((name) => entry !== undefined && world.attachments.get(name)?.[0]?.device.mac === entry.mac);
    const isStranded = believed !== undefined && !this.#hasVip(believed);
    if (isStranded) this.#strandedNs.push(nowNs);
    const master = DIRECTORS.find((name) => this.#hasVip(name) && this.#daemonOf(name) !== undefined && this.#path("client", name) === "good");
    const forNs = this.#client.see(isStranded && master !== undefined ? `${master} ${this.#daemonOf(master)}` : "", nowNs);
    if (refreshNs > 0 && isStranded && master !== undefined && forNs > refreshNs + 2 * advertNs + 2 * SAMPLE_NS)
      this.#complain(`the client has sent to ${believed} for ${forNs / 1e9} s, though ${master} has the VIP and says so`);
  }

  /** For how long the client sent to a director that did not have the VIP. */
  strandedNs(fromNs: number, toNs: number): number {
    return this.#strandedNs.filter((timeNs) => timeNs >= fromNs && timeNs <= toNs).length * SAMPLE_NS;
  }

  #sampleTable(director: DirectorName, nowNs: number, { upNs, downNs }: Timing): void {
    const daemon = this.#daemonOf(director);
    const dests = daemon === undefined ? [] : (this.#run.world.machine(director).ipvs.service(SERVICE)?.dests ?? []);
    for (const [i, server] of SERVERS.entries()) {
      const key = `${director} ${server}`;
      const since = this.#reach.get(key) ?? new Since<string>();
      this.#reach.set(key, since);
      const reach = daemon === undefined ? "unknown" : this.#reachOfServer(director, server);
      const forNs = since.see(`${daemon} ${reach}`, nowNs);
      if (reach === "unknown" || forNs <= (reach === "good" ? upNs : downNs)) continue;
      this.counts.servers++;
      const isListed = dests.some(({ address }) => address === SERVER_ADDRESSES[i]);
      if (isListed === (reach === "good")) continue;
      this.#complain(`${server} is ${isListed ? "" : "not "}in the table of ${director}, which ${reach === "good" ? "reaches" : "does not reach"} it for ${forNs / 1e9} s`);
      since.sinceNs = nowNs;
    }
  }

  /** Duties lapse with the daemon that had them, and with the cable. */
  #sampleDuties(nowNs: number): void {
    for (const director of DIRECTORS) {
      const { world } = this.#run;
      const isUp = this.#hasCarrier(director);
      const daemon = world.machine(director).ipvs.daemons.master;
      for (const [port, duty] of this.#duties[director]) {
        if (!isUp || duty.daemon !== daemon) this.#duties[director].delete(port);
        else if (nowNs - duty.sinceNs > SYNC_LATENCY_NS) {
          this.#duties[director].delete(port);
          this.#complain(`${director} has not told of the connection of port ${port}, which was due ${(nowNs - duty.sinceNs) / 1e9} s ago`);
        }
      }
    }
  }

  /* ------------------------------------------------------------------------------------------------- packets of directors */

  write(event: TraceEvent): void {
    if (event.kind === "scheduled") this.#scheduled(event.host as DirectorName, event.clientPort, event.chosen);
    if (event.kind !== "frame-sent" && event.kind !== "frame-received") return;
    const director = event.host;
    if (director !== "d1" && director !== "d2") return;
    const packet = event.frame.payload;
    if (!(packet instanceof Ipv4Packet) || packet.isFragment) return;
    const { payload } = packet;
    if (payload instanceof TcpSegment) {
      if (packet.dst === VIP_ADDRESS && isReader(payload.srcPort) && payload.dstPort === HTTP_PORT) this.#request(director, event, payload);
      else if (event.kind === "frame-sent" && packet.src === VIP_ADDRESS && (payload.flags & TCP_RST) !== 0) this.#reset(director, payload.dstPort, event.timeNs);
    } else if (payload instanceof UdpDatagram && payload.dstPort === SYNC_PORT && payload.payload instanceof Uint8Array) {
      for (const record of decodeSyncMessage(payload.payload)?.records ?? []) {
        if (event.kind === "frame-sent") this.#duties[director].delete(record.clientPort);
        else if (this.#run.world.machine(director).ipvs.daemons.backup !== undefined) this.#learn(director, record);
      }
    }
  }

  #scheduled(director: DirectorName, port: number, chosen: string | undefined): void {
    const dest = SERVER_ADDRESSES.find((address) => `${formatIpv4Address(address)}:${HTTP_PORT}` === chosen);
    if (dest === undefined) return;
    this.#noteDest(port, dest);
    // The packet that it is scheduled for has been received already.
    this.#known[director].set(port, { dest, received: 1, forwarded: 0, lastNs: this.#run.world.loop.nowNs, isEstablished: false, isClosing: false, isNews: false });
  }

  #noteDest(port: number, dest: number): void {
    const name = SERVERS[SERVER_ADDRESSES.indexOf(dest)];
    if (name !== undefined) this.dests.set(port, (this.dests.get(port) ?? new Set()).add(name));
  }

  #request(director: DirectorName, event: FrameReceived | FrameSent, segment: TcpSegment): void {
    const known = this.#known[director].get(segment.srcPort);
    if (known === undefined) return;
    if (event.kind === "frame-received") {
      if (event.frame.dst === this.#run.world.attachments.get(director)?.[0]?.device.mac) known.received++;
      return;
    }
    known.forwarded++;
    known.lastNs = event.timeNs;
    if (known.isNews) this.counts.takenOver++;
    known.isNews = false;
    const { flags } = segment;
    if ((flags & (TCP_FIN | TCP_RST)) !== 0) known.isClosing = true;
    else if ((flags & TCP_SYN) === 0 && (flags & TCP_ACK) !== 0) known.isEstablished = true;
    if (!known.isEstablished || known.isClosing || known.received !== known.forwarded) return;
    const { ipvs, host } = this.#run.world.machine(director);
    const [counter = 0, period = 0] = (host.sysctl.read("net.ipv4.vs.sync_threshold") ?? "").split(/\s+/).map(Number);
    if (ipvs.daemons.master === undefined || known.forwarded % period !== counter) return;
    this.counts.duties++;
    this.#duties[director].set(segment.srcPort, { sinceNs: event.timeNs, daemon: ipvs.daemons.master });
  }

  /** What came is late by nothing: it is a record of the entry as it is. */
  #learn(director: DirectorName, record: SyncRecord): void {
    const known = this.#known[director].get(record.clientPort);
    const isActive = (record.flags & SYNC_INACTIVE) === 0;
    if (known !== undefined && known.dest !== record.destAddress && !isActive) return;
    this.#noteDest(record.clientPort, record.destAddress);
    const counted = Number((this.#run.world.machine(director).host.sysctl.read("net.ipv4.vs.sync_threshold") ?? "").split(/\s+/)[0]);
    const isEstablished = record.state === TCP_S_ESTABLISHED;
    this.#known[director].set(record.clientPort, { dest: record.destAddress, received: counted, forwarded: counted, lastNs: this.#run.world.loop.nowNs, isEstablished, isClosing: !isEstablished, isNews: true });
  }

  #reset(director: DirectorName, port: number, timeNs: number): void {
    if (!isReader(port)) return;
    const known = this.#known[director].get(port);
    const hasLapsed = known !== undefined && !known.isEstablished && timeNs - known.lastNs >= SYN_RECV_NS;
    // Without a service nothing is forwarded at all.
    if (known === undefined || known.isClosing || hasLapsed || this.#run.world.machine(director).ipvs.service(SERVICE) === undefined)
      this.resets.set(port, (this.resets.get(port) ?? new Set()).add(director));
    else this.#complain(`${director} resets the connection of port ${port}, though it knows of it (${formatIpv4Address(known.dest)})`);
  }
}

function isReader(port: number): boolean {
  return port >= FIRST_PORT && port < FIRST_PORT + 1000;
}

function isStopped(process: object): boolean {
  return "isStopped" in process && process.isStopped === true;
}

/** From the first director's keepalived.conf; undefined when it has none. */
function timingOf(scenario: Scenario): Timing | undefined {
  const text = scenario.hosts.find(({ name }) => name === "d1")?.files.find(({ path }) => path === "/etc/keepalived/keepalived.conf")?.text;
  if (text === undefined) return undefined;
  const seconds = (word: string): number => Number(new RegExp(`\\b${word} ([\\d.]+)`).exec(text)?.[1] ?? 0);
  const [loop, connect, retries, pause, warmup] = [seconds("delay_loop"), seconds("connect_timeout"), seconds("retry"), seconds("delay_before_retry"), seconds("warmup")];
  // A check that has begun too early fails; the one after it may wait for a neighbour that is asked once a second. Half a second: what is in flight.
  const up = warmup + 2 * (connect + loop) + 0.5;
  const down = warmup + loop + (retries + 1) * connect + retries * pause + 0.5;
  return { advertNs: seconds("advert_int") * 1e9, upNs: up * 1e9, downNs: down * 1e9, refreshNs: seconds("garp_master_refresh") * 1e9 };
}
