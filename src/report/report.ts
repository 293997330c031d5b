/**
 * One HTML file about a run, for people who want to read: pictures, what was typed, what was dropped and why, the load, tables of every host.
 *
 * Nothing in it runs and nothing is fetched. Whatever comes from a scenario or trace is text (markup.ts escapes it).
 */

import type { Row, TableName, TableRows, WorldTables } from "../trace/rows.ts";
import { COLUMNS, TABLE_ORDER } from "./columns.ts";
import { ladderPicture } from "./ladder-picture.ts";
import { linePicture, lineSign } from "./line-picture.ts";
import { type Content, type Markup, markup } from "./markup.ts";
import { formatBytes, formatShare, grouped, seconds } from "./numbers.ts";
import { LADDER_FRAMES_MAX, type ReportReader } from "./report-reader.ts";
import { REPORT_STYLE } from "./report-style.ts";
import { type ServiceSeries, sharesOf } from "./service-series.ts";
import { devicesOf, Settings } from "./settings.ts";
import { topologyPicture } from "./topology-picture.ts";
import type { ReportWords } from "./words.ts";

/** What one command, script or fault said. Times are simulated nanoseconds since the start of the timeline. */
export interface ReportedOutput {
  readonly timeNs: number;
  /** Empty for a fault of the timeline. */
  readonly host: string;
  readonly text: string;
  readonly stdout: string;
  readonly stderr: string;
  /** null: it had not ended; undefined: there is none. */
  readonly exit: number | null | undefined;
}

export interface ReportedUnmet {
  readonly place: string;
  readonly field: string;
  readonly actual: string;
  readonly expected: string;
}

/** What a run says beside its records; undefined for a trace. */
export interface ReportedRun {
  readonly setup: readonly ReportedOutput[];
  readonly timeline: readonly ReportedOutput[];
  readonly expected: number;
  readonly unmet: readonly ReportedUnmet[];
  /** Why the run was stopped early; undefined: it was not. */
  readonly stopped: string | undefined;
}

/** One thing that is wrong in the run. */
export interface ReportedFinding {
  readonly id: string;
  readonly host: string;
  readonly title: string;
  readonly why: string;
  readonly fix: string;
  /** Simulated nanoseconds since the start of the timeline; undefined: no record shows it. */
  readonly sinceNs: number | undefined;
}

/** What the scenario says about itself, as far as it is known. */
export interface ReportedScenario {
  readonly source: string;
  readonly description: string;
  readonly lesson: { readonly id: string | undefined; readonly mode: string; readonly teaches: string } | undefined;
}

export interface ReportInput {
  readonly reader: ReportReader;
  readonly run: ReportedRun | undefined;
  readonly scenario: ReportedScenario | undefined;
  /** undefined: nobody looked for any. */
  readonly findings: readonly ReportedFinding[] | undefined;
  readonly words: ReportWords;
}

const OUTPUT_CHARS_MAX = 6000;
const OUTPUTS_MAX = 400;
const ROWS_MAX = 100;
const SERVICES_MAX = 8;

