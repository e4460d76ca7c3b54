import { BadInputError } from '../../proto/errors.ts';
import { withoutSecrets } from '../../proto/subjects.ts';

/** The default address of a coordinator. */
export const DEFAULT_ADDRESS = '127.0.0.1:7070';

/** The default URL of the NATS server. */
export const DEFAULT_NATS = 'nats://127.0.0.1:4222';
const DEFAULT_NATS_PORT = 4222;

const HOST_PORT = /^(?<host>\[[0-9a-fA-F:.]+\]|[^\s:/[\]]+):(?<port>\d{1,5})$/;
const LOOPBACK = /^(localhost|127(\.\d{1,3}){3}|\[::1\])$/;

export interface Address {
  readonly host: string;
  readonly port: number;
}

/**
 * Parses `HOST:PORT`. The host is a name, an IPv4 address, or an IPv6 address in brackets.
 * @param where the flag or variable that contains the text; the error message names it
 * @param leastPort the lowest valid port; 0 allows the system to choose a free port
 * @throws {BadInputError}
 */
export function parseAddress(text: string, where: string, leastPort = 1): Address {
  const groups = HOST_PORT.exec(text)?.groups;
  const port = Number(groups?.port);
  if (groups?.host === undefined || port < leastPort || port > 65_535) {
    throw new BadInputError(`${where} is ${JSON.stringify(text)}: expected HOST:PORT, such as ${DEFAULT_ADDRESS}`);
  }
  return { host: groups.host, port };
}

/**
 * Parses the addresses of coordinators, separated by commas.
 * @param where the flag or variable that contains the text; the error message names it
 * @returns the addresses as HOST:PORT, without repetitions
 * @throws {BadInputError}
 */
export function parseServers(text: string, where: string): string[] {
  const addresses = text.split(',').map((part) => part.trim());
  for (const address of addresses) parseAddress(address, where);
  return [...new Set(addresses)];
}

/**
 * Returns the addresses of the coordinators: those of `--server`, or else of TRAWL_SERVER, or else of the identity, or
 * else DEFAULT_ADDRESS.
 * @throws {BadInputError} if an address is invalid
 */
export function coordinatorAddresses(option: string | undefined, ofIdentity: string | undefined): string[] {
  if (option !== undefined) return parseServers(option, '--server');
  const variable = process.env.TRAWL_SERVER || undefined;
  if (variable !== undefined) return parseServers(variable, 'TRAWL_SERVER');
  return parseServers(ofIdentity ?? DEFAULT_ADDRESS, 'the coordinator in servers.json of the identity');
}

/** Whether the host always means this machine: `localhost`, or an IP address of the loopback interface. */
export const isLoopback = ({ host }: Address): boolean => LOOPBACK.test(host);

const NATS_URL =
  /^(?:(?:nats|tls|ws|wss):\/\/)?(?:[^@/\s]*@)?(?<host>\[[0-9a-fA-F:.]+\]|[^\s:/[\]@]+)(?::(?<port>\d{1,5}))?\/?$/i;

/**
 * Returns the value of `--nats` or, without the flag, of TRAWL_NATS: the URLs of one or more servers, separated by
 * commas. Returns undefined if neither is set.
 * @throws {BadInputError} if a value is not a URL
 */
export function natsUrls(flag: string | undefined): string | undefined {
  const urls = flag ?? (process.env.TRAWL_NATS || undefined);
  const invalid = urls?.split(',').find((url) => {
    const groups = NATS_URL.exec(url.trim())?.groups;
    const port = Number(groups?.port ?? DEFAULT_NATS_PORT);
    return groups?.host === undefined || port < 1 || port > 65_535;
  });
  if (invalid === undefined) return urls;
  throw new BadInputError(
    `${flag === undefined ? 'TRAWL_NATS' : '--nats'} is ${JSON.stringify(withoutSecrets(invalid))}: expected URLs such as ${DEFAULT_NATS}, separated by commas`,
  );
}
