/**
 * ping: iputils 20221126 ping/ping.c, ping/ping_common.c (main_loop, pinger, schedule_exit).
 *
 * Not modelled: IPv6, IP options (-R, -T), several hops.
 */

import { formatIpv4Address, type Ipv4Address, parseIpv4Address } from "../../base/ipv4-address.ts";
import { NS_PER_MS, NS_PER_SECOND } from "../../base/time.ts";
import type { NetDevice } from "../../host/device.ts";
import { type EchoSocket, isRouteError } from "../../host/host.ts";
import { routeConnect } from "../../host/route-connect.ts";
import { ICMP_ECHO_REPLY, ICMP_REDIRECT, IcmpMessage, type Ipv4Packet } from "../../wire/packet.ts";
import type { Command, CommandContext, Running } from "../command.ts";
import { errorText } from "../errno-text.ts";
import { hostNameOf, resolveHost } from "../names.ts";
import { icmpErrorText } from "./icmp-text.ts";
import { Inbox } from "./inbox.ts";
import { type PingOptions, parsePingOptions } from "./ping-options.ts";
import { formatTrip, PingStatistics } from "./ping-statistics.ts";
import { CommandExit } from "./short-options.ts";

const ICMP_HEADER_BYTES = 8;
const IP_HEADER_BYTES = 20;
/** A timestamp leads the data when there is room for one. */
const TIMEVAL_BYTES = 16;
/** Without an interval replies set the pace, but nobody is flooded faster than this. */
const MIN_INTERVAL_NS = 10 * NS_PER_MS;
/** More bytes than a packet can hold: sendmsg refuses them all the same, so that no buffer is needed for them. */
const DATA_BYTES_MAX = 65536;
const IP_LENGTH_MAX = 65535;
/** A process is not there at once when a packet comes: answers that come together are read together. */
const WAKE_UP_NS = 50_000;

interface Heard {
  readonly packet: Ipv4Packet;
  readonly icmp: IcmpMessage;
  readonly timeNs: number;
}

interface Target {
  readonly name: string;
  readonly address: Ipv4Address;
  readonly device: NetDevice | undefined;
  /** 0: the route decides for each packet. */
  readonly source: Ipv4Address;
}

export const pingCommand: Command = {
  path: "/usr/bin/ping",
  *run(context) {
    try {
      const options = parsePingOptions(context.args);
      if (options.warnings !== "") context.stderr.write(options.warnings);
      return yield* new PingRun(context, options).run();
    } catch (error) {
      if (!(error instanceof CommandExit)) throw error;
      (error.exit === 0 ? context.stdout : context.stderr).write(error.text);
      return error.exit;
    }
  },
};

class PingRun {
  readonly #context: CommandContext;
  readonly #options: PingOptions;
  readonly #statistics = new PingStatistics();
  readonly #inbox = new Inbox<Heard>();
  readonly #sentAtNs = new Map<number, number>();
  #isNumeric: boolean;
  #isExiting = false;
  #hasStarted = false;
  #lastTokenNs = 0;
  #tokensNs = 0;
  #intervalMs: number;
  /** When to give up after the last request; undefined until that has been sent. */
  #exitAtNs: number | undefined = undefined;

  constructor(context: CommandContext, options: PingOptions) {
    this.#context = context;
    this.#options = options;
    this.#intervalMs = options.intervalMs;
    this.#isNumeric = options.isNumeric || parseIpv4Address(options.destination) !== undefined;
  }

