// Trains a small network with the package given on the command line and prints the result as JSON. This verifies that
// libtensorflow, the binding and the package work together.
const util = require('node:util');

const [, , packageFolder = ''] = process.argv;
// Node 23 removed this function. See also provideOldUtilFunctions in agent/machine/native-packages.ts.
Object.defineProperty(util, 'isNullOrUndefined', { value: (/** @type {unknown} */ value) => (value ?? null) === null });
const tf = require(packageFolder);

tf.enableProdMode();
const x = tf.linspace(-1, 1, 64).reshape([64, 1]);
const y = x.square();
const hidden = tf.variable(tf.randomNormal([1, 16], 0, 1, 'float32', 1));
const output = tf.variable(tf.randomNormal([16, 1], 0, 0.5, 'float32', 2));
const loss = () => tf.losses.meanSquaredError(y, tf.matMul(tf.relu(tf.matMul(x, hidden)), output)).asScalar();
const adam = tf.train.adam(0.05);
const before = loss().dataSync()[0];
for (let step = 0; step < 50; step++) adam.minimize(loss);
const after = loss().dataSync()[0];

process.stdout.write(
  JSON.stringify({
    backend: tf.getBackend(),
    tensorflow: tf.backend().binding.TF_Version,
    usesGpu: tf.backend().isUsingGpuDevice === true,
    before,
    after,
  }),
);
