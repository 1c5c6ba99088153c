// The results page: prose written by hand, with tables that the experiments fill in between marks:
//
//   <!-- table: NAME -->
//   ...
//   <!-- end -->

const TABLE = /<!-- table: ([\w-]+) -->\n[\s\S]*?<!-- end -->/g;

/**
 * The page with its tables replaced; those not in `tables` stay as they are.
 * @param {string} page
 * @param {Record<string, string>} tables
 */
export function fillTables(page, tables) {
  const places = new Set([...page.matchAll(TABLE)].map(([, name]) => name));
  const homeless = Object.keys(tables).filter((name) => !places.has(name));
  if (homeless.length > 0) throw new Error(`the page has no place for the tables ${homeless.join(', ')}`);
  return page.replace(TABLE, (found, name) =>
    name in tables ? `<!-- table: ${name} -->\n${tables[name]}\n<!-- end -->` : found,
  );
}
