/**
 * The parts of panels that need no browser.
 */

import { describe, expect, test } from "vitest";
import type { Layer } from "../../../viz/src/engine/layers.ts";
import type { LadderRow } from "../../../viz/src/engine/queries/ladder.ts";
import { formatBytes, formatShare } from "../../../src/report/numbers.ts";
import { sharesOf } from "../../../src/report/service-series.ts";
import { binAt, styleOf } from "../../../viz/src/panels/charts/chart-series.ts";
import { compareLayers, fieldAt } from "../../../viz/src/panels/inspector/layer-diff.ts";
import { arrowsOf, clampZoom, fitText, layOutLadder, orderHosts, pauseBefore } from "../../../viz/src/panels/ladder/ladder-layout.ts";
import { COLUMNS, TABLE_ORDER, textBefore, timerText } from "../../../src/report/columns.ts";
import { formatDuration } from "../../../viz/src/state/format.ts";
import { TABLE_NAMES } from "../../../src/trace/rows.ts";

function layer(protocol: string, offset: number, values: Readonly<Record<string, string>>): Layer {
  return { title: protocol, protocol, offset, length: 20, fields: Object.entries(values).map(([name, value], at) => ({ name, value, offset: offset + at * 4, length: 4 })) };
}

describe("headers before and after", () => {
  const eth = (dst: string) => layer("eth", 0, { "eth.dst": dst });
  const ip = (offset: number, dst: string) => layer("ip", offset, { "ip.dst": dst });
  const tcp = (offset: number) => layer("tcp", offset, { "tcp.dstport": "80" });

  test("a field that changed has its old value", () => {
    const { layers, gone } = compareLayers([eth("a"), ip(14, "v"), tcp(34)], [eth("b"), ip(14, "v"), tcp(34)]);
    expect(layers.flatMap(({ fields }) => fields.map(({ name, before }) => [name, before]))).toEqual([
      ["eth.dst", "a"],
      ["ip.dst", undefined],
      ["tcp.dstport", undefined],
    ]);
    expect(layers.some(({ isNew }) => isNew)).toBe(false);
    expect(gone).toEqual([]);
  });

  test("an outer header that was put on is new, the inner one is compared", () => {
    const { layers, gone } = compareLayers([eth("a"), ip(14, "v"), tcp(34)], [eth("b"), ip(14, "rip"), ip(34, "v"), tcp(54)]);
    expect(layers.map(({ protocol, isNew }) => `${protocol} ${isNew}`)).toEqual(["eth false", "ip true", "ip false", "tcp false"]);
    expect(layers[2]?.fields[0]?.before).toBeUndefined();
    expect(gone).toEqual([]);
  });

  test("one that was taken off is gone", () => {
    const outer = ip(0, "rip");
    const { layers, gone } = compareLayers([outer, ip(20, "v"), tcp(40)], [ip(0, "v"), tcp(20)]);
    expect(layers.some(({ isNew }) => isNew)).toBe(false);
    expect(gone).toEqual([outer]);
  });

  test("with nothing before, nothing is new", () => {
    expect(compareLayers(undefined, [eth("a")]).layers[0]).toMatchObject({ isNew: false, fields: [{ before: undefined }] });
  });

  test("a byte leads to its field, the shortest of several", () => {
    const version: Layer = { title: "ip", protocol: "ip", offset: 14, length: 20, fields: [{ name: "all", value: "", offset: 14, length: 20 }, { name: "ttl", value: "", offset: 22, length: 1 }] };
    expect(fieldAt([eth("a"), version], 22)).toEqual({ layer: 1, field: 1 });
    expect(fieldAt([eth("a"), version], 23)).toEqual({ layer: 1, field: 0 });
    expect(fieldAt([eth("a"), version], 2)).toEqual({ layer: 0, field: 0 });
    expect(fieldAt([eth("a")], 99)).toBeUndefined();
  });
});

describe("columns of tables", () => {
  test("every table has columns and a place", () => {
    expect([...TABLE_ORDER].sort()).toEqual([...TABLE_NAMES].sort());
    for (const name of TABLE_NAMES) if (name !== "sysctls") expect(COLUMNS[name]?.length).toBeGreaterThan(1);
  });

  test.each([
    [120e9, 0, "02:00"],
    [61.5e9, 0, "01:02"],
    [5e9, 9e9, "00:00"],
    [900e9, 0, "15:00"],
  ])("a timer until %d at %d: %s", (untilNs, nowNs, text) => {
    expect(timerText(untilNs, nowNs)).toBe(text);
  });

  test("a column shows what it was only when it showed something else", () => {
    const weight = COLUMNS.ipvsDestinations?.find(({ name }) => name === "weight");
    const row = { weight: 3, isOverloaded: false };
    if (weight === undefined) throw new Error("no column for the weight");
    expect(textBefore(weight, row, { weight: 1 }, 0)).toBe("1");
    expect(textBefore(weight, row, { activeConns: 1 }, 0)).toBeUndefined();
    expect(textBefore(weight, row, { weight: 3 }, 0)).toBeUndefined();
  });
});

