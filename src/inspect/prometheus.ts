/**
 * Metrics of the domains of this thread for Prometheus, at `/metrics` of the loopback address:
 * those of kds/inspect/otel, with names in the style of Prometheus. Needs the package prom-client.
 */

import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { Registry } from 'prom-client';
import { UnsupportedError } from '../api/errors.ts';
import { bucketsSeconds, descriptions, tally } from './tally.ts';

export interface RunningMetrics {
  readonly url: string;
  close(): Promise<void>;
}

/**
 * Serves until it is closed. Keeps no process alive.
 *
 * @throws UnsupportedError without prom-client; the error of listening.
 */
export async function serveMetrics(port: number): Promise<RunningMetrics> {
  const { registry, stop } = await record();
  const server = createServer((request, response) => void answer(registry, request, response));
  server.headersTimeout = 10_000;
  try {
    await new Promise<void>((resolve, reject) => {
      server.once('error', reject);
      server.listen(port, '127.0.0.1', resolve);
    });
  } catch (error) {
    stop();
    throw error;
  }
  server.unref();
  const { port: taken } = server.address() as AddressInfo;
  return {
    url: `http://127.0.0.1:${taken}/metrics`,
    close: async () => {
      stop();
      const closed = new Promise<void>((resolve) => server.close(() => resolve()));
      server.closeAllConnections();
      await closed;
    },
  };
}

async function answer(
  registry: Registry,
  { method, url, headers }: IncomingMessage,
  response: ServerResponse,
): Promise<void> {
  // A page of another site may make a browser send a request, under any name of this address.
  const isLocal = /^(127\.0\.0\.1|localhost)(:\d+)?$/.test(headers.host ?? '');
  if (!isLocal || headers.origin !== undefined) response.writeHead(403).end();
  else if (url !== '/metrics') response.writeHead(404).end();
  else if (method !== 'GET') response.writeHead(405).end();
  else {
    const text = await registry.metrics();
    response.writeHead(200, { 'Content-Type': registry.contentType }).end(text);
  }
}

async function record(): Promise<{ readonly registry: Registry; readonly stop: () => void }> {
  const { Counter, Gauge, Histogram, Registry } = await load();
  const registry = new Registry();
  const registers = [registry];
  const held = new Gauge({
    name: 'kds_grants',
    help: descriptions.held,
    labelNames: ['mode'],
    registers,
  });
  const pending = new Gauge({
    name: 'kds_grant_pending_requests',
    help: descriptions.pending,
    labelNames: ['mode'],
    registers,
  });
  const timeouts = new Counter({
    name: 'kds_grant_timeouts_total',
    help: descriptions.timeouts,
    registers,
  });
  const waitTime = new Histogram({
    name: 'kds_grant_wait_time_seconds',
    help: descriptions.waitTime,
    labelNames: ['outcome'],
    buckets: bucketsSeconds,
    registers,
  });
  const useTime = new Histogram({
    name: 'kds_grant_use_time_seconds',
    help: descriptions.useTime,
    buckets: bucketsSeconds,
    registers,
  });
  const lost = new Counter({
    name: 'kds_grant_lost_total',
    help: descriptions.lost,
    labelNames: ['cause'],
    registers,
  });
  const poolGauge = (name: 'capacity' | 'taken' | 'waiting') =>
    new Gauge({
      name: `kds_resource_${name}`,
      help: descriptions[name],
      labelNames: ['resource'],
      registers,
    });
  const pools = {
    capacity: poolGauge('capacity'),
    taken: poolGauge('taken'),
    waiting: poolGauge('waiting'),
  };
  const stop = tally({
    held: (_, mode, change) => held.inc({ mode }, change),
    pending: (_, mode, change) => pending.inc({ mode }, change),
    waited: ({ outcome, waitMs }) => {
      waitTime.observe({ outcome }, waitMs / 1000);
      if (outcome === 'timed-out') timeouts.inc();
    },
    used: ({ heldMs }) => useTime.observe(heldMs / 1000),
    lost: ({ cause }) => lost.inc({ cause }),
    pool: (_, resource, count, change) => pools[count].inc({ resource }, change),
  });
  return { registry, stop };
}

/** Loaded on use: prom-client is optional. */
async function load(): Promise<typeof import('prom-client')> {
  try {
    return await import('prom-client');
  } catch {
    throw new UnsupportedError(
      'metrics for Prometheus need the package prom-client: npm install prom-client',
    );
  }
}
