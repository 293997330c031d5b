/**
 * nc's command line and what it prints about itself.
 *
 * netcat-openbsd 1.219 (Debian) netcat.c:main, build_ports.
 */

import { NS_PER_SECOND } from "../../base/time.ts";
import { servicePort } from "../../wire/service-names.ts";

export interface NcOptions {
  listens: boolean;
  isUdp: boolean;
  isScan: boolean;
  isVerbose: boolean;
  isNumeric: boolean;
  staysOpen: boolean;
  ignoresInput: boolean;
  sendsCrLf: boolean;
  /** -N: FIN at the end of the input. */
  shutsDown: boolean;
  /** -q: seconds to wait after the end of the input; undefined: for ever. */
  quitNs: number | undefined;
  timeoutNs: number | undefined;
  intervalNs: number | undefined;
  receiveLimit: number;
  source: string | undefined;
  localPort: number;
  host: string | undefined;
  ports: number[];
}

export type NcResult = { readonly kind: "run"; readonly options: NcOptions } | { readonly kind: "error"; readonly text: string } | { readonly kind: "help" };

export const NC_USAGE = `usage: nc [-46CDdFhklNnrStUuvZz] [-I length] [-i interval] [-M ttl]
	  [-m minttl] [-O length] [-P proxy_username] [-p source_port]
	  [-q seconds] [-s sourceaddr] [-T keyword] [-V rtable] [-W recvlimit]
	  [-w timeout] [-X proxy_protocol] [-x proxy_address[:port]]
	  [destination] [port]
`;

export const NC_HELP = `OpenBSD netcat (Debian patchlevel 1.219-1)
${NC_USAGE}	Command Summary:
		-4		Use IPv4
		-6		Use IPv6
		-b		Allow broadcast
		-C		Send CRLF as line-ending
		-D		Enable the debug socket option
		-d		Detach from stdin
		-F		Pass socket fd
		-h		This help text
		-I length	TCP receive buffer length
		-i interval	Delay interval for lines sent, ports scanned
		-k		Keep inbound sockets open for multiple connects
		-l		Listen mode, for inbound connects
		-M ttl		Outgoing TTL / Hop Limit
		-m minttl	Minimum incoming TTL / Hop Limit
		-N		Shutdown the network socket after EOF on stdin
		-n		Suppress name/port resolutions
		-O length	TCP send buffer length
		-P proxyuser	Username for proxy authentication
		-p port		Specify local port for remote connects
		-q secs		quit after EOF on stdin and delay of secs
		-r		Randomize remote ports
		-S		Enable the TCP MD5 signature option
		-s sourceaddr	Local source address
		-T keyword	TOS value
		-t		Answer TELNET negotiation
		-U		Use UNIX domain socket
		-u		UDP mode
		-V rtable	Specify alternate routing table
		-v		Verbose
		-W recvlimit	Terminate after receiving a number of packets
		-w timeout	Timeout for connects and final net reads
		-X proto	Proxy protocol: "4", "5" (SOCKS) or "connect"
		-x addr[:port]	Specify proxy address and port
		-Z		DCCP mode
		-z		Zero-I/O mode [used for scanning]
	Port numbers can be individual or ranges: lo-hi [inclusive]
`;

const FLAGS: Readonly<Record<string, (options: NcOptions) => void>> = {
  "4": () => undefined,
  b: () => undefined,
  C: (o) => (o.sendsCrLf = true),
  D: () => undefined,
  d: (o) => (o.ignoresInput = true),
  k: (o) => (o.staysOpen = true),
  l: (o) => (o.listens = true),
  N: (o) => (o.shutsDown = true),
  n: (o) => (o.isNumeric = true),
  r: () => undefined,
  t: () => undefined,
  u: (o) => (o.isUdp = true),
  v: (o) => (o.isVerbose = true),
  z: (o) => (o.isScan = true),
};

const UNSUPPORTED_FLAGS = "6FSUZ";
const UNSUPPORTED_VALUES = "IMmOPTVXx";

