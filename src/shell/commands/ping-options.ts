/**
 * The command line of ping: iputils 20221126 ping/ping.c (main).
 */

import { type Ipv4Address, parseIpv4Address } from "../../base/ipv4-address.ts";
import { CommandExit, readShortOptions } from "./short-options.ts";

export const PING_VERSION = "ping from iputils 20221126\nlibcap: yes, IDN: yes, NLS: no, error.h: yes, getrandom(): yes, __fpending(): yes\n";

export const PING_USAGE = `
Usage
  ping [options] <destination>

Options:
  <destination>      dns name or ip address
  -a                 use audible ping
  -A                 use adaptive ping
  -B                 sticky source address
  -c <count>         stop after <count> replies
  -C                 call connect() syscall on socket creation
  -D                 print timestamps
  -d                 use SO_DEBUG socket option
  -e <identifier>    define identifier for ping session, default is random for
                     SOCK_RAW and kernel defined for SOCK_DGRAM
                     Imply using SOCK_RAW (for IPv4 only for identifier 0)
  -f                 flood ping
  -h                 print help and exit
  -I <interface>     either interface name or address
  -i <interval>      seconds between sending each packet
  -L                 suppress loopback of multicast packets
  -l <preload>       send <preload> number of packages while waiting replies
  -m <mark>          tag the packets going out
  -M <pmtud opt>     define mtu discovery, can be one of <do|dont|want>
  -n                 no dns name resolution
  -O                 report outstanding replies
  -p <pattern>       contents of padding byte
  -q                 quiet output
  -Q <tclass>        use quality of service <tclass> bits
  -s <size>          use <size> as number of data bytes to be sent
  -S <size>          use <size> as SO_SNDBUF socket option value
  -t <ttl>           define time to live
  -U                 print user-to-user latency
  -v                 verbose output
  -V                 print version and exit
  -w <deadline>      reply wait <deadline> in seconds
  -W <timeout>       time to wait for response

IPv4 options:
  -4                 use IPv4
  -b                 allow pinging broadcast
  -R                 record route
  -T <timestamp>     define timestamp, can be one of <tsonly|tsandaddr|tsprespec>

IPv6 options:
  -6                 use IPv6
  -F <flowlabel>     define flow label, default is random
  -N <nodeinfo opt>  use icmp6 node info query, try <help> as argument

For more details see ping(8).
`;

const INT_MAX = 2147483647;
const PATTERN_BYTES_MAX = 16;

export interface PingOptions {
  readonly destination: string;
  count: number;
  intervalMs: number;
  /** How long to wait for replies when none has come (-W). */
  lingerMs: number;
  /** Seconds, 0: none. */
  deadline: number;
  sizeBytes: number;
  ttl: number | undefined;
  tos: number;
  mark: number;
  preload: number;
  pattern: readonly number[];
  /** -I, which may be given for both. */
  interfaceName: string | undefined;
  sourceAddress: Ipv4Address | undefined;
  mtuDiscovery: "do" | "dont" | "want" | undefined;
  isQuiet: boolean;
  isNumeric: boolean;
  isAudible: boolean;
  isVerbose: boolean;
  hasTimestamps: boolean;
  mayBroadcast: boolean;
  reportsOutstanding: boolean;
  hasStickySource: boolean;
  /** -A: replies set the pace. */
  isAdaptive: boolean;
  /** -f: signs instead of lines, and no pace unless -i gives one. */
  isFlood: boolean;
  hasInterval: boolean;
  /** Goes to standard error before anything else. */
  warnings: string;
}

const SPEC = "h?4bRT:6F:N:aABc:CdDe:fi:I:l:Lm:M:nOp:qQ:rs:S:t:UvVw:W:";

function usage(message = ""): never {
  throw new CommandExit(2, message + PING_USAGE);
}

function unsupported(option: string): never {
  throw new CommandExit(2, `ping: option -${option} is not supported by this simulator\n`);
}

export function parsePingOptions(args: readonly string[]): PingOptions {
  const { options, operands } = readShortOptions(args, SPEC);
  const result: PingOptions = { ...DEFAULTS, destination: operands.at(-1) ?? "" };
  let family = "";
  for (const option of options) {
    if (option.kind === "unknown") {
      if (option.letter === "?") usage();
      usage(`ping: invalid option -- '${option.letter}'\n`);
    }
    if (option.kind === "no-value") usage(`ping: option requires an argument -- '${option.letter}'\n`);
    if (option.letter === "4" || option.letter === "6") {
      if (family !== "" && family !== option.letter) throw new CommandExit(2, "ping: only one -4 or -6 option may be specified\n");
      family = option.letter;
    }
    apply(result, option.letter, option.value);
  }
  if (operands.length === 0) throw new CommandExit(1, "ping: usage error: Destination address required\n");
  if (operands.length > 1) throw new CommandExit(2, "ping: a route through several destinations is not supported by this simulator\n");
  if (family === "6") throw new CommandExit(2, `ping: ${result.destination}: Address family for hostname not supported\n`);
  if (result.isFlood && !result.hasInterval) result.intervalMs = 0;
  return result;
}

