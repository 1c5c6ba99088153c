// Hidden things and noisy views of them: what the clients of the example have seen.

/** A repeatable source of uniform numbers (mulberry32). */
function seeded(seed) {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let t = state;
    t = Math.imul(t ^ (t >>> 15), t | 1);
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61);
    return ((t ^ (t >>> 14)) >>> 0) / 4294967296;
  };
}

/** count x dim of +-1. Nobody in the federation knows them; run.mjs does, to tell how well they were found. */
export function hiddenArchetypes({ seed, count, dim }) {
  const random = seeded(seed);
  return Int8Array.from({ length: count * dim }, () => (random() < 0.5 ? -1 : 1));
}

/** A client's examples: each is an archetype with every sign right with probability (1 + quality) / 2. */
export function examplesOf(client, { seed, count, dim, samples, quality }) {
  const archetypes = hiddenArchetypes({ seed, count, dim });
  const random = seeded(seed + 1000 * (client + 1));
  const examples = new Int8Array(samples * dim);
  for (let row = 0; row < samples; ++row) {
    const which = Math.floor(random() * count);
    for (let at = 0; at < dim; ++at) {
      const right = random() < (1 + quality) / 2;
      examples[row * dim + at] = right ? archetypes[which * dim + at] : -archetypes[which * dim + at];
    }
  }
  return examples;
}

/** For each hidden archetype the largest overlap |<found, hidden>| / dim with one that was found. */
export function overlaps(found, hidden, dim) {
  const product = (a, b) => {
    let sum = 0;
    for (let at = 0; at < dim; ++at) sum += found[a * dim + at] * hidden[b * dim + at];
    return Math.abs(sum) / dim;
  };
  const rows = (matrix) => Array.from({ length: matrix.length / dim }, (_, row) => row);
  return rows(hidden).map((b) => Math.max(0, ...rows(found).map((a) => product(a, b))));
}
