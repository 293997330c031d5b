/**
 * What the stage shows as one SVG file that needs nothing else: every drawing at its place, with the colours that it has on the screen.
 */

const SVG = "http://www.w3.org/2000/svg";
/** What style sheets give to drawings and elements hand down; written into the file as attributes where it changes. */
const PROPERTIES = [
  "fill",
  "fill-opacity",
  "stroke",
  "stroke-width",
  "stroke-dasharray",
  "stroke-opacity",
  "stroke-linecap",
  "stroke-linejoin",
  "font-family",
  "font-size",
  "font-weight",
  "font-style",
  "text-anchor",
  "dominant-baseline",
  "paint-order",
  "marker-end",
  "visibility",
];
/** What only the page needs. */
const LEFT_OUT = ["class", "style", "tabindex", "tabIndex", "role", "aria-pressed", "data-node"];
const CAPTION_PIXELS = 46;
const MARGIN = 14;
/** Smaller drawings are signs beside words. */
const DRAWING_PIXELS_MIN = 60;

export interface Picture {
  readonly svg: string;
  readonly width: number;
  readonly height: number;
}

/** undefined when the stage has no drawing. `lines`: what stands below it. */
export function pictureOf(stage: Element, lines: readonly [string, string]): Picture | undefined {
  const drawings = [...stage.querySelectorAll<SVGSVGElement | HTMLCanvasElement>("svg:not(.sign), canvas")].filter((one) => one.parentElement?.closest("svg") === null && isLarge(one));
  if (drawings.length === 0) return undefined;
  const box = stage.getBoundingClientRect();
  const [width, height] = [Math.ceil(box.width), Math.ceil(box.height) + CAPTION_PIXELS];
  const style = getComputedStyle(stage);
  const color = (name: string) => style.getPropertyValue(name).trim();
  const root = element("svg", { xmlns: SVG, width, height, viewBox: `0 0 ${width} ${height}` });
  const title = element("title", {});
  title.textContent = lines[0];
  root.append(title, element("rect", { width, height, fill: color("--panel") }));
  for (const drawing of drawings) root.append(placed(drawing, box));
  for (const [index, line] of lines.entries()) {
    const text = element("text", {
      x: MARGIN,
      y: height - CAPTION_PIXELS + 18 + index * 18,
      fill: color(index === 0 ? "--text" : "--muted"),
      "font-family": "sans-serif",
      "font-size": 13,
      "font-weight": index === 0 ? 600 : 400,
    });
    text.textContent = line;
    root.append(text);
  }
  return { svg: `<?xml version="1.0" encoding="UTF-8"?>\n${new XMLSerializer().serializeToString(root)}\n`, width, height };
}

function isLarge(drawing: Element): boolean {
  const { width, height } = drawing.getBoundingClientRect();
  return drawing.checkVisibility() && width >= DRAWING_PIXELS_MIN && height >= DRAWING_PIXELS_MIN;
}

function element(name: string, attributes: Readonly<Record<string, string | number>>): SVGElement {
  const made = document.createElementNS(SVG, name);
  for (const [key, value] of Object.entries(attributes)) if (key !== "xmlns") made.setAttribute(key, String(value));
  return made;
}

function placed(drawing: SVGSVGElement | HTMLCanvasElement, stage: DOMRect): SVGElement {
  const { x, y, width, height } = drawing.getBoundingClientRect();
  const at = { x: x - stage.x, y: y - stage.y, width, height };
  if (drawing instanceof HTMLCanvasElement) return element("image", { ...at, href: drawing.toDataURL("image/png") });
  const copy = drawing.cloneNode(true) as SVGSVGElement;
  dress(drawing, copy);
  // Room that a style sheet leaves around the drawing is part of its place.
  const style = getComputedStyle(drawing);
  const [left, top] = [Number.parseFloat(style.paddingLeft) || 0, Number.parseFloat(style.paddingTop) || 0];
  const inner = {
    x: at.x + left,
    y: at.y + top,
    width: Math.max(1, at.width - left - (Number.parseFloat(style.paddingRight) || 0)),
    height: Math.max(1, at.height - top - (Number.parseFloat(style.paddingBottom) || 0)),
  };
  for (const [key, value] of Object.entries(inner)) copy.setAttribute(key, String(value));
  copy.setAttribute("overflow", "visible");
  for (const one of copy.querySelectorAll("foreignObject, script")) one.remove();
  return copy;
}

/** Writes the style that each element has into its copy; what is not shown is left out. */
function dress(from: Element, to: Element, inherited?: CSSStyleDeclaration): void {
  const style = getComputedStyle(from);
  for (const [name, value] of PROPERTIES.map((one) => [one, style.getPropertyValue(one)] as const)) if (value !== inherited?.getPropertyValue(name)) to.setAttribute(name, value);
  if (style.opacity !== "1") to.setAttribute("opacity", style.opacity);
  for (const name of LEFT_OUT) to.removeAttribute(name);
  const [originals, copies] = [[...from.children], [...to.children]];
  for (const [index, original] of originals.entries()) {
    const copy = copies[index] as Element;
    if (getComputedStyle(original).display === "none") copy.remove();
    else dress(original, copy, style);
  }
}

/** The picture as PNG, `scale` pixels for one. */
export async function toPng({ svg, width, height }: Picture, scale: number): Promise<Blob> {
  const url = URL.createObjectURL(new Blob([svg], { type: "image/svg+xml" }));
  try {
    const image = new Image(width, height);
    image.src = url;
    await image.decode();
    const canvas = document.createElement("canvas");
    [canvas.width, canvas.height] = [width * scale, height * scale];
    canvas.getContext("2d")?.drawImage(image, 0, 0, canvas.width, canvas.height);
    return await new Promise((resolve, reject) => canvas.toBlob((blob) => (blob === null ? reject(new Error("the picture is too large")) : resolve(blob)), "image/png"));
  } finally {
    URL.revokeObjectURL(url);
  }
}
