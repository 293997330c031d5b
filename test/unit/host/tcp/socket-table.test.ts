import fc from "fast-check";
import { expect, test } from "vitest";
import { SocketTable } from "../../../../src/host/tcp/socket-table.ts";

class Socket {
  hash = 0;
  nextInSlot: Socket | undefined = undefined;
  tableOrder = 0;
  readonly localAddress: number;
  readonly localPort: number;
  readonly remoteAddress: number;
  readonly remotePort: number;

  constructor(ends: readonly [number, number, number, number]) {
    [this.localAddress, this.localPort, this.remoteAddress, this.remotePort] = ends;
  }
}

/** Few values, so that ends often differ in one place only and chains form. */
const ends = fc.tuple(fc.constantFrom(0x0a000001, 0xc0a80001), fc.integer({ min: 1, max: 40 }), fc.constantFrom(0x0a000001, 0xffffffff), fc.constantFrom(80, 32_768, 65_535));

test("sockets are found, listed and removed as in a list that is searched from the start", () => {
  fc.assert(
    fc.property(fc.array(fc.record({ ends, removes: fc.boolean() }), { maxLength: 200 }), (operations) => {
      const table = new SocketTable<Socket>();
      const expected = new Map<string, Socket>();
      for (const { ends: named, removes } of operations) {
        const name = named.join(" ");
        const known = expected.get(name);
        expect(table.find(...named)).toBe(known);
        if (known === undefined) {
          const socket = new Socket(named);
          table.insert(socket);
          expected.set(name, socket);
        } else if (removes) {
          table.remove(known);
          expected.delete(name);
        }
        expect(table.size).toBe(expected.size);
      }
      expect(table.list()).toEqual([...expected.values()]);
      for (const [name, socket] of expected) expect(table.find(...(name.split(" ").map(Number) as [number, number, number, number]))).toBe(socket);
    }),
  );
});
