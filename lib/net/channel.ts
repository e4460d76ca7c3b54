/** How a client reaches the coordinator, and shows who it is. */
import { isIP } from 'node:net';
import { checkServerIdentity } from 'node:tls';
import { type ChannelCredentials, type ChannelOptions, credentials, Metadata } from '@grpc/grpc-js';
import { parseAddress } from './address.ts';
import type { Identity } from './identity.ts';

export interface Channel {
  readonly shown: ChannelCredentials;
  readonly options: ChannelOptions;
}

/** A name that the server's certificate always has, for where TLS wants a name and there is only an address. */
const SOME_NAME = 'localhost';

/**
 * The identity's certificate goes with the connection, its token with every call. Without an identity there is no TLS.
 * @param address HOST:PORT
 * @throws {BadInputError} when the address is none
 */
export function channelTo(address: string, identity: Identity | undefined): Channel {
  if (identity === undefined) return { shown: credentials.createInsecure(), options: {} };
  const { authority, key, certificate, token } = identity;
  const host = parseAddress(address, 'the coordinator').host.replace(/^\[|\]$/g, '');
  // The address itself is what is checked, also where another name is said.
  const check = {
    checkServerIdentity: (_name: string, shown: Parameters<typeof checkServerIdentity>[1]) =>
      checkServerIdentity(host, shown),
  };
  const bearer = credentials.createFromMetadataGenerator((_parameters, callback) => {
    const metadata = new Metadata();
    metadata.set('authorization', `Bearer ${token}`);
    callback(null, metadata);
  });
  return {
    shown: credentials.combineChannelCredentials(credentials.createSsl(authority, key, certificate, check), bearer),
    options: isIP(host) === 0 ? {} : { 'grpc.ssl_target_name_override': SOME_NAME },
  };
}
