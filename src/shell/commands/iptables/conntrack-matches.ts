/**
 * Matches about connections: state, conntrack, connmark, connlimit, recent, ipvs.
 *
 * iptables v1.8.9 extensions/libxt_conntrack.c, libxt_connmark.c, libxt_connlimit.c, libxt_recent.c, libxt_ipvs.c.
 */

import { formatIpv4Address, parseIpv4Address } from "../../../base/ipv4-address.ts";
import type { AddressTest, ConntrackTest, IpvsTest, MatchSpec, Range, RangeTest, RecentTest, StateName, StatusName } from "../../../host/netfilter/rule.ts";
import { type ExtensionOption, type MatchExtension, type OptionValues, type ReadContext, XtablesError } from "./extension.ts";
import { formatMaskSuffix, hex, integerReader, type MarkValue, markReader, parseAddressTest, parseInteger, portRangeReader, rangeReader } from "./values.ts";

type Spec<K extends MatchSpec["kind"]> = MatchSpec & { readonly kind: K };

/** In the order in which they are printed. */
const STATES: readonly StateName[] = ["INVALID", "NEW", "RELATED", "ESTABLISHED", "UNTRACKED", "SNAT", "DNAT"];
const STATUSES: readonly StatusName[] = ["EXPECTED", "SEEN_REPLY", "ASSURED", "CONFIRMED"];

function parseStates(text: string, allowed: readonly StateName[], word: string): readonly StateName[] {
  const names = text.split(",");
  for (const name of names) {
    if (!allowed.some((known) => known === name.toUpperCase())) throw new XtablesError(`Bad ${word} "${text.slice(text.indexOf(name))}"`);
  }
  return allowed.filter((known) => names.some((name) => name.toUpperCase() === known));
}

const state: MatchExtension = {
  name: "state",
  options: [{ name: "state", hasArgument: true, canInvert: true, isMandatory: true, read: (text) => parseStates(text, STATES.slice(0, 5), "state") }],
  build: (values) => ({ kind: "state", names: values.get<readonly StateName[]>("state") ?? [], isInverted: values.isInverted("state") }),
  save: (match) => {
    const { names, isInverted } = match as Spec<"state">;
    return `${isInverted ? " !" : ""} --state ${inOrder(names)}`;
  },
  print: (match) => {
    const { names, isInverted } = match as Spec<"state">;
    return `${isInverted ? " !" : ""} state ${inOrder(names)}`;
  },
};

function inOrder(names: readonly StateName[]): string {
  return ["INVALID", "NEW", "RELATED", "ESTABLISHED", "UNTRACKED", "SNAT", "DNAT"].filter((name) => names.some((given) => given === name)).join(",");
}

/* --------------------------------------------------------------------------------------------------------------- conntrack */

function parseStatuses(text: string): readonly StatusName[] {
  const names = text.split(",").map((name) => name.toUpperCase());
  for (const name of names) if (name !== "NONE" && !STATUSES.some((known) => known === name)) throw new XtablesError(`Bad ctstatus "${text}"`);
  return names.includes("NONE") ? ["NONE"] : STATUSES.filter((known) => names.includes(known));
}

function readProtocol(text: string, context: ReadContext): number {
  const number = parseInteger(text, 255) ?? context.names.protocol(text);
  if (number === undefined) throw new XtablesError(`Protocol "${text}" does not resolve to anything.\n`);
  if (number === 0) throw new XtablesError(`conntrack: value "${text}" for option "--ctproto" is out of range.\n`);
  return number;
}

const ADDRESS_OPTIONS = [
  ["ctorigsrc", "originalSource"],
  ["ctorigdst", "originalDestination"],
  ["ctreplsrc", "replySource"],
  ["ctrepldst", "replyDestination"],
] as const;
const PORT_OPTIONS = [
  ["ctorigsrcport", "originalSourcePort"],
  ["ctorigdstport", "originalDestinationPort"],
  ["ctreplsrcport", "replySourcePort"],
  ["ctrepldstport", "replyDestinationPort"],
] as const;

const CONNTRACK_OPTIONS: readonly ExtensionOption[] = [
  { name: "ctstate", hasArgument: true, canInvert: true, read: (text) => parseStates(text, STATES, "ctstate") },
  { name: "ctproto", hasArgument: true, canInvert: true, read: readProtocol },
  ...ADDRESS_OPTIONS.map(
    ([name]): ExtensionOption => ({
      name,
      hasArgument: true,
      canInvert: true,
      read: (text, context) => parseAddressTest(text, context.isInverted, context.names),
    }),
  ),
  ...PORT_OPTIONS.map(([name]): ExtensionOption => ({ name, hasArgument: true, canInvert: true, read: portRangeReader() })),
  { name: "ctstatus", hasArgument: true, canInvert: true, read: (text) => parseStatuses(text) },
  { name: "ctexpire", hasArgument: true, canInvert: true, read: rangeReader("conntrack", "ctexpire", 0xffffffff) },
  {
    name: "ctdir",
    hasArgument: true,
    read: (text) => {
      const direction = text.toUpperCase();
      if (direction !== "ORIGINAL" && direction !== "REPLY") throw new XtablesError(`conntrack: Bad value for "--ctdir" option: "${text}"`);
      return direction;
    },
  },
];

