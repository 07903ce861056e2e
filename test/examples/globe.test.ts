/** The globe as a user runs it: `npm start`, headless, live, and in a browser. */

import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterEach, describe, expect, it } from 'vitest';
import { checkTrace } from '../../src/inspect/trace.ts';
import { removeFolder } from '../temporary-folder.ts';

const root = fileURLToPath(new URL('../..', import.meta.url));
const start = join(root, 'examples', 'globe', 'start.mjs');
const startInBrowser = join(root, 'examples', 'globe', 'browser', 'start.mjs');
const chromium = ['/usr/bin/chromium', '/usr/bin/chromium-browser'].find((path) =>
  existsSync(path),
);
const pngSignature = '89504e470d0a1a0a';

const children = new Set<ChildProcess>();
afterEach(async () => {
  for (const child of children) {
    child.kill('SIGTERM');
    if (child.exitCode === null && child.signalCode === null) await once(child, 'exit');
  }
});

interface Running {
  readonly child: ChildProcess;
  output(): string;
  /** Resolves with the exit code. */
  readonly exited: Promise<number | null>;
}

function run(command: string, argv: readonly string[], more: NodeJS.ProcessEnv = {}): Running {
  const env = { ...process.env, ...more };
  const child = spawn(command, argv, { cwd: root, env, stdio: ['ignore', 'pipe', 'pipe'] });
  children.add(child);
  let output = '';
  child.stdout?.on('data', (data) => {
    output += data;
  });
  child.stderr?.on('data', (data) => {
    output += data;
  });
  const exited = once(child, 'exit').then(([code]) => {
    children.delete(child);
    return code as number | null;
  });
  return { child, output: () => output, exited };
}

/** What it has written, as soon as that matches. */
async function told(running: Running, pattern: RegExp): Promise<RegExpExecArray> {
  const ended = running.exited.then(() => Promise.reject(new Error(running.output())));
  ended.catch(() => {});
  for (;;) {
    const match = pattern.exec(running.output());
    if (match !== null) return match;
    await Promise.race([once(running.child.stdout as NodeJS.ReadableStream, 'data'), ended]);
  }
}

