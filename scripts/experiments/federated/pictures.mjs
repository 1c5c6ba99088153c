// Pictures of signs, as SVG.

/**
 * Rows of square pictures; white is +1.
 * @param {{ name: string, pictures: ArrayLike<number>[] }[]} rows
 * @returns {string}
 */
export function pictureRows(rows) {
  const [pixel, gap, label] = [3, 8, 16];
  const side = Math.sqrt(rows[0].pictures[0].length);
  const size = side * pixel;
  const width = gap + Math.max(...rows.map(({ pictures }) => pictures.length)) * (size + gap);
  const height = rows.length * (label + size + gap) + gap;
  const parts = rows.map(({ name, pictures }, r) => {
    const top = gap + r * (label + size + gap);
    const shown = pictures.map((picture, k) => drawing(picture, side, pixel, gap + k * (size + gap), top + label));
    return `<text x="${gap}" y="${top + label - 5}">${name}</text>${shown.join('')}`;
  });
  return (
    `<svg xmlns="http://www.w3.org/2000/svg" width="${width}" height="${height}" viewBox="0 0 ${width} ${height}" ` +
    'font-family="Helvetica, Arial, sans-serif" font-size="12" fill="#222">' +
    `<rect width="100%" height="100%" fill="white"/>${parts.join('')}</svg>\n`
  );
}

/** One picture: a dark square, and a path around what is light, a run of pixels at a time. */
function drawing(
  /** @type {ArrayLike<number>} */ picture,
  /** @type {number} */ side,
  /** @type {number} */ pixel,
  /** @type {number} */ left,
  /** @type {number} */ top,
) {
  let path = '';
  for (let y = 0; y < side; ++y) {
    for (let x = 0; x < side; ++x) {
      const begin = x;
      while (x < side && picture[y * side + x] > 0) ++x;
      if (x > begin) path += `M${begin} ${y}h${x - begin}v1h${begin - x}z`;
    }
  }
  return (
    `<g transform="translate(${left} ${top}) scale(${pixel})"><rect width="${side}" height="${side}" fill="#101418"/>` +
    `<path d="${path}" fill="#ffd27f"/></g>`
  );
}
