/** Pictures of recall: the cue, the way it took, what it became, and the stored cloud it came to, for each query. */
import { shorten } from '../format.js';
import { document, element, escaped, fixed } from '../svg.js';

/** Points and weights of one cloud. */
interface Cloud {
  readonly points: Float32Array;
  readonly weights: Float32Array;
}

/** One query's recall. */
export interface Recall {
  readonly title: string;
  /** The cloud after each step, one after the other; the first is the cue, and all have as many points. */
  readonly path: Cloud;
  /** States in the path, one or more. */
  readonly states: number;
  readonly recalled: Cloud;
  /** The stored cloud that is nearest to it. */
  readonly stored: Cloud;
}

export interface PictureOptions {
  /** Coordinates of a point; the first two are drawn. With only one, the weight is drawn upwards. */
  readonly dim: number;
  /** True where the second coordinate counts downwards, as rows of pixels do. */
  readonly downwards: boolean;
}

/** A place in a panel, or in the plane of the first two coordinates. */
type Place = readonly [x: number, y: number];

/** Places and shares of mass of a cloud's points. */
interface Marks {
  readonly places: readonly Place[];
  readonly weights: Float32Array;
}

/** In pixels. */
const SIDE = 320;
const GAP = 16;
const TITLE = 20;
const LEGEND = 24;
/** Largest radius; the frame keeps as much distance from the outermost points. */
const MOST_RADIUS = 7;
const PADDING = MOST_RADIUS + 5;
const COLUMNS = 4;
/** Characters that have room above a panel. */
const MOST_TITLE = 48;

// Okabe and Ito's colours, which people of any colour vision tell apart.
const STYLES = {
  stored: { fill: '#d0d0d0', stroke: '#909090', 'stroke-width': '0.5' },
  path: { fill: 'none', stroke: '#0072b2', 'stroke-width': '0.7', 'stroke-opacity': '0.5' },
  cue: { fill: '#e69f00', 'fill-opacity': '0.8' },
  recalled: { fill: '#0072b2', 'fill-opacity': '0.8' },
} as const;
/** What stands in the legend, and where it begins. */
const LEGEND_ENTRIES = [
  ['cue', 'cue', 5],
  ['path', 'path', 60],
  ['recalled', 'recalled', 115],
  ['stored', 'nearest stored', 200],
] as const;

/** Draws a panel for each recall. Areas of points are in proportion to their weights, alike within a panel. */
export function drawRecalls(recalls: readonly Recall[], options: PictureOptions): string {
  const columns = Math.min(COLUMNS, recalls.length);
  const rows = Math.ceil(recalls.length / columns);
  const [width, height] = [GAP + columns * (SIDE + GAP), rows * (TITLE + SIDE + GAP) + LEGEND];
  const panels = recalls.map((recall, at) => {
    const x = GAP + (at % columns) * (SIDE + GAP);
    const y = TITLE + Math.floor(at / columns) * (TITLE + SIDE + GAP);
    return panel(recall, options, [x, y]);
  });
  return document(width, height, 'Recalled clouds', [...panels, legend(GAP, height - LEGEND / 2)]);
}

function panel(recall: Recall, options: PictureOptions, [x, y]: Place): string {
  const states = statesOf(recall).map((state) => marksOf(state, options.dim));
  const recalled = marksOf(recall.recalled, options.dim);
  const stored = marksOf(recall.stored, options.dim);
  const all = [...states, recalled, stored];
  const toPanel = fit(all.flatMap(({ places }) => places), options);
  const radius = radiusRule(all);
  const dots = (kind: 'stored' | 'cue' | 'recalled', marks: Marks): string => circles(kind, marks, toPanel, radius);
  return element('g', { class: 'panel', transform: `translate(${fixed(x)} ${fixed(y)})` }, [
    element('text', { x: 0, y: -6 }, [escaped(shorten(recall.title, MOST_TITLE))]),
    element('rect', { class: 'frame', width: SIDE, height: SIDE, fill: 'none', stroke: '#b0b0b0' }),
    dots('stored', stored),
    paths(states, toPanel),
    dots('cue', states[0]!),
    dots('recalled', recalled),
  ]);
}

