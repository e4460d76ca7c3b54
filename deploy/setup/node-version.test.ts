import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { CHECKOUT } from './common.mjs';
import { MINIMUM_NODE, nodeProblem } from './node-version.mjs';

test.each(['20.19.0', '20.19.5', '20.20.0', '21.0.0', '22.1.0', '100.0.0'])('Node %s is new enough', (version) => {
  expect(nodeProblem(version)).toBeNull();
});

test.each(['20.18.9', '18.20.4', '9.99.99', '12.0.0'])(
  'Node %s is too old, and the message states the required version',
  (version) => {
    expect(nodeProblem(version)).toContain(`needs Node ${MINIMUM_NODE} or later, but this is Node ${version}`);
  },
);

test('the minimum is the version that package.json declares', () => {
  const { engines } = JSON.parse(readFileSync(join(CHECKOUT, 'package.json'), 'utf8'));
  expect(MINIMUM_NODE.startsWith(engines.node.replace('>=', ''))).toBe(true);
});

test.each(['deploy/setup.mjs', 'deploy/test.mjs', 'deploy/demo.mjs', 'bin/trawl.mjs'])(
  '%s prints only the error message on an old Node',
  (script) => {
    const pretend = "Object.defineProperty(process.versions, 'node', { value: '12.22.0' });";
    const run = spawnSync(
      process.execPath,
      ['--import', `data:text/javascript,${encodeURIComponent(pretend)}`, join(CHECKOUT, script), 'plan'],
      { encoding: 'utf8' },
    );
    expect(run.stderr.trim()).toBe(nodeProblem('12.22.0'));
    expect(run.stdout).toBe('');
    expect(run.status).toBe(1);
  },
);

test.each(['deploy/setup.mjs', 'deploy/test.mjs', 'deploy/demo.mjs', 'bin/trawl.mjs', 'deploy/setup/node-version.mjs'])(
  '%s uses only syntax that an old Node can parse',
  (script) => {
    const code = readFileSync(join(CHECKOUT, script), 'utf8').replace(/\/\/.*|`[^`]*`/g, '');
    expect(code).not.toMatch(/\?\?|\?\.|\bawait\b|#\w|\w\?\?=/);
  },
);
