import { type Command, Option } from 'commander';
import { type Role, USER_ROLES } from '../../proto/roles.ts';
import { parseCount, withHelp } from '../options/common.ts';
import { note, print } from '../output/print.ts';

/** Where identities are kept, and how long they last, unless said. */
const DEFAULT_CERTS_DIR = 'trawl-certs';
const DEFAULT_DAYS = 365;
const DEFAULT_AUTHORITY_DAYS = 3_650;

interface Options {
  readonly dir: string;
  readonly days: number;
  readonly force?: true;
}

interface InitOptions extends Options {
  readonly host: readonly string[];
  readonly nats: readonly string[];
  readonly agent: readonly string[];
  readonly operator: readonly string[];
  readonly viewer: readonly string[];
  readonly caDays: number;
}

const ROLES = ['agent', ...USER_ROLES] as const;

/** The library of certificates is large: it is read by the one verb that needs it. */
const certs = () => import('../certs/authority.ts');

/** `a,b c` as `a b c`. */
const listed = (texts: readonly string[]) => texts.flatMap((text) => text.split(',')).filter((name) => name !== '');

async function init({ dir, days, caDays, host, nats, force: forced, ...roles }: InitOptions): Promise<void> {
  const force = forced ?? false;
  const { addIdentity, initAuthority } = await certs();
  const made = { hosts: listed(host), natsHosts: listed(nats), days, authorityDays: caDays, force };
  const servers = await initAuthority(dir, made);
  await print(`${servers.coordinator}\n`);
  note(`${dir}/ca/key.pem signs: keep it where you type "trawl certs". The servers, each on its machine:`);
  for (const folder of servers.nats) note(`  (cd ${folder} && nats-server --config nats.conf)`);
  note(`  trawl coordinator --identity ${servers.coordinator} --listen 0.0.0.0:7070`);
  for (const role of ROLES) {
    for (const name of listed(roles[role])) {
      await print(`${await addIdentity(dir, { name, role }, { days, force })}\n`);
    }
  }
}

async function add(name: string, role: Role, { dir, days, force }: Options): Promise<void> {
  const { addIdentity } = await certs();
  const folder = await addIdentity(dir, { name, role }, { days, force: force ?? false });
  await print(`${folder}\n`);
  const verb = role === 'agent' ? 'agent' : 'ls';
  note(`${folder} is all that ${name} needs: trawl ${verb} --identity ${folder}`);
  if (role === 'agent') note(`${await whereNatsReads(dir)} learns of it by: nats-server --signal reload`);
}

/** A NATS server on this machine reads its file where it was written; others' folders have to be taken there. */
async function whereNatsReads(dir: string): Promise<string> {
  const { natsFolders } = await import('../certs/nats.ts');
  const folders = natsFolders(dir);
  const [only] = folders;
  if (folders.length <= 1) return `a NATS server that runs on ${only}`;
  return `each NATS server whose nats-accounts.conf is replaced by that of ${dir}/nats-HOST`;
}

async function revoke(named: string, { dir }: Options): Promise<void> {
  const { withdrawIdentity } = await certs();
  withdrawIdentity(dir, named);
  note(`${named} does not get in any more; ${await whereNatsReads(dir)} learns of it by: nats-server --signal reload`);
}

function withDir(command: Command): Command {
  return command.option('--dir <dir>', 'where the authority and the identities are kept', DEFAULT_CERTS_DIR);
}

function withMaking(command: Command): Command {
  return withDir(command)
    .option('--days <n>', 'days until the certificate runs out', parseCount, DEFAULT_DAYS)
    .option('--force', 'replace what is there');
}

export function registerCerts(program: Command): void {
  const command = program
    .command('certs')
    .description('make the certificates and tokens by which servers, agents and people know each other');
  withMaking(command.command('init'))
    .description('make an authority, and the identities of the coordinator and the NATS server, or several')
    .option('--host <name...>', 'names and addresses that the coordinator is reached by, the usual one first', [])
    .option('--nats <host...>', 'the machines of a NATS cluster, best three (default: one server, at --host)', [])
    .option('--agent <name...>', 'make the identities of these agents, too', [])
    .option('--operator <name...>', 'and of these people, who submit and steer', [])
    .option('--viewer <name...>', 'and of these, who only look', [])
    .option('--ca-days <n>', 'days until the authority runs out', parseCount, DEFAULT_AUTHORITY_DAYS)
    .action((_options: unknown, self: Command) => init(self.optsWithGlobals<InitOptions>()));
  withMaking(command.command('agent'))
    .description('make the identity of an agent')
    .argument('<name>', 'what the agent is called')
    .action((name: string, _options: unknown, self: Command) => add(name, 'agent', self.optsWithGlobals<Options>()));
  withMaking(command.command('user'))
    .description('make the identity of a person')
    .argument('<name>', 'what the person is called')
    .addOption(new Option('--role <role>', 'what they may do').choices(USER_ROLES).makeOptionMandatory())
    .action((name: string, { role }: { role: Role }, self: Command) =>
      add(name, role, self.optsWithGlobals<Options>()),
    );
  withDir(command.command('revoke'))
    .description('withdraw an identity, and remove its folder')
    .argument('<identity>', 'its folder: agent-NAME or user-NAME')
    .action((named: string, _options: unknown, self: Command) => revoke(named, self.optsWithGlobals<Options>()));
  withHelp(command, {
    remote: false,
    examples: [
      ['trawl certs init --host head.lan,10.0.0.5', 'the authority, and the servers of that machine'],
      [
        'trawl certs init --host head --nats head,gpu-1,gpu-2 --agent gpu-1,gpu-2 --operator ann',
        'a NATS cluster on three machines, and who comes (docs/cluster.md)',
      ],
      ['trawl certs agent gpu-1', 'an agent: take its folder to its machine'],
      ['trawl certs user ann --role operator', 'a person who submits and steers'],
      ['trawl certs user wall --role viewer', 'one who only looks'],
      ['trawl certs revoke agent-gpu-1', 'it does not get in any more'],
    ],
    exits: [[4, 'refused: it is there already']],
  });
}
