/**
 * Writes a long synthetic run through every sink, and reads it back, as a process of its own with little heap: prints the most memory in use.
 *
 *   node --max-old-space-size=64 --import tsx test/helpers/record-stream.ts RECORDS
 */

import { CsvSink } from "../../src/trace/csv.ts";
import type { TraceEvent } from "../../src/trace/events.ts";
import { JsonLinesReader, JsonLinesSink } from "../../src/trace/jsonl.ts";
import { PcapExport } from "../../src/trace/pcap-export.ts";
import { PcapngSink } from "../../src/trace/pcapng-sink.ts";
import { TraceStatistics } from "../../src/trace/statistics.ts";
import { TableFollower } from "../../src/trace/table-timeline.ts";
import { TextSink } from "../../src/trace/text-sink.ts";
import { ETHERTYPE_IPV4, EthernetFrame, Ipv4Packet, PROTOCOL_TCP, TCP_ACK, TCP_SYN, TcpSegment } from "../../src/wire/packet.ts";

const RECORDS = Number(process.argv[2]);
const HOSTS = ["client", "director", "rs1", "rs2"];
const header = {
  level: "full",
  title: "a long run",
  seed: "1",
  hosts: HOSTS.map((name, index) => ({ name, interfaces: [{ name: "eth0", link: "lan", mac: `02:00:00:00:00:0${index + 1}` }] })),
  links: ["lan"],
  scenario: null,
};

let written = 0;
let mostBytes = 0;
const take = (piece: string | Uint8Array) => {
  written += piece.length;
};
const statistics = new TraceStatistics(header);
const follower = new TableFollower();
let readBack = 0;
const reader = new JsonLinesReader((event) => {
  readBack++;
  statistics.write(event);
  follower.add(event);
});
const decoder = new TextDecoder();
const lines = new JsonLinesSink(header, (bytes) => {
  take(bytes);
  reader.push(decoder.decode(bytes, { stream: true }));
});
const sinks = [
  lines,
  new PcapngSink({ header, write: take }),
  new PcapExport({ header, write: (_host, _device, bytes) => take(bytes) }),
  new TextSink({ write: take }),
  new CsvSink({ header, write: (_name, text) => take(text) }),
];

let id = 0;
function emit(event: Record<string, unknown>): number {
  id++;
  const whole = { id, timeNs: id * 1000, ...event } as unknown as TraceEvent;
  for (const sink of sinks) sink.write(whole);
  if (id % 50_000 === 0) {
    const { heapUsed, arrayBuffers } = process.memoryUsage();
    mostBytes = Math.max(mostBytes, heapUsed + arrayBuffers);
  }
  return id;
}

/** A request to the director and on to a server, with its connection: eight records. */
function request(number: number): void {
  const data = Uint8Array.from({ length: 100 }, (_, i) => (number + i) & 255);
  const tcp = new TcpSegment(1024 + (number % 60_000), 80, number, 0, number % 4 === 0 ? TCP_SYN : TCP_ACK, 64_240);
  tcp.payload = data;
  const client = 0x0a000000 + (number % 65_536);
  const packet = new Ipv4Packet(client, 0x0aff0064, PROTOCOL_TCP, 64, tcp);
  packet.id = number & 0xffff;
  const frame = new EthernetFrame(0x020000000002, 0x020000000001, ETHERTYPE_IPV4, packet);
  const sent = emit({ kind: "frame-sent", host: "client", cause: 0, device: "eth0", frame });
  const received = emit({ kind: "frame-received", host: "director", cause: sent, device: "eth0", frame });
  const text = `TCP 10.0.0.${number & 255}:${tcp.srcPort} -> 10.255.0.100:80 -> 10.0.1.${number & 1}:80`;
  const connection = { kind: "ipvs-connection", host: "director", cause: received, connection: text, number, service: "TCP 10.255.0.100:80", dest: `10.0.1.${number & 1}:80`, method: "route" };
  emit({ ...connection, before: "", after: "NONE" });
  const after = packet.snapshot();
  const rewritten = emit({ kind: "packet-rewritten", host: "director", cause: received, by: "ipvs-route", before: packet, after });
  const out = new EthernetFrame(0x020000000003, 0x020000000002, ETHERTYPE_IPV4, after);
  const forwarded = emit({ kind: "frame-sent", host: "director", cause: rewritten, device: "eth0", frame: out });
  const last = emit({ kind: "frame-received", host: "rs1", cause: forwarded, device: "eth0", frame: out });
  emit({ kind: "packet-dropped", host: "rs1", cause: last, reason: "NO_SOCKET", packet: after, detail: "nobody listens on port 80" });
  emit({ ...connection, before: "NONE", after: "" });
}

emit({ kind: "origin", host: "", cause: 0 });
for (let number = 0; id < RECORDS; number++) request(number);
for (const sink of sinks) sink.flush();
reader.end();
process.stdout.write(`${JSON.stringify({ records: id, readBack, written, mostMebibytes: Math.round(mostBytes / 1_048_576), lateCount: (sinks[1] as PcapngSink).lateCount })}\n`);
