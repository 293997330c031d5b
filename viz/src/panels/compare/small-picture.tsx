/**
 * Hosts and links of one run at an instant, small and still: for two runs beside each other.
 */

import { useMemo } from "preact/hooks";
import type { SessionInfo } from "../../engine/protocol.ts";
import type { Flight, Moment } from "../../engine/queries/moment.ts";
import { HOST_HEIGHT, HOST_WIDTH, type Layout, layOut } from "../../../../src/report/topology-layout.ts";
import { t } from "../../state/preferences.ts";
import { portOf } from "../topology/places.ts";
import { PROTOCOL_SHAPES } from "../topology/shapes.ts";

const LABEL_CHARS_MAX = 26;
const FLIGHTS_SHOWN = 3;

export function SmallPicture({ info, now, label }: { readonly info: SessionInfo; readonly now: Moment; readonly label: string }) {
  const layout = useMemo(
    () =>
      layOut({
        hosts: info.header.hosts.map(({ name, interfaces }) => ({ name, role: info.roles[name] ?? "host", links: interfaces.map(({ link }) => link) })),
        links: info.header.links,
      }),
    [info],
  );
  const down = new Set(now.down);
  const current = now.current;
  const flights = [...(current === undefined ? [] : [current]), ...now.flights.filter(({ id }) => id !== current?.id)].slice(0, FLIGHTS_SHOWN);
  return (
    <svg class="small-picture" role="img" aria-label={`${label}: ${now.record?.host ?? ""} ${now.record?.text ?? ""}`} viewBox={`0 0 ${layout.width} ${layout.height}`} preserveAspectRatio="xMidYMid meet">
      {info.header.hosts.flatMap(({ name, interfaces }) =>
        interfaces.map((one) => {
          const [from, to] = [layout.places.get(name), layout.places.get(`link/${one.link}`)];
          if (from === undefined || to === undefined) return null;
          return <line key={`${name}.${one.name}`} class={down.has(`${name}.${one.name}`) ? "down" : ""} x1={from.x} y1={from.y} x2={to.x} y2={to.y} />;
        }),
      )}
      {info.header.links.map((name) => {
        const at = layout.places.get(`link/${name}`);
        return at === undefined ? null : (
          <g key={name} transform={`translate(${at.x},${at.y})`} class="switch">
            <rect x={-34} y={-15} width={68} height={30} rx={4} />
            <text y={5}>{name}</text>
          </g>
        );
      })}
      {info.header.hosts.map(({ name }) => {
        const at = layout.places.get(name);
        return at === undefined ? null : (
          <g key={name} transform={`translate(${at.x},${at.y})`} class={`host${now.record?.host === name ? " here" : ""}`}>
            <rect x={-HOST_WIDTH / 2} y={-HOST_HEIGHT / 2} width={HOST_WIDTH} height={HOST_HEIGHT} rx={7} />
            <text y={-2}>{name}</text>
            <text class="role" y={16}>
              {t.value.topology.roles[info.roles[name] ?? "host"]}
            </text>
          </g>
        );
      })}
      {flights.map((flight, index) => (
        <Resting key={flight.id} flight={flight} layout={layout} now={now} row={index} />
      ))}
      <Dead now={now} layout={layout} />
    </svg>
  );
}

function Resting({ flight, layout, now, row }: { readonly flight: Flight; readonly layout: Layout; readonly now: Moment; readonly row: number }) {
  const isArrived = row === 0 && now.record?.kind === "frame-received";
  const at = isArrived ? portOf(layout, now.record?.host ?? "", flight.link) : layout.places.get(`link/${flight.link}`);
  if (at === undefined) return null;
  const label = flight.label.length > LABEL_CHARS_MAX ? `${flight.label.slice(0, LABEL_CHARS_MAX - 1)}…` : flight.label;
  return (
    <g transform={`translate(${at.x},${at.y + (isArrived ? 0 : 34 + row * 22)})`} class={`dot ${flight.protocol}`}>
      <path d={PROTOCOL_SHAPES[flight.protocol]} />
      <text y={isArrived ? 24 : 5} x={isArrived ? 0 : 16} class={isArrived ? "" : "beside"}>
        {label}
      </text>
    </g>
  );
}

function Dead({ now, layout }: { readonly now: Moment; readonly layout: Layout }) {
  const at = now.drop === undefined ? undefined : layout.places.get(now.drop.node);
  if (now.drop === undefined || at === undefined) return null;
  return (
    <g class="dead" transform={`translate(${at.x},${at.y + HOST_HEIGHT / 2 + 12})`}>
      <path d="M-7,-7L7,7M7,-7L-7,7" />
      <text y={22}>{now.drop.reason}</text>
    </g>
  );
}
