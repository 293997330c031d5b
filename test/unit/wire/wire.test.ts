/**
 * Bytes and objects of every protocol: recorded frames, round trips of generated packets, truncations, checksums.
 */

import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { formatCaptured } from "../../../src/trace/text.ts";
import { decodeArp, encodeArp } from "../../../src/wire/arp.ts";
import { addWords, internetChecksum, pseudoHeaderSum } from "../../../src/wire/checksum.ts";
import { decodeEthernet, encodeEthernet } from "../../../src/wire/ethernet.ts";
import { decodeIgmp, encodeIgmp } from "../../../src/wire/igmp.ts";
import { decodeIpv4, decodeIpv4Payload, encodeIpv4, encodeIpv4Payload } from "../../../src/wire/ipv4.ts";
import {
  ArpPacket,
  ETHERTYPE_ARP,
  ETHERTYPE_IPV4,
  EthernetFrame,
  GrePacket,
  GuePacket,
  IcmpMessage,
  Ipv4Packet,
  type Ipv4Payload,
  PROTOCOL_GRE,
  PROTOCOL_ICMP,
  PROTOCOL_IPIP,
  PROTOCOL_TCP,
  PROTOCOL_UDP,
  PROTOCOL_VRRP,
  RawPayload,
  type TcpOptions,
  TcpSegment,
  UdpDatagram,
  VrrpAdvert,
} from "../../../src/wire/packet.ts";
import { encodeTcp, tcpOptionBytes } from "../../../src/wire/tcp.ts";
import { RECORDED_FRAMES } from "./recorded-frames.ts";

const GUE_PORTS = new Set([6080]);
const DECODE = { guePorts: GUE_PORTS };

function bytesOf(hex: string): Uint8Array {
  return Uint8Array.from(Buffer.from(hex, "hex"));
}

function hexOf(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString("hex");
}

function decodeFrame(bytes: Uint8Array): EthernetFrame {
  const result = decodeEthernet(bytes, DECODE);
  if (!result.ok) throw new Error(result.reason);
  return result.value;
}

describe("recorded frames", () => {
  test.each(RECORDED_FRAMES)("$name: decodes, encodes to the same bytes", ({ hex }) => {
    const frame = decodeFrame(bytesOf(hex));
    expect(hexOf(encodeEthernet(frame))).toBe(hex);
    expect(frame.lengthBytes).toBe(hex.length / 2);
  });

  test.each(RECORDED_FRAMES)("$name: text as tcpdump -n", ({ hex, text }) => {
    expect(formatCaptured(decodeFrame(bytesOf(hex)))).toBe(text);
  });

  test.each(RECORDED_FRAMES)("$name: every truncation is rejected", ({ hex }) => {
    const bytes = bytesOf(hex);
    for (let length = 0; length < bytes.length; length++) expect(decodeEthernet(bytes.slice(0, length), DECODE).ok, `${length} bytes`).toBe(false);
  });

  test.each(RECORDED_FRAMES)("$name: padding behind it changes nothing", ({ hex }) => {
    const bytes = bytesOf(hex);
    const padded = new Uint8Array(bytes.length + 6);
    padded.set(bytes);
    expect(hexOf(encodeEthernet(decodeFrame(padded)))).toBe(hex);
  });

  test.each(RECORDED_FRAMES.filter(({ name }) => !name.startsWith("ARP")))("$name: a flipped bit is noticed, or is part of the frame", ({ hex }) => {
    const bytes = bytesOf(hex);
    for (let at = 14; at < bytes.length; at++) {
      const damaged = bytes.slice();
      damaged[at] = (damaged[at] as number) ^ 0x10;
      const result = decodeEthernet(damaged, DECODE);
      // What is no transport header (fragments, checksums that were not sent) may change unnoticed, but never by exception.
      if (result.ok) expect(hexOf(encodeEthernet(result.value))).toBe(hexOf(damaged));
      else expect(result.reason).not.toBe("");
    }
  });
});

const address = fc.integer({ min: 0, max: 0xffffffff });
const port = fc.integer({ min: 0, max: 65_535 });
const word = fc.integer({ min: 0, max: 65_535 });
const long = fc.integer({ min: 0, max: 0xffffffff });
const payloadBytes = fc.uint8Array({ maxLength: 120 });

const tcpOptions: fc.Arbitrary<TcpOptions> = fc
  .record(
    {
      mss: word,
      sackPermitted: fc.constant(true),
      timestamps: fc.record({ value: long, echo: long }),
      windowScale: fc.integer({ min: 0, max: 14 }),
      sack: fc.array(fc.tuple(long, long), { minLength: 1, maxLength: 2 }),
    },
    { requiredKeys: [] },
  )
  .filter((options) => tcpOptionBytes(options) <= 40);

