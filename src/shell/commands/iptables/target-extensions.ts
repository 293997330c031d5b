/**
 * Targets with options: REJECT, LOG, MARK, CONNMARK, CT, NOTRACK, TTL, TOS, DSCP, TCPMSS. NAT targets are in nat-targets.ts.
 *
 * iptables v1.8.9 extensions/libipt_REJECT.c, libxt_{LOG,MARK,CONNMARK,CT,TOS,DSCP,TCPMSS}.c, libipt_TTL.c.
 */

import type { LogOptions, RejectWith, TargetSpec } from "../../../host/netfilter/rule.ts";
import { type ExtensionOption, type OptionValues, type TargetExtension, XtablesError } from "./extension.ts";
import { formatDscp, parseDscpClass, parseTos, TOS_NAMES, type TosValue } from "./tos-values.ts";
import { hex, hexPadded, integerReader, type MarkValue, markReader, parseInteger, quoteSaved } from "./values.ts";

type Spec<K extends TargetSpec["kind"]> = TargetSpec & { readonly kind: K };

/* ------------------------------------------------------------------------------------------------------------------ REJECT */

const REJECTS: readonly (readonly [RejectWith, string])[] = [
  ["icmp-net-unreachable", "net-unreach"],
  ["icmp-host-unreachable", "host-unreach"],
  ["icmp-proto-unreachable", "proto-unreach"],
  ["icmp-port-unreachable", "port-unreach"],
  ["icmp-net-prohibited", "net-prohib"],
  ["icmp-host-prohibited", "host-prohib"],
  ["tcp-reset", "tcp-rst"],
  ["icmp-admin-prohibited", "admin-prohib"],
];

const reject: TargetExtension = {
  name: "REJECT",
  options: [
    {
      name: "reject-with",
      hasArgument: true,
      read: (text, context) => {
        const lower = text.toLowerCase();
        const found = REJECTS.find(([name, alias]) => name.startsWith(lower) || alias.startsWith(lower));
        if (found !== undefined && lower !== "") return found[0];
        if (lower === "echo-reply" || lower === "echoreply") context.warn(`--reject-with ${text} no longer supported\n`);
        throw new XtablesError(`unknown reject type "${text}"`);
      },
    },
  ],
  build: (values) => ({ kind: "REJECT", with: values.get<RejectWith>("reject-with") ?? "icmp-port-unreachable" }),
  save: (target) => ` --reject-with ${(target as Spec<"REJECT">).with}`,
  print: (target) => ` reject-with ${(target as Spec<"REJECT">).with}`,
};

/* --------------------------------------------------------------------------------------------------------------------- LOG */

const LEVELS: readonly (readonly [string, number])[] = [
  ["alert", 1],
  ["crit", 2],
  ["debug", 7],
  ["emerg", 0],
  ["error", 3],
  ["info", 6],
  ["notice", 5],
  ["panic", 0],
  ["warn", 4],
  ["warning", 4],
  ["err", 3],
];
const LEVEL_NAMES = ["emerg", "alert", "crit", "error", "warn", "notice", "info", "debug"];
const PREFIX_MAX = 29;
const DEFAULT_LEVEL = 4;

const LOG_FLAGS: readonly (readonly [string, keyof LogOptions, string, number])[] = [
  ["log-tcp-sequence", "tcpSequence", "tcp-sequence", 1],
  ["log-tcp-options", "tcpOptions", "tcp-options", 2],
  ["log-ip-options", "ipOptions", "ip-options", 4],
  ["log-uid", "uid", "uid", 8],
  ["log-macdecode", "macDecode", "macdecode", 32],
];

function readLevel(text: string): number {
  const number = parseInteger(text, 7);
  if (number !== undefined) return number;
  const found = LEVELS.find(([name]) => name === text.toLowerCase());
  if (found === undefined) throw new XtablesError(`log level "${text}" unknown\n`);
  return found[1];
}

