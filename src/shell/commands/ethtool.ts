/**
 * ethtool: what the driver of a device says about it.
 *
 * ethtool 6.1 ethtool.c, netlink/settings.c, netlink/features.c; Linux v6.1 drivers/net/veth.c. Offload is off on cables, as in the reference
 * laboratory. Not modelled: changes that would have an effect.
 */

import type { NetDevice } from "../../host/device.ts";
import type { Command, CommandContext } from "../command.ts";
import { CommandExit } from "./short-options.ts";

const USAGE_HINT = "ethtool: bad command line argument(s)\nFor more information run ethtool -h\n";
const NO_DEVICE = "netlink error: no device matches name (offset 24)\nnetlink error: No such device\n";
/** Requests that a device without a driver for them answers alike. */
const NO_DATA_EXIT = 75;
/** Settings, modes, state of the link, wake-on-LAN, debugging: each asks for the device by itself. */
const SETTINGS_REQUESTS = 5;

/** Name, on cables, on lo: + on, - off, ! fixed; > stands for a tab. */
const FEATURES = `
rx-checksumming - +!
tx-checksumming - +
>tx-checksum-ipv4 -! -!
>tx-checksum-ip-generic - +!
>tx-checksum-ipv6 -! -!
>tx-checksum-fcoe-crc -! -!
>tx-checksum-sctp - +!
scatter-gather - +
>tx-scatter-gather - +!
>tx-scatter-gather-fraglist - +!
tcp-segmentation-offload - +
>tx-tcp-segmentation - +
>tx-tcp-ecn-segmentation - +
>tx-tcp-mangleid-segmentation - +
>tx-tcp6-segmentation - +
generic-segmentation-offload - +
generic-receive-offload - +
large-receive-offload -! -!
rx-vlan-offload + -!
tx-vlan-offload + -!
ntuple-filters -! -!
receive-hashing -! -!
highdma + +!
rx-vlan-filter -! -!
vlan-challenged -! +!
tx-lockless +! +!
netns-local -! +!
tx-gso-robust -! -!
tx-fcoe-segmentation -! -!
tx-gre-segmentation + -!
tx-gre-csum-segmentation + -!
tx-ipxip4-segmentation + -!
tx-ipxip6-segmentation + -!
tx-udp_tnl-segmentation + -!
tx-udp_tnl-csum-segmentation + -!
tx-gso-partial -! -!
tx-tunnel-remcsum-segmentation -! -!
tx-sctp-segmentation + +
tx-esp-segmentation -! -!
tx-udp-segmentation + +
tx-gso-list + +
fcoe-mtu -! -!
tx-nocache-copy - -!
loopback -! +!
rx-fcs -! -!
rx-all -! -!
tx-vlan-stag-hw-insert + -!
rx-vlan-stag-hw-parse + -!
rx-vlan-stag-filter -! -!
l2-fwd-offload -! -!
hw-tc-offload -! -!
esp-hw-offload -! -!
esp-tx-csum-hw-offload -! -!
rx-udp_tunnel-port-offload -! -!
tls-hw-tx-offload -! -!
tls-hw-rx-offload -! -!
rx-gro-hw -! -!
tls-hw-record -! -!
rx-gro-list - -
macsec-hw-offload -! -!
rx-udp-gro-forwarding - -
hsr-tag-ins-offload -! -!
hsr-tag-rm-offload -! -!
hsr-fwd-offload -! -!
hsr-dup-offload -! -!
`
  .trim()
  .split("\n")
  .map((line) => {
    const [name = "", cable = "", loopback = ""] = line.split(" ");
    return { name: name.replace(">", "\t"), cable, loopback };
  });

/** Old names, as -K and -k know them. */
const ALIASES: Readonly<Record<string, string>> = {
  rx: "rx-checksumming",
  tx: "tx-checksumming",
  sg: "scatter-gather",
  tso: "tcp-segmentation-offload",
  gso: "generic-segmentation-offload",
  gro: "generic-receive-offload",
  lro: "large-receive-offload",
  rxvlan: "rx-vlan-offload",
  txvlan: "tx-vlan-offload",
  ntuple: "ntuple-filters",
  rxhash: "receive-hashing",
};

const LONG_OPTIONS: Readonly<Record<string, string>> = {
  "--driver": "-i",
  "--show-features": "-k",
  "--show-offload": "-k",
  "--features": "-K",
  "--offload": "-K",
  "--statistics": "-S",
  "--show-permaddr": "-P",
  "--show-channels": "-l",
  "--show-ring": "-g",
  "--show-coalesce": "-c",
  "--show-pause": "-a",
  "--module-info": "-m",
  "--show-eee": "--show-eee",
  "--show-time-stamping": "-T",
  "--negotiate": "-r",
  "--identify": "-p",
};

