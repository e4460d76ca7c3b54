import { loadImages } from '../../data/load.ts';
import type { LoadImages } from './train.ts';

/** Every class is among them. */
const TEST_IMAGES = 100;
const PIXELS = 28 * 28;

/** The data set with the first of its 10,000 test images, because evaluating all takes most of a short training's time. */
export const loadFewTestImages: LoadImages = async (name, dataDir) => {
  const { train, test } = await loadImages(name, dataDir);
  return {
    train,
    test: {
      ...test,
      count: TEST_IMAGES,
      pixels: test.pixels.subarray(0, TEST_IMAGES * PIXELS),
      labels: test.labels.subarray(0, TEST_IMAGES),
    },
  };
};
