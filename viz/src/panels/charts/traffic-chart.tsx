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
  return (
    <table class="bars">
      {title === "" ? null : <caption>{title}</caption>}
      <tbody>
        {sorted.map((row) => (
          <tr key={`${row.host} ${row.device}`} class={row.role}>
            <th scope="row">
              <strong>
                {row.host}:{row.device}
              </strong>{" "}
              <span class="muted">
                {words[row.role]} · {row.link}
              </span>
            </th>
            <td>
              <Bar direction="in" name={s.in} bytes={row.bytesIn} frames={row.framesIn} most={most} text={format(row.bytesIn)} />
              <Bar direction="out" name={s.out} bytes={row.bytesOut} frames={row.framesOut} most={most} text={format(row.bytesOut)} />
            </td>
          </tr>
        ))}
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
