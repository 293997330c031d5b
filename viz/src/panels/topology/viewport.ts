/**
 * Which part of the topology is in view: wheel and buttons zoom, dragging the background pans. A new world is shown whole.
 */

import { computed, effect, signal } from "@preact/signals";
import { places } from "./places.ts";

interface Viewport {
  /** 1: the whole picture. */
  readonly zoom: number;
  /** Centre, in units of the picture. */
  readonly x: number;
  readonly y: number;
}

const ZOOM_MAX = 8;
const WHEEL_FACTOR = 1.25;

const chosen = signal<Viewport | undefined>(undefined);

export const isZoomed = computed(() => chosen.value !== undefined);

export const viewBox = computed(() => {
  const { width, height } = places.value;
  const { zoom, x, y } = chosen.value ?? { zoom: 1, x: width / 2, y: height / 2 };
  return `${x - width / zoom / 2} ${y - height / zoom / 2} ${width / zoom} ${height / zoom}`;
});

const size = computed(() => `${places.value.width} ${places.value.height}`);
effect(() => {
  void size.value;
  chosen.value = undefined;
});

/** Zooms by a factor, keeping a point where it is. */
export function zoomBy(factor: number, at?: { readonly x: number; readonly y: number }): void {
  const { width, height } = places.value;
  const now = chosen.value ?? { zoom: 1, x: width / 2, y: height / 2 };
  const zoom = Math.min(ZOOM_MAX, now.zoom * factor);
  if (zoom <= 1) {
    chosen.value = undefined;
    return;
  }
  const point = at ?? now;
  const share = now.zoom / zoom;
  move({ zoom, x: point.x + (now.x - point.x) * share, y: point.y + (now.y - point.y) * share });
}

export function showAll(): void {
  chosen.value = undefined;
}

function move({ zoom, x, y }: Viewport): void {
  const { width, height } = places.value;
  chosen.value = { zoom, x: Math.min(width, Math.max(0, x)), y: Math.min(height, Math.max(0, y)) };
}

function pointOf(svg: SVGSVGElement, event: MouseEvent): { readonly x: number; readonly y: number } | undefined {
  const matrix = svg.getScreenCTM();
  if (matrix === null) return undefined;
  const { x, y } = new DOMPoint(event.clientX, event.clientY).matrixTransform(matrix.inverse());
  return { x, y };
}

export function onWheel(event: WheelEvent): void {
  event.preventDefault();
  zoomBy(event.deltaY < 0 ? WHEEL_FACTOR : 1 / WHEEL_FACTOR, pointOf(event.currentTarget as SVGSVGElement, event));
}

/** Pans with the pointer while the picture is zoomed; nodes have their own use of it. */
export function onPointerDown(event: PointerEvent): void {
  const svg = event.currentTarget as SVGSVGElement;
  const start = chosen.value;
  const matrix = svg.getScreenCTM();
  if (start === undefined || matrix === null || event.button !== 0 || (event.target as Element).closest(".node") !== null) return;
  svg.setPointerCapture(event.pointerId);
  const onMove = (moved: PointerEvent) => move({ ...start, x: start.x - (moved.clientX - event.clientX) / matrix.a, y: start.y - (moved.clientY - event.clientY) / matrix.d });
  svg.addEventListener("pointermove", onMove);
  svg.addEventListener("pointerup", () => svg.removeEventListener("pointermove", onMove), { once: true });
}
