/**
 * Hash values and tables as the kernel computes them.
 */
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import {
  destinationHash,
  hash32,
  hsiphash,
  MAGLEV_TABLE_SIZE,
  maglevHash,
  maglevTable,
  type SchedulerDest,
  schedulerDest,
  sourceHash,
} from "../../../../src/ipvs/schedulers/index.ts";
import { hash32LowBits } from "../../../../src/ipvs/schedulers/hash.ts";
import { nameOf, ServiceDriver } from "../../../../src/ipvs/schedulers/service-driver.ts";

/** 10.0.0.1 as a number. */
function ipv4(text: string): number {
  return text.split(".").reduce((value, octet) => value * 256 + Number(octet), 0);
}

const KEY_1 = 2654435761;
const KEY_2 = 2654446892;

describe("hash_32", () => {
  test.each([
    ["10.0.0.100", 248],
    ["192.168.247.100", 10],
    ["192.168.247.20", 123],
    ["192.168.1.1", 136],
    ["10.0.0.1", 39],
    ["10.0.0.2", 137],
    ["172.16.0.5", 1],
    ["8.8.8.8", 188],
  ])("8 bits of %s -> %i", (address, bucket) => {
    expect(hash32(ipv4(address), 8)).toBe(bucket);
  });

  test.each([
    ["192.168.247.20", 40000, 31],
    ["192.168.247.20", 40001, 129],
    ["10.0.0.1", 1024, 73],
  ])("sh-port: %s port %i -> %i", (address, port, bucket) => {
    expect(hash32(ipv4(address) + port, 8)).toBe(bucket);
  });

  test("10 bits of 192.168.247.100 -> 41", () => {
    expect(hash32(ipv4("192.168.247.100"), 10)).toBe(41);
  });

  test("counts modulo 2^32", () => {
    fc.assert(fc.property(fc.nat(0xffffffff), (value) => hash32(value + 2 ** 32, 8) === hash32(value, 8)));
  });

  test("the older form is the low bits of Knuth's product", () => {
    fc.assert(
      fc.property(fc.nat(0xffffffff), (value) => {
        expect(hash32LowBits(value, 8)).toBe(Number((BigInt(value) * 2654435761n) & 255n));
      }),
    );
  });
});

describe("hsiphash", () => {
  test.each([
    ["10.9.0.1", 0xe9f219f2, 0xdbb61696],
    ["10.9.0.2", 0x839f230c, 0x16f0dc92],
    ["192.168.247.11", 0x2686bf67, 0x8e3f82f1],
    ["192.168.247.12", 0xc05746d9, 0x162f8a4d],
  ])("server %s:80", (address, first, second) => {
    expect(hsiphash(ipv4(address) + 80, KEY_1)).toBe(first);
    expect(hsiphash(ipv4(address) + 80, KEY_2)).toBe(second);
  });

  test("equals SipHash-1-3 written with 64-bit integers", () => {
    fc.assert(
      fc.property(fc.nat(0xffffffff), fc.nat(0xffffffff), (word, key) => {
        expect(hsiphash(word, key)).toBe(sipHash13(BigInt(word), BigInt(key)));
      }),
    );
  });
});

