/**
 * The style sheet of a report: light, dark as the reader's system asks, and on paper. Colours after Okabe and Ito; each meaning also has a
 * sign or a word.
 */

import { Markup } from "./markup.ts";

export const REPORT_STYLE = new Markup(`
:root { color-scheme: light dark; --bg: #ffffff; --inset: #f4f6f9; --text: #18202a; --muted: #566273; --line: #cbd3dd; --wire: #97a3b3; --accent: #0b5cad; --bad: #a33e00; --bad-back: #fdeee3; --arp: #9a6a00; --tcp: #0072b2; --udp: #00795a; --icmp: #a03d7c; --tunnel: #17709f; --other: #566273; --s0: #0072b2; --s1: #e69f00; --s2: #009e73; --s3: #b5508d; --s4: #2a9bd8; --s5: #d55e00; --s6: #8a7f00; --client-back: #e2f0f9; --director-back: #fdf3dc; --server-back: #def4ec; --router-back: #eceff2; }
@media (prefers-color-scheme: dark) { :root { --bg: #18202a; --inset: #121923; --text: #e8edf3; --muted: #9fabba; --line: #34404f; --wire: #5b6a7d; --accent: #7dbcf5; --bad: #ffa76b; --bad-back: #3a2417; --arp: #f0b429; --tcp: #6cbaf0; --udp: #3ecf9f; --icmp: #e58fc0; --tunnel: #7fd0ff; --other: #a4afbc; --s0: #4aa8e8; --s1: #f0b429; --s2: #2fcf9f; --s3: #e58fc0; --s4: #7fd0ff; --s5: #ff8a3d; --s6: #d9cf4a; --client-back: #12304a; --director-back: #372c10; --server-back: #0f3529; --router-back: #28313c; } }
* { box-sizing: border-box; }
body { margin: 0; background: var(--bg); color: var(--text); font: 15px/1.5 system-ui, "Noto Sans CJK SC", "PingFang SC", "Microsoft YaHei", sans-serif; }
header, section { max-width: 1180px; margin: 0 auto; padding: 12px 20px; }
h1 { margin: 12px 0 4px; font-size: 26px; line-height: 1.25; }
h2 { margin: 12px 0 8px; padding-bottom: 4px; border-bottom: 1px solid var(--line); font-size: 20px; }
h3 { margin: 14px 0 6px; font-size: 15px; }
p { margin: 6px 0; }
a { color: var(--accent); }
nav ul { display: flex; flex-wrap: wrap; gap: 4px 18px; margin: 10px 0 0; padding: 0; list-style: none; }
pre, .mono, td { font-family: ui-monospace, "DejaVu Sans Mono", Consolas, "Noto Sans Mono CJK SC", monospace; font-size: 12.5px; }
pre { margin: 4px 0; padding: 8px 10px; overflow: auto; border-radius: 5px; background: var(--inset); line-height: 1.4; white-space: pre; }
pre.typed { border-left: 3px solid var(--accent); font-weight: 600; }
pre.file { max-height: none; }
.muted { color: var(--muted); }
.bad { color: var(--bad); }
.description { white-space: pre-wrap; }
.lesson { padding: 8px 12px; border-left: 4px solid var(--accent); background: var(--inset); }
.finding { margin: 8px 0; padding: 8px 12px; border-left: 4px solid var(--bad); background: var(--bad-back); }
.tag { padding: 1px 8px; border: 1px solid currentcolor; border-radius: 10px; font-size: 12px; }
.output { margin: 12px 0; }
.output p { margin: 0; }
.wide { overflow-x: auto; }
table { border-collapse: collapse; margin: 4px 0; }
th, td { padding: 3px 12px 3px 0; border-bottom: 1px solid var(--line); text-align: left; vertical-align: top; }
th { color: var(--muted); font-size: 12.5px; font-weight: 500; white-space: nowrap; }
td.number { text-align: right; white-space: nowrap; }
details { margin: 8px 0; }
summary { padding: 4px 0; cursor: pointer; }
.charts { display: flex; flex-wrap: wrap; gap: 8px 24px; }
figure { margin: 0; }
figcaption { max-width: 470px; color: var(--muted); font-size: 13px; }
svg { display: block; max-width: none; }
svg.sign { display: inline-block; vertical-align: -2px; }
svg text { fill: var(--text); font: 12px system-ui, "Noto Sans CJK SC", "PingFang SC", "Microsoft YaHei", sans-serif; }
.topology { margin: 8px auto; }
.host text, .switch text { text-anchor: middle; }
.wire line { stroke: var(--wire); stroke-width: 2; }
.topology .wire text, .topology .role { fill: var(--muted); font-size: 11px; }
.topology .wire text { paint-order: stroke; stroke: var(--bg); stroke-width: 3px; }
.switch rect { fill: var(--inset); stroke: var(--line); stroke-width: 1.5; }
.switch text { font-size: 11px; font-weight: 600; }
.host rect { fill: var(--inset); stroke: var(--other); stroke-width: 1.5; }
.host.client rect { fill: var(--client-back); stroke: var(--tcp); }
.host.director rect { fill: var(--director-back); stroke: var(--arp); }
.host.server rect { fill: var(--server-back); stroke: var(--udp); }
.host.router rect { fill: var(--router-back); }
.host .name { font-size: 15px; font-weight: 700; }
.host .address { font-family: ui-monospace, "DejaVu Sans Mono", Consolas, monospace; }
.host .on-lo { fill: var(--muted); font-style: italic; }
.ladder .head line { stroke: var(--line); stroke-dasharray: 2 4; }
.ladder .head text { text-anchor: middle; font-weight: 700; }
.ladder .when { fill: var(--muted); text-anchor: end; font-family: ui-monospace, "DejaVu Sans Mono", Consolas, monospace; font-size: 11px; }
.ladder .what { font-family: ui-monospace, "DejaVu Sans Mono", Consolas, monospace; font-size: 11px; }
.row path { fill: none; stroke: var(--other); stroke-width: 1.6; }
.row circle, .row path.tip { fill: var(--other); stroke: none; }
.row path.dead { stroke: var(--bad); stroke-width: 2.5; }
.row.arp path { stroke: var(--arp); } .row.arp circle, .row.arp path.tip { fill: var(--arp); }
.row.tcp path { stroke: var(--tcp); } .row.tcp circle, .row.tcp path.tip { fill: var(--tcp); }
.row.udp path { stroke: var(--udp); } .row.udp circle, .row.udp path.tip { fill: var(--udp); }
.row.icmp path { stroke: var(--icmp); } .row.icmp circle, .row.icmp path.tip { fill: var(--icmp); }
.row.tunnel path { stroke: var(--tunnel); stroke-width: 3; } .row.tunnel circle, .row.tunnel path.tip { fill: var(--tunnel); }
.row path.tip { stroke: none; }
.row.drop .what { fill: var(--bad); }
.row .mark { font-weight: 700; text-decoration: underline; }
.chart .axis, .chart .tick line { fill: none; stroke: var(--wire); }
.chart .tick line.grid { stroke: var(--line); }
.chart .tick text { fill: var(--muted); font-size: 11px; }
.line { fill: none; stroke-width: 2.2; }
.line.dashed { stroke-dasharray: 7 5; stroke-width: 1.5; }
.line.dotted { stroke-dasharray: 2 4; }
.line.s0 { stroke: var(--s0); } .line.s1 { stroke: var(--s1); } .line.s2 { stroke: var(--s2); } .line.s3 { stroke: var(--s3); } .line.s4 { stroke: var(--s4); } .line.s5 { stroke: var(--s5); } .line.s6 { stroke: var(--s6); }
.sign .s0 { fill: var(--s0); } .sign .s1 { fill: var(--s1); } .sign .s2 { fill: var(--s2); } .sign .s3 { fill: var(--s3); } .sign .s4 { fill: var(--s4); } .sign .s5 { fill: var(--s5); } .sign .s6 { fill: var(--s6); }
.bar { display: inline-block; border-radius: 2px; background: var(--inset); }
.bar rect { fill: var(--s0); }
@media print { nav { display: none; } section { break-inside: auto; } pre { white-space: pre-wrap; } }
`);
