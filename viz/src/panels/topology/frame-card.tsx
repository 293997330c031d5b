/**
 * What the record in view says, over the picture: a frame's addresses with what this hop changed, or the record's line.
 */

import type { FrameCard } from "../../engine/queries/moment.ts";
import { formatTime } from "../../state/format.ts";
import { t } from "../../state/preferences.ts";
import { current, moment } from "../../state/store.ts";
import { PROTOCOL_SHAPES } from "./shapes.ts";

export function FrameCardView() {
  const now = moment.value;
  const record = now?.record;
  if (now === undefined || record === undefined) return null;
  const originNs = current.value?.info.originNs ?? 0;
  return (
    <aside class={`frame-card ${record.protocol ?? "none"}`} aria-live="polite" data-record={record.id}>
      <div class="line">
        <span class="muted mono">{formatTime(now.position.timeNs - originNs)} s</span>
        <strong>{record.device === "" ? record.host : `${record.host}:${record.device}`}</strong>
        <span class="tag">{record.kind}</span>
        {now.card === undefined ? null : (
          <span class="what">
            <svg viewBox="-13 -12 26 24" width="17" height="16" aria-hidden="true" class={`dot ${now.card.protocol}`}>
              <path d={PROTOCOL_SHAPES[now.card.protocol]} />
            </svg>
            <strong>{now.card.label}</strong>
          </span>
        )}
      </div>
      {now.card === undefined || now.drop !== undefined ? <div class={now.drop === undefined ? "mono text" : "mono text bad"}>{record.text}</div> : <Headers card={now.card} />}
    </aside>
  );
}

/** Boxes in boxes: Ethernet, the outer IP header of a tunnel, the IP header. */
function Headers({ card }: { readonly card: FrameCard }) {
  const changed = new Set(card.changes.map(({ field }) => field));
  const before = (field: string) => card.changes.find((one) => one.field === field)?.before;
  const wrapper = card.changes.find(({ field }) => field === "ipip" || field === "gre" || field === "gue");
  const s = t.value.topology;
  return (
    <div class="headers mono">
      <Pair name="MAC" from={card.macFrom} to={card.macTo} isFromChanged={changed.has("eth.src")} isToChanged={changed.has("eth.dst")} note={before("eth.dst")} />
      {card.packets.map((packet, level) => {
        const isInner = level === card.packets.length - 1;
        const isNewOuter = !isInner && wrapper?.before === "";
        return (
          <Pair
            key={`${packet.from} ${packet.to} ${packet.tunnel}`}
            name={packet.tunnel === "" ? "IP" : packet.tunnel}
            from={packet.from}
            to={packet.to}
            isFromChanged={isInner && (changed.has("ip.src") || changed.has("tcp.srcport") || changed.has("udp.srcport"))}
            isToChanged={isInner && (changed.has("ip.dst") || changed.has("tcp.dstport") || changed.has("udp.dstport"))}
            note={isNewOuter ? s.wrapped : isInner ? endBefore(before) : undefined}
            isNew={isNewOuter}
          />
        );
      })}
      {wrapper?.after === "" ? <span class="changed">▲ {s.unwrapped}</span> : null}
    </div>
  );
}

/** What an address and port were before, whichever of the two changed. */
function endBefore(before: (field: string) => string | undefined): string | undefined {
  const one = (side: "src" | "dst") => {
    const port = before(`tcp.${side}port`) ?? before(`udp.${side}port`);
    const address = before(`ip.${side}`);
    return address === undefined && port === undefined ? undefined : `${address ?? ""}${port === undefined ? "" : `:${port}`}`;
  };
  return one("dst") ?? one("src");
}

interface PairProps {
  readonly name: string;
  readonly from: string;
  readonly to: string;
  readonly isFromChanged: boolean;
  readonly isToChanged: boolean;
  readonly note?: string | undefined;
  readonly isNew?: boolean;
}

function Pair({ name, from, to, isFromChanged, isToChanged, note, isNew = false }: PairProps) {
  const isChanged = isFromChanged || isToChanged || isNew;
  return (
    <span class={isNew ? "pair new" : "pair"}>
      <span class="layer">{name}</span>
      <span class={isFromChanged ? "changed" : ""}>{isFromChanged ? `▲ ${from}` : from}</span>
      <span class="muted">→</span>
      <span class={isToChanged ? "changed" : ""}>{isToChanged ? `▲ ${to}` : to}</span>
      {isChanged && note !== undefined ? <span class="muted was">{isNew ? note : `(← ${note})`}</span> : null}
    </span>
  );
}
