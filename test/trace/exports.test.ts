/**
 * Other formats from traces: equal to captures of the run itself, to what ipvsadm counts, and complete in their reasons. Every scenario.
 */

import { describe, expect, test } from "vitest";
import { capturedBy, TimelineClock } from "../../src/trace/captured.ts";
import { CSV_NAMES, type CsvName, CsvSink } from "../../src/trace/csv.ts";
import type { TraceEvent } from "../../src/trace/events.ts";
import { readTrace } from "../../src/trace/jsonl.ts";
import { PcapExport } from "../../src/trace/pcap-export.ts";
import { PcapngSink } from "../../src/trace/pcapng-sink.ts";
import { TextSink } from "../../src/trace/text-sink.ts";
import { EthernetFrame } from "../../src/wire/packet.ts";
import { decodePcap } from "../../src/wire/pcap.ts";
import { decodePcapng, type PcapngFile } from "../../src/wire/pcapng.ts";
import { joined, SCENARIO_FILES, type TracedRun, tracedRun } from "../helpers/traced-run.ts";

function pcapFiles({ header, events }: Pick<TracedRun, "header" | "events">): Map<string, Uint8Array> {
  const chunks = new Map<string, Uint8Array[]>();
  const sink = new PcapExport({
    header,
    write: (host, device, bytes) => {
      const name = `${host}.${device}`;
      chunks.set(name, [...(chunks.get(name) ?? []), bytes]);
    },
  });
  for (const event of events) sink.write(event);
  sink.flush();
  return new Map([...chunks].map(([name, list]) => [name, joined(list)]));
}

function pcapngFile({ header, events }: Pick<TracedRun, "header" | "events">): { readonly file: PcapngFile; readonly sink: PcapngSink } {
  const chunks: Uint8Array[] = [];
  const sink = new PcapngSink({ header, write: (bytes) => chunks.push(bytes) });
  for (const event of events) sink.write(event);
  sink.flush();
  const read = decodePcapng(joined(chunks));
  if (!read.ok) throw new Error(read.reason);
  return { file: read.value, sink };
}

export function csvFiles({ header, events }: Pick<TracedRun, "header" | "events">): Record<CsvName, Record<string, string>[]> {
  const texts = new Map<CsvName, string>();
  const sink = new CsvSink({ header, write: (name, text) => texts.set(name, (texts.get(name) ?? "") + text) });
  for (const event of events) sink.write(event);
  sink.flush();
  return Object.fromEntries(CSV_NAMES.map((name) => [name, parseCsv(texts.get(name) ?? "")])) as Record<CsvName, Record<string, string>[]>;
}

/** RFC 4180, as rows by column; a row of another width is an error. */
function parseCsv(text: string): Record<string, string>[] {
  const rows: string[][] = [[]];
  for (const [, quoted, plain, end] of text.matchAll(/(?:"((?:[^"]|"")*)"|([^",\n]*))(,|\n)/g)) {
    rows.at(-1)?.push(quoted === undefined ? (plain ?? "") : quoted.replaceAll('""', '"'));
    if (end === "\n") rows.push([]);
  }
  rows.pop();
  const [head = [], ...lines] = rows;
  return lines.map((line) => {
    expect(line.length).toBe(head.length);
    return Object.fromEntries(head.map((name, index) => [name, line[index] as string]));
  });
}

describe("every format from a trace that was read back", () => {
  test.each(SCENARIO_FILES)("%s", (file) => {
    const run = tracedRun(file, "full", { capturesFrames: true });
    const read = { header: run.header, events: readTrace(run.text).events };

    const pcaps = pcapFiles(read);
    for (const capture of run.result.captures.captures) {
      const name = `${capture.hostName}.${capture.deviceName}`;
      expect({ name, isSame: Buffer.compare(pcaps.get(name) ?? new Uint8Array(0), capture.toBytes(run.result.originNs)) === 0 }).toEqual({ name, isSame: true });
    }

    const { file: all, sink } = pcapngFile(read);
    expect(all.comments.join()).toBe(run.header.title);
    for (const [index, { name }] of all.interfaces.entries()) {
      const alone = decodePcap(pcaps.get(name) as Uint8Array);
      const packets = all.packets.filter((packet) => packet.interfaceIndex === index);
      const times = packets.map(({ timeNs, bytes }) => [Math.floor(timeNs / 1e9), timeNs % 1e9, bytes.length]);
      expect(times).toEqual(alone.ok ? alone.value.records.map(({ seconds, nanoseconds, bytes }) => [seconds, nanoseconds, bytes.length]) : undefined);
    }
    checkReasons(read.events, all, sink);
    checkConnections(run, csvFiles(read));
  });
});

