/**
 * The one place that says what is in a trace, field by field. From it come docs/trace.schema.json (JSON Schema 2020-12) and the tables of
 * docs/TRACE.md: `npm run trace-docs` writes both, and a test compares them with this and this with real traces.
 */

import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

export interface Schema {
  readonly [keyword: string]: unknown;
  readonly description?: string;
}

type Fields = Readonly<Record<string, Schema>>;

const describe = (schema: Schema, description: string): Schema => ({ ...schema, description });
const ref = (name: string): Schema => ({ $ref: `#/$defs/${name}` });
const listOf = (items: Schema): Schema => ({ type: "array", items });
const orNull = (schema: Schema): Schema => ({ anyOf: [schema, { type: "null" }] });
const oneOf = (...values: readonly string[]): Schema => ({ enum: values });
const text: Schema = { type: "string" };
const flag: Schema = { type: "boolean" };
const whole = (minimum = 0, maximum?: number): Schema => ({ type: "integer", minimum, ...(maximum === undefined ? {} : { maximum }) });
const port = whole(0, 65_535);
const byte = whole(0, 255);
const word32 = whole(0, 0xffffffff);

/** An object with these fields and no others. Names that end with `?` may be missing. */
function object(fields: Fields, more: Schema = {}): Schema {
  const names = Object.keys(fields);
  return {
    type: "object",
    properties: Object.fromEntries(names.map((name) => [name.replace("?", ""), fields[name]])),
    required: names.filter((name) => !name.endsWith("?")),
    additionalProperties: false,
    ...more,
  };
}

/* ------------------------------------------------------------------------------------------------------------------ values */

const VALUES: Readonly<Record<string, Schema>> = {
  address: { type: "string", pattern: "^(\\d{1,3}\\.){3}\\d{1,3}$", description: "An IPv4 address, dotted." },
  mac: { type: "string", pattern: "^([0-9a-f]{2}:){5}[0-9a-f]{2}$", description: "A MAC address." },
  bytes: { type: "string", pattern: "^[\\u0000-\\u00ff]*$", description: "Bytes, a character U+0000 to U+00FF for each." },
  dataOf: {
    type: "array",
    prefixItems: [whole(1), whole(0)],
    items: false,
    minItems: 2,
    description: "`[record, n]`: the same bytes as the n-th `data` (from 0) of an earlier record.",
  },
  reason: {
    enum: [
      "LINK_DOWN",
      "LINK_LOSS",
      "LINK_QUEUE_FULL",
      "LINK_CORRUPTED",
      "LINK_PARTITION",
      "QDISC_DROP",
      "OTHERHOST",
      "DEV_DOWN",
      "PKT_TOO_BIG",
      "IP_CSUM",
      "IP_INHDR",
      "IP_NOPROTO",
      "IP_RPFILTER",
      "IP_LOCAL_SOURCE",
      "IP_INVALID_SOURCE",
      "IP_LOCALNET",
      "IP_INVALID_DEST",
      "IP_INADDRERRORS",
      "IP_INNOROUTES",
      "IP_OUTNOROUTES",
      "IP_TTL",
      "FRAG_REASM_TIMEOUT",
      "NEIGH_FAILED",
      "NEIGH_QUEUEFULL",
      "NETFILTER_DROP",
      "NETFILTER_REJECT",
      "IPVS_NO_DEST",
      "IPVS_DEST_GONE",
      "IPVS_DROP_RATE",
      "IPVS_XMIT_ERROR",
      "NO_SOCKET",
      "TCP_RESET",
      "TCP_INVALID",
      "SOCKET_BACKLOG",
      "SOCKET_CLOSED",
      "TUNNEL_NO_DEVICE",
      "ARP_IGNORED",
      "DIVERTED",
    ],
    description: "Why a frame or packet died, named after the kernel's SKB_DROP_REASON_* where it has a name.",
  },
};

/* ----------------------------------------------------------------------------------------------------------------- packets */

const data: Fields = { "data?": describe(ref("bytes"), "The payload; missing when it is empty or said by `dataOf`."), "dataOf?": ref("dataOf") };
const inner: Fields = { "ip?": describe(ref("packet"), "The packet inside."), "raw?": describe(ref("raw"), "Or what is inside, as bytes.") };

