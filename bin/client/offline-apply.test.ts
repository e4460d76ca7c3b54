import { chmodSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { DEFAULT_LEASE_MS } from '../../coordinator/app/defaults.ts';
import { Runtime } from '../../coordinator/app/runtime.ts';
import { sweepControl } from '../../coordinator/app/sweep-control.ts';
import { SqliteStore } from '../../coordinator/store/sqlite-store.ts';
import { STORE_FILE } from '../../lib/files/coordinator-file.ts';
import { SubmitRequest } from '../../proto/gen/trawl/v1/sweep_service.ts';
import { connect } from './connect.ts';
import { applySweep, getSweep } from './sweeps.ts';

test('without a coordinator, a new version whose sampler cannot run is rejected, and the sweep keeps its version', async () => {
  const dir = mkdtempSync(join(tmpdir(), 'trawl-offline-'));
  onTestFinished(() => rmSync(dir, { recursive: true, force: true }));
  const python = join(dir, 'python');
  writeFileSync(python, `#!/bin/sh\necho '{"number": 0, "values": {"x": 0.5}, "attributes": ""}' >&4\n`);
  chmodSync(python, 0o755);
  const textOf = (runCap: number, interpreter: string) =>
    `trainer: noop\nmethod: optuna\nrun_cap: ${runCap}\noptuna: {python: ${interpreter}}\n` +
    'parameters: {x: {min: 0.0, max: 1.0}}\n';
  const store = SqliteStore.open(dir);
  const fail = (error: unknown) => {
    throw error;
  };
  const runtime = await Runtime.open({ store, leaseMs: DEFAULT_LEASE_MS, send: () => {}, onBroken: fail });
  const request = { requestId: 'r', fileName: 's.yaml', text: textOf(5, python) };
  const id = await sweepControl(runtime).submit(SubmitRequest.fromPartial(request));
  await runtime.stop();
  // The store of a test process stays open until the process ends, so the test continues with a copy.
  const copy = mkdtempSync(join(tmpdir(), 'trawl-offline-copy-'));
  onTestFinished(() => rmSync(copy, { recursive: true, force: true }));
  store.db.exec(`vacuum into '${join(copy, STORE_FILE)}'`);

  const connection = await connect({ dir: copy, identity: false });
  onTestFinished(() => connection.close());
  const apply = (text: string) => applySweep(connection, { sweep: id, fileName: 's.yaml', text });
  await expect(apply(textOf(6, '/no/such/python'))).rejects.toThrow(
    /method optuna: there is no program "\/no\/such\/python"/,
  );
  expect((await getSweep(connection, id)).sweep.version).toBe(1);
  await apply(textOf(6, python));
  expect((await getSweep(connection, id)).sweep.version).toBe(2);
});