function statesOf({ path, states }: Recall): Cloud[] {
  const [points, weights] = [path.points.length / states, path.weights.length / states];
  return Array.from({ length: states }, (_, state) => ({
    points: path.points.subarray(state * points, (state + 1) * points),
    weights: path.weights.subarray(state * weights, (state + 1) * weights),
  }));
}

function marksOf({ points, weights }: Cloud, dim: number): Marks {
  const places = Array.from(weights, (weight, i): Place => [points[i * dim]!, dim > 1 ? points[i * dim + 1]! : weight]);
  return { places, weights };
}

/** Puts places into the frame: both axes at one scale, unless the second one is the weight. */
function fit(places: readonly Place[], { dim, downwards }: PictureOptions): (place: Place) => Place {
  const [left, right] = range(places, 0);
  const [low, high] = range(places, 1);
  const [width, height] = [right - left, high - low];
  const extents = dim > 1 ? [Math.max(width, height), Math.max(width, height)] : [width, height];
  const [xScale = 1, yScale = 1] = extents.map((extent) => (SIDE - 2 * PADDING) / (extent || 1));
  const upwards = downwards && dim > 1 ? 1 : -1;
  return ([x, y]) => [
    SIDE / 2 + (x - (left + right) / 2) * xScale,
    SIDE / 2 + upwards * (y - (low + high) / 2) * yScale,
  ];
}

function range(places: readonly Place[], axis: 0 | 1): [least: number, most: number] {
  let [least, most] = [Infinity, -Infinity];
  for (const place of places) {
    least = Math.min(least, place[axis]);
    most = Math.max(most, place[axis]);
  }
  return [least, most];
}

/** The heaviest point of all has the largest radius; that is smaller the more points there are. */
function radiusRule(all: readonly Marks[]): (weight: number) => number {
  let [points, heaviest] = [1, 0];
  for (const { weights } of all) {
    points = Math.max(points, weights.length);
    heaviest = weights.reduce((most, weight) => Math.max(most, weight), heaviest);
  }
  const largest = Math.min(MOST_RADIUS, Math.max(1.5, (0.3 * SIDE) / Math.sqrt(points)));
  return (weight) => largest * Math.sqrt(weight / (heaviest || 1));
}

function circles(
  kind: 'stored' | 'cue' | 'recalled',
  { places, weights }: Marks,
  toPanel: (place: Place) => Place,
  radius: (weight: number) => number,
): string {
  const dots = places.map((place, i) => {
    const [cx, cy] = toPanel(place);
    return element('circle', { cx, cy, r: radius(weights[i]!) });
  });
  return element('g', { class: kind, ...STYLES[kind] }, dots);
}

/** A line for each point, from where it was in the cue. */
function paths(states: readonly Marks[], toPanel: (place: Place) => Place): string {
  const lines = states[0]!.places.map((_, i) => {
    const corners = states.map(({ places }) => toPanel(places[i]!).map(fixed).join(','));
    // Steps that are too short to see do not make the file longer.
    const seen = corners.filter((corner, at) => corner !== corners[at - 1]);
    return element('polyline', { points: seen.join(' ') });
  });
  return element('g', { class: 'path', ...STYLES.path }, lines);
}

function legend(x: number, y: number): string {
  const entries = LEGEND_ENTRIES.map(([kind, meaning, offset]) => {
    const cx = x + offset;
    const sign =
      kind === 'path'
        ? element('line', { x1: cx - 5, x2: cx + 5, y1: y, y2: y, ...STYLES.path })
        : element('circle', { cx, cy: y, r: 5, ...STYLES[kind] });
    return sign + element('text', { x: cx + 10, y: y + 4 }, [meaning]);
  });
  return element('g', { class: 'legend' }, entries);
}