function rangeTest(values: OptionValues, name: string): RangeTest | undefined {
  const range = values.get<Range>(name);
  return range === undefined ? undefined : { min: range.min, max: range.max, isInverted: values.isInverted(name) };
}

function buildConntrack(values: OptionValues): MatchSpec {
  const test: { -readonly [K in keyof ConntrackTest]: ConntrackTest[K] } = {};
  let isEmpty = true;
  const put = <K extends keyof ConntrackTest>(key: K, value: ConntrackTest[K] | undefined): void => {
    if (value === undefined) return;
    test[key] = value;
    isEmpty = false;
  };
  const named = <T>(name: string): { readonly names: readonly T[]; readonly isInverted: boolean } | undefined => {
    const names = values.get<readonly T[]>(name);
    return names === undefined ? undefined : { names, isInverted: values.isInverted(name) };
  };
  put("states", named<StateName>("ctstate"));
  const protocol = values.get<number>("ctproto");
  put("protocol", protocol === undefined ? undefined : { number: protocol, isInverted: values.isInverted("ctproto") });
  for (const [option, key] of ADDRESS_OPTIONS) put(key, values.get<AddressTest>(option));
  for (const [option, key] of PORT_OPTIONS) put(key, rangeTest(values, option));
  put("status", named<StatusName>("ctstatus"));
  put("expires", rangeTest(values, "ctexpire"));
  put("direction", values.get<"ORIGINAL" | "REPLY">("ctdir"));
  if (isEmpty) throw new XtablesError("conntrack: At least one option is required");
  return { kind: "conntrack", test };
}

/** `prefix` is `--` in a saved rule and empty in a listing. */
function formatConntrack(test: ConntrackTest, prefix: "--" | ""): string {
  let text = "";
  const add = (name: string, value: string, isInverted: boolean): void => {
    text += `${isInverted ? " !" : ""} ${prefix}${name} ${value}`;
  };
  const range = ({ min, max }: Range): string => (min === max ? String(min) : `${min}:${max}`);
  if (test.states !== undefined) add("ctstate", inOrder(test.states.names), test.states.isInverted);
  if (test.protocol !== undefined) add("ctproto", String(test.protocol.number), test.protocol.isInverted);
  for (const [name, key] of ADDRESS_OPTIONS) {
    const address = test[key];
    if (address !== undefined) add(name, formatIpv4Address(address.address) + formatMaskSuffix(address.mask), address.isInverted);
  }
  for (const [name, key] of PORT_OPTIONS) {
    const ports = test[key];
    if (ports !== undefined) add(name, range(ports), ports.isInverted);
  }
  if (test.status !== undefined) add("ctstatus", test.status.names.join(","), test.status.isInverted);
  if (test.expires !== undefined) add("ctexpire", range(test.expires), test.expires.isInverted);
  if (test.direction !== undefined) add("ctdir", test.direction, false);
  return text;
}

const conntrack: MatchExtension = {
  name: "conntrack",
  options: CONNTRACK_OPTIONS,
  build: buildConntrack,
  save: (match) => formatConntrack((match as Spec<"conntrack">).test, "--"),
  print: (match) => formatConntrack((match as Spec<"conntrack">).test, ""),
};

/* ------------------------------------------------------------------------------------------------------ connmark, connlimit */

const connmark: MatchExtension = {
  name: "connmark",
  options: [{ name: "mark", hasArgument: true, canInvert: true, isMandatory: true, read: markReader("connmark", "mark") }],
  build: (values) => {
    const { value, mask } = values.get<MarkValue>("mark") ?? { value: 0, mask: 0xffffffff };
    return { kind: "connmark", mark: value, mask, isInverted: values.isInverted("mark") };
  },
  save: (match) => {
    const { mark, mask, isInverted } = match as Spec<"connmark">;
    return `${isInverted ? " !" : ""} --mark ${hex(mark)}${mask === 0xffffffff ? "" : `/${hex(mask)}`}`;
  },
  print: (match) => {
    const { mark, mask, isInverted } = match as Spec<"connmark">;
    return ` connmark match ${isInverted ? "!" : ""} ${hex(mark)}${mask === 0xffffffff ? "" : `/${hex(mask)}`}`;
  },
};

