/** The video as a user runs it: `npm run video`, and its page in headless Chromium. */

import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { type Browser, type Page, chromium as playwright } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { findChromium } from '../browser/isolated-site.ts';
import { randomFrom } from '../stress/random.ts';

const root = fileURLToPath(new URL('../..', import.meta.url));
const start = join(root, 'examples', 'video', 'start.mjs');
const chromium = findChromium();

const children = new Set<ChildProcess>();

function run(...argv: readonly string[]): { output(): string; exited: Promise<unknown> } {
  const child = spawn(process.execPath, [start, ...argv], { cwd: root });
  children.add(child);
  let output = '';
  for (const stream of [child.stdout, child.stderr]) {
    stream.on('data', (data) => {
      output += data;
      child.emit('output');
    });
  }
  const exited = once(child, 'exit').then(([code]) => {
    children.delete(child);
    child.emit('output');
    return code;
  });
  return { output: () => output, exited };
}

async function serve(): Promise<string> {
  const { output, exited } = run('--port', '0');
  const ended = exited.then(() => Promise.reject(new Error(output())));
  ended.catch(() => {});
  for (;;) {
    const [url] = /http:\S+/.exec(output()) ?? [];
    if (url !== undefined) return url;
    await Promise.race([...children].map((child) => once(child, 'output')).concat(ended));
  }
}

let url: string;
beforeAll(async () => {
  url = await serve();
});
afterAll(async () => {
  for (const child of children) {
    child.kill('SIGTERM');
    await once(child, 'exit');
  }
});

describe("the video's server", () => {
  it.each(['-1', 'many', '65536'])('refuses --port %s, and ends', async (port) => {
    const { exited, output } = run(`--port=${port}`);
    expect(await exited).toBe(64);
    expect(output()).toContain('--port is a whole number');
  });

  it('names the port that is in use, and ends', async () => {
    const { exited, output } = run('--port', new URL(url).port);
    expect(await exited).toBe(1);
    expect(output()).toContain('is in use: npm run video -- --port 0');
  });

  it('serves the page and its scripts to this site alone, isolated from others', async () => {
    const { headers, status } = await fetch(url);
    expect(status).toBe(200);
    expect(headers.get('cross-origin-opener-policy')).toBe('same-origin');
    expect(headers.get('cross-origin-embedder-policy')).toBe('require-corp');
    expect(headers.get('content-security-policy')).toMatch(
      /^default-src 'none'; script-src 'self'; worker-src 'self'; style-src 'sha256-[^']+'; img-/,
    );
    const statusOf = async (path: string, init: RequestInit = {}): Promise<number> =>
      (await fetch(new URL(path, url), init)).status;
    expect(await statusOf('/page.mjs')).toBe(200);
    expect(await statusOf('/server.mjs')).toBe(404);
    expect(await statusOf('/..%2fserver.mjs')).toBe(404);
    expect(await statusOf('/', { method: 'POST' })).toBe(405);
    expect(await statusOf('/', { headers: { origin: 'http://evil.example' } })).toBe(403);
    expect(await statusOf('/', { headers: { 'sec-fetch-site': 'cross-site' } })).toBe(403);
  });
});

/** Frames in a round of the clip. */
const clipLength = 120;
const forms = ['kds', 'kds-busy', 'messages', 'messages-busy'] as const;
const stages = ['decoder', 'processor', 'display'] as const;
const noFaults = { closedTwice: 0, torn: 0, misordered: 0 };