export function formatReport(input: ReportInput): string {
  const { reader, words } = input;
  const { header } = reader;
  const w = words.report;
  const tables = reader.tables();
  const sections: readonly Section[] = [
    { id: "result", title: w.result, body: resultPart(input) },
    ...(input.findings === undefined ? [] : [{ id: "findings", title: w.findings, body: findingsPart(input.findings, words) }]),
    { id: "topology", title: w.topology, body: topologyPart(input, tables) },
    { id: "typed", title: w.typed, body: typedPart(input) },
    { id: "drops", title: w.drops, body: dropsPart(input) },
    { id: "frames", title: w.ladder, body: ladderPart(input) },
    { id: "load", title: w.charts, body: loadPart(input) },
    { id: "tables", title: w.tables, body: tablesPart(input, tables) },
    ...(header.scenario === null ? [] : [{ id: "scenario", title: w.scenario, body: markup`<pre class="file">${header.scenario}</pre>` }]),
  ];
  const page = markup`<!doctype html>
<html lang="${words.language}">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<title>${header.title} · lvsim</title>
<style>${REPORT_STYLE}</style>
</head>
<body>
<header>
<h1>${header.title}</h1>
<p class="muted">${w.by(header.seed)} ${w.noScripts}${input.scenario?.source ? markup` <span class="mono">${input.scenario.source}</span>` : undefined}</p>
${lessonPart(input)}
<nav aria-label="${w.contents}"><ul>${sections.map(({ id, title }) => markup`<li><a href="#${id}">${title}</a></li>`)}</ul></nav>
</header>
<main>
${sections.map(({ id, title, body }) => markup`<section id="${id}"><h2>${title}</h2>${body}</section>\n`)}
</main>
</body>
</html>
`;
  return page.text;
}

interface Section {
  readonly id: string;
  readonly title: string;
  readonly body: Content;
}

