/** The test images on the device, and the loss on all of them. */
import * as tf from '@tensorflow/tfjs-core';
import { deviceRows } from './images.js';
import { PIXELS } from './model.js';
import { withNoise } from './noise.js';
/** Images in one forward pass: enough to keep a device busy, few enough that activations stay small (3 MB a layer). */
const CHUNK = 500;
export class TestSet {
    chunks;
    images;
    /** The noise is drawn once here, so that every epoch is measured on the same inputs. */
    constructor(images, noiseStd, random) {
        this.images = images.count;
        const chunks = [];
        for (let from = 0; from < images.count; from += CHUNK) {
            const to = Math.min(from + CHUNK, images.count);
            chunks.push(tf.tidy(() => {
                const rows = deviceRows(images, from, to);
                const target = tf.keep(tf.transpose(rows));
                const input = noiseStd > 0 ? tf.keep(tf.transpose(withNoise(rows, noiseStd, random))) : target;
                return { input, target };
            }));
        }
        this.chunks = chunks;
    }
    /**
     * Mean squared error per pixel between what `output` makes of each input and the clean image, over all images.
     * @param output `[pixels, images]` to the same shape; runs within a tidy.
     * @param pause awaited between chunks.
     */
    async loss(output, pause) {
        let sum = 0;
        for (const { input, target } of this.chunks) {
            await pause();
            const rowSums = tf.tidy(() => tf.sum(tf.squaredDifference(output(input), target), 1));
            try {
                for (const rowSum of await rowSums.data())
                    sum += rowSum;
            }
            finally {
                rowSums.dispose();
            }
        }
        return sum / (this.images * PIXELS);
    }
    dispose() {
        for (const { input, target } of this.chunks)
            tf.dispose([input, target]);
    }
}
//# sourceMappingURL=evaluation.js.map