/**
 * arping: iputils 20221126 arping.c. It talks frames, so neighbour tables learn from it only what ARP itself lets them learn.
 */

import { formatIpv4Address, type Ipv4Address, parseIpv4Address } from "../../base/ipv4-address.ts";
import { BROADCAST_MAC, formatMacAddress, isGroupMac, type MacAddress } from "../../base/mac-address.ts";
import { NS_PER_SECOND } from "../../base/time.ts";
import type { CaptureTap, NetDevice } from "../../host/device.ts";
import { isRouteError } from "../../host/host.ts";
import { ArpPacket, ETHERTYPE_ARP, EthernetFrame } from "../../wire/packet.ts";
import type { Command, CommandContext, Running } from "../command.ts";
import { errorText } from "../errno-text.ts";
import { resolveHost } from "../names.ts";
import { Inbox } from "./inbox.ts";
import { CommandExit, readShortOptions } from "./short-options.ts";

const INT_MAX = 2147483647;
const ARP_REQUEST = 1;
const ARP_REPLY = 2;

const USAGE = `
Usage:
  arping [options] <destination>

Options:
  -f            quit on first reply
  -q            be quiet
  -b            keep on broadcasting, do not unicast
  -D            duplicate address detection mode
  -U            unsolicited ARP mode, update your neighbours
  -A            ARP answer mode, update your neighbours
  -V            print version and exit
  -c <count>    how many packets to send
  -w <timeout>  how long to wait for a reply
  -i <interval> set interval between packets (default: 1 second)
  -I <device>   which ethernet device to use
  -s <source>   source ip address
  <destination> dns name or ip address

For more details see arping(8).
`;

const VERSION = "arping from iputils 20221126\nlibcap: yes, IDN: yes, NLS: no, error.h: yes, getrandom(): yes, __fpending(): yes\n";

interface ArpingOptions {
  destination: string;
  device: string | undefined;
  source: string | undefined;
  count: number;
  timeoutSeconds: number;
  intervalSeconds: number;
  isQuiet: boolean;
  quitsOnReply: boolean;
  keepsBroadcasting: boolean;
  detectsDuplicates: boolean;
  isUnsolicited: boolean;
  isAnswer: boolean;
}

interface HeardArp {
  readonly frame: EthernetFrame;
  readonly arp: ArpPacket;
  readonly timeNs: number;
}

export const arpingCommand: Command = {
  path: "/usr/bin/arping",
  *run(context) {
    try {
      return yield* new ArpingRun(context, parse(context.args)).run();
    } catch (error) {
      if (!(error instanceof CommandExit)) throw error;
      (error.exit === 0 ? context.stdout : context.stderr).write(error.text);
      return error.exit;
    }
  },
};

function parse(args: readonly string[]): ArpingOptions {
  const { options, operands } = readShortOptions(args, "h?bfDUAqc:w:i:s:I:V");
  const result: ArpingOptions = {
    destination: operands[0] ?? "",
    device: undefined,
    source: undefined,
    count: -1,
    timeoutSeconds: 0,
    intervalSeconds: 1,
    isQuiet: false,
    quitsOnReply: false,
    keepsBroadcasting: false,
    detectsDuplicates: false,
    isUnsolicited: false,
    isAnswer: false,
  };
  for (const option of options) {
    if (option.kind === "unknown") throw new CommandExit(2, (option.letter === "?" ? "" : `arping: invalid option -- '${option.letter}'\n`) + USAGE);
    if (option.kind === "no-value") throw new CommandExit(2, `arping: option requires an argument -- '${option.letter}'\n${USAGE}`);
    apply(result, option.letter, option.value);
  }
  if (operands.length !== 1) throw new CommandExit(2, USAGE);
  return result;
}

function apply(options: ArpingOptions, letter: string, value: string): void {
  switch (letter) {
    case "b":
      options.keepsBroadcasting = true;
      return;
    case "f":
      options.quitsOnReply = true;
      return;
    case "D":
      options.detectsDuplicates = true;
      options.quitsOnReply = true;
      return;
    case "U":
      options.isUnsolicited = true;
      return;
    case "A":
      options.isUnsolicited = true;
      options.isAnswer = true;
      return;
    case "q":
      options.isQuiet = true;
      return;
    case "c":
      options.count = integer(value, 1);
      return;
    case "w":
      options.timeoutSeconds = integer(value, 0);
      return;
    case "i":
      options.intervalSeconds = integer(value, 0);
      return;
    case "s":
      options.source = value;
      return;
    case "I":
      options.device = value;
      return;
    case "V":
      throw new CommandExit(0, VERSION);
    default:
      throw new CommandExit(2, USAGE);
  }
}