function lessonPart({ scenario, words }: ReportInput): Content {
  if (scenario === undefined) return undefined;
  const { lesson, description } = scenario;
  const shown = lesson === undefined ? undefined : markup`<p class="lesson"><strong>${words.report.teaches}</strong> <span class="tag">${lesson.id ?? ""} ${words.report.mode(lesson.mode)}</span> ${lesson.teaches}</p>`;
  // Signs of Markdown are left out; the text stays text.
  return [shown, description.trim() === "" ? undefined : markup`<p class="description">${description.trim().replaceAll(/[*`]/g, "")}</p>`];
}

function resultPart({ reader, run, words }: ReportInput): Content {
  const w = words.report;
  const counts = markup`<p>${w.counts(grouped(reader.records), grouped(reader.frames), grouped(reader.drops), seconds(Math.max(0, reader.endNs - reader.originNs)))}</p>`;
  if (run === undefined) return [counts, markup`<p>${w.ofTrace}</p>`];
  const expectations =
    run.unmet.length > 0
      ? markup`<p class="bad">✕ ${w.unmet(run.unmet.length)}</p><ul>${run.unmet.map(({ place, field, actual, expected }) => markup`<li>${w.unmetOne(place, field, actual, expected)}</li>`)}</ul>`
      : markup`<p>${run.expected === 0 ? w.noneExpected : `✓ ${w.allMet(run.expected)}`}</p>`;
  return [run.stopped === undefined ? undefined : markup`<p class="bad">✕ ${w.stopped} ${run.stopped}</p>`, expectations, counts];
}

function findingsPart(findings: readonly ReportedFinding[], words: ReportWords): Content {
  const w = words.report;
  if (findings.length === 0) return markup`<p>✓ ${w.noFindings}</p>`;
  return findings.map(
    ({ id, host, title, why, fix, sinceNs }) =>
      markup`<div class="finding"><p><strong>⚠ ${title}</strong> <span class="tag">${host}</span> <span class="muted mono">${id}</span>${sinceNs === undefined ? undefined : markup` <span class="muted">${w.since(seconds(sinceNs))}</span>`}</p><p>${why}</p><p><strong>${w.fix}:</strong> ${fix}</p></div>\n`,
  );
}

function topologyPart({ reader, words }: ReportInput, tables: WorldTables | undefined): Content {
  const picture = topologyPicture({ header: reader.header, roles: reader.roles(), tables: tables ?? {}, words });
  return markup`<p class="muted">${words.report.topologyText}</p><div class="wide">${picture}</div>`;
}

/* ----------------------------------------------------------------------------------------------------------------- typed */

function typedPart({ reader, run, words }: ReportInput): Content {
  const w = words.report;
  if (run === undefined) {
    const rows = reader.commands.map(({ timeNs, host, command, exit }) => markup`<tr><td class="number">${seconds(timeNs - reader.originNs)}</td><td>${host}</td><td class="mono">${cut(command, words)}</td><td>${exitOf(exit ?? null, words)}</td></tr>`);
    const more = reader.commandCount - reader.commands.length;
    return [table([w.time, w.host, w.what, ""], rows), more > 0 ? markup`<p class="muted">${w.more(grouped(more))}</p>` : undefined];
  }
  const setup = run.setup.map((one) => outputPart(one, words, false));
  const timeline = run.timeline.slice(0, OUTPUTS_MAX).map((one) => outputPart(one, words, true));
  const more = run.timeline.length - timeline.length;
  return [
    setup.length === 0 ? undefined : markup`<details><summary>${w.setup}</summary>${setup}</details>`,
    timeline,
    more > 0 ? markup`<p class="muted">${w.more(grouped(more))}</p>` : undefined,
  ];
}

function outputPart({ timeNs, host, text, stdout, stderr, exit }: ReportedOutput, words: ReportWords, hasTime: boolean): Markup {
  const status = exit === undefined || exit === 0 ? undefined : markup`<span class="tag bad">${exitOf(exit, words)}</span>`;
  const when = hasTime ? markup`<span class="muted mono">${seconds(timeNs)} s</span> ` : undefined;
  const said = stdout === "" && stderr === "" ? undefined : markup`<pre>${cut(stdout, words)}${stderr === "" ? undefined : markup`<span class="bad">${cut(stderr, words)}</span>`}</pre>`;
  return markup`<div class="output"><p>${when}<strong>${host}</strong> ${status}</p><pre class="typed">${cut(text.trimEnd(), words)}</pre>${said}</div>\n`;
}

function exitOf(exit: number | null, words: ReportWords): string {
  return exit === null ? words.report.running : words.report.exit(String(exit));
}

function cut(text: string, words: ReportWords): string {
  return text.length <= OUTPUT_CHARS_MAX ? text : `${text.slice(0, OUTPUT_CHARS_MAX)}\n${words.report.cut(grouped(text.length - OUTPUT_CHARS_MAX))}`;
}

/* --------------------------------------------------------------------------------------------------------- drops, frames */

function dropsPart({ reader, words }: ReportInput): Content {
  const w = words.report;
  if (reader.drops === 0) return markup`<p>${w.noDrops}</p>`;
  const groups = [...reader.dropGroups.values()];
  const rows = groups.map(
    ({ place, reason, detail, firstNs, packet, count }) =>
      markup`<tr><td>${place}</td><td><strong class="bad">✕ ${reason}</strong></td><td>${detail}</td><td class="number">${grouped(count)}</td><td class="number">${seconds(firstNs - reader.originNs)}</td><td class="mono">${packet}</td></tr>`,
  );
  const untold = reader.drops - groups.reduce((sum, { count }) => sum + count, 0);
  return [table([w.place, w.reason, w.detail, w.count, w.first, w.packet], rows), untold > 0 ? markup`<p class="muted">${w.more(grouped(untold))}</p>` : undefined];
}

function ladderPart({ reader, words }: ReportInput): Content {
  const w = words.report;
  const { rows, isCut } = reader.ladder();
  if (rows.length === 0) return markup`<p>${w.noFrames}</p>`;
  const picture = ladderPicture({ rows, hosts: reader.header.hosts.map(({ name }) => name), roles: reader.roles(), originNs: reader.originNs, words });
  return markup`<p class="muted">${w.ladderText} ${isCut ? w.ladderCut(String(LADDER_FRAMES_MAX)) : ""}</p><div class="wide">${picture}</div>`;
}

/* ------------------------------------------------------------------------------------------------------------------ load */

function loadPart({ reader, words }: ReportInput): Content {
  const w = words.report;
  const { services, bins, fromNs, toNs } = reader.services();
  const shown = services.filter(({ servers }) => servers.length > 0).slice(0, SERVICES_MAX);
  const durationSeconds = (toNs - fromNs) / 1e9;
  return [shown.length === 0 ? markup`<p>${w.noServices}</p>` : shown.map((service) => servicePart(service, bins, durationSeconds, words)), trafficPart(reader, words)];
}

function servicePart({ host, service, scheduler, servers }: ServiceSeries, bins: number, durationSeconds: number, words: ReportWords): Markup {
  const w = words.report;
  const shares = sharesOf(servers, bins);
  const last = bins - 1;
  const most = servers.reduce((max, { active, inactive }) => Math.max(max, ...active, ...inactive), 1);
  const said = (value: (at: number) => string) => servers.map(({ server }, at) => `${server} ${value(at)}`).join(", ");
  const shareChart = linePicture({
    label: `${w.shares}: ${said((at) => formatShare(shares[at]?.got[last] ?? Number.NaN))}`,
    lines: shares.flatMap(({ got, asked }, index) => [
      { index, values: asked, dash: "dashed" as const },
      { index, values: got, dash: "solid" as const },
    ]),
    seconds: durationSeconds,
    max: 1,
    format: formatShare,
  });
  const openChart = linePicture({
    label: `${w.connections}: ${said((at) => `${servers[at]?.active[last] ?? 0} / ${servers[at]?.inactive[last] ?? 0}`)}`,
    lines: servers.flatMap(({ active, inactive }, index) => [
      { index, values: inactive, dash: "dotted" as const },
      { index, values: active, dash: "solid" as const },
    ]),
    seconds: durationSeconds,
    max: most,
    format: String,
  });
  const rows = servers.map(
    ({ server, picks, weight, active, inactive }, at) =>
      markup`<tr><td>${lineSign(at)} ${server}</td><td class="number">${weight[last] ?? 0}</td><td class="number">${formatShare(shares[at]?.asked[last] ?? Number.NaN)}</td><td class="number">${grouped(picks[last] ?? 0)}</td><td class="number"><strong>${formatShare(shares[at]?.got[last] ?? Number.NaN)}</strong></td><td class="number">${active[last] ?? 0}</td><td class="number">${inactive[last] ?? 0}</td></tr>`,
  );
  const c = words.columns;
  return markup`<h3>${host}: ${service} ${scheduler}</h3><div class="charts"><figure>${shareChart}<figcaption>${w.shares}. ${w.sharesText}</figcaption></figure><figure>${openChart}<figcaption>${w.connections}. ${w.connectionsText}</figcaption></figure></div>${table([c.server, c.weight, w.weightShare, w.got, w.share, c.active, c.inactive], rows)}`;
}

function trafficPart(reader: ReportReader, words: ReportWords): Markup {
  const w = words.report;
  const most = reader.interfaces.reduce((max, { bytesIn, bytesOut }) => Math.max(max, bytesIn, bytesOut), 1);
  const bar = (bytes: number) => markup`<svg class="bar" viewBox="0 0 100 10" width="100" height="10" aria-hidden="true" preserveAspectRatio="none"><rect width="${Number(((100 * bytes) / most).toFixed(1))}" height="10"/></svg>`;
  const rows = reader.interfaces.map(
    ({ host, device, link, framesIn, framesOut, bytesIn, bytesOut }) =>
      markup`<tr><td>${host}.${device}</td><td>${link}</td><td class="number">${grouped(framesIn)}</td><td class="number">${formatBytes(bytesIn)}</td><td>${bar(bytesIn)}</td><td class="number">${grouped(framesOut)}</td><td class="number">${formatBytes(bytesOut)}</td><td>${bar(bytesOut)}</td></tr>`,
  );
  return markup`<h3>${w.traffic}</h3><p class="muted">${w.trafficText}</p>${table([w.interface, "", w.framesIn, w.bytesIn, "", w.framesOut, w.bytesOut, ""], rows)}`;
}

/* ---------------------------------------------------------------------------------------------------------------- tables */

function tablesPart({ reader, words }: ReportInput, tables: WorldTables | undefined): Content {
  const w = words.report;
  if (tables === undefined) return markup`<p>${w.noTables}</p>`;
  const owners = [...reader.header.hosts.map(({ name }) => name), ...reader.header.links.map((name) => `link/${name}`)].filter((name) => tables[name] !== undefined);
  const roles = reader.roles();
  const parts = owners.map((owner, at) => {
    const role = owner.startsWith("link/") ? "" : words.roles[roles[owner] ?? "host"];
    // The first is open, so that everybody sees what the others hold.
    const begin = at === 0 ? markup`<details open>` : markup`<details>`;
    return markup`${begin}<summary><strong>${owner.replace(/^link\//, "")}</strong> <span class="muted">${role}</span></summary>${ownerPart(reader, owner, tables[owner] as TableRows, words)}</details>\n`;
  });
  return [markup`<p class="muted">${w.tablesText(seconds(Math.max(0, reader.endNs - reader.originNs)))}</p>`, parts];
}

