/** Determines the id of an agent, and stores the id in a file. */
import { randomBytes } from 'node:crypto';
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { hostname } from 'node:os';
import { join } from 'node:path';
import { BadInputError } from '../proto/errors.ts';
import { agentIdProblem } from '../proto/subjects.ts';

const FILE = 'agent-id';
/**
 * The maximum length of the host's name in an id. A name in a certificate has at most 64 characters, and the hyphen and
 * the suffix need 7 of them.
 */
const MAX_HOST = 57;

/**
 * Returns the agent's id: the requested id, or else the id stored in `dir`, or else a new id. Stores the id, so that a
 * restarted agent sends its spooled records under the same id.
 * @throws {BadInputError} if the id is invalid
 */
export function storedAgentId(dir: string, requested: string | undefined): string {
  const file = join(dir, FILE);
  const stored = readAgentId(dir);
  const id = requested ?? stored ?? newAgentId(hostname(), randomBytes(3).toString('hex'));
  const problem = agentIdProblem(id);
  if (problem !== undefined) {
    throw new BadInputError(requested === undefined ? `${file}: ${problem}; correct the file, or use --id` : problem);
  }
  if (id !== stored) {
    mkdirSync(dir, { recursive: true });
    writeFileSync(file, `${id}\n`);
  }
  return id;
}

/** Returns the id that is stored in an agent's folder; undefined if no id is stored. */
export function readAgentId(dir: string): string | undefined {
  const file = join(dir, FILE);
  return existsSync(file) ? readFileSync(file, 'utf8').trim() : undefined;
}

/**
 * Returns a new id of the form `HOST-SUFFIX`. Replaces invalid characters of a host name, and truncates a long name.
 */
export function newAgentId(host: string, suffix: string): string {
  const name = host
    .replace(/[^A-Za-z0-9_.-]/g, '-')
    .slice(0, MAX_HOST)
    .split('.')
    .filter((part) => part !== '')
    .join('.');
  return `${name || 'agent'}-${suffix}`;
}
