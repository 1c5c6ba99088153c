/** What the demo's numbers mean, in words. */
import type { Similarity } from '../index.js';

export const EXPLANATION: readonly string[] = [
  'Exact recall: every pixel of the recalled image rounds to the grey level of the stored one. Right source: of ' +
    'all stored images, the one that the cue was made of has the largest association. Right class: the class ' +
    'with the largest readout, labels being the values of the memory.',
  'Where no beta lets a stored image hold its own association, the memory is shown at its sharpest: with beta ' +
    'without bound it answers with the nearest item.',
  'What a similarity cannot see, no memory can recall. The Euclidean distance is the right measure for noise that ' +
    'is the same on every pixel. It is the wrong one for a blanked half: dark images are closer to the cue than the ' +
    'whole image is. The cosine takes the length of a vector out and tolerates a little more. Dot products favour ' +
    'bright images whatever the cue: on raw pixels most stored images are not even nearest to themselves. A ' +
    'similarity that knows which pixels are missing would recover the blanked images.',
];

export const SOFT_RETRIEVAL =
  'Search ranks by cosine; the association adds how much each document counts in the answer (all weights sum to 100 %).';

/** Which row of the contact sheet is what. */
export function sheetLegend(similarities: readonly Similarity[]): string[] {
  return [
    `Three blocks: lower half blanked, noise, never seen. Rows in each: the cue; what was recalled by ` +
      `${similarities.join(', by ')}; for the stored images at last the truth.`,
    'A green frame is an exact recall (never seen: the right class), a red one is not.',
  ];
}
