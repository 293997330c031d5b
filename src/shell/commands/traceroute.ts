/**
 * traceroute 2.1.2, the Debian package: traceroute.c (do_it, get_timeout, check_expired, print_probe).
 *
 * Sixteen probes are on their way at a time. Sending one takes the real program about a millisecond, which is why answers of near hops come
 * while later probes are still to be sent; the same is done here. Not modelled: --mtu, --back, extensions, IPv6.
 */

import { formatIpv4Address, parseIpv4Address } from "../../base/ipv4-address.ts";
import { NS_PER_MS, NS_PER_SECOND } from "../../base/time.ts";
import { isRouteError } from "../../host/host.ts";
import type { Command, CommandContext, Running } from "../command.ts";
import { errorText } from "../errno-text.ts";
import { hostNameOf, resolveHost } from "../names.ts";
import { Inbox } from "./inbox.ts";
import { CommandExit } from "./short-options.ts";
import { TRACEROUTE_HELP } from "./traceroute-help.ts";
import { parseTracerouteOptions, type TracerouteOptions } from "./traceroute-options.ts";
import { describeAddress, icmpMethod, Probe, type ProbeMethod, type ProbeSettings, tcpMethod, udpMethod } from "./traceroute-probe.ts";

const IP_HEADER_BYTES = 20;
const TRANSPORT_HEADER_BYTES = 8;
const DEFAULT_PACKET_BYTES = 60;
const SEND_COST_NS = NS_PER_MS;
/** Added to what was measured before it is multiplied (DEF_WAIT_PREC). */
const WAIT_PRECISION_NS = NS_PER_MS;
const INITIAL_TTLS = [64, 128, 255];

export const tracerouteCommand: Command = {
  path: "/usr/bin/traceroute",
  *run(context) {
    try {
      const options = parseTracerouteOptions(context.args);
      return yield* new TraceRun(context, options).run();
    } catch (error) {
      if (!(error instanceof CommandExit)) throw error;
      if (error.exit === 0 && error.text !== "") context.stdout.write(error.text);
      else context.stderr.write(error.text === "" ? TRACEROUTE_HELP : error.text);
      return error.exit;
    }
  },
};

class TraceRun {
  readonly #context: CommandContext;
  readonly #options: TracerouteOptions;
  readonly #inbox = new Inbox<never>();
  readonly #probes: Probe[];

  constructor(context: CommandContext, options: TracerouteOptions) {
    this.#context = context;
    this.#options = options;
    this.#probes = Array.from({ length: options.maxHops * options.queries }, (_, index) => new Probe(index));
  }

  *run(): Running<number> {
    const { stdout } = this.#context;
    const method = this.#prepare();
    this.#context.onExit(() => method.close());
    yield* this.#trace(method);
    stdout.write("\n");
    return 0;
  }

