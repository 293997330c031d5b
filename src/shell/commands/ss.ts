/**
 * ss: sockets in the columns of iproute2 6.1, as it prints them when its output is no terminal.
 *
 * iproute2 misc/ss.c. Sockets are TCP and UDP: there are no others in a simulated machine.
 */

import { formatIpv4Address, isInPrefix, parseIpv4Cidr } from "../../base/ipv4-address.ts";
import { NS_PER_SECOND } from "../../base/time.ts";
import type { SocketOwner, TcpSocket } from "../../host/host.ts";
import type { Command, CommandContext } from "../command.ts";
import { serviceName, servicePort } from "../../wire/service-names.ts";

const STATE_NAMES: Readonly<Record<string, string>> = {
  ESTABLISHED: "ESTAB",
  SYN_SENT: "SYN-SENT",
  SYN_RECV: "SYN-RECV",
  FIN_WAIT1: "FIN-WAIT-1",
  FIN_WAIT2: "FIN-WAIT-2",
  TIME_WAIT: "TIME-WAIT",
  CLOSE: "UNCONN",
  CLOSE_WAIT: "CLOSE-WAIT",
  LAST_ACK: "LAST-ACK",
  LISTEN: "LISTEN",
  CLOSING: "CLOSING",
};
const FILTER_STATES: Readonly<Record<string, readonly string[]>> = {
  established: ["ESTAB"],
  "syn-sent": ["SYN-SENT"],
  "syn-recv": ["SYN-RECV"],
  "fin-wait-1": ["FIN-WAIT-1"],
  "fin-wait-2": ["FIN-WAIT-2"],
  "time-wait": ["TIME-WAIT"],
  closed: ["UNCONN"],
  close: ["UNCONN"],
  unconnected: ["UNCONN"],
  "close-wait": ["CLOSE-WAIT"],
  "last-ack": ["LAST-ACK"],
  listening: ["LISTEN"],
  listen: ["LISTEN"],
  closing: ["CLOSING"],
  all: Object.values(STATE_NAMES),
  connected: Object.values(STATE_NAMES).filter((s) => s !== "LISTEN" && s !== "UNCONN"),
  synchronized: Object.values(STATE_NAMES).filter((s) => s !== "LISTEN" && s !== "UNCONN" && s !== "SYN-SENT"),
  bucket: ["SYN-RECV", "TIME-WAIT"],
  big: Object.values(STATE_NAMES).filter((s) => s !== "SYN-RECV" && s !== "TIME-WAIT"),
};
const DEFAULT_STATES: readonly string[] = Object.values(STATE_NAMES).filter((s) => s !== "LISTEN" && s !== "UNCONN" && s !== "TIME-WAIT" && s !== "SYN-RECV");

interface SsRow {
  readonly netid: "tcp" | "udp";
  readonly state: string;
  readonly receiveQueue: number;
  readonly sendQueue: number;
  readonly localAddress: number;
  /** What the socket is bound to (SO_BINDTODEVICE). */
  readonly localDevice?: string | undefined;
  readonly localPort: number;
  readonly remoteAddress: number;
  readonly remotePort: number;
  readonly owner: SocketOwner | undefined;
  readonly socket: TcpSocket | undefined;
}

interface SsOptions {
  isTcp: boolean;
  isUdp: boolean;
  isOther: boolean;
  /** Sockets of this family come in three types. */
  isUnix: boolean;
  isAll: boolean;
  isListening: boolean;
  isNumeric: boolean;
  showsProcess: boolean;
  showsTimer: boolean;
  showsInfo: boolean;
  isExtended: boolean;
  hidesHeader: boolean;
  isSummary: boolean;
  /** -f: sockets of other families than inet there are none. */
  family: string;
}

type SsSwitch = Exclude<keyof SsOptions, "family">;

