/** The site as `npm run docs` builds it, served on loopback, in a real browser. */

import { execFile } from 'node:child_process';
import { readFileSync, statSync } from 'node:fs';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { extname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import axe, { type AxeResults } from 'axe-core';
import { type Browser, chromium, type Page } from 'playwright-core';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { findChromium } from '../browser/isolated-site.ts';

const executablePath = findChromium();
const missing = executablePath === undefined ? ' (skipped: no chromium)' : '';
const root = fileURLToPath(new URL('../..', import.meta.url));
const folder = join(root, 'site/.generated/html');

const contentTypes: Readonly<Record<string, string>> = {
  '.css': 'text/css',
  '.html': 'text/html; charset=utf-8',
  '.js': 'text/javascript',
  '.json': 'application/json',
  '.png': 'image/png',
  '.svg': 'image/svg+xml',
  '.woff2': 'font/woff2',
};

/** Any server of files will do: this one has nothing that VitePress needs. */
function serveFiles(): Server {
  return createServer(({ url = '/' }, response) => {
    const { pathname } = new URL(url, 'http://localhost');
    const path = join(folder, decodeURIComponent(pathname));
    try {
      const file = statSync(path).isDirectory() ? join(path, 'index.html') : path;
      response.setHeader('Content-Type', contentTypes[extname(file)] ?? 'text/plain');
      response.end(readFileSync(file));
    } catch {
      response.statusCode = 404;
      response.end();
    }
  });
}

const phone = { width: 390, height: 844 };
const desktop = { width: 1280, height: 800 };
const pages = {
  'the first page': '/',
  'a guide': '/guides/lock-several-keys.html',
  'a table of README': '/readme.html',
  'the API of an interface': '/api/kds/interfaces/SyncDomain.html',
  'the API of a function': '/api/kds/functions/createDomain.html',
};

describe.skipIf(executablePath === undefined)(`the site${missing}`, () => {
  let server: Server;
  let origin = '';
  let browser: Browser;
  let page: Page;
  let errors: string[];
  let requests: string[];

  beforeAll(async () => {
    await promisify(execFile)(process.execPath, [join(root, 'site/build.mjs')], { cwd: root });
    server = serveFiles();
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    origin = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
    browser = await chromium.launch({
      executablePath: executablePath as string,
      args: ['--no-sandbox'],
    });
  });

  afterAll(async () => {
    await browser?.close();
    server?.close();
  });

  beforeEach(() => {
    errors = [];
    requests = [];
  });

  afterEach(async () => {
    await page.context().close();
    expect(errors).toEqual([]);
    expect(requests.filter((url) => !url.startsWith(`${origin}/`))).toEqual([]);
  });

  async function open(path: string, viewport = desktop, scheme?: 'dark' | 'light'): Promise<void> {
    const context = await browser.newContext({
      viewport,
      colorScheme: scheme ?? 'light',
      // A colour that is about to change has the contrast of neither.
      reducedMotion: 'reduce',
    });
    page = await context.newPage();
    page.on('console', (message) => {
      if (message.type() === 'error') errors.push(message.text());
    });
    page.on('pageerror', ({ message }) => errors.push(message));
    page.on('request', (request) => {
      if (!request.url().startsWith('data:')) requests.push(request.url());
    });
    await page.goto(origin + path, { waitUntil: 'networkidle' });
  }

  const isDark = (): Promise<boolean> =>
    page.evaluate(() => document.documentElement.classList.contains('dark'));

  /** Presses Tab until an element that `selector` matches has the focus; false after 40 times. */
  async function reachByTab(selector: string): Promise<boolean> {
    for (let count = 0; count < 40; count++) {
      await page.keyboard.press('Tab');
      const isReached = await page.evaluate(
        (wanted) => document.activeElement?.matches(wanted) ?? false,
        selector,
      );
      if (isReached) return true;
    }
    return false;
  }

  const views = Object.keys(pages).flatMap((name) =>
    [phone, desktop].flatMap((viewport) =>
      (['light', 'dark'] as const).map((scheme) => [name, viewport, scheme] as const),
    ),
  );
  it.each(views)('shows %s at %o, %s, without a fault of WCAG A or AA', async (name, ...view) => {
    await open(pages[name as keyof typeof pages], ...view);
    expect(await isDark()).toBe(view[1] === 'dark');
    await page.evaluate(axe.source);
    const { violations } = (await page.evaluate(
      `axe.run({ runOnly: ['wcag2a', 'wcag2aa'] })`,
    )) as AxeResults;
    const faults = violations.flatMap(({ id, nodes }) =>
      nodes.map(({ target, failureSummary }) => `${id} ${target}: ${failureSummary}`),
    );
    expect(faults).toEqual([]);
  });

  it.each(Object.entries(pages))('does not scroll %s sideways on a phone', async (_, path) => {
    await open(path, phone);
    const width = await page.evaluate(() => document.documentElement.scrollWidth);
    expect(width).toBe(phone.width);
  });

  it.each([
    ['a phone', phone],
    ['a desktop', desktop],
  ])('finds "downgrade" on %s, and leads there', async (_, viewport) => {
    await open('/', viewport);
    await page.click('#local-search button');
    await page.fill('#localsearch-input', 'downgrade');
    const result = page.locator('#localsearch-list a.result').first();
    await result.waitFor();
    expect(await page.locator('#localsearch-list a.result').count()).toBeGreaterThan(3);
    await result.click();
    await page.waitForURL((url) => url.pathname !== '/');
    expect((await page.innerText('main')).toLowerCase()).toContain('downgrade');
  });

  it('changes to the dark theme, and keeps it on other pages', async () => {
    await open('/');
    await page.click('.VPNavBar .VPSwitchAppearance');
    expect(await isDark()).toBe(true);
    await page.goto(`${origin}/concepts.html`, { waitUntil: 'networkidle' });
    expect(await isDark()).toBe(true);
  });

  it('is used by keyboard: to the content, the search and the navigation', async () => {
    await open('/');
    await page.keyboard.press('Tab');
    expect(await page.evaluate(() => document.activeElement?.textContent?.trim())).toBe(
      'Skip to content',
    );
    expect(await reachByTab('#local-search button')).toBe(true);
    await page.keyboard.press('Enter');
    await page.waitForSelector('#localsearch-input:focus');
    await page.keyboard.press('Escape');
    await page.waitForSelector('#localsearch-input', { state: 'detached' });
    expect(await reachByTab('.VPNavBarMenu a[href="/api/"]')).toBe(true);
    await page.keyboard.press('Enter');
    await page.waitForURL(`${origin}/api/`);
  });

  it('is used by keyboard on a phone: the menu of pages opens and closes', async () => {
    await open('/guides/', phone);
    expect(await reachByTab('.VPLocalNav button.menu')).toBe(true);
    await page.keyboard.press('Enter');
    await page.waitForSelector('.VPSidebar.open');
    await page.keyboard.press('Escape');
    await page.waitForSelector('.VPSidebar.open', { state: 'detached' });
  });

  it('has an icon', async () => {
    await open('/');
    const icon = await page.getAttribute('link[rel="icon"]', 'href');
    const response = await page.request.get(origin + icon);
    expect(response.status()).toBe(200);
    expect(response.headers()['content-type']).toBe('image/svg+xml');
  });
});
