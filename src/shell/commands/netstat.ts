/**
 * netstat: sockets, routes, interfaces and counters in the formats of net-tools 2.10.
 */

import { formatIpv4Address } from "../../base/ipv4-address.ts";
import { NS_PER_SECOND } from "../../base/time.ts";
import type { TcpSocket } from "../../host/host.ts";
import { serviceName } from "../../wire/service-names.ts";
import type { Command, CommandContext, Running } from "../command.ts";
import { membershipsOf } from "../memberships.ts";
import { hostNameOf } from "../names.ts";
import { procNetNetstat, procNetSnmp } from "../proc-mib.ts";
import { formatShort, nothingKnown, shownInterfaces } from "./ifconfig-format.ts";
import { formatStatistics, formatStatistics6 } from "./netstat-statistics.ts";
import { formatRouteTable } from "./route-format.ts";

const ADDRESS_WIDTH = 23;

interface NetstatOptions {
  isTcp: boolean;
  isUdp: boolean;
  isRaw: boolean;
  isUnix: boolean;
  isInet: boolean;
  isInet6: boolean;
  isAll: boolean;
  isListening: boolean;
  isNumeric: boolean;
  showsProgram: boolean;
  showsTimer: boolean;
  isExtended: boolean;
  isRoute: boolean;
  isInterfaces: boolean;
  isStatistics: boolean;
  isWide: boolean;
  showsGroups: boolean;
}

const LETTERS: Readonly<Record<string, keyof NetstatOptions>> = {
  t: "isTcp",
  u: "isUdp",
  w: "isRaw",
  x: "isUnix",
  a: "isAll",
  l: "isListening",
  n: "isNumeric",
  p: "showsProgram",
  o: "showsTimer",
  e: "isExtended",
  r: "isRoute",
  i: "isInterfaces",
  s: "isStatistics",
  W: "isWide",
  g: "showsGroups",
};
const WORDS: Readonly<Record<string, keyof NetstatOptions>> = {
  tcp: "isTcp",
  udp: "isUdp",
  raw: "isRaw",
  unix: "isUnix",
  inet: "isInet",
  all: "isAll",
  listening: "isListening",
  numeric: "isNumeric",
  "numeric-hosts": "isNumeric",
  "numeric-ports": "isNumeric",
  programs: "showsProgram",
  program: "showsProgram",
  timers: "showsTimer",
  extend: "isExtended",
  route: "isRoute",
  interfaces: "isInterfaces",
  statistics: "isStatistics",
  wide: "isWide",
  groups: "showsGroups",
};

const USAGE = `usage: netstat [-vWeenNcCF] [<Af>] -r         netstat {-V|--version|-h|--help}
       netstat [-vWnNcaeol] [<Socket> ...]
       netstat { [-vWeenNac] -i | [-cnNe] -M | -s [-6tuw] }

        -r, --route              display routing table
        -i, --interfaces         display interface table
        -g, --groups             display multicast group memberships
        -s, --statistics         display networking statistics (like SNMP)
        -M, --masquerade         display masqueraded connections

        -v, --verbose            be verbose
        -W, --wide               don't truncate IP addresses
        -n, --numeric            don't resolve names
        --numeric-hosts          don't resolve host names
        --numeric-ports          don't resolve port names
        --numeric-users          don't resolve user names
        -N, --symbolic           resolve hardware names
        -e, --extend             display other/more information
        -p, --programs           display PID/Program name for sockets
        -o, --timers             display timers
        -c, --continuous         continuous listing

        -l, --listening          display listening server sockets
        -a, --all                display all sockets (default: connected)
        -F, --fib                display Forwarding Information Base (default)
        -C, --cache              display routing cache instead of FIB
        -Z, --context            display SELinux security context for sockets

  <Socket>={-t|--tcp} {-u|--udp} {-U|--udplite} {-S|--sctp} {-w|--raw}
           {-x|--unix} --ax25 --ipx --netrom
  <AF>=Use '-6|-4' or '-A <af>' or '--<af>'; default: inet
  List of possible address families (which support routing):
    inet (DARPA Internet) inet6 (IPv6) ax25 (AMPR AX.25) 
    netrom (AMPR NET/ROM) rose (AMPR ROSE) ipx (Novell IPX) 
    ddp (Appletalk DDP) x25 (CCITT X.25) 
`;