/** Every drop and rewrite that has a frame is told by one. */
function checkReasons(events: readonly TraceEvent[], file: PcapngFile, sink: PcapngSink): void {
  expect(sink.lateCount).toBe(0);
  const byId = new Map(events.map((event) => [event.id, event]));
  const comments = file.packets.flatMap((packet) => packet.comments);
  const count = (start: string) => comments.filter((comment) => comment.startsWith(start)).length;
  const wanted = new Map<string, number>();
  for (const event of events) {
    if (event.kind === "frame-dropped" && event.device === "") add(wanted, `lost on ${event.host}: ${event.reason}`);
    if (event.kind === "frame-dropped" && event.device !== "" && frameAbove(event, byId) !== undefined) add(wanted, `dropped by ${event.host}.${event.device}: ${event.reason}`);
    if (event.kind === "packet-dropped" && frameAbove(event, byId) !== undefined) add(wanted, `dropped by ${event.host}: ${event.reason}`);
    if (event.kind === "packet-encapsulated" && frameAbove(event, byId) !== undefined) add(wanted, `into ${event.by}`, 0);
  }
  for (const [start, times] of wanted) expect({ start, isThere: count(start) >= Math.max(times, 1) }).toEqual({ start, isThere: true });
}

/** The frame or packet on lo that a record of the same host followed from. */
function frameAbove(event: TraceEvent, byId: ReadonlyMap<number, TraceEvent>): TraceEvent | undefined {
  if (event.kind === "frame-dropped" && capturedBy(event) !== undefined) return event;
  for (let at = byId.get(event.cause); at !== undefined; at = byId.get(at.cause)) {
    if (at.kind === "command-start") return undefined;
    if (at.kind.startsWith("frame-") || (at.kind === "packet-passed" && at.device === "lo" && at.direction === "in")) return at;
  }
  return undefined;
}

function add(counts: Map<string, number>, name: string, by = 1): void {
  counts.set(name, (counts.get(name) ?? 0) + by);
}

/** What connections.csv sums up to is what the tables count, where nothing was zeroed, taken out or delivered to the director itself. */
function checkConnections(run: TracedRun, csv: ReturnType<typeof csvFiles>): void {
  const made = run.events.filter((event) => event.kind === "ipvs-connection" && event.before === "");
  expect(csv.connections.length).toBe(made.length);
  expect(new Set(csv.scheduler.map((row) => row.choice)).size).toBe(run.events.filter((event) => event.kind === "scheduled").length);
  const figures = run.events.flatMap((event) => (event.kind === "scheduled" ? [Object.entries(event.figures ?? {}).map((pair) => pair.join("=")).join(" ")] : []));
  for (const row of csv.scheduler) expect(row.figures).toBe(figures[Number(row.choice) - 1]);
  expect(csv.drops.length).toBe(run.events.filter((event) => (event.kind === "packet-dropped" || event.kind === "frame-dropped") && event.reason !== "OTHERHOST").length);
  expect(run.events.filter((event) => event.kind === "frame-sent").length).toBe(csv.interfaces.reduce((sum, row) => sum + Number(row.sent_frames), 0) - passedOut(run.events));
}

function passedOut(events: readonly TraceEvent[]): number {
  return events.filter((event) => event.kind === "packet-passed" && event.direction === "out" && event.device !== "lo").length;
}

