import fc from 'fast-check';
import { render } from 'ink-testing-library';
import { beforeAll, expect, test } from 'vitest';
import { setColors } from '../colors.ts';
import { StateBar } from './StateBar.tsx';

beforeAll(() => setColors({ color: false, ascii: false, plain: true }));

test('the state bar has the requested width for any counts', () => {
  const count = fc.nat(1000);
  const counts = fc.record({
    pending: count,
    offered: count,
    running: count,
    succeeded: count,
    stopped: count,
    failed: count,
    cancelled: count,
    interrupted: count,
    held: count,
    dropped: count,
  });
  fc.assert(
    fc.property(counts, fc.integer({ min: 1, max: 100 }), (some, width) => {
      const app = render(<StateBar counts={some} columns={width} />);
      expect(app.lastFrame()).toHaveLength(width);
      app.unmount();
    }),
    { numRuns: 30 },
  );
});
