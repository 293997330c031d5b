/**
 * pcapng files: known bytes, what is written is read, what is cut or no pcapng is refused.
 */

import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { concatBytes } from "../../../src/base/bytes.ts";
import { decodePcapng, encodePcapngInterface, encodePcapngPacket, encodePcapngSection, type PcapngPacket } from "../../../src/wire/pcapng.ts";

const hex = (bytes: Uint8Array) => Buffer.from(bytes).toString("hex");

describe("blocks as the draft has them", () => {
  test("section: type, length, byte order, version 1.0, length not known, comment, application, end", () => {
    expect(hex(encodePcapngSection({ application: "lvsim", comment: "abc" }))).toBe(
      ["0a0d0d0a", "34000000", "4d3c2b1a", "01000000", "ffffffffffffffff", "01000300", "61626300", "04000500", "6c7673696d000000", "00000000", "34000000"].join(""),
    );
  });

  test("interface: link type, snapshot length, name, MAC, nanoseconds, end", () => {
    expect(hex(encodePcapngInterface({ linkType: 1, name: "a.eth0", mac: Uint8Array.of(2, 0, 0, 0, 0, 1) }))).toBe(
      ["01000000", "38000000", "01000000", "00000400", "02000600", "612e657468300000", "06000600", "0200000000010000", "09000100", "09000000", "00000000", "38000000"].join(""),
    );
  });

  test("packet: interface, time in two halves, lengths, bytes padded, comment, flags (out), identifier", () => {
    const packet = encodePcapngPacket({ interfaceIndex: 3, timeNs: 2 ** 32 + 5, bytes: Uint8Array.of(1, 2, 3, 4, 5), direction: "out", packetId: 7, comments: ["x"] });
    expect(hex(packet)).toBe(
      [
        "06000000",
        "48000000",
        "03000000",
        "01000000",
        "05000000",
        "05000000",
        "05000000",
        "0102030405000000",
        "01000100",
        "78000000",
        "02000400",
        "02000000",
        "05000800",
        "0700000000000000",
        "00000000",
        "48000000",
      ].join(""),
    );
  });

  test("a packet with nothing to say has no options", () => {
    expect(encodePcapngPacket({ interfaceIndex: 0, timeNs: 0, bytes: Uint8Array.of(1) }).length).toBe(12 + 20 + 4);
  });

  test("a comment longer than an option may be is cut between characters", () => {
    const file = concatBytes([
      encodePcapngSection({ application: "x" }),
      encodePcapngInterface({ linkType: 1, name: "x" }),
      encodePcapngPacket({ interfaceIndex: 0, timeNs: 0, bytes: new Uint8Array(1), comments: [`a${"ü".repeat(40_000)}`] }),
    ]);
    const read = decodePcapng(file);
    expect(read.ok && read.value.packets[0]?.comments).toEqual([`a${"ü".repeat(32_499)}`]);
  });
});

const packets: fc.Arbitrary<PcapngPacket> = fc.record(
  {
    interfaceIndex: fc.integer({ min: 0, max: 1 }),
    timeNs: fc.integer({ min: 0, max: Number.MAX_SAFE_INTEGER }),
    bytes: fc.uint8Array({ maxLength: 70 }),
    comments: fc.array(fc.string({ minLength: 1, unit: "grapheme" }), { maxLength: 3 }),
    direction: fc.constantFrom("in" as const, "out" as const),
    reception: fc.constantFrom("unicast" as const, "multicast" as const, "broadcast" as const, "promiscuous" as const),
    packetId: fc.integer({ min: 0, max: Number.MAX_SAFE_INTEGER }),
  },
  { requiredKeys: ["interfaceIndex", "timeNs", "bytes", "comments"] },
);

describe("reading", () => {
  const interfaces = [
    { linkType: 1, name: "a.eth0", description: "on lan", mac: Uint8Array.of(2, 0, 0, 0, 0, 1), operatingSystem: "Linux (simulated)" },
    { linkType: 101, name: "a.lo" },
  ];
  const head = [encodePcapngSection({ application: "lvsim", comment: "title" }), ...interfaces.map(encodePcapngInterface)];

  test("what is written is read", () => {
    fc.assert(
      fc.property(fc.array(packets, { maxLength: 4 }), (list) => {
        const read = decodePcapng(concatBytes([...head, ...list.map(encodePcapngPacket)]));
        expect(read).toEqual({ ok: true, value: { comments: ["title"], application: "lvsim", interfaces, packets: list.map((one) => ({ ...one })) } });
      }),
    );
  });

  test("every cut is refused", () => {
    const packet = encodePcapngPacket({ interfaceIndex: 0, timeNs: 1, bytes: Uint8Array.of(1, 2, 3), comments: ["why"] });
    const file = concatBytes([...head, packet]);
    const edges = new Set([0]);
    for (let at = 0; at < file.length; ) {
      at += new DataView(file.buffer).getUint32(at + 4, true);
      edges.add(at);
    }
    for (let length = 0; length < file.length; length++) {
      const isWhole = length > 0 && edges.has(length);
      expect({ length, ok: decodePcapng(file.subarray(0, length)).ok }).toEqual({ length, ok: isWhole });
    }
  });

  test.each([
    ["nothing", new Uint8Array(0), "not a pcapng file: it is empty"],
    ["a pcap file", Uint8Array.from([0x4d, 0x3c, 0xb2, 0xa1, ...new Array(40).fill(0)]), "not a pcapng file: it does not start with a section"],
    ["a packet without its interface", concatBytes([encodePcapngSection({ application: "x" }), encodePcapngPacket({ interfaceIndex: 0, timeNs: 0, bytes: new Uint8Array(1) })]), "its interface is not there"],
    ["two sections", concatBytes([encodePcapngSection({ application: "x" }), encodePcapngSection({ application: "x" })]), "several sections"],
  ])("%s", (_what, bytes, reason) => {
    const read = decodePcapng(bytes);
    expect(read.ok ? "" : read.reason).toContain(reason);
  });

  test("blocks of other types are passed over", () => {
    const other = Uint8Array.of(5, 0, 0, 0, 16, 0, 0, 0, 1, 2, 3, 4, 16, 0, 0, 0);
    const read = decodePcapng(concatBytes([...head, other]));
    expect(read.ok && read.value.interfaces.length).toBe(2);
  });
});
