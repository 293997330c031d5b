/**
 * tcpdump: files as the real tcpdump 4.99.3 prints them, live captures as the real kernel hands them over.
 */

import { readFileSync } from "node:fs";
import { describe, expect, test } from "vitest";
import { compileFilter } from "../../../../../src/shell/commands/tcpdump/filter.ts";
import { ethernetView } from "../../../../../src/shell/commands/tcpdump/packet-view.ts";
import { ETHERTYPE_IPV4, EthernetFrame, IcmpMessage, Ipv4Packet, PROTOCOL_ICMP } from "../../../../../src/wire/packet.ts";
import { RECORDED_FRAMES } from "../../../wire/recorded-frames.ts";
import { asCharacters, recordedCapture, TcpdumpMachine } from "./context.ts";

const GOLDEN = JSON.parse(readFileSync(new URL("../../../../golden/tcpdump-4.99.3.json", import.meta.url), "utf8")) as {
  readonly args: readonly string[];
  readonly exit: number;
  readonly stdout: string;
  readonly stderr: string;
}[];

describe("reading a capture", () => {
  test.each(GOLDEN)("tcpdump $args", ({ args, exit, stdout, stderr }) => {
    const machine = new TcpdumpMachine();
    machine.files.set("/root/x.pcap", asCharacters(recordedCapture()));
    machine.start(args);
    expect({ stdout: machine.stdout, stderr: machine.stderr, exit: machine.exit }).toEqual({ stdout, stderr, exit });
  });

  test("what was written is read again", () => {
    const machine = new TcpdumpMachine();
    machine.files.set("/root/x.pcap", asCharacters(recordedCapture()));
    machine.start(["-r", "x.pcap", "-w", "/tmp/y.pcap", "tcp"]);
    machine.start(["-r", "/tmp/y.pcap", "--count"]);
    expect(machine.stdout).toBe(`${RECORDED_FRAMES.filter(({ text }) => text.includes("Flags")).length - 2} packets\n`);
  });

  test.each([
    { what: "no such file", args: ["-r", "nope"], stderr: "tcpdump: nope: No such file or directory\n" },
    { what: "no capture", args: ["-r", "/etc/hosts"], stderr: "tcpdump: unknown file format\n" },
    { what: "an option that is not simulated", args: ["-G", "5", "-i", "eth0"], stderr: "tcpdump: option -G is not supported by this simulator\n" },
    { what: "no such interface", args: ["-i", "eth9"], stderr: "tcpdump: eth9: No such device exists\n(No such device exists)\n" },
    { what: "an interface that is down", args: ["-i", "tunl0"], stderr: "tcpdump: tunl0: That device is not up\n" },
    { what: "a directory that does not exist", args: ["-i", "eth0", "-w", "/nodir/x"], stderr: "tcpdump: /nodir/x: No such file or directory\n" },
    { what: "an unknown name", args: ["-i", "eth0", "host", "nosuch.example"], stderr: "tcpdump: unknown host 'nosuch.example'\n" },
  ])("$what", ({ args, stderr }) => {
    const machine = new TcpdumpMachine();
    machine.files.set("/etc/hosts", "127.0.0.1 localhost\n");
    machine.start(args);
    expect({ stdout: machine.stdout, stderr: machine.stderr, exit: machine.exit }).toEqual({ stdout: "", stderr, exit: 1 });
  });
});

function ping(sequence: number): EthernetFrame {
  return new EthernetFrame(
    0x020000000002,
    0x020000000001,
    ETHERTYPE_IPV4,
    new Ipv4Packet(0x0a000001, 0x0a000002, PROTOCOL_ICMP, 64, new IcmpMessage(8, 0, (7 << 16) | sequence)),
  );
}

const LISTENING = "listening on eth0, link-type EN10MB (Ethernet), snapshot length 262144 bytes\n";
const VERBOSE = "tcpdump: verbose output suppressed, use -v[v]... for full protocol decode\n";

