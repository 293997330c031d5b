/**
 * Bytes in and out of each interface as bars, with figures beside them; sums of each link below.
 */

import type { InterfaceTraffic } from "../../engine/queries/charts.ts";
import { t } from "../../state/preferences.ts";
import { current } from "../../state/store.ts";
import { orderHosts } from "../ladder/ladder-layout.ts";

export interface TrafficChartProps {
  /** Empty when there is one run only. */
  readonly title: string;
  readonly rows: readonly InterfaceTraffic[];
  /** Bytes of the longest bar. */
  readonly most: number;
  format(bytes: number): string;
}

export function TrafficChart({ title, rows, most, format }: TrafficChartProps) {
  const s = t.value.charts;
  const words = t.value.topology.roles;
  const order = orderHosts([...new Set(rows.map(({ host }) => host))], current.value?.info.roles ?? {});
  const sorted = [...rows].sort((a, b) => order.indexOf(a.host) - order.indexOf(b.host));
  const links = [...new Set(rows.map(({ link }) => link))].map((link) => {
    const of = rows.filter((row) => row.link === link);
    return { link, frames: of.reduce((sum, { framesOut }) => sum + framesOut, 0), bytes: of.reduce((sum, { bytesOut }) => sum + bytesOut, 0) };
  });
  const carried = carriedByDirectors(rows);
  return (
    <table class="bars">
      {title === "" ? null : <caption>{title}</caption>}
      <tbody>
        {sorted.map((row) => (
          <tr key={`${row.host} ${row.device}`} class={row.role}>
            <th scope="row">
              <strong>
                {row.host}:{row.device}
              </strong>
              <div class="muted small">
                {words[row.role]} · {row.link}
              </div>
            </th>
            <td>
              <Bar direction="in" name={s.in} bytes={row.bytesIn} frames={row.framesIn} most={most} text={format(row.bytesIn)} />
              <Bar direction="out" name={s.out} bytes={row.bytesOut} frames={row.framesOut} most={most} text={format(row.bytesOut)} />
            </td>
          </tr>
        ))}
        {carried === undefined ? null : (
          <tr class="director">
            <th scope="row">{s.carried}</th>
            <td>
              <strong>{carried.toFixed(2)}</strong> <span class="muted">{s.carriedHelp}</span>
            </td>
          </tr>
        )}
        {links.map(({ link, frames, bytes }) => (
          <tr key={`link ${link}`} class="link">
            <th scope="row">
              {s.link} <strong>{link}</strong> <span class="muted">{s.total}</span>
            </th>
            <td class="mono">
              {format(bytes)} · {s.frames(String(frames))}
            </td>
          </tr>
        ))}
      </tbody>
    </table>
  );
}

/** Bytes that directors take in and give out for each byte that clients do: whatever the load, 2 in NAT, much less in DR and TUN. */
export function carriedByDirectors(rows: readonly InterfaceTraffic[]): number | undefined {
  const sum = (role: InterfaceTraffic["role"]) => rows.filter((row) => row.role === role).reduce((bytes, { bytesIn, bytesOut }) => bytes + bytesIn + bytesOut, 0);
  const [directors, clients] = [sum("director"), sum("client")];
  return directors === 0 || clients === 0 ? undefined : directors / clients;
}

interface BarProps {
  readonly direction: "in" | "out";
  readonly name: string;
  readonly bytes: number;
  readonly frames: number;
  readonly most: number;
  readonly text: string;
}

function Bar({ direction, name, bytes, frames, most, text }: BarProps) {
  return (
    <div class="bar-line">
      <span class="direction">
        {direction === "in" ? "→" : "←"} {name}
      </span>
      <span class="bar-room">
        <span class={`bar ${direction}`} style={{ width: `${(100 * bytes) / most}%` }} />
      </span>
      <span class="mono figure">
        {text} · {t.value.charts.frames(String(frames))}
      </span>
    </div>
  );
}
