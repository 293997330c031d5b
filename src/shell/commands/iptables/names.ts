/**
 * Names of protocols and services as the C library finds them in /etc/protocols and /etc/services of a Debian system.
 *
 * A machine that has files of its own there is asked first.
 */

import { formatIpv4Address, parseIpv4Address } from "../../../base/ipv4-address.ts";
import { PROTOCOL_UDP } from "../../../wire/packet.ts";
import type { FileSystem } from "../../file-system.ts";
import { serviceName, servicePort } from "../../../wire/service-names.ts";

/** `name,alias:number`, in file order: the first name of a number is the one that is printed. */
const PROTOCOLS = [
  "ip:0 hopopt:0 icmp:1 igmp:2 ggp:3 ipencap,IP-ENCAP:4 st:5 tcp:6 egp:8 igp:9 pup:12 udp:17 hmp:20 xns-idp:22 rdp:27 iso-tp4:29 dccp:33 xtp:36 ddp:37",
  "idpr-cmtp:38 ipv6:41 ipv6-route:43 ipv6-frag:44 idrp:45 rsvp:46 gre:47 esp,IPSEC-ESP:50 ah,IPSEC-AH:51 skip:57 ipv6-icmp:58 ipv6-nonxt:59 ipv6-opts:60",
  "rspf,CPHB:73 vmtp:81 eigrp:88 ospf,OSPFIGP:89 ax.25:93 ipip:94 etherip:97 encap:98 pim:103 ipcomp:108 vrrp:112 l2tp:115 isis:124 sctp:132 fc:133",
  "mobility-header:135 udplite:136 mpls-in-ip:137 manet:138 hip:139 shim6:140 wesp:141 rohc:142 ethernet:143",
].join(" ");

const PROTOCOL_WORDS: Readonly<Record<number, string>> = { 6: "tcp", 17: "udp", 132: "sctp" };

interface NamedProtocol {
  readonly names: readonly string[];
  readonly number: number;
}

const namedProtocols: readonly NamedProtocol[] = PROTOCOLS.split(" ").map((word) => {
  const [names = "", value = ""] = word.split(":");
  return { names: names.split(","), number: Number(value) };
});

export class Names {
  readonly #files: FileSystem | undefined;

  constructor(files: FileSystem | undefined) {
    this.#files = files;
  }

  /** A protocol by its name in either case; undefined when nobody knows it. */
  protocol(name: string): number | undefined {
    const lower = name.toLowerCase();
    return namedProtocols.find(({ names }) => names.some((known) => known.toLowerCase() === lower))?.number;
  }

  protocolName(number: number): string | undefined {
    return namedProtocols.find((known) => known.number === number)?.names[0];
  }

  /** A port by service name, for one protocol, or for whichever has it when that is 0. */
  port(name: string, protocol: number): number | undefined {
    const suffix = PROTOCOL_WORDS[protocol] ?? "";
    for (const [first = "", value = "", ...aliases] of this.#rows("/etc/services"))
      if ((first === name || aliases.includes(name)) && value.endsWith(suffix)) return Number.parseInt(value, 10);
    if (protocol !== PROTOCOL_UDP) {
      const port = servicePort(name, "tcp");
      if (port !== undefined || protocol !== 0) return port;
    }
    return servicePort(name, "udp");
  }

  portName(port: number, protocol: number): string | undefined {
    const suffix = PROTOCOL_WORDS[protocol];
    for (const [first = "", value = ""] of this.#rows("/etc/services"))
      if (suffix === undefined ? Number.parseInt(value, 10) === port : value === `${port}/${suffix}`) return first;
    if (port === 0) return undefined;
    if (protocol === PROTOCOL_UDP) return serviceName(port, "udp");
    return serviceName(port, "tcp") ?? (protocol === 0 ? serviceName(port, "udp") : undefined);
  }

  host(name: string): number | undefined {
    for (const [address = "", ...names] of this.#rows("/etc/hosts")) if (names.includes(name)) return parseIpv4Address(address);
    return name === "localhost" ? 0x7f000001 : undefined;
  }

  hostName(address: number): string | undefined {
    const text = formatIpv4Address(address);
    for (const [first, name] of this.#rows("/etc/hosts")) if (first === text && name !== undefined) return name;
    return address === 0x7f000001 ? "localhost" : undefined;
  }

  #rows(path: string): string[][] {
    if (this.#files === undefined || !this.#files.exists(path)) return [];
    const lines = this.#files.read(path).split("\n");
    return lines
      .map((line) =>
        line
          .replace(/#.*/, "")
          .split(/\s+/)
          .filter((word) => word !== ""),
      )
      .filter((words) => words.length > 1);
  }
}