const PACKETS: Readonly<Record<string, Schema>> = {
  frame: object(
    {
      src: ref("mac"),
      dst: ref("mac"),
      etherType: describe(port, "2048 for IPv4, 2054 for ARP."),
      "ip?": ref("packetOf"),
      "arp?": ref("arp"),
      "raw?": describe(ref("raw"), "What is neither."),
    },
    { description: "An Ethernet frame, without padding and checksum. Exactly one of `ip`, `arp` and `raw` is there.", oneOf: ["ip", "arp", "raw"].map((name) => ({ required: [name] })) },
  ),
  packetOf: {
    oneOf: [whole(1), ref("packetChange"), ref("packet")],
    description: "A packet; or the id of an earlier record, whose packet it is; or what is different from the packet of an earlier record.",
  },
  packetChange: object(
    {
      of: describe(whole(1), "The record that has the packet: its `frame`'s, its `packet`, or what became of it (`after`, `outer` of what was encapsulated, `inner` of what was decapsulated)."),
      "src?": ref("address"),
      "dst?": ref("address"),
      "ttl?": byte,
      "id?": port,
      "tos?": byte,
      "srcPort?": describe(port, "Of TCP or UDP."),
      "dstPort?": port,
    },
    { description: "A packet that is the same as an earlier one but for these fields." },
  ),
  arp: object(
    { operation: describe(port, "1 request, 2 reply."), senderMac: ref("mac"), senderIp: ref("address"), targetMac: ref("mac"), targetIp: ref("address") },
    { description: "An ARP packet." },
  ),
  packet: object(
    {
      src: ref("address"),
      dst: ref("address"),
      protocol: describe(byte, "1 ICMP, 4 IPIP, 6 TCP, 17 UDP, 47 GRE, 112 VRRP."),
      ttl: byte,
      id: describe(port, "Identification."),
      "tos?": describe(byte, "Type of service; missing: 0."),
      "dontFragment?": { const: true },
      "moreFragments?": { const: true },
      "fragmentOffset?": describe(whole(8, 65_528), "Bytes; missing: 0."),
      "options?": describe(ref("bytes"), "IP options as bytes; missing: none."),
      "tcp?": ref("tcp"),
      "udp?": ref("udp"),
      "icmp?": ref("icmp"),
      "ip?": describe(ref("packet"), "IP in IP."),
      "gre?": ref("gre"),
      "vrrp?": ref("vrrp"),
      "raw?": describe(ref("raw"), "Another protocol, or a later fragment."),
    },
    {
      description: "An IPv4 packet. Exactly one payload is there. Lengths and checksums are not: they follow from the rest.",
      oneOf: ["tcp", "udp", "icmp", "ip", "gre", "vrrp", "raw"].map((name) => ({ required: [name] })),
    },
  ),
  tcp: object(
    {
      srcPort: port,
      dstPort: port,
      seq: word32,
      ack: word32,
      flags: { type: "string", pattern: "^F?S?R?P?A?U?E?W?$", description: "Letters in this order: F FIN, S SYN, R RST, P PSH, A ACK, U URG, E ECE, W CWR." },
      window: describe(port, "As sent, not scaled."),
      "urgentPointer?": describe(port, "Missing: 0."),
      "optionBytes?": describe(whole(4, 40), "Length of the options; missing: none."),
      "options?": ref("tcpOptions"),
      ...data,
    },
    { description: "A TCP segment." },
  ),
  tcpOptions: object(
    {
      "mss?": port,
      "sackPermitted?": flag,
      "timestamps?": object({ value: word32, echo: word32 }),
      "windowScale?": byte,
      "sack?": describe(listOf({ type: "array", prefixItems: [word32, word32], items: false, minItems: 2 }), "Blocks that have arrived: `[left, right)`."),
    },
    { description: "Options of TCP." },
  ),
  udp: object(
    { srcPort: port, dstPort: port, "hasChecksum?": describe({ const: false }, "Missing: it has one."), ...data, "gue?": ref("gue") },
    { description: "A UDP datagram: bytes, or a GUE tunnel." },
  ),
  gue: object({ protocol: byte, flags: port, "fields?": describe(ref("bytes"), "Optional fields as bytes."), ...inner }, { description: "Generic UDP Encapsulation." }),
  gre: object({ protocol: describe(port, "EtherType of what is inside."), hasChecksum: flag, "key?": word32, ...inner }, { description: "Generic Routing Encapsulation." }),
  icmp: object(
    {
      type: byte,
      code: byte,
      rest: describe(word32, "The second word of the header: identifier and sequence number of an echo, the gateway of a redirect, the MTU."),
      "quotedBytes?": describe(whole(1, 65_535), "Of an error: how much of the packet it quotes."),
      "quoted?": describe(ref("packet"), "Of an error: the packet."),
      ...data,
    },
    { description: "An ICMP message." },
  ),
  vrrp: object(
    {
      version: byte,
      vrid: byte,
      priority: byte,
      intervalUnits: describe(port, "Seconds in version 2, hundredths of a second in version 3."),
      addresses: listOf(ref("address")),
      authType: byte,
      authData: ref("bytes"),
    },
    { description: "A VRRP advertisement." },
  ),
  raw: object(data, { description: "Bytes that are not taken apart." }),
};

