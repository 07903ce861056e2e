/** The page in a real browser, and its server: refusals, limits, states, keys, semantics. */

import { readFileSync } from 'node:fs';
import { type IncomingHttpHeaders, request } from 'node:http';
import { createDomain, type SyncDomain, type SyncGrant } from 'kds';
import type { InspectedSnapshot } from 'kds/inspect';
import { type RunningPage, servePage } from 'kds/inspect/page';
import { type Browser, chromium, type Page } from 'playwright-core';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { hostileNames, unsafe } from '../inspect/hostile-names.ts';
import { randomFrom } from '../stress/random.ts';
import { findChromium } from './isolated-site.ts';

declare global {
  /** axe-core, in the browser. */
  var axe: typeof import('axe-core');
}

const executablePath = findChromium();
const axeText = readFileSync(new URL(import.meta.resolve('axe-core/axe.min.js')), 'utf8');
const missing = executablePath === undefined ? ' (skipped: no chromium)' : '';

interface Answer {
  readonly status: number | undefined;
  readonly headers: IncomingHttpHeaders;
  readonly text: string;
}

/** A request as any program could make it. Resolves with the first piece of the answer. */
function ask(url: string, headers: Record<string, string> = {}, method = 'GET'): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const asked = request(url, { headers, method }, (response) => {
      response.setEncoding('utf8').once('data', (text: string) => {
        const { statusCode: status, headers } = response;
        response.destroy();
        resolve({ status, headers, text });
      });
    });
    asked.once('error', reject).end();
  });
}

/** In the browser. */
function observeLongTasks(): void {
  const durations: number[] = [];
  Object.assign(globalThis, { durations });
  new PerformanceObserver((list) => {
    durations.push(...list.getEntries().map(({ duration }) => duration));
  }).observe({ type: 'longtask' });
}

describe('the server of the page', () => {
  let page: RunningPage;
  beforeEach(async () => {
    const domain = createDomain();
    page = await servePage({ read: () => domain.query() });
  });
  afterEach(() => page.close());

  it('answers a request with the secret path, and allows no content of other sites', async () => {
    const { status, headers, text } = await ask(page.url);
    expect(status).toBe(200);
    expect(text).toContain('<title>kds</title>');
    expect(headers['content-security-policy']).toMatch(
      /^default-src 'none'; script-src 'sha256-[^']+'; style-src 'sha256-[^']+'; connect-src/,
    );
    expect(headers).toMatchObject({ 'x-content-type-options': 'nosniff' });
    expect(new URL(page.url).hostname).toBe('127.0.0.1');
    expect(new URL(page.url).pathname).toMatch(/^\/[0-9a-f]{32}\/$/);
  });

  // 2.5 kB more than in 0.1, for the units of a resource: cells, their keys, a bar, and a colour.
  it('has a page of less than 26.6 kB', () => {
    const file = new URL('../../src/inspect/page.html', import.meta.url);
    expect(readFileSync(file).length).toBeLessThan(26_600);
  });

  it.each<[string, Record<string, string>]>([
    ['another Host', { host: 'evil.example' }],
    ['another port in the Host', { host: '127.0.0.1:1' }],
    ['another Origin', { origin: 'http://evil.example' }],
    ['an Origin that is null', { origin: 'null' }],
    ['a request of another site', { 'sec-fetch-site': 'cross-site' }],
  ])('refuses %s', async (_, headers) => {
    expect((await ask(page.url, headers)).status).toBe(403);
    expect((await ask(`${page.url}events`, headers)).status).toBe(403);
  });

  it('refuses requests without the path, and any method but GET', async () => {
    const { origin } = new URL(page.url);
    for (const path of ['/', '/events', `/${'0'.repeat(32)}/`]) {
      expect((await ask(`${origin}${path}`)).status).toBe(404);
    }
    expect((await ask(`${page.url}no-such-page`)).status).toBe(404);
    expect((await ask(`${page.url}explain?resource=7`)).status).toBe(404);
    expect((await ask(page.url, {}, 'POST')).status).toBe(405);
    expect((await ask(page.url, {}, 'DELETE')).status).toBe(405);
  });

  it('accepts a limited number of viewers', async () => {
    const looking: ReturnType<typeof request>[] = [];
    for (let count = 0; count < 16; count++) {
      await new Promise<void>((resolve) => {
        looking.push(
          request(`${page.url}events`, (response) => response.once('data', resolve)).end(),
        );
      });
    }
    expect((await ask(`${page.url}events`)).status).toBe(503);
    for (const one of looking) one.destroy();
  });

  it('sends the error of a failed snapshot, and retries', async () => {
    const broken = await servePage({
      read: () => Promise.reject(new Error('out of reach')),
      intervalMs: 100,
    });
    let received = '';
    await new Promise<void>((resolve) => {
      request(`${broken.url}events`, (response) => {
        response.setEncoding('utf8').on('data', (text: string) => {
          received += text;
          if (received.split('event: trouble\ndata: "out of reach"').length > 2) resolve();
        });
        response.on('error', () => undefined);
      }).end();
    });
    await broken.close();
    await broken.close();
  });

  it('warns of idle units that many wait for, and of a unit with two holders', async () => {
    const domain = createDomain({ capacity: { gpu: 4 } });
    domain.acquireSync({ units: { gpu: 1 } }, { label: 'viewer' });
    void domain.acquire({ units: { gpu: 4 } }, { label: 'audit' }).catch(() => undefined);
    for (let count = 0; count < 10; count++) {
      void domain.acquire({ units: { gpu: 1 } }).catch(() => undefined);
    }
    const snapshot = await domain.query();
    const [viewer] = snapshot.held;
    // No domain gives one unit to two holders: it would be a fault.
    const twice = { ...snapshot, held: [viewer, { ...viewer, id: 99, label: 'other' }] };
    for (const [read, warning] of [
      [snapshot, /^audit has waited for .* and delays 10; not in use: 3 units of gpu$/],
      [twice, /^unit 0 of gpu is held by viewer and other$/],
    ] as const) {
      const warned = await servePage({ read: async () => read as InspectedSnapshot });
      const view = await new Promise<string>((resolve) => {
        request(`${warned.url}events`, (response) => {
          response.setEncoding('utf8').on('data', (text: string) => {
            const line = /^data: (.*)$/m.exec(text)?.[1];
            if (line !== undefined) resolve(line);
          });
          response.on('error', () => undefined);
        }).end();
      });
      const { warnings } = JSON.parse(view);
      expect(warnings).toContainEqual(expect.stringMatching(warning));
      await warned.close();
    }
    await domain.close();
  });

  it('refuses an invalid interval', async () => {
    const read = () => createDomain().query();
    await expect(servePage({ read, intervalMs: 1 })).rejects.toThrow(RangeError);
    await expect(servePage({ read, intervalMs: Number.NaN })).rejects.toThrow(RangeError);
    // Timers of that length fire at once.
    await expect(servePage({ read, intervalMs: 2 ** 31 })).rejects.toThrow(RangeError);
    await expect(servePage({ read, intervalMs: '500' as never })).rejects.toThrow(TypeError);
  });
});

