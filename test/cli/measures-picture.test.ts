/** The picture of recall: the SVG is parsed, and every mark is where it belongs. */
import { expect } from 'chai';
import { drawRecalls, type PictureOptions, type Recall } from '../../lib/cli/measures/picture.js';
import { element, escaped } from '../../lib/cli/svg.js';
import { allOf, parseSvg, type SvgElement } from '../support/svg.js';

const plane: PictureOptions = { dim: 2, downwards: false };

const cloud = (points: readonly number[], weights: readonly number[]) => ({
  points: Float32Array.from(points),
  weights: Float32Array.from(weights),
});

/** Two points that move right in two steps, onto a stored cloud of three. */
const recall: Recall = {
  title: 'query 0',
  path: cloud([0, 0, 0, 1, 5, 0, 5, 1, 9, 0, 9, 1], [0.5, 0.5, 0.5, 0.5, 0.2, 0.8]),
  states: 3,
  recalled: cloud([9, 0, 9, 1], [0.2, 0.8]),
  stored: cloud([9, 0, 9, 1, 10, 1], [0.25, 0.5, 0.25]),
};

const numberOf = (mark: SvgElement, name: string): number => Number(mark.attributes[name]);
const marks = (panel: SvgElement, kind: string, tag = 'circle'): SvgElement[] =>
  allOf(panel, (one) => one.attributes.class === kind).flatMap((group) => allOf(group, (one) => one.name === tag));
const panelsOf = (svg: string): SvgElement[] => allOf(parseSvg(svg), (one) => one.attributes.class === 'panel');
const corners = (line: SvgElement): number[][] =>
  line.attributes.points!.split(' ').map((corner) => corner.split(',').map(Number));

/** Every mark of a panel, with its radius, lies within the panel's frame. */
function expectInside(panel: SvgElement): void {
  const [frame] = allOf(panel, (one) => one.attributes.class === 'frame');
  const [width, height] = [numberOf(frame!, 'width'), numberOf(frame!, 'height')];
  const places = [
    ...allOf(panel, (one) => one.name === 'circle').map((dot) => ['cx', 'cy', 'r'].map((name) => numberOf(dot, name))),
    ...allOf(panel, (one) => one.name === 'polyline').flatMap((line) => corners(line).map((corner) => [...corner, 0])),
  ];
  for (const [x = NaN, y = NaN, r = NaN] of places) {
    expect(x - r).to.be.at.least(0);
    expect(y - r).to.be.at.least(0);
    expect(x + r).to.be.at.most(width);
    expect(y + r).to.be.at.most(height);
  }
}