/* ------------------------------------------------------------------------------------------------------------------ tables */

const ROWS: Readonly<Record<string, { readonly about: string; readonly fields: Fields }>> = {
  links: {
    about: "Network devices, as `ip link`. Key: the index.",
    fields: {
      index: whole(1),
      name: text,
      kind: describe(text, "loopback, ether, dummy, tunnel, gre, ..."),
      mac: orNull(ref("mac")),
      mtu: whole(0),
      isUp: flag,
      hasCarrier: flag,
      isNoArp: flag,
      isPromiscuous: flag,
      txQueueLength: whole(0),
      tunnel: describe(orNull(text), "`ipip remote any local any ttl inherit`; null for what is no tunnel."),
    },
  },
  addresses: {
    about: "Addresses, as `ip address`, in the kernel's order. Key: the position from 0.",
    fields: { device: text, address: ref("address"), prefixLength: whole(0, 32), peer: orNull(ref("address")), broadcast: orNull(ref("address")), scope: text, label: text, isSecondary: flag },
  },
  routes: {
    about: "Routes of all routing tables, as `ip route show table all`, in that order. Key: the position from 0.",
    fields: {
      table: describe(whole(0), "254 main, 255 local, 253 default."),
      type: describe(text, "unicast, local, broadcast, unreachable, blackhole, ..."),
      destination: text,
      via: describe(orNull(text), "Of the first next hop."),
      device: describe(orNull(text), "Of the first next hop."),
      source: orNull(text),
      metric: whole(0),
      scope: text,
      protocol: text,
      tos: byte,
      mtu: whole(0),
      isDead: flag,
      isLinkDown: flag,
      isOnlink: flag,
      nextHops: describe(orNull(text), "All next hops when there are several."),
    },
  },
  rules: { about: "Policy rules, as `ip rule`. Key: the position from 0.", fields: { priority: whole(0), selector: text, action: text, table: whole(0) } },
  neighbours: {
    about: "Neighbours, as `ip neigh`. Key: device index and address.",
    fields: { device: text, address: ref("address"), mac: orNull(ref("mac")), state: describe(text, "INCOMPLETE, REACHABLE, STALE, DELAY, PROBE, FAILED, PERMANENT, NOARP."), isProxy: flag },
  },
  sysctls: { about: "Settings below net that can be written, IPv6 left out. Key: the name, `net.ipv4.ip_forward`.", fields: { value: text } },
  netfilter: {
    about: "Rules and policies of iptables with their counters. Key: table, chain and number.",
    fields: { table: text, chain: text, number: describe(whole(0), "From 1; 0 is the policy of a built-in chain."), rule: describe(text, "As `iptables -S` prints it."), packets: whole(0), bytes: whole(0) },
  },
  conntrack: {
    about: "Connections that netfilter follows, as `conntrack -L`.",
    fields: {
      protocol: byte,
      state: text,
      original: describe(text, "`10.0.0.9:4001 > 10.0.0.100:80`; of an ICMP echo the ports are the identifier."),
      reply: text,
      hasReply: flag,
      isAssured: flag,
      mark: word32,
      untilNs: describe(whole(0), "The row is gone from this time on, without a record."),
    },
  },
  ipvsServices: {
    about: "Virtual services with their counters, as `ipvsadm -L --stats`. Key: the service.",
    fields: {
      service: describe(text, "`TCP 10.0.0.100:80`, `FWM 1`."),
      scheduler: text,
      flags: describe(text, "Words of `ipvsadm -b`, commas between."),
      persistenceSeconds: orNull(whole(0)),
      netmask: orNull(text),
      isOnePacket: flag,
      conns: whole(0),
      inPackets: whole(0),
      outPackets: whole(0),
      inBytes: whole(0),
      outBytes: whole(0),
    },
  },
  ipvsDestinations: {
    about: "Real servers with their counters. Key: service and server.",
    fields: {
      service: text,
      address: ref("address"),
      port,
      method: describe(text, "masq, route, tunnel or local."),
      weight: whole(0),
      upperThreshold: whole(0),
      lowerThreshold: whole(0),
      isOverloaded: flag,
      activeConns: whole(0),
      inactConns: whole(0),
      persistConns: whole(0),
      conns: whole(0),
      inPackets: whole(0),
      outPackets: whole(0),
      inBytes: whole(0),
      outBytes: whole(0),
    },
  },
  ipvsConnections: {
    about: "The connection table, as `ipvsadm -L -c`. Key: the `number` of ipvs-connection records.",
    fields: {
      protocol: text,
      client: text,
      virtual: text,
      destination: text,
      state: text,
      method: text,
      isTemplate: flag,
      isInactive: flag,
      isFromSync: flag,
      expiresNs: describe(whole(0), "When its timer fires; later packets move it."),
    },
  },
  sockets: {
    about: "Sockets, as `ss -tua`.",
    fields: {
      protocol: text,
      state: text,
      local: text,
      remote: text,
      receiveQueue: describe(whole(0), "Of a listener: connections that wait for accept."),
      sendQueue: describe(whole(0), "Of a listener: the backlog."),
      process: describe(orNull(text), "`curl[1012]`; null when no process holds it."),
    },
  },
  macs: {
    about: "What a switch has learnt, as `bridge fdb`. It belongs to `link/NAME`; the others belong to hosts. Key: the MAC.",
    fields: { mac: ref("mac"), port: describe(text, "`HOST.INTERFACE` behind the port."), untilNs: describe(whole(0), "The row is gone from this time on, without a record.") },
  },
};

