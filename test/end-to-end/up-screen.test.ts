import { join } from 'node:path';
import { expect, test } from 'vitest';
import { sweepFile, testFolder } from '../support/folder.ts';
import { TestTerminal } from '../support/terminal.ts';

const LIMIT_MS = 180_000;

const SWEEP = `
name: shown at once
trainer: noop
parameters:
  x: {values: [1, 2]}
  epochs: {value: 3}
  duration_ms: {value: 200}
`;

test(
  'trawl up opens the dashboard before it starts processes, and prints messages and results after the dashboard closes',
  async () => {
    const folder = testFolder();
    const screen = new TestTerminal(['up', sweepFile(folder, SWEEP), '--slots', '1', '--dir', join(folder, 'run')], {
      columns: 120,
    });
    await screen.sees(/sweep +shown at once[\s\S]*starting (nats-server|the coordinator|the agent)\.\.\./);
    await screen.sees(/shown at once {2}\d+ {2}running/);
    expect(await screen.exited).toBe(0);
    const after = screen.written.slice(screen.written.lastIndexOf('\u001b[?1049l'));
    expect(after).toContain('Next steps:');
    // The terminal emulator might process the last output only after the dashboard has exited.
    await expect.poll(() => screen.alternate, { timeout: 10_000 }).toBe(false);
  },
  LIMIT_MS,
);

test(
  'an error while trawl up starts is printed after the dashboard has closed',
  async () => {
    const folder = testFolder();
    const screen = new TestTerminal(['up', sweepFile(folder, SWEEP), '--dir', join(folder, 'run')], {
      columns: 120,
      env: { TRAWL_NATS: 'nats://127.0.0.1:1' },
    });
    await screen.sees('starting the coordinator...');
    expect(await screen.exited).toBe(3);
    expect(screen.written.slice(screen.written.lastIndexOf('\u001b[?1049l'))).toContain('trawl: ');
    // The terminal emulator might process the last output only after the dashboard has exited.
    await expect.poll(() => screen.alternate, { timeout: 10_000 }).toBe(false);
  },
  LIMIT_MS,
);
