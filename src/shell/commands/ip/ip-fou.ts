/**
 * ip fou: UDP ports for tunnels. iproute2 6.1 ip/ipfou.c.
 */

import { formatIpv4Address } from "../../../base/ipv4-address.ts";
import { type FouPort, isRouteError } from "../../../host/host.ts";
import {
  Arguments,
  chosenOf,
  deviceNamed,
  formatJson,
  IpExit,
  type IpSession,
  isCutOf,
  type Json,
  netlinkFailure,
  parseNumber,
  takeAddress,
  wrongArgument,
} from "./ip-output.ts";

const FOU_HELP = `Usage: ip fou add port PORT { ipproto PROTO  | gue }
		   [ local IFADDR ] [ peer IFADDR ]
		   [ peer_port PORT ] [ dev IFNAME ]
       ip fou del port PORT [ local IFADDR ]
		   [ peer IFADDR ] [ peer_port PORT ]
		   [ dev IFNAME ]
       ip fou show

Where: PROTO { ipproto-name | 1..255 }
       PORT { 1..65535 }
       IFADDR { addr }
`;

const PROTOCOL_NAMES: Readonly<Record<string, number>> = { icmp: 1, ipencap: 4, tcp: 6, udp: 17, ipv6: 41, gre: 47, ipip: 94, sctp: 132 };

export function runIpFou(session: IpSession, words: readonly string[]): number {
  const verb = words[0];
  if (verb === undefined) usage();
  const rest = words.slice(1);
  switch (chosenOf(verb, ["help", "add", "delete", "show"])) {
    case "add":
      return add(session, rest);
    case "delete":
      return remove(session, rest);
    case "show":
      return show(session);
    case "help":
      return usage();
    default:
      throw new IpExit(255, `Command "${verb}" is unknown, try "ip fou help".\n`);
  }
}

function usage(): never {
  throw new IpExit(255, FOU_HELP);
}

interface FouWords {
  port: number | undefined;
  protocol: number | undefined;
  isGue: boolean;
  local: number;
  peer: number;
  peerPort: number;
  device: string | undefined;
}

function readWords(words: readonly string[]): FouWords {
  const args = new Arguments(words);
  const result: FouWords = { port: undefined, protocol: undefined, isGue: false, local: 0, peer: 0, peerPort: 0, device: undefined };
  while (!args.isAtEnd) {
    const word = args.take();
    if (isCutOf(word, "port")) result.port = portOf(args.take(), "invalid port");
    else if (isCutOf(word, "ipproto")) result.protocol = protocolOf(args.take());
    else if (isCutOf(word, "gue")) result.isGue = true;
    else if (word === "-6") throw new IpExit(255, "ip: IPv6 is not supported by this simulator\n");
    else if (isCutOf(word, "local")) result.local = takeAddress(args.take());
    else if (isCutOf(word, "peer")) result.peer = takeAddress(args.take());
    else if (isCutOf(word, "peer_port")) result.peerPort = portOf(args.take(), "invalid peer port");
    else if (isCutOf(word, "dev")) result.device = args.take();
    else throw new IpExit(255, `fou: unknown command "${word}"?\n${FOU_HELP}`);
  }
  return result;
}

function portOf(text: string, message: string): number {
  const port = parseNumber(text, 65535);
  if (port === undefined || port === 0) wrongArgument(text, message);
  return port;
}

function protocolOf(text: string): number {
  const protocol = PROTOCOL_NAMES[text] ?? parseNumber(text, 255);
  if (protocol === undefined || protocol < 1) wrongArgument(text, "invalid ipproto");
  return protocol;
}

function add(session: IpSession, words: readonly string[]): number {
  const given = readWords(words);
  if (given.port === undefined) refuse("missing port");
  if (given.protocol === undefined && !given.isGue) refuse("must set ipproto or gue");
  if (given.protocol !== undefined && given.isGue) refuse("cannot set ipproto and gue");
  if (given.device !== undefined && given.local === 0) netlinkFailure("EINVAL", "");
  if (given.peer !== 0 && given.local === 0) {
    // The port's socket is connected, which chooses its address.
    const route = session.host.routing.output({ dst: given.peer });
    if (isRouteError(route)) netlinkFailure(route.errno, "");
    given.local = route.source;
  }
  const port: FouPort = {
    port: given.port,
    protocol: given.protocol ?? 0,
    isGue: given.isGue,
    local: given.local,
    peer: given.peer,
    peerPort: given.peerPort,
    device: given.device === undefined ? undefined : deviceNamed(session, given.device),
  };
  const errno = session.host.fou.add(port);
  if (errno !== undefined) netlinkFailure(errno, "");
  return 0;
}

/** The kernel is asked all the same, and refuses. */
function refuse(message: string): never {
  throw new IpExit(2, `fou: ${message}\nRTNETLINK answers: Invalid argument\n`);
}

function remove(session: IpSession, words: readonly string[]): number {
  const given = readWords(words);
  if (given.port === undefined) refuse("missing port");
  const found = session.host.fou.list.find(
    (one) =>
      one.port === given.port &&
      one.local === given.local &&
      one.peer === given.peer &&
      one.peerPort === given.peerPort &&
      (one.device?.name ?? undefined) === given.device,
  );
  const errno = found === undefined ? "EINVAL" : session.host.fou.remove(found.port);
  if (errno !== undefined) netlinkFailure(errno, "");
  return 0;
}

function show(session: IpSession): number {
  const ports = [...session.host.fou.list].reverse();
  if (session.flags.isJson) {
    session.out(`${formatJson(ports.map(portJson), session.flags.isPretty)}\n`);
    return 0;
  }
  for (const port of ports) session.out(`${formatPort(port)}\n`);
  return 0;
}

function formatPort(port: FouPort): string {
  let text = `port ${port.port}`;
  text += port.isGue ? " gue" : ` ipproto ${port.protocol}`;
  if (port.local !== 0) text += ` local ${formatIpv4Address(port.local)}`;
  if (port.peer !== 0) text += ` peer ${formatIpv4Address(port.peer)}`;
  if (port.peerPort !== 0) text += ` peer_port ${port.peerPort}`;
  if (port.device !== undefined) text += ` dev ${port.device.name}`;
  return text;
}

function portJson(port: FouPort): Json {
  return {
    port: port.port,
    gue: port.isGue ? null : undefined,
    ipproto: port.isGue ? undefined : port.protocol,
    family: "inet",
    local: port.local === 0 ? undefined : formatIpv4Address(port.local),
    peer: port.peer === 0 ? undefined : formatIpv4Address(port.peer),
    peer_port: port.peerPort === 0 ? undefined : port.peerPort,
    dev: port.device?.name,
  };
}
