/**
 * Rules as text: the way -S and iptables-save write them, and the way -L lists them.
 *
 * iptables v1.8.9 iptables/iptables.c (print_rule4), iptables/xshared.c (print_header, print_rule_details, print_ipv4_addresses).
 */

import { formatIpv4Address, maskPrefixLength } from "../../../base/ipv4-address.ts";
import type { MatchSpec, PacketMatch, RuleSpec, TargetSpec } from "../../../host/netfilter/rule.ts";
import { CONNTRACK_MATCHES } from "./conntrack-matches.ts";
import type { MatchExtension, PrintContext, TargetExtension } from "./extension.ts";
import { Names } from "./names.ts";
import { NAT_TARGETS } from "./nat-targets.ts";
import { PACKET_MATCHES } from "./packet-matches.ts";
import { PROTOCOL_MATCHES } from "./protocol-matches.ts";
import { PLAIN_TARGETS } from "./target-extensions.ts";
import { formatMaskSuffix } from "./values.ts";

export const MATCH_EXTENSIONS: ReadonlyMap<string, MatchExtension> = new Map(
  [...PROTOCOL_MATCHES, ...CONNTRACK_MATCHES, ...PACKET_MATCHES].map((extension) => [extension.name, extension]),
);
export const TARGET_EXTENSIONS: ReadonlyMap<string, TargetExtension> = new Map(
  [...PLAIN_TARGETS, ...NAT_TARGETS].map((extension) => [extension.name, extension]),
);

const NO_NAMES = new Names(undefined);

export interface Counters {
  readonly packets: number;
  readonly bytes: number;
}

function targetExtensionOf(target: TargetSpec): TargetExtension | undefined {
  return TARGET_EXTENSIONS.get(target.kind === "CT" ? target.alias : target.kind);
}

/* ------------------------------------------------------------------------------------------------------------------- saved */

/** A number of 4-byte masks prints as its length even for a host. */
function savedAddress(option: string, address: number, mask: number, isInverted: boolean): string {
  if (mask === 0 && !isInverted) return "";
  const length = maskPrefixLength(mask);
  return `${isInverted ? " !" : ""} ${option} ${formatIpv4Address(address)}/${length ?? formatIpv4Address(mask)}`;
}

function savedDevice(option: string, name: string, isInverted: boolean): string {
  if (name === "" || name === "+") return "";
  return `${isInverted ? " !" : ""} ${option} ${name}`;
}

function savedPacket(packet: PacketMatch, names: Names): string {
  let text = savedAddress("-s", packet.src, packet.srcMask, packet.isSrcInverted) + savedAddress("-d", packet.dst, packet.dstMask, packet.isDstInverted);
  text += savedDevice("-i", packet.input, packet.isInputInverted) + savedDevice("-o", packet.output, packet.isOutputInverted);
  if (packet.protocol !== 0) text += `${packet.isProtocolInverted ? " !" : ""} -p ${names.protocolName(packet.protocol) ?? packet.protocol}`;
  if (packet.fragment !== "any") text += packet.fragment === "only" ? " -f" : " ! -f";
  return text;
}

function savedMatch(match: MatchSpec): string {
  return ` -m ${match.kind}${MATCH_EXTENSIONS.get(match.kind)?.save(match) ?? ""}`;
}

function savedTarget(target: TargetSpec): string {
  switch (target.kind) {
    case "none":
      return "";
    case "verdict":
      return ` -j ${target.verdict}`;
    case "chain":
      return ` -${target.isGoto ? "g" : "j"} ${target.chain}`;
    default: {
      const extension = targetExtensionOf(target);
      return ` -j ${extension?.name ?? target.kind}${extension?.save(target) ?? ""}`;
    }
  }
}

/** Everything after `-A CHAIN`, with a blank before it. */
export function savedRule(spec: RuleSpec, counters?: Counters): string {
  const counted = counters === undefined ? "" : ` -c ${counters.packets} ${counters.bytes}`;
  return savedPacket(spec.packet, NO_NAMES) + spec.matches.map(savedMatch).join("") + counted + savedTarget(spec.target);
}

/* ------------------------------------------------------------------------------------------------------------------ listed */

export interface ListFormat {
  readonly isNumeric: boolean;
  readonly isVerbose: boolean;
  /** -x: no K, M and G. */
  readonly isExact: boolean;
  readonly hasLineNumbers: boolean;
}