const LETTERS: Readonly<Record<string, SsSwitch>> = {
  t: "isTcp",
  u: "isUdp",
  w: "isOther",
  x: "isUnix",
  a: "isAll",
  l: "isListening",
  n: "isNumeric",
  p: "showsProcess",
  o: "showsTimer",
  i: "showsInfo",
  e: "isExtended",
  H: "hidesHeader",
  s: "isSummary",
};
const WORDS: Readonly<Record<string, SsSwitch>> = {
  tcp: "isTcp",
  udp: "isUdp",
  raw: "isOther",
  unix: "isUnix",
  all: "isAll",
  listening: "isListening",
  numeric: "isNumeric",
  processes: "showsProcess",
  options: "showsTimer",
  info: "showsInfo",
  extended: "isExtended",
  "no-header": "hidesHeader",
  summary: "isSummary",
};
const USAGE_HEAD = "Usage: ss [ OPTIONS ]\n       ss [ OPTIONS ] [ FILTER ]\n";

type Filter = (row: SsRow) => boolean;

function run(context: CommandContext): number {
  const options: SsOptions = {
    isTcp: false,
    isUdp: false,
    isOther: false,
    isUnix: false,
    isAll: false,
    isListening: false,
    isNumeric: false,
    showsProcess: false,
    showsTimer: false,
    showsInfo: false,
    isExtended: false,
    hidesHeader: false,
    isSummary: false,
    family: "",
  };
  const words: string[] = [];
  for (let at = 0; at < context.args.length; at++) {
    const argument = context.args[at] as string;
    if (!argument.startsWith("-")) {
      words.push(argument);
      continue;
    }
    const chooser = CHOOSER.exec(argument);
    if (chooser !== null) {
      const [, letters = "", letter, word, equals, rest = ""] = chooser;
      if (letters !== "") parseLetters(context, options, `-${letters}`);
      const value = equals !== undefined || rest !== "" ? rest : context.args[++at];
      const error = choose(options, (letter ?? word) === "f" || word === "family" ? "family" : "query", value);
      if (error === undefined) continue;
      context.stderr.write(error);
      return help(context, 255);
    }
    const exit = argument.startsWith("--") ? parseWord(context, options, argument) : parseLetters(context, options, argument);
    if (exit !== undefined) return exit;
  }
  if (options.isSummary) return summary(context);
  const states = statesWanted(options, words);
  if (typeof states === "string") {
    context.stderr.write(states);
    return 255;
  }
  const filter = new FilterParser(words).parse();
  if (typeof filter === "string") {
    context.stderr.write(filter);
    return filter.startsWith("Error") ? 1 : 255;
  }
  const rows = allRows(context, options).filter((row) => states.includes(row.state) && filter(row));
  print(context, options, rows, states.length === 1);
  return 0;
}

function parseWord(context: CommandContext, options: SsOptions, argument: string): number | undefined {
  const word = argument.slice(2);
  if (word === "version") return version(context);
  if (word === "help") return help(context, 0);
  if (word === "ipv4") return undefined;
  const key = WORDS[word];
  if (key === undefined) {
    context.stderr.write(`ss: unrecognized option '${argument}'\n`);
    return help(context, 255);
  }
  options[key] = true;
  return undefined;
}

function parseLetters(context: CommandContext, options: SsOptions, argument: string): number | undefined {
  for (const letter of argument.slice(1)) {
    const key = LETTERS[letter];
    if (key !== undefined) options[key] = true;
    else if (letter === "V" || letter === "v") return version(context);
    else if (letter === "h") return help(context, 0);
    else if (letter === "4" || letter === "O" || letter === "m" || letter === "r") continue;
    else if ("06bBAdDEFfKMNPSTXZz".includes(letter)) {
      context.stderr.write(`ss: -${letter} is not supported by the simulated ss\n`);
      return 1;
    } else {
      context.stderr.write(`ss: invalid option -- '${letter}'\n`);
      return help(context, 255);
    }
  }
  return undefined;
}

