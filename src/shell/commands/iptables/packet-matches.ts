/**
 * Matches about one packet: mark, multiport, limit, mac, addrtype, iprange, ttl, length, comment, statistic, pkttype, tos, dscp, tcpmss.
 *
 * iptables v1.8.9 extensions/libxt_*.c, libipt_ttl.c.
 */

import { formatIpv4Address, parseIpv4Address } from "../../../base/ipv4-address.ts";
import { formatMacAddress, parseMacAddress } from "../../../base/mac-address.ts";
import type { AddressTypeName, MatchSpec, Range, RangeTest } from "../../../host/netfilter/rule.ts";
import { type ExtensionOption, type MatchExtension, type PrintContext, type ReadContext, XtablesError } from "./extension.ts";
import { formatDscp, parseDscpClass, parseTos, TOS_NAMES, type TosValue } from "./tos-values.ts";
import { hex, hexPadded, integerReader, type MarkValue, markReader, parsePort, quoteSaved, rangeReader } from "./values.ts";

type Spec<K extends MatchSpec["kind"]> = MatchSpec & { readonly kind: K };

const mark: MatchExtension = {
  name: "mark",
  options: [{ name: "mark", hasArgument: true, canInvert: true, isMandatory: true, read: markReader("mark", "mark") }],
  build: (values) => {
    const { value, mask } = values.get<MarkValue>("mark") ?? { value: 0, mask: 0xffffffff };
    return { kind: "mark", mark: value, mask, isInverted: values.isInverted("mark") };
  },
  save: (match) => {
    const spec = match as Spec<"mark">;
    return `${spec.isInverted ? " !" : ""} --mark ${hex(spec.mark)}${spec.mask === 0xffffffff ? "" : `/${hex(spec.mask)}`}`;
  },
  print: (match) => {
    const spec = match as Spec<"mark">;
    return ` mark match${spec.isInverted ? " !" : ""} ${hex(spec.mark)}${spec.mask === 0xffffffff ? "" : `/${hex(spec.mask)}`}`;
  },
};

/* --------------------------------------------------------------------------------------------------------------- multiport */

const PORTS_MAX = 15;
const MULTIPORT_PROTOCOLS = [6, 17, 33, 132, 136];

function readPorts(text: string, context: ReadContext): readonly Range[] {
  if (!MULTIPORT_PROTOCOLS.includes(context.protocol)) throw new XtablesError("multiport needs `-p tcp', `-p udp', `-p udplite', `-p sctp' or `-p dccp'");
  const ports = text.split(",").map((word): Range => {
    const colon = word.indexOf(":");
    const min = parsePort(colon < 0 ? word : word.slice(0, colon), context.protocol, context.names);
    const max = colon < 0 ? min : parsePort(word.slice(colon + 1), context.protocol, context.names);
    if (min > max || (colon >= 0 && min === max)) throw new XtablesError("invalid portrange specified");
    return { min, max };
  });
  const used = ports.reduce((sum, range) => sum + (range.min === range.max ? 1 : 2), 0);
  if (used > PORTS_MAX) throw new XtablesError("too many ports specified");
  return ports;
}

const MULTIPORT_NAMES = ["source-ports", "destination-ports", "ports"] as const;

function multiportOption(name: string, aliases: readonly string[]): ExtensionOption {
  return { name, aliases, hasArgument: true, canInvert: true, excludes: MULTIPORT_NAMES.filter((other) => other !== name), read: readPorts };
}

const multiport: MatchExtension = {
  name: "multiport",
  options: [multiportOption("source-ports", ["sports"]), multiportOption("destination-ports", ["dports"]), multiportOption("ports", [])],
  build: (values) => {
    const name = MULTIPORT_NAMES.find((option) => values.has(option));
    if (name === undefined) throw new XtablesError("multiport expection an option");
    const which = name === "ports" ? "ports" : name === "source-ports" ? "sports" : "dports";
    return { kind: "multiport", which, ports: values.get<readonly Range[]>(name) ?? [], isInverted: values.isInverted(name) };
  },
  save: (match) => {
    const { which, ports, isInverted } = match as Spec<"multiport">;
    return `${isInverted ? " !" : ""} --${which} ${ports.map(({ min, max }) => (min === max ? String(min) : `${min}:${max}`)).join(",")}`;
  },
  print: (match, context) => {
    const { which, ports, isInverted } = match as Spec<"multiport">;
    const port = (number: number): string => (context.isNumeric ? undefined : context.names.portName(number, context.protocol)) ?? String(number);
    const list = ports.map(({ min, max }) => (min === max ? port(min) : `${port(min)}:${port(max)}`)).join(",");
    return ` multiport ${which} ${isInverted ? " !" : ""}${list}`;
  },
};