const log: TargetExtension = {
  name: "LOG",
  options: [
    { name: "log-level", hasArgument: true, read: (text) => readLevel(text) },
    {
      name: "log-prefix",
      hasArgument: true,
      read: (text) => {
        if (text === "") throw new XtablesError("Argument must have a minimum length of 1 characters\n");
        if (text.includes("\n")) throw new XtablesError("Newlines not allowed in --log-prefix");
        return text.slice(0, PREFIX_MAX);
      },
    },
    ...LOG_FLAGS.map(([name]): ExtensionOption => ({ name, hasArgument: false })),
  ],
  build: (values) => ({
    kind: "LOG",
    level: values.get<number>("log-level") ?? DEFAULT_LEVEL,
    prefix: values.get<string>("log-prefix") ?? "",
    tcpSequence: values.has("log-tcp-sequence"),
    tcpOptions: values.has("log-tcp-options"),
    ipOptions: values.has("log-ip-options"),
    uid: values.has("log-uid"),
    macDecode: values.has("log-macdecode"),
  }),
  save: (target) => {
    const spec = target as Spec<"LOG">;
    let text = spec.prefix === "" ? "" : ` --log-prefix ${quoteSaved(spec.prefix)}`;
    if (spec.level !== DEFAULT_LEVEL) text += ` --log-level ${spec.level}`;
    for (const [option, key] of LOG_FLAGS) if (spec[key] === true) text += ` --${option}`;
    return text;
  },
  print: (target, context) => {
    const spec = target as Spec<"LOG">;
    let text = ` LOG`;
    if (context.isNumeric) text += ` flags ${LOG_FLAGS.reduce((sum, [, key, , bit]) => sum + (spec[key] === true ? bit : 0), 0)} level ${spec.level}`;
    else {
      text += ` level ${LEVEL_NAMES[spec.level] ?? "UNKNOWN"}`;
      for (const [, key, word] of LOG_FLAGS) if (spec[key] === true) text += ` ${word}`;
    }
    return spec.prefix === "" ? text : `${text} prefix "${spec.prefix}"`;
  },
};

/* ---------------------------------------------------------------------------------------------------------- MARK, CONNMARK */

const MARK_OPERATIONS = ["set-xmark", "set-mark", "and-mark", "or-mark", "xor-mark"] as const;

/** Each way to say it as the value that is XORed and the bits that are cleared before. */
function xmarkOf(operation: string, given: MarkValue): MarkValue {
  switch (operation) {
    case "set-mark":
      return { value: given.value, mask: (given.value | given.mask) >>> 0 };
    case "and-mark":
      return { value: 0, mask: ~given.value >>> 0 };
    case "or-mark":
      return { value: given.value, mask: given.value };
    case "xor-mark":
      return { value: given.value, mask: 0 };
    default:
      return given;
  }
}

function markOptions(extension: string, exclusive: readonly string[]): ExtensionOption[] {
  return MARK_OPERATIONS.map((name) => ({
    name,
    hasArgument: true,
    excludes: exclusive.filter((other) => other !== name),
    read: name.startsWith("set") ? markReader(extension, name) : (text): MarkValue => ({ value: markReader(extension, name)(text).value, mask: 0xffffffff }),
  }));
}

function printXmark({ value, mask }: MarkValue): string {
  if (value === 0) return ` and ${hex(~mask >>> 0)}`;
  if (value === mask) return ` or ${hex(value)}`;
  if (mask === 0) return ` xor ${hex(value)}`;
  return mask === 0xffffffff ? ` set ${hex(value)}` : ` xset ${hex(value)}/${hex(mask)}`;
}

const mark: TargetExtension = {
  name: "MARK",
  options: markOptions("MARK", MARK_OPERATIONS),
  build: (values) => {
    const operation = MARK_OPERATIONS.find((name) => values.has(name));
    if (operation === undefined) throw new XtablesError("MARK: One of the --set-xmark, --{and,or,xor,set}-mark options is required");
    return { kind: "MARK", ...xmarkOf(operation, values.get<MarkValue>(operation) ?? { value: 0, mask: 0 }) };
  },
  save: (target) => {
    const { value, mask } = target as Spec<"MARK">;
    return ` --set-xmark ${hex(value)}/${hex(mask)}`;
  },
  print: (target) => ` MARK${printXmark(target as Spec<"MARK">)}`,
};

const CONNMARK_MODES = ["save-mark", "restore-mark"] as const;
const CONNMARK_ALL: readonly string[] = [...MARK_OPERATIONS, ...CONNMARK_MODES];

function maskOption(name: string, excludes: readonly string[]): ExtensionOption {
  return {
    name,
    hasArgument: true,
    excludes,
    read: (text) => {
      const value = parseInteger(text);
      if (value === undefined) throw new XtablesError(`CONNMARK: bad value for option "--${name}", or out of range (0-4294967295).\n`);
      return value;
    },
  };
}

