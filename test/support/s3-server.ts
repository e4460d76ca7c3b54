/**
 * Runs a real S3-compatible server for tests: versitygw (Apache 2.0), with a folder as its storage. The Go toolchain
 * builds the server once, in the user's cache. trawl neither contains nor needs this server.
 */
import { type ChildProcess, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { closeSync, existsSync, mkdirSync, openSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { spawnBound } from '../../bin/local/child-process.ts';
import { userCache } from '../../deploy/setup/common.mjs';
import { freePort } from './free-port.ts';
import { until } from './until.ts';

const MODULE = 'github.com/versity/versitygw';
const VERSION = 'v1.8.0';
const BUILD_LIMIT_MS = 600_000;

/** The path of the server's program. */
export const S3_PROGRAM = join(userCache(process.env), 'tests', `versitygw-${VERSION}`, 'versitygw');

/**
 * Builds the server, unless the server is in the cache.
 * @returns the reason why the server cannot be built; undefined if the server is ready
 */
export function s3ServerMissing(): string | undefined {
  if (existsSync(S3_PROGRAM)) return undefined;
  if (spawnSync('go', ['version']).status !== 0) return 'the S3 server of the tests needs the Go toolchain';
  mkdirSync(dirname(S3_PROGRAM), { recursive: true });
  const env = { ...process.env, GOBIN: dirname(S3_PROGRAM), GOTOOLCHAIN: 'local' };
  const build = spawnSync('go', ['install', `${MODULE}/cmd/versitygw@${VERSION}`], {
    env,
    encoding: 'utf8',
    timeout: BUILD_LIMIT_MS,
  });
  if (build.status === 0) return undefined;
  const lines = `${build.stderr}`.trim().split('\n');
  return `the S3 server of the tests could not be built: ${lines.at(-1)}`;
}

/** The credentials of the server's only user. */
export const S3_CREDENTIALS = { AWS_ACCESS_KEY_ID: 'trawl', AWS_SECRET_ACCESS_KEY: 'a-secret-of-the-tests' };

/** Returns the arguments of a server that listens at HOST:PORT and stores its buckets in a folder. */
export function s3Flags(address: string, folder: string): string[] {
  const { AWS_ACCESS_KEY_ID: access, AWS_SECRET_ACCESS_KEY: secret } = S3_CREDENTIALS;
  return ['--port', address, '--access', access, '--secret', secret, '--quiet', 'posix', folder];
}

export interface S3Server {
  readonly url: string;
  /**
   * The folder of the server. Each subfolder is a bucket, and each object is a file whose path in the bucket is its
   * key.
   */
  readonly folder: string;
  stop(): Promise<void>;
  /** Starts the server again on the same port. */
  start(): Promise<void>;
}

/** Starts the server with one bucket, `trawl`. The server ends with this process. */
export async function startS3Server(folder: string): Promise<S3Server> {
  mkdirSync(join(folder, 'trawl'), { recursive: true });
  const port = await freePort();
  const url = `http://127.0.0.1:${port}`;
  let running: ChildProcess | undefined;
  const server: S3Server = {
    url,
    folder,
    async stop() {
      if (running === undefined) return;
      const gone = once(running, 'exit');
      running.stdin?.end();
      await gone;
      running = undefined;
    },
    async start() {
      const log = openSync(join(folder, '..', 's3.log'), 'a');
      running = spawnBound(S3_PROGRAM, s3Flags(`127.0.0.1:${port}`, folder), log);
      closeSync(log);
      running.stdin?.on('error', () => {});
      await until('the S3 server answers', async () => {
        await sleep(20);
        return fetch(url).then(
          () => true,
          () => false,
        );
      });
    },
  };
  await server.start();
  return server;
}
