import fc from "fast-check";
import { expect, test } from "vitest";
import { SimulationLoop } from "../../../src/kernel/loop.ts";
import { CONN_TEMPLATE, Connection } from "../../../src/ipvs/connection.ts";
import { ConnectionTable } from "../../../src/ipvs/connection-table.ts";

const owner = { connectionExpired: () => {} };
let sequence = 0;

function connection(key: readonly [number, number, number, number, number], method: "masq" | "route" = "masq", flags = 0) {
  const [protocol, clientAddress, clientPort, virtualAddress, virtualPort] = key;
  const to = { address: 0x0a000000 + virtualPort, port: 8080, method };
  return new Connection(owner, new SimulationLoop(), sequence++, { protocol, clientAddress, clientPort, virtualAddress, virtualPort }, to, flags, 1e9);
}

const small = fc.tuple(fc.constantFrom(6, 17), fc.integer({ min: 0xfffffff0, max: 0xffffffff }), fc.integer({ min: 0, max: 3 }), fc.integer({ min: 1, max: 2 }), fc.integer({ min: 80, max: 81 }));

test("finds what a plain list would find, newest first", () => {
  fc.assert(
    fc.property(fc.array(fc.record({ key: small, method: fc.constantFrom("masq" as const, "route" as const), removes: fc.option(fc.nat(40)) }), { maxLength: 60 }), small, (operations, wanted) => {
      const table = new ConnectionTable();
      let list: Connection[] = [];
      const all: Connection[] = [];
      for (const { key, method, removes } of operations) {
        const entry = connection(key, method);
        table.add(entry);
        list.unshift(entry);
        all.push(entry);
        const victim = removes === null ? undefined : all[removes];
        if (victim === undefined) continue;
        table.remove(victim);
        list = list.filter((e) => e !== victim);
      }
      const [protocol, client, clientPort, virtual, virtualPort] = wanted;
      const isClient = (e: Connection) => e.protocol === protocol && e.clientAddress === client && e.clientPort === clientPort;
      expect(table.findIn(protocol, client, clientPort, virtual, virtualPort)).toBe(list.find((e) => isClient(e) && e.virtualAddress === virtual && e.virtualPort === virtualPort));
      expect(table.findOut(protocol, 0x0a000000 + virtualPort, 8080, client, clientPort)).toBe(
        list.find((e) => isClient(e) && (e.method === "masq" ? e.destAddress === 0x0a000000 + virtualPort : e.virtualPort === 8080 && e.virtualAddress === 0x0a000000 + virtualPort)),
      );
      expect(table.size).toBe(list.length);
      expect(table.entries()).toEqual([...list].reverse());
    }),
  );
});

test("templates and connections do not answer for each other", () => {
  const table = new ConnectionTable();
  const template = connection([6, 0xc0a80000, 0, 1, 80], "route", CONN_TEMPLATE);
  table.add(template);
  expect(table.findIn(6, 0xc0a80000, 0, 1, 80)).toBeUndefined();
  expect(table.findTemplate(6, 0xc0a80000, 1, 80)).toBe(template);
});

test("grows and still finds everything", () => {
  const table = new ConnectionTable();
  const entries = Array.from({ length: 5000 }, (_, i) => connection([6, 0x0a000000 + (i % 50), 1024 + i, 1, 80]));
  for (const entry of entries) table.add(entry);
  for (const entry of entries) expect(table.findIn(6, entry.clientAddress, entry.clientPort, 1, 80)).toBe(entry);
  const parts = Array.from({ length: 32 }, (_, part) => table.slice(part, 32)).flat();
  expect(new Set(parts).size).toBe(5000);
});