/** -A and -f, with what they choose in the same word or the next; other letters may stand before them. */
const CHOOSER = /^-(?:([a-zA-Z0-9]*?)([Af])|-(query|socket|family)(=)?)(.*)$/;

/** An error text when it names none. What a simulated machine has no sockets of is shown empty. */
function choose(options: SsOptions, what: "family" | "query", value: string | undefined): string | undefined {
  if (value === undefined) return `ss: option requires an argument -- '${what === "family" ? "f" : "A"}'\n`;
  if (what === "family") {
    if (!/^(inet6?|link|unix|netlink|vsock|tipc|xdp)$/.test(value)) return `ss: "${value}" is invalid family\n`;
    options.family = value;
    return undefined;
  }
  for (const name of value.split(",")) {
    if (name === "tcp" || name === "all" || name === "inet") options.isTcp = true;
    if (name === "udp" || name === "all" || name === "inet") options.isUdp = true;
    if (name === "raw" || name === "all" || name === "inet") options.isOther = true;
    if (/^unix(_\w+)?$/.test(name) || name === "all") options.isUnix = true;
    if (!/^(all|inet|tcp|mptcp|udp|raw|unix|unix_dgram|unix_stream|unix_seqpacket|packet|packet_raw|packet_dgram|netlink|dccp|sctp|vsock_stream|vsock_dgram|tipc|xdp)$/.test(name))
      return `ss: "${name}" is illegal socket table id\n`;
  }
  return undefined;
}

function version(context: CommandContext): number {
  context.stdout.write("ss utility, iproute2-6.1.0, libbpf 1.1.2\n");
  return 0;
}

function help(context: CommandContext, exit: number): number {
  (exit === 0 ? context.stdout : context.stderr).write(USAGE_HEAD);
  return exit;
}

/** Takes `state NAME` and `exclude NAME` out of the filter words. */
function statesWanted(options: SsOptions, words: string[]): readonly string[] | string {
  let states: string[] | undefined;
  for (let i = 0; i < words.length; ) {
    const verb = words[i];
    if (verb !== "state" && verb !== "exclude") {
      i++;
      continue;
    }
    const name = (words[i + 1] ?? "").toLowerCase();
    const named = FILTER_STATES[name];
    if (named === undefined) return `ss: wrong state name: ${words[i + 1] ?? ""}\n`;
    if (verb === "state") states = [...(states ?? []), ...named];
    else states = (states ?? [...Object.values(STATE_NAMES)]).filter((state) => !named.includes(state));
    words.splice(i, 2);
  }
  if (states !== undefined) return [...new Set(states)];
  if (options.isAll) return Object.values(STATE_NAMES);
  if (options.isListening) return ["LISTEN", "UNCONN"];
  // Of UDP alone only connected sockets are shown, and then nobody needs the column.
  if (options.isUdp !== options.isOther && !options.isTcp && !options.isUnix) return ["ESTAB"];
  return DEFAULT_STATES;
}

function allRows(context: CommandContext, options: SsOptions): SsRow[] {
  const { tcp, udp } = context.machine.host;
  const isAny = options.isTcp || options.isUdp || options.isOther || options.isUnix;
  const rows: SsRow[] = [];
  if (options.family !== "" && options.family !== "inet") return rows;
  if (!isAny || options.isUdp) {
    for (const s of udp.sockets)
      rows.push({
        netid: "udp",
        state: s.remotePort === 0 ? "UNCONN" : "ESTAB",
        receiveQueue: 0,
        sendQueue: 0,
        localAddress: s.localAddress,
        localDevice: s.device?.name,
        localPort: s.localPort,
        remoteAddress: s.remoteAddress,
        remotePort: s.remotePort,
        owner: s.owner,
        socket: undefined,
      });
  }
  if (!isAny || options.isTcp) {
    for (const s of tcp.listeners)
      rows.push({
        netid: "tcp",
        state: "LISTEN",
        receiveQueue: s.acceptQueueLength,
        sendQueue: s.backlog,
        localAddress: s.localAddress,
        localPort: s.localPort,
        remoteAddress: 0,
        remotePort: 0,
        owner: s.owner,
        socket: undefined,
      });
    for (const s of tcp.sockets)
      rows.push({
        netid: "tcp",
        state: STATE_NAMES[s.state] ?? s.state,
        receiveQueue: s.receiveQueueBytes,
        sendQueue: s.sendQueueBytes,
        localAddress: s.localAddress,
        localPort: s.localPort,
        remoteAddress: s.remoteAddress,
        remotePort: s.remotePort,
        owner: s.state === "SYN_RECV" ? undefined : s.owner,
        socket: s,
      });
  }
  return rows;
}