describe.skipIf(chromium === undefined)(
  `the video's page${chromium === undefined ? ' (skipped: no chromium)' : ''}`,
  () => {
    let browser: Browser;
    beforeAll(async () => {
      const args = process.getuid?.() === 0 ? ['--no-sandbox'] : [];
      browser = await playwright.launch({ executablePath: chromium as string, args });
    });
    afterAll(() => browser?.close());

    /** Opens the page with a form that stays; problems of the page fail the test. */
    async function withPage(
      form: (typeof forms)[number] | undefined,
      body: (page: Page) => Promise<void>,
    ): Promise<void> {
      const page = await browser.newPage({ viewport: { width: 1280, height: 900 } });
      page.setDefaultTimeout(0);
      const problems: string[] = [];
      page.on('pageerror', (error) => problems.push(error.message));
      page.on('console', (message) => problems.push(message.text()));
      page.on('request', (request) => {
        if (!request.url().startsWith(url)) problems.push(`a request to ${request.url()}`);
      });
      try {
        await page.goto(url);
        if (form !== undefined) {
          await page.uncheck('#turns');
          await page.check(`input[value=${form}]`);
        }
        await states(page, 2);
        await body(page);
        expect(await page.textContent('#failure')).toBe('');
        expect(problems).toEqual([]);
      } finally {
        await page.close();
      }
    }

    /** Waits for readings of the page from now on. */
    async function states(page: Page, more: number): Promise<void> {
      const before = Number(await page.getAttribute('body', 'data-view-count'));
      await page.waitForFunction(
        (wanted) => Number(document.body.dataset['viewCount']) >= wanted,
        before + more,
      );
    }

    /** The figures of the checks. */
    function checks(page: Page): Promise<Record<string, number>> {
      return page.evaluate(() => {
        const cells = [...document.querySelectorAll<HTMLElement>('[data-check]')];
        const entries = cells.map(({ dataset, textContent }) => {
          return [dataset['check'], Number.parseInt(textContent ?? '', 10)];
        });
        return Object.fromEntries(entries) as Record<string, number>;
      });
    }

    /** Waits until more frames have been shown. */
    async function frames(page: Page, more: number): Promise<void> {
      const before = (await checks(page))['shown'] as number;
      await page.waitForFunction(
        (wanted) => Number(document.querySelector('[data-check=shown]')?.textContent) >= wanted,
        before + more,
      );
    }

    /** Stops the pipeline: all frames are closed then, and all buffers are back in the pool. */
    async function stop(page: Page): Promise<Record<string, number>> {
      await page.click('#run');
      await page.waitForFunction(() => {
        return document.querySelector('#state')?.textContent === 'stopped';
      });
      await states(page, 2);
      return checks(page);
    }

    function expectAllReturned(counts: Record<string, number>): void {
      const { opened, closed, orphaned } = counts as { [name: string]: number };
      expect(counts).toMatchObject({ ...noFaults, taken: 0 });
      expect(opened).toBe((closed as number) + (orphaned as number));
    }

    it.each(['vp8', 'vp9', 'av1'])(
      'encodes and decodes %s, with each frame whole, in order and closed once',
      async (codec) => {
        await withPage('kds', async (page) => {
          await page.selectOption('#codec', codec);
          await frames(page, clipLength + 10);
          const counts = await stop(page);
          expectAllReturned(counts);
          expect(counts['orphaned']).toBe(0);
          expect(counts['opened']).toBeGreaterThan(clipLength);
        });
      },
    );

    it.each(forms)('has all frames whole and in order in the form %s', async (form) => {
      await withPage(form, async (page) => {
        await frames(page, clipLength);
        const figure = (name: string): Promise<string | null> =>
          page.textContent(`[data-form=${form}] [data-figure=${name}]`);
        expect(await figure('median')).toMatch(/^[\d.]+ ms$/);
        expect(await figure('missed')).toMatch(/^\d+ \([\d.]+ %\)$/);
        expect(await figure('inFlight')).toMatch(/^\d, at most 3$/);
        expectAllReturned(await stop(page));
      });
    });

    const seed = Number(process.env['KDS_VIDEO_SEED'] ?? Math.floor(Math.random() * 2 ** 31));
    const random = randomFrom(seed);

    it.each(stages)(
      'goes on after the %s was terminated, which the next notices',
      async (stage) => {
        console.info(`KDS_VIDEO_SEED=${seed}`);
        await withPage('kds', async (page) => {
          for (let end = 1; end <= 3; end++) {
            await frames(page, 1 + Math.floor(40 * random()));
            await page.click(`[data-terminate=${stage}]`);
            await page.waitForFunction(
              (count) => document.querySelector('[data-check=broken]')?.textContent === count,
              String(end),
            );
          }
          await frames(page, clipLength);
          const counts = await stop(page);
          expectAllReturned(counts);
          expect(counts['broken']).toBe(3);
        });
      },
    );

    it('goes on after workers were terminated one after the other, in any form', async () => {
      await withPage('kds', async (page) => {
        for (const form of ['kds', 'messages', 'kds-busy'] as const) {
          await page.check(`input[value=${form}]`);
          await frames(page, 20);
          for (const stage of stages) await page.click(`[data-terminate=${stage}]`);
          await frames(page, clipLength);
        }
        expectAllReturned(await stop(page));
      });
    });

    it('takes no more buffers than the pool has, which can be resized at any time', async () => {
      await withPage('kds', async (page) => {
        for (const size of ['1', '6', '2', '5', '1']) {
          await page.selectOption('#pool', size);
          await frames(page, 30);
          await states(page, 1);
          const { taken } = await checks(page);
          expect(taken).toBeGreaterThan(0);
          expect(taken).toBeLessThanOrEqual(Number(size));
        }
        expectAllReturned(await stop(page));
      });
    });

    it('lists the stages of each turn in the order of the pipeline', async () => {
      await withPage('kds', async (page) => {
        await frames(page, 30);
        const rows = await page.evaluate(() => {
          return [...document.querySelectorAll('#turn-rows tr')].map((row) => {
            return [...row.querySelectorAll('.chip')].map((chip) => chip.textContent ?? '');
          });
        });
        expect(rows.length).toBe(6);
        for (const [turn, chips] of rows.entries()) {
          const steps = chips.map((chip) => {
            const [stage, number] = chip.split(' ') as [(typeof stages)[number], string];
            expect(Number(number) % 6).toBe(turn);
            return 3 * Math.floor(Number(number) / 6) + stages.indexOf(stage);
          });
          expect(steps).toEqual(steps.map((_, at) => (steps[0] as number) + at));
        }
      });
    });

    it('is used by the keyboard: a form is chosen, the video stopped and started', async () => {
      await withPage('kds', async (page) => {
        await page.locator('input[value=kds]').focus();
        await page.keyboard.press('ArrowDown');
        await page.waitForSelector('[data-form=kds-busy].runs');
        await page.keyboard.press('ArrowDown');
        await page.waitForSelector('[data-form=messages].runs');
        await page.focus('#run');
        await page.keyboard.press('Enter');
        await page.waitForFunction(() => {
          return document.querySelector('#state')?.textContent === 'stopped';
        });
        await page.keyboard.press('Space');
        await frames(page, 10);
        await page.focus('[data-terminate=processor]');
        await page.keyboard.press('Enter');
        await frames(page, clipLength);
        await page.focus('#reset');
        await page.keyboard.press('Enter');
        await page.waitForFunction(() => {
          const cell = document.querySelector('[data-form=kds] [data-figure=handOvers]');
          return cell?.textContent === '0';
        });
      });
    });

    it('lets the forms take turns until one is chosen', async () => {
      await withPage(undefined, async (page) => {
        expect(await page.isChecked('#turns')).toBe(true);
        for (const form of [...forms, 'kds']) {
          await page.waitForSelector(`[data-form=${form}].runs`);
        }
        await page.check('input[value=messages]');
        await states(page, 1);
        expect(await page.isChecked('#turns')).toBe(false);
      });
    });

    it.each([390, 1280])('keeps within the width, and in place, at %d px', async (width) => {
      await withPage('messages', async (page) => {
        await page.setViewportSize({ width, height: 844 });
        await page.waitForSelector('[data-form=messages].runs');
        const boxes = (): Promise<unknown> =>
          page.evaluate(() => {
            const cells = document.querySelectorAll('th, td, .form, .form dd, h1, h2, #screen');
            return [...cells].map((cell) => {
              const { x, y, width: wide, height } = cell.getBoundingClientRect();
              return [cell.tagName, x, y, wide, height];
            });
          });
        const before = await boxes();
        await page.check('input[value=kds]');
        await frames(page, clipLength);
        expect(await boxes()).toEqual(before);
        const widths = await page.evaluate(() => {
          const { scrollWidth, clientWidth } = document.documentElement;
          return { scrollWidth, clientWidth };
        });
        expect(widths.scrollWidth).toBe(widths.clientWidth);
      });
    });

    it('has no violation of WCAG A or AA, narrow or wide, light or dark', async () => {
      const axe = readFileSync(join(root, 'node_modules', 'axe-core', 'axe.min.js'), 'utf8');
      await withPage('kds', async (page) => {
        await page.evaluate(axe);
        await frames(page, 40);
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
    });

    it('waits for its user where motion is to be reduced', async () => {
      const page = await browser.newPage({ reducedMotion: 'reduce' });
      page.setDefaultTimeout(0);
      try {
        await page.goto(url);
        await states(page, 5);
        expect(await page.textContent('#state')).toBe('stopped');
        expect(await checks(page)).toMatchObject({ opened: 0, shown: 0 });
        await page.click('#run');
        await frames(page, 10);
      } finally {
        await page.close();
      }
    });
  },
);
