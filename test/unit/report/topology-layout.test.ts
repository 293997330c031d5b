/**
 * The layout of the topology: readable without placing anything by hand.
 */

import { expect, test } from "vitest";
import { HOST_HEIGHT, HOST_WIDTH, type LayoutHost, layOut } from "../../../src/report/topology-layout.ts";

const host = (name: string, role: LayoutHost["role"], ...links: string[]): LayoutHost => ({ name, role, links });
const servers = (count: number, link: string) => Array.from({ length: count }, (_, i) => host(`rs${i + 1}`, "server", link));

const WORLDS = [
  { name: "DR on one LAN", links: ["lan"], hosts: [host("client", "client", "lan"), host("director", "director", "lan"), ...servers(2, "lan")] },
  { name: "NAT", links: ["out", "in"], hosts: [host("client", "client", "out"), host("director", "director", "out", "in"), ...servers(3, "in")] },
  { name: "TUN behind a router", links: ["front", "back"], hosts: [host("client", "client", "front"), host("router", "router", "front", "back"), host("dr", "director", "front"), ...servers(2, "back")] },
  { name: "two directors, two clients", links: ["lan"], hosts: [host("c1", "client", "lan"), host("c2", "client", "lan"), host("d1", "director", "lan"), host("d2", "director", "lan"), ...servers(4, "lan")] },
  { name: "fifty servers", links: ["out", "in"], hosts: [host("client", "client", "out"), host("director", "director", "out", "in"), ...servers(50, "in")] },
  { name: "one host", links: ["lan"], hosts: [host("a", "host", "lan")] },
  { name: "no client, an island", links: ["a", "b"], hosts: [host("x", "host", "a"), host("y", "host", "a"), host("z", "host", "b")] },
  { name: "a host without a link", links: [], hosts: [host("alone", "host")] },
];

test.each(WORLDS)("$name: nothing overlaps, everything is inside, twice the same", (world) => {
  const layout = layOut(world);
  const boxes = [...layout.places];
  expect(boxes.length).toBe(world.hosts.length + world.links.length);
  for (const [id, { x, y }] of boxes) {
    expect(x - HOST_WIDTH / 2, id).toBeGreaterThanOrEqual(0);
    expect(x + HOST_WIDTH / 2, id).toBeLessThanOrEqual(layout.width);
    expect(y - HOST_HEIGHT / 2, id).toBeGreaterThanOrEqual(0);
    expect(y + HOST_HEIGHT / 2, id).toBeLessThanOrEqual(layout.height);
  }
  for (const [at, [a, one]] of boxes.entries())
    for (const [b, other] of boxes.slice(at + 1)) expect(Math.abs(one.x - other.x) >= HOST_WIDTH || Math.abs(one.y - other.y) >= HOST_HEIGHT, `${a} and ${b}`).toBe(true);
  expect(layOut(world)).toEqual(layout);
});

test("clients are left of their switch, servers right of it, a director with one link above it", () => {
  const { places } = layOut(WORLDS[0] as (typeof WORLDS)[0]);
  const at = (id: string) => places.get(id) ?? { x: Number.NaN, y: Number.NaN };
  expect(at("client").x).toBeLessThan(at("link/lan").x);
  expect(at("rs1").x).toBeGreaterThan(at("link/lan").x);
  expect(at("director").x).toBe(at("link/lan").x);
  expect(at("director").y).toBeLessThan(at("link/lan").y);
});

test("a NAT director is between the two networks", () => {
  const { places } = layOut(WORLDS[1] as (typeof WORLDS)[1]);
  const order = ["client", "link/out", "director", "link/in", "rs1"].map((id) => places.get(id)?.x ?? Number.NaN);
  expect(order).toEqual([...order].sort((a, b) => a - b));
});