const VERSION = `net-tools 2.10
Fred Baumgarten, Alan Cox, Bernd Eckenfels, Phil Blundell, Tuan Hoang, Brian Micek and others
+NEW_ADDRT +RTF_IRTT +RTF_REJECT +FW_MASQUERADE +I18N +SELINUX
AF: (inet) +UNIX +INET +INET6 +IPX +AX25 +NETROM +X25 +ATALK +ECONET +ROSE -BLUETOOTH
HW:  +ETHER +ARC +SLIP +PPP +TUNNEL -TR +AX25 +NETROM +X25 +FR +ROSE +ASH +SIT +FDDI +HIPPI +HDLC/LAPB +EUI64 
`;

function* run(context: CommandContext): Running<number> {
  const options: NetstatOptions = {
    isTcp: false,
    isUdp: false,
    isRaw: false,
    isUnix: false,
    isInet: false,
    isInet6: false,
    isAll: false,
    isListening: false,
    isNumeric: false,
    showsProgram: false,
    showsTimer: false,
    isExtended: false,
    isRoute: false,
    isInterfaces: false,
    isStatistics: false,
    isWide: false,
    showsGroups: false,
  };
  const early = parse(context, options);
  if (early !== undefined) return early;
  if (options.isInet6 && !options.isStatistics) {
    context.stderr.write("netstat: -6 is not supported by the simulated netstat\n");
    return 1;
  }
  if (options.isInterfaces) return yield* interfaces(context, options);
  if (options.showsGroups) return memberships(context);
  if (options.isRoute) return routes(context, options);
  if (options.isStatistics) return statistics(context, options);
  sockets(context, options);
  return 0;
}

/** The exit status when the command line already decides it. */
function parse(context: CommandContext, options: NetstatOptions): number | undefined {
  const words = [...context.args];
  for (let argument = words.shift(); argument !== undefined; argument = words.shift()) {
    if (argument === "-4" || argument === "--inet") {
      options.isInet = true;
      continue;
    }
    const family = /^(?:-([a-zB-Z0-9]*)A|--protocol(?:=|$))(.*)$/.exec(argument);
    if (family !== null) {
      if (family[1] !== undefined && family[1] !== "") words.unshift(`-${family[1]}`);
      const names = family[2] !== "" ? family[2] : words.splice(family[1] ? 1 : 0, 1)[0];
      if (names === undefined) {
        context.stderr.write(`netstat: option requires an argument -- 'A'\n${USAGE}`);
        return 3;
      }
      const unknown = names.split(",").find((name) => name !== "inet" && name !== "inet6");
      if (unknown !== undefined) {
        context.stderr.write(`Unknown address family \`${unknown}'.\n`);
        return 1;
      }
      options.isInet = true;
      continue;
    }
    if (argument.startsWith("--")) {
      const word = argument.slice(2);
      if (word === "help") {
        context.stderr.write(USAGE);
        return 0;
      }
      if (word === "version") {
        context.stdout.write(VERSION);
        return 0;
      }
      const key = WORDS[word];
      if (key === undefined) {
        context.stderr.write(`netstat: unrecognized option '${argument}'\n${USAGE}`);
        return 3;
      }
      options[key] = true;
      continue;
    }
    if (!argument.startsWith("-")) {
      context.stderr.write(USAGE);
      return 3;
    }
    for (const letter of argument.slice(1)) {
      const key = LETTERS[letter];
      if (key !== undefined) options[key] = true;
      else if (letter === "4") options.isInet = true;
      else if (letter === "6") options.isInet6 = true;
      else if (letter === "V") {
        context.stdout.write(VERSION);
        return 0;
      } else if (letter === "h") {
        context.stderr.write(USAGE);
        return 0;
      } else if ("vNF".includes(letter)) continue;
      else if ("cCMGSUAZ".includes(letter)) {
        context.stderr.write(`netstat: -${letter} is not supported by the simulated netstat\n`);
        return 1;
      } else {
        context.stderr.write(`netstat: invalid option -- '${letter}'\n${USAGE}`);
        return 3;
      }
    }
  }
  return undefined;
}