function buildConnmark(values: OptionValues): TargetSpec {
  const operation = MARK_OPERATIONS.find((name) => values.has(name));
  if (operation !== undefined) {
    const { value, mask } = xmarkOf(operation, values.get<MarkValue>(operation) ?? { value: 0, mask: 0 });
    return { kind: "CONNMARK", mode: "set", value, connectionMask: mask, packetMask: 0xffffffff };
  }
  const mode = values.has("save-mark") ? "save" : values.has("restore-mark") ? "restore" : undefined;
  if (mode === undefined) throw new XtablesError("CONNMARK target: No operation specified");
  const both = values.get<number>("mask");
  return {
    kind: "CONNMARK",
    mode,
    value: 0,
    connectionMask: both ?? values.get<number>("ctmask") ?? 0xffffffff,
    packetMask: both ?? values.get<number>("nfmask") ?? 0xffffffff,
  };
}

const connmark: TargetExtension = {
  name: "CONNMARK",
  options: [
    ...markOptions("CONNMARK", CONNMARK_ALL),
    ...CONNMARK_MODES.map((name): ExtensionOption => ({ name, hasArgument: false, excludes: CONNMARK_ALL.filter((other) => other !== name) })),
    maskOption("ctmask", ["mask"]),
    maskOption("nfmask", ["mask"]),
    maskOption("mask", ["ctmask", "nfmask"]),
  ],
  build: buildConnmark,
  save: (target) => {
    const { mode, value, connectionMask, packetMask } = target as Spec<"CONNMARK">;
    if (mode === "set") return ` --set-xmark ${hex(value)}/${hex(connectionMask)}`;
    return ` --${mode}-mark --nfmask ${hex(packetMask)} --ctmask ${hex(connectionMask)}`;
  },
  print: (target) => {
    const { mode, value, connectionMask, packetMask } = target as Spec<"CONNMARK">;
    if (mode === "set") return ` CONNMARK${printXmark({ value, mask: connectionMask })}`;
    if (packetMask === 0xffffffff && connectionMask === 0xffffffff) return ` CONNMARK ${mode}`;
    if (packetMask === connectionMask) return ` CONNMARK ${mode} mask ${hex(packetMask)}`;
    return mode === "save"
      ? ` CONNMARK save nfmask ${hex(packetMask)} ctmask ~${hex(connectionMask)}`
      : ` CONNMARK restore ctmask ${hex(connectionMask)} nfmask ~${hex(packetMask)}`;
  },
};

/* ------------------------------------------------------------------------------------------------------------- CT, NOTRACK */

const UNSIMULATED_CT = ["helper", "timeout", "ctevents", "expevents", "zone-orig", "zone-reply", "zone"];

const ct: TargetExtension = {
  name: "CT",
  options: [
    { name: "notrack", hasArgument: false },
    ...UNSIMULATED_CT.map(
      (name): ExtensionOption => ({
        name,
        hasArgument: true,
        read: () => {
          throw new XtablesError(`the simulator does not support "-j CT --${name}"`);
        },
      }),
    ),
  ],
  build: (values) => ({ kind: "CT", alias: "CT", isNoTrack: values.has("notrack") }),
  save: (target) => ((target as Spec<"CT">).isNoTrack ? " --notrack" : ""),
  print: (target) => ` CT${(target as Spec<"CT">).isNoTrack ? " notrack" : ""}`,
};

const notrack: TargetExtension = {
  name: "NOTRACK",
  options: [],
  build: () => ({ kind: "CT", alias: "NOTRACK", isNoTrack: true }),
  save: () => "",
  print: () => " NOTRACK",
};

/* ----------------------------------------------------------------------------------------------------------- TTL, TOS, DSCP */

const TTL_MODES = ["set", "dec", "inc"] as const;

const ttl: TargetExtension = {
  name: "TTL",
  options: TTL_MODES.map(
    (mode): ExtensionOption => ({
      name: `ttl-${mode}`,
      hasArgument: true,
      excludes: TTL_MODES.filter((other) => other !== mode).map((other) => `ttl-${other}`),
      read: integerReader("TTL", `ttl-${mode}`, mode === "set" ? 0 : 1, 255),
    }),
  ),
  build: (values) => {
    const mode = TTL_MODES.find((known) => values.has(`ttl-${known}`));
    if (mode === undefined) throw new XtablesError("TTL: You must specify an action");
    return { kind: "TTL", mode, value: values.get<number>(`ttl-${mode}`) ?? 0 };
  },
  save: (target) => {
    const { mode, value } = target as Spec<"TTL">;
    return ` --ttl-${mode} ${value}`;
  },
  print: (target) => {
    const { mode, value } = target as Spec<"TTL">;
    return ` TTL ${mode === "set" ? "set to" : mode === "dec" ? "decrement by" : "increment by"} ${value}`;
  },
};

