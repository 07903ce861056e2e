/** That the protocol is as its document says: by netcat, and by a client in another language. */

import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { type BrokerDomain, openBrokerDomain } from 'kds/broker';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import * as limits from '../../src/backends/broker/wire/limits.ts';
import { bundleBroker, removePrograms, until } from './programs.ts';
import { freshSocketPath, removePlaces } from './socket-paths.ts';

const read = (path: string) => {
  return readFileSync(fileURLToPath(new URL(`../../${path}`, import.meta.url)), 'utf8');
};
const examples = fileURLToPath(new URL('../../examples/python', import.meta.url));

const has = (command: string, ...args: readonly string[]): boolean =>
  spawnSync(command, args).error === undefined;
const missing = {
  nc: has('nc', '-h') ? '' : 'skipped: no nc: ',
  python: has('python3', '--version') ? '' : 'skipped: no python3: ',
};

let socket = '';
let domain: BrokerDomain;

beforeAll(async () => {
  await bundleBroker();
  socket = freshSocketPath();
  domain = await openBrokerDomain({ socket });
});

afterAll(async () => {
  await domain.close();
  removePrograms();
  removePlaces();
});

describe('docs/protocol.md', () => {
  const document = read('docs/protocol.md');

  it.skipIf(missing.nc !== '')(`${missing.nc}its example goes as written, by nc -U`, async () => {
    const [, dialogue = ''] = /```text\n([\s\S]*?)```/.exec(document) ?? [];
    const child = spawn('nc', ['-U', socket]);
    // One that has ended reads no more: what it said shows that.
    child.stdin.on('error', () => undefined);
    let said = '';
    child.stdout.setEncoding('utf8').on('data', (text: string) => {
      said += text;
    });
    let answerCount = 0;
    for (const line of dialogue.trim().split('\n')) {
      const text = line.slice(2);
      if (line.startsWith('>')) {
        child.stdin.write(`${text}\n`);
        continue;
      }
      answerCount++;
      await until(() => said.split('\n').length > answerCount, `it is answered as ${text}`);
      const answer = JSON.parse(said.split('\n')[answerCount - 1] as string);
      const expected = JSON.parse(text);
      expect(Object.keys(answer)).toEqual(Object.keys(expected));
      for (const key of ['is', 'id', 'version', 'graceMs']) expect(answer[key]).toBe(expected[key]);
    }
    expect(answerCount).toBe(4);
    child.kill();
    await once(child, 'exit');
  });

  it('has the limits as they are', () => {
    const inWords = (count: number) => count.toLocaleString('en-US');
    const mebibytes = (bytes: number) => `${bytes / 2 ** 20} MiB`;
    for (const text of [
      mebibytes(limits.frameBytesMax),
      mebibytes(limits.replyBytesMax),
      mebibytes(limits.liveBytesMax),
      mebibytes(limits.allLiveBytesMax),
      mebibytes(limits.unreadBytesPaused),
      mebibytes(limits.unreadBytesMax),
      `${limits.unreadMsMax / 1000} s`,
      inWords(limits.requestCountMax),
      inWords(limits.sessionCountMax),
      inWords(limits.privateCountMax),
      inWords(limits.capacityCountMax),
      mebibytes(limits.capacityBytesMax),
      inWords(limits.connectionCountMax),
      `Version ${limits.protocolVersion}.`,
    ]) {
      expect(document).toContain(text);
    }
  });

  it('names every message of either side', () => {
    const files = ['src/remote/protocol.ts', 'src/backends/broker/wire/messages.ts'];
    const messages = files.map(read).join('');
    const said = [...messages.matchAll(/readonly (?:do|is): ((?:'\w+'[ |]*)+)/g)].flatMap((match) =>
      [...(match[1] ?? '').matchAll(/'(\w+)'/g)].map(([, word]) => word as string),
    );
    expect(said.length).toBeGreaterThan(20);
    for (const word of said) expect(document).toContain(`\`${word}\``);
  });
});

describe('the client in Python', () => {
  const run = async (script: string): Promise<string> => {
    const env = { ...process.env, PYTHONPATH: examples, KDS_SOCKET: socket };
    const child = spawn('python3', ['-B', '-c', `from kds_client import *\n${script}`], { env });
    let output = '';
    child.stdout.setEncoding('utf8').on('data', (text: string) => {
      output += text;
    });
    child.stderr.setEncoding('utf8').on('data', (text: string) => {
      output += text;
    });
    await once(child, 'close');
    return output.trim();
  };
  const test = it.skipIf(missing.python !== '');

  test(`${missing.python}takes what is free, waits for what is not, gets reasons`, async () => {
    const grant = await domain.acquire({ exclusive: 'a', shared: '\ud800' }, { label: 'node' });
    const script = [
      'with Domain(label="snake") as domain:',
      '    print(domain.try_acquire(shared=["a"]))',
      '    print(domain.try_acquire(shared=["\\ud800"]).recovered)',
      '    print(domain.query()["held"][0]["label"])',
      '    try:',
      '        domain.acquire(exclusive=["a"], timeout_ms=10)',
      '    except RefusedError as error:',
      '        print(error.code)',
      '    with domain.acquire(exclusive=["a"], label="patient") as grant:',
      '        print(grant.token)',
    ];
    const running = run(script.join('\n'));
    await until(async () => {
      const { pending } = await domain.query();
      return pending.some(({ label, client }) => label === 'patient' && client?.label === 'snake');
    }, 'it waits for long');
    grant.release();
    const lines = (await running).split('\n');
    expect(lines.slice(0, 4)).toEqual(['None', '[]', 'node', 'KDS_WAIT_TIMEOUT']);
    expect(Number(lines[4])).toBeGreaterThan(grant.token);
    expect((await domain.acquire({ exclusive: 'a' })).recovered).toEqual([]);
  });

  test(`${missing.python}declares capacities; takes, upgrades and gives back units`, async () => {
    const script = [
      'with Domain() as domain:',
      '    domain.set_capacity("gpu", ["gpu0", "gpu1", "gpu2"])',
      '    with domain.acquire(units={"gpu": 2, "ram": (3, 8)}) as grant:',
      '        print(grant.units)',
      '        print(domain.capacity("gpu")["taken"], domain.capacity("other"))',
      '        print(domain.try_acquire(units={"gpu": 2}))',
      '        print(grant.try_upgrade("gpu"), grant.units["gpu"])',
      '        grant.downgrade(gpu=1)',
      '        print(grant.units["gpu"], domain.acquire(units={"gpu": 2}).units)',
      '        print(grant.try_upgrade("gpu"), grant.units["gpu"])',
      '    try:',
      '        domain.acquire(units={"gpu": 4})',
      '    except RefusedError as error:',
      '        print(error.code)',
    ];
    expect((await run(script.join('\n'))).split('\n')).toEqual([
      "{'ram': [0, 1, 2], 'gpu': ['gpu0', 'gpu1']}",
      '2 None',
      'None',
      "True ['gpu0', 'gpu1', 'gpu2']",
      "['gpu0'] {'gpu': ['gpu1', 'gpu2']}",
      "False ['gpu0']",
      'KDS_CAPACITY',
    ]);
    expect(await domain.capacity('gpu')).toMatchObject({ capacity: 3, taken: 0 });
  });
});