/* -------------------------------------------------------------------------------------------------------------- groups */

/** igmp_info: what /proc/net/igmp and igmp6 tell. */
function memberships(context: CommandContext): number {
  const { host } = context.machine;
  const devices = [...host.devices.list].sort((a, b) => a.index - b.index);
  const row = (name: string, users: number, group: string): string => `${name.padEnd(15)} ${String(users).padEnd(6)} ${group}\n`;
  let text = "IPv6/IPv4 Group Memberships\nInterface       RefCnt Group\n--------------- ------ ---------------------\n";
  for (const device of devices) for (const { group, users } of membershipsOf(host, device).inet) text += row(device.name, users, formatIpv4Address(group));
  for (const device of devices) for (const group of membershipsOf(host, device).inet6) text += row(device.name, 1, group);
  context.stdout.write(text);
  return 0;
}

/* ------------------------------------------------------------------------------------------------------------- sockets */

function sockets(context: CommandContext, options: NetstatOptions): void {
  const out = context.stdout;
  const isAny = options.isTcp || options.isUdp || options.isRaw || options.isUnix;
  const which = options.isListening ? "only servers" : options.isAll ? "servers and established" : "w/o servers";
  if (!isAny || options.isTcp || options.isUdp || options.isRaw) {
    out.write(`Active Internet connections (${which})\n`);
    out.write(
      `Proto Recv-Q Send-Q Local Address           Foreign Address         State      ${options.isExtended ? " User       Inode     " : ""}${options.showsProgram ? " PID/Program name    " : ""}${options.showsTimer ? " Timer" : ""}\n`,
    );
    if (!isAny || options.isTcp) tcpRows(context, options);
    if (!isAny || options.isUdp) udpRows(context, options);
  }
  if ((!isAny && !options.isInet) || options.isUnix) {
    out.write(
      `Active UNIX domain sockets (${which})\nProto RefCnt Flags       Type       State         I-Node  ${options.showsProgram ? " PID/Program name    " : ""} Path\n`,
    );
  }
}

function tcpRows(context: CommandContext, options: NetstatOptions): void {
  const { tcp } = context.machine.host;
  if (options.isListening || options.isAll) {
    for (const listener of tcp.listeners) {
      row(context, options, {
        protocol: "tcp",
        receiveQueue: listener.acceptQueueLength,
        sendQueue: 0,
        local: end(context, options, "tcp", listener.localAddress, listener.localPort),
        remote: end(context, options, "tcp", 0, 0),
        state: "LISTEN",
        owner: listener.owner,
        timer: "off (0.00/0/0)",
      });
    }
  }
  if (options.isListening && !options.isAll) return;
  for (const socket of tcp.sockets) {
    row(context, options, {
      protocol: "tcp",
      receiveQueue: socket.receiveQueueBytes,
      sendQueue: socket.sendQueueBytes,
      local: end(context, options, "tcp", socket.localAddress, socket.localPort),
      remote: end(context, options, "tcp", socket.remoteAddress, socket.remotePort),
      state: socket.state,
      owner: socket.state === "SYN_RECV" ? undefined : socket.owner,
      timer: timerText(context, socket),
    });
  }
}

function udpRows(context: CommandContext, options: NetstatOptions): void {
  for (const socket of context.machine.host.udp.sockets) {
    const isConnected = socket.remotePort !== 0;
    if (isConnected ? options.isListening && !options.isAll : !options.isListening && !options.isAll) continue;
    row(context, options, {
      protocol: "udp",
      receiveQueue: 0,
      sendQueue: 0,
      local: end(context, options, "udp", socket.localAddress, socket.localPort),
      remote: end(context, options, "udp", socket.remoteAddress, socket.remotePort),
      state: isConnected ? "ESTABLISHED" : "",
      owner: socket.owner,
      timer: "off (0.00/0/0)",
    });
  }
}

