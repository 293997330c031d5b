/**
 * TCP over cables that lose, delay, duplicate, reorder and damage: what arrives is what was sent, in order and once, and when the cables are
 * whole again every connection comes to its end.
 */

import fc from "fast-check";
import { expect, test } from "vitest";
import { NS_PER_MS } from "../../src/base/time.ts";
import type { TcpEvents, TcpSocket } from "../../src/host/host.ts";
import { NETEM_NOTHING, type NetemOptions, netemProbability } from "../../src/link/netem.ts";
import { ip, Laboratory } from "../unit/host/two-hosts.ts";

/** More of them on demand: LVSIM_RUNS=5000 npx vitest run test/property */
const RUNS = Number(process.env["LVSIM_RUNS"] ?? 60);
/** The longest that a retransmission can be away (TCP_RTO_MAX), with room for a few. */
const HEALED_SECONDS = 600;
const PORT = 7000;

const percent = (max: number) => fc.integer({ min: 0, max }).map((value) => netemProbability(value / 100));

const impairment: fc.Arbitrary<NetemOptions> = fc.record({
  latencyNs: fc.integer({ min: 0, max: 300 }).map((ms) => ms * NS_PER_MS),
  jitterNs: fc.integer({ min: 0, max: 200 }).map((ms) => ms * NS_PER_MS),
  limit: fc.constantFrom(1000, 1000, 1000, 20, 2),
  loss: fc.oneof(percent(40), percent(100)),
  lossCorrelation: percent(90),
  duplicate: percent(60),
  reorder: percent(60),
  gap: fc.constantFrom(0, 0, 1, 3, 5),
  corrupt: percent(30),
  shape: fc.constantFrom("uniform" as const, "normal" as const, "pareto" as const, "paretonormal" as const),
  rate: fc.constantFrom(undefined, undefined, { bytesPerSecond: 20_000, packetOverhead: 0, cellSize: 0, cellOverhead: 0 }),
}).map((drawn) => ({ ...NETEM_NOTHING, ...drawn }));

const story = fc.record({
  seed: fc.nat(1_000_000),
  /** At most 15 seconds of faults. */
  out: impairment,
  in: impairment,
  hostQdisc: fc.option(impairment, { nil: undefined }),
  startMs: fc.integer({ min: 0, max: 500 }),
  lengthMs: fc.integer({ min: 10, max: 15_000 }),
  connections: fc.array(
    fc.record({
      atMs: fc.integer({ min: 0, max: 3000 }),
      up: fc.integer({ min: 0, max: 60_000 }),
      down: fc.integer({ min: 0, max: 60_000 }),
      pauseMs: fc.option(fc.integer({ min: 0, max: 4000 }), { nil: undefined }),
    }),
    { minLength: 1, maxLength: 4 },
  ),
});

type Story = typeof story extends fc.Arbitrary<infer T> ? T : never;

/** Bytes that tell where they belong. */
function pattern(length: number, salt: number): Uint8Array {
  return Uint8Array.from({ length }, (_, i) => (i * 31 + (i >> 8) * 17 + salt) & 255);
}

class Side {
  readonly received: number[] = [];
  socket: TcpSocket | undefined;
  hasEnded = false;
  isEstablished = false;
  error: string | undefined;
  readonly #data: Uint8Array;

  constructor(data: Uint8Array) {
    this.#data = data;
  }

  events(): TcpEvents {
    return {
      onConnected: () => this.begin(),
      onData: (bytes) => {
        for (const byte of bytes) this.received.push(byte);
      },
      onEnd: () => {
        this.hasEnded = true;
      },
      onError: (errno) => {
        this.error = errno;
      },
    };
  }

