/**
 * `dnsmasq` as a name server for the names that it is given: --address, --host-record and /etc/hosts, by UDP.
 *
 * dnsmasq 2.90 rfc1035.c (answer_request), option.c. There is nobody to forward questions to: what is not known is refused. DHCP, TFTP, TCP and
 * zones are not simulated.
 */

import { parseIpv4Address } from "../../base/ipv4-address.ts";
import type { UdpSocket } from "../../host/host.ts";
import type { Command, CommandContext, Running, Wait } from "../command.ts";
import type { Machine } from "../machine.ts";
import { resolveHost } from "../names.ts";

const DEFAULT_PID_FILE = "/run/dnsmasq/dnsmasq.pid";
const DNS_PORT = 53;
const EXIT_BAD_CONFIG = 1;
const EXIT_BAD_NET = 2;
const HEADER_BYTES = 12;
const TYPE_A = 1;
const TYPE_ANY = 255;
const FLAGS_RESPONSE = 0x80;
const FLAG_AUTHORITATIVE = 4;
const FLAG_RECURSION_AVAILABLE = 0x80;
const CODE_REFUSED = 5;
/** Options without effect here. */
const IGNORED = /^--(no-resolv|bind-interfaces|bind-dynamic|no-poll|log-queries|log-facility=.*|user=.*|group=.*|domain-needed|bogus-priv|local=.*|interface=.*|cache-size=.*|conf-file=.*)$|^-[Rzhu]$/;

interface Settings {
  port: number;
  pidFile: string;
  readsHosts: boolean;
  staysInFront: boolean;
  /** `--address`: a domain with everything below it. */
  readonly domains: { readonly name: string; readonly address: number }[];
  readonly records: Map<string, number>;
}

function parse(words: readonly string[]): Settings | string {
  const settings: Settings = { port: DNS_PORT, pidFile: DEFAULT_PID_FILE, readsHosts: true, staysInFront: false, domains: [], records: new Map() };
  for (let i = 0; i < words.length; i++) {
    const word = words[i] as string;
    const text = /^-[Appx]$/.test(word) ? `${word}=${words[++i] ?? ""}` : word;
    const address = /^(?:--address|-A)=((?:\/[^/]+)+)\/([\d.]+)$/.exec(text);
    const record = /^--host-record=([^,]+),([\d.]+)$/.exec(text);
    const number = parseIpv4Address(address?.[2] ?? record?.[2] ?? "");
    if (address !== null && number !== undefined) for (const name of (address[1] as string).split("/").slice(1)) settings.domains.push({ name: name.toLowerCase(), address: number });
    else if (record !== null && number !== undefined) settings.records.set((record[1] as string).toLowerCase(), number);
    else if (/^(?:--port|-p)=\d+$/.test(text)) settings.port = Number(text.slice(text.indexOf("=") + 1));
    else if (/^(?:--pid-file|-x)=/.test(text)) settings.pidFile = text.slice(text.indexOf("=") + 1);
    else if (/^(--no-hosts|-h)$/.test(text)) settings.readsHosts = false;
    else if (/^(--keep-in-foreground|--no-daemon|-k|-d)$/.test(text)) settings.staysInFront = true;
    else if (!IGNORED.test(text)) return `\ndnsmasq: bad command line options: ${text} (or not simulated)\n`;
  }
  return settings;
}

/** The name in a question, and where it ends. */
function questionName(bytes: Uint8Array): { readonly name: string; readonly end: number } | undefined {
  const labels: string[] = [];
  let at = HEADER_BYTES;
  for (;;) {
    const length = bytes[at];
    if (length === undefined || length > 63 || at + length >= bytes.length) return undefined;
    at++;
    if (length === 0) return { name: labels.join(".").toLowerCase(), end: at };
    labels.push(String.fromCharCode(...bytes.subarray(at, at + length)));
    at += length;
  }
}

