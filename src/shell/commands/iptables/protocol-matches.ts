/**
 * Matches that come with a protocol: tcp, udp, sctp, icmp.
 *
 * iptables v1.8.9 extensions/libxt_tcp.c, libxt_udp.c, libipt_icmp.c.
 */

import type { MatchSpec, Range, RangeTest } from "../../../host/netfilter/rule.ts";
import { type ExtensionOption, type MatchExtension, type OptionValues, type PrintContext, XtablesError } from "./extension.ts";
import { asTest, parseInteger, parsePortRange, portRangeReader } from "./values.ts";

type Spec<K extends MatchSpec["kind"]> = MatchSpec & { readonly kind: K };

const FLAGS: readonly (readonly [string, number])[] = [
  ["FIN", 0x01],
  ["SYN", 0x02],
  ["RST", 0x04],
  ["PSH", 0x08],
  ["ACK", 0x10],
  ["URG", 0x20],
];
const FLAG_WORDS: ReadonlyMap<string, number> = new Map([...FLAGS, ["ALL", 0x3f], ["NONE", 0]]);

const TCP_SYN_MASK = 0x17;

/* --------------------------------------------------------------------------------------------------------- ports in common */

function portName(port: number, protocol: number, context: PrintContext): string {
  return context.isNumeric ? String(port) : (context.names.portName(port, protocol) ?? String(port));
}

function printPorts(label: string, range: RangeTest, protocol: number, context: PrintContext): string {
  if (range.min === 0 && range.max === 65535 && !range.isInverted) return "";
  const not = range.isInverted ? "!" : "";
  if (range.min === range.max) return ` ${label}:${not}${portName(range.min, protocol, context)}`;
  return ` ${label}s:${not}${portName(range.min, protocol, context)}:${portName(range.max, protocol, context)}`;
}

function savePorts(option: string, range: RangeTest): string {
  if (range.min === 0 && range.max === 65535 && !range.isInverted) return "";
  return `${range.isInverted ? " !" : ""} ${option} ${range.min === range.max ? range.min : `${range.min}:${range.max}`}`;
}

/* --------------------------------------------------------------------------------------------------------------------- tcp */

function tcpPorts(name: string, alias: string): ExtensionOption {
  return {
    name,
    aliases: [alias],
    hasArgument: true,
    canInvert: true,
    onceError: `Only one \`--${name}' allowed`,
    read: (text, { names }) => parsePortRange(text, 6, names),
  };
}

function parseFlags(text: string): number {
  let flags = 0;
  for (const word of text.split(",")) {
    const flag = FLAG_WORDS.get(word.toUpperCase());
    if (flag === undefined) throw new XtablesError(`Unknown TCP flag \`${word}'`);
    flags |= flag;
  }
  return flags;
}

interface FlagTest {
  readonly mask: number;
  readonly compare: number;
}

const FLAGS_ONCE = "Only one of `--syn' or `--tcp-flags'  allowed";

const TCP_OPTIONS: readonly ExtensionOption[] = [
  tcpPorts("source-port", "sport"),
  tcpPorts("destination-port", "dport"),
  {
    name: "syn",
    hasArgument: false,
    canInvert: true,
    storesAs: "tcp-flags",
    onceError: FLAGS_ONCE,
    read: (): FlagTest => ({ mask: TCP_SYN_MASK, compare: 0x02 }),
  },
  {
    name: "tcp-flags",
    hasArgument: true,
    canInvert: true,
    onceError: FLAGS_ONCE,
    read: (text, context): FlagTest => {
      const compare = context.nextWord();
      if (compare === undefined) throw new XtablesError("--tcp-flags requires two args.");
      return { mask: parseFlags(text), compare: parseFlags(compare) };
    },
  },
  {
    name: "tcp-option",
    hasArgument: true,
    canInvert: true,
    onceError: "Only one `--tcp-option' allowed",
    read: (text) => {
      const option = parseInteger(text, 255);
      if (option === undefined || option === 0) throw new XtablesError(`Bad TCP option "${text}"`);
      return option;
    },
  },
];

function flagNames(flags: number): string {
  const names = FLAGS.filter(([, bit]) => (flags & bit) !== 0).map(([name]) => name);
  return names.length === 0 ? "NONE" : names.join(",");
}

