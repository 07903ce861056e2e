/** The globe as a user runs it: `npm start`, headless, live, and in a browser. */

import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { type Page, chromium as playwright } from 'playwright-core';
import { afterEach, describe, expect, it } from 'vitest';
import { checkTrace } from '../../src/inspect/trace.ts';
import { findChromium } from '../browser/isolated-site.ts';
import { removeFolder } from '../temporary-folder.ts';

const root = fileURLToPath(new URL('../..', import.meta.url));
const start = join(root, 'examples', 'globe', 'start.mjs');
const startInBrowser = join(root, 'examples', 'globe', 'browser', 'start.mjs');
const chromium = findChromium();
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
      expect(output()).toContain('2 rounds of 20 frames at 60 Hz, after 60 each');
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
      // Three forms, each with four stages that want 20 frames after 60; and the picture.
      const grants = domains.map(({ grantCount }) => grantCount).sort((a, b) => b - a);
      expect(grants).toEqual([320, 320, 320, 1]);
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
    const [, page] = await told(running, /holders and waiters: +(\S+)/);
    const looking = await fetch(`${page}events`);
    const reader = looking.body?.pipeThrough(new TextDecoderStream()).getReader();
    let heard = '';
    while (!heard.includes('"title":"globe"')) heard += (await reader?.read())?.value;
    await reader?.cancel();
    running.child.kill('SIGTERM');
    expect(await running.exited).toBe(0);
  });

  it('refuses requests of other sites, and commands that it does not have', async () => {
    const { url } = await startLive(start, '--port', '0');
    const post = (path: string, headers: Record<string, string> = {}): Promise<number> =>
      fetch(`${url}${path}`, { method: 'POST', headers }).then(({ status }) => status);
    expect(await post('/reset')).toBe(204);
    expect(await post('/reset', { origin: 'http://evil.example' })).toBe(403);
    expect(await post('/reset', { 'sec-fetch-site': 'cross-site' })).toBe(403);
    expect(await post('/form?name=none')).toBe(405);
    const { headers } = await fetch(`${url}/`);
    expect(headers.get('content-security-policy')).toMatch(
      /^default-src 'none'; script-src 'sha256-[^']+'; style-src 'sha256-[^']+'; img-src/,
    );
  });

  it('names the port that is in use, and ends', async () => {
    const { url } = await startLive(start, '--port', '0');
    const { port } = new URL(url);
    const { exited, output } = run(process.execPath, [start, '--port', port]);
    expect(await exited).toBe(1);
    expect(output()).toContain(`port ${port} is in use`);
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

describe.skipIf(chromium === undefined)(
  `the globe's page${chromium === undefined ? ' (skipped: no chromium)' : ''}`,
  () => {
    const axe = readFileSync(join(root, 'node_modules', 'axe-core', 'axe.min.js'), 'utf8');

    /** Runs the example, opens its page, and closes it; problems of the page fail the test. */
    async function withPage(
      body: (page: Page, running: Running) => Promise<void>,
    ): Promise<readonly string[]> {
      const { running, url } = await startLive(start, '--port', '0');
      const args = process.getuid?.() === 0 ? ['--no-sandbox'] : [];
      const browser = await playwright.launch({ executablePath: chromium as string, args });
      const problems: string[] = [];
      try {
        const page = await browser.newPage({ viewport: { width: 1280, height: 800 } });
        page.setDefaultTimeout(0);
        page.on('pageerror', (error) => problems.push(error.message));
        page.on('console', (message) => {
          if (message.type() === 'error') problems.push(message.text());
        });
        await page.goto(`${url}/`);
        await states(page, 1);
        await body(page, running);
      } finally {
        await browser.close();
      }
      return problems;
    }

    /** Waits for states that the page receives from now on. */
    async function states(page: Page, more: number): Promise<void> {
      const before = Number(await page.getAttribute('body', 'data-view-count'));
      await page.waitForFunction(
        (wanted) => Number(document.body.dataset['viewCount']) >= wanted,
        before + more,
      );
    }

    /** Waits until the form runs, and has hand-overs. */
    async function ran(page: Page, form: string): Promise<void> {
      await page.waitForSelector(`[data-form=${form}].runs`);
      await page.waitForFunction((name) => {
        const cell = document.querySelector(`[data-form=${name}] [data-figure=handOvers]`);
        return Number(cell?.textContent?.replace(/\D/g, '')) > 0;
      }, form);
    }
    const figure = (page: Page, form: string, name: string): Promise<string | null> =>
      page.textContent(`[data-form=${form}] [data-figure=${name}]`);

    it('switches the form by the keyboard, and keeps the figures of each', async () => {
      const problems = await withPage(async (page) => {
        await page.locator('input[value=direct]').focus();
        await page.keyboard.press('ArrowRight');
        await ran(page, 'main');
        expect(await page.isChecked('#turns')).toBe(false);
        await page.keyboard.press('ArrowRight');
        await ran(page, 'busy');
        const kept = await figure(page, 'main', 'handOvers');
        await states(page, 3);
        expect(await figure(page, 'main', 'handOvers')).toBe(kept);
        expect(await figure(page, 'main', 'median')).toMatch(/^[\d.]+ ms$/);
        expect(await page.getAttribute('[data-form=main] svg', 'aria-label')).toContain('median');
        // Each stage has a domain of its own if it hands over directly; else the main thread asks.
        const sessions = (): Promise<string[]> =>
          page.evaluate(async () => {
            const { snapshot } = await (await fetch('/state.json')).json();
            const entries: { session: string }[] = [...snapshot.held, ...snapshot.pending];
            return [...new Set(entries.map(({ session }) => session))].sort();
          });
        expect(await sessions()).toEqual(['main']);
        await page.check('input[value=direct]');
        await ran(page, 'direct');
        expect(await sessions()).toEqual(expect.arrayContaining(['display', 'render']));
        // What was reset has run no more: the form that runs begins again.
        await page.focus('#reset');
        await page.keyboard.press('Enter');
        await page.waitForFunction(() => {
          const cells = document.querySelectorAll('[data-figure=handOvers]');
          return cells[1]?.textContent === '0' && cells[2]?.textContent === '0';
        });
        expect(await page.textContent('[data-form=busy]')).toContain('not run yet');
      });
      expect(problems).toEqual([]);
    });

    it('lets the forms take turns until one is chosen', async () => {
      const problems = await withPage(async (page) => {
        expect(await page.isChecked('#turns')).toBe(true);
        for (const form of ['direct', 'main', 'busy', 'direct']) await ran(page, form);
      });
      expect(problems).toEqual([]);
    });

    it.each([390, 1280])(
      'keeps its rows in place, and within the width, at %d px',
      async (width) => {
        const problems = await withPage(async (page) => {
          await page.setViewportSize({ width, height: 844 });
          const boxes = (): Promise<unknown> =>
            page.evaluate(() => {
              const cells = document.querySelectorAll('th, td, .form, .form dd, h1, h2, #frame');
              return [...cells].map((cell) => {
                const { x, y, width: wide, height } = cell.getBoundingClientRect();
                return [cell.tagName, x, y, wide, height];
              });
            });
          // The widest words are there from the first state of a form on.
          const before = await boxes();
          await states(page, 3);
          expect(await boxes()).toEqual(before);
          await page.check('input[value=busy]');
          await ran(page, 'busy');
          expect(await boxes()).toEqual(before);
          const widths = await page.evaluate(() => {
            const { scrollWidth, clientWidth } = document.documentElement;
            return { scrollWidth, clientWidth };
          });
          expect(widths.scrollWidth).toBe(widths.clientWidth);
        });
        expect(problems).toEqual([]);
      },
    );

    it('has no violation of WCAG A or AA, narrow or wide, light or dark', async () => {
      const problems = await withPage(async (page) => {
        await page.evaluate(axe);
        for (const colorScheme of ['light', 'dark'] as const) {
          for (const width of [390, 1280]) {
            await page.emulateMedia({ colorScheme });
            await page.setViewportSize({ width, height: 844 });
            const violations = await page.evaluate(async () => {
              const { axe } = globalThis as unknown as { axe: typeof import('axe-core') };
              const { violations } = await axe.run(document, {
                runOnly: ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa'],
              });
              return violations.map(({ id, nodes }) => [id, nodes.map(({ html }) => html)]);
            });
            expect({ colorScheme, width, violations }).toEqual({
              colorScheme,
              width,
              violations: [],
            });
          }
        }
      });
      expect(problems).toEqual([]);
    });

    it('reports that the process has stopped, and offers to retry', async () => {
      await withPage(async (page, running) => {
        expect(await page.textContent('#connection')).toBe('live');
        expect(await page.isVisible('#gone')).toBe(false);
        running.child.kill('SIGTERM');
        await running.exited;
        await page.waitForSelector('#gone:not([hidden])');
        expect(await page.textContent('#gone')).toContain('npm start does not answer');
        expect(await page.textContent('#connection')).toBe('not connected');
        await page.click('#retry');
        expect(await page.isVisible('#gone')).toBe(true);
      });
    });
  },
);
