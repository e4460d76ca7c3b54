import { render } from 'ink-testing-library';
import { beforeAll, expect, test } from 'vitest';
import { sampleDashboard } from '../../test/support/dashboard/sample-dashboard.tsx';
import { SampleSource } from '../../test/support/dashboard/sample-source.ts';
import { setColors } from '../colors.ts';
import { StartView } from './StartView.tsx';

beforeAll(() => setColors({ color: false, ascii: false, plain: true }));

function drawn(steps: readonly string[], lines = 10, heading: readonly string[] = []): string[] {
  const app = render(<StartView heading={heading} steps={steps} columns={40} lines={lines} />);
  const frame = (app.lastFrame() ?? '').split('\n');
  app.unmount();
  return frame;
}

test('the last step is shown as in progress, and a small screen shows only the newest steps', () => {
  expect(drawn(['starting nats-server', 'starting the agent'])).toEqual([
    'starting nats-server',
    'starting the agent...',
  ]);
  expect(drawn(['a', 'b', 'c'], 2)).toEqual(['b', 'c...']);
});

test('the heading is above the steps, and a long heading is cut so that all steps fit', () => {
  expect(drawn(['starting the agent'], 10, ['sweep  demo', 'trials 8'])).toEqual([
    'sweep  demo',
    'trials 8',
    '',
    'starting the agent...',
  ]);
  const long = Array.from({ length: 20 }, (_, i) => `line ${i}`);
  expect(drawn(['a', 'b'], 10, long).slice(3)).toEqual(['line 3', '', 'a', 'b...']);
});

test('until the dashboard receives the sweep, every view shows the steps of the start, and keys already work', async () => {
  const at = await sampleDashboard(
    new SampleSource({ updates: [] }),
    { columns: 100, rows: 30 },
    { steps: ['connecting to box:7070'] },
  );
  expect(at.frame().join('\n')).toContain('connecting to box:7070...');
  await at.press('3');
  expect(at.frame().join('\n')).toContain('connecting to box:7070...');
  await at.press('q', 'q');
  expect(at.happened).toEqual(['left']);
  at.stop();
});
