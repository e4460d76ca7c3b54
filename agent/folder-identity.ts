/**
 * Determines the instance id and the location of an agent's folder. The coordinator uses both to distinguish a
 * restarted agent from a second agent with the same id.
 */
import { randomBytes } from 'node:crypto';
import { existsSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { sha256Of } from '../lib/files/checksum.ts';
import { bootId } from '../lib/files/process-identity.ts';
import { writeDurablySync } from '../lib/files/write-durably.ts';
import type { Hello } from '../proto/gen/trawl/v1/attempt_service.ts';

const FILE = 'instance';
const INSTANCE = /^[0-9a-f]{32}$/;

/**
 * Returns the instance id and the location of an agent's folder. If the folder has no valid instance id, creates and
 * stores a new one.
 */
export function folderIdentity(dir: string): Pick<Hello, 'instance' | 'location'> {
  const file = join(dir, FILE);
  const stored = existsSync(file) ? readFileSync(file, 'utf8').trim() : '';
  const instance = INSTANCE.test(stored) ? stored : randomBytes(16).toString('hex');
  if (instance !== stored) writeDurablySync(file, `${instance}\n`);
  return { instance, location: locationOf(dir) };
}

/**
 * Returns a text that identifies this folder and differs for each copy of the folder. The text is a hash of the
 * machine's boot id (outside Linux: the host name) and of the folder's device and inode. On Linux, the text changes
 * when the machine restarts.
 */
function locationOf(dir: string): string {
  const { dev, ino } = statSync(dir, { bigint: true });
  return sha256Of(`${bootId()} ${dev} ${ino}`).slice(0, 32);
}