interface Row {
  readonly protocol: string;
  readonly receiveQueue: number;
  readonly sendQueue: number;
  readonly local: string;
  readonly remote: string;
  readonly state: string;
  readonly owner: { readonly pid: number; readonly name: string; readonly fd: number } | undefined;
  readonly timer: string;
}

function row(context: CommandContext, options: NetstatOptions, r: Row): void {
  let line = `${r.protocol.padEnd(4)}  ${String(r.receiveQueue).padStart(6)} ${String(r.sendQueue).padStart(6)} ${r.local.padEnd(ADDRESS_WIDTH)} ${r.remote.padEnd(ADDRESS_WIDTH)} ${r.state.padEnd(11)}`;
  if (options.isExtended)
    line += ` ${(options.isNumeric ? "0" : "root").padEnd(10)} ${String(r.owner === undefined ? 0 : r.owner.pid * 256 + r.owner.fd).padEnd(10)}`;
  if (options.showsProgram) line += ` ${(r.owner === undefined ? "-" : `${r.owner.pid}/${r.owner.name}`).slice(0, 20).padEnd(20)}`;
  if (options.showsTimer) line += ` ${r.timer}`;
  context.stdout.write(`${line}\n`);
}

/** `10.0.0.1:http`; a long name loses its end so that the port stays in the column. */
function end(context: CommandContext, options: NetstatOptions, protocol: "tcp" | "udp", address: number, port: number): string {
  const name = options.isNumeric || address === 0 ? undefined : hostNameOf(context.machine, address);
  const host = name ?? formatIpv4Address(address);
  const service = port === 0 ? "*" : options.isNumeric ? String(port) : (serviceName(port, protocol) ?? String(port));
  const room = ADDRESS_WIDTH - 1 - service.length;
  return `${options.isWide ? host : host.slice(0, Math.max(room, 1))}:${service}`;
}

function timerText(context: CommandContext, socket: TcpSocket): string {
  const timer = socket.timer;
  if (timer === undefined) return "off (0.00/0/0)";
  const left = Math.max(timer.expiresAtNs - context.machine.host.loop.nowNs, 0) / NS_PER_SECOND;
  return `${timer.name} (${left.toFixed(2)}/${timer.name === "probe" ? 0 : timer.retries}/${timer.name === "probe" ? timer.retries : 0})`;
}

/* ------------------------------------------------------------------------------------------------- routes and interfaces */

/** -e takes the columns of route(8), and twice those of both. */
function routes(context: CommandContext, options: NetstatOptions): number {
  const extensions = context.args.filter((word) => /^-[^-]/.test(word)).join("").split("e").length - 1;
  context.stdout.write(formatRouteTable(context.machine, extensions > 1 ? "full" : options.isExtended ? "usual" : "extended", options.isNumeric));
  return 0;
}

function* interfaces(context: CommandContext, options: NetstatOptions): Running<number> {
  context.stdout.write("Kernel Interface table\n");
  if (options.isExtended) return yield* context.spawn(options.isAll ? ["ifconfig", "-a"] : ["ifconfig"]);
  context.stdout.write("Iface             MTU    RX-OK RX-ERR RX-DRP RX-OVR    TX-OK TX-ERR TX-DRP TX-OVR Flg\n");
  for (const shown of shownInterfaces(context.machine.host, options.isAll)) {
    if (shown.device === undefined) {
      context.stderr.write(`${nothingKnown(shown.name)}missing interface information: No such device\n`);
      return 1;
    }
    context.stdout.write(formatShort(shown));
  }
  return 0;
}

/* ----------------------------------------------------------------------------------------------------------- statistics */

function statistics(context: CommandContext, options: NetstatOptions): number {
  if (options.isUnix) {
    context.stdout.write("netstat: No statistics support for specified address family: unix\n");
    return 1;
  }
  const { host } = context.machine;
  const snmp = procNetSnmp(host);
  context.stdout.write(options.isInet6 ? formatStatistics6(snmp, options) : formatStatistics([snmp, procNetNetstat(host)], options));
  return 0;
}

export const netstatCommand: Command = { path: "/usr/bin/netstat", run };
