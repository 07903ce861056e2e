/**
 * `npm run test:runtimes`: the package as it is published, in the runtimes and bundlers of its users.
 *
 * Packs the package and installs it in a temporary folder beside the programs of this one. The
 * runtimes and bundlers are installed from the lockfile here, once for each content of it, and
 * without their install scripts. What is missing is skipped by name.
 */

import { execFile } from 'node:child_process';
import { createHash } from 'node:crypto';
import {
  accessSync,
  constants,
  copyFileSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { createServer } from 'node:http';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { delimiter, join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { promisify } from 'node:util';
import { createContext, runInContext } from 'node:vm';
import { chromium } from 'playwright-core';

const here = fileURLToPath(new URL('.', import.meta.url));
const root = join(here, '../..');
const run = promisify(execFile);
/** For a program that does not end by itself, not for a slow machine: its limits are an hour. */
const timeout = 300_000;

/** Where the package and the programs are installed. */
const folder = mkdtempSync(join(tmpdir(), 'kds-runtimes-'));
after(() => rmSync(folder, { recursive: true, force: true }));

const tools = await installTools();
await installPackage();

/** What each runtime needs to run a file; undefined if it is not installed. */
const nodeOptions = { args: [], mayRead: [], mayAll: [] };
const runtimes = [
  { name: `Node ${process.versions.node}`, program: process.execPath, ...nodeOptions },
  ...['22', '24']
    .filter((major) => !process.versions.node.startsWith(`${major}.`))
    .map((major) => ({
      name: `Node ${major}`,
      program: executable(join(tools, `node-${major}/bin/node`)),
      ...nodeOptions,
    })),
  { name: 'Bun', program: binaryOf('@oven', 'bin/bun'), ...nodeOptions },
  {
    name: 'Deno',
    program: binaryOf('@deno', 'deno'),
    // Asks for no permission: what is not allowed fails. A worker's file must be read.
    args: ['run', '--no-prompt', '--no-remote', '--node-modules-dir=manual'],
    mayRead: ['--allow-read'],
    mayAll: ['--allow-all'],
  },
];

for (const { name, program, args, mayRead, mayAll } of runtimes) {
  const skip = program === undefined ? `skipped: no ${name}` : false;
  const output = async (permissions, file, ...more) => {
    const options = { cwd: folder, timeout, maxBuffer: 2 ** 24 };
    const command = [program, ...args, ...permissions, file, ...more];
    // With two open files that a broker must not keep.
    const inShell = ['-c', 'exec "$0" "$@" 8</dev/null 9</dev/null', ...command];
    const { stdout } = await run('sh', inShell, options);
    // The suite prints the seed of its random runs before.
    return JSON.parse(stdout.trim().split('\n').at(-1) ?? '');
  };

  describe(name, { skip }, () => {
    it('passes the smoke suite', async () => passes(await output([], 'program.mjs')));

    it('ends after a granted request with a long time limit', async () => {
      equal(await output([], 'end-program.mjs'), 'done');
    });

    it('blocks in a worker, and reaps one that is terminated', async () => {
      const seen = await output(mayRead, 'threads-program.mjs');
      equal(seen, { ready: 'ready', isLater: true, recovered: ['a'] });
    });

    it('starts a broker, and shares it by two clients', async () => {
      const seen = await output(mayAll, 'broker-program.mjs', mkdtempSync(join(folder, 's-')));
      equal(seen, { held: 1, pending: 1, isLost: true, recovered: ['a'] });
    });

    it('passes the suite of all backends, on process and threads', async () => {
      passes(await output(mayAll, 'conformance.mjs'));
    });
  });
}

const bundlers = {
  async Vite(outDir) {
    const { build } = await load('vite');
    const rolldownOptions = {
      input: join(folder, 'bundled.mjs'),
      output: { entryFileNames: 'page.js' },
    };
    const options = { outDir, emptyOutDir: false, rolldownOptions };
    await build({ root: folder, configFile: false, logLevel: 'warn', build: options });
  },

  async webpack(outDir) {
    const { default: webpack } = await load('webpack');
    const compiler = webpack({
      mode: 'production',
      context: folder,
      entry: './bundled.mjs',
      output: { path: outDir, filename: 'page.js' },
    });
    const stats = await promisify((done) => compiler.run(done))();
    await promisify((done) => compiler.close(done))();
    const { errors, warnings } = stats.toJson({ errors: true, warnings: true });
    equal([...errors, ...warnings], []);
  },

  async esbuild(outDir) {
    const { build } = await load('esbuild');
    const { warnings } = await build({
      absWorkingDir: folder,
      entryPoints: ['bundled.mjs'],
      outfile: join(outDir, 'page.js'),
      bundle: true,
      format: 'esm',
      minify: true,
      logLevel: 'silent',
    });
    equal(warnings, []);
  },
};

const chromiumPath = findChromium();

describe('a page', { skip: chromiumPath === undefined ? 'skipped: no chromium' : false }, () => {
  let browser;
  before(async () => {
    // Chromium's sandbox refuses to work for root.
    const args = process.getuid?.() === 0 ? ['--no-sandbox'] : [];
    browser = await chromium.launch({ executablePath: chromiumPath, args });
  });
  after(() => browser?.close());

  for (const [name, bundle] of Object.entries(bundlers)) {
    const skip = existsSync(join(tools, name.toLowerCase())) ? false : `skipped: no ${name}`;
    it(`passes the smoke suite, bundled by ${name}`, { skip }, async () => {
      const outDir = join(folder, `bundle-of-${name.toLowerCase()}`);
      mkdirSync(outDir);
      await bundle(outDir);
      const script = readFileSync(join(outDir, 'page.js'), 'utf8');
      console.log(`${name}: ${Buffer.byteLength(script)} bytes`);
      passes(await inPage(browser, script));
    });
  }
});

describe('an edge-like context', () => {
  const skip = existsSync(join(tools, 'esbuild')) ? false : 'skipped: no esbuild';
  it('passes the smoke suite with globals of the web alone, and no eval', { skip }, async () => {
    const { build } = await load('esbuild');
    const { outputFiles } = await build({
      absWorkingDir: folder,
      entryPoints: ['bundled.mjs'],
      bundle: true,
      write: false,
      format: 'iife',
    });
    const context = createContext(
      { ...globalsOfTheWeb },
      { codeGeneration: { strings: false, wasm: false } },
    );
    // Edge platforms have no shared memory.
    runInContext('delete globalThis.SharedArrayBuffer; delete globalThis.Atomics;', context);
    equal(runInContext('typeof process + typeof Buffer + typeof setImmediate', context), none);
    runInContext(outputFiles[0].text, context);
    passes(await runInContext('runSmoke()', context));
  });
});

const none = 'undefinedundefinedundefined';

const globalsOfTheWeb = {
  AbortController,
  AbortSignal,
  clearInterval,
  clearTimeout,
  console,
  crypto,
  DOMException,
  Event,
  EventTarget,
  performance,
  queueMicrotask,
  setInterval,
  // A number, as the web's: Node's timers have methods.
  setTimeout: (task, delayMs) => Number(setTimeout(task, delayMs)),
  structuredClone,
  TextDecoder,
  TextEncoder,
  URL,
};

/** Serves a page with that script, on loopback, and calls its suite. */
async function inPage(browser, script) {
  const server = createServer(({ url }, response) => {
    const isScript = url === '/page.js';
    response.setHeader('Content-Type', isScript ? 'text/javascript' : 'text/html');
    response.end(
      isScript ? script : '<!doctype html><script type="module" src="/page.js"></script>',
    );
  });
  await new Promise((resolve) => server.listen(0, '127.0.0.1', resolve));
  const page = await browser.newPage();
  const errors = [];
  page.on('pageerror', (error) => errors.push(error.message));
  try {
    await page.goto(`http://127.0.0.1:${server.address().port}/`);
    const outcome = await page.evaluate('runSmoke()');
    equal(errors, []);
    return outcome;
  } finally {
    await page.close();
    server.closeAllConnections();
    await new Promise((resolve) => server.close(resolve));
  }
}

/** Fails with what a suite reports as failed. */
function passes({ passed, failed }) {
  if (failed.length > 0) throw new Error(failed.join('\n'));
  if (passed.length === 0) throw new Error('no check has run');
}

function equal(actual, expected) {
  const [seen, wanted] = [actual, expected].map((value) => JSON.stringify(value));
  if (seen !== wanted) throw new Error(`${seen} is not ${wanted}`);
}

/** Installs what the lockfile here names, and returns its node_modules. */
async function installTools() {
  const files = ['package.json', 'package-lock.json'];
  const hash = createHash('sha256');
  for (const file of files) hash.update(readFileSync(join(here, file)));
  const cache = join(root, 'node_modules/.cache/kds-runtimes');
  const installed = join(cache, hash.digest('hex').slice(0, 16));
  if (!existsSync(installed)) {
    mkdirSync(cache, { recursive: true });
    const fresh = mkdtempSync(join(cache, 'fresh-'));
    for (const file of files) copyFileSync(join(here, file), join(fresh, file));
    await run('npm', ['ci', '--ignore-scripts', '--no-audit'], { cwd: fresh });
    for (const name of readdirSync(cache)) {
      if (!name.startsWith('fresh-')) rmSync(join(cache, name), { recursive: true });
    }
    renameSync(fresh, installed);
  }
  return join(installed, 'node_modules');
}

/** Packs the package, and installs it as a user would. */
async function installPackage() {
  await run('npm', ['pack', '--pack-destination', folder], { cwd: root });
  const [archive] = readdirSync(folder).filter((name) => name.endsWith('.tgz'));
  const manifest = { type: 'module', dependencies: { kds: `file:${archive}` } };
  writeFileSync(join(folder, 'package.json'), JSON.stringify(manifest));
  await run('npm', ['install', '--offline', '--no-audit'], { cwd: folder });
  // Of the suite of all backends, whose random runs need it.
  symlinkSync(join(tools, 'fast-check'), join(folder, 'node_modules/fast-check'));
  for (const name of readdirSync(here)) {
    if (name.endsWith('.mjs')) copyFileSync(join(here, name), join(folder, name));
  }
}

/** A package of the tools, as a module. */
function load(name) {
  const require = createRequire(join(tools, 'of-this-folder.js'));
  return import(pathToFileURL(require.resolve(name)).href);
}

/** The program in the package that is made for this platform: npm installs no other. */
function binaryOf(scope, path) {
  const packages = join(tools, scope);
  if (!existsSync(packages)) return undefined;
  return readdirSync(packages)
    .map((name) => executable(join(packages, name, path)))
    .find((program) => program !== undefined);
}

function findChromium() {
  const folders = (process.env.PATH ?? '').split(delimiter);
  return folders.map((place) => executable(join(place, 'chromium'))).find(Boolean);
}

/** That path, if it can be run. */
function executable(path) {
  try {
    accessSync(path, constants.X_OK);
    return path;
  } catch {
    return undefined;
  }
}
