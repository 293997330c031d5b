/**
 * What is different between the headers of a packet before and after a hop.
 */

import type { Layer, LayerField } from "../../engine/layers.ts";

/** A field that is marked when the hop changed it. */
export interface ComparedField extends LayerField {
  /** Value before the hop; undefined: the same, or there is nothing to compare with. */
  readonly before: string | undefined;
}

export interface ComparedLayer extends Omit<Layer, "fields"> {
  /** The hop put this header on. */
  readonly isNew: boolean;
  readonly fields: readonly ComparedField[];
}

/** Layers after a hop, each field with what it was; and the layers that the hop took off. */
export function compareLayers(before: readonly Layer[] | undefined, now: readonly Layer[]): { readonly layers: readonly ComparedLayer[]; readonly gone: readonly Layer[] } {
  const partners = before === undefined ? new Map<Layer, Layer>() : align(before, now);
  const layers = now.map((layer): ComparedLayer => {
    const partner = partners.get(layer);
    return { ...layer, isNew: before !== undefined && partner === undefined, fields: compareFields(partner, layer) };
  });
  const kept = new Set(partners.values());
  return { layers, gone: (before ?? []).filter((layer) => !kept.has(layer)) };
}

/** Ethernet belongs to Ethernet; the rest is paired from the inside out, as tunnels wrap. */
function align(before: readonly Layer[], now: readonly Layer[]): Map<Layer, Layer> {
  const partners = new Map<Layer, Layer>();
  const [outer, outerBefore] = [now[0], before[0]];
  if (outer?.protocol === "eth" && outerBefore?.protocol === "eth") partners.set(outer, outerBefore);
  for (let back = 1; back <= Math.min(before.length, now.length); back++) {
    const layer = now[now.length - back] as Layer;
    const partner = before[before.length - back] as Layer;
    if (layer.protocol !== partner.protocol || layer.protocol === "eth") break;
    partners.set(layer, partner);
  }
  return partners;
}

function compareFields(partner: Layer | undefined, { fields }: Layer): ComparedField[] {
  const seen = new Map<string, number>();
  return fields.map((field) => {
    const nth = seen.get(field.name) ?? 0;
    seen.set(field.name, nth + 1);
    const old = partner?.fields.filter(({ name }) => name === field.name)[nth]?.value;
    return { ...field, before: old === undefined || old === field.value ? undefined : old };
  });
}

/** The innermost field that holds a byte: its layer and place in it. */
export function fieldAt(layers: readonly Layer[], offset: number): { readonly layer: number; readonly field: number } | undefined {
  for (let layer = layers.length - 1; layer >= 0; layer--) {
    const { fields } = layers[layer] as Layer;
    let best = -1;
    for (const [at, field] of fields.entries()) {
      if (offset < field.offset || offset >= field.offset + field.length) continue;
      // The shortest is the most exact.
      if (best < 0 || field.length < (fields[best] as LayerField).length) best = at;
    }
    if (best >= 0) return { layer, field: best };
  }
  return undefined;
}
