// The picture of recalled images: each row one cue on its way, beside what was stored and the dense memory's answer.
import { centred, SIDE } from './fashion.mjs';

/**
 * @typedef {import('./clouds.mjs').Cloud} Cloud
 *
 * One cue: its flow, whether that named the right picture, what was stored, and the same of the dense memory.
 * @typedef {object} Row
 * @property {string} name
 * @property {{ step: number, cloud: Cloud }[]} stages
 * @property {boolean} isRight
 * @property {Cloud} stored
 * @property {{ cloud: Cloud, isRight: boolean }} dense
 */

/** Half the width of what is shown: the picture, and a margin for atoms that were moved out of it. */
const REACH = SIDE / 2 + 2;

/**
 * A cloud as light on black, its mean in the middle.
 * @param {Cloud} cloud
 * @param {string} title
 */
function picture(cloud, title) {
  const { points, weights } = centred(cloud);
  const atoms = Array.from(weights, (weight, i) => ({ x: points[2 * i], y: points[2 * i + 1], weight }));
  const axis = (/** @type {string} */ field, /** @type {boolean} */ reverse) => ({
    field,
    type: 'quantitative',
    axis: null,
    scale: { domain: [-REACH, REACH], nice: false, zero: false, reverse },
  });
  return {
    title: { text: title, fontSize: 11, fontWeight: 'normal', anchor: 'middle' },
    width: 112,
    height: 112,
    view: { fill: '#101418' },
    data: { values: atoms },
    mark: { type: 'circle', clip: true, color: '#ffd27f', opacity: 0.85 },
    encoding: {
      x: axis('x', false),
      y: axis('y', true),
      size: { field: 'weight', type: 'quantitative', legend: null, scale: { domain: [0, 0.02], range: [0, 60] } },
    },
  };
}

const verdict = (/** @type {boolean} */ isRight) => (isRight ? 'right' : 'wrong');

/**
 * The figure as a Vega-Lite specification.
 * @param {Row[]} rows
 */
export function stagesFigure(rows) {
  return {
    vconcat: rows.map(({ name, stages, isRight, stored, dense }) => ({
      title: { text: name, fontSize: 12 },
      hconcat: [
        ...stages.map(({ step, cloud }, at) => {
          if (at === 0) return picture(cloud, 'cue');
          return picture(cloud, at === stages.length - 1 ? `step ${step}: ${verdict(isRight)}` : `step ${step}`);
        }),
        picture(stored, 'stored'),
        picture(dense.cloud, `dense: ${verdict(dense.isRight)}`),
      ],
    })),
  };
}
