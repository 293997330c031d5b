/**
 * What the inspector, the tables, the ladder and the charts ask of the worker.
 */

import { readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { schedulings, serviceCharts, traffic } from "../../../viz/src/engine/queries/charts.ts";
import { hostTables } from "../../../viz/src/engine/queries/host-tables.ts";
import { inspect } from "../../../viz/src/engine/queries/inspect.ts";
import { ladder, ladderIndex } from "../../../viz/src/engine/queries/ladder.ts";
import { rowLinks } from "../../../viz/src/engine/queries/row-links.ts";
import { checkFilter } from "../../../viz/src/engine/queries/navigate.ts";
import { tables } from "../../../viz/src/engine/queries/state.ts";
import { records } from "../../../viz/src/engine/queries/window.ts";
import { openSession, type Session } from "../../../viz/src/engine/session.ts";

const DR = "documents/dr-192.168.247.yaml";
const NAT = "documents/nat-10.168.yaml";
const ALL = { offset: 0, length: 500 };

function open(name: string, change: (text: string) => string = (text) => text): Promise<Session> {
  const text = change(readFileSync(join(import.meta.dirname, "../../../scenarios", name), "utf8"));
  return openSession(1, { kind: "scenario", file: name, text, seed: undefined, inputs: [] }, { onProgress: () => undefined, pause: async () => false });
}

function first(session: Session, filter: string): number {
  expect(checkFilter(session, { filter })).toMatchObject({ problem: undefined });
  const id = records(session, { filter, offset: 0, length: 1 }).records[0]?.id;
  expect(id).toBeDefined();
  return id ?? 0;
}

const tablesAt = (session: Session, id: number, previous: number, owner: string, hasAllSettings = false) => hostTables(session, { id, previous, owner, hasAllSettings });

describe("tables of a host", () => {
  test("say what the last step changed, forth and back", async () => {
    const session = await open(DR);
    const learned = first(session, 'kind == neighbour && host == node01 && text contains "192.168.247.136" && text contains REACHABLE');
    const row = (id: number, previous: number) => tablesAt(session, id, previous, "node01")?.tables.find(({ name }) => name === "neighbours")?.rows.find(({ key }) => key.endsWith(" 192.168.247.136"));
    const [before, after] = [learned - 5, learned + 2];
    expect(row(after, before)).toMatchObject({ change: "changed", row: { state: "REACHABLE", mac: "02:00:00:00:00:04" }, before: { state: "INCOMPLETE", mac: null } });
    expect(row(before, after)).toMatchObject({ change: "changed", row: { state: "INCOMPLETE" }, before: { state: "REACHABLE" } });
    expect(row(after, after)?.change).toBeUndefined();
    expect(row(after, 0)?.change).toBeUndefined();
  });

  test("rows that came and went", async () => {
    const session = await open(DR);
    const scheduled = first(session, "kind == scheduled");
    const connections = (id: number, previous: number) => tablesAt(session, id, previous, "node01")?.tables.find(({ name }) => name === "ipvsConnections")?.rows.map(({ change }) => change);
    expect(connections(scheduled + 20, scheduled - 1)).toEqual(["new"]);
    expect(connections(scheduled - 1, scheduled + 20)).toEqual(["gone"]);
    const elsewhere = tablesAt(session, scheduled + 20, scheduled - 1, "node02")?.elsewhere;
    expect(elsewhere?.find(({ owner }) => owner === "node01")?.tables).toContain("ipvsConnections");
  });

  test("a row before others leaves those as they were", async () => {
    const session = await open(DR, (text) => text.replace(/timeline:[\s\S]*/, 'timeline:\n  - { at: 1s, host: node04, run: "ip route add 10.9.0.0/16 via 192.168.247.134" }\n'));
    const added = first(session, 'kind == table && host == node04 && text contains "10.9.0.0"');
    const rows = tablesAt(session, session.info.recordCount, added - 1, "node04")?.tables.find(({ name }) => name === "routes")?.rows ?? [];
    expect(rows.filter(({ change }) => change !== undefined).map(({ row, change }) => `${row.destination} ${change}`)).toEqual(["10.9.0.0/16 new"]);
  });

  test("a neighbour is learned from the frame that brought it", async () => {
    const session = await open(DR);
    const end = session.info.recordCount;
    const learned = Object.values(tablesAt(session, end, 0, "node01")?.learned ?? {}).map(({ kind, host, text }) => `${kind} ${host} ${text}`);
    expect(learned).toContain("frame-received node01 ARP 192.168.247.136 is-at 02:00:00:00:00:04");
    // The director never asked for the client: it learned from the client's own question.
    expect(learned).toContain("frame-received node01 ARP who-has 192.168.247.100 tell 192.168.247.137");
  });

  test("settings in force are those of all and the device together", async () => {
    const session = await open(DR);
    const end = session.info.recordCount;
    const of = (host: string, name: string, device: string) => tablesAt(session, end, 0, host)?.inForce.find((one) => one.name === name && one.device === device);
    expect(of("node02", "arp_ignore", "lo")).toMatchObject({ all: "1", own: "0", inForce: "1", combination: "max", isDefault: false });
    expect(of("node01", "arp_ignore", "ens33")).toMatchObject({ all: "0", own: "0", inForce: "0", isDefault: true });
    const nat = await open(NAT);
    expect(tablesAt(nat, nat.info.recordCount, 0, "dr")?.settings.find(({ key }) => key === "net.ipv4.ip_forward")).toMatchObject({ value: "1", isDefault: false });
    expect(tablesAt(session, end, 0, "node02", true)?.inForce.length).toBeGreaterThan(60);
  });

  test("a switch has a MAC table", async () => {
    const session = await open(DR);
    const view = tablesAt(session, session.info.recordCount, 0, "link/lan");
    expect(view?.tables.find(({ name }) => name === "macs")?.rows.map(({ row }) => row.port).sort()).toEqual(["node01.ens33", "node02.ens33", "node03.ens33", "node04.ens33"]);
    expect(tablesAt(session, 300, 0, "nobody")).toBeUndefined();
  });
});

describe("rows that decided", () => {
  const behind = (session: Session, id: number) => {
    const inspection = inspect(session, { id });
    return rowLinks(session, { id, records: [...(inspection?.decisions.map((one) => one.id) ?? []), id] });
  };

  test("a DR director's frame: route, service, server, connection, ARP entry, switch port", async () => {
    const session = await open(DR);
    const id = first(session, "host == node01 && kind == frame-sent && tcp.flags.syn");
    const links = behind(session, id);
    const said = links.map(({ owner, table, text }) => `${owner} ${table} ${text}`);
    expect(said).toContain("node01 routes local 192.168.247.100 dev ens33 src 192.168.247.134");
    expect(said).toContain("node01 ipvsServices TCP 192.168.247.100:80 rr");
    expect(said).toContain("node01 neighbours 192.168.247.136 dev ens33 lladdr 02:00:00:00:00:04 REACHABLE");
    expect(said).toContain("link/lan macs 02:00:00:00:00:04 port node03.ens33");
    expect(links.map(({ table }) => table)).toContain("ipvsConnections");
    // Each can be found in its table.
    for (const { owner, table, key } of links) expect(tables(session, { id, owner, rowsMax: 5000 })?.[table]?.rows.map(([one]) => one)).toContain(key);
  });

  test("silence about the VIP: the settings that say so", async () => {
    const session = await open(DR);
    const id = first(session, 'kind == arp-decision && host == node02 && text contains "stays silent" && text contains arp_ignore');
    expect(behind(session, id).map(({ text }) => text)).toContain("net.ipv4.conf.all.arp_ignore = 1");
  });

  test("a rule of netfilter", async () => {
    const session = await open("documents/dr-192.168.247-firewall.yaml");
    const id = first(session, "kind == netfilter");
    expect(behind(session, id).map(({ table }) => table)).toContain("netfilter");
  });
});

describe("ladder", () => {
  test("a frame is one row with all its copies; the position finds it from either end", async () => {
    const session = await open(DR);
    const { rows, total } = ladder(session, { filter: "kind == frame-sent && arp", ...ALL });
    expect(total).toBe(rows.length);
    expect(total).toBe(checkFilter(session, { filter: "kind == frame-sent && arp" }).count);
    const [ask] = rows;
    expect(ask?.copies.map(({ node }) => node).sort()).toEqual(["node01", "node02", "node03"]);
    for (const copy of ask?.copies ?? []) expect(ladderIndex(session, { filter: "kind == frame-sent && arp", id: copy.id })).toBe(0);
    expect(ladderIndex(session, { filter: "arp", id: 0 })).toBe(-1);
  });

  test("a frame is shown when it matches where it arrives", async () => {
    const session = await open(DR);
    const { rows } = ladder(session, { filter: "host == node03 && tcp.flags.syn && kind == frame-received", ...ALL });
    expect(rows.length).toBeGreaterThan(0);
    expect(rows.every(({ host, kind }) => host === "node01" && kind === "frame-sent")).toBe(true);
    expect(rows[0]?.changes.map(({ field }) => field)).toContain("eth.dst");
    expect(rows[0]?.ends).toBe(".247.137 → .247.100");
  });

  test("windows, and filters that are wrong", async () => {
    const session = await open(NAT);
    const whole = ladder(session, { filter: "", ...ALL });
    expect(ladder(session, { filter: "", offset: 7, length: 5 })).toEqual({ rows: whole.rows.slice(7, 12), offset: 7, total: whole.total });
    expect(ladder(session, { filter: "no such", ...ALL })).toEqual({ rows: [], offset: 0, total: 0 });
  });
});

describe("charts", () => {
  test("picks of every server add up to the decisions; weights and connections are those of the tables", async () => {
    const session = await open(DR);
    const { services, bins } = serviceCharts(session, { bins: 50 });
    expect(bins).toBe(50);
    expect(services.map(({ host, service, scheduler }) => `${host} ${service} ${scheduler}`)).toEqual(["node01 TCP 192.168.247.100:80 rr"]);
    const servers = services[0]?.servers ?? [];
    const { rows, total } = schedulings(session, { id: session.info.recordCount, length: 60 });
    expect(servers.reduce((sum, { picks }) => sum + (picks[49] ?? 0), 0)).toBe(total);
    expect(rows.length).toBe(total);
    for (const server of servers) {
      expect(server.picks[49]).toBe(rows.filter(({ chosen }) => chosen === server.server).length);
      const row = tables(session, { id: session.info.recordCount, owner: "node01" })?.ipvsDestinations?.rows.find(([, { address, port }]) => `${address}:${port}` === server.server)?.[1];
      expect(server.weight[49]).toBe(row?.weight);
      expect(server.inactive[49]).toBe(row?.inactConns);
      expect(Math.max(...server.active)).toBeGreaterThan(0);
    }
  });

  test("decisions around the position name what was compared", async () => {
    const session = await open(NAT);
    const { rows, total } = schedulings(session, { id: 0, length: 2 });
    expect(total).toBeGreaterThan(2);
    expect(rows.length).toBe(2);
    expect(rows[0]?.candidates.filter(({ isChosen }) => isChosen).map(({ server }) => server)).toEqual([rows[0]?.chosen]);
  });

  test("answers pass a director in NAT and spare it in DR", async () => {
    const carried = async (name: string, host: string) => {
      const session = await open(name);
      expect(traffic(session, { id: 0 }).every(({ bytesIn, bytesOut }) => bytesIn === 0 && bytesOut === 0)).toBe(true);
      const all = traffic(session, { id: session.info.recordCount });
      const sent = (role: string) => all.filter((one) => one.role === role).reduce((sum, { bytesOut }) => sum + bytesOut, 0);
      const director = all.filter((one) => one.host === host).reduce((sum, { bytesOut }) => sum + bytesOut, 0);
      return director / sent("server");
    };
    expect(await carried(NAT, "dr")).toBeGreaterThan(1);
    expect(await carried(DR, "node01")).toBeLessThan(1);
  });

  test("what was sent on a link was counted once", async () => {
    const session = await open(DR);
    const sent = traffic(session, { id: session.info.recordCount }).reduce((sum, { framesOut }) => sum + framesOut, 0);
    expect(sent).toBe(checkFilter(session, { filter: "kind == frame-sent && time >= 0" }).count);
  });
});