/** xtables_print_num, with the blank after it. */
export function formatCount(count: number, isExact: boolean, isColumn: boolean): string {
  if (isExact) return isColumn ? `${String(count).padStart(8)} ` : `${count} `;
  let number = count;
  if (number <= 99999) return isColumn ? `${String(number).padStart(5)} ` : `${number} `;
  for (const unit of ["K", "M", "G", "T"]) {
    number = Math.floor((number + 500) / 1000);
    if (number <= 9999 || unit === "T") return isColumn ? `${String(number).padStart(4)}${unit} ` : `${number}${unit} `;
  }
  return "";
}

export function formatHeader(format: ListFormat): string {
  let text = format.hasLineNumbers ? "num  " : "";
  if (format.isVerbose) text += format.isExact ? "    pkts      bytes " : " pkts bytes ";
  text += "target     prot opt";
  if (format.isVerbose) text += " in     out    ";
  return `${text} source               destination         \n`;
}

function listedAddress(address: number, mask: number, isInverted: boolean, names: Names, isNumeric: boolean): string {
  if (mask === 0 && !isInverted) return isNumeric ? "0.0.0.0/0" : "anywhere";
  const host = isNumeric ? undefined : names.hostName(address);
  return (host ?? formatIpv4Address(address)) + formatMaskSuffix(mask);
}

function listedDevice(name: string, isInverted: boolean, isNumeric: boolean): string {
  return `${isInverted ? "!" : ""}${name !== "" ? name : isNumeric ? "*" : "any"}`;
}

function targetName(target: TargetSpec): string {
  switch (target.kind) {
    case "none":
      return "";
    case "verdict":
      return target.verdict;
    case "chain":
      return target.chain;
    default:
      return target.kind;
  }
}

function details(spec: RuleSpec, names: Names, isNumeric: boolean): string {
  const context: PrintContext = { isNumeric, names, protocol: spec.packet.protocol };
  let text = spec.target.kind === "chain" && spec.target.isGoto ? "[goto] " : "";
  for (const match of spec.matches) text += MATCH_EXTENSIONS.get(match.kind)?.print(match, context) ?? "";
  return text + (targetExtensionOf(spec.target)?.print(spec.target, context) ?? "");
}

/** One line of -L. */
export function listedRule(spec: RuleSpec, counters: Counters, number: number, names: Names, format: ListFormat): string {
  const { packet } = spec;
  const { isNumeric } = format;
  let line = format.hasLineNumbers ? `${String(number).padEnd(4)} ` : "";
  if (format.isVerbose) line += formatCount(counters.packets, format.isExact, true) + formatCount(counters.bytes, format.isExact, true);
  line += `${targetName(spec.target).padEnd(9)} `;
  const protocol = isNumeric ? String(packet.protocol) : packet.protocol === 0 ? "all" : (names.protocolName(packet.protocol) ?? String(packet.protocol));
  line += `${packet.isProtocolInverted ? "!" : " "}${protocol.padEnd(4)} `;
  line += `${packet.fragment === "not" ? "!" : "-"}${packet.fragment === "any" ? "-" : "f"} `;
  if (format.isVerbose) {
    line += ` ${listedDevice(packet.input, packet.isInputInverted, isNumeric).padEnd(6)} `;
    line += `${listedDevice(packet.output, packet.isOutputInverted, isNumeric).padEnd(6)} `;
  }
  line += `${packet.isSrcInverted ? "!" : " "}${listedAddress(packet.src, packet.srcMask, packet.isSrcInverted, names, isNumeric).padEnd(19)} `;
  line += `${packet.isDstInverted ? "!" : " "}${listedAddress(packet.dst, packet.dstMask, packet.isDstInverted, names, isNumeric).padEnd(19)} `;
  return `${line}${details(spec, names, isNumeric)}\n`;
}

/** The line that `-v` shows of a rule that was added, changed or removed. */
export function announcedRule(spec: RuleSpec, names: Names): string {
  const { packet } = spec;
  const protocol = packet.protocol === 0 ? "all" : (names.protocolName(packet.protocol) ?? String(packet.protocol));
  let line = `${targetName(spec.target)} ${packet.isProtocolInverted ? "!" : " "}${protocol} opt `;
  line += `${packet.fragment === "not" ? "!" : "-"}${packet.fragment === "any" ? "-" : "f"} `;
  line += `in ${listedDevice(packet.input, packet.isInputInverted, true)} out ${listedDevice(packet.output, packet.isOutputInverted, true)} `;
  line += `${packet.isSrcInverted ? "!" : " "}${listedAddress(packet.src, packet.srcMask, packet.isSrcInverted, names, true)} `;
  line += `${packet.isDstInverted ? "!" : " "}-> ${listedAddress(packet.dst, packet.dstMask, packet.isDstInverted, names, true)} `;
  return `${line} ${details(spec, names, true)}\n`;
}
