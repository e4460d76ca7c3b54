import { createTemporaryFolder } from '../../lib/files/temporary-folder.ts';
import { TrawlError } from '../../proto/errors.ts';
import { checkNatsServer, findNatsServer } from '../local/find-nats-server.ts';
import { startNatsServer } from '../local/nats-server.ts';
import type { Finding } from './finding.ts';

const name = 'nats-server';

/**
 * Checks for a usable nats-server. If no server is named, starts the nats-server program of this machine in a temporary
 * folder, because the version of the program does not show whether JetStream works.
 * @param url the server to check; undefined means TRAWL_NATS, or else the program on this machine
 */
export async function natsFinding(url: string | undefined): Promise<Finding> {
  if (url !== undefined) {
    const answer = await checkNatsServer(url);
    if ('version' in answer)
      return { name, state: 'ok', detail: `${answer.version} is running with JetStream`, needed: true };
    return {
      name,
      state: 'missing',
      detail: answer.problem,
      fix: 'start it with -js, or change --nats',
      needed: true,
    };
  }
  try {
    const found = await findNatsServer({ install: false });
    if (found.kind === 'running') {
      return { name, state: 'ok', detail: `${found.version} is running with JetStream (TRAWL_NATS)`, needed: true };
    }
    await tryJetStream(found.path);
    return { name, state: 'ok', detail: `${found.version} at ${found.path}; JetStream works`, needed: true };
  } catch (error) {
    if (!(error instanceof TrawlError)) throw error;
    const [detail = '', ...rest] = error.message.split('\n');
    return { name, state: 'missing', detail, fix: rest.join('\n'), needed: true };
  }
}

async function tryJetStream(binary: string): Promise<void> {
  const folder = createTemporaryFolder('doctor');
  try {
    await (await startNatsServer({ storeDir: folder.path, binary })).stop();
  } finally {
    folder.remove();
  }
}
