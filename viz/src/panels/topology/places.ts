/**
 * Where the nodes of the current session are: laid out, then as dragged. Runs of the same hosts and links share what was dragged.
 */

import { computed, signal } from "@preact/signals";
import { HOST_HEIGHT, HOST_WIDTH, type Layout, layOut, type Point } from "../../../../src/report/topology-layout.ts";
import { current } from "../../state/store.ts";

const dragged = signal<ReadonlyMap<string, ReadonlyMap<string, Point>>>(new Map());

const worldKey = computed(() => {
  const header = current.value?.info.header;
  return header === undefined ? "" : JSON.stringify([header.hosts.map(({ name, interfaces }) => [name, interfaces.map(({ link }) => link)]), header.links]);
});

const laidOut = computed<Layout>(() => {
  const info = current.value?.info;
  if (info === undefined || info.header.hosts.length === 0) return { places: new Map(), width: 400, height: 300 };
  return layOut({
    hosts: info.header.hosts.map(({ name, interfaces }) => ({ name, role: info.roles[name] ?? "host", links: interfaces.map(({ link }) => link) })),
    links: info.header.links,
  });
});

export const places = computed<Layout>(() => {
  const own = dragged.value.get(worldKey.value);
  if (own === undefined) return laidOut.value;
  return { ...laidOut.value, places: new Map([...laidOut.value.places].map(([id, point]) => [id, own.get(id) ?? point])) };
});

export const isDragged = computed(() => dragged.value.has(worldKey.value));

/** Puts a node somewhere, inside the picture. */
export function place(id: string, { x, y }: Point): void {
  const { width, height } = laidOut.value;
  const own = new Map(dragged.value.get(worldKey.value));
  own.set(id, { x: Math.min(Math.max(x, 0), width), y: Math.min(Math.max(y, 0), height) });
  dragged.value = new Map(dragged.value).set(worldKey.value, own);
}

export function resetPlaces(): void {
  const rest = new Map(dragged.value);
  rest.delete(worldKey.value);
  dragged.value = rest;
}

/** Where a frame rests at a host: on the wire, beside the host. */
export function portOf(layout: Layout, host: string, link: string): Point {
  const from = layout.places.get(host) ?? { x: 0, y: 0 };
  const to = layout.places.get(`link/${link}`) ?? from;
  const [dx, dy] = [to.x - from.x, to.y - from.y];
  const length = Math.hypot(dx, dy);
  if (length === 0) return from;
  // Out of the box of the host, and a little further.
  const reach = Math.min(length * 0.45, Math.min(HALF_WIDTH / Math.max(Math.abs(dx / length), 1e-6), HALF_HEIGHT / Math.max(Math.abs(dy / length), 1e-6)) + 14);
  return { x: from.x + (dx / length) * reach, y: from.y + (dy / length) * reach };
}

const HALF_WIDTH = HOST_WIDTH / 2;
const HALF_HEIGHT = HOST_HEIGHT / 2;
