// Logistic regression on points made up from the seed: a program of your own, for Node, without dependencies.
import { appendFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

/** @type {{ lr: number, l2: number, epochs: number }} */
const { lr, l2, epochs } = JSON.parse(process.argv[2] ?? '{}');
const { TRAWL_SEED = '0', TRAWL_METRICS, TRAWL_ARTIFACTS = '.' } = process.env;

const random = generator(Number(TRAWL_SEED));
const train = Array.from({ length: 400 }, point);
const test = Array.from({ length: 400 }, point);
const weights = [0, 0, 0];

process.on('SIGTERM', () => process.exit(0));

for (let epoch = 1; epoch <= epochs; epoch++) {
  for (const [x, y, label] of train) {
    const error = predict(x, y) - label;
    for (const [at, input] of [1, x, y].entries()) weights[at] -= lr * (error * input + l2 * weights[at]);
  }
  report({ epoch, test_loss: lossOn(test), train_loss: lossOn(train), test_accuracy: accuracyOn(test) });
  // A breath, in which a SIGTERM is heard.
  await new Promise((resolve) => setImmediate(resolve));
}
writeFileSync(join(TRAWL_ARTIFACTS, 'weights.json'), JSON.stringify(weights));

/** Metrics may go to stdout as well; in a file of their own they need not share it with what a library prints. */
function report(metrics) {
  const line = `${JSON.stringify(metrics)}\n`;
  if (TRAWL_METRICS === undefined) process.stdout.write(line);
  else appendFileSync(TRAWL_METRICS, line);
}

/** Two overlapping clouds: `[x, y, label]`. */
function point() {
  const label = random() < 0.5 ? 0 : 1;
  const spread = () => random() + random() + random() - 1.5;
  return [spread() + label, spread() - label, label];
}

function predict(x, y) {
  return 1 / (1 + Math.exp(-(weights[0] + weights[1] * x + weights[2] * y)));
}

function lossOn(points) {
  const one = ([x, y, label]) => -Math.log(Math.max(1e-12, label === 1 ? predict(x, y) : 1 - predict(x, y)));
  return points.reduce((sum, each) => sum + one(each), 0) / points.length;
}

function accuracyOn(points) {
  return points.filter(([x, y, label]) => predict(x, y) > 0.5 === (label === 1)).length / points.length;
}

/** A linear congruential generator with the constants of Numerical Recipes: enough for a toy. */
function generator(seed) {
  let state = seed >>> 0;
  return () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return state / 2 ** 32;
  };
}