/* ------------------------------------------------------------------------------------------------------------------- limit */

const LIMIT_SCALE = 10000;
/** Units of a 10000th of a second, and the words that a rate may end in. */
const RATE_UNITS: readonly (readonly [string, number])[] = [
  ["day", LIMIT_SCALE * 24 * 60 * 60],
  ["hour", LIMIT_SCALE * 60 * 60],
  ["min", LIMIT_SCALE * 60],
  ["sec", LIMIT_SCALE],
];
const RATE_WORDS = ["second", "minute", "hour", "day"];

function readRate(text: string): number {
  const slash = text.indexOf("/");
  let factor = 1;
  if (slash >= 0) {
    const unit = text.slice(slash + 1).toLowerCase();
    const word = unit === "" ? undefined : RATE_WORDS.find((known) => known.startsWith(unit));
    if (word === undefined) throw new XtablesError(`bad rate "${text}"'`);
    factor = word === "second" ? 1 : word === "minute" ? 60 : word === "hour" ? 3600 : 86400;
  }
  const count = Number.parseInt(text, 10);
  if (!(count > 0)) throw new XtablesError(`bad rate "${text}"'`);
  if (count / factor > LIMIT_SCALE) throw new XtablesError(`Rate too fast "${text}"`);
  return Math.trunc((LIMIT_SCALE * factor) / count);
}

/** The largest unit in which the rate is a whole number or nearly one (libxt_limit.c:print_rate). */
function formatRate(averageUnits: number): string {
  if (averageUnits === 0) return " inf";
  let index = 1;
  while (index < RATE_UNITS.length) {
    const units = RATE_UNITS[index]?.[1] ?? 0;
    if (averageUnits > units || Math.trunc(units / averageUnits) < units % averageUnits) break;
    index++;
  }
  const [name, units] = RATE_UNITS[index - 1] ?? ["sec", LIMIT_SCALE];
  return ` ${Math.trunc(units / averageUnits)}/${name}`;
}

const limit: MatchExtension = {
  name: "limit",
  options: [
    { name: "limit", hasArgument: true, read: (text) => readRate(text) },
    { name: "limit-burst", hasArgument: true, read: integerReader("limit", "limit-burst", 0, 10000) },
  ],
  build: (values) => ({ kind: "limit", averageUnits: values.get<number>("limit") ?? (LIMIT_SCALE * 3600) / 3, burst: values.get<number>("limit-burst") ?? 5 }),
  save: (match) => {
    const { averageUnits, burst } = match as Spec<"limit">;
    return ` --limit${formatRate(averageUnits)}${burst === 5 ? "" : ` --limit-burst ${burst}`}`;
  },
  print: (match) => {
    const { averageUnits, burst } = match as Spec<"limit">;
    return ` limit: avg${formatRate(averageUnits)} burst ${burst}`;
  },
};

/* ------------------------------------------------------------------------------------------------------- mac, addrtype, iprange */

const mac: MatchExtension = {
  name: "mac",
  options: [
    {
      name: "mac-source",
      hasArgument: true,
      canInvert: true,
      isMandatory: true,
      read: (text) => {
        const address = parseMacAddress(text);
        if (address === undefined) throw new XtablesError("Invalid MAC address specified.");
        return address;
      },
    },
  ],
  build: (values) => ({ kind: "mac", address: values.get<number>("mac-source") ?? 0, isInverted: values.isInverted("mac-source") }),
  save: (match) => {
    const { address, isInverted } = match as Spec<"mac">;
    return `${isInverted ? " !" : ""} --mac-source ${formatMacAddress(address)}`;
  },
  print: (match) => {
    const { address, isInverted } = match as Spec<"mac">;
    return ` MAC${isInverted ? " !" : ""} ${formatMacAddress(address)}`;
  },
};

const ADDRESS_TYPES: readonly AddressTypeName[] = ["UNSPEC", "UNICAST", "LOCAL", "BROADCAST", "ANYCAST", "MULTICAST", "BLACKHOLE", "UNREACHABLE", "PROHIBIT"];

function readAddressTypes(text: string): readonly AddressTypeName[] {
  return text.split(",").map((word) => {
    const type = ADDRESS_TYPES.find((known) => known === word.toUpperCase());
    if (type === undefined) throw new XtablesError(`addrtype: bad type "${text}"`);
    return type;
  });
}

