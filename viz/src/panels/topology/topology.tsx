/**
 * Hosts, switches and links, and the frames between them.
 */

import { useEffect, useLayoutEffect, useRef } from "preact/hooks";
import type { HostAddress } from "../../engine/queries/hosts.ts";
import type { Flight, Moment } from "../../engine/queries/moment.ts";
import { HOST_HEIGHT, HOST_WIDTH, type Layout, type Point } from "../../../../src/report/topology-layout.ts";
import { isPlaying, pace, pause } from "../../state/playback.ts";
import { isMotionReduced, t } from "../../state/preferences.ts";
import { useQuery } from "../../state/query.ts";
import { current, goTo, moment, selection } from "../../state/store.ts";
import { FrameCardView } from "./frame-card.tsx";
import { durationOf, playMotions, stopMotions } from "./motion-layer.ts";
import { isDragged, place, places, portOf, resetPlaces } from "./places.ts";
import { PROTOCOL_NAMES, PROTOCOL_SHAPES } from "./shapes.ts";
import { isZoomed, onPointerDown, onWheel, showAll, viewBox, zoomBy } from "./viewport.ts";
import { showPanel } from "../../app/panel-area.tsx";
import type { ShownFinding } from "../../engine/queries/why.ts";
import { foundByNow } from "../doctor/found.ts";
import "./topology.css";

const STEP_MS = 900;
const SHARE_OF_DELAY = 0.85;
const ADDRESSES_SHOWN = 2;
const ZOOM_STEP = 1.5;
/** With more hosts, interfaces have no names in the picture. */
const CROWD = 14;
const DROP_CHAR_WIDTH = 7;
/** Of frames that wait, below the middle of their switch. */
const FIRST_DOT = 34;
const DOT_STEP = 22;
const WAITING_MAX = 3;
const NO_ADDRESSES: readonly HostAddress[] = [];
const NO_FINDINGS: readonly ShownFinding[] = [];

export function Panel() {
  const s = t.value.topology;
  const session = current.value;
  const now = moment.value;
  const layer = useRef<SVGGElement>(null);
  const layout = places.value;
  const addresses = useQuery("hostAddresses", now === undefined ? undefined : { since: now.addressesSince });
  const restDelay = useMotions(layer, now, layout);
  if (session === undefined || now === undefined) return null;
  const { header, roles } = session.info;
  const down = new Set(now.down);
  return (
    <div class="topology">
      {/* biome-ignore lint/a11y/noSvgWithoutTitle: the label says it */}
      <svg role="group" aria-label={s.label} viewBox={viewBox.value} preserveAspectRatio="xMidYMid meet" onWheel={onWheel} onPointerDown={onPointerDown} class={header.hosts.length > CROWD ? "crowd" : ""}>
        <g class="wires">
          {header.hosts.flatMap(({ name, interfaces }) =>
            interfaces.map((one) => {
              const key = `${name}.${one.name}`;
              return <Wire key={key} host={name} device={one.name} link={one.link} layout={layout} isDown={down.has(key)} isBusy={carriesFrame(now, name, one.link)} />;
            }),
          )}
        </g>
        {header.links.map((name) => (
          <SwitchNode key={name} name={name} layout={layout} isFocus={now.focus.includes(name)} />
        ))}
        {header.hosts.map(({ name }) => (
          <HostNode
            key={name}
            name={name}
            role={roles[name] ?? "host"}
            layout={layout}
            addresses={addresses.value?.hosts[name] ?? NO_ADDRESSES}
            isFocus={now.focus.includes(name)}
            isRecordHost={now.record?.host === name}
          />
        ))}
        <Resting now={now} layout={layout} delayMs={restDelay} />
        <g ref={layer} class="motions" aria-hidden="true" />
      </svg>
      <FrameCardView />
      <Legend />
      <div class="view">
        {isDragged.value ? (
          <button type="button" onClick={resetPlaces}>
            {s.reset}
          </button>
        ) : null}
        <button type="button" class="icon" aria-label={s.zoomIn} title={s.zoomIn} onClick={() => zoomBy(ZOOM_STEP)}>
          +
        </button>
        <button type="button" class="icon" aria-label={s.zoomOut} title={s.zoomOut} disabled={!isZoomed.value} onClick={() => zoomBy(1 / ZOOM_STEP)}>
          −
        </button>
        <button type="button" class="icon" aria-label={s.showAll} title={s.showAll} disabled={!isZoomed.value} onClick={showAll}>
          ⤢
        </button>
      </div>
    </div>
  );
}

