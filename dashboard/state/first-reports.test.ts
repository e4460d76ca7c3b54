import { expect, test } from 'vitest';
import { runningTrial } from '../../test/support/dashboard/sample.ts';
import { withFirstReports } from './first-reports.ts';

test('the first report of a trial is kept until the trial is retried', () => {
  const first = runningTrial(0, 1, { train_loss: 0.5 });
  const known = withFirstReports(new Map(), [first, runningTrial(0, 2, { train_loss: 0.2 })]);
  expect(known.get(first.id)?.metrics.train_loss).toBe(0.5);
  const retried = withFirstReports(known, [{ ...runningTrial(0, 0, {}), attempts: 2 }]);
  expect(retried.has(first.id)).toBe(false);
});

test('a trial whose first epoch was missed has no first report', () => {
  const late = runningTrial(0, 3, { train_loss: 0.2 });
  expect(withFirstReports(new Map(), [late]).has(late.id)).toBe(false);
});
