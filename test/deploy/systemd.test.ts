import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { packageRoot } from '../../bin/package.ts';
import { testFolder } from '../support/folder.ts';
import { hasTool, runTool } from '../support/tool.ts';

/** The maximum accepted exposure score, times ten. systemd rates the exposure from 0.0 (best) to 10.0. */
const LEAST_EXPOSED = '20';

test.skipIf(!hasTool('systemd-analyze')).each(['trawl-coordinator.service', 'trawl-agent.service'])(
  'systemd accepts %s, and rates its exposure at 2.0 or less',
  (name) => {
    // systemd rejects a unit whose program is not installed, so the test replaces the program.
    const unit = readFileSync(join(packageRoot(), 'deploy', 'systemd', name), 'utf8').replace(
      '/usr/bin/trawl',
      '/bin/true',
    );
    const path = join(testFolder(), name);
    writeFileSync(path, unit);
    expect(runTool('systemd-analyze', ['verify', '--man=no', path])).toMatchObject({ code: 0, output: '' });
    const judged = runTool('systemd-analyze', [
      ...['security', '--no-pager', '--offline=true', `--threshold=${LEAST_EXPOSED}`, path],
    ]);
    expect(judged.code, judged.output).toBe(0);
  },
);
