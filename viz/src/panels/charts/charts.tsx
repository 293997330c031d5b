/**
 * Figures of the run: shares of connections, connections open, decisions with what was compared, traffic of each interface.
 */

import { useSignal } from "@preact/signals";
import { useEffect, useRef } from "preact/hooks";
import { formatBytes, formatShare } from "../../../../src/report/numbers.ts";
import { type ServiceCharts, type ServiceSeries, sharesOf } from "../../../../src/report/service-series.ts";
import type { InterfaceTraffic, Scheduling } from "../../engine/queries/charts.ts";
import { formatTime } from "../../state/format.ts";
import { pause } from "../../state/playback.ts";
import { t } from "../../state/preferences.ts";
import { useQuery } from "../../state/query.ts";
import { settled } from "../../state/settled.ts";
import { current, currentId, goTo, sessions } from "../../state/store.ts";
import { binAt, styleOf } from "./chart-series.ts";
import { LineChart } from "./line-chart.tsx";
import { TrafficChart } from "./traffic-chart.tsx";
import "./charts.css";

const CHART_HEIGHT = 150;
const TWO_COLUMNS_MIN = 640;
const DECISIONS = 12;
const BINS = 240;

export function Panel() {
  const s = t.value.charts;
  const root = useRef<HTMLDivElement>(null);
  const width = useSignal(0);
  const chosen = useSignal("");
  useEffect(() => {
    const element = root.current;
    if (element === null) return;
    const observer = new ResizeObserver(([entry]) => {
      if (entry !== undefined) width.value = Math.floor(entry.contentRect.width);
    });
    observer.observe(element);
    return () => observer.disconnect();
  }, [width]);
  const session = current.value;
  const charts = useQuery("serviceCharts", session === undefined ? undefined : { bins: BINS });
  const services = charts.value?.services ?? [];
  const key = ({ host, service }: ServiceSeries) => `${host} · ${service}`;
  const shown = services.find((one) => key(one) === chosen.value) ?? services[0];
  const columnWidth = width.value >= TWO_COLUMNS_MIN ? Math.floor((width.value - 16) / 2) : width.value;
  return (
    <div class="charts">
      <div ref={root} class="room" />
      {charts.value === undefined ? <p class="note">{s.loading}</p> : null}
      {charts.value !== undefined && services.length === 0 ? <p class="note">{s.none}</p> : null}
      {shown === undefined || charts.value === undefined ? null : (
        <>
          <div class="service">
            <label>
              {s.service}{" "}
              <select value={key(shown)} onChange={(event) => (chosen.value = event.currentTarget.value)}>
                {services.map((one) => (
                  <option key={key(one)} value={key(one)}>{`${key(one)} (${one.scheduler})`}</option>
                ))}
              </select>
            </label>
          </div>
          {width.value === 0 ? null : <ServiceView charts={charts.value} service={shown} width={columnWidth} />}
        </>
      )}
      <div class="columns">
        {shown === undefined ? null : <Decisions />}
        <Traffic />
      </div>
    </div>
  );
}

function ServiceView({ charts, service, width }: { readonly charts: ServiceCharts; readonly service: ServiceSeries; readonly width: number }) {
  const s = t.value.charts;
  const { fromNs, toNs, bins } = charts;
  const nowNs = settled.value?.position.timeNs ?? fromNs;
  const shares = sharesOf(service.servers, bins);
  const bin = binAt(nowNs, fromNs, toNs, bins);
  const range = { width, height: CHART_HEIGHT, fromNs, toNs, nowNs };
  const most = Math.max(1, ...service.servers.flatMap(({ active, inactive }) => [Math.max(...active), Math.max(...inactive)]));
  const said = (values: (at: number) => string) => service.servers.map(({ server }, at) => `${server} ${values(at)}`).join(", ");
  const shareText = said((at) => `${formatShare(shares[at]?.got[bin] ?? Number.NaN)} (${s.weightShare} ${formatShare(shares[at]?.asked[bin] ?? Number.NaN)})`);
  return (
    <>
      <div class="columns">
        <section aria-label={s.shares}>
          <h3>{s.shares}</h3>
          <LineChart
            {...range}
            label={s.chart(s.shares, shareText)}
            max={1}
            format={formatShare}
            lines={[...shares.map(({ asked }, index) => ({ index, values: asked, dash: "dashed" as const })), ...shares.map(({ got }, index) => ({ index, values: got, dash: "" as const }))]}
          />
          <p class="muted">{s.sharesHelp}</p>
        </section>
        <section aria-label={s.connections}>
          <h3>{s.connections}</h3>
          <LineChart
            {...range}
            label={s.chart(s.connections, said((at) => `${service.servers[at]?.active[bin]} + ${service.servers[at]?.inactive[bin]}`))}
            max={most}
            format={String}
            lines={[
              ...service.servers.map(({ inactive }, index) => ({ index, values: inactive, dash: "dotted" as const })),
              ...service.servers.map(({ active }, index) => ({ index, values: active, dash: "" as const })),
            ]}
          />
          <p class="muted">{s.connectionsHelp}</p>
        </section>
      </div>
      <table class="figures">
        <thead>
          <tr>
            {[s.server, t.value.inspector.weight, s.weightShare, s.got, s.share, t.value.inspector.active, t.value.inspector.inactive].map((title) => (
              <th key={title} scope="col">
                {title}
              </th>
            ))}
          </tr>
        </thead>
        <tbody>
          {service.servers.map(({ server, weight, picks, active, inactive }, index) => (
            <tr key={server}>
              <th scope="row" class="mono">
                <Sign index={index} /> {server}
              </th>
              <td>{weight[bin]}</td>
              <td>{formatShare(shares[index]?.asked[bin] ?? Number.NaN)}</td>
              <td>{picks[bin]}</td>
              <td>
                <strong>{formatShare(shares[index]?.got[bin] ?? Number.NaN)}</strong>
              </td>
              <td>{active[bin]}</td>
              <td>{inactive[bin]}</td>
            </tr>
          ))}
        </tbody>
      </table>
    </>
  );
}

