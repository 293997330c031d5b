/**
 * NAT targets: SNAT, DNAT, MASQUERADE, REDIRECT, NETMAP.
 *
 * iptables v1.8.9 extensions/libxt_NAT.c, libipt_NETMAP.c.
 */

import { formatIpv4Address, maskPrefixLength, parseIpv4Address, prefixMask } from "../../../base/ipv4-address.ts";
import type { NatRange } from "../../../host/netfilter/nat.ts";
import type { Range, TargetSpec } from "../../../host/netfilter/rule.ts";
import { type ExtensionOption, type OptionValues, type ReadContext, type TargetExtension, XtablesError } from "./extension.ts";
import { parseInteger } from "./values.ts";

type Spec<K extends TargetSpec["kind"]> = TargetSpec & { readonly kind: K };
type RangeKind = "SNAT" | "DNAT" | "MASQUERADE" | "REDIRECT";

const PORT_PROTOCOLS = [6, 17, 33, 132];

interface NatValue {
  readonly addresses: Range | undefined;
  readonly ports: Range | undefined;
  readonly offsetBase?: number;
}

function needPorts(context: ReadContext): void {
  if (!PORT_PROTOCOLS.includes(context.protocol)) throw new XtablesError("Need TCP, UDP, SCTP or DCCP with port specification");
}

/** `port[-port[/base]]`. */
function parsePorts(text: string, context: ReadContext): { readonly ports: Range; readonly offsetBase?: number } {
  const [span = "", base] = text.split("/");
  const [firstText = "", lastText] = span.split("-");
  const one = (word: string): number => {
    const port = parseInteger(word, 65535) ?? context.names.port(word, 0);
    if (port === undefined || port === 0) throw new XtablesError(`Port \`${word}' not valid`);
    return port;
  };
  const min = one(firstText);
  const max = lastText === undefined ? min : one(lastText);
  if (min > max) throw new XtablesError(`Port range \`${span}' funky`);
  return base === undefined ? { ports: { min, max } } : { ports: { min, max }, offsetBase: one(base) };
}

/** `[address[-address]][:ports]`. */
function readDestination(text: string, context: ReadContext): NatValue {
  const colon = text.indexOf(":");
  const addressText = colon < 0 ? text : text.slice(0, colon);
  let ports: { readonly ports: Range; readonly offsetBase?: number } | undefined;
  if (colon >= 0) {
    needPorts(context);
    ports = parsePorts(text.slice(colon + 1), context);
    if (addressText === "") return { addresses: undefined, ...ports };
  }
  const [firstText = "", lastText] = addressText.split("-");
  const min = parseIpv4Address(firstText);
  if (min === undefined) throw new XtablesError(`Bad IP address "${firstText}"`);
  const max = lastText === undefined ? min : parseIpv4Address(lastText);
  if (max === undefined) throw new XtablesError(`Bad IP address "${lastText}"`);
  return { addresses: { min, max }, ports: ports?.ports, ...(ports?.offsetBase === undefined ? {} : { offsetBase: ports.offsetBase }) };
}

function readPorts(text: string, context: ReadContext): NatValue {
  needPorts(context);
  return { addresses: undefined, ...parsePorts(text, context) };
}

function rangeOf(values: OptionValues, option: string): NatRange {
  const value = values.get<NatValue>(option) ?? { addresses: undefined, ports: undefined };
  return { ...value, isRandom: values.has("random"), isFullyRandom: values.has("random-fully"), isPersistent: values.has("persistent") };
}

function formatRange({ addresses, ports, offsetBase }: NatRange): string {
  let text = "";
  if (addresses !== undefined)
    text += addresses.min === addresses.max ? formatIpv4Address(addresses.min) : `${formatIpv4Address(addresses.min)}-${formatIpv4Address(addresses.max)}`;
  if (ports === undefined) return text;
  text += `:${formatPorts(ports)}`;
  return offsetBase === undefined ? text : `${text}/${offsetBase}`;
}