const QUEUE_WIDTH = 6;

/** Columns as wide as their widest field: the header's, too. */
function print(context: CommandContext, options: SsOptions, rows: readonly SsRow[], isStateHidden: boolean): void {
  const isNetidShown = options.isUnix || [options.isTcp, options.isUdp, options.isOther].filter(Boolean).length !== 1;
  const header = ["Netid", "State", "Recv-Q", "Send-Q", "Local Address:", "Port", "Peer Address:", "Port", "Process"];
  const cells = rows.map((row) => fields(context, options, row));
  const isShown = header.map((_, i) => (i === 0 ? isNetidShown : i === 1 ? !isStateHidden : true));
  const delimiters = ["", " ", " ", " ", " ", "", " ", "", ""];
  const isRight = [false, false, false, false, true, false, true, false, false];
  const table = options.hidesHeader ? cells : [header, ...cells];
  // The queues are printed six wide, with a header or without.
  const widths = header.map((_, i) => Math.max(i === 2 || i === 3 ? QUEUE_WIDTH : 0, ...table.map((cell) => (cell[i] ?? "").split("\n")[0]?.length ?? 0)));
  for (const [n, cell] of table.entries()) {
    let line = "";
    let isFirst = true;
    for (let i = 0; i < header.length; i++) {
      if (isShown[i] !== true) continue;
      const text = cell[i] ?? "";
      const width = widths[i] ?? 0;
      line += (isFirst ? "" : (delimiters[i] ?? "")) + (isRight[i] === true ? text.padStart(width) : text.padEnd(width));
      isFirst = false;
    }
    context.stdout.write(`${line}\n`);
    const row = options.hidesHeader ? rows[n] : rows[n - 1];
    if (options.showsInfo && row !== undefined) context.stdout.write(`\t${info(row)}\n`);
  }
}

function fields(context: CommandContext, options: SsOptions, row: SsRow): string[] {
  const port = (value: number): string => (value === 0 ? "*" : options.isNumeric ? String(value) : (serviceName(value, row.netid) ?? String(value)));
  let extra = "";
  if (options.showsTimer && row.socket?.timer !== undefined) {
    const { name, expiresAtNs, retries } = row.socket.timer;
    extra += ` timer:(${name === "probe" ? "persist" : name},${shortTime(expiresAtNs - context.machine.host.loop.nowNs)},${retries})`;
  }
  if (options.showsProcess && row.owner !== undefined) extra += ` users:(("${row.owner.name}",pid=${row.owner.pid},fd=${row.owner.fd}))`;
  if (options.isExtended && row.owner !== undefined) extra += ` ino:${row.owner.pid * 256 + row.owner.fd} sk:1`;
  const remote = row.remotePort === 0 && row.remoteAddress === 0 ? "0.0.0.0" : formatIpv4Address(row.remoteAddress);
  return [
    row.netid,
    row.state,
    String(row.receiveQueue),
    String(row.sendQueue),
    `${formatIpv4Address(row.localAddress)}${row.localDevice === undefined ? "" : `%${row.localDevice}`}:`,
    port(row.localPort),
    `${remote}:`,
    port(row.remotePort),
    extra,
  ];
}

