// The results of a run of the device bundle as Markdown: engram beside its peers.

const significant = (x) => (x === undefined ? '' : Number(x.toPrecision(4)).toString());
const milliseconds = (row) => significant(1e3 * row.seconds);
const rate = (row) => `${significant(row.amount / row.seconds)} ${row.unit}/s`;

/** The runner's rows, each followed by what stands beside it. */
function rowsOf(runner, peers) {
  return (runner.rows ?? []).flatMap((row) => {
    const floor = row.floorSeconds > 0 ? `${significant((100 * row.floorSeconds) / row.seconds)} % of ${row.floorOf}` : '';
    const name = row.wrong === '' ? row.name : `${row.name} **WRONG: ${row.wrong}**`;
    const others = (peers.rows ?? []).filter(({ beside }) => beside === row.name);
    return [
      `| ${name} | ${milliseconds(row)} | ${rate(row)} | ${floor} | |`,
      ...others.map((peer) => {
        const error = peer.error === null ? '' : `, error ${peer.error.toExponential(1)}`;
        return `| – ${peer.name}${error} | ${milliseconds(peer)} | ${rate(peer)} | | ${significant(peer.seconds / row.seconds)}x |`;
      }),
    ];
  });
}

const facts = (report) => Object.entries(report?.facts ?? {}).map(([name, value]) => `- ${name}: ${value}`);

function counted(title, report) {
  if (report === undefined) return `- ${title}: no report`;
  const { passed, failed, skipped } = report;
  return `- ${title}: ${passed} passed, ${failed} failed, ${skipped} skipped`;
}

export function summarise({ conformance, runner, calls, peers }, totals) {
  const lines = [
    '# engram on a device',
    '',
    totals,
    '',
    counted('conformance', conformance),
    counted('native runner', runner),
    counted('calls of the library', calls),
    ...(runner?.skips ?? []).map((skip) => `- SKIPPED: ${skip}`),
    ...(runner?.failures ?? []).map((failure) => `- FAILED: ${failure}`),
    ...(peers.skipped ? [`- SKIPPED: PyTorch peers: ${peers.skipped}`] : []),
    '',
    '## Device',
    '',
    ...facts(runner),
    '',
    '## Native runner, and PyTorch beside it',
    '',
    '| row | ms, median | rate | floor / time | peer / engram |',
    '| --- | ---: | ---: | ---: | ---: |',
    ...rowsOf(runner ?? {}, peers),
    '',
    '## Calls of the library',
    '',
    '| call | device | ms, median |',
    '| --- | --- | ---: |',
    ...(calls?.rows ?? []).map((row) => `| ${row.name} | ${row.device} | ${milliseconds(row)} |`),
    '',
    '## PyTorch',
    '',
    ...facts(peers),
    '',
    ...(peers.rows ?? []).filter(({ beside }) => beside === null).map((row) => `- ${row.name}: ${rate(row)}`),
    ...(peers.skips ?? []).map(({ name, reason }) => `- SKIPPED: ${name}: ${reason}`),
  ];
  return `${lines.join('\n')}\n`;
}