const connlimit: MatchExtension = {
  name: "connlimit",
  options: [
    {
      name: "connlimit-upto",
      hasArgument: true,
      canInvert: true,
      excludes: ["connlimit-above"],
      read: integerReader("connlimit", "connlimit-upto", 0, 0xffffffff),
    },
    {
      name: "connlimit-above",
      hasArgument: true,
      canInvert: true,
      excludes: ["connlimit-upto"],
      read: integerReader("connlimit", "connlimit-above", 0, 0xffffffff),
    },
    { name: "connlimit-mask", hasArgument: true, read: integerReader("connlimit", "connlimit-mask", 0, 32) },
    { name: "connlimit-saddr", hasArgument: false, excludes: ["connlimit-daddr"] },
    { name: "connlimit-daddr", hasArgument: false, excludes: ["connlimit-saddr"] },
  ],
  build: (values) => {
    const upTo = values.get<number>("connlimit-upto");
    const above = values.get<number>("connlimit-above");
    if (upTo === undefined && above === undefined) throw new XtablesError('You must specify "--connlimit-above" or "--connlimit-upto".');
    const isUpTo = upTo === undefined ? values.isInverted("connlimit-above") : !values.isInverted("connlimit-upto");
    return {
      kind: "connlimit",
      limit: upTo ?? above ?? 0,
      prefixLength: values.get<number>("connlimit-mask") ?? 32,
      isUpTo,
      isDestination: values.has("connlimit-daddr"),
    };
  },
  save: (match) => {
    const spec = match as Spec<"connlimit">;
    return ` --connlimit-${spec.isUpTo ? "upto" : "above"} ${spec.limit} --connlimit-mask ${spec.prefixLength} --connlimit-${spec.isDestination ? "d" : "s"}addr`;
  },
  print: (match) => {
    const spec = match as Spec<"connlimit">;
    return ` #conn ${spec.isDestination ? "dst" : "src"}/${spec.prefixLength} ${spec.isUpTo ? "<=" : ">"} ${spec.limit}`;
  },
};

/* ------------------------------------------------------------------------------------------------------------------ recent */

const RECENT_ACTIONS = ["set", "rcheck", "update", "remove"] as const;

const recent: MatchExtension = {
  name: "recent",
  options: [
    ...RECENT_ACTIONS.map(
      (name): ExtensionOption => ({ name, hasArgument: false, canInvert: true, excludes: RECENT_ACTIONS.filter((other) => other !== name) }),
    ),
    { name: "seconds", hasArgument: true, read: integerReader("recent", "seconds", 1, 0xffffffff) },
    { name: "reap", hasArgument: false, requires: "seconds" },
    { name: "hitcount", hasArgument: true, read: integerReader("recent", "hitcount", 0, 0xffffffff) },
    { name: "rttl", hasArgument: false },
    { name: "name", hasArgument: true },
    { name: "rsource", hasArgument: false },
    { name: "rdest", hasArgument: false },
    {
      name: "mask",
      hasArgument: true,
      read: (text) => {
        const mask = parseIpv4Address(text);
        if (mask === undefined) throw new XtablesError(`Bad value "${text}" for option --mask`);
        return mask;
      },
    },
  ],
  build: (values) => {
    const action = RECENT_ACTIONS.find((name) => values.has(name));
    if (action === undefined) throw new XtablesError("recent: you must specify one of `--set', `--rcheck' `--update' or `--remove'");
    const test: RecentTest = {
      name: values.get<string>("name") ?? "DEFAULT",
      action,
      isInverted: values.isInverted(action),
      seconds: values.get<number>("seconds") ?? 0,
      hitCount: values.get<number>("hitcount") ?? 0,
      isTtl: values.has("rttl"),
      isReap: values.has("reap"),
      side: values.has("rdest") ? "dest" : "source",
      mask: values.get<number>("mask") ?? 0xffffffff,
    };
    return { kind: "recent", test };
  },
  save: (match) => {
    const { test } = match as Spec<"recent">;
    let text = `${test.isInverted ? " !" : ""} --${test.action}`;
    if (test.seconds > 0) text += ` --seconds ${test.seconds}`;
    if (test.isReap) text += " --reap";
    if (test.hitCount > 0) text += ` --hitcount ${test.hitCount}`;
    if (test.isTtl) text += " --rttl";
    return `${text} --name ${test.name} --mask ${formatIpv4Address(test.mask)} --r${test.side}`;
  },
  print: (match) => {
    const { test } = match as Spec<"recent">;
    const words = { set: "SET", rcheck: "CHECK", update: "UPDATE", remove: "REMOVE" };
    let text = `${test.isInverted ? " !" : ""} recent: ${words[test.action]}`;
    if (test.seconds > 0) text += ` seconds: ${test.seconds}`;
    if (test.isReap) text += " reap";
    if (test.hitCount > 0) text += ` hit_count: ${test.hitCount}`;
    if (test.isTtl) text += " TTL-Match";
    return `${text} name: ${test.name} side: ${test.side} mask: ${formatIpv4Address(test.mask)}`;
  },
};

