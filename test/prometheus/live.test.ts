/**
 * Tests the shipped configuration on a real Prometheus server. The server monitors a coordinator, and two agents that
 * run a sweep.
 *
 *   TRAWL_KEEP_PANELS=1 npx vitest run test/prometheus/live.test.ts     writes the data of every panel to docs/panels.json
 */
import { chmodSync, mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { packageRoot } from '../../bin/package.ts';
import { Cluster } from '../support/cluster.ts';
import { sweepFile, testFolder } from '../support/folder.ts';
import { Prometheus, prometheusMissing, promtool, type Sample } from '../support/prometheus.ts';
import { until } from '../support/until.ts';
import { annotationQueries, filledIn, type PanelQuery, panelQueries } from './panel-queries.ts';

const NOOP = 'name: done\ntrainer: noop\nparameters: {x: {values: [1, 2, 3]}}\n';
const PROGRAM = `
for argument in "$@"; do
  case $argument in --x=*) x=\${argument#--x=} ;; esac
done
for epoch in 1 2 3 4; do
  sleep 0.25
  echo "{\\"epoch\\": $epoch, \\"train_loss\\": 0.$((9 - epoch))$x, \\"test_loss\\": 0.$((9 - epoch))$x, \\"psnr\\": $((10 + epoch)).$x}"
done
[ $((x % 10)) -ne 9 ]
`;
const sweepOf = (folder: string) => `
name: live
command: [sh, ${join(folder, 'train.sh')}, "\${args}"]
metric: {name: test_loss, goal: minimize}
retry: {crash: 1, backoff: 1s}
early_terminate: {type: threshold, worse_than: 0.745, min_iter: 2}
parameters: {epochs: {value: 4}, x: {min: 1, max: 400, step: 1}}
`;
const NVIDIA_SMI = `#!/bin/sh
case "$*" in
  *utilization*) echo '0, 37, 1024, 81559, 41, 118.24' ;;
  *) echo '0, NVIDIA H100 80GB HBM3, 81559' ;;
esac
`;
const WINDOW = '20s';
const SECONDS = 60;
const KEEP = process.env.TRAWL_KEEP_PANELS === '1';

const missing = await prometheusMissing();
if (missing !== undefined) console.warn(`skipped: ${missing}`);

const path = process.env.PATH;
let folder: string;
beforeEach(() => {
  folder = testFolder();
  mkdirSync(join(folder, 'bin'));
  writeFileSync(join(folder, 'bin', 'nvidia-smi'), NVIDIA_SMI);
  chmodSync(join(folder, 'bin', 'nvidia-smi'), 0o755);
  writeFileSync(join(folder, 'train.sh'), PROGRAM);
  process.env.PATH = `${join(folder, 'bin')}:${path}`;
});
afterEach(() => {
  process.env.PATH = path;
});

test.skipIf(missing !== undefined)(
  'Prometheus discovers the coordinator and the agents, every panel and annotation has data, and no alert fires',
  { timeout: 400_000 },
  async () => {
    const cluster = await Cluster.start(join(folder, 'cluster'));
    const prometheus = await Prometheus.start(
      join(folder, 'prometheus'),
      new URL(cluster.metricsUrl).host,
      cluster.dir,
    );
    await cluster.startAgent('one', 2);
    await cluster.startAgent('two', 2);
    const done = await cluster.json<{ sweep: string }>('submit', sweepFile(folder, NOOP, 'noop.yaml'));
    expect((await cluster.run('wait', done.sweep)).code).toBe(0);
    const { sweep } = await cluster.json<{ sweep: string }>('submit', sweepFile(folder, sweepOf(folder), 'live.yaml'));
    expect((await cluster.run('show', 'no-such-trial')).code).not.toBe(0);

    await until('every target is up', async () => {
      const targets = await prometheus.targets();
      return targets.length === 3 && targets.every(({ health }) => health === 'up');
    });
    const names = (await prometheus.targets()).map(({ labels }) => `${labels.job} ${labels.instance}`).sort();
    expect(names).toEqual([
      'trawl-agent one',
      'trawl-agent two',
      `trawl-coordinator ${new URL(cluster.metricsUrl).host}`,
    ]);
    await lint(cluster, cluster.metricsUrl);
    const groups = JSON.parse(await cluster.page('/sd')) as { targets: string[] }[];
    for (const { targets } of groups) await lint(cluster, `http://${targets[0]}`);

    const shown: Shown[] = [];
    for (const query of panelQueries()) {
      // An agent exchanges all messages in one long call, so a command has to make the short calls for this query.
      if (query.expr.includes('trawl_grpc_server_handling_seconds')) await cluster.run('ls');
      shown.push(await show(prometheus, query, sweep));
    }
    expect((await cluster.run('kill', sweep, '-y')).code).toBe(0);
    for (const query of annotationQueries()) shown.push(await show(prometheus, query, sweep));
    const firing = await prometheus.range('ALERTS{alertstate="firing"}', SECONDS, 1);
    expect(firing.map(({ metric }) => metric.alertname)).toEqual([]);
    if (KEEP) keep(shown);
  },
);

async function lint(cluster: Cluster, origin: string): Promise<void> {
  expect(await promtool(['check', 'metrics'], await cluster.page('/metrics', origin)), origin).toBe('');
}

interface Shown extends PanelQuery {
  readonly samples: readonly Sample[];
}

/** Waits until the panel has a number, and returns the data of the panel. */
async function show(prometheus: Prometheus, query: PanelQuery, sweep: string): Promise<Shown> {
  const samples = await until(`${query.dashboard} / ${query.panel} has data: ${query.expr}`, async () => {
    const found = await prometheus.range(filledIn(query.expr, sweep, WINDOW), SECONDS, 1);
    return found.some(({ values }) => values.some(([, value]) => Number.isFinite(Number(value)))) && found;
  });
  return { ...query, samples };
}

function keep(shown: readonly Shown[]): void {
  const POINTS = 6;
  const panels = shown.map(({ dashboard, panel, legend, expr, samples }) => ({
    dashboard,
    panel,
    legend,
    expr,
    series: samples.map(({ metric, values }) => ({
      // The recorded data must not contain the name of this machine.
      labels: { ...metric, ...(metric.host && { host: 'machine' }) },
      values: values.slice(-POINTS).map(([at, value]) => [Math.round(at), value]),
    })),
  }));
  const made = {
    about: `Response of a real Prometheus to every query of the dashboards; $__rate_interval is ${WINDOW}, points are one second apart.`,
    made: new Date().toISOString().slice(0, 10),
    panels,
  };
  writeFileSync(join(packageRoot(), 'docs', 'panels.json'), `${JSON.stringify(made)}\n`);
}
