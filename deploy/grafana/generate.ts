/** Implements `npm run dashboards`: writes the dashboards to the folder from which Grafana reads them. */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { DASHBOARDS } from './dashboards.ts';

for (const [file, dashboard] of Object.entries(DASHBOARDS)) {
  writeFileSync(join('deploy', 'grafana', 'dashboards', file), JSON.stringify(dashboard));
}
