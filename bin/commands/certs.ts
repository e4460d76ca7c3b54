import { type Command, Option } from 'commander';
import { type Role, USER_ROLES } from '../../proto/roles.ts';
import { withHelp } from '../options/common.ts';
import { countUpTo, pathOption } from '../options/values.ts';
import { note, print } from '../output/print.ts';

const DEFAULT_CERTS_DIR = 'trawl-certs';
const DEFAULT_DAYS = 365;
const DEFAULT_AUTHORITY_DAYS = 3_650;
/** The maximum validity of a certificate: a hundred years. */
const MAX_DAYS = 36_500;

interface Options {
  readonly dir: string;
  readonly days: number;
  readonly force?: boolean;
}

interface InitOptions extends Options {
  readonly host: readonly string[];
  readonly standby: readonly string[];
  readonly nats: readonly string[];
  readonly agent: readonly string[];
  readonly operator: readonly string[];
  readonly viewer: readonly string[];
  readonly caDays: number;
}

const ROLES = ['agent', ...USER_ROLES] as const;

/** Loaded on demand, because the certificate library is large and only this verb needs it. */
const certs = () => import('../certs/authority.ts');

const splitCommas = (texts: readonly string[]) =>
  texts.flatMap((text) => text.split(',')).filter((name) => name !== '');

async function init({ dir, days, caDays, host, standby, nats, force = false, ...names }: InitOptions): Promise<void> {
  const { addIdentity, initAuthority } = await certs();
  const standbys = splitCommas(standby);
  const hosts = { hosts: splitCommas(host), standbys, natsHosts: splitCommas(nats) };
  const servers = await initAuthority(dir, { ...hosts, days, authorityDays: caDays, force });
  await print(`${servers.coordinator}\n`);
  note(`keep ${dir}/ca/key.pem on this machine: it signs all identities`);
  note('start the servers, each on its machine:');
  for (const folder of servers.nats) note(`  (cd ${folder} && nats-server --config nats.conf)`);
  note(`  trawl coordinator --identity ${servers.coordinator} --listen 0.0.0.0:7070`);
  if (standbys.length > 0) note(`  the same command on ${standbys.join(', ')}, with the same --store and --artifacts`);
  for (const role of ROLES) {
    for (const name of splitCommas(names[role])) {
      await print(`${await addIdentity(dir, { name, role }, { days, force })}\n`);
    }
  }
}

async function add(name: string, role: Role, { dir, days, force }: Options): Promise<void> {
  const { addIdentity } = await certs();
  const folder = await addIdentity(dir, { name, role }, { days, force: force ?? false });
  await print(`${folder}\n`);
  const verb = role === 'agent' ? 'agent' : 'ls';
  note(`copy ${folder} to the machine of ${name}, and use it with: trawl ${verb} --identity ${folder}`);
  if (role === 'agent') note(`to let the agent connect, ${await natsReloadSteps(dir)}`);
}

/**
 * Returns instructions that make the NATS servers use a changed file. The servers of a cluster run on other machines,
 * so the file must first be copied to them.
 */
async function natsReloadSteps(dir: string, file = 'nats-accounts.conf'): Promise<string> {
  const { natsFolders } = await import('../certs/nats.ts');
  const folders = natsFolders(dir);
  const [only] = folders;
  const reload = 'run "nats-server --signal reload"';
  if (folders.length <= 1) return `${reload} on the NATS server that uses ${only}`;
  return `copy ${file} from ${dir}/nats-HOST to each NATS server and ${reload} there`;
}

async function revoke(named: string, { dir }: Options): Promise<void> {
  const { revokeIdentity } = await certs();
  revokeIdentity(dir, named);
  note(`revoked ${named}; to disconnect it from NATS, ${await natsReloadSteps(dir)}`);
}

async function renew(names: readonly string[], { dir, days }: Options): Promise<void> {
  const { renewIdentities } = await import('../certs/renew.ts');
  for (const { folder, expiresMs } of await renewIdentities(dir, names, days)) {
    await print(`${folder}\n`);
    note(`${folder}/cert.pem is valid until ${new Date(expiresMs).toISOString()}`);
  }
  note(
    'copy each cert.pem into the folder of its identity on the machine that uses it: agents and the coordinator load it without a restart',
  );
  note(`for the NATS servers, ${await natsReloadSteps(dir, 'cert.pem')}`);
}

