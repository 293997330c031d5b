/**
 * route(8): shows and changes table main with the calls of old.
 *
 * net-tools 2.10 route.c, lib/inet_sr.c (INET_setroute); kernel v6.1 net/ipv4/fib_frontend.c (rtentry_to_fib_config, ip_rt_ioctl).
 */

import { formatIpv4Address, maskPrefixLength, prefixMask } from "../../base/ipv4-address.ts";
import { type NetDevice, SCOPE_GLOBAL, SCOPE_HOST, SCOPE_LINK } from "../../host/device.ts";
import type { Errno, Host } from "../../host/host.ts";
import { fibEntry, TABLE_MAIN } from "../../host/route.ts";
import type { Command, CommandContext } from "../command.ts";
import { errorText } from "../errno-text.ts";
import { labelled } from "./ifconfig-format.ts";
import { NET_TOOLS_VERSION, ROUTE_FAMILIES, resolveAddress } from "./net-tools-text.ts";
import { formatRouteTable, ROUTE_CACHE, ROUTE_TABLE_IPV6, type RouteTableStyle } from "./route-format.ts";

const USAGE = `Usage: route [-nNvee] [-FC] [<AF>]           List kernel routing tables
       route [-v] [-FC] {add|del|flush} ...  Modify routing table for AF.

       route {-h|--help} [<AF>]              Detailed usage syntax for specified AF.
       route {-V|--version}                  Display version/author and exit.

        -v, --verbose            be verbose
        -n, --numeric            don't resolve names
        -e, --extend             display other/more information
        -F, --fib                display Forwarding Information Base (default)
        -C, --cache              display routing cache instead of FIB

  <AF>=Use -4, -6, '-A <af>' or '--<af>'; default: inet
  List of possible address families (which support routing):
`;

const INET_USAGE = `Usage: inet_route [-vF] del {-host|-net} Target[/prefix] [gw Gw] [metric M] [[dev] If]
       inet_route [-vF] add {-host|-net} Target[/prefix] [gw Gw] [metric M]
                              [netmask N] [mss Mss] [window W] [irtt I]
                              [mod] [dyn] [reinstate] [[dev] If]
       inet_route [-vF] add {-host|-net} Target[/prefix] [metric M] reject
       inet_route [-FC] flush      NOT supported
`;

const VERSION = `${NET_TOOLS_VERSION}+NEW_ADDRT +RTF_IRTT +RTF_REJECT +I18N +SELINUX
AF: (inet) +UNIX +INET +INET6 +IPX +AX25 +NETROM +X25 +ATALK +ECONET +ROSE -BLUETOOTH
HW:  +ETHER +ARC +SLIP +PPP +TUNNEL -TR +AX25 +NETROM +X25 +FR +ROSE +ASH +SIT +FDDI +HIPPI +HDLC/LAPB +EUI64 
`;

const EXIT_OPTION = 3;
const EXIT_LOOKUP = 6;
const EXIT_SOCKET = 7;

/** Ends the command: text for stderr or, when all is well, stdout. */
class RouteExit extends Error {
  override readonly name = "RouteExit";
  readonly exit: number;
  readonly text: string;

  constructor(exit: number, text: string) {
    super(text);
    this.exit = exit;
    this.text = text;
  }
}

/** struct rtentry. */
interface RouteRequest {
  destination: number;
  mask: number;
  isHost: boolean;
  gateway: number | undefined;
  device: string | undefined;
  metric: number | undefined;
  mss: number;
  isReject: boolean;
}

function badUsage(text = ""): never {
  throw new RouteExit(EXIT_OPTION, text + INET_USAGE);
}

function resolve(context: CommandContext, text: string, isHost = false): number {
  const address = resolveAddress(context.machine, text, isHost);
  if (typeof address !== "number") throw new RouteExit(EXIT_LOOKUP, address.complaint);
  return address;
}