export const TABLE_FIELDS = ROWS;

function rowSchemas(): Record<string, Schema> {
  return Object.fromEntries(Object.entries(ROWS).map(([name, { about, fields }]) => [`${name}Row`, object(fields, { description: about })]));
}

/** A change of a row: all fields of one that came, those that are new of one that changed, none of one that went. */
function changeSchema(): Schema {
  const kinds = Object.keys(ROWS).flatMap((name) => {
    const { properties } = object(ROWS[name]?.fields ?? {});
    const of = (change: string, set: Schema) => object({ table: { const: name }, key: text, change: { const: change }, set });
    return [of("add", ref(`${name}Row`)), of("change", { type: "object", properties, additionalProperties: false, minProperties: 1 }), of("remove", object({}))];
  });
  return { oneOf: kinds };
}

function keyframeTables(): Schema {
  const earlier = object({ keyframe: whole(1) });
  const tables = Object.keys(ROWS).map((name) => [`${name}?`, { oneOf: [object({ rows: { type: "object", additionalProperties: ref(`${name}Row`) } }), earlier] }]);
  return { type: "object", additionalProperties: object(Object.fromEntries(tables)) };
}

/* ----------------------------------------------------------------------------------------------------------------- records */

const frameOf = describe({ oneOf: [whole(1), ref("frame")] }, "The id of the frame-sent record that has the frame, or the frame itself when that is not in the trace or too far back.");

const BASE: Fields = {
  id: describe(whole(1), "1, 2, 3, ... in the order of writing."),
  timeNs: describe(whole(0), "Nanoseconds since the start of the run; never falls from record to record."),
  kind: text,
  host: describe(text, "The host; of a frame that a link lost, the link; `link/NAME` for tables of a link; empty when no host is meant."),
  cause: describe(whole(0), "The id of the record that this follows from, always a smaller one; 0: it begins a chain."),
};

const tunnel = oneOf("ipip", "gre", "gue");
const before = describe(text, "Empty: it is new.");
const after = describe(text, "Empty: it is gone.");