function ownerPart(reader: ReportReader, owner: string, of: TableRows, words: ReportWords): Content {
  const parts = TABLE_ORDER.map((name) => (name === "sysctls" ? settingsPart(reader, owner, of, words) : tablePart(name, Object.values<Row>(of[name] ?? {}), reader.endNs, words)));
  const empty = TABLE_ORDER.filter((name) => name !== "sysctls" && of[name] !== undefined && Object.keys(of[name] ?? {}).length === 0);
  return [parts, empty.length === 0 ? undefined : markup`<p class="muted">${words.report.empty} ${empty.map((name) => words.tables[name]).join(", ")}</p>`];
}

function tablePart(name: TableName, all: readonly Row[], nowNs: number, words: ReportWords): Content {
  const columns = COLUMNS[name];
  if (columns === undefined || all.length === 0) return undefined;
  const rows = all.slice(0, ROWS_MAX).map((row) => markup`<tr>${columns.map((column) => markup`<td class="${column.isNumber ? "number" : ""}">${column.text(row, nowNs)}</td>`)}</tr>`);
  const more = all.length - rows.length;
  const titles = columns.map((column) => words.columns[column.name]);
  return [markup`<h3>${words.tables[name]}</h3>`, table(titles, rows), more > 0 ? markup`<p class="muted">${words.report.more(grouped(more))}</p>` : undefined];
}