export function parseNc(args: readonly string[]): NcResult {
  const options: NcOptions = {
    listens: false,
    isUdp: false,
    isScan: false,
    isVerbose: false,
    isNumeric: false,
    staysOpen: false,
    ignoresInput: false,
    sendsCrLf: false,
    shutsDown: false,
    quitNs: undefined,
    timeoutNs: undefined,
    intervalNs: undefined,
    receiveLimit: 0,
    source: undefined,
    localPort: 0,
    host: undefined,
    ports: [],
  };
  let portText: string | undefined;
  const words: string[] = [];
  for (let i = 0; i < args.length; i++) {
    const argument = args[i] ?? "";
    if (argument === "--") {
      words.push(...args.slice(i + 1));
      break;
    }
    if (!argument.startsWith("-") || argument === "-") {
      words.push(argument);
      continue;
    }
    for (let j = 1; j < argument.length; j++) {
      const letter = argument[j] ?? "";
      if (letter === "h") return { kind: "help" };
      const flag = FLAGS[letter];
      if (flag !== undefined) {
        flag(options);
        continue;
      }
      if (UNSUPPORTED_FLAGS.includes(letter)) return fail(`nc: -${letter} is not supported by the simulated nc\n`);
      if (!"iIMmOPpqsTVWwXx".includes(letter)) return fail(`nc: invalid option -- '${letter}'\n${NC_USAGE}`);
      const value = j + 1 < argument.length ? argument.slice(j + 1) : args[++i];
      if (value === undefined) return fail(`nc: option requires an argument -- '${letter}'\n${NC_USAGE}`);
      if (UNSUPPORTED_VALUES.includes(letter)) return fail(`nc: -${letter} is not supported by the simulated nc\n`);
      if (letter === "p") portText = value;
      else {
        const error = setValue(options, letter, value);
        if (error !== undefined) return fail(error);
      }
      break;
    }
  }
  return finish(options, words, portText);
}

function setValue(options: NcOptions, letter: string, value: string): string | undefined {
  const seconds = /^-?\d+$/.test(value) ? Number(value) : undefined;
  switch (letter) {
    case "w":
      if (seconds === undefined || seconds < 0) return `nc: timeout ${seconds === undefined ? "invalid" : "too small"}: ${value}\n`;
      options.timeoutNs = seconds * NS_PER_SECOND;
      return undefined;
    case "q":
      if (seconds === undefined) return `nc: quit timer invalid: ${value}\n`;
      // 0 sets no alarm: it only means -N.
      options.quitNs = seconds < 0 ? undefined : seconds * NS_PER_SECOND;
      if (seconds >= 0) options.shutsDown = true;
      return undefined;
    case "i":
      if (seconds === undefined || seconds < 0) return `nc: interval ${seconds === undefined ? "invalid" : "too small"}: ${value}\n`;
      options.intervalNs = seconds * NS_PER_SECOND;
      return undefined;
    case "W":
      if (seconds === undefined || seconds < 1) return `nc: receive limit ${seconds === undefined ? "invalid" : "too small"}: ${value}\n`;
      options.receiveLimit = seconds;
      return undefined;
    default:
      options.source = value;
      return undefined;
  }
}

function finish(options: NcOptions, words: readonly string[], portText: string | undefined): NcResult {
  if (options.listens) {
    if (portText !== undefined && words.length <= 1) {
      if (words.length === 1) return finishWords(options, words[0], portText);
      return finishWords(options, undefined, portText);
    }
    if (words.length === 1)
      return /^\d+$/.test(words[0] ?? "") || servicePort(words[0] ?? "", "tcp") !== undefined
        ? finishWords(options, undefined, words[0])
        : fail("nc: missing port number\n");
    if (words.length === 0) return fail("nc: missing port number\n");
    if (words.length === 2) return finishWords(options, words[0], words[1]);
    return fail(NC_USAGE);
  }
  if (options.staysOpen) return fail("nc: must use -l with -k\n");
  if (words.length === 0) return fail(NC_USAGE);
  if (words.length > 2) return fail(NC_USAGE);
  if (words.length === 1) return fail("nc: missing port number\n");
  if (portText !== undefined) {
    const local = portNumber(portText, options.isUdp);
    if (typeof local === "string") return fail(local);
    options.localPort = local;
  }
  return finishWords(options, words[0], words[1]);
}

function finishWords(options: NcOptions, host: string | undefined, portText: string | undefined): NcResult {
  options.host = host;
  const range = /^(\d+)-(\d+)$/.exec(portText ?? "");
  if (range !== null) {
    const low = Math.min(Number(range[1]), Number(range[2]));
    const high = Math.max(Number(range[1]), Number(range[2]));
    if (high > 65535) return fail(`nc: port number too large: ${high}\n`);
    for (let port = low; port <= high; port++) options.ports.push(port);
    return { kind: "run", options };
  }
  const port = portNumber(portText ?? "", options.isUdp);
  if (typeof port === "string") return fail(port);
  options.ports.push(port);
  return { kind: "run", options };
}

function portNumber(text: string, isUdp: boolean): number | string {
  if (!/^\d+$/.test(text)) return servicePort(text, isUdp ? "udp" : "tcp") ?? `nc: port number invalid: ${text}\n`;
  const port = Number(text);
  if (port > 65535) return `nc: port number too large: ${text}\n`;
  if (port < 1) return `nc: port number too small: ${text}\n`;
  return port;
}

function fail(text: string): NcResult {
  return { kind: "error", text };
}
