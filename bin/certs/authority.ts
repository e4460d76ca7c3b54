/**
 * Manages the folder of `trawl certs`, which contains:
 *
 * - `ca/`: the certificate authority and its key. Only `trawl certs` needs the key; keep it on one machine.
 * - `server/`: the identity of the coordinator, and the list of known identities. A NATS server outside a cluster uses
 *   the same identity.
 * - `nats-HOST/`: the identity of each NATS server of a cluster.
 * - `agent-NAME/`, `user-NAME/`: the identity of each agent and user.
 */
import { randomBytes } from 'node:crypto';
import { existsSync, readFileSync, rmSync } from 'node:fs';
import { isIP } from 'node:net';
import { join } from 'node:path';
import { IDENTITIES_FILE, type KnownIdentity, readIdentities, tokenHash } from '../../coordinator/auth/identities.ts';
import { DEFAULT_ADDRESS, parseAddress } from '../../lib/net/address.ts';
import { AGENT_HOST, IDENTITY_FILES, type Servers } from '../../lib/net/identity.ts';
import { BadInputError, NotFoundError, RejectedError } from '../../proto/errors.ts';
import type { Role } from '../../proto/roles.ts';
import { agentIdProblem, COORDINATOR } from '../../proto/subjects.ts';
import { createAuthority, issue, type KeyAndCertificate } from './issue.ts';
import {
  createNatsServers,
  NATS_ACCOUNTS,
  NATS_CONFIG,
  NATS_PORT,
  natsAccounts,
  natsFolders,
  natsServerConfig,
} from './nats.ts';
import { writePrivately } from './private-file.ts';

const LOCAL_HOSTS = ['localhost', '127.0.0.1', '::1'];
const HOST = /^(?!-)[A-Za-z0-9-]{1,63}(\.[A-Za-z0-9-]{1,63})*$/;
const TOKEN_BYTES = 32;
const SERIAL_BYTES = 8;
/** The maximum length of a certificate's common name, in characters (RFC 5280). */
const MAX_NAME = 64;

export interface InitOptions {
  /** Host names and addresses of the coordinator's machine, the preferred name first. */
  readonly hosts: readonly string[];
  /** Hosts of the standby coordinators, which use the same identity. Default: none */
  readonly standbys?: readonly string[];
  /** Hosts of a NATS cluster. An empty list means one NATS server on the machine of the coordinator. */
  readonly natsHosts?: readonly string[];
  readonly days: number;
  readonly authorityDays: number;
  /** Whether to replace an existing authority. The identities that the old authority has issued are then invalid. */
  readonly force: boolean;
}

export interface ServerFolders {
  readonly coordinator: string;
  /** Folders of the NATS servers. A single server uses the folder of the coordinator. */
  readonly nats: readonly string[];
}

/**
 * Creates the certificate authority and the identities of the servers.
 * @throws {RejectedError} when an authority exists and `force` is false
 * @throws {BadInputError} when a host is invalid or reserved
 */
export async function initAuthority(
  dir: string,
  { hosts, standbys = [], natsHosts = [], days, authorityDays, force }: InitOptions,
): Promise<ServerFolders> {
  const authorityDir = join(dir, 'ca');
  requireNoFile(join(authorityDir, IDENTITY_FILES.key), force);
  requireHosts('--host', hosts);
  requireHosts('--standby', standbys);
  if (standbys.length > 0 && hosts.length === 0) throw new BadInputError('--standby requires --host');
  requireHosts('--nats', natsHosts);
  const authority = await createAuthority(authorityDays);
  const all = [...new Set([...hosts, ...standbys, ...LOCAL_HOSTS])];
  const server = join(dir, 'server');
  const issued = await issue(authority, { name: COORDINATOR, role: COORDINATOR, hosts: all }, days);
  writePrivately(join(authorityDir, IDENTITY_FILES.authority), authority.certificate);
  writePrivately(join(authorityDir, IDENTITY_FILES.key), authority.key);
  const first = hosts[0] ?? 'localhost';
  const servers = serversAt([first, ...standbys], natsHosts.length > 0 ? natsHosts : [first]);
  writeIdentity(server, authority.certificate, issued, servers);
  for (const folder of existsSync(dir) ? natsFolders(dir) : []) rmSync(join(folder, NATS_CONFIG), { force: true });
  if (natsHosts.length === 0) writePrivately(join(server, NATS_CONFIG), natsServerConfig());
  else await createNatsServers(dir, authority, { hosts: natsHosts, localHosts: LOCAL_HOSTS, days });
  writeKnown(dir, []);
  return { coordinator: server, nats: natsFolders(dir) };
}

function requireHosts(flag: string, hosts: readonly string[]): void {
  const invalid = hosts.find((host) => isIP(host) === 0 && !HOST.test(host));
  if (invalid !== undefined) {
    throw new BadInputError(`${flag}: ${JSON.stringify(invalid)} is not a valid host name or address`);
  }
  // Every agent's certificate contains AGENT_HOST. A server with this host name could be impersonated by any agent.
  if (hosts.includes(AGENT_HOST)) throw new BadInputError(`${flag}: ${AGENT_HOST} is reserved for agents`);
}

