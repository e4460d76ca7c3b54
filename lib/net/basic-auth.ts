import { createHash, timingSafeEqual } from 'node:crypto';

export interface BasicAuth {
  readonly user: string;
  readonly password: string;
}

/** Whether a request's `Authorization` names the user and the password. Takes as long whatever is wrong with it. */
export function isAuthorised(header: string | undefined, { user, password }: BasicAuth): boolean {
  const said = /^Basic ([A-Za-z0-9+/=]+)$/i.exec(header ?? '')?.[1] ?? '';
  return timingSafeEqual(digest(Buffer.from(said, 'base64')), digest(Buffer.from(`${user}:${password}`)));
}

/** Of one length, as timingSafeEqual wants it, whatever is compared. */
function digest(bytes: Buffer): Buffer {
  return createHash('sha256').update(bytes).digest();
}
