/**
 * The bytes that sync daemons exchange: as the kernel wrote them, there and back, cut, and broken in every way that it looks for.
 */

import fc from "fast-check";
import { expect, test } from "vitest";
import {
  decodeSyncMessage,
  encodeSyncMessage,
  SYNC_INACTIVE,
  SYNC_NO_OUTPUT,
  SYNC_TEMPLATE,
  SyncBuffer,
  type SyncMessage,
  type SyncRecord,
} from "../../../src/ipvs/sync-message.ts";
import { address } from "../../helpers/lan.ts";

function bytesOf(hex: string): Uint8Array {
  return Uint8Array.from(hex.replaceAll(" ", "").match(/../g) ?? [], (pair) => Number.parseInt(pair, 16));
}

const CONNECTION: SyncRecord = {
  protocol: 6,
  flags: 3 | SYNC_NO_OUTPUT,
  state: 1,
  clientAddress: address("192.168.30.9"),
  clientPort: 0xadec,
  virtualAddress: address("192.168.30.100"),
  virtualPort: 7000,
  destAddress: address("192.168.30.11"),
  destPort: 7000,
  mark: 0,
  timeoutSeconds: 900,
};
const TEMPLATE: SyncRecord = {
  ...CONNECTION,
  flags: 3 | SYNC_NO_OUTPUT | SYNC_INACTIVE | SYNC_TEMPLATE,
  state: 0,
  clientPort: 0,
  virtualPort: 80,
  destPort: 80,
  timeoutSeconds: 100,
};

// Linux 6.1.176 sent these.
const RECORDED: readonly { readonly what: string; readonly hex: string; readonly message: SyncMessage }[] = [
  {
    what: "version 1: a connection and a template",
    hex:
      "00 07 0050 02 01 0000" +
      "00 06 0024 00000083 0001 adec 1b58 1b58 00000000 00000384 c0a81e09 c0a81e64 c0a81e0b" +
      "00 06 0024 00001183 0000 0000 0050 0050 00000000 00000064 c0a81e09 c0a81e64 c0a81e0b",
    message: { version: 1, syncId: 7, records: [CONNECTION, TEMPLATE] },
  },
  {
    what: "version 0: a connection that is established, and its end",
    hex: "02 00 0034 0006 8222 0050 0050 c0a81e09 c0a81e64 c0a81e0b 0083 0001 0006 8222 0050 0050 c0a81e09 c0a81e64 c0a81e0b 0183 0004",
    message: {
      version: 0,
      syncId: 0,
      records: [
        { ...CONNECTION, clientPort: 0x8222, virtualPort: 80, destPort: 80, timeoutSeconds: 0 },
        { ...CONNECTION, clientPort: 0x8222, virtualPort: 80, destPort: 80, timeoutSeconds: 0, flags: 0x183, state: 4 },
      ],
    },
  },
];

test.each(RECORDED)("$what", ({ hex, message }) => {
  expect(decodeSyncMessage(bytesOf(hex))).toEqual(message);
  expect(encodeSyncMessage(message)).toEqual(bytesOf(hex));
});

const u16 = fc.integer({ min: 0, max: 0xffff });
const u32 = fc.integer({ min: 0, max: 0xffffffff });

const anyRecord = fc.record({
  protocol: fc.integer({ min: 0, max: 255 }),
  flags: u16.map((flags) => flags & ~0x600),
  state: u16,
  clientAddress: u32,
  clientPort: u16,
  virtualAddress: u32,
  virtualPort: u16,
  destAddress: u32,
  destPort: u16,
  mark: u32,
  timeoutSeconds: u32,
});

test("property: what is written is read again; version 0 loses mark and timeout", () => {
  fc.assert(
    fc.property(
      fc.constantFrom<0 | 1>(0, 1),
      fc.integer({ min: 0, max: 255 }),
      fc.array(anyRecord, { minLength: 1, maxLength: 40 }),
      (version, syncId, records) => {
        const message = { version, syncId, records };
        const kept = version === 1 ? records : records.map((record) => ({ ...record, mark: 0, timeoutSeconds: 0 }));
        expect(decodeSyncMessage(encodeSyncMessage(message))).toEqual({ ...message, records: kept });
      },
    ),
  );
});

test.each(RECORDED)(
  "$what: cut anywhere, the size does not fit; with the size put right, whole records are kept and the rest is complained of",
  ({ hex, message }) => {
    const whole = bytesOf(hex);
    for (let length = 0; length < whole.length; length++) {
      const cut = whole.slice(0, length);
      expect(decodeSyncMessage(cut)).toBeUndefined();
      if (length < (message.version === 1 ? 8 : 4)) continue;
      cut[2] = length >>> 8;
      cut[3] = length;
      const decoded = decodeSyncMessage(cut);
      expect(decoded?.error).toMatch(/too small|msg > buffer|bogus conn/);
      expect(decoded?.records).toEqual(message.records.slice(0, decoded?.records.length));
    }
  },
);