function inTypeOrder(types: readonly AddressTypeName[]): string {
  return ADDRESS_TYPES.filter((type) => types.includes(type)).join(",");
}

const addrtype: MatchExtension = {
  name: "addrtype",
  options: [
    { name: "src-type", hasArgument: true, canInvert: true, read: (text) => readAddressTypes(text) },
    { name: "dst-type", hasArgument: true, canInvert: true, read: (text) => readAddressTypes(text) },
    { name: "limit-iface-in", hasArgument: false, excludes: ["limit-iface-out"] },
    { name: "limit-iface-out", hasArgument: false, excludes: ["limit-iface-in"] },
  ],
  build: (values) => {
    if (!values.has("src-type") && !values.has("dst-type")) throw new XtablesError("addrtype: you must specify --src-type or --dst-type");
    return {
      kind: "addrtype",
      source: values.get<readonly AddressTypeName[]>("src-type") ?? [],
      isSourceInverted: values.isInverted("src-type"),
      destination: values.get<readonly AddressTypeName[]>("dst-type") ?? [],
      isDestinationInverted: values.isInverted("dst-type"),
      limitIn: values.has("limit-iface-in"),
      limitOut: values.has("limit-iface-out"),
    };
  },
  save: (match) => {
    const spec = match as Spec<"addrtype">;
    let text = "";
    if (spec.source.length > 0) text += `${spec.isSourceInverted ? " !" : ""} --src-type ${inTypeOrder(spec.source)}`;
    if (spec.destination.length > 0) text += `${spec.isDestinationInverted ? " !" : ""} --dst-type ${inTypeOrder(spec.destination)}`;
    return `${text}${spec.limitIn ? " --limit-iface-in" : ""}${spec.limitOut ? " --limit-iface-out" : ""}`;
  },
  print: (match) => {
    const spec = match as Spec<"addrtype">;
    let text = " ADDRTYPE match";
    if (spec.source.length > 0) text += ` src-type ${spec.isSourceInverted ? "!" : ""}${inTypeOrder(spec.source)}`;
    if (spec.destination.length > 0) text += ` dst-type ${spec.isDestinationInverted ? "!" : ""}${inTypeOrder(spec.destination)}`;
    return `${text}${spec.limitIn ? " limit-in" : ""}${spec.limitOut ? " limit-out" : ""}`;
  },
};

function rangeOption(name: string): ExtensionOption {
  return {
    name,
    hasArgument: true,
    canInvert: true,
    read: (text, context): Range => {
      const [first = "", second = first] = text.split("-");
      const min = parseIpv4Address(first);
      const max = parseIpv4Address(second);
      if (min === undefined || max === undefined) throw new XtablesError(`iprange: Bad value for "--${name}" option: "${text}"`);
      if (min > max) context.warn(`xt_iprange: range ${first}-${second} is reversed and will never match\n`);
      return { min, max };
    },
  };
}

function formatAddressRange(range: Range): string {
  return `${formatIpv4Address(range.min)}-${formatIpv4Address(range.max)}`;
}

const iprange: MatchExtension = {
  name: "iprange",
  options: [rangeOption("src-range"), rangeOption("dst-range")],
  build: (values) => {
    if (!values.has("src-range") && !values.has("dst-range")) throw new XtablesError("iprange match: You must specify `--src-range' or `--dst-range'");
    const range = (name: string): RangeTest | undefined => {
      const value = values.get<Range>(name);
      return value === undefined ? undefined : { min: value.min, max: value.max, isInverted: values.isInverted(name) };
    };
    const source = range("src-range");
    const destination = range("dst-range");
    return { kind: "iprange", ...(source === undefined ? {} : { source }), ...(destination === undefined ? {} : { destination }) };
  },
  save: (match) => {
    const { source, destination } = match as Spec<"iprange">;
    const one = (option: string, range: RangeTest | undefined): string =>
      range === undefined ? "" : `${range.isInverted ? " !" : ""} --${option} ${formatAddressRange(range)}`;
    return one("src-range", source) + one("dst-range", destination);
  },
  print: (match) => {
    const { source, destination } = match as Spec<"iprange">;
    const one = (word: string, range: RangeTest | undefined): string =>
      range === undefined ? "" : ` ${word} IP range${range.isInverted ? " !" : ""} ${formatAddressRange(range)}`;
    return one("source", source) + one("destination", destination);
  },
};

/* ----------------------------------------------------------------------------------------------------- ttl, length, tcpmss */

