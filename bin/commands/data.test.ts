import { mkdtemp, rm, truncate } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { runTrawl } from '../../test/support/cli/run-trawl.ts';

test('the data commands list, download and verify a data set, and detect a damaged file', async () => {
  const dir = await mkdtemp(join(tmpdir(), 'trawl-data-verb-'));
  onTestFinished(() => rm(dir, { recursive: true }));
  const data = (...args: string[]) => runTrawl('data', ...args, '--data', dir);

  const before = JSON.parse((await data('ls', '-o', 'json')).stdout);
  expect(before.map(({ state }: { state: string }) => state)).toEqual(['missing', 'missing']);
  expect(await data('verify')).toMatchObject({ exitCode: 0 });
  expect(await data('verify', 'mnist')).toMatchObject({
    exitCode: 2,
    stderr: expect.stringMatching(
      /mnist: not in .*train-images-idx3-ubyte.*; download it with "trawl data pull mnist"/,
    ),
  });

  expect(await data('pull', 'mnist')).toMatchObject({ exitCode: 0, stderr: `trawl: mnist: downloaded (${dir})\n` });
  expect((await data('pull', 'mnist')).stderr).toContain('already cached');
  expect(await data('verify', 'mnist')).toMatchObject({
    exitCode: 0,
    stdout: expect.stringMatching(/^data set +state +detail\nmnist +cached +52\.4 MiB, verified\n$/),
  });

  await truncate(join(dir, 'mnist', 't10k-labels-idx1-ubyte'), 100);
  expect(await data('ls')).toMatchObject({ exitCode: 0, stdout: expect.stringMatching(/mnist +damaged/) });
  expect(await data('verify')).toMatchObject({
    exitCode: 2,
    stderr: expect.stringMatching(/t10k-labels-idx1-ubyte has 100 bytes, expected 10008/),
  });
});

test('an unknown data set is rejected with the list of data sets', async () => {
  expect(await runTrawl('data', 'pull', 'emnist')).toMatchObject({
    exitCode: 2,
    stderr: expect.stringMatching(/emnist.*mnist, fashion-mnist/),
  });
});