describe("connections.csv counts what the director's tables count", () => {
  const files = SCENARIO_FILES.filter((file) => /(doc|selftest)-(nat|dr|tun)|nat-port-mapping|ipvs-mixed-methods|ipvs-persistence\.|tun-two-sites|documents|selftest\//.test(file));

  test("there are some", () => {
    expect(files.length).toBeGreaterThan(15);
  });

  test.each(files)("%s", (file) => {
    const run = tracedRun(file);
    const { connections } = csvFiles(run);
    const tables = run.result.world.trace.readTables();
    for (const [host, of] of Object.entries(tables)) {
      for (const row of Object.values(of.ipvsDestinations ?? {})) {
        // A service for every port has servers without one.
        const isIts = (destination: string) => destination === `${row.address}:${row.port}` || (row.port === 0 && destination.startsWith(`${row.address}:`));
        const mine = connections.filter((one) => one.director === host && one.service === row.service && isIts(one.destination ?? "") && one.template === "false");
        const isOwn = Object.values(of.addresses ?? {}).some((own) => own.address === row.address);
        // Answers pass the director with NAT alone; errors about other requests count in the table only.
        const hasAnswers = row.method === "masq" && !isOwn;
        const sum = (field: string) => mine.reduce((total, one) => total + Number(one[field]), 0);
        expect({ host, server: row.address, inPackets: sum("in_packets"), inBytes: sum("in_bytes"), outPackets: sum("out_packets"), outBytes: sum("out_bytes") }).toEqual({
          host,
          server: row.address,
          inPackets: row.inPackets,
          inBytes: row.inBytes,
          outPackets: hasAnswers ? row.outPackets : 0,
          outBytes: hasAnswers ? row.outBytes : 0,
        });
      }
    }
  });
});

describe("comments", () => {
  const commentsOf = (file: string) => {
    const { file: all } = pcapngFile(tracedRun(file, "packets"));
    return all.packets.map((packet) => `${all.interfaces[packet.interfaceIndex]?.name} ${packet.direction}: ${packet.comments.join(" | ")}`);
  };

  test("a request through NAT tells the choice and the rewrite where it leaves, an answer its way back", () => {
    const comments = commentsOf("test/conformance/nat-port-mapping.yaml");
    expect(comments).toContain("director.eth1 out: rr chose 10.1.1.3:8080 of 2 for TCP 203.0.113.100:80 | ipvs-nat: dst 203.0.113.100:80 => 10.1.1.3:8080, ttl 64 => 63");
    expect(comments).toContain("director.eth0 out: forward: ttl 64 => 63 | ipvs-nat: src 10.1.1.3:8080 => 203.0.113.100:80");
    expect(comments).toContain("director.eth0 in: dropped by director: NO_SOCKET, nobody listens on port 8080");
  });

  test("a tunnel is told where it begins and where it ends; what dies on a router, at the frame that came", () => {
    const comments = commentsOf("test/conformance/tun-two-sites.yaml");
    expect(comments).toContain("director.eth0 out: rr chose 192.0.2.11:80 of 1 for TCP 203.0.113.100:80 | into ipip: 203.0.113.10 > 192.0.2.11");
    expect(comments).toContain("rs1.eth0 in: out of ipip on tunl0: 198.51.100.9 > 203.0.113.100");
    expect(comments).toContain("r2.eth1 in: dropped by r2: IP_RPFILTER, the way back to 203.0.113.100 is eth0; rp_filter = max(all 1, eth1 0) = 1");
  });

  test("one frame has one number in all its captures", () => {
    const run = tracedRun("scenarios/selftest/ipvs-nat.yaml");
    const { file } = pcapngFile(run);
    const bytes = new Map<number, string>();
    let shared = 0;
    for (const packet of file.packets) {
      const text = Buffer.from(packet.bytes).toString("hex");
      const before = bytes.get(packet.packetId as number);
      if (before !== undefined) {
        shared++;
        expect(text).toBe(before);
      }
      bytes.set(packet.packetId as number, text);
    }
    expect(shared).toBeGreaterThan(15);
  });
});

describe("text", () => {
  test("a line a capture, in order, with the time since the origin", () => {
    const run = tracedRun("test/conformance/tun-two-sites.yaml");
    let text = "";
    const sink = new TextSink({ write: (piece) => (text += piece) });
    for (const event of run.events) sink.write(event);
    sink.flush();
    const lines = text.trimEnd().split("\n");
    const seen = run.events.filter((event) => capturedBy(event) !== undefined);
    const died = run.events.filter((event) => (event.kind === "packet-dropped" || event.kind === "frame-dropped") && capturedBy(event) === undefined);
    expect(lines.length).toBe(seen.length + died.length);
    const clock = new TimelineClock(run.result.originNs);
    const first = seen.find((event) => capturedBy(event)?.what instanceof EthernetFrame) as TraceEvent;
    expect(lines[0]).toMatch(new RegExp(`^00:00:0${Math.floor(clock.at(first.timeNs) / 1e9)}\\.\\d{6} client\\.eth0 Out 02:00:00:00:00:01 > ff:ff:ff:ff:ff:ff, ethertype ARP \\(0x0806\\), length 42: Request who-has`));
    expect(lines.filter((line) => line.includes(" r2 ! IP_RPFILTER, the way back to 203.0.113.100 is eth0"))).not.toEqual([]);
    expect(lines.filter((line) => line.includes(" rs1.tunl0 In  ip: 198.51.100.9."))).not.toEqual([]);
  });
});
