/**
 * Capture files: written and read back, both byte orders and resolutions, and every way of being broken.
 */

import fc from "fast-check";
import { expect, test } from "vitest";
import { decodePcap, encodePcap, encodePcapHeader, LINKTYPE_ETHERNET, LINKTYPE_RAW } from "../../../src/wire/pcap.ts";

const record = fc.record({
  seconds: fc.integer({ min: 0, max: 0xffffffff }),
  nanoseconds: fc.integer({ min: 0, max: 999_999_999 }),
  bytes: fc.uint8Array({ maxLength: 60 }),
});

test("what is written is read back", () => {
  fc.assert(
    fc.property(fc.array(record, { maxLength: 10 }), fc.constantFrom(LINKTYPE_ETHERNET, LINKTYPE_RAW), (list, linkType) => {
      const records = list.map((one) => ({ ...one, lengthBytes: one.bytes.length + 4 }));
      expect(decodePcap(encodePcap(linkType, records))).toEqual({ ok: true, value: { linkType, snapshotBytes: 262_144, records } });
    }),
  );
});

test("a file that is cut is rejected, except between records", () => {
  const bytes = encodePcap(LINKTYPE_ETHERNET, [{ seconds: 1, nanoseconds: 2, bytes: new Uint8Array(5), lengthBytes: 5 }]);
  for (let length = 0; length < bytes.length; length++) expect(decodePcap(bytes.slice(0, length)).ok, `${length}`).toBe(length === 24);
});

test("microseconds and big-endian files are read, too", () => {
  const header = new DataView(new ArrayBuffer(24 + 16 + 1));
  header.setUint32(0, 0xa1b2c3d4);
  header.setUint16(4, 2);
  header.setUint32(20, 1);
  header.setUint32(24, 7);
  header.setUint32(28, 250_000);
  header.setUint32(32, 1);
  header.setUint32(36, 1);
  const file = decodePcap(new Uint8Array(header.buffer));
  expect(file.ok && file.value.records[0]).toEqual({ seconds: 7, nanoseconds: 250_000_000, bytes: Uint8Array.from([0]), lengthBytes: 1 });
});

test.each([
  {
    what: "another magic number",
    change: (bytes: Uint8Array) => {
      bytes[0] = 9;
    },
    reason: /magic/,
  },
  {
    what: "another version",
    change: (bytes: Uint8Array) => {
      bytes[4] = 3;
    },
    reason: /version 3/,
  },
  {
    what: "a record longer than any snapshot",
    change: (bytes: Uint8Array) => {
      bytes[35] = 1;
    },
    reason: /the most is/,
  },
])("$what is an error, not an exception", ({ change, reason }) => {
  const bytes = encodePcap(LINKTYPE_ETHERNET, [{ seconds: 1, nanoseconds: 2, bytes: new Uint8Array(5), lengthBytes: 5 }]);
  change(bytes);
  const file = decodePcap(bytes);
  expect(file.ok ? "" : file.reason).toMatch(reason);
});

test("a header alone is a capture without frames", () => {
  expect(decodePcap(encodePcapHeader(LINKTYPE_ETHERNET))).toMatchObject({ ok: true, value: { records: [] } });
});