function settingsPart(reader: ReportReader, owner: string, of: TableRows, words: ReportWords): Content {
  const settings = new Settings(of.sysctls ?? {}, undefined, reader.defaults.get(owner) ?? {}, false);
  const [inForce, plain] = [settings.inForce(devicesOf(of)), settings.plain()];
  if (inForce.length + plain.length === 0) return undefined;
  const c = words.columns;
  const combined = inForce.map(
    ({ name, device, all, own, inForce: value, combination, isDefault }) =>
      markup`<tr><td>${name} <span class="muted">${device}</span></td><td class="number">${combination === "own" ? "—" : all}</td><td class="number">${own}</td><td>${isDefault ? value : markup`<strong>${value}</strong>`}${combination === "own" ? "" : ` = ${combination}(${all}, ${own})`}</td></tr>`,
  );
  const rest = plain.map(({ key, value, isDefault }) => markup`<tr><td>${key}</td><td></td><td></td><td>${isDefault ? value : markup`<strong>${value}</strong>`}</td></tr>`);
  return [markup`<h3>${words.tables.sysctls}</h3>`, table([c.setting, c.all, c.own, c.inForce], [...combined, ...rest])];
}

function table(titles: readonly string[], rows: readonly Markup[]): Markup {
  return markup`<div class="wide"><table><thead><tr>${titles.map((title) => markup`<th scope="col">${title}</th>`)}</tr></thead><tbody>${rows}</tbody></table></div>`;
}