const tcp = fc
  .tuple(port, port, long, long, fc.integer({ min: 0, max: 255 }), word, word, tcpOptions, payloadBytes)
  .map(([src, dst, seq, ack, flags, window, urgent, options, payload]) => {
    const segment = new TcpSegment(src, dst, seq, ack, flags, window);
    segment.urgentPointer = urgent;
    segment.options = options;
    segment.optionBytes = tcpOptionBytes(options);
    segment.payload = payload;
    return segment;
  });

const udp = fc
  .tuple(
    port,
    port.filter((value) => !GUE_PORTS.has(value)),
    payloadBytes,
    fc.boolean(),
  )
  .map(([src, dst, payload, hasChecksum]) => {
    const datagram = new UdpDatagram(src, dst, payload);
    datagram.hasChecksum = hasChecksum;
    return datagram;
  });

const echo = fc.tuple(fc.constantFrom(0, 8, 13), long, payloadBytes).map(([type, rest, payload]) => {
  const message = new IcmpMessage(type, 0, rest);
  message.payload = payload;
  return message;
});

const vrrp = fc
  .tuple(fc.integer({ min: 0, max: 255 }), fc.integer({ min: 0, max: 255 }), fc.array(address, { maxLength: 20 }), fc.boolean())
  .map(([vrid, priority, addresses, isThree]) =>
    isThree
      ? new VrrpAdvert(3, vrid, priority, 100, addresses, 0, new Uint8Array(0))
      : new VrrpAdvert(2, vrid, priority, 1, addresses, 1, Uint8Array.from([112, 97, 115, 115, 0, 0, 0, 0])),
  );

function packetOf(protocol: number, payload: fc.Arbitrary<Ipv4Payload>): fc.Arbitrary<Ipv4Packet> {
  return fc
    .tuple(address, address, fc.integer({ min: 0, max: 255 }), fc.integer({ min: 0, max: 255 }), word, fc.boolean(), payload, fc.constantFrom(0, 4, 40))
    .map(([src, dst, ttl, tos, id, dontFragment, content, optionBytes]) => {
      const packet = new Ipv4Packet(src, dst, protocol, ttl, content);
      packet.tos = tos;
      packet.id = id;
      packet.dontFragment = dontFragment;
      packet.options = new Uint8Array(optionBytes).fill(1);
      return packet;
    });
}

const plainPacket = fc.oneof(
  packetOf(PROTOCOL_TCP, tcp),
  packetOf(PROTOCOL_UDP, udp),
  packetOf(PROTOCOL_ICMP, echo),
  packetOf(PROTOCOL_VRRP, vrrp),
  packetOf(
    200,
    payloadBytes.map((bytes) => new RawPayload(bytes)),
  ),
);

const tunnelled = fc.oneof(
  packetOf(PROTOCOL_IPIP, plainPacket),
  packetOf(
    PROTOCOL_GRE,
    fc.tuple(plainPacket, fc.boolean(), fc.option(long, { nil: undefined })).map(([inner, hasChecksum, key]) => new GrePacket(0x0800, inner, hasChecksum, key)),
  ),
  packetOf(
    PROTOCOL_UDP,
    fc.tuple(port, plainPacket, fc.boolean(), fc.constantFrom(0, 4, 8)).map(([src, inner, hasChecksum, fieldBytes]) => {
      const datagram = new UdpDatagram(src, 6080, new GuePacket(PROTOCOL_IPIP, inner, 0, new Uint8Array(fieldBytes)));
      datagram.hasChecksum = hasChecksum;
      return datagram;
    }),
  ),
);

/** ICMP errors about whole packets: cut ones are not the same object afterwards. */
const icmpError = packetOf(
  PROTOCOL_ICMP,
  fc.tuple(fc.constantFrom(3, 5, 11, 12), fc.integer({ min: 0, max: 15 }), long, plainPacket).map(([type, code, rest, quoted]) => {
    const message = new IcmpMessage(type, code, rest);
    message.quoted = quoted;
    message.quotedBytes = quoted.lengthBytes;
    return message;
  }),
);

const anyPacket = fc.oneof(plainPacket, tunnelled, icmpError);

