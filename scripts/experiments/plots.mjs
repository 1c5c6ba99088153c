// Figures: Vega-Lite specifications to SVG, without a browser.
import * as vega from 'vega';
import { compile } from 'vega-lite';

/** The look of all figures; legible on light and dark pages, because they bring their own background. */
const LOOK = {
  aria: false, // the page describes each figure; a label for every point would only be in the way
  background: 'white',
  padding: 12,
  font: 'Helvetica, Arial, sans-serif',
  axis: { gridColor: '#e6e6e6', domainColor: '#999', tickColor: '#999', labelColor: '#444', titleColor: '#222' },
  header: { labelFontSize: 12, labelFontWeight: 'bold' },
  legend: { title: null, orient: 'top', labelFontSize: 12, symbolOpacity: 1 },
  title: { anchor: 'start', fontSize: 13 },
  view: { stroke: null },
  line: { strokeWidth: 2 },
};

/** The colour of each method, the same in every figure (Okabe and Ito's palette). */
export const METHOD_COLOURS = {
  domain: ['SHK', 'H_vec', 'H_pt'],
  range: ['#0072b2', '#d55e00', '#009e73'],
};

/** A hundredth of a pixel is fine enough, and makes files half as large. */
const rounded = (/** @type {string} */ svg) =>
  svg.replace(/-?\d+\.\d{3,}(e-?\d+)?/g, (number) => String(Number(Number(number).toFixed(2))));

/**
 * The figure as SVG text.
 * @param {object} spec a Vega-Lite specification with its data in it
 * @returns {Promise<string>}
 */
export async function renderSvg(spec) {
  const { spec: compiled } = compile(/** @type {any} */ ({ ...spec, config: LOOK }));
  const view = new vega.View(vega.parse(compiled), { renderer: 'none' });
  try {
    return `${rounded(await view.toSVG())}\n`;
  } finally {
    view.finalize();
  }
}
