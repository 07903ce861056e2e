/** KDS_TRACE for a command of kds, which continues if the trace cannot be written. */

import { traceIfAsked } from '../inspect/trace.ts';
import { report } from './messages.ts';

export function traceOrWarn(): void {
  traceIfAsked({
    onFailure: (error) => report(`KDS_TRACE: tracing stopped: ${error.message}`),
  });
}
