import { join } from 'node:path';
import { expect, test } from 'vitest';
import type { TrialJson } from '../../bin/output/json.ts';
import { sweepFile, testFolder } from '../support/folder.ts';
import { trawlJson } from '../support/trawl.ts';

test('autoencoders have the same metrics in a pack as in single trials', { timeout: 300_000 }, async () => {
  const folder = testFolder();
  const file = sweepFile(
    folder,
    `
trainer: autoencoder
parameters:
  latent_dim: {values: [15, 40]}
  noise_std: {values: [0, 0.5]}
  train_size: {value: 640}
  test_size: {value: 500}
  epochs: {value: 2}
`,
  );
  const run = async (pack: string) => {
    const { trials } = await trawlJson<{ trials: TrialJson[] }>(
      ...['up', file, '--slots', '1', '--pack', pack, '--dir', join(folder, pack)],
    );
    return trials.map(({ trial, metrics }) => [trial, metrics.test_loss, metrics.train_loss]);
  };
  const alone = await run('off');
  const packed = await run('4');
  const close = (value: unknown) => expect.closeTo(Number(value), 4);
  expect(packed).toEqual(alone.map(([trial, test, train]) => [trial, close(test), close(train)]));
});