/** misc/ss.c:print_ms_timer. */
function shortTime(ns: number): string {
  const ms = Math.max(Math.trunc(ns / 1_000_000), 0);
  const minutes = Math.trunc(ms / 60000);
  const seconds = Math.trunc((ms % 60000) / 1000);
  const rest = ms % 1000;
  let text = "";
  if (minutes > 0) text += `${minutes}min`;
  if (seconds > 0) text += minutes > 0 || seconds >= 10 ? `${seconds}sec` : `${seconds}.`;
  if (minutes === 0 && seconds < 10) text += seconds > 0 ? `${String(rest).padStart(3, "0")}ms` : `${rest}ms`;
  return text;
}

function info(row: SsRow): string {
  if (row.socket === undefined) return row.netid === "tcp" ? " cubic cwnd:10" : "";
  if (row.state === "TIME-WAIT") return "";
  const conn = row.socket as unknown as Partial<{
    sndWscale: number;
    rcvWscale: number;
    mssCache: number;
    pmtuCookie: number;
    receiveMss: number;
    advertisedMss: number;
    congestion: { window: number };
    rtt: { smoothedNs: number; variationNs: number; rtoNs: number };
  }>;
  const rtt = conn.rtt;
  const ms = (ns: number): string => String(Math.trunc(ns / 1000) / 1000);
  return ` cubic wscale:${conn.sndWscale ?? 0},${conn.rcvWscale ?? 0} rto:${Math.trunc((rtt?.rtoNs ?? NS_PER_SECOND) / 1_000_000)} rtt:${ms(rtt?.smoothedNs ?? 0)}/${ms(rtt?.variationNs ?? 0)} mss:${conn.mssCache ?? 0} pmtu:${conn.pmtuCookie ?? 0} rcvmss:${conn.receiveMss ?? 0} advmss:${conn.advertisedMss ?? 0} cwnd:${conn.congestion?.window ?? 10}`;
}

function summary(context: CommandContext): number {
  const { tcp, udp } = context.machine.host;
  const count = (...states: string[]): number => tcp.sockets.filter((s) => states.includes(s.state)).length;
  const timeWaits = count("TIME_WAIT");
  const inUse = tcp.sockets.length - timeWaits - count("SYN_RECV") + tcp.listeners.length;
  const line = (name: string, total: number): string => `${name}\t  ${String(total).padEnd(9)} ${String(total).padEnd(9)} ${"0".padEnd(9)}\n`;
  context.stdout.write(
    `Total: ${inUse + udp.sockets.length}\nTCP:   ${inUse + timeWaits} (estab ${count("ESTABLISHED")}, closed ${timeWaits}, orphaned 0, timewait ${timeWaits})\n\nTransport Total     IP        IPv6\n${line("RAW", 0)}${line("UDP", udp.sockets.length)}${line("TCP", inUse)}${line("INET", inUse + udp.sockets.length)}${line("FRAG", 0)}\n`,
  );
  return 0;
}

/** `( dport = :80 or sport = :80 ) and dst 10.0.0.0/8`. */
class FilterParser {
  readonly #words: string[];
  #at = 0;
  #wrong = "";

  constructor(words: readonly string[]) {
    this.#words = words
      .join(" ")
      .replace(/([()!])(?!=)/g, " $1 ")
      .replace(/\s+(!=|==|<=|>=|=|<|>)\s+/g, " $1 ")
      .split(/\s+/)
      .filter((word) => word !== "");
  }