describe("mh", () => {
  test.each([
    [{ client: "192.168.247.20", port: 0 }, 2762],
    [{ client: "10.0.0.1", port: 0 }, 3711],
    [{ client: "192.168.247.20", port: 40000 }, 2902],
  ])("%o -> slot %i", ({ client, port }, slot) => {
    const driver = new ServiceDriver(maglevHash, { flags: port === 0 ? [] : ["mh-port"] });
    const figures = driver.state.explain?.({ sourceAddress: ipv4(client), sourcePort: port, destinationAddress: 0, destinationPort: 80, protocol: 6 });
    expect(figures).toEqual({ slot });
  });

  test.each([
    { weights: [1, 1], slots: [2046, 2047] },
    { weights: [3, 1], slots: [3069, 1024] },
    { weights: [30, 10], slots: [3069, 1024] },
  ])("192.168.247.11 and .12 with weights $weights own $slots", ({ weights, slots }) => {
    const dests = pair(weights);
    const table = maglevTable([...dests].reverse());
    expect(dests.map((dest) => table.filter((owner) => owner === dest).length)).toEqual(slots);
  });

  test("the first slots of weights 3 and 1", () => {
    const dests = pair([3, 1]);
    const table = maglevTable([...dests].reverse());
    expect(table.slice(0, 8).map((owner) => (owner?.address ?? 0) & 255)).toEqual([11, 11, 11, 11, 12, 12, 12, 11]);
  });

  test("all of five known clients go to 192.168.247.11", () => {
    const dests = pair([1, 1]);
    const table = maglevTable([...dests].reverse());
    for (const client of ["192.168.247.20", "10.0.0.1", "10.0.0.2", "172.16.0.5", "8.8.8.8"]) {
      expect(table[hsiphash(ipv4(client), KEY_1) % MAGLEV_TABLE_SIZE]).toBe(dests[0]);
    }
  });

  test("slots are shared by weight, the last round apart", () => {
    const weights = fc.array(fc.integer({ min: 1, max: 20 }), { minLength: 1, maxLength: 12 });
    fc.assert(
      fc.property(weights, (list) => {
        const dests = list.map((weight, index) => schedulerDest({ address: 0x0a090001 + index, port: 80, weight }));
        const table = maglevTable(dests);
        const total = list.reduce((sum, weight) => sum + weight, 0);
        for (const [index, dest] of dests.entries()) {
          const owned = table.filter((owner) => owner === dest).length;
          const share = (MAGLEV_TABLE_SIZE * (list[index] ?? 0)) / total;
          expect(Math.abs(owned - share)).toBeLessThanOrEqual(20);
        }
      }),
      { numRuns: 30 },
    );
  });

  test("a server that goes moves few clients of the others", () => {
    const dests = Array.from({ length: 10 }, (_, index) => schedulerDest({ address: 0x0a090001 + index, port: 80 }));
    const before = maglevTable(dests);
    const after = maglevTable(dests.slice(1));
    const moved = before.filter((owner, slot) => owner !== dests[0] && owner !== after[slot]).length;
    expect(moved / MAGLEV_TABLE_SIZE).toBeLessThan(0.1);
  });

  test("a server added with weight 0 owns nothing, one edited to 0 keeps its slots", () => {
    const driver = new ServiceDriver(maglevHash).add("A").add("B", { weight: 0 });
    expect(new Set(maglevTable(driver.dests).map((owner) => owner && nameOf(owner)))).toEqual(new Set(["A"]));
    driver.edit("A", { weight: 0 });
    expect(new Set(maglevTable(driver.dests).map((owner) => owner && nameOf(owner)))).toEqual(new Set(["A"]));
    expect(driver.open()).toBe("-");
  });
});