function printFlags(spec: Spec<"tcp">, isNumeric: boolean): string {
  if (spec.flagMask === 0 && !spec.areFlagsInverted) return "";
  const shape = (flags: number): string => (isNumeric ? `0x${flags.toString(16).toUpperCase().padStart(2, "0")}` : flagNames(flags));
  return ` flags:${spec.areFlagsInverted ? "!" : ""}${shape(spec.flagMask)}/${shape(spec.flagCompare)}`;
}

const tcp: MatchExtension = {
  name: "tcp",
  options: TCP_OPTIONS,
  build: (values) => {
    const flags = values.get<FlagTest>("tcp-flags");
    return {
      kind: "tcp",
      sourcePorts: asTest(values.get<Range>("source-port"), values.isInverted("source-port")),
      destinationPorts: asTest(values.get<Range>("destination-port"), values.isInverted("destination-port")),
      flagMask: flags?.mask ?? 0,
      flagCompare: flags?.compare ?? 0,
      areFlagsInverted: values.isInverted("tcp-flags"),
      option: values.get<number>("tcp-option") ?? 0,
      isOptionInverted: values.isInverted("tcp-option"),
    };
  },
  save: (match) => {
    const spec = match as Spec<"tcp">;
    let text = savePorts("--sport", spec.sourcePorts) + savePorts("--dport", spec.destinationPorts);
    if (spec.option !== 0 || spec.isOptionInverted) text += `${spec.isOptionInverted ? " !" : ""} --tcp-option ${spec.option}`;
    if (spec.flagMask === 0 && !spec.areFlagsInverted) return text;
    return `${text}${spec.areFlagsInverted ? " !" : ""} --tcp-flags ${flagNames(spec.flagMask)} ${flagNames(spec.flagCompare)}`;
  },
  print: (match, context) => {
    const spec = match as Spec<"tcp">;
    let text = ` tcp${printPorts("spt", spec.sourcePorts, 6, context)}${printPorts("dpt", spec.destinationPorts, 6, context)}`;
    if (spec.option !== 0 || spec.isOptionInverted) text += ` option=${spec.isOptionInverted ? "!" : ""}${spec.option}`;
    return text + printFlags(spec, context.isNumeric);
  },
};

/* --------------------------------------------------------------------------------------------------------------- udp, sctp */

function datagramExtension(kind: "udp" | "sctp", protocol: number): MatchExtension {
  const option = (name: string, alias: string): ExtensionOption => ({ name, aliases: [alias], hasArgument: true, canInvert: true, read: portRangeReader() });
  return {
    name: kind,
    options: [option("source-port", "sport"), option("destination-port", "dport")],
    build: (values) => ({
      kind,
      sourcePorts: asTest(values.get<Range>("source-port"), values.isInverted("source-port")),
      destinationPorts: asTest(values.get<Range>("destination-port"), values.isInverted("destination-port")),
    }),
    save: (match) => {
      const spec = match as Spec<"udp">;
      return savePorts("--sport", spec.sourcePorts) + savePorts("--dport", spec.destinationPorts);
    },
    print: (match, context) => {
      const spec = match as Spec<"udp">;
      return ` ${kind}${printPorts("spt", spec.sourcePorts, protocol, context)}${printPorts("dpt", spec.destinationPorts, protocol, context)}`;
    },
  };
}

/* -------------------------------------------------------------------------------------------------------------------- icmp */

