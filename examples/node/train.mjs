// Logistic regression on random points: a Node program that trawl can sweep. The program has no dependencies.
import { appendFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

/** @type {{ lr: number, l2: number, epochs: number }} */
const { lr, l2, epochs } = JSON.parse(process.argv[2] ?? '{}');
const { TRAWL_SEED = '0', TRAWL_METRICS, TRAWL_ARTIFACTS = '.' } = process.env;

const random = generator(Number(TRAWL_SEED));
const train = Array.from({ length: 400 }, point);
const test = Array.from({ length: 400 }, point);
/** @type {[number, number, number]} */
const weights = [0, 0, 0];

process.on('SIGTERM', () => process.exit(0));

for (let epoch = 1; epoch <= epochs; epoch++) {
  for (const [x, y, label] of train) {
    const error = predict(x, y) - label;
    weights[0] -= lr * (error + l2 * weights[0]);
    weights[1] -= lr * (error * x + l2 * weights[1]);
    weights[2] -= lr * (error * y + l2 * weights[2]);
  }
  report({ epoch, test_loss: lossOn(test), train_loss: lossOn(train), test_accuracy: accuracyOn(test) });
  // Yields to the event loop, so that Node can handle SIGTERM.
  await new Promise((resolve) => setImmediate(resolve));
}
writeFileSync(join(TRAWL_ARTIFACTS, 'weights.json'), JSON.stringify(weights));

/**
 * Writes metrics to the file that TRAWL_METRICS names, so that output of libraries on stdout does not interfere.
 * Without trawl, writes the metrics to stdout.
 * @param {Record<string, number>} metrics
 */
function report(metrics) {
  const line = `${JSON.stringify(metrics)}\n`;
  if (TRAWL_METRICS === undefined) process.stdout.write(line);
  else appendFileSync(TRAWL_METRICS, line);
}

/**
 * Draws a point from one of two overlapping clouds.
 * @returns {[x: number, y: number, label: number]}
 */
function point() {
  const label = random() < 0.5 ? 0 : 1;
  const spread = () => random() + random() + random() - 1.5;
  return [spread() + label, spread() - label, label];
}

/**
 * @param {number} x
 * @param {number} y
 */
function predict(x, y) {
  return 1 / (1 + Math.exp(-(weights[0] + weights[1] * x + weights[2] * y)));
}

/** @param {[number, number, number][]} points */
function lossOn(points) {
  const losses = points.map(
    ([x, y, label]) => -Math.log(Math.max(1e-12, label === 1 ? predict(x, y) : 1 - predict(x, y))),
  );
  return losses.reduce((sum, loss) => sum + loss, 0) / points.length;
}

/** @param {[number, number, number][]} points */
function accuracyOn(points) {
  return points.filter(([x, y, label]) => predict(x, y) > 0.5 === (label === 1)).length / points.length;
}

/**
 * A linear congruential generator with the constants of Numerical Recipes: simple, and good enough for an example.
 * @param {number} seed
 */
function generator(seed) {
  let state = seed >>> 0;
  return () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return state / 2 ** 32;
  };
}
