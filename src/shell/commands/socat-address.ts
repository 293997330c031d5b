/**
 * socat's command line: options, and the two addresses with their own.
 *
 * socat 1.7.4 socat.c (main), xioopts.c. Addresses that are not simulated are `undefined`; options of addresses that change nothing here are passed over.
 */

import { NS_PER_MS, NS_PER_SECOND } from "../../base/time.ts";

export type AddressKind = "listen" | "connect" | "program" | "stdio" | "udp-connect" | "udp-sendto" | "udp-datagram" | "udp-listen" | "udp-recvfrom" | "udp-recv";

export interface SocatAddress {
  readonly kind: AddressKind;
  readonly host: string;
  readonly port: number;
  readonly argv: readonly string[];
  readonly forks: boolean;
  /** `bind=`, without its port: the local address. */
  readonly bind: string;
  /** `sourceport=`; 0: any. */
  readonly sourcePort: number;
}

export interface SocatLine {
  readonly words: readonly string[];
  /** -t: how long the other side may still speak once one has ended. */
  readonly graceNs: number;
  /** -T: how long nobody may speak; 0: for ever. */
  readonly idleNs: number;
  /** -u: from the first address to the second only. */
  readonly isOneWay: boolean;
  readonly unknown: string | undefined;
}

const GRACE_NS = 500 * NS_PER_MS;
const SWITCHES = /^-(d+|D|v|x|s|4|lf|ly|lm|ls)$/;
const WITH_VALUE = new Set(["-b", "-lf", "-lp", "-r", "-R", "-W", "-L"]);

export function parseSocatLine(args: readonly string[]): SocatLine {
  const words: string[] = [];
  let graceNs = GRACE_NS;
  let idleNs = 0;
  let isOneWay = false;
  let unknown: string | undefined;
  for (let i = 0; i < args.length; i++) {
    const word = args[i] as string;
    if (!/^-./.test(word) || words.length > 0) words.push(word);
    else if (/^-[tT]/.test(word)) {
      const ns = Math.round(Number(word.length > 2 ? word.slice(2) : (args[++i] ?? "")) * NS_PER_SECOND);
      if (!Number.isFinite(ns)) unknown ??= word;
      else if (word[1] === "t") graceNs = ns;
      else idleNs = ns;
    } else if (word === "-u") isOneWay = true;
    else if (WITH_VALUE.has(word)) i++;
    else if (!SWITCHES.test(word)) unknown ??= word;
  }
  return { words, graceNs, idleNs, isOneWay, unknown };
}

const LISTENERS: Readonly<Record<string, AddressKind>> = {
  "tcp-listen": "listen",
  "tcp-l": "listen",
  "udp-listen": "udp-listen",
  "udp-l": "udp-listen",
  "udp-recvfrom": "udp-recvfrom",
  "udp-recv": "udp-recv",
};

const CALLERS: Readonly<Record<string, AddressKind>> = {
  tcp: "connect",
  "tcp-connect": "connect",
  udp: "udp-connect",
  "udp-connect": "udp-connect",
  "udp-sendto": "udp-sendto",
  "udp-datagram": "udp-datagram",
};

export function parseAddress(text: string): SocatAddress | undefined {
  const none = { host: "", port: 0, argv: [], forks: false, bind: "", sourcePort: 0 };
  if (text === "-" || /^stdio$/i.test(text)) return { ...none, kind: "stdio" };
  const program = /^(EXEC|SYSTEM):(?:"([^"]*)"|'([^']*)'|([^,]*))(?:,.*)?$/i.exec(text);
  if (program !== null) {
    const line = program[2] ?? program[3] ?? program[4] ?? "";
    return { ...none, kind: "program", argv: /^exec$/i.test(program[1] as string) ? line.split(/\s+/).filter((word) => word !== "") : ["/bin/sh", "-c", line] };
  }
  const socket = /^([a-z]+)4?(-[a-z]+)?:([^,]*)((?:,[^,]+)*)$/i.exec(text);
  if (socket === null) return undefined;
  const name = `${socket[1]}${socket[2] ?? ""}`.toLowerCase();
  const target = (socket[3] as string).split(":");
  const options = (socket[4] as string).split(",");
  const bind = options.map((option) => /^bind=([^:]*)/i.exec(option)?.[1]).find((value) => value !== undefined) ?? "";
  const sourcePort = Number(options.map((option) => /^(?:sourceport|sp)=(\d+)$/i.exec(option)?.[1]).find((value) => value !== undefined) ?? 0);
  const common = { ...none, bind, sourcePort, forks: options.some((option) => /^fork(=1)?$/i.test(option)) };
  const listener = LISTENERS[name];
  const port = target.at(-1) ?? "";
  if (!/^\d{1,5}$/.test(port)) return undefined;
  if (listener !== undefined && target.length === 1) return { ...common, kind: listener, port: Number(port) };
  const caller = CALLERS[name];
  return caller !== undefined && target.length === 2 ? { ...common, kind: caller, host: target[0] as string, port: Number(port) } : undefined;
}
