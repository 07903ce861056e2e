/** The picture of the page for the documents: see `npm run screenshots`. */

import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';

const start = fileURLToPath(new URL('./start.mjs', import.meta.url));
const handOversMin = 1500;
const statesMore = 10;
const runMsMax = 120_000;

/**
 * Starts the page in this page of a browser, waits until each form has run, and then hands over
 * directly. What was started ends as the page is closed.
 */
export async function drawStart(page) {
  const child = spawn(process.execPath, [start, '--port', '0'], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  page.once('close', () => child.kill('SIGTERM'));
  await page.goto(await urlOf(child));
  const isFull = (min) =>
    [...document.querySelectorAll('[data-figure=handOvers]')].every((cell) => {
      return Number(cell.textContent.replace(/\D/g, '')) >= min;
    });
  await page.waitForFunction(isFull, handOversMin, { timeout: runMsMax });
  await page.click('text=hand over directly');
  await page.waitForSelector('[data-form=direct].runs');
  const before = Number(await page.getAttribute('body', 'data-view-count'));
  await page.waitForFunction(
    (count) => Number(document.body.dataset.viewCount) >= count,
    before + statesMore,
  );
  await page.click('#pause');
  // Without the ring of the focus.
  await page.evaluate(() => document.activeElement.blur());
}

async function urlOf(child) {
  const ended = once(child, 'exit').then(() => Promise.reject(new Error('it did not start')));
  const lines = createInterface({ input: child.stdout });
  const found = (async () => {
    for await (const line of lines) {
      const [url] = /http:\S+/.exec(line) ?? [];
      if (url !== undefined) return url;
    }
    throw new Error('the page did not start');
  })();
  ended.catch(() => {});
  return Promise.race([found, ended]);
}
