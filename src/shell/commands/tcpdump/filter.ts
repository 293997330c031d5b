/**
 * Filter expressions of tcpdump, compiled to predicates over the bytes of a packet. libpcap 1.10.3 grammar.y, gencode.c; pcap-filter(7).
 *
 * `and` and `or` bind equally strongly and from the left; an id without qualifiers takes those of the id before it (`port 80 or 81`).
 * Not modelled, and refused: IPv6 addresses, mpls, pppoe, wlan, protochain, gateway, net by name. `vlan` matches nothing.
 */

import type { Ipv4Address } from "../../../base/ipv4-address.ts";
import { parseMacAddress } from "../../../base/mac-address.ts";
import { get16, get32, get48 } from "../../../wire/byte-order.ts";
import { servicePort } from "../../../wire/service-names.ts";
import { parseArithmetic } from "./filter-arithmetic.ts";
import { FilterError, SYNTAX_ERROR, type Token, tokenizeFilter } from "./filter-lexer.ts";
import { ipProtocol, isIpv4, isLaterFragment, type PacketView, transportAt } from "./packet-view.ts";

export type Predicate = (view: PacketView) => boolean;

export interface FilterContext {
  /** Addresses of a host name. */
  resolve(name: string): readonly Ipv4Address[];
  /** Of the interface, for directed broadcasts; undefined when reading files. */
  readonly netmask?: number | undefined;
  /** inbound and outbound need a live capture. */
  readonly hasDirection: boolean;
}

type Direction = "any" | "src" | "dst" | "both";
type Kind = "host" | "net" | "port" | "portrange" | "proto" | "gateway";

interface Qualifiers {
  readonly protocol: string | undefined;
  readonly direction: Direction;
  readonly kind: Kind | undefined;
}

const ETHER_TYPES: ReadonlyMap<string, number> = new Map([
  ["ip", 0x0800],
  ["arp", 0x0806],
  ["rarp", 0x8035],
  ["ip6", 0x86dd],
]);
const IP_PROTOCOLS: ReadonlyMap<string, number> = new Map([
  ["icmp", 1],
  ["igmp", 2],
  ["ipencap", 4],
  ["tcp", 6],
  ["egp", 8],
  ["igrp", 9],
  ["udp", 17],
  ["ipv6", 41],
  ["gre", 47],
  ["esp", 50],
  ["ah", 51],
  ["icmp6", 58],
  ["ospf", 89],
  ["pim", 103],
  ["vrrp", 112],
  ["carp", 112],
  ["sctp", 132],
]);
const PROTOCOL_WORDS: ReadonlySet<string> = new Set([
  "ether",
  "link",
  "ip",
  "arp",
  "rarp",
  "ip6",
  "tcp",
  "udp",
  "icmp",
  "icmp6",
  "igmp",
  "igrp",
  "pim",
  "vrrp",
  "carp",
  "ah",
  "esp",
  "sctp",
]);
const KINDS: ReadonlySet<string> = new Set(["host", "net", "port", "portrange", "proto", "gateway"]);
const UNSUPPORTED: ReadonlySet<string> = new Set([
  "mpls",
  "pppoed",
  "pppoes",
  "geneve",
  "wlan",
  "protochain",
  "aarp",
  "atalk",
  "decnet",
  "iso",
  "stp",
  "ipx",
  "netbeui",
  "lat",
  "moprc",
  "mopdl",
  "llc",
  "type",
  "subtype",
]);
const DEPTH_MAX = 200;

/** Throws a FilterError with libpcap's words. An empty expression passes everything. */
export function compileFilter(text: string, context: FilterContext): Predicate {
  const tokens = tokenizeFilter(text);
  if (tokens.length === 0) return () => true;
  const parser = new FilterParser(tokens, context);
  const predicate = parser.parseExpression(0);
  parser.expectEnd();
  return predicate;
}

