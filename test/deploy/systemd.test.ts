import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { packageRoot } from '../../bin/package.ts';
import { testFolder } from '../support/folder.ts';
import { hasTool, runTool } from '../support/tool.ts';

/** systemd's exposure score times ten, from 0 to 100; below 20 is "OK". */
const LEAST_EXPOSED = '20';

test.skipIf(!hasTool('systemd-analyze')).each(['trawl-coordinator.service', 'trawl-agent.service'])(
  'systemd accepts %s and rates its exposure as OK',
  (name) => {
    // systemd rejects a unit whose program is not installed.
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