function Sign({ index }: { readonly index: number }) {
  const { colour, sign } = styleOf(index);
  return (
    <svg width="14" height="14" viewBox="-7 -7 14 14" aria-hidden="true">
      <path d={sign} style={{ fill: colour }} />
    </svg>
  );
}

function Decisions() {
  const s = t.value.charts;
  const id = settled.value?.position.id ?? 0;
  const answer = useQuery("schedulings", { id, length: DECISIONS });
  const view = answer.value;
  if (view === undefined) return null;
  return (
    <section class="decisions" aria-label={s.decisions}>
      <h3>
        {s.decisions} {view.total === 0 ? null : <span class="muted">{s.decisionsOf(String(view.offset + 1), String(view.offset + view.rows.length), String(view.total))}</span>}
      </h3>
      {view.total === 0 ? <p class="muted">{s.noDecisions}</p> : null}
      <div class="scroll">
        <table>
          <tbody>
            {view.rows.map((row) => (
              <DecisionRow key={row.id} row={row} isDone={row.id <= id} />
            ))}
          </tbody>
        </table>
      </div>
    </section>
  );
}

function DecisionRow({ row, isDone }: { readonly row: Scheduling; readonly isDone: boolean }) {
  const s = t.value.charts;
  const words = t.value.inspector;
  const originNs = current.value?.info.originNs ?? 0;
  const isInView = settled.value?.position.id === row.id;
  return (
    <tr class={`${isDone ? "" : "muted"}${isInView ? " current" : ""}`}>
      <th scope="row">
        <button
          type="button"
          class="mono"
          aria-label={s.goTo(String(row.id))}
          aria-current={isInView ? "true" : undefined}
          onClick={() => {
            pause();
            void goTo(row.id);
          }}
        >
          {formatTime(row.timeNs - originNs)}
        </button>
        <div class="mono small">{row.client}</div>
      </th>
      {row.candidates.map((one) => (
        <td key={one.server} class={one.isChosen ? "chosen mono" : "mono"} title={`${words.weight} ${one.weight}, ${words.active} ${one.activeConns}, ${words.inactive} ${one.inactConns}`}>
          <div>
            {one.isChosen ? "✓ " : one.isEligible ? "" : "✕ "}
            {one.server}
          </div>
          <div class="small">{`w ${one.weight} · ${one.activeConns}+${one.inactConns}${one.overhead === undefined ? "" : ` · ${words.overhead} ${one.overhead}`}`}</div>
        </td>
      ))}
      {row.candidates.length === 0 ? <td class="mono">{`${row.chosen ?? "✕"} (${row.by})`}</td> : null}
    </tr>
  );
}

function Traffic() {
  const s = t.value.charts;
  const other = useSignal(0);
  const id = settled.value?.position.id ?? 0;
  const timeNs = settled.value?.position.timeNs ?? 0;
  const others = sessions.value.filter(({ info }) => info.id !== currentId.value);
  const beside = others.find(({ info }) => info.id === other.value);
  const own = useQuery("traffic", { id });
  // The same time of the timeline, which begins at another time in each run.
  const there = useQuery("momentAt", beside === undefined ? undefined : { timeNs: timeNs - (current.value?.info.originNs ?? 0) + beside.info.originNs }, other.value);
  const theirs = useQuery("traffic", beside === undefined || there.value === undefined ? undefined : { id: there.value.position.id }, other.value);
  const name = (difference: string) => (difference === "" ? t.value.app.original : difference === "edited" ? t.value.app.edited : difference);
  const lists: { readonly title: string; readonly rows: readonly InterfaceTraffic[] }[] = [{ title: beside === undefined ? "" : s.thisRun, rows: own.value ?? [] }];
  if (beside !== undefined) lists.push({ title: name(beside.difference), rows: theirs.value ?? [] });
  const most = Math.max(1, ...lists.flatMap(({ rows }) => rows.flatMap(({ bytesIn, bytesOut }) => [bytesIn, bytesOut])));
  return (
    <section class={beside === undefined ? "traffic" : "traffic compared"} aria-label={s.traffic}>
      <h3>{s.traffic}</h3>
      {others.length === 0 ? null : (
        <label>
          {s.compareWith}{" "}
          <select value={String(other.value)} onChange={(event) => (other.value = Number(event.currentTarget.value))}>
            <option value="0">{s.nothing}</option>
            {others.map(({ info, difference }) => (
              <option key={info.id} value={String(info.id)}>
                {name(difference)}
              </option>
            ))}
          </select>
        </label>
      )}
      <div class="side-by-side">
        {lists.map(({ title, rows }) => (
          <TrafficChart key={title} title={title} rows={rows} most={most} format={formatBytes} />
        ))}
      </div>
      <p class="muted">{s.trafficHelp}</p>
    </section>
  );
}