class FilterParser {
  readonly #tokens: readonly Token[];
  readonly #context: FilterContext;
  #at = 0;
  /** Qualifiers of the id before, for ids without. */
  #last: Qualifiers | undefined;

  constructor(tokens: readonly Token[], context: FilterContext) {
    this.#tokens = tokens;
    this.#context = context;
  }

  expectEnd(): void {
    if (this.#at < this.#tokens.length) throw new FilterError(SYNTAX_ERROR);
  }

  parseExpression(depth: number): Predicate {
    if (depth > DEPTH_MAX) throw new FilterError("expression is too complex");
    let left = this.#parseTerm(depth);
    for (;;) {
      const isAnd = this.#accept("and", "&&");
      if (!isAnd && !this.#accept("or", "||")) return left;
      const before = left;
      const right = this.#parseTerm(depth);
      left = isAnd ? (view) => before(view) && right(view) : (view) => before(view) || right(view);
    }
  }

  #parseTerm(depth: number): Predicate {
    if (depth > DEPTH_MAX) throw new FilterError("expression is too complex");
    if (this.#accept("not", "!")) {
      const inner = this.#parseTerm(depth + 1);
      return (view) => !inner(view);
    }
    const relation = parseArithmetic(this.#tokens, this.#at);
    if (relation !== undefined) {
      this.#at = relation.next;
      return relation.predicate;
    }
    if (this.#accept("(")) {
      const inner = this.parseExpression(depth + 1);
      if (!this.#accept(")")) throw new FilterError(SYNTAX_ERROR);
      return inner;
    }
    return this.#parsePrimitive();
  }

  #parsePrimitive(): Predicate {
    const start = this.#at;
    const simple = this.#parseSimple();
    if (simple !== undefined) return simple;
    const qualifiers = this.#parseQualifiers();
    if (this.#at === start) {
      // An id alone takes the qualifiers of the one before it.
      if (this.#last === undefined) throw new FilterError(SYNTAX_ERROR);
      return this.#parseId(this.#last);
    }
    if (qualifiers.protocol !== undefined && qualifiers.kind === undefined && qualifiers.direction === "any" && !this.#isIdNext())
      return protocolPredicate(qualifiers.protocol);
    this.#last = qualifiers;
    return this.#parseId(qualifiers);
  }

  /** Primitives of one or two words without qualifiers. */
  #parseSimple(): Predicate | undefined {
    const word = this.#peekWord();
    const next = this.#peekWord(1);
    if (word === undefined) return undefined;
    if (UNSUPPORTED.has(word)) throw new FilterError(`'${word}' is not supported by this simulator`);
    if (word === "broadcast" || word === "multicast") return this.#take(1, etherGroup(word));
    if ((word === "ether" || word === "link") && (next === "broadcast" || next === "multicast")) return this.#take(2, etherGroup(next));
    if (word === "ip" && (next === "broadcast" || next === "multicast")) return this.#take(2, next === "multicast" ? ipMulticast : this.#ipBroadcast());
    if (word === "vlan") {
      // No simulated frame has a tag.
      const hasNumber = this.#tokens[this.#at + 1]?.kind === "number";
      return this.#take(hasNumber ? 2 : 1, () => false);
    }
    if (word === "inbound" || word === "outbound") {
      if (!this.#context.hasDirection) throw new FilterError("inbound/outbound not supported on Ethernet when reading savefiles");
      return this.#take(1, (view) => (view.direction === "in") === (word === "inbound"));
    }
    if (word === "less" || word === "greater") {
      const token = this.#tokens[this.#at + 1];
      if (token?.kind !== "number") throw new FilterError(SYNTAX_ERROR);
      const { value } = token;
      return this.#take(2, word === "less" ? (view) => view.lengthBytes <= value : (view) => view.lengthBytes >= value);
    }
    return undefined;
  }

  #take(count: number, predicate: Predicate): Predicate {
    this.#at += count;
    return predicate;
  }

  #ipBroadcast(): Predicate {
    const { netmask } = this.#context;
    const hostBits = ~(netmask ?? 0) >>> 0;
    return (view) => {
      if (!isIpv4(view)) return false;
      const host = (get32(view.bytes, view.networkAt + 16) & hostBits) >>> 0;
      return host === 0 || host === hostBits;
    };
  }

  #parseQualifiers(): Qualifiers {
    let protocol: string | undefined;
    let direction: Direction = "any";
    let kind: Kind | undefined;
    const word = this.#peekWord();
    if (word !== undefined && PROTOCOL_WORDS.has(word)) {
      protocol = word === "link" ? "ether" : word;
      this.#at++;
    }
    const first = this.#peekWord();
    if (first === "src" || first === "dst") {
      this.#at++;
      direction = first;
      const joint = this.#peekWord();
      const second = this.#peekWord(1);
      if ((joint === "or" || joint === "and") && second === (first === "src" ? "dst" : "src")) {
        this.#at += 2;
        direction = joint === "or" ? "any" : "both";
      }
    }
    const last = this.#peekWord();
    if (last !== undefined && KINDS.has(last)) {
      kind = last as Kind;
      this.#at++;
    }
    return { protocol, direction, kind: kind ?? (direction === "any" && first === undefined ? undefined : kind) };
  }

  #isIdNext(): boolean {
    const token = this.#tokens[this.#at];
    return token !== undefined && token.kind !== "symbol" && !(token.kind === "word" && !token.isEscaped && ["and", "or", "not"].includes(token.text));
  }

