/**
 * Headers layer by layer, the bytes beside them: a field that is pointed at or chosen shows its bytes, a byte its field.
 */

import { useSignal } from "@preact/signals";
import { useEffect, useRef } from "preact/hooks";
import type { Dissection } from "../../engine/layers.ts";
import { t } from "../../state/preferences.ts";
import { withOwner } from "./address-owner.ts";
import { type ComparedLayer, compareLayers, fieldAt } from "./layer-diff.ts";

const BYTES_A_LINE = 8;
const BYTES_MAX = 512;

interface Place {
  readonly layer: number;
  readonly field: number;
}

export interface HeaderViewProps {
  readonly shown: Dissection;
  /** What to compare with. */
  readonly before: Dissection | undefined;
}

export function HeaderView({ shown, before }: HeaderViewProps) {
  const s = t.value.inspector;
  const chosen = useSignal<Place | undefined>(undefined);
  const pointed = useSignal<Place | undefined>(undefined);
  const list = useRef<HTMLDivElement>(null);
  const { layers } = compareLayers(before?.layers, shown.layers);
  const place = pointed.value ?? chosen.value;
  const active = place === undefined ? undefined : layers[place.layer]?.fields[place.field];
  const places = layers.flatMap(({ fields }, layer) => fields.map((_, field): Place => ({ layer, field })));
  const optionId = (at: Place) => `field-${at.layer}-${at.field}`;
  useEffect(() => {
    if (chosen.value !== undefined) list.current?.querySelector(`#${optionId(chosen.value)}`)?.scrollIntoView({ block: "nearest" });
  });
  const move = (event: KeyboardEvent) => {
    const by = event.key === "ArrowDown" ? 1 : event.key === "ArrowUp" ? -1 : 0;
    if (by === 0) return;
    event.preventDefault();
    const now = chosen.value === undefined ? -1 : places.findIndex(({ layer, field }) => layer === chosen.value?.layer && field === chosen.value.field);
    chosen.value = places[Math.min(places.length - 1, Math.max(0, now + by))];
    pointed.value = undefined;
  };
  return (
    <div class="header-view">
      <div
        ref={list}
        class="layers"
        role="listbox"
        aria-label={`${s.headers}. ${s.headersHelp}`}
        aria-activedescendant={chosen.value === undefined ? undefined : optionId(chosen.value)}
        tabIndex={0}
        onKeyDown={move}
        onMouseLeave={() => (pointed.value = undefined)}
      >
        {layers.map((layer, at) => (
          <LayerView key={`${at} ${layer.protocol}`} layer={layer} at={at} active={place} optionId={optionId} chosen={chosen.value} onPoint={(next) => (pointed.value = next)} onChoose={(next) => (chosen.value = next)} />
        ))}
      </div>
      <Bytes
        bytes={shown.bytes}
        layers={layers}
        from={active?.offset ?? -1}
        length={active?.length ?? 0}
        onPoint={(offset) => (pointed.value = offset === undefined ? undefined : fieldAt(layers, offset))}
        onChoose={(offset) => (chosen.value = fieldAt(layers, offset))}
      />
    </div>
  );
}

interface LayerViewProps {
  readonly layer: ComparedLayer;
  readonly at: number;
  readonly active: Place | undefined;
  readonly chosen: Place | undefined;
  optionId(at: Place): string;
  onPoint(at: Place): void;
  onChoose(at: Place): void;
}

function LayerView({ layer, at, active, chosen, optionId, onPoint, onChoose }: LayerViewProps) {
  const s = t.value.inspector;
  return (
    // biome-ignore lint/a11y/useSemanticElements: a group of options is no fieldset
    <div role="group" aria-label={layer.title} class={`layer ${layer.protocol}${layer.isNew ? " new" : ""}`}>
      <div class="layer-title" role="presentation">
        <strong>{layer.title}</strong> <span class="muted">{s.bytes(String(layer.length))}</span> {layer.isNew ? <span class="tag changed">▲ {s.newLayer}</span> : null}
      </div>
      {layer.fields.map((field, index) => {
        const place: Place = { layer: at, field: index };
        const isActive = active?.layer === at && active.field === index;
        return (
          // biome-ignore lint/a11y/useKeyWithClickEvents: the list's arrow keys choose
          // biome-ignore lint/a11y/useFocusableInteractive: the list has the focus and names its active option
          <div
            key={`${field.name} ${field.offset} ${index}`}
            id={optionId(place)}
            role="option"
            aria-selected={chosen?.layer === at && chosen.field === index}
            class={`field${isActive ? " active" : ""}${field.before === undefined ? "" : " changed"}`}
            onMouseEnter={() => onPoint(place)}
            onClick={() => onChoose(place)}
          >
            <span class="field-name">{field.name}</span>
            <span class="field-value">
              {field.before === undefined ? "" : "▲ "}
              {withOwner(field.value)}
              {field.before === undefined ? null : <span class="was"> (← {field.before})</span>}
            </span>
          </div>
        );
      })}
    </div>
  );
}

interface BytesProps {
  readonly bytes: Uint8Array;
  readonly layers: readonly ComparedLayer[];
  readonly from: number;
  readonly length: number;
  onPoint(offset: number | undefined): void;
  onChoose(offset: number): void;
}

function Bytes({ bytes, layers, from, length, onPoint, onChoose }: BytesProps) {
  const s = t.value.inspector;
  const count = Math.min(bytes.length, BYTES_MAX);
  const changed = new Set<number>();
  for (const { fields } of layers) for (const field of fields) if (field.before !== undefined) for (let at = field.offset; at < field.offset + field.length; at++) changed.add(at);
  const starts = new Set(layers.map(({ offset }) => offset));
  const offsetOf = (event: Event) => {
    const text = event.target instanceof HTMLElement ? event.target.dataset.at : undefined;
    return text === undefined ? undefined : Number(text);
  };
  return (
    // biome-ignore lint/a11y/useKeyWithClickEvents: the same is reached through the fields
    // biome-ignore lint/a11y/noStaticElementInteractions: the same is reached through the fields
    <div
      class="bytes mono"
      role="img"
      aria-label={s.bytes(String(bytes.length))}
      onMouseOver={(event) => onPoint(offsetOf(event))}
      onMouseLeave={() => onPoint(undefined)}
      onClick={(event) => {
        const offset = offsetOf(event);
        if (offset !== undefined) onChoose(offset);
      }}
    >
      {Array.from({ length: Math.ceil(count / BYTES_A_LINE) }, (_, line) => (
        <div class="bytes-line" key={line * BYTES_A_LINE}>
          <span class="muted offset">{(line * BYTES_A_LINE).toString(16).padStart(4, "0")}</span>
          {Array.from(bytes.subarray(line * BYTES_A_LINE, Math.min(count, (line + 1) * BYTES_A_LINE)), (byte, column) => {
            const at = line * BYTES_A_LINE + column;
            const isOn = at >= from && at < from + length;
            return (
              <span key={at} data-at={at} class={`byte${isOn ? " active" : ""}${changed.has(at) ? " changed" : ""}${starts.has(at) ? " first" : ""}`}>
                {byte.toString(16).padStart(2, "0")}
              </span>
            );
          })}
        </div>
      ))}
      {bytes.length > count ? <div class="muted">{s.bytesMore(String(bytes.length - count))}</div> : null}
    </div>
  );
}
