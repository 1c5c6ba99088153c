/** Plots of a round, as SVG that takes its colours from the page around it. */
import { element, escaped, fixed } from '../svg.js';

/** In pixels. */
const WIDTH = 640;
const HEIGHT = 240;
const [LEFT, RIGHT, TOP, BOTTOM] = [56, 16, 12, 36];

/** A place on an axis. */
interface Tick {
  readonly at: number;
  readonly label: string;
}

interface Frame {
  readonly title: string;
  /** Says in words what the plot shows, for those who do not see it. */
  readonly description: string;
  readonly xLabel: string;
  readonly yLabel: string;
  readonly yTicks: readonly Tick[];
}

const plotX = (share: number): number => LEFT + share * (WIDTH - LEFT - RIGHT);
const plotY = (share: number): number => HEIGHT - BOTTOM - share * (HEIGHT - TOP - BOTTOM);

/** An image of this size with a title and a description. */
export function svg(width: number, height: number, title: string, description: string, children: readonly string[]): string {
  const size = { viewBox: `0 0 ${fixed(width)} ${fixed(height)}`, width, height, role: 'img' };
  return element('svg', size, [
    element('title', {}, [escaped(title)]),
    element('desc', {}, [escaped(description)]),
    ...children,
  ]);
}

function plot({ title, description, xLabel, yLabel, yTicks }: Frame, children: readonly string[]): string {
  const middle = { x: plotX(0.5), y: HEIGHT - 6, 'text-anchor': 'middle' };
  return svg(WIDTH, HEIGHT, title, description, [
    ...yTicks.map(({ at, label }) =>
      [
        element('line', { class: 'grid', x1: plotX(0), x2: plotX(1), y1: plotY(at), y2: plotY(at) }),
        element('text', { x: plotX(0) - 6, y: plotY(at) + 4, 'text-anchor': 'end' }, [escaped(label)]),
      ].join(''),
    ),
    element('text', middle, [escaped(xLabel)]),
    element('text', { x: 12, y: plotY(0.5), 'text-anchor': 'middle', transform: `rotate(-90 12 ${fixed(plotY(0.5))})` }, [
      escaped(yLabel),
    ]),
    ...children,
  ]);
}

/** Shares of a logarithmic axis between the powers of ten around the values. */
function logarithmic(values: readonly number[]): { share: (value: number) => number; ticks: Tick[] } {
  const positive = values.filter((value) => value > 0);
  const low = Math.floor(Math.log10(Math.min(...positive)));
  const high = Math.max(low + 1, Math.ceil(Math.log10(Math.max(...positive))));
  const ticks = Array.from({ length: high - low + 1 }, (_, i) => ({
    at: i / (high - low),
    label: String(Number((10 ** (low + i)).toPrecision(1))),
  }));
  const share = (value: number): number => (Math.log10(Math.max(value, 10 ** low)) - low) / (high - low);
  return { share, ticks };
}

/** Eigenvalues in falling order, with the edge of the noise and the cut. */
export function spectrumPlot(eigenvalues: readonly number[], edge: number, cut: number, detected: number): string {
  const { share, ticks } = logarithmic([...eigenvalues, edge, cut]);
  const x = (at: number): number => plotX((at + 0.5) / eigenvalues.length);
  const level = (value: number, kind: string): string =>
    element('line', { class: kind, x1: plotX(0), x2: plotX(1), y1: plotY(share(value)), y2: plotY(share(value)) });
  const dots = eigenvalues.map((value, at) =>
    element('circle', { class: at < detected ? 'signal' : 'noise', cx: x(at), cy: plotY(share(value)), r: 4 }, [
      element('title', {}, [`${at + 1}: ${value.toPrecision(4)}`]),
    ]),
  );
  return plot(
    {
      title: 'Spectrum',
      description: `${detected} of ${eigenvalues.length} eigenvalues lie beyond the cut at ${cut.toPrecision(3)}.`,
      xLabel: 'eigenvalue, from the largest',
      yLabel: 'scale of N J',
      yTicks: ticks,
    },
    [level(edge, 'edge'), level(cut, 'cut'), ...dots],
  );
}

const TENTHS: readonly Tick[] = [0, 0.25, 0.5, 0.75, 1].map((at) => ({ at, label: String(at) }));

/** One thing that is shown by bars side by side, with numbers from 0 to 1. */
export interface Series {
  readonly name: string;
  readonly kind: 'first' | 'second';
  readonly values: readonly number[];
}

/** Bars in groups, one group for each position. */
export function barPlot(title: string, xLabel: string, yLabel: string, series: readonly Series[]): string {
  const groups = series[0]?.values.length ?? 0;
  const width = (0.8 * (plotX(1) - plotX(0))) / Math.max(1, groups) / series.length;
  const bars = series.flatMap(({ name, kind, values }, which) =>
    values.map((value, at) => {
      const x = plotX((at + 0.1) / groups) + which * width;
      const height = plotY(0) - plotY(Math.min(1, value));
      return element('rect', { class: kind, x, y: plotY(0) - height, width, height }, [
        element('title', {}, [escaped(`${at}: ${name} ${value.toFixed(3)}`)]),
      ]);
    }),
  );
  const description = series
    .map(({ name, values }) => `${name}: ${values.map((value) => value.toFixed(2)).join(', ')}.`)
    .join(' ');
  return plot({ title, description, xLabel, yLabel, yTicks: TENTHS }, bars);
}

/** A line over rounds. */
export interface Course {
  readonly name: string;
  readonly kind: 'first' | 'second';
  readonly values: readonly number[];
}

/** Whole numbers over rounds. */
export function coursePlot(title: string, rounds: readonly number[], courses: readonly Course[]): string {
  const most = Math.max(1, ...courses.flatMap(({ values }) => values));
  const step = Math.ceil(most / 5);
  const top = step * Math.ceil(most / step);
  const yTicks = Array.from({ length: top / step + 1 }, (_, i) => ({ at: (i * step) / top, label: String(i * step) }));
  const x = (at: number): number => plotX((at + 0.5) / rounds.length);
  const lines = courses.map(({ name, kind, values }) => {
    const points = values.map((value, at) => `${fixed(x(at))},${fixed(plotY(value / top))}`).join(' ');
    const dots = values.map((value, at) =>
      element('circle', { class: kind, cx: x(at), cy: plotY(value / top), r: 3 }, [
        element('title', {}, [escaped(`round ${rounds[at]}: ${name} ${value}`)]),
      ]),
    );
    return element('polyline', { class: `${kind} course`, points }) + dots.join('');
  });
  const description = courses.map(({ name, values }) => `${name}: ${values.join(', ')}.`).join(' ');
  return plot({ title, description, xLabel: 'round', yLabel: 'count', yTicks }, lines);
}

/** A row of +-1 as an image: +1 in ink, -1 as paper. Runs of ink in a line are one rectangle. */
export function signImage(signs: ArrayLike<number>, width: number, height: number, title: string): string {
  const runs: string[] = [];
  for (let row = 0; row < height; ++row) {
    let start = 0;
    for (let column = 1; column <= width; ++column) {
      const inked = signs[row * width + start]! > 0;
      if (column < width && signs[row * width + column]! > 0 === inked) continue;
      if (inked) runs.push(`M${start} ${row}h${column - start}v1h${start - column}z`);
      start = column;
    }
  }
  const scale = Math.max(1, Math.round(112 / Math.max(width, height)));
  const picture = element('path', { class: 'ink', d: runs.join(''), transform: `scale(${scale})` });
  return svg(width * scale, height * scale, title, `${width} by ${height} signs`, [picture]);
}