const TTL_NAMES = ["ttl-lt", "ttl-gt", "ttl-eq"] as const;
const TTL_SIGNS = { eq: "==", ne: "!=", lt: "<", gt: ">" } as const;

const ttl: MatchExtension = {
  name: "ttl",
  options: TTL_NAMES.map(
    (name): ExtensionOption => ({
      name,
      aliases: name === "ttl-eq" ? ["ttl"] : [],
      hasArgument: true,
      canInvert: name === "ttl-eq",
      excludes: TTL_NAMES.filter((other) => other !== name),
      read: integerReader("ttl", name, 0, 255),
    }),
  ),
  build: (values) => {
    const name = TTL_NAMES.find((option) => values.has(option));
    if (name === undefined) throw new XtablesError("TTL match: You must specify one of `--ttl-eq', `--ttl-lt', `--ttl-gt");
    const compare = name === "ttl-eq" ? (values.isInverted(name) ? "ne" : "eq") : name === "ttl-lt" ? "lt" : "gt";
    return { kind: "ttl", compare, ttl: values.get<number>(name) ?? 0 };
  },
  save: (match) => {
    const spec = match as Spec<"ttl">;
    return spec.compare === "ne" ? ` ! --ttl-eq ${spec.ttl}` : ` --ttl-${spec.compare} ${spec.ttl}`;
  },
  print: (match) => {
    const spec = match as Spec<"ttl">;
    return ` TTL match TTL ${TTL_SIGNS[spec.compare]} ${spec.ttl}`;
  },
};

function formatRange(range: Range): string {
  return range.min === range.max ? String(range.min) : `${range.min}:${range.max}`;
}

function rangeExtension(kind: "length" | "tcpmss", option: string, label: string): MatchExtension {
  const of = (match: MatchSpec): RangeTest => (match.kind === "length" ? match.length : (match as Spec<"tcpmss">).mss);
  return {
    name: kind,
    options: [{ name: option, hasArgument: true, canInvert: true, isMandatory: true, read: rangeReader(kind, option, 65535) }],
    build: (values) => {
      const { min, max } = values.get<Range>(option) ?? { min: 0, max: 65535 };
      const range: RangeTest = { min, max, isInverted: values.isInverted(option) };
      return kind === "length" ? { kind, length: range } : { kind, mss: range };
    },
    save: (match) => `${of(match).isInverted ? " !" : ""} --${option} ${formatRange(of(match))}`,
    print: (match) => ` ${label} ${of(match).isInverted ? "!" : ""}${formatRange(of(match))}`,
  };
}

/* -------------------------------------------------------------------------------------------------------- comment, statistic */

const COMMENT_MAX = 255;

const comment: MatchExtension = {
  name: "comment",
  options: [{ name: "comment", hasArgument: true, isMandatory: true, read: (text) => text.slice(0, COMMENT_MAX) }],
  build: (values) => ({ kind: "comment", text: values.get<string>("comment") ?? "" }),
  save: (match) => ` --comment ${quoteSaved((match as Spec<"comment">).text)}`,
  print: (match) => ` /* ${(match as Spec<"comment">).text} */`,
};

const PROBABILITY_SCALE = 0x80000000;

const statistic: MatchExtension = {
  name: "statistic",
  options: [
    {
      name: "mode",
      hasArgument: true,
      read: (text) => {
        if (text !== "random" && text !== "nth") throw new XtablesError(`Bad mode "${text}"`);
        return text;
      },
    },
    {
      name: "probability",
      hasArgument: true,
      canInvert: true,
      requires: "mode",
      read: (text) => {
        const value = Number(text);
        if (text === "" || !(value >= 0 && value <= 1)) throw new XtablesError('statistic: bad value for option "--probability", or out of range (0-1).\n');
        return Math.floor(value * PROBABILITY_SCALE + 0.5);
      },
    },
    { name: "every", hasArgument: true, canInvert: true, requires: "packet", read: integerReader("statistic", "every", 1, 0xffffffff) },
    { name: "packet", hasArgument: true, requires: "every", read: integerReader("statistic", "packet", 0, 0xffffffff) },
  ],
  build: (values) => {
    const mode = values.get<"random" | "nth">("mode") ?? "random";
    const every = values.get<number>("every") ?? 0;
    const packet = values.get<number>("packet") ?? 0;
    if (mode === "random" && !values.has("probability")) throw new XtablesError("--probability must be specified when using random mode");
    if (mode === "nth" && every === 0) throw new XtablesError("--every must be specified when using nth mode");
    if (mode === "nth" && packet >= every) throw new XtablesError("the --packet p must be 0 <= p <= n-1");
    return {
      kind: "statistic",
      mode,
      isInverted: values.isInverted(mode === "random" ? "probability" : "every"),
      probability: values.get<number>("probability") ?? 0,
      every,
      packet,
    };
  },
  save: (match) => formatStatistic(match as Spec<"statistic">, "--"),
  print: (match) => ` statistic${formatStatistic(match as Spec<"statistic">, "")}`,
};