  *run(): Running<number> {
    const context = this.#context;
    const options = this.#options;
    const { host } = context.machine;
    const target = this.#chooseTarget();
    const socket = host.icmp.openEcho((packet, icmp) => this.#inbox.push({ packet, icmp, timeNs: host.loop.nowNs }));
    context.onExit(() => socket.close());
    if (options.ttl === 0) throw new CommandExit(2, "ping: cannot set unicast time-to-live: Invalid argument\n");
    this.#printHead(target);
    const interrupt = (): void => {
      this.#isExiting = true;
      this.#inbox.wake();
    };
    context.onSignal("INT", interrupt);
    this.#statistics.startNs = host.loop.nowNs;
    this.#statistics.lastSentNs = host.loop.nowNs;
    const deadlineNs = options.deadline > 0 ? host.loop.nowNs + options.deadline * NS_PER_SECOND : Number.MAX_SAFE_INTEGER;
    yield* this.#loop(socket, target, deadlineNs);
    const isTimed = options.sizeBytes >= TIMEVAL_BYTES;
    context.stdout.write(this.#statistics.summary(target.name, isTimed, this.#intervalMs === 0 || options.isFlood || options.isAdaptive));
    const { received } = this.#statistics;
    return received === 0 || (options.deadline > 0 && received < options.count) ? 1 : 0;
  }

  /* --------------------------------------------------------------------------------------------------------------- target */

  #chooseTarget(): Target {
    const { destination, hasStickySource } = this.#options;
    const { machine } = this.#context;
    const { host } = machine;
    const address = resolveHost(machine, destination);
    if (address === undefined) throw new CommandExit(2, `ping: ${destination}: Temporary failure in name resolution\n`);
    const { device, source } = this.#bound();
    // A source address that is given is not looked for: nothing is connected, and what sending fails with stays unsaid.
    if (source !== 0) {
      this.#sourceText = formatIpv4Address(source);
      return { name: destination, address: address === 0 ? source : address, device, source };
    }
    const route = routeConnect(host.routing, { dst: address, src: source, device, mark: this.#options.mark, tos: this.#options.tos });
    const errno = isRouteError(route) ? route.errno : route.type === "broadcast" ? "EACCES" : undefined;
    if (errno === "EACCES") {
      if (!this.#options.mayBroadcast) throw new CommandExit(2, "ping: Do you want to ping broadcast? Then -b. If not, check your local firewall rules\n");
      this.#context.stderr.write("WARNING: pinging broadcast address\n");
    }
    if (errno !== undefined && isRouteError(route)) throw new CommandExit(2, `ping: connect: ${errorText(errno)}\n`);
    const chosen = isRouteError(route) ? 0 : route.source;
    this.#sourceText = formatIpv4Address(chosen);
    // It compares names as getifaddrs gives them: for an address with a label that is the label.
    if (device !== undefined && !device.addresses.some((one) => one.address === chosen && one.label === device.name)) {
      this.#context.stderr.write(`ping: Warning: source address might be selected on device other than: ${device.name}\n`);
    }
    const target = address === 0 ? chosen : address;
    return { name: destination, address: target, device, source: hasStickySource ? chosen : 0 };
  }

  #sourceText = "";

  #bound(): { device: NetDevice | undefined; source: Ipv4Address } {
    const { interfaceName, sourceAddress = 0 } = this.#options;
    const { host } = this.#context.machine;
    const device = interfaceName === undefined ? undefined : host.devices.byName(interfaceName);
    if (interfaceName !== undefined && device === undefined) throw new CommandExit(2, `ping: SO_BINDTODEVICE ${interfaceName}: No such device\n`);
    const isUsable = sourceAddress === 0 || host.fib.addressType(sourceAddress) === "local" || host.sysctl.read("net.ipv4.ip_nonlocal_bind") === "1";
    if (!isUsable) throw new CommandExit(2, "ping: bind: Cannot assign requested address\n");
    return { device, source: sourceAddress };
  }

  #printHead(target: Target): void {
    const { pattern, sizeBytes, interfaceName, sourceAddress, hasStickySource, isVerbose } = this.#options;
    const { stdout } = this.#context;
    if (pattern.length > 0) stdout.write(`PATTERN: 0x${pattern.map((byte) => byte.toString(16).padStart(2, "0")).join("")}\n`);
    if (isVerbose) {
      this.#context.stderr.write("ping: sock4.fd: 3 (socktype: SOCK_RAW), sock6.fd: 4 (socktype: SOCK_RAW), hints.ai_family: AF_UNSPEC\n\n");
      stdout.write(`ai->ai_family: AF_INET, ai->ai_canonname: '${target.name}'\n`);
    }
    let text = `PING ${target.name} (${formatIpv4Address(target.address)}) `;
    if (interfaceName !== undefined || sourceAddress !== undefined || hasStickySource) text += `from ${this.#sourceText} ${target.device?.name ?? ""}: `;
    stdout.write(`${text}${sizeBytes}(${sizeBytes + ICMP_HEADER_BYTES + IP_HEADER_BYTES}) bytes of data.\n`);
  }

  /* ----------------------------------------------------------------------------------------------------------------- loop */

  /** ping_common.c:main_loop */
  *#loop(socket: EchoSocket, target: Target, deadlineNs: number): Running<void> {
    const { loop } = this.#context.machine.host;
    for (;;) {
      if (this.#mayStop()) return;
      if (loop.nowNs >= deadlineNs || (this.#exitAtNs !== undefined && loop.nowNs >= this.#exitAtNs)) return;
      let nextNs = this.#sendDue(socket, target);
      while (nextNs <= 0) nextNs = this.#sendDue(socket, target);
      this.#scheduleExit();
      const untilNs = Math.min(loop.nowNs + nextNs, deadlineNs, this.#exitAtNs ?? Number.MAX_SAFE_INTEGER);
      yield* this.#inbox.wait(this.#context, untilNs);
      if (!this.#inbox.isEmpty) yield* this.#context.sleep(WAKE_UP_NS);
      for (let heard = this.#inbox.take(); heard !== undefined; heard = this.#inbox.take()) {
        this.#hear(heard);
        if (this.#statistics.inFlight === 0) break;
      }
    }
  }

  #mayStop(): boolean {
    const { count, deadline } = this.#options;
    const { received, errors } = this.#statistics;
    return this.#isExiting || (count > 0 && received + errors >= count) || (deadline > 0 && errors > 0);
  }

  #hasSentAll(): boolean {
    const { count, deadline } = this.#options;
    return count > 0 && this.#statistics.transmitted >= count && deadline === 0;
  }

  /** ping_common.c:schedule_exit: twice the longest time seen, or -W when nobody has answered yet. */
  #scheduleExit(): void {
    if (!this.#hasSentAll() || this.#exitAtNs !== undefined) return;
    const { lingerMs } = this.#options;
    const { received, maxUs } = this.#statistics;
    const waitNs = received > 0 ? Math.max(2 * maxUs * 1000, this.#intervalMs * NS_PER_MS) : lingerMs * NS_PER_MS;
    // A timer of length 0 never goes off: -W 0 waits for ever.
    this.#exitAtNs = waitNs > 0 ? this.#context.machine.host.loop.nowNs + waitNs : Number.MAX_SAFE_INTEGER;
  }

  /** ping_common.c:pinger: sends when a token is there; returns the time until the next. */
  #sendDue(socket: EchoSocket, target: Target): number {
    const { preload, reportsOutstanding, isFlood, isQuiet } = this.#options;
    const { nowNs } = this.#context.machine.host.loop;
    if (this.#hasSentAll()) return NS_PER_SECOND;
    const intervalNs = this.#intervalMs * NS_PER_MS;
    const statistics = this.#statistics;
    if (!this.#hasStarted) {
      this.#hasStarted = true;
      this.#tokensNs = intervalNs * (preload - 1);
    } else {
      const elapsedNs = nowNs - this.#lastTokenNs;
      if (intervalNs === 0 && elapsedNs < MIN_INTERVAL_NS && statistics.inFlight >= preload) return MIN_INTERVAL_NS - elapsedNs;
      const tokensNs = Math.min(elapsedNs + this.#tokensNs, intervalNs * preload);
      if (tokensNs < intervalNs) return intervalNs - tokensNs;
      this.#tokensNs = tokensNs - intervalNs;
    }
    this.#lastTokenNs = nowNs;
    statistics.lastSentNs = nowNs;
    if (reportsOutstanding && statistics.transmitted > 0 && !statistics.wasAnswered(statistics.transmitted)) {
      this.#print(`no answer yet for icmp_seq=${statistics.transmitted & 0xffff}\n`);
    }
    const errno = this.#send(socket, target);
    statistics.sent();
    if (errno === undefined && isFlood && !isQuiet) this.#context.stdout.write(".");
    if (errno === undefined) return intervalNs === 0 ? (statistics.inFlight >= preload ? MIN_INTERVAL_NS : 0) : intervalNs - this.#tokensNs;
    this.#tokensNs = 0;
    return Math.max(intervalNs, MIN_INTERVAL_NS);
  }

  #send(socket: EchoSocket, target: Target): string | undefined {
    const { host } = this.#context.machine;
    const { sizeBytes, ttl, tos, mark, mtuDiscovery } = this.#options;
    const sequence = (this.#statistics.transmitted + 1) & 0xffff;
    const isTooLong = sizeBytes + ICMP_HEADER_BYTES > IP_LENGTH_MAX;
    let errno: string | undefined = "EMSGSIZE";
    if (!isTooLong) {
      this.#sentAtNs.set(sequence, host.loop.nowNs);
      errno = socket.send({
        destination: target.address,
        sequence,
        payload: this.#payload(),
        source: target.source,
        device: target.device,
        tos,
        mark,
        ...(ttl === undefined ? {} : { ttl }),
        ...(mtuDiscovery === undefined || mtuDiscovery === "want" ? {} : { dontFragment: mtuDiscovery === "do" }),
      });
    }
    if (errno === undefined) return undefined;
    // Other errors it takes for ones that the error queue will tell about, and stays silent.
    if (errno === "EMSGSIZE" && !isTooLong) this.#reportTooLong(target);
    return errno;
  }

  #reportTooLong(target: Target): void {
    const { host } = this.#context.machine;
    this.#statistics.errors++;
    if (this.#options.isQuiet) return;
    if (this.#options.isFlood) {
      this.#context.stdout.write("E");
      return;
    }
    const route = host.routing.output({ dst: target.address, src: target.source, device: target.device, mark: this.#options.mark, tos: this.#options.tos });
    this.#context.stderr.write(`ping: local error: message too long, mtu=${isRouteError(route) ? IP_LENGTH_MAX : route.mtu}\n`);
  }

  #payload(): Uint8Array {
    const { sizeBytes, pattern } = this.#options;
    const bytes = new Uint8Array(Math.min(sizeBytes, DATA_BYTES_MAX));
    for (let i = 0; i < bytes.length; i++) bytes[i] = pattern.length > 0 ? (pattern[i % pattern.length] as number) : (i + ICMP_HEADER_BYTES) & 0xff;
    if (sizeBytes < TIMEVAL_BYTES) return bytes;
    const { machine } = this.#context;
    const us = Math.trunc(machine.host.loop.nowNs / 1000);
    putLittleEndian(bytes, 0, machine.epochSeconds + Math.trunc(us / 1_000_000));
    putLittleEndian(bytes, 8, us % 1_000_000);
    return bytes;
  }

  /* -------------------------------------------------------------------------------------------------------------- hearing */

  #hear(heard: Heard): void {
    const { icmp, packet } = heard;
    if (icmp.type === ICMP_ECHO_REPLY) {
      this.#reply(heard);
      return;
    }
    const echo = icmp.quoted?.payload;
    const sequence = echo instanceof IcmpMessage ? echo.rest & 0xffff : 0;
    const from = this.#nameOf(packet.src);
    if (icmp.type === ICMP_REDIRECT) {
      if (!this.#options.isQuiet) this.#print(`From ${from}: icmp_seq=${sequence} ${icmpErrorText(icmp)}\n`);
      return;
    }
    this.#statistics.acknowledge(sequence);
    this.#statistics.errors++;
    if (this.#options.isQuiet) return;
    if (this.#options.isFlood) this.#context.stdout.write("\bE");
    else this.#print(`From ${from} icmp_seq=${sequence} ${icmpErrorText(icmp)}\n`);
  }

  /** ping_common.c:gather_statistics */
  #reply(heard: Heard): void {
    const { packet, icmp, timeNs } = heard;
    const { sizeBytes, isQuiet, isAudible, isVerbose, isAdaptive, isFlood } = this.#options;
    const sequence = icmp.rest & 0xffff;
    const sentAtNs = this.#sentAtNs.get(sequence);
    const isTimed = sizeBytes >= TIMEVAL_BYTES && icmp.payload.length >= TIMEVAL_BYTES;
    const tripUs = isTimed ? Math.max(0, Math.trunc((timeNs - (sentAtNs ?? timeNs)) / 1000)) : undefined;
    const isDuplicate = this.#statistics.reply(sequence, tripUs);
    // ping_common.c:update_interval
    if (isAdaptive) this.#intervalMs = Math.trunc(((this.#statistics.smoothedUs ?? this.#intervalMs * 1000) + 500) / 1000);
    if (isFlood && !isQuiet) this.#context.stdout.write("\b \b");
    if (isQuiet || isFlood) return;
    let text = `${icmp.lengthBytes} bytes from ${this.#nameOf(packet.src)}: icmp_seq=${sequence}`;
    if (isVerbose) text += ` ident=${icmp.rest >>> 16}`;
    text += ` ttl=${packet.ttl}`;
    if (icmp.payload.length < sizeBytes) text += " (truncated)";
    else if (tripUs !== undefined) text += ` time=${formatTrip(tripUs)} ms`;
    if (isDuplicate) text += " (DUP!)";
    this.#print(`${isAudible ? "\x07" : ""}${text}\n`);
  }

  #nameOf(address: Ipv4Address): string {
    const text = formatIpv4Address(address);
    if (this.#isNumeric || this.#isExiting) return text;
    const name = hostNameOf(this.#context.machine, address);
    return name === undefined ? text : `${name} (${text})`;
  }

  #print(line: string): void {
    const { machine, stdout } = this.#context;
    let stamp = "";
    if (this.#options.hasTimestamps) {
      const us = Math.trunc(machine.host.loop.nowNs / 1000);
      stamp = `[${machine.epochSeconds + Math.trunc(us / 1_000_000)}.${String(us % 1_000_000).padStart(6, "0")}] `;
    }
    stdout.write(stamp + line);
  }
}

function putLittleEndian(bytes: Uint8Array, at: number, value: number): void {
  let rest = value;
  for (let i = 0; i < 8; i++) {
    bytes[at + i] = rest % 256;
    rest = Math.trunc(rest / 256);
  }
}