function parse(context: CommandContext, words: readonly string[]): RouteRequest {
  let at = 0;
  const kind = words[0] === "-net" || words[0] === "-host" ? words[at++] : undefined;
  const target = words[at++];
  if (target === undefined) throw new RouteExit(kind === undefined ? 0 : EXIT_OPTION, INET_USAGE);
  const slash = target.indexOf("/");
  const length = slash < 0 ? undefined : target.slice(slash + 1);
  if (length !== undefined && !/^\d*$/.test(length)) badUsage();
  // A prefix longer than an address is a mask of which no bit is set, and which is there all the same.
  if (Number(length) > 32) badUsage("route: netmask doesn't match route address\n");
  const name = slash < 0 ? target : target.slice(0, slash);
  const isNet = kind === "-net" || (kind === undefined && (name === "default" || length !== undefined));
  const request: RouteRequest = {
    destination: resolve(context, name, kind === "-host"),
    mask: length === undefined ? 0 : prefixMask(Number(length)),
    isHost: !isNet,
    gateway: undefined,
    device: undefined,
    metric: undefined,
    mss: 0,
    isReject: false,
  };
  let maskText = length === undefined ? "" : formatIpv4Address(request.mask);
  while (at < words.length) {
    const word = words[at++] as string;
    const value = words[at];
    switch (word) {
      case "metric":
        if (value === undefined || !/^\d/.test(value)) badUsage();
        request.metric = Number.parseInt(value, 10);
        at++;
        break;
      case "netmask":
        if (value === undefined || request.mask !== 0) badUsage();
        request.mask = resolve(context, value);
        maskText = value;
        at++;
        break;
      case "gw":
      case "gateway":
        if (value === undefined || request.gateway !== undefined) badUsage();
        if (value === "default") throw new RouteExit(EXIT_OPTION, `route: ${value}: cannot use a NETWORK as gateway!\n`);
        request.gateway = resolve(context, value, true);
        at++;
        break;
      case "mss":
      case "mtu":
        if (value === undefined) badUsage();
        request.mss = /^\d+/.test(value) ? Number.parseInt(value, 10) : 0;
        if (request.mss < 64 || request.mss > 65536) throw new RouteExit(EXIT_OPTION, "route: Invalid MSS/MTU.\n");
        at++;
        break;
      case "window":
      case "irtt":
        throw new RouteExit(EXIT_OPTION, `route: "${word}" is not supported by this simulator\n`);
      case "reject":
        request.isReject = true;
        break;
      case "mod":
      case "dyn":
      case "reinstate":
        break;
      case "dev":
      case "device":
        if (value === undefined || request.device !== undefined) badUsage();
        request.device = value;
        at++;
        break;
      default:
        // A word that is nothing else is the interface, and must be the last.
        if (request.device !== undefined || at < words.length) badUsage();
        request.device = word;
    }
  }
  checkMask(request, maskText);
  return request;
}

function checkMask(request: RouteRequest, maskText: string): void {
  const { mask, isHost, destination } = request;
  if (mask === 0) return;
  const inverse = ~mask >>> 0;
  if (isHost && mask !== 0xffffffff) badUsage(`route: netmask ${inverse.toString(16).padStart(8, "0")} doesn't make sense with host route\n`);
  if (maskPrefixLength(mask) === undefined) badUsage(`route: bogus netmask ${maskText}\n`);
  if ((destination & inverse) !== 0) badUsage("route: netmask doesn't match route address\n");
}

/** The device of a request, and the source that an alias's name implies. */
function deviceOf(host: Host, name: string): { readonly device: NetDevice; readonly source: number } | undefined {
  const colon = name.indexOf(":");
  const device = host.devices.byName(colon < 0 ? name : name.slice(0, colon));
  if (device === undefined) return undefined;
  if (colon < 0) return { device, source: 0 };
  const address = labelled(device, name);
  return address === undefined ? undefined : { device, source: address.address };
}

/** net/ipv4/fib_frontend.c:rtentry_to_fib_config and what follows. */
function change(host: Host, request: RouteRequest, isAdd: boolean): Errno | undefined {
  const { destination, isHost } = request;
  if (!isHost && (destination & ~request.mask) !== 0) return "EINVAL";
  const prefixLength = isHost ? 32 : maskPrefixLength(request.mask);
  if (prefixLength === undefined) return "EINVAL";
  const found = request.device === undefined || request.isReject ? undefined : deviceOf(host, request.device);
  if (request.device !== undefined && !request.isReject && found === undefined) return "ENODEV";
  const gateway = request.isReject ? 0 : (request.gateway ?? 0);
  if (isAdd && request.gateway !== undefined && gateway === 0 && !request.isReject) return "EINVAL";
  const isFar = gateway !== 0 && host.fib.addressType(gateway) === "unicast";
  const scope = request.isReject ? SCOPE_HOST : isFar ? SCOPE_GLOBAL : isAdd ? SCOPE_LINK : undefined;
  const common = {
    network: destination,
    prefixLength,
    table: TABLE_MAIN,
    type: request.isReject ? ("unreachable" as const) : ("unicast" as const),
    tos: 0,
    priority: request.metric ?? 0,
    device: found?.device,
    gateway,
    preferredSource: found?.source ?? 0,
  };
  if (!isAdd) return host.fib.remove({ ...common, scope });
  return host.fib.add(fibEntry({ ...common, scope: scope ?? SCOPE_LINK, advmss: request.mss === 0 ? 0 : request.mss - 40 }), "prepend");
}