describe("layout of the ladder", () => {
  const hosts = ["client", "director", "rs1"];
  const layout = layOutLadder(hosts, 700, 1);
  const row: LadderRow = { id: 1, timeNs: 0, kind: "frame-sent", host: "client", protocol: "arp", label: "", ends: "", changes: [], copies: [] };

  test("clients stand left, servers right", () => {
    expect(orderHosts(["rs1", "director", "rs2", "client"], { rs1: "server", rs2: "server", director: "director", client: "client" })).toEqual(["client", "director", "rs1", "rs2"]);
  });

  test("columns fill the room, and keep a width when there are many", () => {
    expect(hosts.map((host) => layout.x(host))).toEqual([...hosts.map((host) => layout.x(host))].sort((a, b) => a - b));
    expect(layout.width).toBe(700);
    const many = layOutLadder(Array.from({ length: 40 }, (_, at) => `h${at}`), 700, 1);
    expect(many.columnWidth).toBeGreaterThan(80);
  });

  test("zoom has bounds and small rows have no text", () => {
    expect(layOutLadder(hosts, 700, clampZoom(0)).hasText).toBe(false);
    expect(layout.hasText).toBe(true);
    expect(clampZoom(99)).toBeLessThan(10);
  });

  test("what died on the link ends between the columns", () => {
    const [arrow] = arrowsOf({ ...row, copies: [{ id: 2, node: "link/lan", fate: "dropped", reason: "LINK_LOSS" }] }, layout);
    expect(arrow).toMatchObject({ isDropped: true, reason: "LINK_LOSS", fromX: layout.x("client") });
    expect(arrow?.toX).toBeGreaterThan(layout.x("client"));
    expect(arrow?.toX).toBeLessThan(layout.x("director"));
  });

  test("long pauses are told", () => {
    expect(pauseBefore({ ...row, timeNs: 1e9 }, row)).toBe(1e9);
    expect(pauseBefore({ ...row, timeNs: 1000 }, row)).toBe(0);
    expect(pauseBefore(row, undefined)).toBe(0);
    expect([1e9, 35_000_000, 80_000, 7].map(formatDuration)).toEqual(["1 s", "35 ms", "80 µs", "7 ns"]);
  });

  test("texts are cut to their room", () => {
    expect(fitText("SYN ACK", 100, 6)).toBe("SYN ACK");
    expect(fitText("SYN ACK", 24, 6)).toBe("SYN…");
  });
});

describe("series of charts", () => {
  const server = (name: string, picks: readonly number[], weight: readonly number[]) => ({
    server: name,
    picks: Uint32Array.from(picks),
    weight: Float64Array.from(weight),
    active: new Uint32Array(picks.length),
    inactive: new Uint32Array(picks.length),
  });

  test("shares of connections and weights", () => {
    const [a, b] = sharesOf([server("a", [0, 1, 3], [3, 3, 0]), server("b", [0, 0, 1], [1, 1, 0])], 3);
    expect(a?.got).toEqual([Number.NaN, 1, 0.75]);
    expect(b?.got).toEqual([Number.NaN, 0, 0.25]);
    expect(a?.asked).toEqual([0.75, 0.75, Number.NaN]);
    expect(formatShare(0.25)).toBe("25 %");
    expect(formatShare(Number.NaN)).toBe("—");
  });

  test("no two of many servers have colour and sign in common", () => {
    const styles = Array.from({ length: 40 }, (_, at) => JSON.stringify(styleOf(at)));
    expect(new Set(styles).size).toBe(40);
  });

  test("bins and bytes", () => {
    expect([0, 50, 99, 100, 200, -5].map((timeNs) => binAt(timeNs, 0, 100, 10))).toEqual([0, 5, 9, 9, 9, 0]);
    expect([999, 1500, 2_340_000].map(formatBytes)).toEqual(["999 B", "1.5 kB", "2.34 MB"]);
  });
});
