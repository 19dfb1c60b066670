/** Statistics as pure functions, each naming its method; the same as harness-sdk's. */

/** A box plot's numbers. */
export interface BoxPlot {
  min: number;
  q1: number;
  median: number;
  q3: number;
  max: number;
  /** Samples beyond 1.5 IQR from the quartiles, in the order they were taken. */
  outliers: number[];
}

/**
 * Tukey's box plot: quartiles by `quantile`, whiskers at the last samples within 1.5 interquartile ranges of the
 * quartiles. Undefined without samples, or where one is not a finite number: there is nothing true to say.
 */
export function boxPlot(samples: readonly number[]): BoxPlot | undefined {
  if (samples.length === 0 || !samples.every(Number.isFinite)) return undefined;
  const sorted = ascending(samples);
  const [q1, median, q3] = [quantile(sorted, 0.25), quantile(sorted, 0.5), quantile(sorted, 0.75)];
  const reach = 1.5 * (q3 - q1);
  const outlies = (sample: number) => sample < q1 - reach || sample > q3 + reach;
  const inside = sorted.filter((sample) => !outlies(sample));
  // The quartiles lie between samples that are inside, so there is always one.
  const [min, max] = [inside[0] ?? median, inside.at(-1) ?? median];
  return { min, q1, median, q3, max, outliers: samples.filter(outlies) };
}

/**
 * Quantile `p` (0 to 1) of ascending, non-empty `sorted`, by linear interpolation at p·(n−1): type 7 of Hyndman and
 * Fan, "Sample Quantiles in Statistical Packages" (1996).
 */
export function quantile(sorted: readonly number[], p: number): number {
  const position = p * (sorted.length - 1);
  const below = sorted[Math.floor(position)] ?? Number.NaN;
  const above = sorted[Math.ceil(position)] ?? Number.NaN;
  return below + (above - below) * (position - Math.floor(position));
}

/** A percentile is printed only where at least this many samples lie beyond it: n·(1−p) ≥ 10. */
const MIN_SAMPLES_BEYOND = 10;

/** The percentile `p` (0 to 1) by nearest rank; undefined where fewer than ten samples lie beyond it. */
export function percentile(samples: readonly number[], p: number): number | undefined {
  // 1 - 0.9 is a little below a tenth: 100 samples must do for p90.
  if (samples.length * (1 - p) + 1e-6 < MIN_SAMPLES_BEYOND) return undefined;
  return ascending(samples)[Math.ceil(samples.length * p - 1e-9) - 1];
}

function ascending(samples: readonly number[]): number[] {
  return [...samples].sort((a, b) => a - b);
}

/** Goodput in Gbps: `bytes` × 8 / seconds / 10⁹. */
export function gbps(bytes: number, ms: number): number {
  return (bytes * 8) / (ms / 1e3) / 1e9;
}