describe.skipIf(executablePath === undefined)(`the page in Chromium${missing}`, () => {
  let browser: Browser;
  let domain: SyncDomain;
  let served: RunningPage;
  let page: Page;
  let troubles: string[];

  beforeAll(async () => {
    // Chromium's sandbox refuses to work for root.
    const args = process.getuid?.() === 0 ? ['--no-sandbox'] : [];
    browser = await chromium.launch({ executablePath: executablePath as string, args });
  });
  afterAll(() => browser?.close());

  beforeEach(async () => {
    domain = createDomain({ label: 'shop' });
    served = await servePage({ read: () => domain.query(), title: 'shop', intervalMs: 100 });
    page = await browser.newPage({ viewport: { width: 1200, height: 700 } });
    troubles = [];
    page.on('pageerror', (error) => troubles.push(error.message));
    page.on('console', (message) => {
      if (message.type() === 'error') troubles.push(message.text());
    });
  });
  afterEach(async () => {
    await page.close();
    await served.close();
    await domain.close();
  });

  /** Opens it, and waits until it has shown so many looks more. */
  async function open(): Promise<void> {
    await page.goto(served.url);
    await looks(1);
  }
  async function looks(count: number): Promise<void> {
    const before = Number(await page.getAttribute('body', 'data-view-count'));
    await page.waitForFunction(
      (wanted) => Number(document.body.dataset['viewCount']) >= wanted,
      before + count,
    );
    // Rows are drawn with the next frame.
    await frame();
  }
  /** Waits until the next frame is drawn. */
  const frame = (): Promise<unknown> =>
    page.evaluate(
      () => new Promise((resolve) => requestAnimationFrame(() => requestAnimationFrame(resolve))),
    );
  const focused = (): Promise<string> =>
    page.evaluate(() => document.activeElement?.id || (document.activeElement?.tagName ?? ''));
  async function printLongTasks(): Promise<void> {
    const longTasks = await page.evaluate(
      () => (globalThis as unknown as { durations: number[] }).durations,
    );
    const longest = Math.max(0, ...longTasks);
    console.info(
      `${longTasks.length} long tasks in the page, the longest ${longest.toFixed(0)} ms`,
    );
  }
  const texts = (selector: string): Promise<string[]> => page.locator(selector).allTextContents();

  it('shows queues as chips, sessions, and details, and follows the domain', async () => {
    const one = await domain.acquire({ exclusive: 'db' }, { label: 'migration' });
    const two = domain.session({ label: 'web' }).acquire({ shared: ['db', 'disk'] });
    await open();
    expect(await texts('.row .name')).toEqual(['db', 'disk']);
    const modes = await page.evaluate(() =>
      [...document.querySelectorAll('.row:first-child .chip')].map(
        (chip) => getComputedStyle(chip, '::before').content,
      ),
    );
    expect(modes).toEqual(['"X"', '"S"']);
    expect(await page.locator('.row .chip.held.x').count()).toBe(1);
    expect(await page.locator('.row .chip.waiting.s').count()).toBe(2);
    expect(await texts('#sessions th')).toEqual(expect.arrayContaining(['web', 'shop']));
    expect(await page.textContent('#counts')).toBe('1 held, 1 waiting');
    await page.click('.row:has-text("db")');
    await page.waitForSelector('#holders li');
    expect(await page.textContent('#holders')).toMatch(
      /^migrationexclusive, for .* \(since .*\), session shop$/,
    );
    expect(await page.textContent('#waiters')).toMatch(/^webshared, for/);
    expect(await page.getAttribute('.row:has-text("db") .chip.held', 'title')).toBe(
      'migration (held)',
    );
    expect(await page.textContent('#text')).toMatch(/^db is held exclusive, for .*, by migration/);
    await page.keyboard.press('Escape');
    one.release();
    await looks(2);
    expect(await page.textContent('#counts')).toBe('1 held, 0 waiting');
    expect(await page.getAttribute('#histogram', 'aria-label')).toMatch(/^1 waits have ended/);
    (await two).release();
    expect(troubles).toEqual([]);
  });

  it('can be used by the keyboard alone: search, choose, explain, pause, and dark', async () => {
    const names = Array.from(
      { length: 200 },
      (_, index) => `row ${String(index).padStart(3, '0')}`,
    );
    domain.acquireSync({ exclusive: names });
    await open();
    await page.keyboard.press('/');
    await page.keyboard.type('row 19');
    await page.keyboard.press('Enter');
    await page.waitForFunction(() => document.querySelectorAll('.row .name').length === 10);
    await page.keyboard.press('ArrowDown');
    await page.keyboard.press('End');
    await page.keyboard.press('ArrowUp');
    await page.waitForSelector('.row[aria-selected="true"]:has-text("row 198")');
    await page.keyboard.press('Enter');
    await page.waitForSelector('#holders li');
    expect(await page.textContent('#text')).toContain('"row 198" is held exclusive');
    expect(await focused()).toBe('name');
    await page.keyboard.press('Escape');
    expect(await focused()).toBe('list');
    await page.keyboard.press('p');
    expect(await page.textContent('#state')).toBe('paused');
    await page.keyboard.press('p');
    await looks(1);
    expect(await page.textContent('#state')).toBe('live');
    const background = (): Promise<string> =>
      page.evaluate(() => getComputedStyle(document.body).backgroundColor);
    const before = await background();
    await page.keyboard.press('t');
    expect(await background()).not.toBe(before);
    await page.emulateMedia({ colorScheme: 'dark' });
    expect(troubles).toEqual([]);
  });

  it('names of any kind are text, and reverse no other text', async () => {
    for (const name of hostileNames) {
      domain.acquireSync({ exclusive: name }, { label: name.slice(0, 1024) });
    }
    await open();
    const names = await texts('.row .name');
    expect(names).toHaveLength(hostileNames.length);
    for (const text of [...names, await page.evaluate(() => document.body.innerText)]) {
      expect(text.replace(/[\n\t]/g, '')).not.toMatch(unsafe);
    }
    expect(names.join('')).toContain('<script>alert(1)</script>');
    expect(await page.locator('img').count()).toBe(0);
    const script = page.locator('.row', { hasText: '<script>' });
    await script.click();
    await page.waitForSelector('#holders li');
    for (const selector of ['#name', '#holders', '#text']) {
      expect(await page.textContent(selector)).toContain('<script>alert(1)</script>');
    }
    expect(troubles).toEqual([]);
  });

  it('details have long names and labels whole, and more waiters than chips', async () => {
    const name = `${'long/'.repeat(200)}end`;
    const label = `${'label '.repeat(100)}end`;
    domain.acquireSync({ exclusive: name }, { label });
    for (let count = 0; count < 150; count++) {
      domain.acquire({ shared: name }, { label: `reader ${count}` }).catch(() => undefined);
    }
    await open();
    await page.keyboard.press('ArrowDown');
    await page.waitForFunction(() => document.querySelectorAll('#waiters li').length === 100);
    expect(await page.textContent('#name')).toBe(name);
    expect(await page.textContent('#holders b')).toBe(JSON.stringify(label));
    expect(await page.textContent('#waiters li:nth-child(100) b')).toBe('"reader 99"');
    expect(await page.textContent('#waiters-title')).toBe('150 waiting, the first 100 listed');
    const box = await page.locator('#name').boundingBox();
    const aside = await page.locator('aside').boundingBox();
    expect((box?.x ?? 0) + (box?.width ?? 0)).toBeLessThan((aside?.x ?? 0) + (aside?.width ?? 0));
    expect(await page.evaluate(() => document.querySelector('aside')?.scrollWidth)).toBe(
      await page.evaluate(() => document.querySelector('aside')?.clientWidth),
    );
    expect(troubles).toEqual([]);
  });

  it('a chosen resource stays chosen where the order of the rows changes', async () => {
    domain.acquireSync({ exclusive: ['a', 'b'] });
    await open();
    await page.click('.row:has-text("a")');
    void domain.acquire({ exclusive: 'b' }).catch(() => undefined);
    await page.waitForFunction(() => document.querySelector('.row .name')?.textContent === 'b');
    expect(await texts('.row[aria-selected="true"] .name')).toEqual(['a']);
    const active = await page.getAttribute('#list', 'aria-activedescendant');
    expect(await page.textContent(`#${active} .name`)).toBe('a');
  });

  it.each(['body', '#pause', '#help', 'aside', '#name', '#list'])(
    'each key of the legend works while %s has the focus',
    async (place) => {
      domain.acquireSync({ exclusive: ['a', 'b'] });
      await open();
      await page.click('.row:first-child');
      const focus = (): Promise<void> =>
        page.evaluate((selector) => {
          (document.activeElement as HTMLElement).blur();
          document.querySelector<HTMLElement>(selector)?.focus();
        }, place);
      const press = async (key: string): Promise<void> => {
        await focus();
        await page.keyboard.press(key);
      };
      const legend = ['/', '↑', '↓', 'Enter', 'p', 't', 'Esc', '?'];
      expect(await texts('footer kbd')).toEqual(legend);
      await press('ArrowDown');
      await page.waitForSelector('.row:nth-child(2)[aria-selected="true"]');
      await press('ArrowUp');
      await page.waitForSelector('.row:first-child[aria-selected="true"]');
      expect(await focused()).toBe('list');
      await press('p');
      expect(await page.textContent('#state')).toBe('paused');
      await press('p');
      expect(await page.textContent('#state')).toBe('live');
      await press('t');
      expect(await page.getAttribute('html', 'data-theme')).toBe('dark');
      await press('?');
      await page.waitForSelector('#keys[open]');
      expect(await texts('#keys kbd')).toEqual(legend);
      const before =
        place === 'body'
          ? 'BODY'
          : await page.evaluate(
              (selector) => document.querySelector(selector)?.id || 'ASIDE',
              place,
            );
      await page.keyboard.press('Escape');
      await page.waitForSelector('#keys:not([open])', { state: 'attached' });
      // The focus returns to the body with the next frame: a closed dialog has lost it.
      await frame();
      expect(await focused()).toBe(before);
      await press('/');
      expect(await focused()).toBe('search');
      await page.keyboard.type('p?t');
      expect(await page.inputValue('#search')).toBe('p?t');
      await page.keyboard.press('Escape');
      expect(await page.inputValue('#search')).toBe('');
      expect(await focused()).toBe('list');
      // A button is pressed by Enter instead.
      if (!['#pause', '#help'].includes(place)) {
        await press('Enter');
        expect(await focused()).toBe('name');
        await page.keyboard.press('Escape');
        expect(await focused()).toBe('list');
      }
      await page.keyboard.press('Escape');
      await page.waitForSelector('#panel[hidden]', { state: 'attached' });
      expect(troubles).toEqual([]);
    },
  );

  it('the element with the focus has an outline', async () => {
    await open();
    for (let count = 0; count < 6; count++) {
      await page.keyboard.press('Tab');
      const outline = await page.evaluate(
        () => getComputedStyle(document.activeElement as Element).outline,
      );
      expect(outline, await focused()).toMatch(/solid 2px/);
    }
  });

  it('an idle domain has a hint, a search without matches a way back', async () => {
    await open();
    expect(await page.textContent('#empty-text')).toBe('No resource is in use.');
    expect(await page.isVisible('#hint')).toBe(true);
    expect(await page.isVisible('#clear')).toBe(false);
    domain.acquireSync({ exclusive: 'db' });
    await page.waitForSelector('.row');
    expect(await page.isVisible('#empty')).toBe(false);
    await page.keyboard.press('/');
    await page.keyboard.type('x<b>');
    await page.waitForSelector('#clear');
    expect(await page.textContent('#empty-text')).toBe('No resource matches x<b>');
    expect(await page.isVisible('#hint')).toBe(false);
    await page.click('#clear');
    await page.waitForSelector('.row');
    expect(await page.inputValue('#search')).toBe('');
    expect(await focused()).toBe('list');
  });

  it('a paused view has its age, and resumes with the newest one', async () => {
    await open();
    await page.keyboard.press('p');
    domain.acquireSync({ exclusive: 'db' });
    await page.evaluate(() => {
      const now = Date.now;
      Date.now = () => now() + 100_000;
    });
    await page.waitForFunction(() =>
      /^view is 1\d\d s old$/.test(document.getElementById('age')?.textContent ?? ''),
    );
    expect(await page.title()).toBe('(paused) shop: 0 held, 0 waiting');
    expect(await page.locator('.row').count()).toBe(0);
    await page.keyboard.press('p');
    await page.waitForSelector('.row');
    expect(await page.textContent('#age')).toBe('');
    expect(await page.title()).toBe('shop: 1 held, 0 waiting');
  });

  describe('with a domain that fails', () => {
    let failing: RunningPage;
    let error: Error | undefined;
    beforeEach(async () => {
      error = undefined;
      const read = (): Promise<InspectedSnapshot> =>
        error === undefined ? domain.query() : Promise.reject(error);
      failing = await servePage({ read, title: 'a\u202eb', intervalMs: 100 });
    });
    afterEach(() => failing.close());

    it('names the trouble, marks the view as stale, and is live again once it ends', async () => {
      domain.acquireSync({ exclusive: 'db' });
      await page.goto(failing.url);
      await page.waitForSelector('.row');
      expect(await page.title()).toBe('a\\u202eb: 1 held, 0 waiting');
      error = new Error('the broker is gone\u202e');
      await page.waitForSelector('#trouble:not(:empty)');
      expect(await page.textContent('#trouble')).toBe(
        'The domain cannot be read: the broker is gone\\u202e',
      );
      expect(await page.textContent('#state')).toBe('unavailable, retrying');
      expect(await page.textContent('#age')).toMatch(/^view is \d+ s old$/);
      await page.waitForSelector('body[data-stale]');
      expect(await page.locator('.row').count()).toBe(1);
      error = undefined;
      await page.waitForSelector('body:not([data-stale])');
      expect(await page.textContent('#trouble')).toBe('');
      expect(troubles).toEqual([]);
    });

    it('has no rows and no hint before the first view', async () => {
      error = new Error('the domain is closed');
      await page.goto(failing.url);
      await page.waitForSelector('#trouble:not(:empty)');
      expect(await page.textContent('#empty-text')).toBe('No view yet.');
      expect(await page.isVisible('#hint')).toBe(false);
    });

    it('marks the view as stale when the connection is lost, and retries', async () => {
      domain.acquireSync({ exclusive: 'db' });
      await page.goto(failing.url);
      await page.waitForSelector('.row');
      await page.keyboard.press('ArrowDown');
      await page.waitForSelector('#holders li');
      await page.route('**/events', (route) => route.fulfill({ status: 503 }));
      await failing.close();
      await page.waitForSelector('#state[data-state="lost"]');
      await page.waitForSelector('body[data-stale]');
      expect(await page.textContent('#state')).toBe('disconnected, retrying');
      expect(await page.textContent('#trouble')).toMatch(/^Connection lost/);
      expect(await page.locator('.row').count()).toBe(1);
      await page.waitForRequest('**/events');
      await page.waitForRequest('**/events');
    });
  });

  it('has an icon and the colours of a mode mean nothing else', async () => {
    domain.setCapacity('gpu', 4);
    domain.acquireSync({ exclusive: 'a', shared: 'b', units: { gpu: 2 } });
    void domain.acquire({ exclusive: ['a', 'b'], units: { gpu: 3 } }).catch(() => undefined);
    await open();
    await page.click('.row:has-text("gpu")');
    await page.waitForSelector('#cells .chip.u');
    const icon = await page.getAttribute('link[rel="icon"]', 'href');
    await page.evaluate(async (href) => {
      const image = new Image();
      image.src = href as string;
      await image.decode();
    }, icon);
    for (const theme of ['light', 'dark']) {
      const { ofModes, others } = await page.evaluate(() => {
        const ofModes = new Set<string>();
        const others = new Set<string>();
        const wanted = ['color', 'backgroundColor', 'borderTopColor', 'fill', 'stroke'] as const;
        const page = getComputedStyle(document.body).backgroundColor;
        for (const node of document.querySelectorAll('body, body *')) {
          const style = getComputedStyle(node);
          for (const property of wanted) {
            if (style[property] === page) continue;
            const isOfMode =
              node.matches('.chip.x, .chip.s, .chip.u') && !/fill|stroke/.test(property);
            (isOfMode ? ofModes : others).add(style[property]);
          }
        }
        return { ofModes: [...ofModes], others: [...others] };
      });
      const drawn = ofModes.filter((colour) => colour !== 'rgba(0, 0, 0, 0)');
      expect(drawn, theme).toHaveLength(3);
      expect(
        others.filter((colour) => drawn.includes(colour)),
        theme,
      ).toEqual([]);
      await page.keyboard.press('t');
    }
    const borders = await page.evaluate(() =>
      [...document.querySelectorAll('#list .chip')].map((chip) => {
        const { borderTopStyle, backgroundColor } = getComputedStyle(chip);
        return [
          chip.className.split(' ')[1],
          borderTopStyle,
          backgroundColor !== 'rgba(0, 0, 0, 0)',
        ];
      }),
    );
    expect(borders).toContainEqual(['held', 'solid', true]);
    expect(borders).toContainEqual(['waiting', 'dashed', false]);
    expect(troubles).toEqual([]);
  });

  describe('with a pool of four units, two holders and a waiter', () => {
    const cells = (): Promise<(readonly [string | null, string])[]> =>
      page.evaluate(() =>
        [...document.querySelectorAll('#cells > *')].map((cell) => [
          cell.ariaLabel,
          cell.className,
        ]),
      );
    let training: SyncGrant;
    beforeEach(async () => {
      domain.setCapacity('gpu', ['gpu0', 'gpu1', 'gpu2', 'gpu3']);
      training = domain.acquireSync({ units: { gpu: 2 } }, { label: 'training' });
      domain.acquireSync({ units: { gpu: 1 } }, { label: 'viewer' });
      void domain.acquire({ units: { gpu: 3 } }, { label: 'render' }).catch(() => undefined);
      await open();
      expect(await page.locator('.row .chip.waiting.u').count()).toBe(1);
      await page.keyboard.press('ArrowDown');
      await page.waitForSelector('#cells .chip');
    });

    it('each unit is a cell with its holder, and follows the domain', async () => {
      expect(await cells()).toEqual([
        ['gpu0: training', 'chip held u'],
        ['gpu1: training', 'chip held u'],
        ['gpu2: viewer', 'chip held u'],
        ['gpu3: free', 'chip'],
      ]);
      expect(await page.textContent('#pool-title')).toBe('4 units: 3 taken, 1 free, 1 waiting');
      expect(await page.isVisible('#bar')).toBe(false);
      expect(await page.textContent('#holders')).toMatch(/training2 units \(gpu0, gpu1\), for/);
      expect(await page.textContent('#waiters')).toMatch(/^render3 units, for/);
      training.release();
      await page.waitForSelector('#cells [title="gpu0: render"]');
      expect(await page.textContent('#pool-title')).toBe('4 units: 4 taken, 0 free, 0 waiting');
      expect((await cells()).map(([text]) => text?.split(': ')[1])).toEqual([
        'render',
        'render',
        'viewer',
        'render',
      ]);
      domain.setCapacity('gpu', ['gpu0', 'gpu1', 'gpu2']);
      await page.waitForFunction(() =>
        document.querySelector('#pool-title')?.textContent?.includes('over'),
      );
      expect(await page.textContent('#pool-title')).toBe(
        '3 units: 4 taken, 0 free, 1 over capacity, 0 waiting',
      );
      expect((await cells())[3]).toEqual(['3: render', 'chip held u']);
      expect(troubles).toEqual([]);
    });

    it('the pointer and the keyboard reach each cell, which has one tab stop', async () => {
      await page.hover('#cells > :nth-child(3)');
      expect(await page.textContent('#unit')).toBe('gpu2: viewer');
      await page.mouse.move(0, 0);
      await page.keyboard.press('Enter');
      const focus = (): Promise<string | null | undefined> =>
        page.evaluate(() => document.activeElement?.ariaLabel);
      const press = async (key: string): Promise<void> => {
        await page.keyboard.press(key);
        expect(await page.textContent('#unit')).toBe(await focus());
      };
      await page.keyboard.press('Tab');
      await press('Tab');
      expect(await focus()).toBe('gpu2: viewer');
      const outline = await page.evaluate(
        () => getComputedStyle(document.activeElement as Element).outline,
      );
      expect(outline).toMatch(/solid 2px/);
      await press('ArrowRight');
      expect(await focus()).toBe('gpu3: free');
      await press('ArrowRight');
      expect(await focus()).toBe('gpu3: free');
      await press('Home');
      expect(await focus()).toBe('gpu0: training');
      await press('ArrowLeft');
      await press('End');
      await press('ArrowLeft');
      expect(await focus()).toBe('gpu2: viewer');
      await looks(2);
      expect(await focus()).toBe('gpu2: viewer');
      await page.keyboard.press('Tab');
      expect(await page.locator('#cells :focus').count()).toBe(0);
      await page.keyboard.press('Shift+Tab');
      expect(await focus()).toBe('gpu2: viewer');
      await page.keyboard.press('Escape');
      expect(await focused()).toBe('list');
      expect(troubles).toEqual([]);
    });

    it('the cells are those of the chosen resource, in the colour of the mode', async () => {
      domain.acquireSync({ exclusive: 'zone' });
      domain.setCapacity('tape', 2);
      domain.acquireSync({ exclusive: 'tape' });
      await page.waitForSelector('.row:nth-child(3)');
      await page.keyboard.press('ArrowDown');
      await page.waitForSelector('#cells .chip.x');
      expect(await cells()).toEqual([
        ['0: shop', 'chip held x'],
        ['1: shop', 'chip held x'],
      ]);
      // At once, not only when the details of the next resource have come.
      const isHidden = await page.evaluate(() => {
        document.querySelector<HTMLElement>('.row:nth-child(3)')?.click();
        return document.querySelector<HTMLElement>('#pool')?.hidden;
      });
      expect(isHidden).toBe(true);
      await page.waitForSelector('#holders li');
      expect(await page.isVisible('#pool')).toBe(false);
      await page.focus('#list');
      await page.keyboard.press('Home');
      await page.waitForSelector('#cells .chip.u');
      expect(await page.textContent('#unit')).toBe('gpu0: training');
    });
  });

  it('units of any name are text, and a resource has the name of a property', async () => {
    domain.setCapacity('constructor', hostileNames);
    domain.acquireSync({ units: { constructor: hostileNames.length - 1 } });
    domain.setCapacity('hasOwnProperty', 2000);
    domain.acquireSync({ units: { hasOwnProperty: 1500 } });
    await open();
    await page.keyboard.press('ArrowDown');
    await page.waitForSelector('#cells .chip');
    expect(await page.locator('#cells .chip.held.u').count()).toBe(hostileNames.length - 1);
    for (const cell of await page.locator('#cells .chip').all()) {
      await cell.focus();
      const text = (await page.textContent('#unit')) ?? '';
      expect(text).toMatch(/: (shop|free)$/);
      expect(text).not.toMatch(unsafe);
    }
    await page.keyboard.press('ArrowDown');
    // Snapshots do not list that many.
    await page.waitForSelector('#holders li:has-text("1500 units, for")');
    expect(troubles).toEqual([]);
  });

  it('a pool of 10,000 units is a bar, whatever the number of holders', async () => {
    await page.addInitScript(observeLongTasks);
    domain.setCapacity('ram', 10_000);
    for (let count = 0; count < 2500; count++) {
      domain.acquireSync({ units: { ram: 1 } }, { label: `reader ${count}` });
    }
    domain.acquireSync({ units: { ram: 5000 } }, { label: 'import' });
    domain.acquire({ units: { ram: 4000 } }, { label: 'report' }).catch(() => undefined);
    await open();
    await page.keyboard.press('ArrowDown');
    await page.waitForSelector('#bar:visible');
    expect(await page.textContent('#pool-title')).toBe(
      '10000 units: 7500 taken, 2500 free, 1 waiting',
    );
    const share = await page.evaluate(() => {
      const [bar, filled] = ['#bar', '#bar i'].map(
        (selector) => document.querySelector(selector)?.clientWidth ?? 0,
      );
      return (filled as number) / (bar as number);
    });
    expect(share).toBeCloseTo(0.75, 1);
    expect(await page.locator('#cells *').count()).toBe(0);
    expect(await page.textContent('#unit')).toBe('');
    await looks(5);
    expect(await page.locator('*').count()).toBeLessThan(1500);
    await printLongTasks();
    expect(troubles).toEqual([]);
  });

  it('nothing on the page moves by itself', async () => {
    domain.acquireSync({ exclusive: 'a' });
    await open();
    await page.keyboard.press('ArrowDown');
    expect(await page.evaluate(() => document.getAnimations().length)).toBe(0);
  });

  it.each(
    [1280, 390].flatMap((width) =>
      (['light', 'dark'] as const).map((colorScheme) => ({ width, colorScheme })),
    ),
  )('axe finds no violation: $width px, $colorScheme', async ({ width, colorScheme }) => {
    for (let count = 0; count < 40; count++) {
      domain.acquireSync({ shared: [`resource ${count}`, 'all'] }, { label: `reader ${count}` });
    }
    domain.acquireSync({ exclusive: 'x'.repeat(1000) }, { label: 'y'.repeat(1000) });
    void domain.acquire({ exclusive: 'all' }, { label: 'writer' }).catch(() => undefined);
    domain.setCapacity('gpu', 200);
    domain.acquireSync({ units: { gpu: 70 } }, { label: 'z'.repeat(1000) });
    let isReachable = true;
    const checked = await servePage({
      read: () => (isReachable ? domain.query() : Promise.reject(new Error('out of reach'))),
      title: 'shop',
      intervalMs: 100,
    });
    const context = await browser.newContext({
      bypassCSP: true,
      colorScheme,
      viewport: { width, height: 800 },
    });
    const tab = await context.newPage();
    const violations = async (): Promise<unknown[]> => {
      const tags = ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'wcag22aa', 'best-practice'];
      const found = await tab.evaluate(
        (values) => globalThis.axe.run({ runOnly: { type: 'tag', values } }),
        tags,
      );
      return found.violations.map(({ id, nodes }) => [id, nodes.map(({ html }) => html)]);
    };
    const overflow = (): Promise<number> =>
      tab.evaluate(() => document.documentElement.scrollWidth - innerWidth);
    await tab.goto(checked.url);
    await tab.evaluate(axeText);
    await tab.waitForSelector('.row');
    expect(await violations()).toEqual([]);
    expect(await overflow()).toBe(0);
    await tab.keyboard.press('End');
    await tab.waitForSelector('#holders li');
    await tab.keyboard.press('/');
    await tab.keyboard.type('xxx');
    await tab.keyboard.press('Enter');
    await tab.keyboard.press('ArrowDown');
    await tab.waitForSelector('#holders b:has-text("yyy")');
    expect(await violations()).toEqual([]);
    expect(await overflow()).toBe(0);
    await tab.fill('#search', 'gpu');
    await tab.keyboard.press('Enter');
    await tab.keyboard.press('ArrowDown');
    await tab.waitForSelector('#cells .chip.u');
    expect(await violations()).toEqual([]);
    expect(await overflow()).toBe(0);
    domain.setCapacity('gpu', 300);
    await tab.waitForSelector('#bar:visible');
    expect(await violations()).toEqual([]);
    expect(await overflow()).toBe(0);
    isReachable = false;
    await tab.waitForSelector('body[data-stale]');
    await tab.keyboard.press('/');
    await tab.keyboard.type('no such name');
    await tab.waitForSelector('#clear');
    expect(await violations()).toEqual([]);
    await tab.keyboard.press('Escape');
    await tab.keyboard.press('?');
    await tab.waitForSelector('#keys[open]');
    expect(await violations()).toEqual([]);
    await context.close();
    await checked.close();
  });

  it('on a phone, details are below the list, and targets are large', async () => {
    await page.setViewportSize({ width: 390, height: 844 });
    domain.acquireSync({ exclusive: ['a', 'b'] }, { label: 'migration' });
    await open();
    await page.click('.row:has-text("b")');
    await page.waitForSelector('#holders b:has-text("migration")');
    const list = await page.locator('#list').boundingBox();
    const aside = await page.locator('aside').boundingBox();
    expect(aside?.y).toBeGreaterThanOrEqual((list?.y ?? 0) + (list?.height ?? 0));
    const name = await page.locator('#name').boundingBox();
    expect(name?.y).toBeLessThan(844 / 2);
    for (const target of await page.locator('button:visible, input, .row').all()) {
      const box = await target.boundingBox();
      expect(Math.min(box?.width ?? 0, box?.height ?? 0)).toBeGreaterThanOrEqual(24);
    }
    await page.click('#close');
    expect(await focused()).toBe('list');
    expect(await page.isVisible('#panel')).toBe(false);
    expect(troubles).toEqual([]);
  });

  it('with 10,000 waiters for 1,000 resources, only visible rows are made', async () => {
    const names = Array.from({ length: 1000 }, (_, index) => `account ${index}`);
    const random = randomFrom(7);
    const some = (): string[] => [names[Math.floor(random() * 1000)] as string];
    domain.acquireSync({ exclusive: names }, { label: 'the audit' });
    for (let count = 0; count < 10_000; count++) {
      const set = random() < 0.5 ? { exclusive: some() } : { shared: [...some(), ...some()] };
      domain.acquire(set, { label: `transfer ${count}` }).catch(() => undefined);
    }
    domain.session({ label: 'report' }).acquireSync({ shared: 'rates' });
    await served.close();
    served = await servePage({ read: () => domain.query(), title: 'shop' });
    await page.addInitScript(observeLongTasks);
    await open();
    await looks(2);
    expect(await page.textContent('#counts')).toBe('2 held, 10000 waiting');
    expect(await page.locator('.row').count()).toBeLessThan(60);
    expect(await page.locator('*').count()).toBeLessThan(4000);
    for (let turn = 0; turn < 20; turn++) {
      await page.mouse.move(400, 400);
      await page.mouse.wheel(0, 1400);
      await frame();
    }
    await looks(2);
    await page.keyboard.press('/');
    await page.keyboard.type('account 99');
    await page.waitForFunction(() => document.querySelectorAll('.row').length === 11);
    await printLongTasks();
    expect(troubles).toEqual([]);
  });
});
