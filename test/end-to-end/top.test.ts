import { execFileSync } from 'node:child_process';
import { once } from 'node:events';
import { chmodSync, readlinkSync, writeFileSync } from 'node:fs';
import { type AddressInfo, createServer } from 'node:net';
import { join } from 'node:path';
import { describe, expect, onTestFinished, test } from 'vitest';
import type { TrialJson } from '../../bin/output/json.ts';
import { Cluster } from '../support/cluster.ts';
import { failingSweep, repairSweep } from '../support/failing-sweep.ts';
import { sweepFile, testFolder } from '../support/folder.ts';
import { killNow } from '../support/processes.ts';
import { TestTerminal } from '../support/terminal.ts';
import { until } from '../support/until.ts';

const LIMIT_MS = 180_000;

/** Far above the half second of an idle machine (bench/RESULTS.md), because the tests share the machine. */
const FIRST_FRAME_LIMIT_MS = 30_000;

const sweepOf = (name: string, epochs: number) => `
name: ${JSON.stringify(name)}
trainer: noop
parameters:
  x: {values: [1, 2, 3]}
  y: {values: [1, 2, 3, 4]}
  epochs: {value: ${epochs}}
  duration_ms: {value: 300}
`;

async function clusterWith(text: string, slots = 2): Promise<{ cluster: Cluster; sweep: string }> {
  const folder = testFolder();
  const cluster = await Cluster.start(folder);
  const { sweep } = await cluster.json<{ sweep: string }>('submit', sweepFile(folder, text));
  await cluster.startAgent('agent-a', slots);
  return { cluster, sweep };
}

const top = (cluster: Cluster, args: readonly string[] = [], size = {}) =>
  new TestTerminal(['top', '--server', cluster.address, ...args], size);

function whateverItsNumbers(line: string): RegExp {
  return new RegExp(line.replace(/[.*+?^${}()|[\]\\]/g, '\\$&').replace(/\d+/g, '\\d+'));
}

describe('trawl top in a terminal', { timeout: LIMIT_MS }, () => {
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
      const trials = await cluster.json<TrialJson[]>('trials', sweep);
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
    await screen.sees(/1 of 2 of 12, filter: x=2 and y<=2/);
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
    expect(screen.alternate).toBe(false);
  });

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
    // On a busy machine, the cursor can stay on the running trial for a moment after the filter is shown.
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

  test('the dashboard reports a killed coordinator, and continues without a missing event after its restart', async () => {
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
    await screen.sees(/time +after +trial +attempt[\s\S]*sweep finished/);
    const grants = () => {
      const granted = screen.lines().filter((line) => / granted /.test(line));
      return granted.map((line) => /([0-9a-f]{8}) +(\d+) +granted/.exec(line)?.slice(1).join(' '));
    };
    await until('every trial was granted', () => new Set(grants().map((id) => id?.slice(0, 8))).size === 12);
    expect(new Set(grants()).size).toBe(grants().length);
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

  test('a resized dashboard leaves nothing on the screen of the shell, and keeps its scrollback', async () => {
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
    expect(screen.alternate).toBe(false);
    expect(screen.lines().join('').trim()).toBe('');
    expect(screen.written).not.toContain('\u001b[3J');
  });

  test('the dashboard works in a resized terminal, without colours, and in ASCII', async () => {
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

  test('the first frame appears before the coordinator answers, and keys that were typed before that frame are not echoed', async () => {
    const silent = createServer();
    silent.listen(0, '127.0.0.1');
    onTestFinished(() => void silent.close());
    await once(silent, 'listening');
    const { port } = silent.address() as AddressInfo;
    const startedMs = performance.now();
    const screen = new TestTerminal(['top', '--server', `127.0.0.1:${port}`]);
    const device = await until('the program holds the keys', () => {
      const terminal = readlinkSync(`/proc/${screen.pid}/fd/0`);
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
});
