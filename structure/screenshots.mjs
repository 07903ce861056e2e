/**
 * Takes the pictures of the documents: `npm run screenshots`, or with the names of some of them.
 *
 * Those of the page of `kds top --web` show the same each time: their domain is a real one, but time
 * is simulated and the random numbers have a seed. That of `npm start` has figures of this machine,
 * which should have nothing else to do. Needs Debian's chromium.
 */

import { writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { createDomain } from 'kds';
import { servePage } from 'kds/inspect/page';
import { chromium } from 'playwright-core';
import sharp from 'sharp';
import { drawStart } from '../examples/globe/screenshot.mjs';

const folder = fileURLToPath(new URL('../docs/', import.meta.url));
const bytesMax = 130_000;
const viewport = { width: 1280, height: 840 };

/** By file name. Each draws on a new page of the browser, and returns once it can be pictured. */
const pictures = {
  'page-light.png': (page) => drawShop(page, 'light'),
  'page-dark.png': async (page) => {
    await drawShop(page, 'dark');
    await page.keyboard.press('ArrowDown');
    await page.waitForSelector('#waiters li');
  },
  'start.png': drawStart,
};

const startMs = Date.UTC(2026, 0, 5, 12);
const stepMs = 500;
const stepCount = 121;
/** The picture is of the first step after those with so many held sets and waiting requests. */
const pendingCountMin = 10;
const heldCountMin = 6;

/** `count` clients each request a set, hold it, rest, and begin again. */
const roles = [
  {
    label: 'web',
    count: 16,
    set: (below) => ({ shared: ['prices', 'stock'], exclusive: `orders/${4100 + below(10)}` }),
    holdMs: 240,
    restMs: 700,
  },
  {
    label: 'payments',
    count: 6,
    set: (below) => ({ exclusive: [`accounts/${below(5)}`, `orders/${4100 + below(10)}`] }),
    holdMs: 300,
    restMs: 900,
  },
  {
    label: 'warehouse',
    count: 2,
    set: () => ({ exclusive: 'stock', shared: 'prices' }),
    holdMs: 80,
    restMs: 2500,
  },
  {
    label: 'reports',
    count: 2,
    set: (below) => ({ shared: ['prices', 'stock', `accounts/${below(5)}`] }),
    holdMs: 700,
    restMs: 3000,
  },
  {
    label: 'nightly export',
    count: 1,
    set: () => ({ exclusive: ['archive/orders that were sent before this month'] }),
    holdMs: 90_000,
    restMs: 1500,
  },
];

/** Numbers of [0, 1) by the mulberry32 generator. */
function randomFrom(seed) {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let bits = Math.imul(state ^ (state >>> 15), 1 | state);
    bits = (bits + Math.imul(bits ^ (bits >>> 7), 61 | bits)) ^ bits;
    return ((bits ^ (bits >>> 14)) >>> 0) / 2 ** 32;
  };
}

/** The clients of a shop at simulated times. */
class Shop {
  nowMs = startMs;
  #domain = createDomain({ label: 'shop' });
  #random = randomFrom(42);
  /** Simulated start of what a client does now, by its label. */
  #since = new Map();
  #due = [];

  constructor() {
    for (const role of roles) {
      const session = this.#domain.session({ label: role.label });
      for (let index = 1; index <= role.count; index++) {
        const client = { role, session, label: `${role.label} ${index}` };
        this.#after(this.#random() * role.restMs, () => this.#request(client));
      }
    }
  }

  async advance(ms) {
    const endMs = this.nowMs + ms;
    while (this.#due[0]?.atMs <= endMs) {
      const { atMs, action } = this.#due.shift();
      this.nowMs = atMs;
      action();
      // Grants are delivered before the next action.
      await new Promise((resolve) => setImmediate(resolve));
    }
    this.nowMs = endMs;
  }

  async snapshot() {
    const { held, pending } = await this.#domain.query();
    const timed = (entry) => ({ ...entry, since: this.#since.get(entry.label) });
    return { held: held.map(timed), pending: pending.map(timed) };
  }

  #after(ms, action) {
    this.#due.push({ atMs: this.nowMs + ms, action });
    this.#due.sort((one, other) => one.atMs - other.atMs);
  }

  async #request(client) {
    const { role, session, label } = client;
    const varied = (ms) => ms * (0.5 + this.#random());
    this.#since.set(label, this.nowMs);
    const set = role.set((limit) => Math.floor(this.#random() * limit));
    const grant = await session.acquire(set, { label });
    this.#since.set(label, this.nowMs);
    this.#after(varied(role.holdMs), () => {
      grant.release();
      this.#after(varied(role.restMs), () => this.#request(client));
    });
  }
}

function isBusy({ held, pending }) {
  return held.length >= heldCountMin && pending.length >= pendingCountMin;
}

/** The page of a shop after a minute. */
async function drawShop(page, colorScheme) {
  const shop = new Shop();
  let step = 0;
  let ready;
  const isReady = new Promise((resolve) => {
    ready = resolve;
  });
  const served = await servePage({
    title: 'shop',
    intervalMs: 100,
    read: async () => {
      let snapshot = await shop.snapshot();
      if (step >= stepCount && isBusy(snapshot)) {
        ready();
        return snapshot;
      }
      await shop.advance(stepMs);
      snapshot = await shop.snapshot();
      step++;
      return snapshot;
    },
  });
  const dateNow = Date.now;
  // The page takes the age of entries from it.
  Date.now = () => shop.nowMs;
  page.once('close', () => {
    Date.now = dateNow;
    void served.close();
  });
  await page.emulateMedia({ colorScheme });
  await page.goto(served.url);
  await isReady;
  await page.waitForFunction(
    (count) => Number(document.body.dataset.viewCount) > count,
    Number(await page.getAttribute('body', 'data-view-count')) + 1,
  );
}

const wanted = process.argv.slice(2);
const unknown = wanted.filter((name) => !Object.hasOwn(pictures, name));
if (unknown.length > 0) throw new Error(`no such picture: ${unknown.join(', ')}`);
// Chromium's sandbox refuses to work for root.
const args = process.getuid?.() === 0 ? ['--no-sandbox'] : [];
const browser = await chromium.launch({ executablePath: '/usr/bin/chromium', args });
try {
  for (const [name, draw] of Object.entries(pictures)) {
    if (wanted.length > 0 && !wanted.includes(name)) continue;
    const page = await browser.newPage({ viewport, locale: 'en-GB', timezoneId: 'UTC' });
    await draw(page);
    await page.evaluate(() => new Promise((resolve) => requestAnimationFrame(resolve)));
    // With a palette of 256 colours: a third of the bytes.
    const bytes = await sharp(await page.screenshot())
      .png({ palette: true, effort: 10 })
      .toBuffer();
    await page.close();
    writeFileSync(folder + name, bytes);
    console.log(`docs/${name}: ${bytes.length} bytes`);
    if (bytes.length > bytesMax) throw new Error(`docs/${name} has more than ${bytesMax} bytes`);
  }
} finally {
  await browser.close();
}