/* -------------------------------------------------------------------------------------------------------------------- ipvs */

function readIpvsPort(text: string, context: ReadContext): number {
  const port = parseInteger(text, 65535) ?? context.names.port(text, 0);
  if (port === undefined) throw new XtablesError(`Port "${text}" does not resolve to anything.\n`);
  return port;
}

const IPVS_OPTIONS: readonly ExtensionOption[] = [
  { name: "ipvs", hasArgument: false, canInvert: true },
  { name: "vproto", hasArgument: true, canInvert: true, read: readProtocol },
  { name: "vaddr", hasArgument: true, canInvert: true, read: (text, context) => parseAddressTest(text, context.isInverted, context.names) },
  { name: "vport", hasArgument: true, canInvert: true, read: readIpvsPort },
  {
    name: "vdir",
    hasArgument: true,
    read: (text) => {
      if (text !== "ORIGINAL" && text !== "REPLY") throw new XtablesError(`ipvs: Bad value for "--vdir" option: "${text}"`);
      return text;
    },
  },
  {
    name: "vmethod",
    hasArgument: true,
    canInvert: true,
    read: (text) => {
      if (!["GATE", "IPIP", "MASQ"].includes(text)) throw new XtablesError(`ipvs: Bad value for "--vmethod" option: "${text}"`);
      return text;
    },
  },
  { name: "vportctl", hasArgument: true, canInvert: true, read: readIpvsPort },
];

function formatIpvs(test: IpvsTest, prefix: "--" | ""): string {
  let text = "";
  const add = (name: string, value: string, isInverted: boolean): void => {
    text += `${isInverted ? " !" : ""} ${prefix}${name}${value}`;
  };
  if (
    test.protocol === undefined &&
    test.address === undefined &&
    test.port === undefined &&
    test.direction === undefined &&
    test.method === undefined &&
    test.controlPort === undefined
  )
    add("ipvs", "", !test.isIpvs);
  if (test.protocol !== undefined) add("vproto", ` ${test.protocol.number}`, test.protocol.isInverted);
  if (test.address !== undefined) add("vaddr", ` ${formatIpv4Address(test.address.address)}${formatMaskSuffix(test.address.mask)}`, test.address.isInverted);
  if (test.port !== undefined) add("vport", ` ${test.port.number}`, test.port.isInverted);
  if (test.direction !== undefined) add("vdir", ` ${test.direction}`, false);
  if (test.method !== undefined) add("vmethod", ` ${test.method.name}`, test.method.isInverted);
  if (test.controlPort !== undefined) add("vportctl", ` ${test.controlPort.number}`, test.controlPort.isInverted);
  return text;
}

const ipvs: MatchExtension = {
  name: "ipvs",
  options: IPVS_OPTIONS,
  build: (values) => {
    if (!IPVS_OPTIONS.some(({ name }) => values.has(name))) throw new XtablesError("IPVS: At least one option is required");
    const numbered = (name: string): { readonly number: number; readonly isInverted: boolean } | undefined => {
      const number = values.get<number>(name);
      return number === undefined ? undefined : { number, isInverted: values.isInverted(name) };
    };
    const address = values.get<AddressTest>("vaddr");
    const protocol = numbered("vproto");
    const port = numbered("vport");
    const controlPort = numbered("vportctl");
    const direction = values.get<"ORIGINAL" | "REPLY">("vdir");
    const method = values.get<"GATE" | "IPIP" | "MASQ">("vmethod");
    const test: IpvsTest = {
      isIpvs: !values.isInverted("ipvs"),
      ...(protocol === undefined ? {} : { protocol }),
      ...(address === undefined ? {} : { address }),
      ...(port === undefined ? {} : { port }),
      ...(direction === undefined ? {} : { direction }),
      ...(method === undefined ? {} : { method: { name: method, isInverted: values.isInverted("vmethod") } }),
      ...(controlPort === undefined ? {} : { controlPort }),
    };
    return { kind: "ipvs", test };
  },
  save: (match) => formatIpvs((match as Spec<"ipvs">).test, "--"),
  print: (match) => formatIpvs((match as Spec<"ipvs">).test, ""),
};

export const CONNTRACK_MATCHES: readonly MatchExtension[] = [state, conntrack, connmark, connlimit, recent, ipvs];
