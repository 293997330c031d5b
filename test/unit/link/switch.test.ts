import { expect, test } from "vitest";
import { BROADCAST_MAC } from "../../../src/base/mac-address.ts";
import { SimulationLoop } from "../../../src/kernel/loop.ts";
import { RandomStream } from "../../../src/kernel/random.ts";
import type { LinkProperties } from "../../../src/link/port.ts";
import { Switch, type SwitchPort } from "../../../src/link/switch.ts";
import { Tracer } from "../../../src/trace/tracer.ts";
import { EthernetFrame, RawPayload } from "../../../src/wire/packet.ts";

function lan(interfaces: number, properties: Partial<LinkProperties> = {}) {
  const loop = new SimulationLoop();
  const link = new Switch({ name: "lan", loop, trace: new Tracer(loop), random: new RandomStream("1"), properties });
  const received: string[] = [];
  const carrier: string[] = [];
  for (let i = 0; i < interfaces; i++) {
    link.addPort().connect({ hostName: `h${i}`, deviceName: "eth0", receiveFrame: (frame) => received.push(`h${i} ${frame.src}>${frame.dst} ${loop.nowNs}`), carrierChanged: (has) => carrier.push(`h${i} ${has}`) });
  }
  const send = (from: number, dst: number, bytes = 46) => (link.ports[from] as SwitchPort).transmit(new EthernetFrame(dst, from + 1, 0x88b5, new RawPayload(new Uint8Array(bytes))));
  return { loop, link, received, carrier, send, run: () => { while (loop.step()); } };
}

test("an unknown target is flooded, the port attached last first; a learnt one is not", () => {
  const { received, send, run, link } = lan(4, { bandwidthBitsPerSecond: 0, latencyNs: 1000 });
  send(1, 4);
  run();
  expect(received).toEqual(["h3 2>4 1000", "h2 2>4 1000", "h0 2>4 1000"]);
  received.length = 0;
  send(3, 2);
  run();
  expect(received).toEqual(["h1 4>2 2000"]);
  expect(link.counters).toEqual({ sent: 2, copied: 2, delivered: 4, dropped: 0, filtered: 0 });
});

test("broadcasts reach everybody but the sender", () => {
  const { received, send, run } = lan(3, { bandwidthBitsPerSecond: 0, latencyNs: 0 });
  send(0, BROADCAST_MAC);
  run();
  expect(received.map((r) => r.slice(0, 2))).toEqual(["h2", "h1"]);
});

test("frames queue at the bandwidth of the cable and are dropped when its queue is full", () => {
  const { received, send, run, link } = lan(2, { bandwidthBitsPerSecond: 1_000_000_000, latencyNs: 2000, queueFrames: 2 });
  send(1, BROADCAST_MAC);
  run();
  received.length = 0;
  for (let i = 0; i < 6; i++) send(0, 2, 1500);
  run();
  // 1514 + 24 bytes are 12304 ns on each of the two cables.
  const start = 2 * 672 + 2000;
  expect(received.map((r) => Number(r.split(" ")[2]) - start)).toEqual([26608, 38912, 51216]);
  expect(link.counters.dropped).toBe(3);
});

test("a learnt address is forgotten after 300 s", () => {
  const { received, send, run, loop } = lan(3, { bandwidthBitsPerSecond: 0, latencyNs: 0 });
  send(1, 1);
  run();
  received.length = 0;
  loop.runUntil(299_999_999_999);
  send(0, 2);
  run();
  expect(received).toHaveLength(1);
  loop.runUntil(300_000_000_000);
  send(0, 2);
  run();
  expect(received).toHaveLength(3);
});

test("a port that is down loses frames both ways and its carrier", () => {
  const { received, send, run, carrier, link } = lan(2);
  (link.ports[1] as SwitchPort).setUp(false);
  send(0, 2);
  send(1, 1);
  run();
  expect(received).toEqual([]);
  expect(carrier).toEqual(["h1 false"]);
  expect(link.counters).toEqual({ sent: 2, copied: 0, delivered: 0, dropped: 1, filtered: 1 });
});

test("loss is drawn once a frame and is the same in every run of a seed", () => {
  const counts = [1, 2].map(() => {
    const { send, run, link } = lan(2, { lossPpm: 250_000 });
    for (let i = 0; i < 4000; i++) send(0, 2);
    run();
    return link.counters.dropped;
  });
  expect(counts[0]).toBe(counts[1]);
  expect(counts[0]).toBeGreaterThan(800);
  expect(counts[0]).toBeLessThan(1800);
});

test("an address that moves to another port is followed there, though it was looked up before", () => {
  const { received, link, send, run } = lan(4, { bandwidthBitsPerSecond: 0, latencyNs: 0 });
  const sendAs = (port: number, src: number, dst: number) =>
    (link.ports[port] as SwitchPort).transmit(new EthernetFrame(dst, src, 0x88b5, new RawPayload(new Uint8Array(46))));
  send(0, 2);
  send(1, 1);
  send(0, 2);
  run();
  received.length = 0;
  // Address 2 was behind port 1; now it speaks behind port 2, then behind port 1 again.
  sendAs(2, 2, 1);
  send(0, 2);
  run();
  expect(received.map((line) => line.slice(0, 6))).toEqual(["h0 2>1", "h2 1>2"]);
  received.length = 0;
  sendAs(1, 2, 1);
  send(0, 2);
  run();
  expect(received.map((line) => line.slice(0, 6))).toEqual(["h0 2>1", "h1 1>2"]);
});

test("what was learnt behind a port that went down is looked for everywhere again", () => {
  const { received, link, send, run } = lan(3, { bandwidthBitsPerSecond: 0, latencyNs: 0 });
  send(1, 1);
  run();
  send(0, 2);
  run();
  (link.ports[1] as SwitchPort).setUp(false);
  (link.ports[1] as SwitchPort).setUp(true);
  received.length = 0;
  send(0, 2);
  run();
  expect(received.map((line) => line.slice(0, 2))).toEqual(["h2", "h1"]);
  received.length = 0;
  send(1, 1);
  send(0, 2);
  run();
  expect(received.map((line) => line.slice(0, 2))).toEqual(["h0", "h1"]);
});

test("an interface that is taken down is forgotten: frames for it are flooded until it speaks again", () => {
  const { received, send, run, link } = lan(3, { bandwidthBitsPerSecond: 0, latencyNs: 0 });
  send(1, 1);
  run();
  (link.ports[1] as SwitchPort).interfaceChanged(false);
  received.length = 0;
  send(0, 2);
  run();
  expect(received.map((r) => r.slice(0, 2))).toEqual(["h2"]);
  (link.ports[1] as SwitchPort).interfaceChanged(true);
  received.length = 0;
  send(0, 2);
  run();
  expect(received.map((r) => r.slice(0, 2))).toEqual(["h2", "h1"]);
  received.length = 0;
  send(1, 1);
  send(0, 2);
  run();
  expect(received.map((r) => r.slice(0, 2))).toEqual(["h0", "h1"]);
});
