// Bundles the browser's globe and serves it: `node examples/globe/browser/start.mjs [PORT]`. Shared
// memory needs a page that is isolated from other sites, which the headers declare.
import { readFile, writeFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { build } from 'rolldown';

const root = fileURLToPath(new URL('../../..', import.meta.url));
const output = join(root, '.tmp-globe-browser');
const source = (path) => join(root, 'src', path, 'index.ts');
const bodyLengthMax = 2_000_000;
const pngSignature = '89504e470d0a1a0a';

await build({
  cwd: root,
  input: {
    page: './examples/globe/browser/page.ts',
    worker: './examples/globe/browser/worker.ts',
  },
  platform: 'browser',
  resolve: {
    alias: {
      'kds/threads': source('backends/threads'),
      'kds/jobs': source('recipes/jobs'),
      'kds/buffers': source('recipes/buffers'),
      'kds/display': source('recipes/display'),
    },
  },
  logLevel: 'warn',
  output: { dir: output, entryFileNames: '[name].mjs', chunkFileNames: '[name]-[hash].mjs' },
});

const isolated = {
  'cross-origin-opener-policy': 'same-origin',
  'cross-origin-embedder-policy': 'require-corp',
  'cache-control': 'no-store',
};
const server = createServer(async (request, response) => {
  const { method, url = '/' } = request;
  const send = (status, type, body) => {
    response.writeHead(status, { ...isolated, 'content-type': `${type}; charset=utf-8` });
    response.end(body);
  };
  try {
    if (method === 'POST') {
      const body = await bodyOf(request);
      if (url === '/statistics') {
        const { shown, missed } = JSON.parse(body.toString());
        console.log(`the page has shown ${Number(shown)} frames, and missed ${Number(missed)}`);
      } else if (url === '/picture' && body.subarray(0, 8).toString('hex') === pngSignature) {
        await writeFile(join(output, 'globe.png'), body);
        console.log(`what it shows is in ${join(output, 'globe.png')}`);
      }
      send(204, 'text/plain', '');
    } else if (method === 'GET' && url === '/') {
      const page = await readFile(new URL('index.html', import.meta.url));
      send(200, 'text/html', page);
    } else if (method === 'GET' && /^\/[\w-]+\.mjs$/.test(url)) {
      send(200, 'text/javascript', await readFile(join(output, url)));
    } else {
      send(404, 'text/plain', 'there is no such page');
    }
  } catch (error) {
    send(500, 'text/plain', String(error));
  }
});

/** What the page has sent. */
async function bodyOf(request) {
  const chunks = [];
  let length = 0;
  for await (const chunk of request) {
    length += chunk.length;
    if (length > bodyLengthMax) throw new RangeError('the body is too long');
    chunks.push(chunk);
  }
  return Buffer.concat(chunks);
}

server.listen(Number(process.argv[2] ?? 8080), '127.0.0.1', () => {
  console.log(
    `the globe spins at http://127.0.0.1:${server.address().port}/ until you press Ctrl-C`,
  );
});
