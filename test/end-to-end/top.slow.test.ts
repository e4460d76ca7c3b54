import { chmodSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, onTestFinished, test } from 'vitest';
import { failingSweep, repairSweep } from '../support/failing-sweep.ts';
import { sweepFile, testFolder } from '../support/folder.ts';
import { killNow } from '../support/processes.ts';
import { until } from '../support/until.ts';
import { clusterWith, sweepOf, top } from './dashboard.ts';

describe('trawl top, further cases', { timeout: 300_000 }, () => {
  test('failed trials can be retried with a key or a command, and the dashboard follows the resumed sweep', async () => {
    const folder = testFolder();
    const { cluster, sweep } = await clusterWith(failingSweep(folder));
    expect((await cluster.run('wait', sweep)).code).toBe(1);
    const screen = top(cluster);
    await screen.sees(/failing {2}\d+ {2}finished/);
    await screen.sees('2 succeeded · 2 failed');
    screen.press('6');
    await screen.sees(/^ +2 {2}crash {2}.*exited with code 3.* agent-a/m);
    screen.press('l');
    await screen.sees(/log of trial [0-9a-f]{8}, attempt 2 {2}failed \(crash\)/);
    screen.press('q');
    screen.press('1');
    repairSweep(folder);
    screen.press('/');
    screen.press('x=1\r');
    await screen.sees('filter: x=1');
    screen.press('R');
    await screen.sees('retry: 1 trial is pending again');
    await screen.sees('3 succeeded · 1 failed');
    await screen.sees(/failing {2}\d+ {2}finished/);
    screen.press(':');
    screen.press('retry crash\r');
    await screen.sees('4 succeeded');
    await screen.sees(/failing {2}\d+ {2}finished/);
    expect((await cluster.sweep(sweep))?.counts).toMatchObject({ succeeded: 4, failed: 0 });

    const slow = await cluster.json<{ sweep: string }>('submit', sweepFile(folder, sweepOf('killed', 40)));
    screen.press(':');
    screen.press(`sweep ${slow.sweep}\r`);
    await screen.sees(/killed {2}\d+ {2}running/);
    await cluster.run('kill', slow.sweep, '-y');
    await screen.sees(/killed {2}\d+ {2}killed .*\d of 12 cancelled/);
    expect(screen.lines()[1]).not.toContain('100%');
    await cluster.run('retry', slow.sweep, '--cancelled');
    await screen.sees(/killed {2}\d+ {2}running/);
  });

  test('the agents view shows the GPUs of an agent and their utilization', async () => {
    const folder = testFolder();
    const smi = join(folder, 'nvidia-smi');
    const figures = '0, 37, 61234, 81559, 41, 118.24\\n1, [N/A], 12, 81559, 30, [N/A]\\n';
    const cards = '0, NVIDIA H100, 81559\\n1, NVIDIA H100, 81559\\n';
    writeFileSync(smi, `#!/bin/sh\ncase "$*" in *utilization*) printf '${figures}';; *) printf '${cards}';; esac\n`);
    chmodSync(smi, 0o755);
    const path = process.env.PATH;
    onTestFinished(() => {
      process.env.PATH = path;
    });
    process.env.PATH = `${folder}:${path}`;
    const { cluster } = await clusterWith(sweepOf('cards', 100));
    const screen = top(cluster, [], { columns: 160, rows: 30 });
    await screen.sees(/cards {2}\d+ {2}running/);
    screen.press('3');
    await screen.sees(/agent-a +connected .* 37% +\d+% +\d+% +\d+ GiB +2 × NVIDIA H100 /);
    await screen.sees(/0 +NVIDIA H100 +█{4}░{6} +37% +█{8}░{2} +75% +59\.8\/80 +41 +118$/m);
    await screen.sees(/1 +NVIDIA H100 +- +░{10} +0% +0\.0\/80 +30 +-$/m);
    const [agent] =
      await cluster.json<
        {
          gpu_figures: { power_watts: number | null }[];
          machine_figures: { memory_used_bytes: number; memory_total_bytes: number } | null;
        }[]
      >('agents');
    expect(agent?.gpu_figures.map(({ power_watts }) => power_watts)).toEqual([118.24, null]);
    const { memory_used_bytes: used = 0, memory_total_bytes: total = 0 } = agent?.machine_figures ?? {};
    expect(used).toBeGreaterThan(0);
    expect(used).toBeLessThan(total);
  });

  test("when a resized dashboard exits, the shell's screen has no output of the dashboard, and the scrollback is not cleared", async () => {
    const { cluster } = await clusterWith(sweepOf('tidy', 100));
    const screen = top(cluster, [], { columns: 120, rows: 40 });
    await screen.sees(/tidy {2}\d+ {2}running/);
    for (const [columns, rows] of [
      [80, 24],
      [160, 50],
      [60, 20],
    ] as const) {
      screen.resize(columns, rows);
      await until(`the frame fills ${columns} x ${rows}`, () => {
        const lines = screen.lines();
        return /^tidy/.test(lines[0] ?? '') && /Enter open/.test(lines.at(-2) ?? '') && lines.at(-1) === '';
      });
    }
    screen.press('q');
    expect(await screen.exited).toBe(0);
    // The terminal emulator might process the last output only after the dashboard has exited.
    await expect.poll(() => screen.alternate, { timeout: 10_000 }).toBe(false);
    expect(screen.lines().join('').trim()).toBe('');
    expect(screen.written).not.toContain('\u001b[3J');
  });

  test('the dashboard works in a resized terminal, without colors, and in ASCII', async () => {
    const { cluster } = await clusterWith(sweepOf('sizes', 100));
    const screen = top(cluster, ['--readonly'], {
      columns: 80,
      rows: 24,
      env: { NO_COLOR: '1', LANG: 'C', LC_ALL: 'C' },
    });
    await screen.sees(/sizes {2}\d+ {2}running.*read-only/);
    for (const [columns, rows] of [
      [160, 50],
      [40, 12],
      [300, 80],
    ] as const) {
      screen.resize(columns, rows);
      await until(`the frame fills ${columns} x ${rows}`, () => {
        const lines = screen.lines();
        return lines.length === rows && /help|~$/.test(lines.at(-2) ?? '') && /^sizes/.test(lines[0] ?? '');
      });
    }
    screen.press('pK');
    screen.press('?');
    await screen.sees('keys of the sweep view');
    expect(screen.lines().join('\n')).not.toMatch(/pause|kill/);
    expect(screen.written).toMatch(/^\p{ASCII}*$/u);
    expect(screen.written).not.toMatch(/\[(?:\d+;)*[349]\dm/);
  });

  test('--once prints a frame without a terminal, and --replay replays a finished sweep', async () => {
    const { cluster, sweep } = await clusterWith(sweepOf('played', 2), 4);
    expect((await cluster.run('wait', sweep)).code).toBe(0);
    const once = await cluster.run('top', '--once', '--columns', '200');
    expect(once.code, once.stderr).toBe(0);
    expect(once.stdout).toContain('100% 12/12');
    expect(once.stdout).not.toContain('\u001b');
    const piped = await cluster.run('top');
    expect(piped.code).toBe(2);
    expect(piped.stderr).toContain('--once');

    const screen = top(cluster, [sweep, '--replay', '--speed', '2']);
    await screen.sees(/running.*REPLAY 2×/);
    await screen.sees(/ [1-9]\/12/);
    await screen.sees(/finished.*REPLAY/);
    await screen.sees('100% 12/12');
    screen.press('q');
    expect(await screen.exited).toBe(0);
    const running = await cluster.json<{ sweep: string }>('submit', sweepFile(testFolder(), sweepOf('runs', 200)));
    const rejected = top(cluster, [running.sweep, '--replay']);
    expect(await rejected.exited).toBe(4);
    expect(rejected.written).toContain('has not ended');
  });

  test('the terminal is restored after SIGINT, SIGTERM, SIGHUP and SIGKILL', async () => {
    const { cluster } = await clusterWith(sweepOf('ended', 100));
    for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP', 'SIGKILL'] as const) {
      const screen = top(cluster);
      await screen.sees(/ended {2}\d+ {2}running/);
      expect(screen.alternate).toBe(true);
      if (signal === 'SIGKILL') killNow(screen.pid);
      else screen.kill(signal);
      await until(`the terminal is restored after ${signal}`, () => !screen.alternate);
      expect(screen.written).toContain('\u001b[?25h');
    }
  });
});