export const RECORDS: Readonly<Record<string, { readonly level: "frames" | "packets" | "full"; readonly about: string; readonly fields: Fields }>> = {
  "frame-sent": { level: "frames", about: "An interface put a frame on its cable.", fields: { device: text, frame: ref("frame") } },
  "frame-received": {
    level: "frames",
    about: "An interface took a frame from its cable. The cause is the record that sent it.",
    fields: { device: text, frame: frameOf },
  },
  "frame-dropped": {
    level: "frames",
    about: "A frame died on a link or at an interface. `OTHERHOST`: it was for another machine.",
    fields: { device: describe(text, "Empty: on the link that `host` names."), reason: ref("reason"), frame: frameOf },
  },
  "packet-dropped": {
    level: "packets",
    about: "A packet died inside a host.",
    fields: { reason: ref("reason"), detail: describe(text, "The deciding values: `rp_filter = max(all 1, eth0 0) = 1`."), packet: ref("packetOf") },
  },
  "packet-passed": {
    level: "packets",
    about: "A packet went through lo or a tunnel device, where there are no frames.",
    fields: { device: text, direction: oneOf("in", "out"), packet: ref("packetOf") },
  },
  "packet-rewritten": {
    level: "packets",
    about: "Addresses, ports or TTL were changed, or its way alone: `ipvs-route` is direct routing, `ipvs-local` a server on the director itself.",
    fields: { by: describe(text, "forward, ipvs-nat, ipvs-route, ipvs-local, snat, dnat, masquerade, redirect, ..."), before: ref("packetOf"), after: ref("packetOf") },
  },
  "packet-encapsulated": { level: "packets", about: "A packet was put into another.", fields: { by: tunnel, inner: ref("packetOf"), outer: ref("packet") } },
  "packet-decapsulated": {
    level: "packets",
    about: "A packet was taken out of another.",
    fields: { by: tunnel, device: describe(text, "The tunnel device that it now comes from."), outer: ref("packetOf"), inner: ref("packet") },
  },
  neighbour: {
    level: "packets",
    about: "A neighbour entry was made, learnt, changed or given up.",
    fields: { device: text, address: ref("address"), mac: describe(ref("mac"), "00:00:00:00:00:00: not known."), before: text, after: text },
  },
  "arp-decision": {
    level: "packets",
    about: "An ARP request was answered or not, and why.",
    fields: { device: text, target: ref("address"), sender: ref("address"), isAnswered: flag, detail: text },
  },
  route: {
    level: "packets",
    about: "A route was chosen.",
    fields: {
      direction: describe(oneOf("in", "out"), "`in`: for a packet that came, `out`: for one of the host's own."),
      dst: ref("address"),
      src: ref("address"),
      type: describe(text, "unicast, local, broadcast, ...; or the error, as EHOSTUNREACH."),
      device: text,
      gateway: describe(ref("address"), "0.0.0.0: none."),
      table: whole(0),
      detail: text,
    },
  },
  netfilter: {
    level: "packets",
    about: "A rule or the policy of a chain decided about a packet. Policies that accept are not recorded.",
    fields: { table: text, chain: text, rule: describe(text, "As `iptables -S` prints it."), verdict: text, packet: ref("packetOf") },
  },
  scheduled: {
    level: "packets",
    about: "IPVS chose a real server for a new connection.",
    fields: {
      service: text,
      scheduler: text,
      client: ref("address"),
      clientPort: port,
      candidates: describe(
        listOf(
          object({
            address: ref("address"),
            port,
            weight: { type: "integer" },
            activeConns: whole(0),
            inactConns: whole(0),
            overhead: describe(orNull({ type: "number" }), "The figure that this scheduler compares; null: it compares none."),
            isEligible: flag,
          }),
        ),
        "Every server of the service as the scheduler saw it, before the choice.",
      ),
      chosen: describe(orNull(text), "`ADDRESS:PORT`; null: nobody was available."),
      figures: describe(
        orNull({ type: "object", additionalProperties: { anyOf: [{ type: "number" }, text] } }),
        "What the scheduler itself remembers or computes, before the choice, by names of its own; null: nothing, or it was not asked.",
      ),
      by: describe(text, "`scheduler`, `template` (persistence) or `bypass`."),
    },
  },
  "ipvs-connection": {
    level: "packets",
    about: "An IPVS connection was made, changed state or ended.",
    fields: {
      connection: describe(text, "`TCP client -> virtual -> destination`, with ` template` behind it for a persistence template."),
      number: describe(whole(0), "Names the connection on its director; the key of its row in the table ipvsConnections."),
      service: describe(orNull(text), "null: it has no server here."),
      dest: text,
      method: describe(text, "masq, route, tunnel or local."),
      before,
      after,
    },
  },
  "tcp-state": { level: "packets", about: "A TCP socket changed state.", fields: { socket: describe(text, "`local remote`."), before: text, after: text } },
  sysctl: { level: "packets", about: "A setting was written.", fields: { key: text, before: text, after: text } },
  table: {
    level: "packets",
    about: "An address, route, rule, link, service, server or firewall rule was added, changed or removed, in words. Rows of the same tables are in `rows`.",
    fields: {
      table: oneOf("address", "route", "rule", "link", "ipvs-service", "ipvs-dest", "netfilter", "conntrack"),
      change: oneOf("add", "change", "remove"),
      entry: text,
    },
  },
  "command-start": { level: "packets", about: "A command started; `pid` 0: there is no such command.", fields: { pid: whole(0), command: text } },
  "command-end": { level: "packets", about: "A command ended. The cause is its start.", fields: { pid: whole(0), command: text, exit: whole(0, 255) } },
  fault: {
    level: "packets",
    about: "Somebody made a fault or mended one.",
    fields: { fault: describe(text, "The verb: impair, partition, reboot, ...; `boot` when a machine comes up."), detail: describe(text, "Its object and figures.") },
  },
  link: {
    level: "frames",
    about: "A cable went up or down, or a host was cut off (`crashed`).",
    fields: { device: describe(text, "Empty: every interface of the host."), state: oneOf("up", "down", "crashed") },
  },
  log: { level: "packets", about: "A line of the kernel log.", fields: { text } },
  origin: { level: "frames", about: "The setup scripts are over. Times of the timeline, of captures and of the command line count from here.", fields: {} },
  rows: {
    level: "full",
    about: "Rows of tables that came, changed or went, at the end of the event that changed them.",
    fields: { changes: listOf(ref("rowChange")) },
  },
  keyframe: {
    level: "full",
    about: "All tables as they are at this point, to start from.",
    fields: {
      previous: describe(whole(0), "The keyframe before, 0: this is the first."),
      tables: describe(ref("keyframeTables"), "By host or `link/NAME` and table: `rows` by key, or `keyframe`, the id of an earlier keyframe that has them."),
    },
  },
};