interface Options {
  isNumeric: boolean;
  extended: number;
  isCache: boolean;
  isIpv6: boolean;
}

/** Options may stand anywhere before the verb. The result is what is left, or how the command ends at once. */
function parseOptions(context: CommandContext, options: Options): readonly string[] {
  const { args } = context;
  let at = 0;
  let complaints = "";
  for (; at < args.length && /^-./.test(args[at] as string); at++) {
    const option = args[at] as string;
    if (option === "--") return args.slice(at + 1);
    const long = option.startsWith("--") ? LONG_OPTIONS[option.slice(2)] : undefined;
    if (option.startsWith("--") && long === undefined) {
      complaints += `route: unrecognized option '${option}'\n`;
      continue;
    }
    const letters = long ?? option.slice(1);
    for (const letter of letters) {
      if (letter === "n" || letter === "N") options.isNumeric = letter === "n";
      else if (letter === "e") options.extended++;
      else if (letter === "C") options.isCache = true;
      else if (letter === "F" || letter === "v" || letter === "4") continue;
      else if (letter === "6") options.isIpv6 = true;
      else if (letter === "V") throw new RouteExit(0, VERSION);
      else if (letter === "h" || letter === "?") complaints += "\0";
      else if (letter === "A") {
        const family = args[++at];
        if (family === "inet6") options.isIpv6 = true;
        else if (family !== "inet")
          throw new RouteExit(
            1,
            family === undefined ? "route: option requires an argument -- 'A'\n" : `route: family ${family} is not supported by this simulator\n`,
          );
      } else complaints += `route: invalid option -- '${letter}'\n`;
    }
  }
  if (complaints !== "") {
    context.stderr.write(complaints.replaceAll("\0", "") + ROUTE_FAMILIES);
    throw new RouteExit(0, USAGE);
  }
  return args.slice(at);
}

const LONG_OPTIONS: Readonly<Record<string, string>> = {
  extend: "e",
  verbose: "v",
  version: "V",
  numeric: "n",
  symbolic: "N",
  protocol: "A",
  cache: "C",
  fib: "F",
  help: "h",
  inet: "4",
  inet6: "6",
};

function execute(context: CommandContext): number {
  const options: Options = { isNumeric: false, extended: 0, isCache: false, isIpv6: false };
  const words = parseOptions(context, options);
  const verb = words[0];
  if (verb === undefined) {
    const style: RouteTableStyle = options.extended === 0 ? "usual" : options.extended === 1 ? "extended" : "full";
    const text = options.isIpv6 ? ROUTE_TABLE_IPV6 : options.isCache ? ROUTE_CACHE : formatRouteTable(context.machine, style, options.isNumeric);
    context.stdout.write(text);
    return 0;
  }
  if (verb === "flush") throw new RouteExit(EXIT_OPTION, `Flushing \`inet' routing table not supported\n${INET_USAGE}`);
  if (verb !== "add" && verb !== "del" && verb !== "delete") throw new RouteExit(EXIT_OPTION, USAGE + ROUTE_FAMILIES);
  if (options.isIpv6) throw new RouteExit(1, "route: IPv6 is not supported by this simulator\n");
  const request = parse(context, words.slice(1));
  const isAdd = verb === "add";
  const errno = change(context.machine.host, request, isAdd);
  if (errno === undefined) return 0;
  context.stderr.write(`${isAdd ? "SIOCADDRT" : "SIOCDELRT"}: ${errorText(errno)}\n`);
  return EXIT_SOCKET;
}

function run(context: CommandContext): number {
  try {
    return execute(context);
  } catch (failure) {
    if (!(failure instanceof RouteExit)) throw failure;
    (failure.exit === 0 ? context.stdout : context.stderr).write(failure.text);
    return failure.exit;
  }
}

export const routeCommand: Command = { path: "/usr/sbin/route", run };
