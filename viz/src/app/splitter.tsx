/**
 * A bar between two parts of the page: dragged, or moved with the arrow keys.
 */

import type { Signal } from "@preact/signals";

export interface SplitterProps {
  readonly class: string;
  readonly label: string;
  /** Of the bar itself. */
  readonly direction: "vertical" | "horizontal";
  /** Size of the part to its right or below it, in pixels. */
  readonly value: Signal<number>;
  readonly min: number;
  readonly max: number;
}

const KEY_STEP = 24;

export function Splitter({ class: className, label, direction, value, min, max }: SplitterProps) {
  const set = (size: number) => {
    value.value = Math.round(Math.min(max, Math.max(min, size)));
  };
  const onPointerDown = (event: PointerEvent) => {
    const bar = event.currentTarget as HTMLElement;
    const start = direction === "vertical" ? event.clientX : event.clientY;
    const before = value.value;
    bar.setPointerCapture(event.pointerId);
    const onMove = (move: PointerEvent) => set(before + start - (direction === "vertical" ? move.clientX : move.clientY));
    bar.addEventListener("pointermove", onMove);
    bar.addEventListener("pointerup", () => bar.removeEventListener("pointermove", onMove), { once: true });
  };
  return (
    // biome-ignore lint/a11y/useSemanticElements: a separator that can be moved is no <hr>
    <div
      class={`splitter ${className}`}
      role="separator"
      tabIndex={0}
      aria-label={label}
      aria-orientation={direction}
      aria-valuenow={value.value}
      aria-valuemin={min}
      aria-valuemax={max}
      onPointerDown={onPointerDown}
      onKeyDown={(event) => {
        const sign = event.key === "ArrowLeft" || event.key === "ArrowUp" ? 1 : event.key === "ArrowRight" || event.key === "ArrowDown" ? -1 : 0;
        if (sign === 0) return;
        event.preventDefault();
        event.stopPropagation();
        set(value.value + sign * KEY_STEP);
      }}
    />
  );
}
