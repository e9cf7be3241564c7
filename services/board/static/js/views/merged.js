// One history out of tiers: days, then hours from where hours begin, then five minutes from where those begin.

const COARSEST_FIRST = ["day", "hour", "minute"];
const COLUMNS = ["rating", "lower", "upper", "share", "battles"];

/** Join the tiers of a model; times rise strictly, and each stretch is of the finest tier that has it. */
export function merged(tiers) {
  const known = COARSEST_FIRST.map((tier) => tiers[tier]).filter((tier) => tier?.t.length);
  const found = { t: [], ...Object.fromEntries(COLUMNS.map((column) => [column, []])) };
  known.forEach((tier, number) => {
    const until = Math.min(...known.slice(number + 1).map((finer) => finer.t[0]), Infinity);
    tier.t.forEach((time, at) => {
      if (time >= until || (found.t.length && time <= found.t.at(-1))) return;
      found.t.push(time);
      for (const column of COLUMNS) found[column].push(tier[column][at]);
    });
  });
  return found;
}
