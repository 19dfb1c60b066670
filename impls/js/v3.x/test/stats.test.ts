import assert from "node:assert/strict";
import { test } from "node:test";
import { boxPlot, gbps, percentile } from "../src/stats.ts";

// The vectors are those of harness-sdk/src/stats.rs: nodes must not differ in how they count.

test("one sample is all five numbers", () => {
  assert.deepEqual(boxPlot([3.5]), { min: 3.5, q1: 3.5, median: 3.5, q3: 3.5, max: 3.5, outliers: [] });
});

test("no spread has no outliers", () => {
  const plot = boxPlot(Array(7).fill(2));
  assert.deepEqual([plot?.min, plot?.max, plot?.outliers], [2, 2, []]);
});

test("nothing and NaN have no box", () => {
  for (const samples of [[], [1, Number.NaN], [1, Number.POSITIVE_INFINITY]]) {
    assert.equal(boxPlot(samples), undefined);
  }
});

test("quartiles are NumPy's", () => {
  const plot = boxPlot([4, 1, 3, 2]);
  assert.deepEqual([plot?.q1, plot?.median, plot?.q3], [1.75, 2.5, 3.25]);
});

test("whiskers stop at samples, and outliers keep their order", () => {
  const plot = boxPlot([100, 10, 11, 12, 13, -50, 12]);
  assert.deepEqual([plot?.min, plot?.max, plot?.outliers], [10, 13, [100, -50]]);
});

test("percentiles need ten samples beyond", () => {
  const samples = Array.from({ length: 100 }, (_, index) => index + 1);
  assert.equal(percentile(samples, 0.5), 50);
  assert.equal(percentile(samples, 0.9), 90);
  assert.equal(percentile(samples, 0.95), undefined);
  assert.equal(percentile([], 0.5), undefined);
});

test("a gigabyte in eight seconds is one Gbps", () => {
  assert.equal(gbps(1e9, 8000), 1);
});