test("property: any bytes are read without harm", () => {
  fc.assert(
    fc.property(fc.uint8Array({ minLength: 4, maxLength: 200 }), fc.boolean(), (bytes, isV1) => {
      bytes[2] = bytes.length >>> 8;
      bytes[3] = bytes.length;
      if (isV1 && bytes.length >= 8) bytes.set([0, bytes[1] as number, bytes.length >>> 8, bytes.length, bytes[4] as number, 1, 0, 0]);
      expect((decodeSyncMessage(bytes)?.records.length ?? 0) <= 255).toBe(true);
    }),
  );
});

/** One record with `options` behind it and another record after that; `patch` changes bytes of the first record. */
function messageWith(options: readonly number[], patch: readonly (readonly [number, number])[] = []): Uint8Array {
  const [head, second] = [
    encodeSyncMessage({ version: 1, syncId: 1, records: [CONNECTION] }),
    encodeSyncMessage({ version: 1, syncId: 1, records: [TEMPLATE] }),
  ];
  const size = 36 + options.length;
  const padded = (size + 3) & ~3;
  const bytes = new Uint8Array(8 + padded + 36);
  bytes.set(head);
  bytes.set(options, 44);
  bytes.set(second.slice(8), 8 + padded);
  bytes[3] = bytes.length;
  bytes[4] = 2;
  bytes[11] = size;
  for (const [at, value] of patch) bytes[8 + at] = value;
  return bytes;
}

const SEQUENCE = [1, 24, ...Array<number>(24).fill(0)];

test.each([
  { what: "no options", options: [], patch: [], records: [CONNECTION, TEMPLATE], error: undefined },
  { what: "sequence numbers", options: SEQUENCE, patch: [], records: [CONNECTION, TEMPLATE], error: undefined },
  { what: "sequence numbers twice", options: [...SEQUENCE, ...SEQUENCE], patch: [], records: [], error: "Err: -50 in decoding" },
  { what: "sequence numbers cut", options: [1, 4, 0, 0, 0, 0], patch: [], records: [], error: "Err: -50 in decoding" },
  { what: "data of an engine", options: [2, 3, 65, 66, 67, 3, 3, 115, 105, 112], patch: [], records: [TEMPLATE], error: undefined },
  { what: "an engine's name twice", options: [3, 1, 65, 3, 1, 65], patch: [], records: [], error: "Err: -70 in decoding" },
  { what: "an unknown option", options: [9, 1, 0], patch: [], records: [TEMPLATE], error: undefined },
  { what: "an unknown option that may be ignored", options: [0x49, 1, 0], patch: [], records: [CONNECTION, TEMPLATE], error: undefined },
  { what: "an option of no length", options: [9, 0], patch: [], records: [], error: "Err: -40 in decoding" },
  { what: "an option that is too long", options: [9, 9, 0], patch: [], records: [], error: "Err: -40 in decoding" },
  { what: "half an option", options: [9], patch: [], records: [], error: "Err: -30 in decoding" },
  { what: "another version of the record", options: [], patch: [[2, 0x10]], records: [], error: "Unknown version 1" },
  { what: "another type", options: [], patch: [[0, 2]], records: [], error: "Err: -10 in decoding" },
  { what: "IPv6, too short", options: [], patch: [[0, 1]], records: [], error: "Err: -20 in decoding" },
  { what: "IPv6", options: Array<number>(36).fill(0), patch: [[0, 1]], records: [TEMPLATE], error: undefined },
  { what: "a size below the least", options: [], patch: [[3, 20]], records: [], error: "Err: -20 in decoding" },
] as const)("a record with $what", ({ options, patch, records, error }) => {
  const decoded = decodeSyncMessage(messageWith(options, patch));
  expect(decoded?.records).toEqual(records);
  expect(decoded?.error).toBe(error === undefined ? undefined : `BACKUP, Dropping buffer, ${error}`);
});

test.each([
  { version: 1 as const, lengthMax: 1472, fits: 40 },
  { version: 1 as const, lengthMax: 80, fits: 2 },
  { version: 1 as const, lengthMax: 1, fits: 1 },
  { version: 0 as const, lengthMax: 1472, fits: 61 },
])("a buffer of $lengthMax bytes takes $fits records of version $version", ({ version, lengthMax, fits }) => {
  const buffer = new SyncBuffer(version, 3, lengthMax, 0);
  let count = 0;
  for (; buffer.hasRoom; count++) buffer.add(CONNECTION);
  expect(count).toBe(fits);
  expect(decodeSyncMessage(buffer.finish())?.records).toHaveLength(fits);
});
