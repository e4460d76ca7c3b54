import { expect, test } from 'vitest';
import { repeated, suggested } from './suggested.ts';

const words = (command: string) => command.replace(/^(?:npx )?trawl /, '');

test('a suggested command has the flags that find the same coordinator', () => {
  expect(words(suggested('resume 3'))).toBe('resume 3');
  expect(words(suggested('resume 3', { dir: 'my runs' }))).toBe("resume 3 --dir 'my runs'");
  expect(words(suggested('show last', { server: 'gpu1:7070', identity: 'me' }))).toBe(
    'show last --server gpu1:7070 --identity me',
  );
});

test('a repeated command has all words except the omitted option and its value, quoted for a shell', () => {
  const given = [
    'up',
    'my sweep.yaml',
    '--retry',
    'failed',
    '--dir',
    'r',
    '--workdir=w',
    '--retry=oom',
    '--slots',
    '2',
  ];
  expect(words(repeated(given, '--retry'))).toBe("up 'my sweep.yaml' --dir r --workdir=w --slots 2");
});
