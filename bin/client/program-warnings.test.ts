// biome-ignore-all lint/suspicious/noTemplateCurlyInString: macros have this form
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { parseSweep } from '../../coordinator/sweepfile/parse.ts';
import { listCode } from '../../lib/code/folder.ts';
import { metricWarning, parametersWarning, programWarnings, scriptOf } from './program-warnings.ts';

const REMEDY = 'add "${args}" or "${param:NAME}" to command, or read TRAWL_PARAMETERS in the program';
const parse = (text: string) => parseSweep(text, 'w.yaml');
const PARAMETERS = 'parameters: {lr: {values: [1, 2]}, bs: {values: [3, 4]}, fixed: {value: 5}}\n';

describe('warning about the ranking metric', () => {
  const warning = (metric: string, report: string) =>
    metricWarning(parse(`command: [a, "\${args}"]\nmetric: {name: ${metric}}\nreport: ${report}\n${PARAMETERS}`));
  const regex = "{regex: 'epoch (?<epoch>.) val_loss (?<val_loss>.)'}";

  test('the warning about a ranking metric that no pattern captures names the nearest group', () => {
    expect(warning('valloss', regex)).toBe(
      'no regex group has the name of the metric "valloss"; did you mean "val_loss"?',
    );
    expect(warning('psnr', regex)).toBe(
      'no regex group has the name of the metric "psnr"; the groups are epoch, val_loss',
    );
  });

  test('a ranking metric that the program can report causes no warning', () => {
    expect(warning('val_loss', regex)).toBe(undefined);
    expect(warning('psnr', `[${regex}, json]`)).toBe(undefined);
    expect(warning('psnr', `[${regex}, {regex: 'psnr=(?<psnr>.)'}]`)).toBe(undefined);
    expect(warning('psnr', "{regex: '(?<name>.+)=(?<value>.+)'}")).toBe(undefined);
    expect(warning('psnr', 'python')).toBe(undefined);
  });
});

describe('parameters', () => {
  const warning = (command: string, more = '', script = '') =>
    parametersWarning(parse(`command: ${command}\nmetric: {name: loss}\n${more}${PARAMETERS}`), script);

  test('a sweep whose parameters do not reach the program causes a warning', () => {
    const none = `no parameter seems to reach the program: ${REMEDY}`;
    expect(warning('[python3, train.py]')).toBe(none);
    expect(warning('[python3, train.py, "${seed}", "${artifacts}"]', '', 'import os')).toBe(none);
  });

  test('the warning names the parameters that vary but do not reach the program', () => {
    expect(warning('[a, "${param:lr}"]')).toBe(`the parameter bs does not seem to reach the program: ${REMEDY}`);
    expect(warning('[a, "${param:fixed}"]')).toBe(`the parameters lr, bs do not seem to reach the program: ${REMEDY}`);
  });

  test.each([
    ['[a, "${args}"]'],
    ['[a, "--config=${args_json_file}"]'],
    ['[a, "${args_json}"]'],
    ['[a, "lr=${param:lr},bs=${param:bs}"]'],
    ['[sh, -c, "echo $TRAWL_PARAMETERS"]'],
    ['[python3, train.py]', 'env: {LR: "${param:lr}", BS: "${param:bs}"}\n'],
    ['[python3, train.py]', '', 'os.environ["TRAWL_PARAMETERS"]'],
    ['[python3, train.py]', 'project: x\n'],
    ['[python3, train.py]', 'wandb: offline\n'],
  ])('parameters that reach the program cause no warning: %s %s%s', (command, more = '', script = '') => {
    expect(warning(command, more, script)).toBe(undefined);
  });
});

test.each([
  [['python3', 'train.py', '--x'], 'train.py'],
  [['/usr/bin/env', 'python3', '-u', 'src/train.py'], 'src/train.py'],
  [['bash', 'run.sh', 'other.py'], 'run.sh'],
  [['./run', 'a.py'], './run'],
  [['train.py'], 'train.py'],
  [['torchrun', '--nproc_per_node=2', 'train.py'], 'train.py'],
  [['/opt/venv/bin/python', 'train.py'], 'train.py'],
  [['python3', '-m', 'package.train', 'data.py'], undefined],
  [['sh', '-c', 'python3 train.py'], undefined],
  [['python3', '${envvar:SCRIPT}.py'], undefined],
  [['train', 'config.py'], undefined],
])('the script of %j is %j', (command, script) => {
  expect(scriptOf(command)).toBe(script);
});

describe('a script', () => {
  let dir: string;
  beforeEach(() => {
    dir = mkdtempSync(join(tmpdir(), 'trawl-script-'));
    mkdirSync(join(dir, 'code'));
    for (const name of ['train.py', 'code/main.py', 'code/skipped.py']) writeFileSync(join(dir, name), '');
    writeFileSync(join(dir, 'code', '.gitignore'), 'skipped.py\n');
  });
  afterEach(() => rmSync(dir, { recursive: true, force: true }));

  const file = (script: string) => `command: [python3, ${script}, "\${args}"]\nmetric: {name: loss}\n${PARAMETERS}`;
  const warnings = async (script: string, code = false) => {
    const fileName = join(dir, 'sweeps', 'w.yaml');
    return programWarnings(
      { fileName, spec: parse(file(script)) },
      dir,
      code ? await listCode(join(dir, 'code')) : undefined,
    );
  };

  test('the warning about a script that is missing from the working folder names the nearest file', async () => {
    expect(await warnings('train.py')).toEqual([]);
    expect(await warnings(join(dir, 'train.py'))).toEqual([]);
    expect(await warnings('trian.py')).toEqual([`the script "trian.py" is not in ${dir}; did you mean "train.py"?`]);
    expect(await warnings('code/man.py')).toEqual([
      `the script "code/man.py" is not in ${dir}; did you mean "code/main.py"?`,
    ]);
    mkdirSync(join(dir, 'sweeps'));
    writeFileSync(join(dir, 'sweeps', 'beside.py'), '');
    const beside = { fileName: join(dir, 'sweeps', 'w.yaml'), spec: parse(file('beside.py')) };
    expect(await programWarnings(beside, dir, undefined)).toEqual([`the script "beside.py" is not in ${dir}`]);
    expect(await programWarnings(beside, undefined, undefined)).toEqual([]);
  });

  test('the warning about a script that is not sent with the code gives the reason', async () => {
    expect(await warnings('main.py', true)).toEqual([]);
    expect(await warnings('./main.py', true)).toEqual([]);
    expect(await warnings('main2.py', true)).toEqual([
      `the script "main2.py" is not in the code folder ${join(dir, 'code')}; did you mean "main.py"?`,
    ]);
    expect(await warnings('skipped.py', true)).toEqual([
      'the script "skipped.py" is not sent with the code: .gitignore or exclude covers it',
    ]);
    expect(await warnings('../train.py', true)).toEqual([
      `the script "../train.py" is outside of the code folder ${join(dir, 'code')}`,
    ]);
    expect(await warnings(join(dir, 'train.py'), true)).toEqual([]);
  });
});
