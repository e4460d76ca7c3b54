// Trains a small net with the package named on the command line and prints what came of it as JSON: the proof that
// libtensorflow, the binding and the package fit together.
const tf = require(process.argv[2]);

tf.enableProdMode();
const x = tf.linspace(-1, 1, 64).reshape([64, 1]);
const y = x.square();
const weights = [tf.randomNormal([1, 16], 0, 1, 'float32', 1), tf.randomNormal([16, 1], 0, 0.5, 'float32', 2)].map(
  (w) => tf.variable(w),
);
const loss = () => tf.losses.meanSquaredError(y, tf.matMul(tf.relu(tf.matMul(x, weights[0])), weights[1])).asScalar();
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
