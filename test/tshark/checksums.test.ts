/**
 * tshark finds no wrong checksum and nothing malformed in what the encoders write: every protocol, in tunnels and quotes, too.
 * Not part of `npm test`, which excludes this folder: tshark need not be installed.
 */

import { execFileSync } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, test } from "vitest";
import { encodeEthernet } from "../../src/wire/ethernet.ts";
import { encodeIpv4Payload } from "../../src/wire/ipv4.ts";
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
  TcpSegment,
  UdpDatagram,
  VrrpAdvert,
} from "../../src/wire/packet.ts";
import { encodePcap, LINKTYPE_ETHERNET } from "../../src/wire/pcap.ts";
import { tcpOptionBytes } from "../../src/wire/tcp.ts";

const CHECKS = ["ip", "tcp", "udp"].flatMap((protocol) => ["-o", `${protocol}.check_checksum:TRUE`]);
const WRONG =
  "_ws.malformed || _ws.expert.severity == 8388608 || ip.checksum.status == 0 || tcp.checksum.status == 0 || udp.checksum.status == 0 || icmp.checksum.status == 0 || vrrp.checksum.status == 0 || gre.checksum.status == 0";

function packet(protocol: number, payload: Ipv4Payload): Ipv4Packet {
  return new Ipv4Packet(0x0a000001, protocol === PROTOCOL_VRRP ? 0xe0000012 : 0x0a000002, protocol, protocol === PROTOCOL_VRRP ? 255 : 64, payload);
}

function segment(length: number, sport = 40_000): TcpSegment {
  const one = new TcpSegment(sport, 8000, 1000, 2000, length === 0 ? 2 : 0x18, 64_240);
  one.options =
    length === 0
      ? { mss: 1460, sackPermitted: true, timestamps: { value: 5, echo: 0 }, windowScale: 7 }
      : { timestamps: { value: 5, echo: 6 }, sack: [[7, 9]] };
  one.optionBytes = tcpOptionBytes(one.options);
  one.payload = new Uint8Array(length).fill(0x61);
  return one;
}

function quote(inner: Ipv4Packet, type: number, code: number, bytes: number): Ipv4Packet {
  const message = new IcmpMessage(type, code, type === 3 && code === 4 ? 1400 : 0);
  message.quoted = inner;
  message.quotedBytes = Math.min(bytes, inner.lengthBytes);
  return packet(PROTOCOL_ICMP, message);
}

/** Quotes that are cut behind the TCP header are left out: tshark sums what is there and calls the kernel's own ones wrong, too. */
function packets(): Ipv4Packet[] {
  const list: Ipv4Packet[] = [];
  for (const length of [0, 1, 2, 99, 1400]) {
    const inner = packet(PROTOCOL_TCP, segment(length, 40_000 + length));
    list.push(
      inner,
      packet(PROTOCOL_IPIP, inner),
      packet(PROTOCOL_GRE, new GrePacket(0x0800, inner, true, 7)),
      packet(PROTOCOL_GRE, new GrePacket(0x0800, inner, false)),
    );
    list.push(packet(PROTOCOL_UDP, new UdpDatagram(5000, 6080, new GuePacket(PROTOCOL_IPIP, inner))));
    list.push(packet(PROTOCOL_UDP, new UdpDatagram(5000, 7000 + length, new Uint8Array(length))));
    for (const [type, code] of [
      [3, 1],
      [3, 3],
      [3, 4],
      [11, 0],
      [5, 1],
    ] as const)
      for (const bytes of length < 500 ? [28, 548] : [28]) list.push(quote(inner, type, code, bytes), quote(packet(PROTOCOL_IPIP, inner), type, code, bytes));
    const echo = new IcmpMessage(8, 0, 0x10001);
    echo.payload = new Uint8Array(length);
    list.push(packet(PROTOCOL_ICMP, echo));
  }
  list.push(packet(PROTOCOL_VRRP, new VrrpAdvert(2, 51, 100, 1, [0x0a000064], 1, Uint8Array.from([49, 49, 49, 49, 0, 0, 0, 0]))));
  list.push(packet(PROTOCOL_VRRP, new VrrpAdvert(3, 51, 100, 100, [0x0a000064, 0x0a000065], 0, new Uint8Array(0))));
  return list;
}

/** A datagram in three fragments. */
function fragments(): Ipv4Packet[] {
  const whole = packet(PROTOCOL_UDP, new UdpDatagram(1000, 2000, new Uint8Array(3000).fill(5)));
  whole.id = 77;
  const bytes = encodeIpv4Payload(whole);
  return [0, 1480, 2960].map((offset) => {
    const part = whole.copy();
    part.fragmentOffset = offset;
    part.moreFragments = offset < 2960;
    part.payload = new RawPayload(bytes.slice(offset, offset + 1480));
    return part;
  });
}

test("tshark finds nothing wrong", () => {
  const frames = [...packets(), ...fragments()].map((one) => new EthernetFrame(0x020000000002, 0x020000000001, ETHERTYPE_IPV4, one));
  frames.push(new EthernetFrame(0xffffffffffff, 0x020000000001, ETHERTYPE_ARP, new ArpPacket(1, 0x020000000001, 0x0a000001, 0, 0x0a000002)));
  const records = frames.map((frame, index) => {
    const bytes = encodeEthernet(frame);
    return { seconds: index, nanoseconds: 0, bytes, lengthBytes: bytes.length };
  });
  const directory = mkdtempSync(join(tmpdir(), "lvsim-tshark-"));
  try {
    const file = join(directory, "all.pcap");
    writeFileSync(file, encodePcap(LINKTYPE_ETHERNET, records));
    const tshark = (...args: string[]) => execFileSync("tshark", ["-r", file, ...CHECKS, ...args], { encoding: "utf8", stdio: ["ignore", "pipe", "ignore"] });
    expect(tshark("-Y", WRONG)).toBe("");
    expect(tshark("-Y", "tcp.checksum.status == 1").split("\n").length).toBeGreaterThan(30);
    expect(tshark("-Y", "udp.checksum.status == 1").split("\n").length).toBeGreaterThan(5);
    expect(tshark("-Y", "udp.length == 3008")).toContain("1000");
  } finally {
    rmSync(directory, { recursive: true });
  }
});
