/** A worker under stress that writes a trace: to the file that KDS_TRACE of its environment names. */

import { traceIfAsked } from '../../src/inspect/trace.ts';

const tracing = traceIfAsked();
await import('../threads/stress/worker.ts');
tracing?.stop();
