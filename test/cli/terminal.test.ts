/** At a terminal: a real shell with job control, behind a pseudo terminal of script(1). */

import { readFileSync, writeFileSync } from 'node:fs';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { CliHarness, freshName, has, type Running } from './cli-harness.ts';

const cli = new CliHarness();
const isMissing = !has('script') || !has('bash');
const missing = isMissing ? ' (skipped: no script or bash)' : '';
const ctrlC = '\x03';
const ctrlZ = '\x1a';
const terminals: Running[] = [];

/** An interactive shell, in which `kds` is what is tested. */
async function openTerminal(
  env: Readonly<Record<string, string>> = {},
  shell = 'bash --norc --noprofile -i',
): Promise<Running> {
  const args = ['-q', '-f', '-E', 'never', '-c', shell, '/dev/null'];
  const terminal = cli.start('script', args, { env: { TERM: 'xterm', PS1: '', ...env } });
  terminals.push(terminal);
  type(terminal, `kds() { ${cli.quotedCommand} "$@"; }; `);
  type(terminal, 'stty -echo cols 200 rows 50; echo shell-is-ready | tr a-z A-Z\n');
  await terminal.prints(/SHELL-IS-READY/);
  return terminal;
}

function type(terminal: Running, keys: string): void {
  terminal.child.stdin?.write(keys);
}

beforeAll(() => cli.open());
afterEach(async () => {
  for (const terminal of terminals.splice(0)) {
    terminal.kill('SIGKILL');
    await terminal.ended;
  }
});
afterAll(() => cli.close());