  #parseId(qualifiers: Qualifiers): Predicate {
    if (this.#accept("(")) {
      // `port (80 or 81)`: the qualifiers hold within.
      this.#last = qualifiers;
      const inner = this.parseExpression(1);
      if (!this.#accept(")")) throw new FilterError(SYNTAX_ERROR);
      return inner;
    }
    const token = this.#tokens[this.#at];
    if (token === undefined || token.kind === "symbol" || (token.kind === "word" && !token.isEscaped && ["and", "or", "not"].includes(token.text)))
      throw new FilterError(SYNTAX_ERROR);
    this.#at++;
    this.#last = qualifiers;
    switch (qualifiers.kind ?? "host") {
      case "port":
        return portPredicate(qualifiers, this.#port(token, qualifiers.protocol));
      case "portrange":
        return this.#parsePortRange(qualifiers, token);
      case "proto":
        return this.#protoPredicate(qualifiers, token);
      case "net":
        return this.#parseNet(qualifiers, token.text);
      case "gateway":
        throw new FilterError("'gateway' not supported in this configuration");
      case "host":
        return this.#hostPredicate(qualifiers, token.text);
    }
  }

  #hostPredicate(qualifiers: Qualifiers, text: string): Predicate {
    const { protocol, direction } = qualifiers;
    if (protocol === "ether") {
      const mac = parseMacAddress(text);
      if (mac === undefined) throw new FilterError(/^[0-9.]+$/.test(text) ? "illegal link layer address" : `unknown ether host '${text}'`);
      return (view) => view.networkAt !== 0 && matchPair(direction, get48(view.bytes, 6) === mac, get48(view.bytes, 0) === mac);
    }
    if (parseMacAddress(text) !== undefined) throw new FilterError("ethernet address used in non-ether expression");
    if (protocol !== undefined && !ETHER_TYPES.has(protocol)) throw new FilterError(`'${protocol}' modifier applied to host`);
    const short = shortAddress(text);
    if (short === undefined && /^\d{1,3}(\.\d{1,3}){1,3}$/.test(text)) throw new FilterError(`invalid IPv4 address '${text}'`);
    if (short !== undefined) return addressPredicate(protocol, direction, [short]);
    const addresses = this.#context.resolve(text);
    if (addresses.length === 0) throw new FilterError(`unknown host '${text}'`);
    return addressPredicate(
      protocol,
      direction,
      addresses.map((network) => ({ network, mask: 0xffffffff })),
    );
  }

