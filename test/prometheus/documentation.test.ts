import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { agentMetrics } from '../../agent/metrics/families.ts';
import { packageRoot } from '../../bin/package.ts';
import { coordinatorMetrics } from '../../coordinator/metrics/families.ts';

const document = readFileSync(join(packageRoot(), 'docs', 'metrics.md'), 'utf8');
const [, ofCoordinator = '', ofAgents = ''] = document.split(/^### /m);

test.each([
  ['the coordinator', ofCoordinator, coordinatorMetrics().registry],
  ['agents', ofAgents, agentMetrics().registry],
])('docs/metrics.md lists exactly the metrics of %s, with their types', async (_, section, registry) => {
  const listed = [...section.matchAll(/^\| `(\w+)` \| (\w+) \|/gm)].map(([, name, type]) => `trawl_${name} ${type}`);
  const described = (await registry.metrics()).matchAll(/^# TYPE (trawl_\w+) (\w+)$/gm);
  expect(listed.sort()).toEqual([...described].map(([, name, type]) => `${name} ${type}`).sort());
});
