import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { TrawlError } from '../../proto/errors.ts';
import { checkNatsServer, findNatsServer } from '../local/find-nats-server.ts';
import { startNatsServer } from '../local/nats-server.ts';
import type { Finding } from './finding.ts';

const name = 'nats-server';

/**
 * Whether there is a nats-server that works. A program is really started, in a folder that is removed again, since a
 * version alone does not tell that JetStream comes up.
 * @param url look at this server and no other; undefined: TRAWL_NATS or a program
 */
export async function natsFinding(url: string | undefined): Promise<Finding> {
  if (url !== undefined) {
    const answer = await checkNatsServer(url);
    if ('version' in answer)
      return { name, state: 'ok', detail: `${answer.version} runs, with JetStream`, needed: true };
    return {
      name,
      state: 'missing',
      detail: answer.problem,
      mend: 'start it with -js, or correct --nats',
      needed: true,
    };
  }
  try {
    const found = await findNatsServer({ install: false });
    if (found.kind === 'running') {
      return { name, state: 'ok', detail: `${found.version} runs (TRAWL_NATS), with JetStream`, needed: true };
    }
    await tryJetStream(found.path);
    return { name, state: 'ok', detail: `${found.version} at ${found.path}, JetStream starts`, needed: true };
  } catch (error) {
    if (!(error instanceof TrawlError)) throw error;
    const [detail = '', ...rest] = error.message.split('\n');
    return { name, state: 'missing', detail, mend: rest.join('\n'), needed: true };
  }
}

async function tryJetStream(binary: string): Promise<void> {
  const storeDir = mkdtempSync(join(tmpdir(), 'trawl-doctor-'));
  try {
    await (await startNatsServer({ storeDir, binary })).stop();
  } finally {
    rmSync(storeDir, { recursive: true, force: true });
  }
}
