/**
 * kds/inspect/otel: metrics of the domains of this thread, by way of OpenTelemetry.
 *
 * The names follow those of database connection pools (`db.client.connection.*`), as the questions
 * are the same: how many are in use, how many wait, for how long, and how often in vain. Names of
 * resources are no attributes: each would be a series of its own.
 */

import { type Attributes, type MeterProvider, metrics } from '@opentelemetry/api';
import { type AnyEvent, tally } from './tally.ts';

export interface OtelOptions {
  /** Default: the global one. */
  readonly meterProvider?: MeterProvider | undefined;
  /**
   * Further attributes of what an event counts for: of few values, or there will be many series.
   * The same for all events of one request, or counts will not come back to 0.
   */
  readonly attributes?: ((event: AnyEvent) => Attributes) | undefined;
}

/** In s: from what takes no time to what somebody comes to ask about. */
const buckets = [0.0001, 0.001, 0.005, 0.01, 0.05, 0.1, 0.5, 1, 5, 10, 60, 300];

/**
 * Records until the function that it returns is called:
 *
 * - `kds.grant.count` {grant}: held at this moment, by `kds.mode`;
 * - `kds.grant.pending_requests` {request}: those that wait, by `kds.mode`;
 * - `kds.grant.timeouts` {timeout}: requests that have waited in vain;
 * - `kds.grant.wait_time` s: from a request to its end, by `kds.outcome`;
 * - `kds.grant.use_time` s: from a grant to its end;
 * - `kds.grant.lost` {grant}: taken away, by `kds.cause`.
 *
 * Each has `kds.host`, and `kds.domain` if the domain has a label.
 *
 * @example
 * import { createDomain } from 'kds';
 * import { recordMetrics } from 'kds/inspect/otel';
 *
 * const stop = recordMetrics();
 * await createDomain({ label: 'shop' }).run({ exclusive: 'db' }, () => {});
 * stop();
 */
export function recordMetrics({ meterProvider, attributes }: OtelOptions = {}): () => void {
  const meter = (meterProvider ?? metrics).getMeter('kds');
  const seconds = { unit: 's', advice: { explicitBucketBoundaries: buckets } };
  const held = meter.createUpDownCounter('kds.grant.count', {
    unit: '{grant}',
    description: 'Sets that are held',
  });
  const pending = meter.createUpDownCounter('kds.grant.pending_requests', {
    unit: '{request}',
    description: 'Requests that wait',
  });
  const timeouts = meter.createCounter('kds.grant.timeouts', {
    unit: '{timeout}',
    description: 'Requests that were not granted in time',
  });
  const waitTime = meter.createHistogram('kds.grant.wait_time', {
    ...seconds,
    description: 'From a request to its grant, or to its end without one',
  });
  const useTime = meter.createHistogram('kds.grant.use_time', {
    ...seconds,
    description: 'From a grant to its end',
  });
  const lost = meter.createCounter('kds.grant.lost', {
    unit: '{grant}',
    description: 'Grants that were taken away',
  });
  const about = (event: AnyEvent): Attributes => ({
    ...attributes?.(event),
    'kds.host': event.domain.host,
    ...(event.domain.label !== undefined && { 'kds.domain': event.domain.label }),
  });
  return tally({
    held: (event, mode, change) => held.add(change, { ...about(event), 'kds.mode': mode }),
    pending: (event, mode, change) => pending.add(change, { ...about(event), 'kds.mode': mode }),
    waited: (event) => {
      const { outcome, waitMs } = event;
      waitTime.record(waitMs / 1000, { ...about(event), 'kds.outcome': outcome });
      if (outcome === 'timed-out') timeouts.add(1, about(event));
    },
    used: (event) => useTime.record(event.heldMs / 1000, about(event)),
    lost: (event) => lost.add(1, { ...about(event), 'kds.cause': event.cause }),
  });
}