function addressOf(machine: Machine, settings: Settings, name: string): number | undefined {
  const domain = settings.domains.find((one) => name === one.name || name.endsWith(`.${one.name}`));
  return settings.records.get(name) ?? domain?.address ?? (settings.readsHosts && /[a-z]/.test(name) ? resolveHost(machine, name) : undefined);
}

function answer(machine: Machine, settings: Settings, query: Uint8Array): Uint8Array | undefined {
  const asked = query.length < HEADER_BYTES || ((query[2] as number) & FLAGS_RESPONSE) !== 0 ? undefined : questionName(query);
  if (asked === undefined || asked.end + 4 > query.length) return undefined;
  const type = ((query[asked.end] as number) << 8) | (query[asked.end + 1] as number);
  const address = addressOf(machine, settings, asked.name);
  const hasAnswer = address !== undefined && (type === TYPE_A || type === TYPE_ANY);
  const question = query.subarray(HEADER_BYTES, asked.end + 4);
  const flags = FLAGS_RESPONSE | ((query[2] as number) & 1) | (hasAnswer ? FLAG_AUTHORITATIVE : 0);
  const head = [query[0], query[1], flags, FLAG_RECURSION_AVAILABLE | (address === undefined ? CODE_REFUSED : 0), 0, 1, 0, hasAnswer ? 1 : 0, 0, 0, 0, 0];
  // A pointer to the name of the question, class IN, a lifetime of 0 seconds.
  const record = hasAnswer ? [0xc0, HEADER_BYTES, 0, TYPE_A, 0, 1, 0, 0, 0, 0, 0, 4, address >>> 24, (address >>> 16) & 255, (address >>> 8) & 255, address & 255] : [];
  return Uint8Array.from([...head, ...question, ...record] as number[]);
}

function* run(context: CommandContext): Running<number> {
  const settings = parse(context.args);
  if (typeof settings === "string") {
    context.stderr.write(settings);
    return EXIT_BAD_CONFIG;
  }
  const { machine } = context;
  const open = (process: typeof context.process): UdpSocket | string => {
    const socket: UdpSocket | string = machine.host.udp.bind(
      { address: 0, port: settings.port, owner: process.socketOwner() },
      {
        onDatagram: (payload, from) => {
          const reply = answer(machine, settings, payload);
          if (reply !== undefined && typeof socket !== "string") socket.send(reply, from);
        },
        onError: () => {},
      },
    );
    return socket;
  };
  if (settings.staysInFront) return yield* body(context.process, machine, open);
  let failure: string | undefined;
  machine.processes.start({ name: "dnsmasq", args: [context.name, ...context.args], parent: machine.processes.byPid(1) }, (process) => {
    const socket = open(process);
    if (typeof socket === "string") {
      failure = socket;
      return EXIT_BAD_NET;
    }
    const folder = settings.pidFile.slice(0, settings.pidFile.lastIndexOf("/"));
    if (folder !== "" && !machine.files.exists(folder)) machine.files.makeDirectory(folder, { parents: true });
    machine.files.write(settings.pidFile, `${process.pid}\n`);
    machine.processes.onExit(process, () => socket.close());
    return forever();
  });
  if (failure === undefined) return 0;
  context.stderr.write(`\ndnsmasq: failed to create listening socket for port ${settings.port}: Address already in use\n`);
  return EXIT_BAD_NET;
}

function* body(process: CommandContext["process"], machine: Machine, open: (process: CommandContext["process"]) => UdpSocket | string): Running<number> {
  const socket = open(process);
  if (typeof socket === "string") return EXIT_BAD_NET;
  machine.processes.onExit(process, () => socket.close());
  return yield* forever();
}

/** Until a signal ends the process. */
function* forever(): Running<number> {
  const wait: Wait = { begin: () => () => {} };
  for (;;) yield wait;
}

export const dnsmasqCommand: Command = { path: "/usr/sbin/dnsmasq", run };
