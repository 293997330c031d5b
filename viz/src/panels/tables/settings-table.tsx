/**
 * Settings in force: what `all` and the device's own value make together, then the rest.
 */

import { useSignal } from "@preact/signals";
import type { PlainSetting, SettingInForce } from "../../../../src/report/settings.ts";
import { t } from "../../state/preferences.ts";

export interface SettingsProps {
  readonly inForce: readonly SettingInForce[];
  readonly settings: readonly PlainSetting[];
  readonly pointedKey: string | undefined;
}

const ROWS_MAX = 200;

export function SettingsTables({ inForce, settings, pointedKey }: SettingsProps) {
  const s = t.value.tables;
  const isAll = useSignal(false);
  const shownInForce = isAll.value ? inForce : inForce.slice(0, ROWS_MAX);
  const shown = isAll.value ? settings : settings.slice(0, ROWS_MAX);
  const hidden = inForce.length + settings.length - shownInForce.length - shown.length;
  return (
    <>
      <table>
        <thead>
          <tr>
            {[s.columns.setting, s.columns.all, s.columns.own, s.columns.inForce].map((title) => (
              <th key={title} scope="col">
                {title}
              </th>
            ))}
          </tr>
        </thead>
        <tbody>
          {shownInForce.map((one) => (
            <tr key={one.key} class={rowClass(one, pointedKey)} data-key={one.key}>
              <th scope="row">
                {one.name} <span class="muted">{one.device}</span> {one.isDefault ? null : <span class="tag">{s.defaults}</span>}
              </th>
              <td>{one.combination === "own" ? "—" : one.all}</td>
              <td>{one.own}</td>
              <td class={one.before === undefined ? "in-force" : "in-force changed"}>
                <strong>{one.before === undefined ? one.inForce : `▲ ${one.inForce}`}</strong> {one.combination === "own" ? null : <span class="muted">{formula(one)}</span>}
                {one.before === undefined ? null : <span> {s.was(one.before)}</span>}
              </td>
            </tr>
          ))}
        </tbody>
      </table>
      <table>
        <thead>
          <tr>
            <th scope="col">{s.columns.setting}</th>
            <th scope="col">{s.columns.value}</th>
          </tr>
        </thead>
        <tbody>
          {shown.map((one) => (
            <tr key={one.key} class={rowClass(one, pointedKey)} data-key={one.key}>
              <th scope="row">
                {one.key} {one.isDefault ? null : <span class="tag">{s.defaults}</span>}
              </th>
              <td class={one.before === undefined ? "" : "changed"}>
                {one.before === undefined ? one.value : `▲ ${one.value}`}
                {one.before === undefined ? null : <span> {s.was(one.before)}</span>}
              </td>
            </tr>
          ))}
        </tbody>
      </table>
      {hidden === 0 ? null : (
        <button type="button" onClick={() => (isAll.value = true)}>
          {s.more(String(hidden))}
        </button>
      )}
    </>
  );
}

/** `max(all 1, eth0 0)`. */
function formula({ combination, all, own, device }: SettingInForce): string {
  return `${combination}(all ${all}, ${device} ${own})`;
}

function rowClass({ key, before }: { readonly key: string; readonly before: string | undefined }, pointedKey: string | undefined): string {
  return [before === undefined ? "" : "glow", key === pointedKey ? "pointed" : ""].join(" ").trim();
}