async function accounts({ dir }: Options): Promise<void> {
  const { writeAccounts } = await certs();
  for (const folder of writeAccounts(dir)) await print(`${folder}/nats-accounts.conf\n`);
  note('if the file has changed, restart the NATS servers, because a reload does not activate a new account');
}

function withDir(command: Command): Command {
  return command.option(
    '--dir <dir>',
    'folder of the certificate authority and the identities',
    pathOption,
    DEFAULT_CERTS_DIR,
  );
}

function withIssuing(command: Command): Command {
  return withDir(command)
    .option('--days <n>', `validity of the certificates, in days, up to ${MAX_DAYS}`, countUpTo(MAX_DAYS), DEFAULT_DAYS)
    .option('--force', 'overwrite existing files');
}

export function registerCerts(program: Command): void {
  const command = program
    .command('certs')
    .description('create the certificates and tokens of servers, agents and users');
  withIssuing(command.command('init'))
    .description('create a certificate authority and the identities of the coordinator and the NATS servers')
    .option('--host <name...>', 'host names and addresses of the coordinator, the preferred one first', [])
    .option(
      '--standby <host...>',
      'hosts of standby coordinators, which use a copy of the identity; agents and users then know all coordinators',
      [],
    )
    .option('--nats <host...>', 'hosts of a NATS cluster, preferably three (default: one server, at --host)', [])
    .option('--agent <name...>', 'also create the identities of these agents', [])
    .option('--operator <name...>', 'also create the identities of these operators, who can submit and control', [])
    .option('--viewer <name...>', 'also create the identities of these viewers, who have read-only access', [])
    .option(
      '--ca-days <n>',
      'validity of the certificate authority, in days',
      countUpTo(MAX_DAYS),
      DEFAULT_AUTHORITY_DAYS,
    )
    .action((_options: unknown, self: Command) => init(self.optsWithGlobals<InitOptions>()));
  withIssuing(command.command('agent'))
    .description('create the identity of an agent')
    .argument('<name>', 'agent id')
    .action((name: string, _options: unknown, self: Command) => add(name, 'agent', self.optsWithGlobals<Options>()));
  withIssuing(command.command('user'))
    .description('create the identity of a user')
    .argument('<name>', 'user name')
    .addOption(new Option('--role <role>', 'permissions of the user').choices(USER_ROLES).makeOptionMandatory())
    .action((name: string, { role }: { role: Role }, self: Command) =>
      add(name, role, self.optsWithGlobals<Options>()),
    );
  withDir(command.command('revoke'))
    .description('revoke an identity and delete its folder')
    .argument('<identity>', 'identity folder: agent-NAME or user-NAME')
    .action((named: string, _options: unknown, self: Command) => revoke(named, self.optsWithGlobals<Options>()));
  withDir(command.command('renew'))
    .description('renew certificates, with the same keys and tokens and without restarts')
    .argument('[identity...]', 'folders: server, nats-HOST, agent-NAME or user-NAME (default: all)')
    .option('--days <n>', `validity of the certificates, in days, up to ${MAX_DAYS}`, countUpTo(MAX_DAYS), DEFAULT_DAYS)
    .action((names: string[], _options: unknown, self: Command) => renew(names, self.optsWithGlobals<Options>()));
  withDir(command.command('accounts'))
    .description('rewrite nats-accounts.conf after an upgrade of trawl')
    .action((_options: unknown, self: Command) => accounts(self.optsWithGlobals<Options>()));
  withHelp(command, {
    remote: false,
    examples: [
      ['trawl certs init --host head.lan,10.0.0.5', 'create the authority and the identities of one server machine'],
      [
        'trawl certs init --host head --nats head,gpu-1,gpu-2 --agent gpu-1,gpu-2 --operator ann',
        'create all identities of a NATS cluster on three machines (docs/cluster.md)',
      ],
      ['trawl certs agent gpu-1', 'add an agent; copy its folder to its machine'],
      ['trawl certs user ann --role operator', 'add a user who can submit and control sweeps'],
      ['trawl certs user wall --role viewer', 'add a user with read-only access'],
      ['trawl certs renew', 'renew all certificates for another year'],
      ['trawl certs revoke agent-gpu-1', 'revoke the identity of an agent'],
    ],
    exits: [[4, 'rejected: the identity already exists']],
  });
}
