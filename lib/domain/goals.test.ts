import { expect, test } from 'vitest';
import { usualGoal } from './goals.ts';

test.each(['psnr', 'psnr_peak1', 'test_psnr', 'accuracy', 'accuracy_top5', 'test_accuracy'])(
  'more %s is better',
  (metric) => {
    expect(usualGoal(metric)).toBe('maximize');
  },
);

test.each(['test_loss', 'train_total_loss', 'epoch_seconds', 'inaccuracy', 'loss_psnr_weighted'])(
  'less %s is better',
  (metric) => {
    expect(usualGoal(metric)).toBe('minimize');
  },
);
