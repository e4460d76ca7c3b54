/**
 * A folder of identities:
 *
 * - `ca/`: the authority and its key. It signs, and nothing else needs it: keep it where you type `trawl certs`.
 * - `server/`: for the coordinator and the NATS server, with who may come and what each may do.
 * - `nats-HOST/`: one for each NATS server, where there is a cluster of them.
 * - `agent-NAME/`, `user-NAME/`: one for each who comes.
 */
import { randomBytes } from 'node:crypto';
import { existsSync, readFileSync, rmSync } from 'node:fs';
import { isIP } from 'node:net';
import { join } from 'node:path';
import { IDENTITIES_FILE, type KnownIdentity, readIdentities, tokenHash } from '../../coordinator/auth/identities.ts';
import { DEFAULT_ADDRESS, parseAddress } from '../../lib/net/address.ts';
import { AGENT_HOST, IDENTITY_FILES, type Servers } from '../../lib/net/identity.ts';
import { BadInputError, NotFoundError, RefusedError } from '../../proto/errors.ts';
import type { Role } from '../../proto/roles.ts';
import { AGENT_ID, COORDINATOR } from '../../proto/subjects.ts';
import { createAuthority, issue, type KeyAndCertificate } from './issue.ts';
import {
  makeNatsServers,
  NATS_ACCOUNTS,
  NATS_CONFIG,
  NATS_PORT,
  natsAccounts,
  natsFolders,
  natsServerConfig,
} from './nats.ts';
import { writePrivately } from './private-file.ts';

/** What every server is reached by on its own machine. */
const LOCAL_HOSTS = ['localhost', '127.0.0.1', '::1'];
const HOST = /^(?!-)[A-Za-z0-9-]{1,63}(\.[A-Za-z0-9-]{1,63})*$/;
const TOKEN_BYTES = 32;

export interface InitOptions {
  /** Names and addresses of the machine that the servers run on, the one that others use first. */
  readonly hosts: readonly string[];
  /** The machines of a NATS cluster; none: one NATS server, on the machine of the coordinator. */
  readonly natsHosts?: readonly string[];
  readonly days: number;
  readonly authorityDays: number;
  /** Whether to replace an authority that is there: what it has signed is then worth nothing. */
  readonly force: boolean;
}

export interface ServerFolders {
  readonly coordinator: string;
  /** Of the NATS servers; the coordinator's own where there is one. */
  readonly nats: readonly string[];
}

/**
 * Makes the authority, and the servers' identities.
 * @throws {RefusedError} when there is an authority already
 */
export async function initAuthority(
  dir: string,
  { hosts, natsHosts = [], days, authorityDays, force }: InitOptions,
): Promise<ServerFolders> {
  const authorityDir = join(dir, 'ca');
  refuseOverwriting(join(authorityDir, IDENTITY_FILES.key), force);
  refuseNonHosts('--host', hosts);
  refuseNonHosts('--nats', natsHosts);
  const authority = await createAuthority(authorityDays);
  const all = [...new Set([...hosts, ...LOCAL_HOSTS])];
  const server = join(dir, 'server');
  const signed = await issue(authority, { name: COORDINATOR, role: COORDINATOR, hosts: all }, days);
  writePrivately(join(authorityDir, IDENTITY_FILES.authority), authority.certificate);
  writePrivately(join(authorityDir, IDENTITY_FILES.key), authority.key);
  const first = hosts[0] ?? 'localhost';
  writeIdentity(server, authority.certificate, signed, serversAt(first, natsHosts.length > 0 ? natsHosts : [first]));
  for (const folder of existsSync(dir) ? natsFolders(dir) : []) rmSync(join(folder, NATS_CONFIG), { force: true });
  if (natsHosts.length === 0) writePrivately(join(server, NATS_CONFIG), natsServerConfig());
  else await makeNatsServers(dir, authority, { hosts: natsHosts, localHosts: LOCAL_HOSTS, days });
  writeKnown(dir, []);
  return { coordinator: server, nats: natsFolders(dir) };
}

function refuseNonHosts(flag: string, hosts: readonly string[]): void {
  const wrong = hosts.find((host) => isIP(host) === 0 && !HOST.test(host));
  if (wrong !== undefined) {
    throw new BadInputError(`${flag}: ${JSON.stringify(wrong)} is neither a host's name nor an address`);
  }
  // Each agent could show itself as that host.
  if (hosts.includes(AGENT_HOST)) throw new BadInputError(`${flag}: ${AGENT_HOST} is what agents are called`);
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
  const subject = who.role === 'agent' ? { ...who, hosts: [AGENT_HOST] } : who;
  writeIdentity(folder, authority.certificate, await issue(authority, subject, days), servers);
  writePrivately(join(folder, IDENTITY_FILES.token), `${token}\n`);
  writeKnown(dir, [...others, { ...who, tokenSha256: tokenHash(token) }]);
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
  writeKnown(dir, left);
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

function writeKnown(dir: string, identities: readonly KnownIdentity[]): void {
  writePrivately(join(dir, 'server', IDENTITIES_FILE), `${JSON.stringify({ identities }, null, 2)}\n`);
  const agents = identities.filter(({ role }) => role === 'agent').map(({ name }) => name);
  for (const folder of natsFolders(dir)) writePrivately(join(folder, NATS_ACCOUNTS), natsAccounts(agents));
}

function serversAt(host: string, natsHosts: readonly string[]): string {
  const named = (name: string) => (isIP(name) === 6 ? `[${name}]` : name);
  const { port } = parseAddress(DEFAULT_ADDRESS, 'the default address');
  const nats = natsHosts.map((name) => `tls://${named(name)}:${NATS_PORT}`).join(',');
  const servers: Servers = { coordinator: `${named(host)}:${port}`, nats };
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