const HEADER: Fields = {
  format: { const: "lvsim-trace" },
  version: describe({ const: 1 }, "The version of the format."),
  level: describe(oneOf("frames", "packets", "full"), "What was recorded."),
  title: text,
  seed: describe(text, "The seed that the run used."),
  hosts: describe(listOf(object({ name: text, interfaces: listOf(object({ name: text, link: text, mac: ref("mac") })) })), "Hosts and their interfaces, in file order."),
  links: describe(listOf(text), "Names of the links."),
  scenario: describe(orNull(text), "The text of the scenario file; null when the run was built in code."),
};

function recordSchema(kind: string, fields: Fields, about: string): Schema {
  return object({ ...BASE, kind: { const: kind }, ...fields }, { description: about });
}

/** The schema of a line of a trace: its header or a record. */
export function traceSchema(): Schema {
  const kinds = Object.keys(RECORDS);
  return {
    $schema: "https://json-schema.org/draft/2020-12/schema",
    $id: "urn:lvsim:trace:1",
    title: "A line of an lvsim trace",
    description: "The first line is a header, the others are records. docs/TRACE.md tells more.",
    if: { required: ["format"] },
    // biome-ignore lint/suspicious/noThenProperty: a keyword of JSON Schema
    then: ref("header"),
    else: ref("record"),
    $defs: {
      header: object(HEADER, { description: "The first line: what the trace is of." }),
      record: {
        type: "object",
        required: ["kind"],
        properties: { kind: { enum: kinds } },
        // biome-ignore lint/suspicious/noThenProperty: a keyword of JSON Schema
        allOf: kinds.map((kind) => ({ if: { properties: { kind: { const: kind } } }, then: ref(kind) })),
      },
      ...Object.fromEntries(Object.entries(RECORDS).map(([kind, { about, fields }]) => [kind, recordSchema(kind, fields, about)])),
      ...VALUES,
      ...PACKETS,
      ...rowSchemas(),
      rowChange: describe(changeSchema(), "A row that came (`set` has all its fields), changed (those that are new) or went (none)."),
      keyframeTables: keyframeTables(),
    },
  };
}

/* -------------------------------------------------------------------------------------------------------------------- docs */