function integer(text: string, min: number): number {
  if (!/^\s*[+-]?\d+$/.test(text)) throw new CommandExit(1, `arping: invalid argument: '${text}'\n`);
  const value = Number(text);
  if (value < min || value > INT_MAX) throw new CommandExit(1, `arping: invalid argument: '${text}': out of range: ${min} <= value <= ${INT_MAX}\n`);
  return value;
}

class ArpingRun {
  readonly #context: CommandContext;
  readonly #options: ArpingOptions;
  readonly #inbox = new Inbox<HeardArp>();
  #isExiting = false;
  #destination: Ipv4Address = 0;
  #source: Ipv4Address = 0;
  #peerMac: MacAddress = BROADCAST_MAC;
  #lastSentNs = 0;
  #sent = 0;
  #broadcastsSent = 0;
  #received = 0;
  #broadcastsReceived = 0;
  #requestsReceived = 0;

  constructor(context: CommandContext, options: ArpingOptions) {
    this.#context = context;
    this.#options = options;
  }

  *run(): Running<number> {
    const { machine, stdout } = this.#context;
    const options = this.#options;
    const device = this.#chooseDevice();
    const destination = resolveHost(machine, options.destination);
    if (destination === undefined) throw new CommandExit(2, `arping: ${options.destination}: Temporary failure in name resolution\n`);
    this.#destination = destination;
    this.#chooseSource(device);
    if (!options.isQuiet) stdout.write(`ARPING ${formatIpv4Address(destination)} from ${formatIpv4Address(this.#source)} ${device.name}\n`);
    this.#listen(device);
    yield* this.#loop(device);
    return this.#finish();
  }