/** Name, type, first and last code; aliases follow what they stand for. */
const ICMP_TYPES: readonly (readonly [string, number, number, number])[] = [
  ["any", 255, 0, 255],
  ["echo-reply", 0, 0, 255],
  ["pong", 0, 0, 255],
  ["destination-unreachable", 3, 0, 255],
  ["network-unreachable", 3, 0, 0],
  ["host-unreachable", 3, 1, 1],
  ["protocol-unreachable", 3, 2, 2],
  ["port-unreachable", 3, 3, 3],
  ["fragmentation-needed", 3, 4, 4],
  ["source-route-failed", 3, 5, 5],
  ["network-unknown", 3, 6, 6],
  ["host-unknown", 3, 7, 7],
  ["network-prohibited", 3, 9, 9],
  ["host-prohibited", 3, 10, 10],
  ["TOS-network-unreachable", 3, 11, 11],
  ["TOS-host-unreachable", 3, 12, 12],
  ["communication-prohibited", 3, 13, 13],
  ["host-precedence-violation", 3, 14, 14],
  ["precedence-cutoff", 3, 15, 15],
  ["source-quench", 4, 0, 255],
  ["redirect", 5, 0, 255],
  ["network-redirect", 5, 0, 0],
  ["host-redirect", 5, 1, 1],
  ["TOS-network-redirect", 5, 2, 2],
  ["TOS-host-redirect", 5, 3, 3],
  ["echo-request", 8, 0, 255],
  ["ping", 8, 0, 255],
  ["router-advertisement", 9, 0, 255],
  ["router-solicitation", 10, 0, 255],
  ["time-exceeded", 11, 0, 255],
  ["ttl-exceeded", 11, 0, 255],
  ["ttl-zero-during-transit", 11, 0, 0],
  ["ttl-zero-during-reassembly", 11, 1, 1],
  ["parameter-problem", 12, 0, 255],
  ["ip-header-bad", 12, 0, 0],
  ["required-option-missing", 12, 1, 1],
  ["timestamp-request", 13, 0, 255],
  ["timestamp-reply", 14, 0, 255],
  ["address-mask-request", 17, 0, 255],
  ["address-mask-reply", 18, 0, 255],
];

interface IcmpTest {
  readonly type: number;
  readonly codes: Range;
}

/** A name or its unambiguous beginning, or `type[/code]`. */
function parseIcmpType(text: string): IcmpTest {
  const lower = text.toLowerCase();
  const exact = ICMP_TYPES.find(([name]) => name.toLowerCase() === lower);
  const begins = exact === undefined ? ICMP_TYPES.filter(([name]) => name.toLowerCase().startsWith(lower)) : [exact];
  if (begins.length > 1) throw new XtablesError(`Ambiguous ICMP type \`${text}': \`${begins[0]?.[0]}' or \`${begins[1]?.[0]}'?`);
  const found = begins[0];
  if (found !== undefined) return { type: found[1], codes: { min: found[2], max: found[3] } };
  const [typeText = "", codeText] = text.split("/");
  const type = parseInteger(typeText, 255);
  const code = codeText === undefined ? undefined : parseInteger(codeText, 255);
  if (type === undefined) throw new XtablesError(`Unknown ICMP type \`${text}'`);
  if (codeText !== undefined && code === undefined) throw new XtablesError(`Unknown ICMP code \`${codeText}'`);
  return { type, codes: code === undefined ? { min: 0, max: 255 } : { min: code, max: code } };
}

function printIcmp(spec: Spec<"icmp">, isNumeric: boolean): string {
  const { type, codes, isInverted } = spec;
  if (!isNumeric) {
    const known = ICMP_TYPES.find(([, knownType, min, max]) => knownType === type && min === codes.min && max === codes.max);
    if (known !== undefined) return ` icmp ${isInverted ? "!" : ""}${known[0]}`;
  }
  let text = isInverted ? ` icmp !type ${type}` : ` icmptype ${type}`;
  if (codes.min === codes.max) text += ` code ${codes.min}`;
  else if (codes.min !== 0 || codes.max !== 255) text += ` codes ${codes.min}-${codes.max}`;
  return text;
}

const icmp: MatchExtension = {
  name: "icmp",
  options: [{ name: "icmp-type", hasArgument: true, canInvert: true, isMandatory: true, read: (text) => parseIcmpType(text) }],
  build: (values: OptionValues) => {
    const test = values.get<IcmpTest>("icmp-type") ?? { type: 255, codes: { min: 0, max: 255 } };
    return { kind: "icmp", type: test.type, codes: test.codes, isInverted: values.isInverted("icmp-type") };
  },
  save: (match) => {
    const { type, codes, isInverted } = match as Spec<"icmp">;
    const code = codes.min === 0 && codes.max === 255 ? "" : `/${codes.min}`;
    return `${isInverted ? " !" : ""} --icmp-type ${type === 255 ? "any" : `${type}${code}`}`;
  },
  print: (match, context) => printIcmp(match as Spec<"icmp">, context.isNumeric),
};

export const PROTOCOL_MATCHES: readonly MatchExtension[] = [tcp, datagramExtension("udp", 17), datagramExtension("sctp", 132), icmp];