describe("generated packets", () => {
  test("decode(encode(packet)) is the packet", () => {
    fc.assert(
      fc.property(anyPacket, (packet) => {
        const decoded = decodeIpv4(encodeIpv4(packet), DECODE);
        expect(decoded).toEqual({ ok: true, value: packet });
      }),
      { numRuns: 500 },
    );
  });

  test("lengthBytes is the number of bytes", () => {
    fc.assert(
      fc.property(anyPacket, (packet) => {
        expect(encodeIpv4(packet).length).toBe(packet.lengthBytes);
      }),
    );
  });

  test("every truncation is rejected", () => {
    fc.assert(
      fc.property(anyPacket, fc.nat(), (packet, cut) => {
        const bytes = encodeIpv4(packet);
        expect(decodeIpv4(bytes.slice(0, cut % bytes.length), DECODE).ok).toBe(false);
      }),
      { numRuns: 500 },
    );
  });

  test("arbitrary bytes never make a decoder throw, whatever is ignored", () => {
    fc.assert(
      fc.property(
        fc.uint8Array({ maxLength: 200 }),
        fc.constantFrom(0x0800, 0x0806, 0x86dd),
        fc.constantFrom(1, 2, 4, 6, 17, 47, 112),
        (bytes, etherType, protocol) => {
          const frame = Uint8Array.from([
            2,
            0,
            0,
            0,
            0,
            1,
            2,
            0,
            0,
            0,
            0,
            2,
            etherType >> 8,
            etherType & 255,
            0x45,
            0,
            0,
            Math.min(bytes.length + 20, 255),
            ...bytes.slice(0, 1),
            0,
            0,
            0,
            64,
            protocol,
            ...bytes,
          ]);
          for (const ignoreChecksums of [true, false]) {
            const result = decodeEthernet(frame, { ...DECODE, ignoreChecksums });
            if (result.ok) expect(typeof formatCaptured(result.value)).toBe("string");
          }
        },
      ),
      { numRuns: 2000 },
    );
  });

  test("fragments put together again give the same packet", () => {
    fc.assert(
      fc.property(anyPacket, fc.integer({ min: 1, max: 8 }), (packet, units) => {
        const bytes = encodeIpv4Payload(packet);
        const parts: Uint8Array[] = [];
        for (let at = 0; at < bytes.length; at += units * 8) {
          const fragment = packet.copy();
          fragment.fragmentOffset = at;
          fragment.moreFragments = at + units * 8 < bytes.length;
          fragment.payload = new RawPayload(bytes.slice(at, at + units * 8));
          const decoded = decodeIpv4(encodeIpv4(fragment), DECODE);
          expect(decoded.ok).toBe(true);
          if (decoded.ok && fragment.isFragment) expect(decoded.value).toEqual(fragment);
          parts.push(fragment.payload.bytes);
        }
        const whole = Uint8Array.from(parts.flatMap((part) => [...part]));
        expect(decodeIpv4Payload(packet, whole, DECODE)).toEqual({ ok: true, value: packet.payload });
      }),
    );
  });
});

describe("cut quotes", () => {
  function quote(protocol: number, payload: Ipv4Payload, quotedBytes: number): Ipv4Packet {
    const message = new IcmpMessage(11, 0, 0);
    message.quoted = new Ipv4Packet(0x0a000001, 0x0a000002, protocol, 1, payload);
    message.quotedBytes = quotedBytes;
    return new Ipv4Packet(0x0a000003, 0x0a000001, PROTOCOL_ICMP, 64, message);
  }

  test.each([
    { what: "TCP, 8 bytes", protocol: PROTOCOL_TCP, make: () => new TcpSegment(1000, 80, 7, 0, 2, 64_240), quotedBytes: 28 },
    {
      what: "UDP without checksum",
      protocol: PROTOCOL_UDP,
      make: () => Object.assign(new UdpDatagram(1000, 53, new Uint8Array(100)), { hasChecksum: false }),
      quotedBytes: 28,
    },
    {
      what: "half of an echo",
      protocol: PROTOCOL_ICMP,
      make: () => Object.assign(new IcmpMessage(8, 0, 0x10002), { payload: new Uint8Array(56).fill(7) }),
      quotedBytes: 48,
    },
    { what: "a tunnel", protocol: PROTOCOL_IPIP, make: () => new Ipv4Packet(1, 2, PROTOCOL_TCP, 64, new TcpSegment(1, 2, 3, 4, 16, 5)), quotedBytes: 50 },
  ])("$what: the same bytes come back", ({ protocol, make, quotedBytes }) => {
    const bytes = encodeIpv4(quote(protocol, make(), quotedBytes));
    expect(bytes.length).toBe(20 + 8 + quotedBytes);
    const decoded = decodeIpv4(bytes);
    expect(decoded.ok).toBe(true);
    if (!decoded.ok) return;
    // The ICMP checksum covers the quote, so equal bytes mean an equal quote; a checksum inside a cut echo or tunnel cannot be known.
    const again = encodeIpv4(decoded.value);
    expect(again.length).toBe(bytes.length);
    if (quotedBytes === 28) expect(hexOf(again)).toBe(hexOf(bytes));
  });

  test("ports survive in a quote of 8 bytes", () => {
    const decoded = decodeIpv4(encodeIpv4(quote(PROTOCOL_TCP, new TcpSegment(1000, 80, 7, 0, 2, 64_240), 28)));
    const message = decoded.ok ? decoded.value.payload : undefined;
    const quoted = message instanceof IcmpMessage ? message.quoted?.payload : undefined;
    expect(quoted).toMatchObject({ srcPort: 1000, dstPort: 80, seq: 7 });
  });
});

