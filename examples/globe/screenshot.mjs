/**
 * The picture of the page for the documents: `node examples/globe/screenshot.mjs [FILE]`. It starts
 * the page, waits until each form has run, and then hands over directly.
 */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { accessSync, constants, writeFileSync } from 'node:fs';
import { delimiter, join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { crc32, deflateSync } from 'node:zlib';
import { createCanvas, loadImage } from '@napi-rs/canvas';
import { chromium } from 'playwright-core';

const start = fileURLToPath(new URL('./start.mjs', import.meta.url));
const pictureFile = fileURLToPath(new URL('../../docs/start.png', import.meta.url));
const handOversMin = 1500;
const statesMore = 10;
const runMsMax = 120_000;

/** Writes a PNG of the page, 1280 wide, with a browser of playwright-core. */
export async function takeStartScreenshot(browser, file = pictureFile) {
  const child = spawn(process.execPath, [start, '--port', '0'], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  try {
    const url = await urlOf(child);
    const page = await browser.newPage({ viewport: { width: 1280, height: 840 } });
    await page.goto(url);
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
    writeFileSync(file, await withPalette(await page.screenshot()));
    await page.close();
  } finally {
    child.kill('SIGTERM');
    if (child.exitCode === null && child.signalCode === null) await once(child, 'exit');
  }
}

/** The PNG with its 256 most frequent colours: a third of the size, as the globe came as JPEG. */
async function withPalette(png) {
  const image = await loadImage(png);
  const { width, height } = image;
  const context = createCanvas(width, height).getContext('2d');
  context.drawImage(image, 0, 0);
  const { data } = context.getImageData(0, 0, width, height);
  const colourAt = (at) => (data[at] << 16) | (data[at + 1] << 8) | data[at + 2];
  // Colours that differ in their lower bits alone are counted as one, the first of them.
  const groups = new Map();
  for (let at = 0; at < data.length; at += 4) {
    const group = colourAt(at) & 0xf8f8f8;
    const counted = groups.get(group) ?? { counts: new Map(), count: 0 };
    counted.count++;
    counted.counts.set(colourAt(at), (counted.counts.get(colourAt(at)) ?? 0) + 1);
    groups.set(group, counted);
  }
  const palette = [...groups.values()]
    .sort((one, other) => other.count - one.count)
    .slice(0, 256)
    .map(({ counts }) => [...counts].reduce((most, each) => (each[1] > most[1] ? each : most))[0]);
  const nearest = new Map();
  const nearestTo = (colour) => {
    const distanceTo = (other) =>
      [16, 8, 0].reduce((sum, bits) => {
        return sum + (((colour >> bits) & 255) - ((other >> bits) & 255)) ** 2;
      }, 0);
    const distances = palette.map(distanceTo);
    return distances.indexOf(Math.min(...distances));
  };
  const rows = Buffer.alloc(height * (width + 1));
  for (let at = 0, to = 0; at < data.length; at += 4) {
    if ((at / 4) % width === 0) to++;
    const colour = colourAt(at);
    if (!nearest.has(colour)) nearest.set(colour, nearestTo(colour));
    rows[to++] = nearest.get(colour);
  }
  const header = Buffer.alloc(13);
  header.writeUInt32BE(width, 0);
  header.writeUInt32BE(height, 4);
  // Eight bits, a palette.
  header.set([8, 3], 8);
  const colours = palette.flatMap((colour) => [colour >> 16, (colour >> 8) & 255, colour & 255]);
  return Buffer.concat([
    Buffer.from('89504e470d0a1a0a', 'hex'),
    chunk('IHDR', header),
    chunk('PLTE', Buffer.from(colours)),
    chunk('IDAT', deflateSync(rows, { level: 9 })),
    chunk('IEND', Buffer.alloc(0)),
  ]);
}

function chunk(type, body) {
  const made = Buffer.alloc(12 + body.length);
  made.writeUInt32BE(body.length, 0);
  made.write(type, 4, 'latin1');
  body.copy(made, 8);
  made.writeUInt32BE(crc32(made.subarray(4, 8 + body.length)), 8 + body.length);
  return made;
}

async function urlOf(child) {
  for await (const line of createInterface({ input: child.stdout })) {
    const [url] = /http:\S+/.exec(line) ?? [];
    if (url !== undefined) return url;
  }
  throw new Error('the page did not start');
}

function findChromium() {
  const isExecutable = (path) => {
    try {
      accessSync(path, constants.X_OK);
      return true;
    } catch {
      return false;
    }
  };
  const folders = (process.env.PATH ?? '').split(delimiter);
  return folders.map((folder) => join(folder, 'chromium')).find(isExecutable);
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const executablePath = findChromium();
  if (executablePath === undefined) throw new Error('no chromium is in PATH');
  // Chromium's sandbox refuses to work for root.
  const args = process.getuid?.() === 0 ? ['--no-sandbox'] : [];
  const browser = await chromium.launch({ executablePath, args });
  await takeStartScreenshot(browser, process.argv[2]);
  await browser.close();
}