async function startLive(...argv: readonly string[]): Promise<{ running: Running; url: string }> {
  const running = run(process.execPath, argv);
  const [, url] = await told(running, /(http:\S+)\//);
  return { running, url: url as string };
}

describe('the globe', () => {
  it('writes its picture and its table without a browser, and ends', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'kds-globe-'));
    try {
      const out = join(folder, 'globe.png');
      const { exited, output } = run(process.execPath, [start, '--frames', '40', '--out', out]);
      expect([await exited, output()]).toEqual([0, expect.stringContaining('globe.png')]);
      for (const form of ['directly', 'an idle main thread', 'a half busy main thread']) {
        expect(output()).toMatch(new RegExp(`${form} +\\d+\\.\\d+ ms +\\d+\\.\\d+ ms +40 +\\d+`));
      }
      const picture = readFileSync(out);
      expect(picture.subarray(0, 8).toString('hex')).toBe(pngSignature);
      // Land, sea and lines do not compress to nothing.
      expect(picture.length).toBeGreaterThan(10_000);
    } finally {
      removeFolder(folder);
    }
  });

  it('writes a trace of all its threads, which obeyed the rule', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'kds-globe-'));
    try {
      const trace = join(folder, 'globe.json');
      const argv = [start, '--frames', '20', '--out', join(folder, 'globe.png')];
      const { exited, output } = run(process.execPath, argv, { KDS_TRACE: trace });
      expect([await exited, output()]).toEqual([0, expect.stringContaining('globe.png')]);
      const { faults, domains } = checkTrace(readFileSync(trace, 'utf8'));
      expect(faults).toEqual([]);
      // Three forms, each with four stages that want 20 frames; and the picture.
      const grants = domains.map(({ grantCount }) => grantCount).sort((a, b) => b - a);
      expect(grants).toEqual([80, 80, 80, 1]);
    } finally {
      removeFolder(folder);
    }
  });

  it.each([
    ['--frames', '7'],
    ['--frames', 'many'],
    ['--port', '-1'],
    ['--hz', '0'],
  ])('refuses %s %s, and says what it wants', async (option, value) => {
    const { exited, output } = run(process.execPath, [start, `${option}=${value}`]);
    expect(await exited).toBe(64);
    expect(output()).toContain(`${option} is a whole number`);
  });

  it('serves its frames and its state live, until it is stopped', async () => {
    const { running, url } = await startLive(start, '--port', '0');
    const [one, two] = [await fetch(`${url}/frame.jpg`), await fetch(`${url}/frame.jpg`)];
    const pictures = [await one.arrayBuffer(), await two.arrayBuffer()].map((b) => Buffer.from(b));
    expect(pictures.map((picture) => [picture[0], picture[1]])).toEqual([
      [0xff, 0xd8],
      [0xff, 0xd8],
    ]);
    expect(Buffer.compare(pictures[0] as Buffer, pictures[1] as Buffer)).not.toBe(0);
    const { snapshot, statistics } = (await (await fetch(`${url}/state.json`)).json()) as {
      snapshot: { held: unknown[] };
      statistics: { shown: number };
    };
    expect(statistics.shown).toBeGreaterThan(1);
    expect(snapshot.held.length).toBeGreaterThan(0);
    expect((await fetch(`${url}/`)).headers.get('content-type')).toContain('text/html');
    expect((await fetch(`${url}/etc/passwd`)).status).toBe(404);
    expect((await fetch(`${url}/`, { method: 'POST' })).status).toBe(405);
    const [, page] = await told(running, /waits for whom: (\S+)/);
    const looking = await fetch(`${page}events`);
    const reader = looking.body?.pipeThrough(new TextDecoderStream()).getReader();
    let heard = '';
    while (!heard.includes('"title":"globe"')) heard += (await reader?.read())?.value;
    await reader?.cancel();
    running.child.kill('SIGTERM');
    expect(await running.exited).toBe(0);
  });

  const itInBrowser = (title: string, body: (browser: string) => Promise<void>): void => {
    if (chromium === undefined) it.skip(`${title} (skipped: no chromium)`, () => {});
    else it(title, () => body(chromium));
  };
  const headless = ['--headless', '--no-sandbox', '--disable-gpu', '--window-size=1200,640'];

  itInBrowser('is seen by a browser, with the state beside it', async (browser) => {
    const { url } = await startLive(start, '--port', '0');
    const out = join(root, '.tmp-globe', 'page.png');
    rmSync(out, { force: true });
    const flags = [...headless, '--timeout=4000', `--screenshot=${out}`];
    const { exited, output } = run(browser, [...flags, `${url}/`]);
    expect([await exited, output()]).toEqual([0, expect.any(String)]);
    const picture = readFileSync(out);
    expect(picture.subarray(0, 8).toString('hex')).toBe(pngSignature);
    expect(picture.length).toBeGreaterThan(30_000);
  });

  itInBrowser(
    'spins within a browser, at its own frames and in its own workers',
    async (browser) => {
      const profile = mkdtempSync(join(tmpdir(), 'kds-globe-'));
      try {
        const { running, url } = await startLive(startInBrowser, '0');
        const page = run(browser, [...headless, `--user-data-dir=${profile}`, `${url}/`]);
        const [, file] = await told(running, /what it shows is in (\S+)/);
        const [, shown] = await told(running, /shown (\d\d\d) frames/);
        expect(Number(shown)).toBeGreaterThan(60);
        expect(readFileSync(file as string).length).toBeGreaterThan(10_000);
        page.child.kill('SIGTERM');
        await page.exited;
      } finally {
        removeFolder(profile);
      }
    },
  );
});