describe("TCP options", () => {
  test.each([
    { options: {}, bytes: 0 },
    { options: { mss: 1460 }, bytes: 4 },
    { options: { mss: 1460, sackPermitted: true, timestamps: { value: 1, echo: 0 }, windowScale: 7 }, bytes: 20 },
    { options: { timestamps: { value: 1, echo: 0 } }, bytes: 12 },
    { options: { sackPermitted: true }, bytes: 4 },
    {
      options: {
        timestamps: { value: 1, echo: 0 },
        sack: [
          [1, 2],
          [3, 4],
        ] as const,
      },
      bytes: 32,
    },
  ])("$options take $bytes bytes", ({ options, bytes }) => {
    expect(tcpOptionBytes(options)).toBe(bytes);
  });

  test("room beyond the options is filled with zeros", () => {
    const segment = new TcpSegment(1, 2, 3, 4, 16, 5);
    segment.options = { mss: 1460 };
    segment.optionBytes = 8;
    expect(hexOf(encodeTcp(segment, { src: 1, dst: 2 })).slice(40)).toBe("020405b400000000");
  });

  test("options that do not fit are our bug", () => {
    const segment = new TcpSegment(1, 2, 3, 4, 16, 5);
    segment.options = { mss: 1460 };
    expect(() => encodeTcp(segment, { src: 1, dst: 2 })).toThrow(/TCP options need 4 bytes/);
  });
});

describe("checksums", () => {
  test("RFC 1071's example", () => {
    expect(addWords(bytesOf("0001f203f4f5f6f7"), 0, 8)).toBe(0x2ddf0);
    expect(internetChecksum(bytesOf("0001f203f4f5f6f7"))).toBe(0x220d);
  });

  test("a UDP sum of zero is sent as ffff", () => {
    fc.assert(
      fc.property(word, (first) => {
        const sum = pseudoHeaderSum(1, 2, PROTOCOL_UDP, 10) + 10 + 7 + 9 + first;
        const folded = (sum & 0xffff) + Math.floor(sum / 65_536);
        const packet = new Ipv4Packet(1, 2, PROTOCOL_UDP, 64, new UdpDatagram(7, 9, Uint8Array.from([first >> 8, first & 255])));
        const field = hexOf(encodeIpv4(packet)).slice(52, 56);
        expect(field).not.toBe("0000");
        if (folded === 0xffff) expect(field).toBe("ffff");
      }),
      { numRuns: 3000 },
    );
  });
});

test("ARP for other networks is rejected", () => {
  const bytes = encodeArp(new ArpPacket(1, 2, 3, 0, 5));
  expect(decodeArp(bytes).ok).toBe(true);
  expect(decodeArp(bytes.map((byte, at) => (at === 1 ? 6 : byte))).ok).toBe(false);
});

test("an unknown EtherType stays bytes", () => {
  const frame = new EthernetFrame(1, 2, 0x88cc, new RawPayload(Uint8Array.from([1, 2, 3])));
  expect(decodeEthernet(encodeEthernet(frame))).toEqual({ ok: true, value: frame });
});

test("IGMP reports of joining and leaving", () => {
  for (const type of [3, 4]) {
    const report = { records: [{ type, group: 0xe0000012, sources: [1, 2] }] };
    expect(decodeIgmp(encodeIgmp(report))).toEqual({ ok: true, value: report });
  }
});

test("tunnels in tunnels end as bytes", () => {
  let packet = new Ipv4Packet(1, 2, 200, 64, new RawPayload(Uint8Array.from([1])));
  for (let i = 0; i < 20; i++) packet = new Ipv4Packet(1, 2, PROTOCOL_IPIP, 64, packet);
  const bytes = encodeIpv4(packet);
  const decoded = decodeIpv4(bytes);
  expect(decoded.ok && hexOf(encodeIpv4(decoded.value))).toBe(hexOf(bytes));
});

test("frames name their EtherTypes", () => {
  expect(new EthernetFrame(1, 2, ETHERTYPE_ARP, new ArpPacket(1, 2, 3, 0, 5)).lengthBytes).toBe(42);
  expect(ETHERTYPE_IPV4).toBe(0x0800);
});