const DEFAULTS: Omit<PingOptions, "destination"> = {
  count: 0,
  intervalMs: 1000,
  lingerMs: 10_000,
  deadline: 0,
  sizeBytes: 56,
  ttl: undefined,
  tos: 0,
  mark: 0,
  preload: 1,
  pattern: [],
  interfaceName: undefined,
  sourceAddress: undefined,
  mtuDiscovery: undefined,
  isQuiet: false,
  isNumeric: false,
  isAudible: false,
  isVerbose: false,
  hasTimestamps: false,
  mayBroadcast: false,
  reportsOutstanding: false,
  hasStickySource: false,
  isAdaptive: false,
  isFlood: false,
  hasInterval: false,
  warnings: "",
};

function apply(options: PingOptions, letter: string, value: string): void {
  switch (letter) {
    case "h":
    case "?":
      usage();
      break;
    case "V":
      throw new CommandExit(0, PING_VERSION);
    case "a":
      options.isAudible = true;
      return;
    case "b":
      options.mayBroadcast = true;
      return;
    case "B":
      options.hasStickySource = true;
      return;
    case "D":
      options.hasTimestamps = true;
      return;
    case "n":
      options.isNumeric = true;
      return;
    case "O":
      options.reportsOutstanding = true;
      return;
    case "q":
      options.isQuiet = true;
      return;
    case "v":
      options.isVerbose = true;
      return;
    case "A":
      options.isAdaptive = true;
      return;
    case "f":
      options.isFlood = true;
      return;
    case "R":
    case "T":
    case "F":
    case "N":
      unsupported(letter);
      break;
    case "C":
    case "d":
    case "L":
    case "r":
    case "U":
    case "4":
    case "6":
      return;
    default:
      applyValue(options, letter, value);
  }
}

function applyValue(options: PingOptions, letter: string, value: string): void {
  switch (letter) {
    case "c":
      options.count = integer(value, 1, Number.POSITIVE_INFINITY, "9223372036854775807");
      return;
    case "e":
      integer(value, 0, 65535);
      return;
    case "i":
      options.intervalMs = Math.trunc(seconds(options, value, "timing interval") * 1000);
      options.hasInterval = true;
      return;
    case "W":
      options.lingerMs = Math.trunc(seconds(options, value, "linger time") * 1000);
      return;
    case "w":
      options.deadline = integer(value, 0, INT_MAX);
      return;
    case "I":
      interfaceOrAddress(options, value);
      return;
    case "l":
      options.preload = integer(value, 1, 65536);
      return;
    case "m":
      options.mark = integer(value, 0, 0xffffffff);
      return;
    case "M":
      if (value !== "do" && value !== "dont" && value !== "want") throw new CommandExit(2, `ping: invalid -M argument: ${value}\n`);
      options.mtuDiscovery = value;
      return;
    case "p":
      options.pattern = patternBytes(value);
      return;
    case "Q":
      options.tos = tosBits(value);
      return;
    case "s":
      options.sizeBytes = integer(value, 0, INT_MAX);
      return;
    case "S":
      integer(value, 0, INT_MAX);
      return;
    case "t":
      options.ttl = integer(value, 0, 255);
      return;
    default:
      return;
  }
}

/** What holds a colon is taken for an address of IPv6, so that no alias goes. */
function interfaceOrAddress(options: PingOptions, value: string): void {
  const address = parseIpv4Address(value);
  if (address !== undefined) options.sourceAddress = address;
  else if (value.includes(":")) throw new CommandExit(2, `ping: invalid source address: ${value}\n`);
  else options.interfaceName = value;
}

/** iputils_common.c:strtol_or_err */
function integer(text: string, min: number, max: number, maxText = String(max)): number {
  if (!/^\s*[+-]?\d+$/.test(text)) throw new CommandExit(1, `ping: invalid argument: '${text}'\n`);
  const value = Number(text);
  if (Math.abs(value) > 9.223372036854775e18) throw new CommandExit(1, `ping: invalid argument: '${text}': Numerical result out of range\n`);
  if (value < min || value > max) throw new CommandExit(1, `ping: invalid argument: '${text}': out of range: ${min} <= value <= ${maxText}\n`);
  return value;
}

/** ping.c:ping_strtod; what follows the number is only complained about. */
function seconds(options: PingOptions, text: string, what: string): number {
  const match = /^\s*[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?/.exec(text);
  const rest = text.slice(match?.[0].length ?? 0);
  if (rest !== "") options.warnings += `ping: option argument contains garbage: ${rest}\nping: this will become fatal error in the future\n`;
  const value = match === null ? 0 : Number(match[0]);
  if (value < 0 || value > INT_MAX / 1000) throw new CommandExit(2, `ping: bad ${what}: ${text}\n`);
  return value;
}

function patternBytes(text: string): number[] {
  if (!/^[0-9a-fA-F]*$/.test(text)) throw new CommandExit(2, `ping: patterns must be specified as hex digits: ${text}\n`);
  const bytes: number[] = [];
  for (let at = 0; at < text.length && bytes.length < PATTERN_BYTES_MAX; at += 2) bytes.push(Number.parseInt(text.slice(at, at + 2), 16));
  return bytes;
}

function tosBits(text: string): number {
  const value = /^0[xX][0-9a-fA-F]+$/.test(text) ? Number.parseInt(text.slice(2), 16) : /^\d+$/.test(text) ? Number(text) : undefined;
  if (value === undefined) throw new CommandExit(2, `ping: bad TOS value: ${text}\n`);
  if (value > 255) throw new CommandExit(2, `ping: the decimal value of TOS bits must be in range 0-255: ${value}\n`);
  return value;
}
