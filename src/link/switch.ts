/**
 * A link: one learning switch with a cable to each interface.
 *
 *   interface ══ cable (half the latency) ══ switch ══ cable (the other half) ══ interface
 *
 * A port has carrier while it is up, its cable is whole and the switch has power. A partition is what a broken trunk inside the switch would be.
 *
 * Linux v6.1 net/bridge/br_input.c (br_handle_frame_finish), br_forward.c (br_flood: the port attached last comes first).
 * Not modelled: spanning tree, VLANs, multicast snooping.
 */

import { formatMacAddress, isGroupMac, type MacAddress } from "../base/mac-address.ts";
import { NS_PER_SECOND, NS_PER_US } from "../base/time.ts";
import type { EventLoop } from "../kernel/event-loop.ts";
import type { RandomStream } from "../kernel/random.ts";
import type { DropReason } from "../trace/events.ts";
import type { MacRow } from "../trace/rows.ts";
import type { TableSet } from "../trace/table-set.ts";
import type { Tracer } from "../trace/tracer.ts";
import type { EthernetFrame } from "../wire/packet.ts";
import { CableDirection, type CableEnd, type CableProperties } from "./cable.ts";
import { AGEING_TIME_NS, ForwardingDatabase, type ForwardingEntry } from "./forwarding-database.ts";
import type { NetemOptions } from "./netem.ts";
import type { FrameReceiver, LinkPort, LinkProperties } from "./port.ts";

export const DEFAULT_LINK_PROPERTIES: LinkProperties = { latencyNs: 10 * NS_PER_US, bandwidthBitsPerSecond: 1_000_000_000, lossPpm: 0, queueFrames: 1000 };

/** Counters of one link, for conservation checks: every frame in is delivered, dropped or still in flight. */
export interface LinkCounters {
  sent: number;
  /** Copies made beyond the first when a frame was flooded. */
  copied: number;
  delivered: number;
  dropped: number;
  /** Frames that a switch had no reason to send anywhere: no other port, or the target is behind the port that it came from. */
  filtered: number;
}

export class Switch {
  readonly name: string;
  readonly ports: SwitchPort[] = [];
  readonly counters: LinkCounters = { sent: 0, copied: 0, delivered: 0, dropped: 0, filtered: 0 };
  readonly loop: EventLoop;
  readonly trace: Tracer;
  readonly #properties: LinkProperties;
  readonly #random: RandomStream;
  readonly tables: TableSet;
  readonly #database = new ForwardingDatabase<SwitchPort>();
  #hasPower = true;
  /** Which part of a partitioned switch a port is in; undefined: the switch is whole. */
  #partOf: ReadonlyMap<SwitchPort, number> | undefined;