/**
 * Creates the identity of an agent or a user, and adds it to the identities that the servers accept.
 * @returns the folder of the identity
 * @throws {RejectedError} when the identity exists and `force` is false
 * @throws {BadInputError} when the name is invalid, or the folder has no authority
 */
export async function addIdentity(
  dir: string,
  who: { readonly name: string; readonly role: Role },
  { days, force }: { readonly days: number; readonly force: boolean },
): Promise<string> {
  if (agentIdProblem(who.name) !== undefined || who.name.length > MAX_NAME) {
    throw new BadInputError(
      `${JSON.stringify(who.name)} is not a valid name: use up to ${MAX_NAME} letters, digits, underscores, hyphens and single dots`,
    );
  }
  const authority = readAuthority(dir);
  const server = join(dir, 'server');
  const others = readIdentities(server).filter((known) => identityFolder(known) !== identityFolder(who));
  const folder = join(dir, identityFolder(who));
  requireNoFile(join(folder, IDENTITY_FILES.key), force);
  const token = randomBytes(TOKEN_BYTES).toString('base64url');
  const servers = readFileSync(join(server, IDENTITY_FILES.servers), 'utf8');
  const serial = who.role === 'agent' ? { serial: randomBytes(SERIAL_BYTES).toString('hex') } : {};
  const subject = who.role === 'agent' ? { ...who, ...serial, hosts: [AGENT_HOST] } : who;
  writeIdentity(folder, authority.certificate, await issue(authority, subject, days), servers);
  writePrivately(join(folder, IDENTITY_FILES.token), `${token}\n`);
  writeKnown(dir, [...others, { ...who, ...serial, tokenSha256: tokenHash(token) }]);
  return folder;
}

/**
 * Revokes an identity: removes it from the identities that the servers accept, and deletes its folder.
 * @param named the folder name, such as `agent-NAME`
 * @throws {NotFoundError}
 */
export function revokeIdentity(dir: string, named: string): void {
  const server = join(dir, 'server');
  const known = readIdentities(server);
  const left = known.filter((one) => identityFolder(one) !== named);
  if (left.length === known.length) {
    const names = known.map(identityFolder).join(', ') || 'none';
    throw new NotFoundError(`there is no identity ${JSON.stringify(named)} in ${dir}; known identities: ${names}`);
  }
  writeKnown(dir, left);
  rmSync(join(dir, named), { recursive: true, force: true });
}

/** Returns the name of the folder of an agent or a user. */
export function identityFolder({ name, role }: { readonly name: string; readonly role: Role }): string {
  return `${role === 'agent' ? 'agent' : 'user'}-${name}`;
}

function writeIdentity(folder: string, authority: string, issued: KeyAndCertificate, servers: string): void {
  writePrivately(join(folder, IDENTITY_FILES.authority), authority);
  writePrivately(join(folder, IDENTITY_FILES.key), issued.key);
  writePrivately(join(folder, IDENTITY_FILES.certificate), issued.certificate);
  writePrivately(join(folder, IDENTITY_FILES.servers), servers);
}

/** Rewrites the account files of the NATS servers for this version of trawl. @returns the folders of the servers */
export function writeAccounts(dir: string): readonly string[] {
  writeAccountsOf(dir, readIdentities(join(dir, 'server')));
  return natsFolders(dir);
}

function writeKnown(dir: string, identities: readonly KnownIdentity[]): void {
  writePrivately(join(dir, 'server', IDENTITIES_FILE), `${JSON.stringify({ identities }, null, 2)}\n`);
  writeAccountsOf(dir, identities);
}

function writeAccountsOf(dir: string, identities: readonly KnownIdentity[]): void {
  const agents = identities.filter(({ role }) => role === 'agent');
  for (const folder of natsFolders(dir)) writePrivately(join(folder, NATS_ACCOUNTS), natsAccounts(agents));
}

function serversAt(hosts: readonly string[], natsHosts: readonly string[]): string {
  const named = (name: string) => (isIP(name) === 6 ? `[${name}]` : name);
  const { port } = parseAddress(DEFAULT_ADDRESS, 'the default address');
  const nats = natsHosts.map((name) => `tls://${named(name)}:${NATS_PORT}`).join(',');
  const coordinator = [...new Set(hosts)].map((name) => `${named(name)}:${port}`).join(',');
  const servers: Servers = { coordinator, nats };
  return `${JSON.stringify(servers)}\n`;
}

/** Reads the authority. @throws {BadInputError} if the folder has no authority */
export function readAuthority(dir: string): KeyAndCertificate {
  const folder = join(dir, 'ca');
  const [certificate, key] = [IDENTITY_FILES.authority, IDENTITY_FILES.key].map((file) => join(folder, file));
  if (certificate === undefined || key === undefined || !existsSync(certificate) || !existsSync(key)) {
    throw new BadInputError(`${dir} has no certificate authority; create one with "trawl certs init --dir ${dir}"`);
  }
  return { certificate: readFileSync(certificate, 'utf8'), key: readFileSync(key, 'utf8') };
}

function requireNoFile(key: string, force: boolean): void {
  if (force || !existsSync(key)) return;
  throw new RejectedError(`${key} already exists; --force replaces it, which invalidates the identities that use it`);
}