function formatPorts(ports: Range): string {
  return ports.min === ports.max ? String(ports.min) : `${ports.min}-${ports.max}`;
}

function formatFlags(range: NatRange, prefix: "--" | ""): string {
  return `${range.isRandom ? ` ${prefix}random` : ""}${range.isFullyRandom ? ` ${prefix}random-fully` : ""}${range.isPersistent ? ` ${prefix}persistent` : ""}`;
}

const FLAGS: readonly ExtensionOption[] = [
  { name: "random", hasArgument: false },
  { name: "random-fully", hasArgument: false },
  { name: "persistent", hasArgument: false },
];

function addressTarget(kind: "SNAT" | "DNAT", option: string): TargetExtension {
  return {
    name: kind,
    options: [
      { name: option, hasArgument: true, isMandatory: true, read: readDestination },
      ...(kind === "DNAT" ? FLAGS.filter(({ name }) => name !== "random-fully") : FLAGS),
    ],
    build: (values) => ({ kind, range: rangeOf(values, option) }),
    save: (target) => ` --${option} ${formatRange((target as Spec<RangeKind>).range)}${formatFlags((target as Spec<RangeKind>).range, "--")}`,
    print: (target) => ` to:${formatRange((target as Spec<RangeKind>).range)}${formatFlags((target as Spec<RangeKind>).range, "")}`,
  };
}

function portTarget(kind: "MASQUERADE" | "REDIRECT", label: string): TargetExtension {
  return {
    name: kind,
    options: [
      { name: "to-ports", hasArgument: true, read: readPorts },
      ...FLAGS.filter(({ name }) => name === "random" || (kind === "MASQUERADE" && name === "random-fully")),
    ],
    build: (values) => ({ kind, range: rangeOf(values, "to-ports") }),
    save: (target) => {
      const { range } = target as Spec<RangeKind>;
      return `${range.ports === undefined ? "" : ` --to-ports ${formatPorts(range.ports)}`}${formatFlags(range, "--")}`;
    },
    print: (target) => {
      const { range } = target as Spec<RangeKind>;
      return `${range.ports === undefined ? "" : ` ${label} ${formatPorts(range.ports)}`}${formatFlags(range, "")}`;
    },
  };
}

const netmap: TargetExtension = {
  name: "NETMAP",
  options: [
    {
      name: "to",
      hasArgument: true,
      isMandatory: true,
      read: (text) => {
        const [addressText = "", maskText = "32"] = text.split("/");
        const address = parseIpv4Address(addressText);
        const length = parseInteger(maskText, 32);
        const mask = parseIpv4Address(maskText) ?? (length === undefined ? undefined : prefixMask(length));
        if (address === undefined || mask === undefined) throw new XtablesError(`NETMAP: Bad value for "--to" option: "${text}"`);
        return { address: (address & mask) >>> 0, mask };
      },
    },
  ],
  build: (values) => ({ kind: "NETMAP", ...(values.get<{ address: number; mask: number }>("to") ?? { address: 0, mask: 0 }) }),
  save: (target) => ` --to ${formatNetwork(target as Spec<"NETMAP">)}`,
  print: (target) => ` to:${formatNetwork(target as Spec<"NETMAP">)}`,
};

function formatNetwork({ address, mask }: Spec<"NETMAP">): string {
  const length = maskPrefixLength(mask);
  if (length === undefined) return `${formatIpv4Address(address)}/${formatIpv4Address(mask)}`;
  return length === 32 ? formatIpv4Address(address) : `${formatIpv4Address(address)}/${length}`;
}

export const NAT_TARGETS: readonly TargetExtension[] = [
  addressTarget("SNAT", "to-source"),
  addressTarget("DNAT", "to-destination"),
  portTarget("MASQUERADE", "masq ports:"),
  portTarget("REDIRECT", "redir ports"),
  netmap,
];
