/**
 * Loads an identity again when its certificate is renewed while the process runs, and warns before the certificate
 * expires.
 */
import { statSync } from 'node:fs';
import { join } from 'node:path';
import type { Logger } from 'pino';
import { errorMessage } from '../text/error-message.ts';
import { type ExpiryState, expiryState } from './expiry.ts';
import { IDENTITY_FILES, type Identity, readIdentity } from './identity.ts';

const CHECK_MS = 1_000;
/** Warnings are repeated daily, and hourly once the certificate has expired. */
const REPEAT_MS = { soon: 86_400_000, expired: 3_600_000 };

export class LiveIdentity {
  #current: Identity;
  #stamp: string;
  #timer: NodeJS.Timeout | undefined;
  readonly #log: Logger;
  #warned: { readonly state: ExpiryState; readonly at: number } | undefined;

  constructor(identity: Identity, log: Logger) {
    this.#current = identity;
    this.#stamp = stampOf(identity.dir);
    this.#log = log;
  }

  get current(): Identity {
    return this.#current;
  }

  /**
   * Reads the folder again whenever its certificate, key, token or authority changes, until `stop` is called.
   * @param onRenewed called with each new identity. An invalid identity, or the identity of another holder, is logged
   * and ignored
   */
  watch(onRenewed: (identity: Identity) => void): void {
    this.#warn();
    this.#timer = setInterval(() => {
      const renewed = this.#reread();
      if (renewed !== undefined) onRenewed(renewed);
      this.#warn();
    }, CHECK_MS);
  }

  stop(): void {
    clearInterval(this.#timer);
  }

  #reread(): Identity | undefined {
    const { dir, name, role } = this.#current;
    const stamp = stampOf(dir);
    if (stamp === this.#stamp) return undefined;
    this.#stamp = stamp;
    try {
      const identity = readIdentity(dir, [role]);
      if (identity.name !== name) throw new Error(`${dir} is now the identity of ${identity.name}`);
      this.#current = identity;
      this.#warned = undefined;
      this.#log.info({ dir, expires: dateOf(identity.expires) }, 'the certificate was renewed');
      return identity;
    } catch (error) {
      // If the files of the new identity are still being copied, the folder is read again when the next file changes.
      this.#log.warn(
        { dir, reason: errorMessage(error) },
        'could not read the renewed identity; the old identity is still in use',
      );
      return undefined;
    }
  }

  #warn(): void {
    const { dir, expires } = this.#current;
    const now = Date.now();
    const state = expiryState(expires, now);
    if (state === 'valid') return;
    if (this.#warned?.state === state && now - this.#warned.at < REPEAT_MS[state]) return;
    this.#warned = { state, at: now };
    const facts = { dir, expires: dateOf(expires) };
    if (state === 'soon') this.#log.warn(facts, 'the certificate expires soon: renew it with "trawl certs renew"');
    else
      this.#log.error(facts, 'the certificate has expired, so new connections fail: renew it with "trawl certs renew"');
  }
}

function dateOf(seconds: number): string {
  return new Date(seconds * 1_000).toISOString();
}

/** Returns a text that changes whenever the certificate, the key, the token or the authority is replaced. */
function stampOf(dir: string): string {
  const files = [IDENTITY_FILES.certificate, IDENTITY_FILES.key, IDENTITY_FILES.token, IDENTITY_FILES.authority];
  return files
    .map((file) => statSync(join(dir, file), { throwIfNoEntry: false }))
    .map((stat) => `${stat?.ino} ${stat?.mtimeMs} ${stat?.size}`)
    .join(' ');
}