const TOS_OPERATIONS = ["set-tos", "and-tos", "or-tos", "xor-tos"] as const;

const tos: TargetExtension = {
  name: "TOS",
  options: TOS_OPERATIONS.map(
    (name): ExtensionOption => ({
      name,
      hasArgument: true,
      excludes: TOS_OPERATIONS.filter((other) => other !== name),
      read:
        name === "set-tos"
          ? (text): TosValue => parseTos(text, "TOS", name)
          : (text): TosValue => ({ value: integerReader("TOS", name, 0, 255)(text), mask: 255 }),
    }),
  ),
  build: (values) => {
    const operation = TOS_OPERATIONS.find((name) => values.has(name));
    const given = operation === undefined ? undefined : values.get<TosValue>(operation);
    if (operation === undefined || given === undefined) throw new XtablesError("TOS: An action is required");
    if (operation === "and-tos") return { kind: "TOS", value: 0, mask: ~given.value & 255 };
    if (operation === "or-tos") return { kind: "TOS", value: given.value, mask: given.value };
    return operation === "xor-tos" ? { kind: "TOS", value: given.value, mask: 0 } : { kind: "TOS", value: given.value, mask: given.mask };
  },
  save: (target) => {
    const { value, mask } = target as Spec<"TOS">;
    return ` --set-tos ${hexPadded(value)}/${hexPadded(mask)}`;
  },
  print: (target, context) => {
    const { value, mask } = target as Spec<"TOS">;
    if (context.isNumeric) return ` TOS set ${hexPadded(value)}/${hexPadded(mask)}`;
    const name = mask === 0x3f ? TOS_NAMES.get(value) : undefined;
    if (name !== undefined) return `  TOS set${name}`;
    if (mask === 255) return ` TOS set ${hexPadded(value)}/${hexPadded(mask)}`;
    if (value === 0) return ` TOS and ${hexPadded(~mask & 255)}`;
    if (value === mask) return ` TOS or ${hexPadded(value)}`;
    return mask === 0 ? ` TOS xor ${hexPadded(value)}` : ` TOS set ${hexPadded(value)}/${hexPadded(mask)}`;
  },
};

const dscp: TargetExtension = {
  name: "DSCP",
  options: [
    { name: "set-dscp", hasArgument: true, excludes: ["set-dscp-class"], read: integerReader("DSCP", "set-dscp", 0, 63) },
    { name: "set-dscp-class", hasArgument: true, excludes: ["set-dscp"], read: (text) => parseDscpClass(text) },
  ],
  build: (values) => {
    const value = values.get<number>("set-dscp") ?? values.get<number>("set-dscp-class");
    if (value === undefined) throw new XtablesError("DSCP target: Parameter --set-dscp is required");
    return { kind: "DSCP", value };
  },
  save: (target) => ` --set-dscp ${formatDscp((target as Spec<"DSCP">).value)}`,
  print: (target) => ` DSCP set ${formatDscp((target as Spec<"DSCP">).value)}`,
};

const tcpmss: TargetExtension = {
  name: "TCPMSS",
  options: [
    { name: "set-mss", hasArgument: true, excludes: ["clamp-mss-to-pmtu"], read: integerReader("TCPMSS", "set-mss", 0, 65495) },
    { name: "clamp-mss-to-pmtu", hasArgument: false, excludes: ["set-mss"] },
  ],
  build: (values) => {
    const mss = values.has("clamp-mss-to-pmtu") ? ("clamp" as const) : values.get<number>("set-mss");
    if (mss === undefined) throw new XtablesError("TCPMSS target: At least one parameter is required");
    return { kind: "TCPMSS", mss };
  },
  save: (target) => {
    const { mss } = target as Spec<"TCPMSS">;
    return mss === "clamp" ? " --clamp-mss-to-pmtu" : ` --set-mss ${mss}`;
  },
  print: (target) => {
    const { mss } = target as Spec<"TCPMSS">;
    return mss === "clamp" ? " TCPMSS clamp to PMTU" : ` TCPMSS set ${mss}`;
  },
};

export const PLAIN_TARGETS: readonly TargetExtension[] = [reject, log, mark, connmark, ct, notrack, ttl, tos, dscp, tcpmss];