function settings(device: NetDevice): string {
  if (device.kind !== "ether") return "";
  return `\tSupported ports: [  ]
\tSupported link modes:   Not reported
\tSupported pause frame use: No
\tSupports auto-negotiation: No
\tSupported FEC modes: Not reported
\tAdvertised link modes:  Not reported
\tAdvertised pause frame use: No
\tAdvertised auto-negotiation: No
\tAdvertised FEC modes: Not reported
\tSpeed: 10000Mb/s
\tDuplex: Full
\tAuto-negotiation: off
\tPort: Twisted Pair
\tPHYAD: 0
\tTransceiver: internal
\tMDI-X: Unknown
`;
}

function showSettings(context: CommandContext, name: string): number {
  const device = context.machine.host.devices.byName(name);
  if (device === undefined) context.stderr.write(NO_DEVICE.repeat(SETTINGS_REQUESTS));
  const tellsLink = device?.kind === "ether" || device?.kind === "loopback";
  if (device === undefined || !tellsLink) {
    context.stdout.write("No data available\n");
    return NO_DATA_EXIT;
  }
  context.stdout.write(`Settings for ${name}:\n${settings(device)}\tLink detected: ${device.isUp && device.hasCarrier ? "yes" : "no"}\n`);
  return 0;
}

/** What each kind of device is called by its driver; lo has none that would say. */
function driverOf(context: CommandContext, device: NetDevice): { readonly name: string; readonly version: string } | undefined {
  const { release } = context.machine.host.options;
  switch (device.kind) {
    case "loopback":
      return undefined;
    case "ether":
      return device.lower === undefined ? { name: "veth", version: "1.0" } : { name: "macvlan", version: "0.1" };
    case "tunnel":
      return { name: "ipip", version: release };
    default:
      return { name: device.kind, version: release };
  }
}

function showDriver(context: CommandContext, name: string): number {
  const device = context.machine.host.devices.byName(name);
  const driver = device === undefined ? undefined : driverOf(context, device);
  if (driver === undefined) {
    throw new CommandExit(71, `Cannot get driver information: ${device === undefined ? "No such device" : "Operation not supported"}\n`);
  }
  const hasStatistics = driver.name === "veth";
  context.stdout.write(
    `driver: ${driver.name}\nversion: ${driver.version}\nfirmware-version: \nexpansion-rom-version: \nbus-info: \nsupports-statistics: ${hasStatistics ? "yes" : "no"}\n` +
      "supports-test: no\nsupports-eeprom-access: no\nsupports-register-dump: no\nsupports-priv-flags: no\n",
  );
  return 0;
}

function isVeth(device: NetDevice): boolean {
  return device.kind === "ether" && device.lower === undefined;
}

function unsupported(what: string): never {
  throw new CommandExit(1, `ethtool: ${what} is not supported by this simulator\n`);
}

function deviceNamed(context: CommandContext, name: string, complaint = NO_DEVICE, exit = 1): NetDevice {
  const device = context.machine.host.devices.byName(name);
  if (device === undefined) throw new CommandExit(exit, complaint);
  return device;
}

function showFeatures(context: CommandContext, name: string): number {
  const device = deviceNamed(context, name);
  if (!isVeth(device) && device.kind !== "loopback") unsupported(`-k of ${name}`);
  const word = (sign: string): string => `${sign.startsWith("+") ? "on" : "off"}${sign.endsWith("!") ? " [fixed]" : ""}`;
  const rows = FEATURES.map(({ name: feature, cable, loopback }) => `${feature}: ${word(device.kind === "loopback" ? loopback : cable)}\n`);
  context.stdout.write(`Features for ${name}:\n${rows.join("")}`);
  return 0;
}

/** Asking for what is so already, or cannot be otherwise, is good. */
function setFeatures(context: CommandContext, name: string, words: readonly string[]): number {
  const device = deviceNamed(context, name);
  if (words.length === 0) throw new CommandExit(1, "Could not change any device features\n");
  for (let at = 0; at < words.length; at += 2) {
    const asked = words[at] as string;
    const value = words[at + 1];
    const feature = FEATURES.find((one) => one.name.trim() === (ALIASES[asked] ?? asked));
    if (value !== "on" && value !== "off") {
      throw new CommandExit(1, `ethtool (-K): flag '${value ?? asked}' for parameter '(null)' is not followed by 'on' or 'off'\n`);
    }
    if (feature === undefined) throw new CommandExit(92, "netlink error: bit name not found (offset 56)\nnetlink error: Operation not supported\n");
    const now = device.kind === "loopback" ? feature.loopback : feature.cable;
    if (now.startsWith("+") !== (value === "on") || !(isVeth(device) || device.kind === "loopback")) unsupported(`turning ${asked} ${value}`);
  }
  return 0;
}