  begin(): void {
    this.isEstablished = true;
    if (this.#data.length > 0) this.socket?.send(this.#data);
    this.socket?.shutdownWrite();
  }
}

interface Outcome {
  readonly client: Side;
  readonly server: Side | undefined;
  readonly up: Uint8Array;
  readonly down: Uint8Array;
}

function play(drawn: Story): { readonly outcomes: readonly Outcome[]; readonly left: readonly string[] } {
  const lab = new Laboratory(drawn.seed);
  lab.trace.setLevel("off");
  const a = lab.host("a", { eth0: "lan 10.0.0.1/24" });
  const b = lab.host("b", { eth0: "lan 10.0.0.2/24" });
  const after = (ms: number, what: () => void) => lab.loop.at(ms * NS_PER_MS, { onEvent: what });
  const outcomes: (Outcome & { server: Side | undefined })[] = [];
  const byPort = new Map<number, (typeof outcomes)[number]>();
  b.tcp.listen({ address: 0, port: PORT }, (socket) => {
    const outcome = byPort.get(socket.remotePort);
    if (outcome === undefined) throw new Error(`a connection from port ${socket.remotePort}, which nobody opened`);
    const side = new Side(outcome.down);
    side.socket = socket;
    outcome.server = side;
    lab.loop.after(0, { onEvent: () => side.begin() });
    return side.events();
  });
  drawn.connections.forEach(({ atMs, up, down, pauseMs }, index) => {
    const outcome = { client: new Side(pattern(up, index)), server: undefined as Side | undefined, up: pattern(up, index), down: pattern(down, index + 100) };
    outcomes.push(outcome);
    byPort.set(40_000 + index, outcome);
    after(atMs, () => {
      const socket = a.tcp.connect({ address: ip("10.0.0.2"), port: PORT, localPort: 40_000 + index }, outcome.client.events());
      if (typeof socket === "string") outcome.client.error = socket;
      else outcome.client.socket = socket;
      if (pauseMs === undefined || typeof socket === "string") return;
      socket.pause();
      lab.loop.after(pauseMs * NS_PER_MS, { onEvent: () => socket.resume() });
    });
  });
  const port = lab.links.get("lan")?.ports[0];
  const device = b.devices.byName("eth0");
  if (port === undefined || device === undefined) throw new Error("no cable");
  after(drawn.startMs, () => {
    port.impair(drawn.out, "out", lab.random.stream("out"));
    port.impair(drawn.in, "in", lab.random.stream("in"));
    if (drawn.hostQdisc !== undefined) b.devices.setNetem(device, drawn.hostQdisc);
  });
  after(drawn.startMs + drawn.lengthMs, () => {
    port.impair(undefined, "out", lab.random.stream("out"));
    port.impair(undefined, "in", lab.random.stream("in"));
    b.devices.setNetem(device, undefined);
  });
  lab.run(20 + HEALED_SECONDS);
  for (const { client, server } of outcomes) for (const side of [client, server]) side?.socket?.close();
  lab.run(300);
  return { outcomes, left: [...a.tcp.sockets, ...b.tcp.sockets].map(({ state, localPort }) => `${localPort} ${state}`) };
}

/** True when `part` is the beginning of `whole`. */
function isBeginning(part: readonly number[], whole: Uint8Array): boolean {
  return part.length <= whole.length && part.every((byte, i) => byte === whole[i]);
}

test(`${RUNS} drawn faults break no stream`, { timeout: 300_000 }, () => {
  let finished = 0;
  fc.assert(
    fc.property(story, (drawn) => {
      const { outcomes, left } = play(drawn);
      for (const { client, server, up, down } of outcomes) {
        expect(isBeginning(client.received, down), "what the client read").toBe(true);
        expect(isBeginning(server?.received ?? [], up), "what the server read").toBe(true);
        if (!client.isEstablished) {
          // Nobody answered for ARP or the handshake as long as connect(2) waits.
          expect(["EHOSTUNREACH", "ETIMEDOUT"]).toContain(client.error);
          continue;
        }
        if (server === undefined) {
          // The listener gave the handshake up when ARP failed (tcp_req_err), and resets what the client sends on it.
          expect([client.error, client.received.length]).toEqual(["ECONNRESET", 0]);
          continue;
        }
        finished++;
        const told = { errors: [client.error, server.error], ends: [client.hasEnded, server.hasEnded], bytes: [client.received.length, server.received.length] };
        expect(told).toEqual({ errors: [undefined, undefined], ends: [true, true], bytes: [down.length, up.length] });
      }
      expect(left).toEqual([]);
    }),
    { numRuns: RUNS },
  );
  expect(finished).toBeGreaterThan(RUNS / 2);
});
