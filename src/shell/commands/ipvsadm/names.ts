/**
 * Host and port names as ipvsadm knows them: from /etc/hosts and /etc/services of the machine.
 */

import { formatIpv4Address, type Ipv4Address, parseIpv4Address } from "../../../base/ipv4-address.ts";
import { PROTOCOL_SCTP, PROTOCOL_UDP } from "../../../wire/packet.ts";
import type { FileSystem } from "../../file-system.ts";

/** `a.b.c.d:80`, `name:http` or without a port. */
export function splitHostPort(text: string): { readonly host: string; readonly port: string | undefined } {
  const colon = text.lastIndexOf(":");
  return colon < 0 ? { host: text, port: undefined } : { host: text.slice(0, colon), port: text.slice(colon + 1) };
}

export class NameService {
  readonly #files: FileSystem;

  constructor(files: FileSystem) {
    this.#files = files;
  }

  address(name: string): Ipv4Address | undefined {
    const address = parseIpv4Address(name);
    if (address !== undefined) return address;
    for (const [first = "", ...names] of this.#rows("/etc/hosts")) if (names.includes(name)) return parseIpv4Address(first);
    return undefined;
  }

  port(text: string, protocol: number): number | undefined {
    if (/^\d+$/.test(text)) return Number(text) <= 65535 ? Number(text) : undefined;
    const suffix = `/${protocolName(protocol)}`;
    for (const [name, number = "", ...aliases] of this.#rows("/etc/services")) if (number.endsWith(suffix) && (name === text || aliases.includes(text))) return Number.parseInt(number, 10);
    return undefined;
  }

  /** The name of an address, or the address itself. */
  hostOf(address: Ipv4Address): string {
    const text = formatIpv4Address(address);
    for (const [first, name] of this.#rows("/etc/hosts")) if (first === text && name !== undefined) return name;
    return text;
  }

  portOf(port: number, protocol: number): string {
    const number = `${port}/${protocolName(protocol)}`;
    for (const [name = "", value] of this.#rows("/etc/services")) if (value === number) return name;
    return String(port);
  }

  #rows(path: string): string[][] {
    if (!this.#files.exists(path)) return [];
    return this.#files
      .read(path)
      .split("\n")
      .map((line) => line.replace(/#.*/, "").split(/\s+/).filter((word) => word !== ""))
      .filter((words) => words.length > 1);
  }
}

function protocolName(protocol: number): string {
  switch (protocol) {
    case PROTOCOL_UDP:
      return "udp";
    case PROTOCOL_SCTP:
      return "sctp";
    default:
      return "tcp";
  }
}