  #parseNet(qualifiers: Qualifiers, text: string): Predicate {
    const { protocol, direction } = qualifiers;
    if (protocol !== undefined && !ETHER_TYPES.has(protocol)) throw new FilterError(`'${protocol}' modifier applied to net`);
    const short = shortAddress(text);
    if (short === undefined) throw new FilterError(`unknown network '${text}'`);
    let { mask } = short;
    let shown = text;
    if (this.#accept("/")) {
      const length = this.#tokens[this.#at++];
      if (length?.kind !== "number") throw new FilterError(SYNTAX_ERROR);
      if (length.value > 32) throw new FilterError("mask length must be <= 32");
      mask = length.value === 0 ? 0 : (0xffffffff << (32 - length.value)) >>> 0;
      shown = `${text}/${length.text}`;
      if (this.#tokens[this.#at]?.text === "/") throw new FilterError(SYNTAX_ERROR);
    } else if (this.#peekWord() === "mask") {
      const value = shortAddress(this.#tokens[this.#at + 1]?.text ?? "");
      if (value === undefined) throw new FilterError(SYNTAX_ERROR);
      this.#at += 2;
      mask = value.network;
      shown = `${text} mask ${this.#tokens[this.#at - 1]?.text}`;
    }
    if ((short.network & ~mask) >>> 0 !== 0) throw new FilterError(`non-network bits set in "${shown}"`);
    return addressPredicate(protocol, direction, [{ network: short.network, mask }]);
  }

  #port(token: Token, protocol: string | undefined): { readonly port: number; readonly protocol: string | undefined } {
    if (token.kind === "number") {
      if (token.value > 65_535) throw new FilterError(`illegal port number ${token.text} > 65535`);
      return { port: token.value, protocol };
    }
    const tcp = protocol === "udp" ? undefined : servicePort(token.text, "tcp");
    const udp = protocol === "tcp" ? undefined : servicePort(token.text, "udp");
    const port = tcp ?? udp;
    if (port === undefined) throw new FilterError(`unknown port '${token.text}'`);
    return { port, protocol: protocol ?? (tcp === undefined ? "udp" : udp === undefined ? "tcp" : undefined) };
  }

  #parsePortRange(qualifiers: Qualifiers, token: Token): Predicate {
    const single = /^(\d+)-(\d+)$/.exec(token.text);
    if (single !== null) return rangePredicate(qualifiers, Number(single[1]), Number(single[2]));
    const { port } = this.#port(token, qualifiers.protocol);
    if (!this.#accept("-")) return rangePredicate(qualifiers, port, port);
    const last = this.#tokens[this.#at++];
    if (last === undefined) throw new FilterError(SYNTAX_ERROR);
    return rangePredicate(qualifiers, port, this.#port(last, qualifiers.protocol).port);
  }

  #protoPredicate(qualifiers: Qualifiers, token: Token): Predicate {
    if (qualifiers.protocol === "ether") {
      const etherType = token.kind === "number" ? token.value : ETHER_TYPES.get(token.text);
      if (etherType === undefined) throw new FilterError(`unknown ether proto '${token.text}'`);
      return (view) => view.etherType === etherType;
    }
    const protocol = token.kind === "number" ? token.value : IP_PROTOCOLS.get(token.text);
    if (protocol === undefined) throw new FilterError(`unknown ip proto '${token.text}'`);
    return (view) => isIpv4(view) && ipProtocol(view) === protocol;
  }

  #peekWord(ahead = 0): string | undefined {
    const token = this.#tokens[this.#at + ahead];
    return token?.kind === "word" && !token.isEscaped ? token.text : undefined;
  }

  #accept(...texts: readonly string[]): boolean {
    const token = this.#tokens[this.#at];
    if (token === undefined || token.kind === "number" || (token.kind === "word" && token.isEscaped) || !texts.includes(token.text)) return false;
    this.#at++;
    return true;
  }
}

