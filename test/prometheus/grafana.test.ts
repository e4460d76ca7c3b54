import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { packageRoot } from '../../bin/package.ts';
import { DASHBOARDS } from '../../deploy/grafana/dashboards.ts';
import { annotationQueries, panelQueries } from './panel-queries.ts';

const folder = join(packageRoot(), 'deploy', 'grafana', 'dashboards');

test('the shipped Grafana dashboards are up to date with the code', () => {
  expect(readdirSync(folder).sort()).toEqual(Object.keys(DASHBOARDS).sort());
  for (const [file, dashboard] of Object.entries(DASHBOARDS)) {
    const kept = JSON.parse(readFileSync(join(folder, file), 'utf8'));
    expect(kept, `${file} is out of date; run "npm run dashboards"`).toEqual(JSON.parse(JSON.stringify(dashboard)));
  }
});

test('recorded data of a real Prometheus exists for every query of every panel', () => {
  interface Kept {
    readonly panels: readonly { dashboard: string; panel: string; expr: string; series: readonly unknown[] }[];
  }
  const kept = JSON.parse(readFileSync(join(packageRoot(), 'docs', 'panels.json'), 'utf8')) as Kept;
  const place = ({ dashboard, panel, expr }: { dashboard: string; panel: string; expr: string }) =>
    `${dashboard} / ${panel}: ${expr}`;
  expect(kept.panels.map(place)).toEqual([...panelQueries(), ...annotationQueries()].map(place));
  for (const panel of kept.panels) expect(panel.series, place(panel)).not.toHaveLength(0);
});
