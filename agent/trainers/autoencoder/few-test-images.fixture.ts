import { firstOf, loadImages } from '../../data/load.ts';
import type { LoadImages } from './train.ts';

/** The number is large enough to include images of every class. */
const TEST_IMAGES = 100;

/**
 * Loads a data set with only some of its 10,000 test images. With all of them, a short training run would spend most of
 * its time on the evaluation.
 */
export const loadFewTestImages: LoadImages = async (name, dataDir) => {
  const { train, test } = await loadImages(name, dataDir);
  return { train, test: firstOf(test, TEST_IMAGES) };
};