function typeText(schema: Schema): string {
  if (typeof schema.$ref === "string") return schema.$ref.replace("#/$defs/", "");
  if ("const" in schema) return `\`${JSON.stringify(schema.const)}\``;
  if (Array.isArray(schema.enum)) return schema.enum.map((value) => `\`${value}\``).join(", ");
  const choices = (schema.anyOf ?? schema.oneOf) as readonly Schema[] | undefined;
  if (choices !== undefined) return choices.map(typeText).join(" or ");
  if (schema.type === "array") return schema.items === undefined || schema.items === false ? "list" : `list of ${typeText(schema.items as Schema)}`;
  if (schema.type === "object" && typeof schema.additionalProperties === "object" && schema.properties === undefined) return `object of ${typeText(schema.additionalProperties as Schema)}`;
  if (schema.type === "object") return `{ ${Object.keys((schema.properties ?? {}) as object).join(", ")} }`;
  return String(schema.type);
}

/** A line for each field, with those of objects inside. */
function fieldTable(fields: Fields, prefix = ""): string {
  const lines = Object.entries(fields).flatMap(([name, schema]) => {
    const items = (schema.type === "array" ? schema.items : schema) as Schema | false | undefined;
    const path = `${prefix}${name.replace("?", "")}`;
    const about = [name.endsWith("?") ? "May be missing." : "", schema.description ?? ""].filter((part) => part !== "").join(" ");
    const line = `| \`${path}\` | ${typeText(schema)} | ${about} |`;
    if (items === false || items?.type !== "object" || items.properties === undefined) return [line];
    return [line, fieldTable(items.properties as Fields, `${path}${schema.type === "array" ? "[]" : ""}.`)];
  });
  return lines.join("\n");
}

const HEAD = "| field | type | meaning |\n|---|---|---|\n";

/** The parts of TRACE.md that are made from this, by the name between their markers. */
export function docParts(): Readonly<Record<string, string>> {
  const records = Object.entries(RECORDS).map(([kind, { level, about, fields }]) => {
    const rows = Object.keys(fields).length === 0 ? "No fields of its own." : `${HEAD}${fieldTable(fields)}`;
    return `#### ${kind}\n\nLevel ${level}. ${about}\n\n${rows}`;
  });
  const packets = Object.entries(PACKETS).map(([name, schema]) => {
    const choices = schema.oneOf as readonly Schema[] | undefined;
    if (schema.properties === undefined) return `#### ${name}\n\n${schema.description ?? ""}\n\n${(choices ?? []).map((choice) => `- ${typeText(choice)}`).join("\n")}`;
    const required = new Set(schema.required as readonly string[]);
    const fields = Object.fromEntries(Object.entries(schema.properties as Fields).map(([field, of]) => [required.has(field) ? field : `${field}?`, of]));
    return `#### ${name}\n\n${schema.description ?? ""}\n\n${HEAD}${fieldTable(fields)}`;
  });
  const values = Object.entries(VALUES).map(([name, schema]) => `| ${name} | ${schema.description ?? ""}${Array.isArray(schema.enum) ? ` ${schema.enum.map((one) => `\`${one}\``).join(", ")}` : ""} |`);
  const tables = Object.entries(ROWS).map(([name, { about, fields }]) => `#### ${name}\n\n${about}\n\n${HEAD}${fieldTable(fields)}`);
  return {
    header: `${HEAD}${fieldTable(HEADER)}`,
    base: `${HEAD}${fieldTable(BASE)}`,
    records: records.join("\n\n"),
    values: `| type | meaning |\n|---|---|\n${values.join("\n")}`,
    packets: packets.join("\n\n"),
    tables: tables.join("\n\n"),
  };
}

/** The document with its made parts made anew. */
export function withDocParts(document: string): string {
  let result = document;
  for (const [name, content] of Object.entries(docParts())) {
    const marked = new RegExp(`(<!-- made: ${name} -->\\n)[\\s\\S]*?(<!-- end -->)`);
    if (!marked.test(result)) throw new Error(`docs/TRACE.md has no place for ${name}`);
    result = result.replace(marked, (_all, start: string, end: string) => `${start}\n${content}\n\n${end}`);
  }
  return result;
}

export function schemaText(): string {
  return `${JSON.stringify(traceSchema(), undefined, 1)}\n`;
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const docs = join(import.meta.dirname, "../docs");
  writeFileSync(join(docs, "trace.schema.json"), schemaText());
  const document = join(docs, "TRACE.md");
  writeFileSync(document, withDocParts(readFileSync(document, "utf8")));
}