describe("sh and dh", () => {
  const client = fc.nat(0xffffffff);
  const packetOf = (sourceAddress: number) => ({ sourceAddress, destinationAddress: sourceAddress });

  test("sh: a client has one server, whatever its port; with sh-port it has several", () => {
    const byAddress = new ServiceDriver(sourceHash).add("A").add("B").add("C");
    const byPort = new ServiceDriver(sourceHash, { flags: ["sh-port"] }).add("A").add("B").add("C");
    fc.assert(
      fc.property(client, (sourceAddress) => {
        const ports = Array.from({ length: 40 }, (_, index) => 1024 + index);
        const serversOf = (driver: ServiceDriver) => new Set(ports.map((sourcePort) => driver.open({ sourceAddress, sourcePort })));
        expect(serversOf(byAddress).size).toBe(1);
        expect(serversOf(byPort).size).toBe(3);
      }),
    );
  });

  test("sh: buckets follow the weights, and a server of weight 0 keeps one", () => {
    const driver = new ServiceDriver(sourceHash).add("A", { weight: 3 }).add("B", { weight: 0 });
    const picks = Array.from({ length: 4096 }, (_, index) => driver.open(packetOf(index * 1_048_583)));
    const share = picks.filter((pick) => pick === "-").length / picks.length;
    expect(share).toBeGreaterThan(0.2);
    expect(share).toBeLessThan(0.3);
  });

  test("sh-fallback: every client is served while one server can", () => {
    const driver = new ServiceDriver(sourceHash, { flags: ["sh-fallback"] }).add("A").add("B").add("C");
    driver.edit("A", { weight: 0 }).edit("C", { weight: 0 });
    fc.assert(fc.property(client, (sourceAddress) => driver.open(packetOf(sourceAddress)) === "B"));
  });

  test("sh-fallback moves only clients whose server is out", () => {
    const driver = new ServiceDriver(sourceHash, { flags: ["flag-1"] }).add("A").add("B").add("C");
    fc.assert(
      fc.property(client, (sourceAddress) => {
        driver.dest("B").overloaded = false;
        const before = driver.open(packetOf(sourceAddress));
        driver.dest("B").overloaded = true;
        const after = driver.open(packetOf(sourceAddress));
        expect(before === "B" ? "AC" : before).toContain(after);
      }),
    );
  });

  test("dh: an edit leaves the table, weights do not matter", () => {
    const driver = new ServiceDriver(destinationHash).add("A", { weight: 1 }).add("B", { weight: 50 });
    const picks = Array.from({ length: 2048 }, (_, index) => driver.open(packetOf(index * 2_097_169)));
    const share = picks.filter((pick) => pick === "A").length / picks.length;
    expect(share).toBeGreaterThan(0.45);
    expect(share).toBeLessThan(0.55);
    driver.edit("A", { weight: 9 });
    expect(Array.from({ length: 2048 }, (_, index) => driver.open(packetOf(index * 2_097_169)))).toEqual(picks);
  });

  test("the older hash is an option", () => {
    const options = { overheadIncludesTotal: false, hashTakesLowBits: true, cacheGrowthCapped: false };
    const driver = new ServiceDriver(destinationHash, { context: { options } }).add("A");
    const packet = { sourceAddress: 0, sourcePort: 0, destinationAddress: ipv4("10.0.0.1"), destinationPort: 80, protocol: 6 };
    expect(driver.state.explain?.(packet)).toEqual({ bucket: hash32LowBits(ipv4("10.0.0.1"), 8) });
  });
});

function pair(weights: readonly number[]): SchedulerDest[] {
  return weights.map((weight, index) => schedulerDest({ address: ipv4("192.168.247.11") + index, port: 80, weight }));
}

/** The same function from its description: "siphash 1-3, 64-bit key halves, length byte on top, low word of the result". */
function sipHash13(word: bigint, key: bigint): number {
  const mask = (1n << 64n) - 1n;
  const rotl = (value: bigint, bits: bigint) => ((value << bits) | (value >> (64n - bits))) & mask;
  const last = (4n << 56n) | word;
  let [v0, v1, v2, v3] = [0x736f6d6570736575n ^ key, 0x646f72616e646f6dn ^ key, 0x6c7967656e657261n ^ key, 0x7465646279746573n ^ key ^ last];
  const round = () => {
    v0 = (v0 + v1) & mask;
    v1 = rotl(v1, 13n) ^ v0;
    v0 = rotl(v0, 32n);
    v2 = (v2 + v3) & mask;
    v3 = rotl(v3, 16n) ^ v2;
    v0 = (v0 + v3) & mask;
    v3 = rotl(v3, 21n) ^ v0;
    v2 = (v2 + v1) & mask;
    v1 = rotl(v1, 17n) ^ v2;
    v2 = rotl(v2, 32n);
  };
  round();
  v0 ^= last;
  v2 ^= 0xffn;
  for (let i = 0; i < 3; i += 1) round();
  return Number((v0 ^ v1 ^ v2 ^ v3) & 0xffffffffn);
}
