/** Identities made by `trawl certs`, and some invalid identities. */
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { addIdentity, initAuthority } from '../../bin/certs/authority.ts';
import { createAuthority, issue, type KeyAndCertificate } from '../../bin/certs/issue.ts';
import { type Identity, readIdentity } from '../../lib/net/identity.ts';
import type { Role } from '../../proto/roles.ts';

const DAYS = 2;
const AUTHORITY_DAYS = 100;

export class TestIdentities {
  readonly dir: string;

  private constructor(dir: string) {
    this.dir = dir;
  }

  static async init(dir: string): Promise<TestIdentities> {
    await initAuthority(dir, { hosts: [], days: DAYS, authorityDays: AUTHORITY_DAYS, force: false });
    return new TestIdentities(dir);
  }

  /** The folder of the server's identity. */
  get server(): string {
    return join(this.dir, 'server');
  }

  /** Creates an identity and returns its folder. */
  add(name: string, role: Role): Promise<string> {
    return addIdentity(this.dir, { name, role }, { days: DAYS, force: false });
  }

  async identity(name: string, role: Role): Promise<Identity> {
    return readIdentity(await this.add(name, role), [role]);
  }

  /** Returns the identity of the same user, but with a certificate from another authority. */
  async fromElsewhere(identity: Identity): Promise<Identity> {
    const { name, role } = identity;
    const signed = await issue(await createAuthority(DAYS), { name, role }, DAYS);
    return { ...identity, certificate: Buffer.from(signed.certificate), key: Buffer.from(signed.key) };
  }

  /** Returns the identity of the same user, but with an expired certificate of the same authority. */
  async expired(identity: Identity): Promise<Identity> {
    const { name, role } = identity;
    const signed = await issue(this.#authority(), { name, role }, -1);
    return { ...identity, certificate: Buffer.from(signed.certificate), key: Buffer.from(signed.key) };
  }

  #authority(): KeyAndCertificate {
    const read = (file: string) => readFileSync(join(this.dir, 'ca', file), 'utf8');
    return { certificate: read('ca.pem'), key: read('key.pem') };
  }
}

/** Writes an identity to a folder that can be passed to programs. */
export function writeIdentityFolder(folder: string, { authority, certificate, key, token, servers }: Identity): string {
  mkdirSync(folder, { recursive: true });
  const files = {
    'ca.pem': authority,
    'cert.pem': certificate,
    'key.pem': key,
    token,
    'servers.json': JSON.stringify(servers),
  };
  for (const [file, content] of Object.entries(files)) writeFileSync(join(folder, file), content);
  return folder;
}
