/**
 * Takes the pictures of the documents: `npm run screenshots`, or with the names of some of them.
 *
 * A picture shows the same each time: its domain is a real one, but time is simulated and the
 * random numbers have a seed. Needs Debian's chromium.
 */

import { writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { crc32, deflateSync } from 'node:zlib';
import { createCanvas, loadImage } from '@napi-rs/canvas';
import { createDomain } from 'kds';
import { servePage } from 'kds/inspect/page';
import { chromium } from 'playwright-core';

const folder = fileURLToPath(new URL('../docs/', import.meta.url));
const bytesMax = 90_000;
const viewport = { width: 1280, height: 800 };

/** By file name. Each draws on a new page of the browser, and returns once it can be pictured. */
const pictures = {
  'page-light.png': (page) => drawShop(page, 'light'),
  'page-dark.png': async (page) => {
    await drawShop(page, 'dark');
    await page.keyboard.press('ArrowDown');
    await page.waitForSelector('#waiters li');
  },
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

/** The picture as a PNG with a palette of its 256 commonest colours: a third of the bytes. */
async function packed(png) {
  const source = await loadImage(png);
  const { width, height } = source;
  const context = createCanvas(width, height).getContext('2d');
  context.drawImage(source, 0, 0);
  const { data } = context.getImageData(0, 0, width, height);
  const pixels = Array.from(
    { length: width * height },
    (_, index) => (data[4 * index] << 16) | (data[4 * index + 1] << 8) | data[4 * index + 2],
  );
  const counts = new Map();
  for (const colour of pixels) counts.set(colour, (counts.get(colour) ?? 0) + 1);
  const byCount = [...counts].sort(([, one], [, other]) => other - one);
  const palette = byCount.slice(0, 256).map(([colour]) => colour);
  const indexes = new Map([...counts.keys()].map((colour) => [colour, nearest(palette, colour)]));
  const lines = Buffer.alloc((width + 1) * height);
  pixels.forEach((colour, at) => {
    lines[at + Math.floor(at / width) + 1] = indexes.get(colour);
  });
  const header = Buffer.alloc(13);
  header.writeUInt32BE(width, 0);
  header.writeUInt32BE(height, 4);
  // Eight bits, with a palette.
  header.set([8, 3], 8);
  return Buffer.concat([
    png.subarray(0, 8),
    chunk('IHDR', header),
    chunk('PLTE', Buffer.from(palette.flatMap(channels))),
    chunk('IDAT', deflateSync(lines, { level: 9, memLevel: 9 })),
    chunk('IEND', Buffer.alloc(0)),
  ]);
}

const channels = (colour) => [colour >> 16, (colour >> 8) & 255, colour & 255];

function nearest(palette, colour) {
  const wanted = channels(colour);
  const distances = palette.map((one) =>
    channels(one).reduce((sum, value, index) => sum + (value - wanted[index]) ** 2, 0),
  );
  return distances.indexOf(Math.min(...distances));
}

/** Length of the data, type, data, checksum. */
function chunk(type, data) {
  const bytes = Buffer.alloc(data.length + 12);
  bytes.writeUInt32BE(data.length, 0);
  bytes.write(type, 4, 'latin1');
  bytes.set(data, 8);
  bytes.writeUInt32BE(crc32(bytes.subarray(4, -4)), data.length + 8);
  return bytes;
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
    const bytes = await packed(await page.screenshot());
    await page.close();
    writeFileSync(folder + name, bytes);
    console.log(`docs/${name}: ${bytes.length} bytes`);
    if (bytes.length > bytesMax) throw new Error(`docs/${name} has more than ${bytesMax} bytes`);
  }
} finally {
  await browser.close();
}