  #prepare(): ProbeMethod {
    const { machine, stdout, args } = this.#context;
    const options = this.#options;
    const destination = resolveHost(machine, options.host);
    if (destination === undefined) {
      const place = args.indexOf(options.host) + 1;
      throw new CommandExit(
        2,
        `${options.host}: Temporary failure in name resolution\nCannot handle "host" cmdline arg \`${options.host}' on position 1 (argc ${place})\n`,
      );
    }
    const source = options.source === undefined ? 0 : parseIpv4Address(options.source);
    if (source === undefined)
      throw new CommandExit(2, `${options.source}: Temporary failure in name resolution\nCannot handle \`-s' option with arg \`${options.source}'\n`);
    const minBytes = IP_HEADER_BYTES + (options.method === "tcp" ? 40 : TRANSPORT_HEADER_BYTES);
    const packetBytes = Math.max(minBytes, options.packetBytes ?? DEFAULT_PACKET_BYTES);
    stdout.write(`traceroute to ${options.host} (${formatIpv4Address(destination)}), ${options.maxHops} hops max, ${packetBytes} byte packets`);
    const device = options.device === undefined ? undefined : machine.host.devices.byName(options.device);
    if (options.device !== undefined && device === undefined) this.#die("setsockopt SO_BINDTODEVICE", "ENODEV");
    if (source !== 0 && machine.host.fib.addressType(source) !== "local") this.#die("bind", "EADDRNOTAVAIL");
    const settings: ProbeSettings = {
      host: machine.host,
      destination,
      source,
      device,
      dataBytes: packetBytes - IP_HEADER_BYTES - TRANSPORT_HEADER_BYTES,
      port: options.port === 0 ? undefined : options.port,
      tos: options.tos,
      mark: options.mark,
      dontFragment: options.dontFragment,
      wake: () => this.#inbox.wake(),
    };
    switch (options.method) {
      case "icmp":
        return icmpMethod(settings);
      case "tcp":
        return tcpMethod(settings);
      case "udp":
        return udpMethod(settings, true);
      case "default":
        return udpMethod(settings, false);
    }
  }

  #die(call: string, errno: string): never {
    throw new CommandExit(1, `\n${call}: ${errorText(errno)}\n`);
  }

  /* ---------------------------------------------------------------------------------------------------------------- loop */

  *#trace(method: ProbeMethod): Running<void> {
    const { loop } = this.#context.machine.host;
    const { queries, firstHop, simultaneous, sendWaitSeconds } = this.#options;
    const sendWaitNs = Math.round(sendWaitSeconds * NS_PER_SECOND);
    let start = (firstHop - 1) * queries;
    let end = this.#probes.length;
    let lastSentNs = Number.NEGATIVE_INFINITY;
    while (start < end) {
      let waiting = 0;
      let untilNs: number | undefined;
      for (let n = start; n < end; n++) {
        const probe = this.#probes[n] as Probe;
        if (n === start && !probe.isDone && probe.isSent) {
          const expiresAtNs = probe.sentAtNs + this.#timeoutNs(probe);
          if (expiresAtNs > loop.nowNs) untilNs = expiresAtNs;
          else this.#expire(probe);
        }
        if (probe.isDone) {
          if (n === start) {
            this.#print(probe);
            start++;
          }
          if (probe.isFinal) end = (Math.trunc(n / queries) + 1) * queries;
          continue;
        }
        if (!probe.isSent) {
          if (sendWaitNs > 0 && lastSentNs + sendWaitNs > loop.nowNs) {
            untilNs = lastSentNs + sendWaitNs;
            break;
          }
          this.#send(method, probe, Math.trunc(n / queries) + 1);
          lastSentNs = probe.sentAtNs;
          yield* this.#context.sleep(SEND_COST_NS);
        }
        untilNs ??= probe.sentAtNs + this.#timeoutNs(probe);
        if (++waiting >= simultaneous) break;
      }
      if (untilNs === undefined) continue;
      if (method.arrivals.isEmpty) yield* this.#inbox.wait(this.#context, untilNs);
      method.arrivals.handle();
    }
  }

  #send(method: ProbeMethod, probe: Probe, ttl: number): void {
    const { loop } = this.#context.machine.host;
    probe.sentAtNs = loop.nowNs;
    const failure = method.send(probe, ttl);
    if (failure === undefined) return;
    if (failure.errno === "EMSGSIZE") {
      probe.answered(loop.nowNs, undefined, 0);
      probe.error = `!F-${this.#localMtu()}`;
      probe.isFinal = true;
      return;
    }
    if (failure.call === "send" && failure.errno === "EHOSTUNREACH") return;
    this.#die(failure.call, failure.errno);
  }

  #localMtu(): number {
    const { machine } = this.#context;
    const route = machine.host.routing.output({ dst: resolveHost(machine, this.#options.host) ?? 0 });
    return isRouteError(route) ? 0 : route.mtu;
  }

  /** get_timeout: three times what the same hop took, ten times what a later one took, or all of -w. */
  #timeoutNs(probe: Probe): number {
    const { queries, waitSeconds, hereFactor, nearFactor } = this.#options;
    const maxNs = waitSeconds * NS_PER_SECOND;
    const scaled = (one: Probe, factor: number): number | undefined => {
      const tookNs = one.receivedAtNs - one.sentAtNs;
      return one.isDone && one.receivedAtNs >= 0 && tookNs > 0 ? Math.round(Math.min((tookNs + WAIT_PRECISION_NS) * factor, maxNs)) : undefined;
    };
    const hop = probe.index - (probe.index % queries);
    for (let n = hop; hereFactor > 0 && n < hop + queries; n++) {
      const value = scaled(this.#probes[n] as Probe, hereFactor);
      if (value !== undefined) return value;
    }
    for (let n = probe.index + 1; nearFactor > 0 && n < this.#probes.length; n++) {
      const later = this.#probes[n] as Probe;
      if (!later.isSent) break;
      const value = scaled(later, nearFactor);
      if (value !== undefined) return value;
    }
    return Math.round(maxNs);
  }

  /** check_expired: a host that cannot be reached may have answered only the later probes; then they count for this one. */
  #expire(probe: Probe): void {
    probe.isDone = true;
    const { queries } = this.#options;
    let hasFinalBefore = false;
    for (let n = probe.index - (probe.index % queries); n < probe.index; n++) {
      const before = this.#probes[n] as Probe;
      if (!before.isDone || !before.isFinal) return;
      hasFinalBefore = true;
    }
    const final = this.#nextAnswer(probe);
    if (final === undefined || !final.isFinal || final.error === "") return;
    const isSameHop = hasFinalBefore || (probe.index % queries) + (final.index - probe.index) < queries;
    if (!isSameHop && !this.#isHopOf(probe, final)) return;
    probe.sentAtNs = final.sentAtNs;
    probe.answered(final.receivedAtNs, final.from, final.receivedTtl);
    probe.error = final.error;
    probe.isFinal = true;
    final.isDone = false;
    final.isFinal = false;
    final.error = "";
    final.from = undefined;
    final.receivedAtNs = -1;
    // It is not sent again: for the rest of the run it counts as sent long ago.
    final.sentAtNs = 0;
  }

  #nextAnswer(probe: Probe): Probe | undefined {
    for (let n = probe.index + 1; n < this.#probes.length; n++) {
      const later = this.#probes[n] as Probe;
      if (!later.isSent) return undefined;
      if (later.isDone) return later;
    }
    return undefined;
  }

  /** Whether the final answer belongs to this hop: its sender answered before, or its TTL says so. */
  #isHopOf(probe: Probe, final: Probe): boolean {
    const { queries } = this.#options;
    const before = this.#probes.slice(0, probe.index).reverse();
    if (before.some((one) => one.from !== undefined && one.from === final.from)) return true;
    if (final.receivedTtl === 0) return false;
    let backHops = hopsOf(final.receivedTtl);
    const exceeded = before.find((one) => one.isDone && !one.isFinal && one.receivedTtl > 0 && hopsOf(one.receivedTtl) < backHops);
    if (exceeded !== undefined) backHops += Math.trunc(exceeded.index / queries) + 1 - hopsOf(exceeded.receivedTtl);
    return backHops <= Math.trunc(probe.index / queries) + 1;
  }

  /* --------------------------------------------------------------------------------------------------------------- output */

  #print(probe: Probe): void {
    const { queries, isNumeric } = this.#options;
    const position = probe.index % queries;
    let text = position === 0 ? `\n${String(Math.trunc(probe.index / queries) + 1).padStart(2)} ` : "";
    if (probe.from === undefined) {
      text += " *";
    } else if (probe.from !== this.#lastAddressOfHop(probe)) {
      text += ` ${describeAddress(probe.from, hostNameOf(this.#context.machine, probe.from), isNumeric)}`;
    }
    if (probe.receivedAtNs >= 0) {
      const us = Math.trunc((probe.receivedAtNs - probe.sentAtNs) / 1000);
      text += `  ${Math.trunc(us / 1000)}.${String(us % 1000).padStart(3, "0")} ms`;
    }
    if (probe.error !== "") text += ` ${probe.error}`;
    this.#context.stdout.write(text);
  }

  #lastAddressOfHop(probe: Probe): number | undefined {
    for (let n = probe.index - 1; n >= probe.index - (probe.index % this.#options.queries); n--) {
      const { from } = this.#probes[n] as Probe;
      if (from !== undefined) return from;
    }
    return undefined;
  }
}

/** ttl2hops: from the nearest usual initial TTL. */
function hopsOf(ttl: number): number {
  return (INITIAL_TTLS.find((initial) => ttl <= initial) ?? 255) - ttl + 1;
}