  constructor(options: { name: string; loop: EventLoop; trace: Tracer; random: RandomStream; properties?: Partial<LinkProperties> }) {
    this.name = options.name;
    this.loop = options.loop;
    this.trace = options.trace;
    this.#random = options.random;
    this.#properties = { ...DEFAULT_LINK_PROPERTIES, ...options.properties };
    this.tables = this.trace.tableSet(`link/${this.name}`);
    this.tables.register<ForwardingEntry<SwitchPort>>("macs", {
      objects: () => this.#database.entries(),
      keyOf: (entry) => formatMacAddress(entry.mac),
      rowOf: (entry) => (this.#database.has(entry) ? macRow(entry) : undefined),
      changing: (entry) => (this.#database.has(entry) ? { port: portText(entry), untilNs: macUntilNs(entry) } : undefined),
    });
  }

  /** Makes the next port. The interface is plugged in with `connect` once it exists. */
  addPort(): SwitchPort {
    const port = new SwitchPort(this, this.ports.length, this.#properties, this.#random);
    this.ports.push(port);
    return port;
  }

  /** The MAC table, aged entries left out. */
  get macTable(): readonly { readonly mac: MacAddress; readonly text: string; readonly port: SwitchPort; readonly ageNs: number }[] {
    const nowNs = this.loop.nowNs;
    return this.#database
      .entries()
      .filter((entry) => nowNs - entry.updatedNs < AGEING_TIME_NS)
      .map((entry) => ({ mac: entry.mac, text: formatMacAddress(entry.mac), port: entry.port, ageNs: nowNs - entry.updatedNs }));
  }

  /** Changes properties of every cable, now. */
  setProperties(change: Partial<LinkProperties>): void {
    for (const port of this.ports) port.setProperties(change);
  }

  get hasPower(): boolean {
    return this.#hasPower;
  }

  /** Without power every port is dark, and what was learnt is forgotten. */
  setPower(hasPower: boolean): void {
    if (this.#hasPower === hasPower) return;
    this.#hasPower = hasPower;
    for (const port of this.ports) port.carrierMayHaveChanged();
  }

  /** Frames cross only inside a group; ports in none are one more group. Without groups the switch is whole again. */
  partition(groups: readonly (readonly SwitchPort[])[]): void {
    if (groups.length === 0) {
      this.#partOf = undefined;
      return;
    }
    const parts = new Map<SwitchPort, number>();
    for (const [index, group] of groups.entries()) for (const port of group) parts.set(port, index + 1);
    this.#partOf = parts;
  }

  #isCut(from: SwitchPort, to: SwitchPort): boolean {
    const parts = this.#partOf;
    return parts !== undefined && (parts.get(from) ?? 0) !== (parts.get(to) ?? 0);
  }

  forward(frame: EthernetFrame, from: SwitchPort): void {
    const nowNs = this.loop.nowNs;
    this.#learn(frame.src, from, nowNs);
    const known = this.#lookup(frame.dst, from, nowNs);
    if (known !== undefined) {
      if (known === from || !known.isForwarding) this.counters.filtered++;
      else if (this.#isCut(from, known)) this.drop(frame, "LINK_PARTITION");
      else known.deliver(frame);
      return;
    }
    let copies = 0;
    for (let i = this.ports.length - 1; i >= 0; i--) {
      const port = this.ports[i] as SwitchPort;
      if (port === from || !port.isForwarding || this.#isCut(from, port)) continue;
      port.deliver(frame);
      copies++;
    }
    if (copies === 0) this.counters.filtered++;
    else this.counters.copied += copies - 1;
  }

  /** Nearly every frame of a port has the source of the one before. */
  #learn(mac: MacAddress, from: SwitchPort, nowNs: number): void {
    const latest = from.latestSource;
    if (latest !== undefined && latest.mac === mac && from.sourceGeneration === this.#database.generation) {
      latest.port = from;
      latest.updatedNs = nowNs;
    } else {
      if (isGroupMac(mac)) return;
      from.latestSource = this.#database.learn(mac, from, nowNs);
      from.sourceGeneration = this.#database.generation;
    }
    if (this.trace.hasTables && from.latestSource !== undefined) this.tables.touch("macs", from.latestSource);
  }

  /** Where to: a host's frames mostly go where the one before went. */
  #lookup(mac: MacAddress, from: SwitchPort, nowNs: number): SwitchPort | undefined {
    const { generation } = this.#database;
    let entry = from.latestDestination;
    if (entry === undefined || entry.mac !== mac || from.destinationGeneration !== generation) {
      if (isGroupMac(mac)) return undefined;
      entry = this.#database.find(mac);
      from.latestDestination = entry;
      from.destinationGeneration = generation;
    }
    return entry !== undefined && nowNs - entry.updatedNs < AGEING_TIME_NS ? entry.port : undefined;
  }

  forgetPort(port: SwitchPort): void {
    this.#database.forgetPort(port);
    if (this.trace.hasTables) this.tables.touchAll("macs");
  }

  drop(frame: EthernetFrame, reason: DropReason): void {
    this.counters.dropped++;
    if (this.trace.isOn) this.trace.emit({ kind: "frame-dropped", host: this.name, device: "", reason, frame, cause: frame.traceId });
  }
}

export class SwitchPort implements LinkPort {
  readonly index: number;
  /** Administrative state of the switch's side. */
  #isUp = true;
  #isCableWhole = true;
  #isInterfaceUp = true;
  /** What the interface was told last. */
  #hasCarrier = true;
  /** The switch's entries for the source and the destination of the latest frame, each valid in one generation of its database. */
  latestSource: ForwardingEntry<SwitchPort> | undefined = undefined;
  sourceGeneration = -1;
  latestDestination: ForwardingEntry<SwitchPort> | undefined = undefined;
  destinationGeneration = -1;
  readonly #switch: Switch;
  #receiver: FrameReceiver | undefined;
  readonly #toSwitch: CableDirection;
  readonly #toInterface: CableDirection;

  constructor(owner: Switch, index: number, properties: LinkProperties, random: RandomStream) {
    this.#switch = owner;
    this.index = index;
    const dropped = (frame: EthernetFrame, reason: DropReason) => owner.drop(frame, reason);
    const copied = () => {
      owner.counters.copied++;
    };
    const common = { loop: owner.loop, random, dropped, copied };
    this.#toSwitch = new CableDirection({ ...common, properties: halfOf(properties, Math.floor), end: new SwitchEnd(this) });
    this.#toInterface = new CableDirection({ ...common, properties: halfOf(properties, Math.ceil), end: new InterfaceEnd(this) });
  }

  get receiver(): FrameReceiver | undefined {
    return this.#receiver;
  }

  /** Nobody has taken it down; its cable or the switch's power may still be gone. */
  get isUp(): boolean {
    return this.#isUp;
  }

  get hasCarrier(): boolean {
    return this.#hasCarrier;
  }

  /** Frames leave by it: it has carrier, and the interface at its other end is up. */
  get isForwarding(): boolean {
    return this.#hasCarrier && this.#isInterfaceUp;
  }

  /** br_stp_disable_port: what was learnt on the port goes at once, so frames for it are flooded until it is heard again. */
  interfaceChanged(isUp: boolean): void {
    this.#isInterfaceUp = isUp;
    if (!isUp) this.#switch.forgetPort(this);
  }

  /** Plugs an interface in; undefined: nobody answers any more, and the switch forgets who did. */
  connect(receiver: FrameReceiver | undefined): void {
    this.#receiver = receiver;
    if (receiver === undefined) this.#switch.forgetPort(this);
  }

  transmit(frame: EthernetFrame): void {
    this.#switch.counters.sent++;
    if (this.#hasCarrier) this.#toSwitch.transmit(frame);
    else this.#switch.drop(frame, "LINK_DOWN");
  }

  deliver(frame: EthernetFrame): void {
    this.#toInterface.transmit(frame);
  }

  setUp(isUp: boolean): void {
    this.#isUp = isUp;
    this.carrierMayHaveChanged();
  }

  /** Cuts the cable or mends it. */
  setCable(isWhole: boolean): void {
    this.#isCableWhole = isWhole;
    this.carrierMayHaveChanged();
  }

  /** What the cable does to frames, by direction as the interface sees it; undefined: nothing. */
  impair(netem: NetemOptions | undefined, direction: "out" | "in", random: RandomStream): void {
    (direction === "out" ? this.#toSwitch : this.#toInterface).impair(netem, random);
  }

  carrierMayHaveChanged(): void {
    const hasCarrier = this.#isUp && this.#isCableWhole && this.#switch.hasPower;
    if (this.#hasCarrier === hasCarrier) return;
    this.#hasCarrier = hasCarrier;
    if (!hasCarrier) this.#switch.forgetPort(this);
    const { trace } = this.#switch;
    const receiver = this.#receiver;
    if (receiver === undefined) return;
    if (!trace.isOn) {
      receiver.carrierChanged(hasCarrier);
      return;
    }
    const id = trace.emit({ kind: "link", host: receiver.hostName, device: receiver.deviceName, state: hasCarrier ? "up" : "down", cause: 0 });
    const followed = trace.follow(id);
    receiver.carrierChanged(hasCarrier);
    trace.follow(followed);
  }

  setProperties(change: Partial<LinkProperties>): void {
    for (const [cable, round] of [[this.#toSwitch, Math.floor], [this.#toInterface, Math.ceil]] as const) {
      const properties = cable.properties;
      if (change.latencyNs !== undefined) properties.delayNs = round(change.latencyNs / 2);
      if (change.bandwidthBitsPerSecond !== undefined) properties.bandwidthBitsPerSecond = change.bandwidthBitsPerSecond;
      if (change.lossPpm !== undefined) properties.lossPpm = cable === this.#toSwitch ? change.lossPpm : 0;
      if (change.queueFrames !== undefined) properties.queueFrames = change.queueFrames;
    }
  }

  arriveAtSwitch(frame: EthernetFrame): void {
    if (this.#hasCarrier) this.#switch.forward(frame, this);
    else this.#switch.drop(frame, "LINK_DOWN");
  }

  arriveAtInterface(frame: EthernetFrame): void {
    const receiver = this.#receiver;
    if (!this.#hasCarrier || receiver === undefined) {
      this.#switch.drop(frame, "LINK_DOWN");
      return;
    }
    this.#switch.counters.delivered++;
    receiver.receiveFrame(frame);
  }
}

/** Its end is told by the second, so that not every frame changes the table. */
function macRow(entry: ForwardingEntry<SwitchPort>): MacRow {
  return { mac: formatMacAddress(entry.mac), port: portText(entry), untilNs: macUntilNs(entry) };
}

function portText({ port: { receiver } }: ForwardingEntry<SwitchPort>): string {
  return receiver === undefined ? "" : `${receiver.hostName}.${receiver.deviceName}`;
}

function macUntilNs({ updatedNs }: ForwardingEntry<SwitchPort>): number {
  return updatedNs - (updatedNs % NS_PER_SECOND) + AGEING_TIME_NS;
}

/** Where the cable of a port ends, on either side: objects, not closures, so that the call for each frame is one that the compiler knows. */
class SwitchEnd implements CableEnd {
  readonly #port: SwitchPort;

  constructor(port: SwitchPort) {
    this.#port = port;
  }

  arrive(frame: EthernetFrame): void {
    this.#port.arriveAtSwitch(frame);
  }
}

class InterfaceEnd implements CableEnd {
  readonly #port: SwitchPort;

  constructor(port: SwitchPort) {
    this.#port = port;
  }

  arrive(frame: EthernetFrame): void {
    this.#port.arriveAtInterface(frame);
  }
}

/** Each cable has half of the latency; loss is applied once, on the way to the switch. */
function halfOf(properties: LinkProperties, round: (value: number) => number): CableProperties {
  return {
    delayNs: round(properties.latencyNs / 2),
    bandwidthBitsPerSecond: properties.bandwidthBitsPerSecond,
    lossPpm: round === Math.floor ? properties.lossPpm : 0,
    queueFrames: properties.queueFrames,
  };
}