/** Plays what moved since the position before; returns the time after which frames rest. */
function useMotions(layer: { readonly current: SVGGElement | null }, now: Moment | undefined, layout: Layout): number {
  const shown = useRef<Moment | undefined>(undefined);
  const { value } = pace;
  const isScaled = isPlaying.value && value.type === "scale";
  const budget = isPlaying.value && value.type === "event" ? value.delayMs * SHARE_OF_DELAY : STEP_MS;
  useLayoutEffect(() => {
    if (layer.current === null || now === undefined || now === shown.current) return;
    shown.current = now;
    if (isMotionReduced.value) return;
    if (!isScaled) stopMotions(layer.current);
    playMotions(layer.current, now.motions, layout, budget);
  });
  return isScaled || isMotionReduced.value || now === undefined ? 0 : durationOf(now.motions, budget);
}

interface WireProps {
  readonly host: string;
  readonly device: string;
  readonly link: string;
  readonly layout: Layout;
  readonly isDown: boolean;
  readonly isBusy: boolean;
}

/** A frame is on this host's cable, or the record in view is about one that was. */
function carriesFrame({ flights, current: shown }: Moment, host: string, link: string): boolean {
  const carries = (flight: Flight) => flight.link === link && (flight.from === host || flight.copies.some(({ node, fate }) => node === host && fate !== "passed"));
  return flights.some(carries) || (shown !== undefined && carries(shown));
}

function Wire({ host, device, link, layout, isDown, isBusy }: WireProps) {
  const from = layout.places.get(host);
  const to = layout.places.get(`link/${link}`);
  if (from === undefined || to === undefined) return null;
  const port = portOf(layout, host, link);
  const middle = { x: (from.x + to.x) / 2, y: (from.y + to.y) / 2 };
  return (
    <g class={`wire${isDown ? " down" : ""}${isBusy ? " busy" : ""}`}>
      <line x1={from.x} y1={from.y} x2={to.x} y2={to.y} />
      <text class={`device ${Math.abs(port.x - from.x) < HOST_WIDTH / 4 ? "middle" : port.x < from.x ? "left" : "right"}`} x={port.x} y={port.y - 6}>
        {device}
      </text>
      {isDown ? (
        <g transform={`translate(${middle.x},${middle.y})`}>
          <path d="M-6,-6L6,6M6,-6L-6,6" />
          <text y={-10}>{t.value.topology.down}</text>
        </g>
      ) : null}
    </g>
  );
}

function SwitchNode({ name, layout, isFocus }: { readonly name: string; readonly layout: Layout; readonly isFocus: boolean }) {
  const id = `link/${name}`;
  const at = layout.places.get(id);
  const node = useNode(id);
  if (at === undefined) return null;
  return (
    <g
      {...node}
      class={`node switch${isFocus ? " focus" : ""}${selection.value.node === id ? " selected" : ""}`}
      transform={`translate(${at.x},${at.y})`}
      aria-label={t.value.topology.link(name)}
      aria-pressed={selection.value.node === id}
    >
      <rect x={-34} y={-15} width={68} height={30} rx={4} />
      <path class="ports" d="M-24,6h6v5h-6zM-13,6h6v5h-6zM-2,6h6v5h-6zM9,6h6v5h-6z" />
      <text y={1}>{name}</text>
    </g>
  );
}

interface HostNodeProps {
  readonly name: string;
  readonly role: "client" | "director" | "server" | "router" | "host";
  readonly layout: Layout;
  readonly addresses: readonly HostAddress[];
  readonly isFocus: boolean;
  readonly isRecordHost: boolean;
}

function HostNode({ name, role, layout, addresses, isFocus, isRecordHost }: HostNodeProps) {
  const s = t.value.topology;
  const at = layout.places.get(name);
  const node = useNode(name);
  if (at === undefined) return null;
  const shown = addresses.slice(0, ADDRESSES_SHOWN + (addresses.length === ADDRESSES_SHOWN + 1 ? 1 : 0));
  const rest = addresses.length - shown.length;
  const findings = foundByNow.value.get(name) ?? NO_FINDINGS;
  const spoken = [s.host(name, s.roles[role]), ...addresses.map(({ address }) => address), ...findings.map(({ title }) => t.value.doctor.badge(title))].join(", ");
  return (
    <g
      {...node}
      class={`node host ${role}${isFocus ? " focus" : ""}${isRecordHost ? " here" : ""}${selection.value.node === name ? " selected" : ""}`}
      transform={`translate(${at.x},${at.y})`}
      aria-label={spoken}
      aria-pressed={selection.value.node === name}
    >
      <title>{addresses.map(({ device, address, isHidden }) => `${device} ${address}${isHidden ? ` (${s.hidden})` : ""}`).join("\n")}</title>
      <rect x={-HOST_WIDTH / 2} y={-HOST_HEIGHT / 2} width={HOST_WIDTH} height={HOST_HEIGHT} rx={7} />
      <text class="name" y={-HOST_HEIGHT / 2 + 18}>
        {name}
      </text>
      <text class="role" y={-HOST_HEIGHT / 2 - 5}>
        {s.roles[role]}
      </text>
      {shown.map(({ address, label, isHidden }, index) => (
        <text key={`${label} ${address}`} class={`address${isHidden ? " hidden-vip" : ""}`} y={-HOST_HEIGHT / 2 + 34 + index * 13}>
          {isHidden ? `(${address.replace(/\/32$/, "")} lo)` : address}
          {index === shown.length - 1 && rest > 0 ? ` +${rest}` : ""}
        </text>
      ))}
      {findings.length === 0 ? null : <FindingMark findings={findings} />}
    </g>
  );
}