  /** Without -I it is the one that the route to the target leaves by. */
  #chooseDevice(): NetDevice {
    const { machine, stdout } = this.#context;
    const { devices, routing } = machine.host;
    const { device: name, isQuiet, detectsDuplicates, destination } = this.#options;
    if (name === undefined) {
      const route = routing.output({ dst: resolveHost(machine, destination) ?? 0 });
      if (isRouteError(route)) throw new CommandExit(1, "arping: NETLINK_ROUTE unexpected iov element\n");
      return route.device;
    }
    const device = devices.byName(name);
    if (device === undefined) throw new CommandExit(2, `arping: Device ${name} not available.\n`);
    const complaint = !device.isUp ? "is down" : device.isNoArp || device.kind === "loopback" ? "is not ARPable" : "";
    if (complaint === "") return device;
    if (!isQuiet) stdout.write(`Interface "${name}" ${complaint}\n`);
    throw new CommandExit(device.isUp && detectsDuplicates ? 0 : 2, "");
  }

  #chooseSource(device: NetDevice): void {
    const { host } = this.#context.machine;
    const { source, detectsDuplicates, isUnsolicited } = this.#options;
    if (source !== undefined) {
      const address = parseIpv4Address(source);
      if (address === undefined) throw new CommandExit(2, `arping: invalid source ${source}\n`);
      this.#source = address;
    } else if (!detectsDuplicates && isUnsolicited) {
      this.#source = this.#destination;
    }
    if (this.#source !== 0) {
      if (host.fib.addressType(this.#source) !== "local" && host.sysctl.read("net.ipv4.ip_nonlocal_bind") !== "1")
        throw new CommandExit(2, `arping: bind: ${errorText("EADDRNOTAVAIL")}\n`);
    } else if (!detectsDuplicates && source === undefined) {
      const route = host.routing.output({ dst: this.#destination, device });
      if (isRouteError(route)) throw new CommandExit(2, `arping: connect: ${errorText(route.errno)}\n`);
      this.#source = route.source;
    }
  }

  #listen(device: NetDevice): void {
    const { loop } = this.#context.machine.host;
    const tap: CaptureTap = (direction, _timeNs, what) => {
      if (direction === "in" && what instanceof EthernetFrame && what.payload instanceof ArpPacket)
        this.#inbox.push({ frame: what, arp: what.payload, timeNs: loop.nowNs });
    };
    device.taps.push(tap);
    this.#context.onExit(() => {
      const index = device.taps.indexOf(tap);
      if (index >= 0) device.taps.splice(index, 1);
    });
    const interrupt = (): void => {
      this.#isExiting = true;
      this.#inbox.wake();
    };
    this.#context.onSignal("INT", interrupt);
    this.#context.onSignal("QUIT", interrupt);
  }

  /** One probe at once, then one an interval; the loop ends an interval after the last. */
  *#loop(device: NetDevice): Running<void> {
    const { loop } = this.#context.machine.host;
    const { count, timeoutSeconds, intervalSeconds } = this.#options;
    const intervalNs = Math.max(intervalSeconds * NS_PER_SECOND, 1000);
    const deadlineNs = timeoutSeconds > 0 ? loop.nowNs + timeoutSeconds * NS_PER_SECOND : Number.MAX_SAFE_INTEGER;
    let nextNs = loop.nowNs + intervalNs;
    this.#send(device);
    for (;;) {
      yield* this.#inbox.wait(this.#context, Math.min(nextNs, deadlineNs));
      for (let heard = this.#inbox.take(); heard !== undefined; heard = this.#inbox.take()) if (this.#hear(device, heard)) return;
      if (this.#isExiting) return;
      // The timer of the probes goes off before that of -w.
      if (loop.nowNs >= nextNs) {
        if (count > 0 && this.#sent >= count) return;
        nextNs += intervalNs;
        this.#send(device);
      }
      if (loop.nowNs >= deadlineNs) return;
    }
  }

  #send(device: NetDevice): void {
    const { isAnswer } = this.#options;
    const targetMac = isAnswer ? device.mac : this.#peerMac;
    const arp = new ArpPacket(isAnswer ? ARP_REPLY : ARP_REQUEST, device.mac, this.#source, targetMac, this.#destination);
    device.driver.transmitFrame(device, new EthernetFrame(this.#peerMac, device.mac, ETHERTYPE_ARP, arp));
    this.#lastSentNs = this.#context.machine.host.loop.nowNs;
    this.#sent++;
    if (this.#peerMac === BROADCAST_MAC) this.#broadcastsSent++;
  }

  /** arping.c:recv_pack. True when nothing more need be waited for. */
  #hear(device: NetDevice, heard: HeardArp): boolean {
    const { arp, frame, timeNs } = heard;
    const { isQuiet, count, timeoutSeconds, quitsOnReply, keepsBroadcasting } = this.#options;
    const isUnicast = frame.dst === device.mac;
    if ((!isUnicast && !isGroupMac(frame.dst)) || !this.#isAnswer(device, arp)) return false;
    if (!isQuiet) {
      let text = `${isUnicast ? "Unicast" : "Broadcast"} ${arp.operation === ARP_REPLY ? "reply" : "request"} from ${formatIpv4Address(arp.senderIp)} [${formatMacAddress(arp.senderMac).toUpperCase()}] `;
      const isForOther = arp.targetIp !== this.#source;
      if (isForOther) text += `for ${formatIpv4Address(arp.targetIp)} `;
      if (arp.targetMac !== device.mac) text += `${isForOther ? "" : "for "}[${formatMacAddress(arp.targetMac).toUpperCase()}]`;
      const us = Math.trunc((timeNs - this.#lastSentNs) / 1000);
      this.#context.stdout.write(`${text} ${Math.trunc(us / 1000)}.${String(us % 1000).padStart(3, "0")}ms\n`);
    }
    this.#received++;
    if (timeoutSeconds > 0 && this.#received === count) return true;
    if (!isUnicast) this.#broadcastsReceived++;
    if (arp.operation === ARP_REQUEST) this.#requestsReceived++;
    if (quitsOnReply) return true;
    if (!keepsBroadcasting) this.#peerMac = arp.senderMac;
    return false;
  }

  #isAnswer(device: NetDevice, arp: ArpPacket): boolean {
    if (arp.senderIp !== this.#destination) return false;
    if (!this.#options.detectsDuplicates) return arp.targetIp === this.#source && arp.targetMac === device.mac;
    return arp.senderMac !== device.mac && (this.#source === 0 || arp.targetIp === this.#source);
  }

  #finish(): number {
    const { isQuiet, detectsDuplicates, isUnsolicited, count } = this.#options;
    if (!isQuiet) {
      let text = `Sent ${this.#sent} probes (${this.#broadcastsSent} broadcast(s))\nReceived ${this.#received} response(s)`;
      const details: string[] = [];
      if (this.#requestsReceived > 0) details.push(`${this.#requestsReceived} request(s)`);
      if (this.#broadcastsReceived > 0) details.push(`${this.#broadcastsReceived} broadcast(s)`);
      if (details.length > 0) text += ` (${details.join(", ")})`;
      this.#context.stdout.write(`${text}\n`);
    }
    if (detectsDuplicates) return this.#received > 0 ? 1 : 0;
    if (isUnsolicited) return 0;
    // With -c each probe wants its one answer: two that claim an address are a failure too.
    const isGood = count > 0 ? this.#received === this.#sent : this.#received > 0;
    return isGood ? 0 : 1;
  }
}
