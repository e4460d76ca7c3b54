import { execFileSync } from 'node:child_process';
import { describe, expect, test } from 'vitest';
import { buildProgram } from '../program.ts';
import { bashScript, fishScript, verbsOf, zshScript } from './scripts.ts';

const VERBS = verbsOf(buildProgram());

/** What bash offers for the last of the words. */
function offered(...words: string[]): string[] {
  const script = `${bashScript(VERBS)}
COMP_WORDS=(trawl "$@")
COMP_CWORD=$#
_trawl
printf '%s\\n' "\${COMPREPLY[@]}"`;
  const text = execFileSync('bash', ['-u', '-c', script, 'bash', ...words], { encoding: 'utf8' });
  return text.split('\n').filter((line) => line !== '');
}

describe('bash offers', () => {
  test('the verbs, and those below a verb', () => {
    expect(offered('')).toEqual(VERBS[0]?.words);
    expect(offered('ex')).toEqual(['explain', 'export']);
    expect(offered('certs', '')).toEqual(['init', 'agent', 'user', 'revoke']);
    expect(offered('completion', '')).toEqual(['bash', 'zsh', 'fish']);
  });

  test("a verb's own flags", () => {
    expect(offered('events', '--f')).toEqual(['--follow']);
    expect(offered('certs', 'init', '--vi')).toEqual(['--viewer']);
    expect(offered('certs', 'agent', '--la')).toEqual([]);
    expect(offered('agent', '--la')).toEqual(['--label']);
  });

  test('the values of a flag that has some', () => {
    expect(offered('ls', '-o', '')).toEqual(['table', 'json']);
    expect(offered('trials', 'last', '--output', 'j')).toEqual(['json']);
  });

  test('nothing of its own where a file or a name is wanted: files are then offered', () => {
    expect(offered('plan', '')).toEqual([]);
    expect(bashScript(VERBS)).toContain('complete -o default');
  });
});

test('zsh gets the same with its own head', () => {
  expect(zshScript(VERBS).split('\n').slice(3)).toEqual(bashScript(VERBS).split('\n').slice(1));
});

test('fish is told each verb and flag with what it is, where it may stand', () => {
  const lines = fishScript(VERBS).split('\n');
  const about = (verb: string) => VERBS.find(({ path }) => path.join(' ') === verb)?.about.replaceAll("'", "\\'");
  expect(lines).toContain(`complete -c trawl -n '__fish_use_subcommand' -f -a 'logs' -d '${about('logs')}'`);
  expect(lines).toContain(
    "complete -c trawl -n '__fish_seen_subcommand_from logs' -s f -l follow -d 'go on until the attempt ends'",
  );
  expect(lines).toContain(
    "complete -c trawl -n '__fish_seen_subcommand_from ls; and not __fish_seen_subcommand_from artifacts data' -s o -l output -x -a 'table json' -d 'how to print the result'",
  );
});
