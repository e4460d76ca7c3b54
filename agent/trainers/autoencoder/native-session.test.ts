import { expect, test } from 'vitest';
import { runFixture } from '../../../test/support/run-fixture.ts';
import { probeBackends } from '../../machine/probe.ts';

const native = (await probeBackends()).some(({ name, loads }) => name === 'tensorflow' && loads);

test.runIf(native)('after its first session libtensorflow writes nothing into a trial’s log', async () => {
  const { stdout, stderr } = await runFixture(new URL('./native-session.fixture.ts', import.meta.url));
  expect(stdout).toBe('true\n');
  expect(stderr).toMatch(/(^|\n)ready\n$/);
});