/** Sends pings on a device at times in seconds, then a signal. */
function capture(
  args: readonly string[],
  options: { readonly at: readonly number[]; readonly signal?: { readonly at: number; readonly name: "INT" | "TERM" }; readonly device?: string },
): TcpdumpMachine {
  const machine = new TcpdumpMachine();
  machine.start(args);
  const device = machine.device(options.device ?? "eth0");
  options.at.forEach((seconds, index) => {
    machine.loop.at(Math.round(seconds * 1e9), {
      onEvent: () => {
        const frame = ping(index + 1);
        const what = device.kind === "loopback" ? (frame.payload as Ipv4Packet) : frame;
        for (const tap of [...device.taps]) tap("out", machine.loop.nowNs, what);
        if (device.kind === "loopback") for (const tap of [...device.taps]) tap("in", machine.loop.nowNs, what);
      },
    });
  });
  const { signal } = options;
  if (signal !== undefined)
    machine.loop.at(signal.at * 1e9, {
      onEvent: () => {
        machine.signal(signal.name);
      },
    });
  machine.loop.runUntil(10e9);
  return machine;
}

const line = (time: string, sequence: number) => `${time} IP 10.0.0.1 > 10.0.0.2: ICMP echo request, id 7, seq ${sequence}, length 8\n`;

describe("live captures", () => {
  test("-c ends it, at the end of the block in which the last packet came", () => {
    const machine = capture(["-n", "-i", "eth0", "-c", "2", "icmp"], { at: [0.3, 1.2, 1.4] });
    expect(machine.stdout).toBe(line("00:00:00.300000", 1) + line("00:00:01.200000", 2));
    expect(machine.stderr).toBe(`${VERBOSE}${LISTENING}2 packets captured\n3 packets received by filter\n0 packets dropped by kernel\n`);
    expect(machine.exit).toBe(0);
  });

  test("a signal ends the line, and what the kernel has not handed over is lost", () => {
    const machine = capture(["-ni", "eth0"], { at: [0.3, 1.2], signal: { at: 1.5, name: "TERM" } });
    expect(machine.stdout).toBe(`${line("00:00:00.300000", 1)}\n`);
    expect(machine.stderr).toBe(`${VERBOSE}${LISTENING}1 packet captured\n2 packets received by filter\n0 packets dropped by kernel\n`);
  });

  test("-l hands over ten times a second and writes at once", () => {
    const machine = new TcpdumpMachine();
    machine.start(["-lni", "eth0"]);
    machine.loop.at(0.25e9, {
      onEvent: () => {
        for (const tap of machine.device("eth0").taps) tap("out", 0.25e9, ping(1));
      },
    });
    machine.loop.runUntil(0.29e9);
    expect(machine.stdout).toBe("");
    machine.loop.runUntil(0.31e9);
    expect(machine.stdout).toBe(line("00:00:00.250000", 1));
  });

  test("without -l nothing is written before 4096 characters are there", () => {
    const machine = new TcpdumpMachine();
    machine.start(["-ni", "eth0"]);
    for (let i = 0; i < 100; i++)
      machine.loop.at(0.5e9, {
        onEvent: () => {
          for (const tap of machine.device("eth0").taps) tap("out", 0.5e9, ping(i));
        },
      });
    machine.loop.runUntil(2e9);
    expect(machine.stdout.length).toBe(4096);
  });

  test("-v leaves out the hint, -w too", () => {
    expect(capture(["-v", "-i", "eth0"], { at: [], signal: { at: 1, name: "INT" } }).stderr).toBe(
      `tcpdump: ${LISTENING}0 packets captured\n0 packets received by filter\n0 packets dropped by kernel\n`,
    );
    const machine = capture(["-i", "eth0", "-w", "x.pcap"], { at: [0.5], signal: { at: 2, name: "INT" } });
    expect(machine.stderr.startsWith(`tcpdump: ${LISTENING}`)).toBe(true);
    expect(machine.stdout).toBe("");
    machine.start(["-n", "-r", "x.pcap"]);
    expect(machine.stdout).toBe(line("00:00:00.500000", 1));
  });

  test("lo is seen once, as it comes in", () => {
    const machine = capture(["-n", "-i", "any"], { at: [0.5], signal: { at: 2, name: "INT" }, device: "lo" });
    expect(machine.stdout).toBe("00:00:00.500000 lo    In  IP 10.0.0.1 > 10.0.0.2: ICMP echo request, id 7, seq 1, length 8\n\n");
    expect(machine.stderr).toBe(
      `tcpdump: data link type LINUX_SLL2\n${VERBOSE}listening on any, link-type LINUX_SLL2 (Linux cooked v2), snapshot length 262144 bytes\n1 packet captured\n2 packets received by filter\n0 packets dropped by kernel\n`,
    );
  });

  test("any, with -e and bytes", () => {
    const machine = capture(["-n", "-e", "-xx", "-i", "any"], { at: [0.5], signal: { at: 2, name: "INT" } });
    expect(machine.stdout).toContain("eth0  Out ifindex 2 02:00:00:00:00:01 ethertype IPv4 (0x0800), length 48: 10.0.0.1 > 10.0.0.2: ICMP echo request");
    expect(machine.stdout).toContain("\t0x0000:  0800 0000 0000 0002 0001 0406 0200 0000\n\t0x0010:  0001 0000 4500 001c");
  });

  test("a capture of any is written and read with its header", () => {
    const machine = capture(["-i", "any", "-w", "x"], { at: [0.5], signal: { at: 2, name: "INT" } });
    machine.start(["-n", "-r", "x"]);
    expect(machine.stdout).toBe("00:00:00.500000 eth0  Out IP 10.0.0.1 > 10.0.0.2: ICMP echo request, id 7, seq 1, length 8\n");
  });

  test("-Q in leaves out what is sent", () => {
    expect(capture(["-Q", "in", "-ni", "eth0"], { at: [0.5], signal: { at: 2, name: "INT" } }).stdout).toBe("\n");
  });

  test("a broken pipe ends it", () => {
    const machine = new TcpdumpMachine();
    machine.start(["-lni", "eth0"]);
    machine.breakPipe();
    machine.loop.at(1, {
      onEvent: () => {
        for (const tap of machine.device("eth0").taps) tap("out", 1, ping(1));
      },
    });
    machine.loop.runUntil(1e9);
    expect(machine.exit).toBe(0);
    expect(machine.device("eth0").taps).toEqual([]);
  });
});