/* -------------------------------------------------------------------------------------------------------------- predicates */

function etherGroup(kind: "broadcast" | "multicast"): Predicate {
  if (kind === "broadcast") return (view) => view.networkAt !== 0 && get48(view.bytes, 0) === 0xffffffffffff;
  return (view) => view.networkAt !== 0 && ((view.bytes[0] ?? 0) & 1) === 1;
}

function ipMulticast(view: PacketView): boolean {
  return isIpv4(view) && (view.bytes[view.networkAt + 16] ?? 0) >= 224;
}

function protocolPredicate(protocol: string): Predicate {
  const etherType = ETHER_TYPES.get(protocol);
  if (etherType !== undefined) return (view) => view.etherType === etherType;
  const number = IP_PROTOCOLS.get(protocol);
  if (number === undefined) throw new FilterError(SYNTAX_ERROR);
  return (view) => isIpv4(view) && ipProtocol(view) === number;
}

function matchPair(direction: Direction, isSrc: boolean, isDst: boolean): boolean {
  switch (direction) {
    case "src":
      return isSrc;
    case "dst":
      return isDst;
    case "both":
      return isSrc && isDst;
    case "any":
      return isSrc || isDst;
  }
}

interface Network {
  readonly network: number;
  readonly mask: number;
}

/** IPv4 headers, and the addresses in ARP and RARP packets. */
function addressPredicate(protocol: string | undefined, direction: Direction, networks: readonly Network[]): Predicate {
  const isIn = (address: number) => networks.some(({ network, mask }) => ((address ^ network) & mask) === 0);
  return (view) => {
    const { bytes, networkAt } = view;
    if (isIpv4(view))
      return (protocol === undefined || protocol === "ip") && matchPair(direction, isIn(get32(bytes, networkAt + 12)), isIn(get32(bytes, networkAt + 16)));
    const isArp = view.etherType === 0x0806;
    if ((!isArp && view.etherType !== 0x8035) || bytes.length < networkAt + 28 || !(protocol === undefined || protocol === (isArp ? "arp" : "rarp")))
      return false;
    return matchPair(direction, isIn(get32(bytes, networkAt + 14)), isIn(get32(bytes, networkAt + 24)));
  };
}

function portPredicate(qualifiers: Qualifiers, { port, protocol }: { readonly port: number; readonly protocol: string | undefined }): Predicate {
  return rangePredicate({ ...qualifiers, protocol }, port, port);
}

function rangePredicate({ protocol, direction }: Qualifiers, from: number, to: number): Predicate {
  const wanted =
    protocol === undefined || protocol === "ip"
      ? [6, 17, 132]
      : [
          ["tcp", 6],
          ["udp", 17],
          ["sctp", 132],
        ]
          .filter(([name]) => name === protocol)
          .map(([, number]) => number);
  if (wanted.length === 0) throw new FilterError("illegal qualifier of 'port'");
  const [low, high] = from <= to ? [from, to] : [to, from];
  return (view) => {
    if (!isIpv4(view) || !wanted.includes(ipProtocol(view)) || isLaterFragment(view)) return false;
    const at = transportAt(view);
    if (view.bytes.length < at + 4) return false;
    const src = get16(view.bytes, at);
    const dst = get16(view.bytes, at + 2);
    return matchPair(direction, src >= low && src <= high, dst >= low && dst <= high);
  };
}

/** `10`, `10.0.0`, `10.0.0.1`: fewer octets are a network. */
function shortAddress(text: string): Network | undefined {
  const parts = text.split(".");
  if (parts.length > 4 || !parts.every((part) => /^\d{1,3}$/.test(part) && Number(part) <= 255)) return undefined;
  let network = 0;
  for (let i = 0; i < 4; i++) network = network * 256 + Number(parts[i] ?? 0);
  return { network, mask: parts.length === 4 ? 0xffffffff : (0xffffffff << (32 - 8 * parts.length)) >>> 0 };
}
