import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { beforeAll, expect, test } from 'vitest';
import { parse } from 'yaml';
import { packageRoot } from '../../bin/package.ts';
import { PROMETHEUS_FILES, prometheusMissing, promtool } from '../support/prometheus.ts';

interface Alerts {
  readonly groups: readonly {
    readonly rules: readonly { readonly alert: string; readonly annotations: { runbook: string } }[];
  }[];
}
interface AlertTests {
  readonly tests: readonly { alert_rule_test: readonly { alertname: string; exp_alerts?: readonly unknown[] }[] }[];
}

const read = <T>(name: string) => parse(readFileSync(join(PROMETHEUS_FILES, name), 'utf8')) as T;
const alerts = read<Alerts>('alerts.yml').groups.flatMap(({ rules }) => rules);
const missing = await prometheusMissing();

beforeAll(() => {
  if (missing !== undefined) console.warn(`skipped: ${missing}`);
});

test.skipIf(missing !== undefined)(
  'promtool finds no errors in the configuration and the rules, and each alert fires under its condition',
  async () => {
    for (const file of ['prometheus.yml', 'standbys.yml'])
      expect(await promtool(['check', 'config', file])).toContain('SUCCESS');
    expect(await promtool(['check', 'rules', 'alerts.yml'])).toContain(`${alerts.length} rules found`);
    expect(await promtool(['test', 'rules', 'alerts.test.yml'])).toContain('SUCCESS');
  },
);

test('every alert has a test in which the alert fires, and a section in the runbook', () => {
  const fired = read<AlertTests>('alerts.test.yml').tests.flatMap(({ alert_rule_test: cases }) =>
    cases.filter(({ exp_alerts: expected = [] }) => expected.length > 0).map(({ alertname }) => alertname),
  );
  expect(new Set(fired)).toEqual(new Set(alerts.map(({ alert }) => alert)));
  const runbook = readFileSync(join(packageRoot(), 'docs', 'operations.md'), 'utf8');
  for (const { alert, annotations } of alerts) {
    expect(annotations.runbook).toBe(`docs/operations.md#${alert.toLowerCase()}`);
    expect(runbook, alert).toContain(`\n### ${alert}\n`);
  }
});
