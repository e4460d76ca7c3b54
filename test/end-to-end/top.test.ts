import { execFileSync } from 'node:child_process';
import { once } from 'node:events';
import { readlinkSync } from 'node:fs';
import { type AddressInfo, createServer } from 'node:net';
import { describe, expect, onTestFinished, test } from 'vitest';
import { TestTerminal } from '../support/terminal.ts';
import { until } from '../support/until.ts';
import { clusterWith, DASHBOARD_LIMIT_MS, sweepOf, top } from './dashboard.ts';

/**
 * On an idle machine, the first frame takes 0.4 s (bench/RESULTS.md). The limit is far higher, because other
 * tests run at the same time.
 */
const FIRST_FRAME_LIMIT_MS = 30_000;

function whateverItsNumbers(line: string): RegExp {
  return new RegExp(line.replace(/[.*+?^${}()|[\]\\]/g, '\\$&').replace(/\d+/g, '\\d+'));
}

describe('trawl top in a terminal', { timeout: DASHBOARD_LIMIT_MS }, () => {
  test('the dashboard shows ranks, cursor, views and filter of a running sweep; pause, resume and kill take effect', async () => {
    const { cluster, sweep } = await clusterWith(sweepOf('live', 40));
    const screen = top(cluster);
    await screen.sees(/live {2}\d+ {2}running/);
    await screen.sees(/^.{2} *1 .*running/m);
    await screen.sees(/1 agent up · 2\/2 slots busy/);

    screen.press('j');
    const marked = () => screen.lines().findIndex((line, row) => screen.reversed(row) && / [0-9a-f]{8} /.test(line));
    const row = await until('the second row is under the cursor', () => marked() > 7 && marked());
    const trial = / ([0-9a-f]{8}) /.exec(screen.lines()[row] ?? '')?.[1];
    await until('another epoch is shown', async () => {
      const trials = await cluster.trials(sweep);
      return trials.some(({ epoch }) => epoch > 5);
    });
    expect(/ ([0-9a-f]{8}) /.exec(screen.lines()[marked()] ?? '')?.[1]).toBe(trial);

    screen.press('d');
    await screen.sees(`trial ${trial}`);
    await screen.sees(/attempt +outcome/);
    await screen.sees(/[\u2801-\u28ff]{3}/);
    screen.press('q');
    screen.press('3');
    await screen.sees(/agent-a +connected +2\/2/);
    screen.press('4');
    await screen.sees(/granted +to agent agent-a/);
    screen.press('5');
    await screen.sees(/▸\d+ +live +running/);
    screen.press('2');
    await screen.sees(/^x/m);
    screen.press('1');
    screen.press('/');
    screen.press('x=2 and y<=2\r');
    await screen.sees(/1 of 2 \(12 in all\), filter: x=2 and y<=2/);
    await until(
      'two rows remain',
      () => screen.lines().filter((line) => /^.{2} *\d+ .* [0-9a-f]{8} /.test(line.slice(0, 60))).length === 2,
    );
    screen.press('\u001b');
    await until('the filter is off', () => !screen.lines().join('\n').includes('filter: x=2'));

    screen.press('p');
    await screen.sees(/pause: sweep \d+ \(live\) is paused/);
    await screen.sees(/live {2}\d+ {2}paused/);
    expect((await cluster.sweep(sweep))?.state).toBe('SWEEP_STATE_PAUSED');
    screen.press('p');
    await screen.sees(/live {2}\d+ {2}running/);
    screen.press(':');
    screen.press('kill\r');
    await screen.sees(/kill sweep \d+ \(live\)\? \d+ trials are running and will be stopped now \[y\/N\]/);
    screen.press('n');
    await screen.sees('kill cancelled');
    expect((await cluster.sweep(sweep))?.state).toBe('SWEEP_STATE_RUNNING');
    screen.press(':');
    screen.press('kill\r');
    await screen.sees('[y/N]');
    screen.press('y');
    await screen.sees(/kill: sweep \d+ \(live\) is killed/);
    expect((await cluster.sweep(sweep))?.state).toBe('SWEEP_STATE_KILLED');
    screen.press('q');
    expect(await screen.exited).toBe(0);
    // The terminal emulator might process the last output only after the dashboard has exited.
    await expect.poll(() => screen.alternate, { timeout: 10_000 }).toBe(false);
  });

  test('the dashboard sets the priority, and explains a pending trial with the same text as trawl explain', async () => {
    const { cluster, sweep } = await clusterWith(sweepOf('waits', 1_000), 1);
    const screen = top(cluster, [], { columns: 160, rows: 40 });
    await screen.sees(/waits {2}\d+ {2}running/);
    screen.press(':');
    screen.press('priority 7\r');
    await screen.sees(/priority: sweep \d+ \(waits\) has priority 7/);
    expect((await cluster.sweep(sweep))?.priority).toBe(7);
    screen.press('5');
    await screen.sees(/▸\d+ +waits +running .* 7 ×1/);
    screen.press('1');
    // From now on the only slot is busy, so a pending trial stays pending.
    await screen.sees(/ pending · 1 running /);
    screen.press('/');
    screen.press('state=pending\r');
    await screen.sees('filter: state=pending');
    // On a busy machine, the cursor may stay on the running trial for a moment after the filter is shown.
    await until('a pending trial is explained', async () => {
      screen.press('e');
      const state = /of sweep \d+: (pending|running) for/.exec(
        await screen.sees(/trial [0-9a-f]{16} of sweep \d+: (?:pending|running) for/),
      )?.[1];
      if (state === 'running') screen.press('\u001b');
      return state === 'pending';
    });
    const shown = await screen.sees(/trial [0-9a-f]{16} of sweep \d+: pending for [\s\S]*agents:[\s\S]*agent-a: /);
    const trial = /trial ([0-9a-f]{16})/.exec(shown)?.[1] ?? '';
    const [, ...explanation] = (await cluster.run('explain', trial)).stdout.trimEnd().split('\n');
    for (const line of explanation) await screen.sees(whateverItsNumbers(line));
  });

  test('the dashboard reports that the coordinator was killed, and misses no event after the coordinator restarts', async () => {
    const { cluster } = await clusterWith(sweepOf('survivor', 12));
    const screen = top(cluster, [], { columns: 160, rows: 50 });
    await screen.sees(/granted +to agent|granted to agent/);
    await cluster.coordinator.killNow();
    await screen.sees(/COORDINATOR UNREACHABLE for .*, since \d\d:\d\d:\d\d/);
    await cluster.startCoordinator();
    await until('the connection is restored', () => !screen.lines().join('\n').includes('UNREACHABLE'));
    await screen.sees(/survivor {2}\d+ {2}finished/);
    await screen.sees(/100% 12\/12/);
    screen.press('4');
    await screen.sees(/time +after +trial +event[\s\S]*sweep finished/);
    // The preview takes half of the screen. The filter shows only `granted` events, so that all of them fit in
    // the other half.
    screen.press('/granted\r');
    const grants = () => {
      const granted = screen.lines().filter((line) => / granted /.test(line));
      return granted.map((line) => /([0-9a-f]{8})\/(\d+) +granted/.exec(line)?.slice(1).join(' '));
    };
    await until('every trial was granted', () => new Set(grants().map((id) => id?.slice(0, 8))).size === 12);
    expect(new Set(grants()).size).toBe(grants().length);
  });

  test('the first frame appears before the coordinator answers, and keys typed before that frame are not echoed', async () => {
    const silent = createServer();
    silent.listen(0, '127.0.0.1');
    onTestFinished(() => void silent.close());
    await once(silent, 'listening');
    const { port } = silent.address() as AddressInfo;
    const startedMs = performance.now();
    const screen = new TestTerminal(['top', '--server', `127.0.0.1:${port}`]);
    const device = await until('the terminal no longer echoes keys', () => {
      const terminal = readlinkSync(`/proc/${screen.pid}/fd/0`);
      // Until the new process calls exec, its stdin is still a socket of its parent.
      if (!terminal.startsWith('/dev/pts/')) return false;
      return / -echo /.test(execFileSync('stty', ['-F', terminal, '-a'], { encoding: 'utf8' })) && terminal;
    });
    expect(device).toMatch(/^\/dev\/pts\//);
    screen.press('zzz');
    await screen.sees(`connecting to 127.0.0.1:${port}...`);
    const firstFrameMs = performance.now() - startedMs;
    expect(firstFrameMs).toBeLessThan(FIRST_FRAME_LIMIT_MS);
    expect(screen.written).not.toContain('z');
    screen.press('q');
    expect(await screen.exited).toBe(0);
    console.log(`first frame after ${Math.round(firstFrameMs)} ms`);
  });
});