describe('picture of recall', () => {
  it('has a mark for each point, and a line from the cue to the recalled cloud', () => {
    const [panel] = panelsOf(drawRecalls([recall], plane));
    expect(marks(panel!, 'cue')).to.have.length(2);
    expect(marks(panel!, 'recalled')).to.have.length(2);
    expect(marks(panel!, 'stored')).to.have.length(3);
    const lines = marks(panel!, 'path', 'polyline').map(corners);
    const place = (mark: SvgElement): number[] => [numberOf(mark, 'cx'), numberOf(mark, 'cy')];
    expect(lines.map((line) => line.length)).to.deep.equal([3, 3]);
    expect(lines.map((line) => line[0])).to.deep.equal(marks(panel!, 'cue').map(place));
    expect(lines.map((line) => line.at(-1))).to.deep.equal(marks(panel!, 'recalled').map(place));
    expectInside(panel!);
  });

  it('keeps proportions, and areas in proportion to weights', () => {
    const [panel] = panelsOf(drawRecalls([recall], plane));
    const [low, high] = marks(panel!, 'stored');
    const [lowest, highest] = marks(panel!, 'recalled');
    const perUnit = numberOf(low!, 'cy') - numberOf(high!, 'cy'); // upwards
    const [start] = marks(panel!, 'cue');
    // Coordinates are rounded to hundredths of a pixel.
    expect(numberOf(low!, 'cx') - numberOf(start!, 'cx')).to.be.closeTo(9 * perUnit, 0.1);
    expect((numberOf(highest!, 'r') / numberOf(lowest!, 'r')) ** 2).to.be.closeTo(4, 0.05);
    expect((numberOf(highest!, 'r') / numberOf(start!, 'r')) ** 2).to.be.closeTo(0.8 / 0.5, 0.02);
  });

  it('lets the rows of pixels count downwards', () => {
    const [panel] = panelsOf(drawRecalls([recall], { dim: 2, downwards: true }));
    const [first, second] = marks(panel!, 'cue');
    expect(numberOf(second!, 'cy')).to.be.above(numberOf(first!, 'cy'));
  });

  it('draws the first two of many coordinates, and of one coordinate the weight', () => {
    const deep: Recall = {
      ...recall,
      path: cloud([0, 0, 99, 1, 1, -99], [0.5, 0.5]),
      states: 1,
      recalled: cloud([0, 0, 99, 1, 1, -99], [0.5, 0.5]),
      stored: cloud([0, 0, 7], [1]),
    };
    const [panel] = panelsOf(drawRecalls([deep], { dim: 3, downwards: false }));
    const [a, b] = marks(panel!, 'cue');
    expect(numberOf(b!, 'cx') - numberOf(a!, 'cx')).to.be.closeTo(numberOf(a!, 'cy') - numberOf(b!, 'cy'), 0.02);

    const line: Recall = { ...recall, path: cloud([0, 1], [0.1, 0.9]), states: 1, recalled: cloud([0, 1], [0.1, 0.9]), stored: cloud([0.5], [1]) };
    const [flat] = panelsOf(drawRecalls([line], { dim: 1, downwards: true }));
    const [light, heavy] = marks(flat!, 'cue');
    expect(numberOf(heavy!, 'cy')).to.be.below(numberOf(light!, 'cy'));
    expectInside(flat!);
  });

  it('keeps everything within its frame whatever the coordinates', () => {
    const hostile: Recall[] = [
      { ...recall, path: cloud([3, 3], [1]), states: 1, recalled: cloud([3, 3], [1]), stored: cloud([3, 3], [1]) },
      { ...recall, path: cloud([-9e18, 9e18], [1]), states: 1, recalled: cloud([9e18, -9e18], [1]), stored: cloud([0, 0], [1]) },
      { ...recall, path: cloud([1e-40, 0], [1]), states: 1, recalled: cloud([0, 1e-40], [1]), stored: cloud([0, 0], [1]) },
      { ...recall, path: cloud([0, 0, 1, 1], [1, 0]), states: 1, recalled: cloud([0, 0, 1, 1], [0, 1]), stored: cloud([2, 2], [1]) },
    ];
    const panels = panelsOf(drawRecalls(hostile, plane));
    expect(panels).to.have.length(4);
    panels.forEach(expectInside);
    const [only] = marks(panels[0]!, 'cue');
    expect([numberOf(only!, 'cx'), numberOf(only!, 'cy')]).to.deep.equal([160, 160]);
  });

  it('sets panels side by side without overlap, inside the document', () => {
    const svg = drawRecalls(Array.from({ length: 6 }, () => recall), plane);
    const root = parseSvg(svg);
    const boxes = panelsOf(svg).map((panel) => {
      const [x = NaN, y = NaN] = panel.attributes.transform!.replace(/translate\((.*)\)/, '$1').split(' ').map(Number);
      const [frame] = allOf(panel, (one) => one.attributes.class === 'frame');
      return { x, y, right: x + numberOf(frame!, 'width'), bottom: y + numberOf(frame!, 'height') };
    });
    for (const [at, box] of boxes.entries()) {
      expect(box.right).to.be.at.most(numberOf(root, 'width'));
      expect(box.bottom).to.be.at.most(numberOf(root, 'height'));
      for (const other of boxes.slice(at + 1)) {
        expect(other.x >= box.right || other.y >= box.bottom || other.right <= box.x).to.equal(true);
      }
    }
  });

  it('says what is what, in text that cannot become markup', () => {
    const title = '<b>&"rose".csv';
    const root = parseSvg(drawRecalls([{ ...recall, title }], plane));
    const texts = allOf(root, (one) => one.name === 'text').map(({ text }) => text);
    expect(texts).to.deep.equal([title, 'cue', 'path', 'recalled', 'nearest stored']);
  });

  it('leaves out characters that XML has not', () => {
    expect(escaped('a\u0000\u001b\ufffeb\n')).to.equal('ab\n');
    expect(element('a', { b: '"<', c: 1.23456 })).to.equal('<a b="&quot;&lt;" c="1.23"/>');
  });
});
