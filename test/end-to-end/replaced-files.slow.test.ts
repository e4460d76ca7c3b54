/**
 * Tests that a standby does not need the files of its program after it has loaded its modules. An upgrade may replace
 * these files before the standby takes over.
 */
import { cpSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { onTestFinished, test, vi } from 'vitest';
import { startNatsServer } from '../../bin/local/nats-server.ts';
import { packageRoot } from '../../bin/package.ts';
import { RENEW_INTERVAL_MS } from '../../coordinator/leader/leadership.ts';
import { type Daemon, startDaemon, startProgram } from '../support/daemon.ts';
import { testFolder } from '../support/folder.ts';
import { PostgresServer, postgresMissing } from '../support/postgres-server.ts';
import { isSkipped } from '../support/requirements.ts';
import { S3_CREDENTIALS, s3ServerMissing, startS3Server } from '../support/s3-server.ts';
import { until } from '../support/until.ts';

/** The longest time that a standby needs to load its modules in the background on a busy machine. */
const PRELOAD_MS = 3_000;

/** Copies the program, so that its files can be removed. Returns the path of the copy. */
function copyProgram(to: string): string {
  for (const name of ['dist/bundle', 'package.json', 'proto']) {
    cpSync(join(packageRoot(), name), join(to, name), { recursive: true });
  }
  symlinkSync(join(packageRoot(), 'node_modules'), join(to, 'node_modules'));
  return join(to, 'dist', 'bundle', 'main.js');
}

test.skipIf(isSkipped(postgresMissing() ?? s3ServerMissing()))(
  'a standby that stores artifacts in S3 takes over although the files of its program were removed',
  async () => {
    const folder = testFolder();
    const server = await PostgresServer.start();
    const nats = await startNatsServer({ storeDir: join(folder, 'nats') });
    const s3 = await startS3Server(join(folder, 's3'));
    onTestFinished(async () => {
      vi.unstubAllEnvs();
      await s3.stop();
      await nats.stop();
      await server.close();
    });
    // The client library imports the code that runs a profile's `credential_process` only when it needs this code.
    const { AWS_ACCESS_KEY_ID: AccessKeyId, AWS_SECRET_ACCESS_KEY: SecretAccessKey } = S3_CREDENTIALS;
    const credentials = join(folder, 'credentials.json');
    writeFileSync(credentials, JSON.stringify({ Version: 1, AccessKeyId, SecretAccessKey }));
    const config = join(folder, 'aws-config');
    writeFileSync(config, `[profile tests]\ncredential_process = cat ${credentials}\n`);
    vi.stubEnv('AWS_CONFIG_FILE', config);
    vi.stubEnv('AWS_PROFILE', 'tests');

    const shared = ['--nats', nats.url, '--store', await server.createDatabase('trawl'), '--no-auth'];
    const artifacts = ['--artifacts', `s3://trawl/a?endpoint=${s3.url}`];
    const own = (name: string) => [
      ...['--dir', join(folder, name), '--listen', '127.0.0.1:0', '--metrics', '127.0.0.1:0', '--log-format', 'json'],
    ];
    const logOf = (name: string) => join(folder, `${name}.log`);
    const untilLogged = (name: string, text: string, daemon: Daemon) => {
      let isGone = false;
      void daemon.exited.then(() => {
        isGone = true;
      });
      return until(`${name} logs ${JSON.stringify(text)}`, () => {
        const log = readFileSync(logOf(name), 'utf8');
        if (!log.includes(text) && isGone) throw new Error(`${name} ended:\n${log}`);
        return log.includes(text);
      });
    };
    let leading = await startDaemon(logOf('first'), 'coordinator', ...own('first'), ...shared, ...artifacts);
    await untilLogged('first', 'the coordinator leads', leading);

    // The first standby gets the location of the artifacts from its command line, and the second from the store.
    for (const [name, options] of [
      ['second', artifacts],
      ['third', []],
    ] as const) {
      const copy = join(folder, `program of ${name}`);
      const args = [copyProgram(copy), 'coordinator', ...own(name), ...shared, ...options];
      const standby = await startProgram(logOf(name), process.execPath, args);
      await untilLogged(name, 'the coordinator stands by', standby);
      await sleep(RENEW_INTERVAL_MS + PRELOAD_MS);
      rmSync(copy, { recursive: true });
      await leading.killNow();
      await untilLogged(name, 'the coordinator leads', standby);
      await untilLogged(name, 'the artifact store can be used', standby);
      leading = standby;
    }
  },
);