function showStatistics(context: CommandContext, name: string): number {
  const device = deviceNamed(context, name, "Cannot get stats strings information: No such device\n", 96);
  if (!isVeth(device)) throw new CommandExit(94, "no stats available\n");
  const queue = "xdp_packets xdp_bytes drops xdp_redirect xdp_drops xdp_tx xdp_tx_errors".split(" ").map((one) => `     rx_queue_0_${one}: 0\n`);
  context.stdout.write(`NIC statistics:\n     peer_ifindex: ${device.peerIndex}\n${queue.join("")}     tx_queue_0_xdp_xmit: 0\n     tx_queue_0_xdp_xmit_errors: 0\n`);
  return 0;
}

function showOther(context: CommandContext, option: string, name: string): number {
  const { stdout } = context;
  if (option === "-P") {
    deviceNamed(context, name, "netlink error: No such device\n");
    stdout.write("Permanent address: not set\n");
    return 0;
  }
  const device = deviceNamed(context, name);
  if (option === "-l" && isVeth(device)) {
    const channels = "RX:\t\t1\nTX:\t\t1\nOther:\t\tn/a\nCombined:\tn/a\n";
    stdout.write(`Channel parameters for ${name}:\nPre-set maximums:\n${channels}Current hardware settings:\n${channels}`);
    return 0;
  }
  if (option === "-T" && isVeth(device)) {
    stdout.write(
      `Time stamping parameters for ${name}:\nCapabilities:\n\tsoftware-transmit\n\tsoftware-receive\n\tsoftware-system-clock\nPTP Hardware Clock: none\nHardware Transmit Timestamp Modes: none\nHardware Receive Filter Modes: none\n`,
    );
    return 0;
  }
  if (option === "-T") unsupported(`-T of ${name}`);
  throw new CommandExit(1, "netlink error: Operation not supported\n");
}

function execute(context: CommandContext): number {
  const [first, name, ...words] = context.args;
  if (first === "--version") {
    context.stdout.write("ethtool version 6.1\n");
    return 0;
  }
  if (first === undefined) throw new CommandExit(1, USAGE_HINT);
  if (!first.startsWith("-")) return showSettings(context, first);
  const option = LONG_OPTIONS[first] ?? first;
  if (option === "-h" || option === "--help") unsupported(`"${first}"`);
  if (!Object.values(LONG_OPTIONS).includes(option) && option !== "-s" && option !== "--change") {
    if (/^-[^-]$/.test(option)) unsupported(`"${first}"`);
    throw new CommandExit(1, USAGE_HINT);
  }
  if (name === undefined) throw new CommandExit(1, USAGE_HINT);
  switch (option) {
    case "-i":
      return showDriver(context, name);
    case "-k":
      return showFeatures(context, name);
    case "-K":
      return setFeatures(context, name, words);
    case "-S":
      return showStatistics(context, name);
    case "-r":
      throw new CommandExit(255, `Cannot restart autonegotiation: ${deviceError(context, name)}\n`);
    case "-p":
      throw new CommandExit(255, `Cannot identify NIC: ${deviceError(context, name)}\n`);
    case "-s":
    case "--change":
      if (context.machine.host.devices.byName(name) === undefined) throw new CommandExit(NO_DATA_EXIT, NO_DEVICE);
      if (!SETTABLE.has(words[0] ?? "")) throw new CommandExit(1, `ethtool (-s): unknown parameter '${words[0] ?? ""}'\n`);
      throw new CommandExit(NO_DATA_EXIT, "netlink error: Operation not supported\n");
    default:
      return showOther(context, option, name);
  }
}

const SETTABLE = new Set(["speed", "duplex", "port", "mdix", "autoneg", "advertise", "phyad", "xcvr", "wol", "sopass", "msglvl", "master-slave", "lanes"]);

function deviceError(context: CommandContext, name: string): string {
  return context.machine.host.devices.byName(name) === undefined ? "No such device" : "Operation not supported";
}

export const ethtoolCommand: Command = {
  path: "/usr/sbin/ethtool",
  run(context) {
    try {
      return execute(context);
    } catch (error) {
      if (!(error instanceof CommandExit)) throw error;
      context.stderr.write(error.text);
      return error.exit;
    }
  },
};