/** What the doctor finds at a host, at the corner of its box, from the record on that shows it. */
function FindingMark({ findings }: { readonly findings: readonly ShownFinding[] }) {
  return (
    // biome-ignore lint/a11y/useKeyWithClickEvents lint/a11y/noStaticElementInteractions: the doctor's tab leads to the same
    <g class="finding-mark" transform={`translate(${HOST_WIDTH / 2 - 4},${-HOST_HEIGHT / 2})`} onPointerDown={(event) => event.stopPropagation()} onClick={() => showPanel("doctor")}>
      <title>{findings.map(({ title }) => title).join("\n")}</title>
      <path d="M0,-12L13,10H-13Z" />
      <text y={7}>{findings.length === 1 ? "!" : findings.length}</text>
    </g>
  );
}

/** What every node can do: be dragged, selected with the pointer or the keyboard. */
function useNode(id: string) {
  const press = useRef<{ readonly x: number; readonly y: number; readonly from: Point; hasMoved: boolean } | undefined>(undefined);
  const toggle = () => {
    selection.value = { node: selection.value.node === id ? "" : id };
  };
  return {
    role: "button" as const,
    tabIndex: 0,
    "data-node": id,
    onPointerDown: (event: PointerEvent) => {
      const from = places.value.places.get(id);
      if (from === undefined || event.button !== 0) return;
      (event.currentTarget as Element).setPointerCapture(event.pointerId);
      press.current = { x: event.clientX, y: event.clientY, from, hasMoved: false };
    },
    onPointerMove: (event: PointerEvent) => {
      const start = press.current;
      const matrix = (event.currentTarget as SVGGElement).ownerSVGElement?.getScreenCTM();
      if (start === undefined || matrix === null || matrix === undefined) return;
      const [dx, dy] = [(event.clientX - start.x) / matrix.a, (event.clientY - start.y) / matrix.d];
      if (!start.hasMoved && Math.hypot(dx, dy) < 4) return;
      start.hasMoved = true;
      place(id, { x: start.from.x + dx, y: start.from.y + dy });
    },
    onPointerUp: () => {
      if (press.current?.hasMoved === false) toggle();
      press.current = undefined;
    },
    onKeyDown: (event: KeyboardEvent) => {
      if (event.key !== "Enter" && event.key !== " ") return;
      event.preventDefault();
      event.stopPropagation();
      toggle();
    },
  };
}

/** Frames that rest at this position: on their way at a switch, just arrived at a host, dead where they died. */
function Resting({ now, layout, delayMs }: { readonly now: Moment; readonly layout: Layout; readonly delayMs: number }) {
  const group = useRef<SVGGElement>(null);
  useEffect(() => {
    const element = group.current;
    if (element === null || delayMs <= 0) return;
    const animation = element.animate([{ opacity: 0 }, { opacity: 0, offset: 0.99 }, { opacity: 1 }], { duration: delayMs });
    return () => animation.cancel();
  }, [now, delayMs]);
  const arrived = now.record?.kind === "frame-received" ? now.current : undefined;
  const arrivalHost = now.record?.host ?? "";
  const arrivalAt = portOf(layout, arrivalHost, arrived?.link ?? "");
  const waiting = now.flights.filter(({ id, copies }) => id !== now.current?.id && copies.some(({ fate }) => fate === "coming"));
  const isWaiting = now.current?.copies.some(({ fate }) => fate === "coming") === true;
  const middle = layout.places.get(`link/${now.current?.link ?? ""}`);
  return (
    <g class="resting">
      <Waiting flights={waiting} layout={layout} link={isWaiting ? (now.current?.link ?? "") : ""} />
      <g ref={group}>
        {now.current !== undefined && isWaiting && middle !== undefined ? <Dot flight={now.current} at={{ x: middle.x, y: middle.y + FIRST_DOT }} isCurrent={arrived === undefined} /> : null}
        {arrived === undefined ? null : <Dot flight={arrived} at={arrivalAt} isCurrent isLeft={arrivalAt.x < (layout.places.get(arrivalHost)?.x ?? 0) - HOST_WIDTH / 4} />}
        <Drop now={now} layout={layout} />
      </g>
    </g>
  );
}

