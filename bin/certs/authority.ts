/**
 * A folder of identities:
 *
 * - `ca/`: the authority and its key. It signs, and nothing else needs it: keep it where you type `trawl certs`.
 * - `server/`: for the coordinator and the NATS server, with who may come and what each may do.
 * - `agent-NAME/`, `user-NAME/`: one for each who comes.
 */
import { randomBytes } from 'node:crypto';
import { existsSync, readFileSync, rmSync } from 'node:fs';
import { isIP } from 'node:net';
import { join } from 'node:path';
import { IDENTITIES_FILE, type Known, readIdentities, tokenHash } from '../../coordinator/auth/identities.ts';
import { DEFAULT_ADDRESS, parseAddress } from '../../proto/address.ts';
import { BadInputError, NotFoundError, RefusedError } from '../../proto/errors.ts';
import { IDENTITY_FILES, type Servers } from '../../proto/identity.ts';
import type { Role } from '../../proto/roles.ts';
import { AGENT_ID, COORDINATOR } from '../../proto/subjects.ts';
import { createAuthority, issue, type KeyAndCertificate } from './issue.ts';
import { NATS_ACCOUNTS, NATS_CONFIG, natsAccounts, natsServerConfig } from './nats-config.ts';
import { writePrivately } from './write-file.ts';

/** What every server is reached by on its own machine. */
const LOCAL_HOSTS = ['localhost', '127.0.0.1', '::1'];
const HOST = /^(?!-)[A-Za-z0-9-]{1,63}(\.[A-Za-z0-9-]{1,63})*$/;
const NATS_PORT = 4222;
const TOKEN_BYTES = 32;

export interface InitOptions {
  /** Names and addresses of the machine that the servers run on, the one that others use first. */
  readonly hosts: readonly string[];
  readonly days: number;
  readonly authorityDays: number;
  /** Whether to replace an authority that is there: what it has signed is then worth nothing. */
  readonly force: boolean;
}

/**
 * Makes the authority, and the server's identity.
 * @returns the server's folder
 * @throws {RefusedError} when there is an authority already
 */
export async function initAuthority(dir: string, { hosts, days, authorityDays, force }: InitOptions): Promise<string> {
  const authorityDir = join(dir, 'ca');
  refuseOverwriting(join(authorityDir, IDENTITY_FILES.key), force);
  for (const host of hosts) {
    if (isIP(host) === 0 && !HOST.test(host)) {
      throw new BadInputError(`--host: ${JSON.stringify(host)} is neither a host's name nor an address`);
    }
  }
  const authority = await createAuthority(authorityDays);
  const all = [...new Set([...hosts, ...LOCAL_HOSTS])];
  const server = join(dir, 'server');
  const signed = await issue(authority, { name: COORDINATOR, role: COORDINATOR, hosts: all }, days);
  writePrivately(join(authorityDir, IDENTITY_FILES.authority), authority.certificate);
  writePrivately(join(authorityDir, IDENTITY_FILES.key), authority.key);
  writeIdentity(server, authority.certificate, signed, serversAt(hosts[0] ?? 'localhost'));
  writePrivately(join(server, NATS_CONFIG), natsServerConfig());
  writeKnown(server, []);
  return server;
}

/**
 * Makes an identity for an agent or a person, and makes it known to the servers.
 * @returns its folder
 * @throws {RefusedError} when there is one of that name already, unless `force` is to replace it
 */
export async function addIdentity(
  dir: string,
  who: { readonly name: string; readonly role: Role },
  { days, force }: { readonly days: number; readonly force: boolean },
): Promise<string> {
  if (!AGENT_ID.test(who.name)) {
    throw new BadInputError(`${JSON.stringify(who.name)} cannot be a name: letters, digits, _ and -, at most 64`);
  }
  const authority = readAuthority(dir);
  const server = join(dir, 'server');
  const others = readIdentities(server).filter((known) => folderOf(known) !== folderOf(who));
  const folder = join(dir, folderOf(who));
  refuseOverwriting(join(folder, IDENTITY_FILES.key), force);
  const token = randomBytes(TOKEN_BYTES).toString('base64url');
  const servers = readFileSync(join(server, IDENTITY_FILES.servers), 'utf8');
  writeIdentity(folder, authority.certificate, await issue(authority, who, days), servers);
  writePrivately(join(folder, IDENTITY_FILES.token), `${token}\n`);
  writeKnown(server, [...others, { ...who, tokenSha256: tokenHash(token) }]);
  return folder;
}

/**
 * Makes an identity worthless: the servers know it no more, and its folder goes.
 * @param named as its folder, such as `agent-NAME`
 * @throws {NotFoundError}
 */
export function withdrawIdentity(dir: string, named: string): void {
  const server = join(dir, 'server');
  const known = readIdentities(server);
  const left = known.filter((one) => folderOf(one) !== named);
  if (left.length === known.length) {
    const names = known.map(folderOf).join(', ') || 'there are none';
    throw new NotFoundError(`no identity in ${dir} is called ${JSON.stringify(named)}: ${names}`);
  }
  writeKnown(server, left);
  rmSync(join(dir, named), { recursive: true, force: true });
}

function folderOf({ name, role }: { readonly name: string; readonly role: Role }): string {
  return `${role === 'agent' ? 'agent' : 'user'}-${name}`;
}

function writeIdentity(folder: string, authority: string, signed: KeyAndCertificate, servers: string): void {
  writePrivately(join(folder, IDENTITY_FILES.authority), authority);
  writePrivately(join(folder, IDENTITY_FILES.key), signed.key);
  writePrivately(join(folder, IDENTITY_FILES.certificate), signed.certificate);
  writePrivately(join(folder, IDENTITY_FILES.servers), servers);
}

function writeKnown(server: string, identities: readonly Known[]): void {
  writePrivately(join(server, IDENTITIES_FILE), `${JSON.stringify({ identities }, null, 2)}\n`);
  const agents = identities.filter(({ role }) => role === 'agent').map(({ name }) => name);
  writePrivately(join(server, NATS_ACCOUNTS), natsAccounts(agents));
}

function serversAt(host: string): string {
  const named = isIP(host) === 6 ? `[${host}]` : host;
  const { port } = parseAddress(DEFAULT_ADDRESS, 'the default address');
  const servers: Servers = { coordinator: `${named}:${port}`, nats: `tls://${named}:${NATS_PORT}` };
  return `${JSON.stringify(servers)}\n`;
}

function readAuthority(dir: string): KeyAndCertificate {
  const folder = join(dir, 'ca');
  const [certificate, key] = [IDENTITY_FILES.authority, IDENTITY_FILES.key].map((file) => join(folder, file));
  if (certificate === undefined || key === undefined || !existsSync(certificate) || !existsSync(key)) {
    throw new BadInputError(`${dir} holds no authority: make one with "trawl certs init --dir ${dir}"`);
  }
  return { certificate: readFileSync(certificate, 'utf8'), key: readFileSync(key, 'utf8') };
}

function refuseOverwriting(key: string, force: boolean): void {
  if (force || !existsSync(key)) return;
  throw new RefusedError(`${key} is there already: --force replaces it, and what used it no longer gets in`);
}
