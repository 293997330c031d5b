/**
 * Frames that move: drawn into a layer of their own by the browser's animations, so that nothing of the page is drawn anew for each step.
 */

import type { Motion } from "../../engine/queries/moment.ts";
import type { Layout, Point } from "../../../../src/report/topology-layout.ts";
import { portOf } from "./places.ts";
import { PROTOCOL_SHAPES } from "./shapes.ts";

const SVG = "http://www.w3.org/2000/svg";
const LEG_MS_MAX = 450;
const FADE = 0.08;
/** More frames at once only blur. */
const DOTS_MAX = 120;

/** What moves in each layer: asking the elements for their animations would bring all styles up to date at every step. */
const moving = new WeakMap<SVGGElement, Set<Animation>>();

interface Timed {
  readonly motion: Motion;
  readonly rank: number;
}

/** Legs one after the other, and how long each takes when all are shown within `budgetMs`: a frame leaves, its copies arrive together. */
function schedule(motions: readonly Motion[], budgetMs: number): { readonly legs: readonly Timed[]; readonly legMs: number; readonly turns: number } {
  const turnOf = ({ leg, flight }: Motion) => (leg === "out" ? flight.id * 2 : flight.id * 2 + 1);
  const turns = [...new Set(motions.map(turnOf))].sort((a, b) => a - b);
  const ranks = new Map(turns.map((turn, rank) => [turn, rank]));
  return { legs: motions.map((motion) => ({ motion, rank: ranks.get(turnOf(motion)) as number })), legMs: Math.min(LEG_MS_MAX, budgetMs / turns.length), turns: turns.length };
}

/** The time that the motions take, in milliseconds. */
export function durationOf(motions: readonly Motion[], budgetMs: number): number {
  if (motions.length === 0) return 0;
  const { turns, legMs } = schedule(motions, budgetMs);
  return turns * legMs;
}

export function playMotions(layer: SVGGElement, motions: readonly Motion[], layout: Layout, budgetMs: number): void {
  if (motions.length === 0) return;
  const { legs, legMs } = schedule(motions, budgetMs);
  for (const { motion, rank } of legs) playLeg(layer, motion, layout, rank * legMs, legMs);
}

function playLeg(layer: SVGGElement, { flight, leg, node }: Motion, layout: Layout, delay: number, duration: number): void {
  const middle = layout.places.get(`link/${flight.link}`);
  if (middle === undefined || layer.childElementCount >= DOTS_MAX) return;
  const end = node.startsWith("link/") ? middle : portOf(layout, node, flight.link);
  const [from, to] = leg === "out" ? [end, middle] : [middle, end];
  const dot = drawDot(flight.protocol, leg === "out" || !flight.isBroadcast ? flight.label : "");
  dot.style.opacity = "0";
  layer.append(dot);
  const keyframes = [
    { transform: at(from), opacity: 0, offset: 0 },
    { transform: at(from), opacity: 1, offset: FADE },
    { transform: at(to), opacity: 1, offset: 1 - FADE },
    { transform: at(to), opacity: 1, offset: 1 },
  ];
  const animation = dot.animate(keyframes, { duration: Math.max(duration, 1), delay, easing: "ease-in-out", fill: "forwards" });
  const own = moving.get(layer) ?? new Set();
  moving.set(layer, own.add(animation));
  animation.onfinish = () => {
    own.delete(animation);
    dot.remove();
  };
}

/** Takes away what still moves. */
export function stopMotions(layer: SVGGElement): void {
  const own = moving.get(layer);
  moving.delete(layer);
  for (const animation of own ?? []) animation.cancel();
  layer.replaceChildren();
}

function drawDot(protocol: Motion["flight"]["protocol"], label: string): SVGGElement {
  const group = document.createElementNS(SVG, "g");
  group.setAttribute("class", `dot ${protocol}`);
  const path = document.createElementNS(SVG, "path");
  path.setAttribute("d", PROTOCOL_SHAPES[protocol]);
  group.append(path);
  if (label !== "") {
    const text = document.createElementNS(SVG, "text");
    text.setAttribute("x", "17");
    text.setAttribute("y", "5");
    text.setAttribute("class", "beside");
    text.textContent = label;
    group.append(text);
  }
  return group;
}

function at({ x, y }: Point): string {
  return `translate(${x}px, ${y}px)`;
}
