import { expect, test } from 'vitest';
import { midAnswers } from '../../test/support/dashboard/mid-sweep.ts';
import { sampleDashboard } from '../../test/support/dashboard/sample-dashboard.tsx';
import { SampleSource } from '../../test/support/dashboard/sample-source.ts';

async function frame(columns: number, answers = midAnswers): Promise<string> {
  const at = await sampleDashboard(new SampleSource(answers), { columns, rows: 59 });
  await at.press('j');
  const text = at.frame().join('\n');
  at.stop();
  return text;
}

test('the preview of a config on a wide terminal lists its replicates with their values', async () => {
  expect(await frame(200)).toMatch(
    /replicate +seed +state +epoch +test_loss +time +agent.*\n0e1f2a3b +0 +succeeded +4 +0\.20000 .*\n1e1f2a3b +1 +succeeded +4 +0\.20400 /,
  );
  expect(await frame(100)).not.toContain('replicate ');
});

test('curves that have not arrived are shown as loading', async () => {
  const { curves: _, ...answers } = midAnswers;
  const source = new SampleSource(answers);
  source.curves = () => new Promise(() => {});
  const at = await sampleDashboard(source, { columns: 200, rows: 59 });
  expect(at.frame().join('\n')).toContain('loading the curves...');
  at.stop();
});