interface WaitingProps {
  readonly flights: readonly Flight[];
  readonly layout: Layout;
  /** Link at which the frame of the record in view has the first place. */
  readonly link: string;
}

/** Other frames on their way, below their switches; the newest of many. */
function Waiting({ flights, layout, link }: WaitingProps) {
  const links = [...new Set(flights.map((flight) => flight.link))];
  return (
    <>
      {links.map((name) => {
        const at = layout.places.get(`link/${name}`);
        if (at === undefined) return null;
        const here = flights.filter((flight) => flight.link === name).reverse();
        const top = at.y + FIRST_DOT + (name === link ? FIRST_DOT : 0);
        return (
          <g key={name}>
            {here.slice(0, WAITING_MAX).map((flight, index) => (
              <Dot key={flight.id} flight={flight} at={{ x: at.x, y: top + DOT_STEP * index }} isCurrent={false} />
            ))}
            {here.length > WAITING_MAX ? <text x={at.x} y={top + DOT_STEP * WAITING_MAX}>{`+${here.length - WAITING_MAX}`}</text> : null}
          </g>
        );
      })}
    </>
  );
}

interface DotProps {
  readonly flight: Flight;
  readonly at: Point;
  readonly isCurrent: boolean;
  /** Words to the left: a host is to the right. */
  readonly isLeft?: boolean;
}

function Dot({ flight, at, isCurrent, isLeft = false }: DotProps) {
  return (
    // biome-ignore lint/a11y/useKeyWithClickEvents lint/a11y/noStaticElementInteractions: the records list and the arrow keys lead to the same frame
    <g
      class={`dot ${flight.protocol}${isCurrent ? " current" : ""}`}
      transform={`translate(${at.x},${at.y})`}
      onClick={() => {
        pause();
        void goTo(flight.id);
      }}
    >
      <path d={PROTOCOL_SHAPES[flight.protocol]} />
      <text x={isLeft ? -17 : 17} y={5} class={`${isLeft ? "before" : "beside"}${isCurrent ? "" : " small"}`}>
        {flight.label}
      </text>
      {isCurrent ? <Changes isLeft={isLeft} /> : null}
    </g>
  );
}

const FIELD_WORDS: Readonly<Record<string, string>> = { "eth.dst": "MAC", "ip.src": "src", "ip.dst": "dst", ipip: "IPIP", gre: "GRE", gue: "GUE" };

/** What this hop changed, beside the frame: `▲ MAC → rs1.eth0`. */
function Changes({ isLeft }: { readonly isLeft: boolean }) {
  const changes = (moment.value?.card?.changes ?? []).filter(({ field }) => field in FIELD_WORDS);
  return (
    <>
      {changes.map(({ field, after, before }, index) => (
        <text key={field} class={`${isLeft ? "before" : "beside"} small changed`} x={isLeft ? -17 : 17} y={20 + index * 14}>
          {after === "" ? `− ${FIELD_WORDS[field]} ${before}` : before === "" ? `+ ${FIELD_WORDS[field]} ${after}` : `▲ ${FIELD_WORDS[field]} → ${after}`}
        </text>
      ))}
    </>
  );
}

/** A label at the foot of the host or switch where the packet died. */
function Drop({ now: { drop }, layout }: { readonly now: Moment; readonly layout: Layout }) {
  const at = drop === undefined ? undefined : layout.places.get(drop.node);
  if (drop === undefined || at === undefined) return null;
  const text = `${drop.reason} [${drop.label}]`;
  const width = text.length * DROP_CHAR_WIDTH + 30;
  return (
    <g class="drop" transform={`translate(${at.x},${at.y + (drop.node.startsWith("link/") ? 26 : HOST_HEIGHT / 2 + 4)})`} aria-label={`${t.value.topology.dropped}: ${text}`}>
      <rect x={-width / 2} y={-11} width={width} height={22} rx={4} />
      <path d={`M${-width / 2 + 7},-5l10,10m0,-10l-10,10`} />
      <text x={10} y={4}>
        {text}
      </text>
    </g>
  );
}

function Legend() {
  const s = t.value.topology;
  const shown = ["arp", "tcp", "udp", "icmp", "tunnel", "vrrp"] as const;
  return (
    <ul class="legend" aria-label={s.legend}>
      {shown.map((protocol) => (
        <li key={protocol}>
          <svg viewBox="-13 -12 26 24" width="15" height="14" aria-hidden="true" class={`dot ${protocol}`}>
            <path d={PROTOCOL_SHAPES[protocol]} />
          </svg>
          {protocol === "tunnel" ? s.legendTunnel : PROTOCOL_NAMES[protocol]}
        </li>
      ))}
    </ul>
  );
}
