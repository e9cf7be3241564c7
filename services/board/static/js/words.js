// Numbers, shares and times as people read them.

const whole = new Intl.NumberFormat("en");
const MONTHS = "Jan Feb Mar Apr May Jun Jul Aug Sep Oct Nov Dec".split(" ");
const SPANS = [["year", 31_557_600], ["month", 2_629_800], ["day", 86_400], ["hour", 3600], ["minute", 60], ["second", 1]];
const ILLIONS = [[1e15, "quadrillion"], [1e12, "trillion"], [1e9, "billion"], [1e6, "million"]];

export const NONE = "–";

export const count = (number) => whole.format(Math.round(number));

/** "1 model", "2 models". */
export const some = (number, noun) => `${count(number)} ${noun}${number === 1 ? "" : "s"}`;

export const points = (rating) => (rating === null || rating === undefined ? NONE : rating.toFixed(1));

/** A share, 0.04 as "4 %": three significant digits. */
export function percent(share) {
  if (share === null || share === undefined) return NONE;
  return `${Number((100 * share).toPrecision(3))} %`;
}

const superscript = (number) => String(number).replace(/[-0-9]/g, (digit) => "⁻⁰¹²³⁴⁵⁶⁷⁸⁹"["-0123456789".indexOf(digit)]);

/** 10 to a power: "10⁸". */
export const power = (exponent) => `10${superscript(Math.floor(exponent + 1e-9))}`;

/** A large number from its logarithm, rounded down to what is safe to say: "93 million", "10²⁴". */
export function large(log10) {
  if (log10 >= 18) return power(log10);
  const number = 10 ** log10;
  for (const [size, word] of ILLIONS) {
    if (number >= size) {
      const part = number / size;
      return `${part >= 10 ? count(Math.floor(part)) : Math.floor(part * 10) / 10} ${word}`;
    }
  }
  return count(Math.floor(Number(number.toPrecision(2))));
}

const two = (number) => String(number).padStart(2, "0");

/** A time in UTC, epoch seconds in: "24 Nov, 17:20 UTC", with the year unless it is this one. */
export function moment(seconds, { exact = false, now = Date.now() / 1000 } = {}) {
  if (seconds === null || seconds === undefined) return NONE;
  const date = new Date(seconds * 1000);
  if (Number.isNaN(date.getTime())) return NONE;
  const year = date.getUTCFullYear() === new Date(now * 1000).getUTCFullYear() ? "" : ` ${date.getUTCFullYear()}`;
  const clock = `${two(date.getUTCHours())}:${two(date.getUTCMinutes())}${exact ? `:${two(date.getUTCSeconds())}` : ""}`;
  return `${date.getUTCDate()} ${MONTHS[date.getUTCMonth()]}${year}, ${clock} UTC`;
}

/** A time of day on this clock, for what happens here: "17:20:03". */
export function clock(seconds) {
  const date = new Date(seconds * 1000);
  return `${two(date.getUTCHours())}:${two(date.getUTCMinutes())}:${two(date.getUTCSeconds())} UTC`;
}

/** A span of seconds, in the largest unit that it has two of: "26 minutes", "24 hours", "2 days". */
export function span(seconds) {
  const [noun, size] = SPANS.find(([, each]) => seconds >= 2 * each) ?? SPANS.at(-1);
  return some(Math.floor(seconds / size), noun);
}

/** How long ago, in words. */
export function ago(seconds, now = Date.now() / 1000) {
  const gone = now - seconds;
  if (gone < -5) return `in ${span(-gone)}`;
  return gone < 2 ? "just now" : `${span(gone)} ago`;
}

/** Words of a name in code: "silent_removal" as "silent removal". */
export const spoken = (code) => String(code ?? NONE).replaceAll("_", " ");
