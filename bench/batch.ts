/** The row of `kds batch`: the same tiny commands, beside make and xargs. */

import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { availableParallelism, tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { Subject } from './sampling.ts';

const commandCount = 1000;
export const hasMake = spawnSync('make', ['--version']).status === 0;
const program = fileURLToPath(new URL('../dist/cli.cjs', import.meta.url));

/** Each runs all of them, as many at a time as there are processors: the time a command, in ns. */
export function tinyCommands(): Subject[] {
  const folder = mkdtempSync(join(tmpdir(), 'kds-bench-'));
  process.once('exit', () => rmSync(folder, { recursive: true, force: true }));
  const [lines, makefile] = [join(folder, 'lines'), join(folder, 'Makefile')];
  const numbers = Array.from({ length: commandCount }, (_, index) => index);
  writeFileSync(lines, numbers.map(() => '{"run":"true"}\n').join(''));
  const rules = numbers.map((number) => `t${number}:\n\t@true\n`).join('');
  writeFileSync(makefile, `all: ${numbers.map((number) => `t${number}`).join(' ')}\n${rules}`);
  const jobs = String(availableParallelism());
  const kds = [process.execPath, program, 'batch', '-j', jobs];
  const env = { ...process.env, KDS_SOCKET: join(folder, 'broker.sock') };
  const subject = (name: string, command: readonly string[], input = ''): Subject => {
    return { name, sample: () => timeOf(command, input, env) };
  };
  const subjects = [
    subject('kds batch', [...kds, lines]),
    subject('kds batch --local', [...kds, '--local', lines]),
    subject('xargs -P', ['xargs', '-P', jobs, '-n', '1', 'true'], numbers.join('\n')),
  ];
  if (hasMake) subjects.push(subject('make -j', ['make', '-s', '-j', jobs, '-f', makefile]));
  return subjects;
}

async function timeOf(
  [command = '', ...args]: readonly string[],
  input: string,
  env: NodeJS.ProcessEnv,
): Promise<number> {
  const startMs = performance.now();
  const child = spawn(command, args, { stdio: ['pipe', 'ignore', 'inherit'], env });
  child.stdin.end(input);
  const [code] = await once(child, 'close');
  if (code !== 0) throw new Error(`${command} ended with ${code}`);
  return ((performance.now() - startMs) / commandCount) * 1e6;
}
