/**
 * The hosts and links of a run as SVG, with the addresses that they have.
 */

import type { TraceHeader } from "../trace/trace-header.ts";
import type { TableRows, WorldTables } from "../trace/rows.ts";
import { type Markup, markup } from "./markup.ts";
import type { NodeRole } from "./roles.ts";
import { HOST_HEIGHT, HOST_WIDTH, type Layout, layOut, type Point } from "./topology-layout.ts";
import type { ReportWords } from "./words.ts";

/** Addresses of one host that have room in its box. */
const ADDRESSES_MAX = 2;
const SWITCH_WIDTH = 68;
const SWITCH_HEIGHT = 30;

export interface TopologyPictureInput {
  readonly header: Pick<TraceHeader, "hosts" | "links">;
  readonly roles: Readonly<Record<string, NodeRole>>;
  readonly tables: WorldTables;
  readonly words: ReportWords;
}

export function topologyPicture({ header, roles, tables, words }: TopologyPictureInput): Markup {
  const layout = layOut({
    hosts: header.hosts.map(({ name, interfaces }) => ({ name, role: roles[name] ?? "host", links: interfaces.map(({ link }) => link) })),
    links: header.links,
  });
  const names = header.hosts.map(({ name }) => `${name} (${words.roles[roles[name] ?? "host"]})`).join(", ");
  const wires = header.hosts.flatMap(({ name, interfaces }) => interfaces.map(({ name: device, link }) => wire(layout, name, device, link)));
  const switches = header.links.map((name) => switchNode(layout, name));
  const hosts = header.hosts.map(({ name }) => hostNode(layout.places.get(name), name, roles[name] ?? "host", tables[name], words));
  // A role stands above its box.
  return markup`<svg class="topology" role="img" aria-label="${words.report.topologyLabel(names)}" viewBox="0 -8 ${layout.width} ${layout.height + 12}" width="${layout.width}" height="${layout.height + 12}">${wires}${switches}${hosts}</svg>`;
}

function wire({ places }: Layout, host: string, device: string, link: string): Markup | undefined {
  const [from, to] = [places.get(host), places.get(`link/${link}`)];
  if (from === undefined || to === undefined) return undefined;
  const port = edgeOf(from, to);
  const isAbove = Math.abs(port.x - from.x) < HOST_WIDTH / 4;
  const anchor = isAbove ? "middle" : port.x < from.x ? "end" : "start";
  const [dx, dy] = isAbove ? [0, port.y > from.y ? 14 : -6] : [port.x < from.x ? -6 : 6, -5];
  return markup`<g class="wire"><line x1="${from.x}" y1="${from.y}" x2="${to.x}" y2="${to.y}"/><text x="${port.x + dx}" y="${port.y + dy}" text-anchor="${anchor}">${device}</text></g>`;
}

/** Where the line to `to` leaves the box of a host. */
function edgeOf(from: Point, to: Point): Point {
  const [dx, dy] = [to.x - from.x, to.y - from.y];
  const reach = Math.min(Math.abs(dx) < 1 ? Number.POSITIVE_INFINITY : HOST_WIDTH / 2 / Math.abs(dx), Math.abs(dy) < 1 ? Number.POSITIVE_INFINITY : HOST_HEIGHT / 2 / Math.abs(dy));
  return { x: Math.round(from.x + dx * reach), y: Math.round(from.y + dy * reach) };
}

function switchNode({ places }: Layout, name: string): Markup | undefined {
  const at = places.get(`link/${name}`);
  if (at === undefined) return undefined;
  return markup`<g class="switch"><rect x="${at.x - SWITCH_WIDTH / 2}" y="${at.y - SWITCH_HEIGHT / 2}" width="${SWITCH_WIDTH}" height="${SWITCH_HEIGHT}" rx="4"/><text x="${at.x}" y="${at.y + 4}">${name}</text></g>`;
}

function hostNode(at: Point | undefined, name: string, role: NodeRole, tables: TableRows | undefined, words: ReportWords): Markup | undefined {
  if (at === undefined) return undefined;
  const addresses = addressesOf(tables);
  const shown = addresses.slice(0, ADDRESSES_MAX);
  const top = at.y - HOST_HEIGHT / 2;
  const lines = shown.map(({ text, isHidden }, line) => {
    const more = line === shown.length - 1 && addresses.length > shown.length ? ` +${addresses.length - shown.length}` : "";
    return markup`<text class="address${isHidden ? " on-lo" : ""}" x="${at.x}" y="${top + 36 + line * 14}">${isHidden ? `(${text} lo)` : text}${more}</text>`;
  });
  return markup`<g class="host ${role}"><rect x="${at.x - HOST_WIDTH / 2}" y="${top}" width="${HOST_WIDTH}" height="${HOST_HEIGHT}" rx="7"/><text class="role" x="${at.x}" y="${top - 5}">${words.roles[role]}</text><text class="name" x="${at.x}" y="${top + 18}">${name}</text>${lines}</g>`;
}

function addressesOf(tables: TableRows | undefined): readonly { readonly text: string; readonly isHidden: boolean }[] {
  return Object.values(tables?.addresses ?? {})
    .filter(({ address }) => !address.startsWith("127."))
    .map(({ address, prefixLength, device }) => ({ text: device === "lo" ? address : `${address}/${prefixLength}`, isHidden: device === "lo" }))
    .sort((a, b) => Number(b.isHidden) - Number(a.isHidden));
}