describe("filters", () => {
  test.each([
    { filter: "arp", names: ["ARP request", "ARP reply"] },
    { filter: "tcp[tcpflags] & tcp-syn != 0", names: ["SYN", "SYN+ACK"] },
    { filter: "tcp[13] = 2 or tcp[13] = 4", names: ["SYN", "RST"] },
    { filter: "icmp[icmptype] = icmp-unreach and icmp[icmpcode] = 3", names: ["port unreachable"] },
    { filter: "ip proto 4 and ip[6:2] & 0x1fff = 0", names: ["IPIP"] },
    { filter: "vrrp or igmp", names: ["IGMP with router alert", "VRRP version 2"] },
    { filter: "ip[6:2] & 0x1fff != 0", names: ["later fragment"] },
    { filter: "proto gre", names: ["GRE"] },
    { filter: "udp port 6080", names: ["GUE"] },
    { filter: "ether broadcast and not tcp", names: ["ARP request"] },
    { filter: "(icmp[0] == 8 || icmp[0] == 0) && ! arp", names: ["echo request", "echo reply"] },
  ])("$filter", ({ filter, names }) => {
    const predicate = compileFilter(filter, { resolve: () => [], hasDirection: false });
    const passed = RECORDED_FRAMES.filter(({ hex }) => {
      const bytes = Uint8Array.from(Buffer.from(hex, "hex"));
      return predicate(ethernetView(bytes, bytes.length));
    });
    expect(passed.map(({ name }) => name)).toEqual(names);
  });

  test.each([
    ["tcp[", "can't parse filter expression: syntax error"],
    ["and tcp", "can't parse filter expression: syntax error"],
    ["(tcp", "can't parse filter expression: syntax error"],
    ["port foo", "unknown port 'foo'"],
    ["port 70000", "illegal port number 70000 > 65535"],
    ["net 10.0.0.1/8", 'non-network bits set in "10.0.0.1/8"'],
    ["tcp host 1.2.3.4", "'tcp' modifier applied to host"],
    ["host 300.1.1.1", "invalid IPv4 address '300.1.1.1'"],
    ["inbound", "inbound/outbound not supported on Ethernet when reading savefiles"],
    ["greater 99999999999", "number 99999999999 overflows 32 bits"],
    [`${"(".repeat(1000)}tcp`, "expression is too complex"],
  ])("%s: %s", (filter, message) => {
    expect(() => compileFilter(filter, { resolve: () => [], hasDirection: false })).toThrow(message);
  });
});