function formatStatistic(spec: Spec<"statistic">, prefix: "--" | ""): string {
  const not = spec.isInverted ? " !" : "";
  if (spec.mode === "random") return ` ${prefix}mode random${not} ${prefix}probability ${(spec.probability / PROBABILITY_SCALE).toFixed(11)}`;
  const packet = prefix === "--" || spec.packet > 0 ? ` ${prefix}packet ${spec.packet}` : "";
  return ` ${prefix}mode nth${not} ${prefix}every ${spec.every}${packet}`;
}

/* ------------------------------------------------------------------------------------------------------- pkttype, tos, dscp */

const pkttype: MatchExtension = {
  name: "pkttype",
  options: [
    {
      name: "pkt-type",
      hasArgument: true,
      canInvert: true,
      isMandatory: true,
      read: (text) => {
        const lower = text.toLowerCase();
        if (lower === "unicast" || lower === "host") return "unicast";
        if (lower === "broadcast" || lower === "multicast") return lower;
        throw new XtablesError(`Bad packet type '${text}'`);
      },
    },
  ],
  build: (values) => ({
    kind: "pkttype",
    type: values.get<"unicast" | "broadcast" | "multicast">("pkt-type") ?? "unicast",
    isInverted: values.isInverted("pkt-type"),
  }),
  save: (match) => {
    const { type, isInverted } = match as Spec<"pkttype">;
    return `${isInverted ? " !" : ""} --pkt-type ${type}`;
  },
  print: (match) => {
    const { type, isInverted } = match as Spec<"pkttype">;
    return ` PKTTYPE ${isInverted ? "!=" : "="} ${type}`;
  },
};

const tos: MatchExtension = {
  name: "tos",
  options: [{ name: "tos", hasArgument: true, canInvert: true, isMandatory: true, read: (text) => parseTos(text, "tos", "tos") }],
  build: (values) => {
    const value = values.get<TosValue>("tos") ?? { value: 0, mask: 255 };
    return { kind: "tos", tos: value.value, mask: value.mask, isInverted: values.isInverted("tos") };
  },
  save: (match) => {
    const spec = match as Spec<"tos">;
    return `${spec.isInverted ? " !" : ""} --tos ${hexPadded(spec.tos)}/${hexPadded(spec.mask)}`;
  },
  print: (match, context: PrintContext) => {
    const spec = match as Spec<"tos">;
    const name = context.isNumeric || spec.mask !== 0x3f ? undefined : TOS_NAMES.get(spec.tos);
    return ` tos match${spec.isInverted ? "!" : ""}${name === undefined ? `${hexPadded(spec.tos)}/${hexPadded(spec.mask)}` : ` ${name}`}`;
  },
};

const dscp: MatchExtension = {
  name: "dscp",
  options: [
    { name: "dscp", hasArgument: true, canInvert: true, excludes: ["dscp-class"], read: integerReader("dscp", "dscp", 0, 63) },
    { name: "dscp-class", hasArgument: true, canInvert: true, excludes: ["dscp"], read: (text) => parseDscpClass(text) },
  ],
  build: (values) => {
    const name = values.has("dscp") ? "dscp" : "dscp-class";
    const value = values.get<number>(name);
    if (value === undefined) throw new XtablesError("DSCP match: Parameter --dscp is required");
    return { kind: "dscp", dscp: value, isInverted: values.isInverted(name) };
  },
  save: (match) => {
    const spec = match as Spec<"dscp">;
    return `${spec.isInverted ? " !" : ""} --dscp ${formatDscp(spec.dscp)}`;
  },
  print: (match) => {
    const spec = match as Spec<"dscp">;
    return ` DSCP match ${spec.isInverted ? "!" : ""}${formatDscp(spec.dscp)}`;
  },
};

export const PACKET_MATCHES: readonly MatchExtension[] = [
  mark,
  multiport,
  limit,
  mac,
  addrtype,
  iprange,
  ttl,
  rangeExtension("length", "length", "length"),
  rangeExtension("tcpmss", "mss", "tcpmss match"),
  comment,
  statistic,
  pkttype,
  tos,
  dscp,
];
