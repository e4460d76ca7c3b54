import { execFileSync } from 'node:child_process';
import { describe, expect, test } from 'vitest';
import { COMMAND_INDEX } from './command-index.ts';
import { bashScript, fishScript, zshScript } from './scripts.ts';

const VERBS = COMMAND_INDEX.verbs;

function offered(...words: string[]): string[] {
  const script = `${bashScript(VERBS)}
COMP_WORDS=(trawl "$@")
COMP_CWORD=$#
_trawl
printf '%s\\n' "\${COMPREPLY[@]}"`;
  const text = execFileSync('bash', ['-u', '-c', script, 'bash', ...words], { encoding: 'utf8' });
  return text.split('\n').filter((line) => line !== '');
}

describe('bash completion', () => {
  test('bash completes verbs and subcommands', () => {
    expect(offered('')).toEqual(VERBS[0]?.words);
    expect(offered('ex')).toEqual(['explain', 'export']);
    expect(offered('certs', '')).toEqual(['init', 'agent', 'user', 'revoke', 'renew', 'accounts']);
    expect(offered('completion', '')).toEqual(['bash', 'zsh', 'fish']);
  });

  test('bash completes the options of the verb', () => {
    expect(offered('events', '--f')).toEqual(['--follow']);
    expect(offered('certs', 'init', '--vi')).toEqual(['--viewer']);
    expect(offered('certs', 'agent', '--la')).toEqual([]);
    expect(offered('agent', '--la')).toEqual(['--label']);
  });

  test('bash completes the allowed values of an option', () => {
    expect(offered('ls', '-o', '')).toEqual(['table', 'wide', 'json']);
    expect(offered('trials', 'last', '--output', 'j')).toEqual(['json']);
  });

  test('bash completes file names where any value is allowed', () => {
    expect(offered('plan', '')).toEqual([]);
    expect(bashScript(VERBS)).toContain('complete -o default');
  });
});

test('the zsh script consists of a zsh header and the bash script', () => {
  expect(zshScript(VERBS).split('\n').slice(3)).toEqual(bashScript(VERBS).split('\n').slice(1));
});

test('the fish script completes verbs and options with their descriptions', () => {
  const lines = fishScript(VERBS).split('\n');
  const about = (verb: string) => VERBS.find(({ path }) => path.join(' ') === verb)?.about.replaceAll("'", "\\'");
  expect(lines).toContain(`complete -c trawl -n '__fish_use_subcommand' -f -a 'logs' -d '${about('logs')}'`);
  expect(lines).toContain(
    "complete -c trawl -n '__fish_seen_subcommand_from logs' -s f -l follow -d 'follow until the attempt ends'",
  );
  expect(lines).toContain(
    "complete -c trawl -n '__fish_seen_subcommand_from ls; and not __fish_seen_subcommand_from artifacts data' -s o -l output -x -a 'table wide json' -d 'output format; wide shows columns that do not fit the terminal'",
  );
});