  /** The filter, or an error text. */
  parse(): Filter | string {
    if (this.#words.length === 0) return () => true;
    const filter = this.#or();
    if (this.#wrong !== "") return this.#wrong;
    if (filter === undefined || this.#at < this.#words.length) return `ss: bison bellows (while parsing filter): "syntax error!" Sorry.\n${USAGE_HEAD}`;
    return filter;
  }

  #or(): Filter | undefined {
    let left = this.#and();
    while (left !== undefined && (this.#peek() === "or" || this.#peek() === "||" || this.#peek() === "|")) {
      this.#at++;
      const right = this.#and();
      if (right === undefined) return undefined;
      const first = left;
      left = (row) => first(row) || right(row);
    }
    return left;
  }

  #and(): Filter | undefined {
    let left = this.#primary();
    while (left !== undefined) {
      const word = this.#peek();
      if (word === undefined || word === ")" || word === "or" || word === "||" || word === "|") break;
      if (word === "and" || word === "&&" || word === "&") this.#at++;
      const right = this.#primary();
      if (right === undefined) return undefined;
      const first = left;
      left = (row) => first(row) && right(row);
    }
    return left;
  }

  #primary(): Filter | undefined {
    const word = this.#next();
    if (word === "(") {
      const inner = this.#or();
      return this.#next() === ")" ? inner : undefined;
    }
    if (word === "not" || word === "!") {
      const inner = this.#primary();
      return inner === undefined ? undefined : (row) => !inner(row);
    }
    if (word === "sport" || word === "dport") return this.#port(word);
    if (word === "src" || word === "dst") return this.#address(word);
    return undefined;
  }

  #port(which: "sport" | "dport"): Filter | undefined {
    let operator = this.#next() ?? "";
    let value: string | undefined;
    if (/^(=|==|eq|!=|ne|neq|<|lt|>|gt|<=|le|>=|ge)$/.test(operator)) value = this.#next();
    else {
      value = operator;
      operator = "=";
    }
    const text = (value ?? "").replace(/^.*:/, "");
    const port = /^\d+$/.test(text) ? Number(text) : (servicePort(text, "tcp") ?? -1);
    if (port < 0) return undefined;
    const of = (row: SsRow): number => (which === "sport" ? row.localPort : row.remotePort);
    if (/^(=|==|eq)$/.test(operator)) return (row) => of(row) === port;
    if (/^(!=|ne|neq)$/.test(operator)) return (row) => of(row) !== port;
    if (/^(<|lt)$/.test(operator)) return (row) => of(row) < port;
    if (/^(>|gt)$/.test(operator)) return (row) => of(row) > port;
    if (/^(<=|le)$/.test(operator)) return (row) => of(row) <= port;
    return (row) => of(row) >= port;
  }

  #address(which: "src" | "dst"): Filter | undefined {
    let word = this.#next() ?? "";
    let isNegated = false;
    if (word === "=" || word === "==" || word === "!=") {
      isNegated = word === "!=";
      word = this.#next() ?? "";
    }
    const match = /^([^:]*)(?::(.*))?$/.exec(word);
    const text = match?.[1] ?? "";
    const cidr = text === "" || text === "*" ? { address: 0, prefixLength: 0 } : parseIpv4Cidr(text);
    if (cidr === undefined) {
      this.#wrong ||= `Error: an inet prefix is expected rather than "${text}".\nCannot parse dst/src address.\n`;
      return undefined;
    }
    const portText = match?.[2] ?? "";
    const port = portText === "" || portText === "*" ? undefined : /^\d+$/.test(portText) ? Number(portText) : servicePort(portText, "tcp");
    return (row) => {
      const address = which === "src" ? row.localAddress : row.remoteAddress;
      const isMatch =
        isInPrefix(address, cidr.address, cidr.prefixLength) && (port === undefined || (which === "src" ? row.localPort : row.remotePort) === port);
      return isMatch !== isNegated;
    };
  }

  #peek(): string | undefined {
    return this.#words[this.#at];
  }

  #next(): string | undefined {
    return this.#words[this.#at++];
  }
}

export const ssCommand: Command = { path: "/usr/bin/ss", run };