describe.skipIf(isMissing)(`at a terminal${missing}`, () => {
  it('Ctrl-C reaches the command once, and kds ends as it does', async () => {
    const terminal = await openTerminal();
    const file = cli.file('interrupts');
    writeFileSync(file, '');
    const onInterrupt = `echo got >>${file}; echo ending; exit 7`;
    const trap = `trap '${onInterrupt}' INT; echo begun; while :; do sleep 0.1; done`;
    type(terminal, `kds run -x t sh -c "${trap}"; echo "code=$?"\n`);
    await terminal.prints(/begun/);
    type(terminal, ctrlC);
    await terminal.prints(/code=7/);
    expect(readFileSync(file, 'utf8')).toBe('got\n');
    await cli.free('t');
  });

  it('Ctrl-C ends a loop of the shell, as it does without kds', async () => {
    const terminal = await openTerminal();
    // Not by the function: bash goes on with a loop of those.
    // Nor a shell that reads: one whose signal comes just before it blocks does not notice it.
    const script = "console.log('round'); setInterval(() => undefined, 1e6)";
    const command = `${cli.quotedCommand} run -x t "${process.execPath}" -e "${script}"`;
    type(terminal, `for i in 1 2 3; do ${command}; done\n`);
    await terminal.prints(/round/);
    type(terminal, ctrlC);
    await cli.free('t');
    type(terminal, 'echo after $?\n');
    await terminal.prints(/after 130/);
    expect(terminal.stdout.match(/round/g)).toHaveLength(1);
  });

  it('Ctrl-C ends the wait', async () => {
    const terminal = await openTerminal();
    const name = freshName();
    const grant = await cli.domain.acquire({ exclusive: name });
    type(terminal, `kds run -x "${name}" echo never; echo "code=$?"\n`);
    await cli.waiting(name, 1);
    type(terminal, ctrlC);
    await cli.waiting(name, 0);
    type(terminal, 'echo "then=$?"\n');
    await terminal.prints(/(code|then)=130/);
    grant.release();
  });

  it('Ctrl-Z stops kds and the command, who keep the set, and fg goes on', async () => {
    const terminal = await openTerminal();
    type(terminal, 'kds run -x t sh -c "echo begun; read l; echo \\$l | tr a-z A-Z"; echo\n');
    await terminal.prints(/begun/);
    type(terminal, ctrlZ);
    await terminal.prints(/Stopped/);
    expect(await cli.domain.tryAcquire({ exclusive: 't' })).toBe(null);
    type(terminal, 'fg\n');
    type(terminal, 'hello\n');
    await terminal.prints(/HELLO/);
    await cli.free('t');
  });

  it('kds run prints after a second what it waits for', async () => {
    const terminal = await openTerminal();
    const name = freshName();
    const grant = await cli.domain.acquire({ exclusive: name }, { label: 'blocker' });
    type(terminal, `kds run -x "${name}" sh -c 'echo granted | tr a-z A-Z'\n`);
    await terminal.prints(new RegExp(`kds: waiting for -x "${name}"`));
    await terminal.prints(/blocker \(pid \d+: .*\) holds/);
    grant.release();
    await terminal.prints(/GRANTED/);
  });

  it('kds break asks, and takes no for an answer', async () => {
    const terminal = await openTerminal();
    const name = freshName();
    const grant = await cli.domain.acquire({ exclusive: name }, { label: 'blocker' });
    type(terminal, `kds break "${name}"; echo "code=$?"\n`);
    await terminal.prints(/held for .* by blocker[\s\S]*\[y\/N\]/);
    type(terminal, 'n\n');
    await terminal.prints(/code=1/);
    expect(grant.signal.aborted).toBe(false);
    type(terminal, `clear; kds break "${name}"; echo "again=$?"\n`);
    await terminal.prints(/code=1[\s\S]*\[y\/N\]/);
    type(terminal, 'y\n');
    await terminal.prints(/revoked: blocker[\s\S]*again=0/);
    expect(grant.signal.aborted).toBe(true);
  });

  it('ls and why are for people, with colours where they are wanted', async () => {
    const grant = await cli.domain.acquire({ exclusive: 'db' }, { label: 'nightly' });
    const terminal = await openTerminal();
    type(terminal, 'kds ls; kds why db; echo end | tr a-z A-Z\n');
    await terminal.prints(/END/);
    expect(terminal.stdout).toMatch(/ID +STATE +FOR +PID/);
    expect(terminal.stdout).toMatch(/db .*is held exclusive.*, for .* by nightly \(pid/);
    expect(terminal.stdout).toContain('\x1b[32m');
    const plain = await openTerminal({ NO_COLOR: '1' });
    type(plain, 'kds ls; kds why db; echo end | tr a-z A-Z\n');
    await plain.prints(/END/);
    expect(plain.stdout).toMatch(/db is held exclusive, for/);
    expect(plain.stdout).not.toContain('\x1b[3');
    expect(plain.stdout).not.toContain('\x1b[1m');
    grant.release();
  });

  it('kds top shows what is held until q is pressed', async () => {
    const grant = await cli.domain.acquire({ exclusive: 'shown' }, { label: 'on top' });
    const terminal = await openTerminal();
    type(terminal, 'kds top -d 0.1; echo "code=$?"\n');
    await terminal.prints(/1 held, 0 waiting[\s\S]*-x shown/);
    grant.release();
    await terminal.prints(/0 held, 0 waiting/);
    type(terminal, 'q');
    await terminal.prints(/code=0/);
  });

  it('kds top gives the terminal back while it is stopped, and takes it again', async () => {
    const grant = await cli.domain.acquire({ exclusive: 'shown' });
    // A shell that does not mend by itself what a stopped job has left behind.
    const terminal = await openTerminal({}, 'sh -i');
    type(
      terminal,
      `sh -c 'echo top=$$; exec ${cli.quotedCommand.replaceAll("'", '"')} top -d 0.1'\n`,
    );
    const [, pid] = await terminal.prints(/top=(\d+)/);
    for (const stop of ['by the key', 'by a signal']) {
      await terminal.prints(/\[\?1049h[\s\S]*-x shown/);
      terminal.stdout = '';
      if (stop === 'by the key') type(terminal, ctrlZ);
      else process.kill(Number(pid), 'SIGTSTP');
      await terminal.prints(/\[\?25h.\[\?1049l[\s\S]*Stopped/);
      type(terminal, 'stty -a; echo told | tr a-z A-Z\n');
      await terminal.prints(/TOLD/);
      const [, afterwards] = terminal.stdout.split('Stopped');
      expect(afterwards, stop).toMatch(/(?<!-)isig icanon\b/);
      expect(afterwards, stop).not.toMatch(/\[\?1049h/);
      terminal.stdout = '';
      type(terminal, 'fg\n');
    }
    await terminal.prints(/\[\?1049h[\s\S]*-x shown/);
    type(terminal, 'q');
    await terminal.prints(/\[\?1049l/);
    type(terminal, 'echo over | tr a-z A-Z\n');
    await terminal.prints(/OVER/);
    grant.release();
  });
});
