/** The page in a real browser, with many who wait behind it; and what its server refuses. */

import { type IncomingHttpHeaders, request } from 'node:http';
import { createDomain, type SyncDomain } from 'kds';
import { type RunningPage, servePage } from 'kds/inspect/page';
import { type Browser, chromium, type Page } from 'playwright-core';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { hostileNames, unsafe } from '../inspect/hostile-names.ts';
import { randomFrom } from '../stress/random.ts';
import { Business } from './business.ts';
import { findChromium } from './isolated-site.ts';

const executablePath = findChromium();
/** Where the pictures of docs/ are written, if they are to be made: `KDS_PICTURES=docs`. */
const folder = process.env['KDS_PICTURES'];
/** The page tells of the last minute. */
const picturedMs = 40_000;
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

describe('the server of the page', () => {
  let page: RunningPage;
  beforeEach(async () => {
    const domain = createDomain();
    page = await servePage({ read: () => domain.query() });
  });
  afterEach(() => page.close());

  it('answers who was given the address, and lets nothing in from elsewhere', async () => {
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

  it('shows the error of a failed snapshot, and goes on', async () => {
    const broken = await servePage({
      read: () => Promise.reject(new Error('out of reach')),
      intervalMs: 100,
    });
    let heard = '';
    await new Promise<void>((resolve) => {
      request(`${broken.url}events`, (response) => {
        response.setEncoding('utf8').on('data', (text: string) => {
          heard += text;
          if (heard.split('event: trouble\ndata: "out of reach"').length > 2) resolve();
        });
        response.on('error', () => undefined);
      }).end();
    });
    await broken.close();
    await broken.close();
  });

  it('refuses an interval that is none', async () => {
    const read = () => createDomain().query();
    await expect(servePage({ read, intervalMs: 1 })).rejects.toThrow(RangeError);
    await expect(servePage({ read, intervalMs: Number.NaN })).rejects.toThrow(RangeError);
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
    await page.evaluate(() => new Promise((resolve) => requestAnimationFrame(resolve)));
  }
  const texts = (selector: string): Promise<string[]> => page.locator(selector).allTextContents();

  it('shows queues as chips, sessions, what one waits for, and follows what happens', async () => {
    const one = await domain.acquire({ exclusive: 'db' }, { label: 'migration' });
    const two = domain.session({ label: 'web' }).acquire({ shared: ['db', 'disk'] });
    await open();
    expect(await texts('.row .name')).toEqual(['db', 'disk']);
    expect(await texts('.row:has-text("db") .chip')).toEqual(['X', 'S']);
    expect(await page.locator('.row .chip.held.x').count()).toBe(1);
    expect(await page.locator('.row .chip.waits.s').count()).toBe(2);
    expect(await texts('#sessions td:first-child')).toEqual(
      expect.arrayContaining(['web', 'shop']),
    );
    expect(await page.textContent('#counts')).toBe('1 held, 1 wait');
    await page.click('.row:has-text("db")');
    await page.waitForSelector('dialog[open]');
    expect(await page.textContent('#text')).toMatch(/^db is held exclusive, for .*, by migration/);
    await page.keyboard.press('Escape');
    one.release();
    await looks(2);
    expect(await page.textContent('#counts')).toBe('1 held, 0 wait');
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
    await page.waitForSelector('dialog[open]');
    expect(await page.textContent('#text')).toContain('"row 198" is held exclusive');
    await page.keyboard.press('Escape');
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

  it('names of any kind are text, and turn nothing round', async () => {
    for (const name of hostileNames) {
      domain.acquireSync({ exclusive: name }, { label: name.slice(0, 1024) });
    }
    await open();
    const told = await texts('.row .name');
    expect(told).toHaveLength(hostileNames.length);
    for (const text of [...told, await page.evaluate(() => document.body.innerText)]) {
      expect(text.replace(/[\n\t]/g, '')).not.toMatch(unsafe);
    }
    expect(told.join('')).toContain('<script>alert(1)</script>');
    expect(await page.locator('img').count()).toBe(0);
    const script = page.locator('.row', { hasText: '<script>' });
    await script.click();
    await page.waitForSelector('dialog[open]');
    expect(await page.textContent('#text')).toContain('<script>alert(1)</script>');
    expect(troubles).toEqual([]);
  });

  if (folder !== undefined) {
    it('is pictured for the documents', async () => {
      const business = new Business(domain);
      await open();
      await business.run(picturedMs);
      await looks(1);
      await page.screenshot({ path: `${folder}/page-light.png` });
      await page.keyboard.press('t');
      await page.click('.row:nth-child(2)');
      await page.waitForSelector('dialog[open]');
      await page.screenshot({ path: `${folder}/page-dark.png` });
      business.stop();
    });
  }

  it('10,000 who wait for 1,000 resources: rows are made for what is in sight', async () => {
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
    await page.addInitScript(() => {
      const told: number[] = [];
      Object.assign(globalThis, { told });
      new PerformanceObserver((list) => {
        told.push(...list.getEntries().map(({ duration }) => duration));
      }).observe({ type: 'longtask' });
    });
    await open();
    await looks(2);
    expect(await page.textContent('#counts')).toBe('2 held, 10000 wait');
    expect(await page.locator('.row').count()).toBeLessThan(60);
    expect(await page.locator('*').count()).toBeLessThan(4000);
    for (let turn = 0; turn < 20; turn++) {
      await page.mouse.move(400, 400);
      await page.mouse.wheel(0, 1400);
      await page.evaluate(() => new Promise((resolve) => requestAnimationFrame(resolve)));
    }
    await looks(2);
    await page.keyboard.press('/');
    await page.keyboard.type('account 99');
    await page.waitForFunction(() => document.querySelectorAll('.row').length === 11);
    const longTasks = await page.evaluate(() => (globalThis as unknown as { told: number[] }).told);
    const longest = Math.max(0, ...longTasks);
    console.info(
      `${longTasks.length} long tasks in the page, the longest ${longest.toFixed(0)} ms`,
    );
    expect(troubles).toEqual([]);
  });
});
